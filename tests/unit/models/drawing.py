"""Draws small BPMN files for tests: `draw("s:startEvent a:task e:endEvent", "s>a>e")`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

PLAIN = 'xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
ZEEBE = PLAIN + ' xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"'
CAMUNDA = PLAIN + ' xmlns:camunda="http://camunda.org/schema/1.0/bpmn"'


def draw(
    nodes: str = "",
    flows: str = "",
    inside: Mapping[str, str] | None = None,
    attributes: Mapping[str, str] | None = None,
    *,
    top: str = "",
    extra: str = "",
    process: str = 'isExecutable="true"',
    dialect: str = ZEEBE,
) -> bytes:
    """A file with one process `p`.

    `nodes` are `id:type` words, `flows` chains like `a>b>c`, whose flows are called `a_b`; `inside` and `attributes` add to
    nodes and flows by id; `extra` goes into the process, `top` beside it.
    """
    inside, attributes = inside or {}, attributes or {}
    parts = []
    for word in nodes.split():
        key, _, kind = word.partition(":")
        parts.append(f'<{kind} id="{key}" {attributes.get(key, "")}>{inside.get(key, "")}</{kind}>')
    for chain in flows.split():
        steps = chain.split(">")
        for source, target in itertools.pairwise(steps):
            key = f"{source}_{target}"
            given = f'id="{key}" sourceRef="{source}" targetRef="{target}" {attributes.get(key, "")}'
            parts.append(f"<sequenceFlow {given}>{inside.get(key, '')}</sequenceFlow>")
    body = "".join(parts) + extra
    return f'<definitions {dialect} id="d" targetNamespace="urn:own">{top}<process id="p" {process}>{body}</process></definitions>'.encode()


def when(condition: str) -> str:
    """A flow's condition."""
    return f'<conditionExpression xsi:type="tFormalExpression">{condition}</conditionExpression>'


def event(kind: str, body: str = "", **attributes: str) -> str:
    """An event definition."""
    given = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"<{kind}EventDefinition {given}>{body}</{kind}EventDefinition>"


def timer(text: str, kind: str = "timeDuration") -> str:
    """A timer's definition."""
    return event("timer", f'<{kind} xsi:type="tFormalExpression">{text}</{kind}>')


def extensions(body: str) -> str:
    """Extension elements."""
    return f"<extensionElements>{body}</extensionElements>"


MESSAGE = '<message id="m" name="news"><extensionElements><zeebe:subscription correlationKey="=orderId"/></extensionElements></message>'
