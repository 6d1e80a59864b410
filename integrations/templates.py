"""Element templates of Camunda's editor, made from the connectors' declarations."""

from __future__ import annotations

import base64
from typing import Any, Literal

from integrations import schema
from integrations.connector import Declared, declared
from integrations.icons import svg
from integrations.schema import Spec

SCHEMA = "https://unpkg.com/@camunda/zeebe-element-templates-json-schema/resources/schema.json"
Language = Literal["en", "zh"]

_WORDS = {
    "given": ("Input", "输入"),
    "result": ("Result", "结果"),
    "far": ("Connection", "连接"),
    "name": ("Name of the connection", "连接名称"),
    "tries": ("Tries before an incident", "产生事件前的尝试次数"),
    "into": ("Variable for “{}”", "保存“{}”的变量"),
}


def templates(language: Language = "en") -> list[dict[str, Any]]:
    """One element template for each connector, in `language`."""
    return [template(item, language) for item in declared().values()]


def template(item: Declared, language: Language = "en") -> dict[str, Any]:
    """The template of one connector: fixed type, an input property a field, an output property a result."""
    which = 0 if language == "en" else 1
    properties: list[dict[str, Any]] = [
        {"type": "Hidden", "value": item.type, "binding": {"type": "zeebe:taskDefinition", "property": "type"}},
        *(_input(spec, which) for spec in schema.specs(item.input)),
        *(_output(spec, which) for spec in schema.specs(item.output)),
    ]
    if item.connection:
        header = {"type": "zeebe:taskHeader", "key": "connection"}
        properties.append({
            "id": "connection", "label": _WORDS["name"][which], "type": "String", "value": item.connection,
            "optional": True, "group": "far", "binding": header,
        })  # fmt: skip
    properties.append({
        "id": "retries", "label": _WORDS["tries"][which], "type": "String", "value": "5", "group": "far",
        "binding": {"type": "zeebe:taskDefinition", "property": "retries"},
    })  # fmt: skip
    return {
        "$schema": SCHEMA,
        "name": item.title[which],
        "id": f"carelane.{item.type}",
        "version": 1,
        "description": item.description[which],
        "category": {"id": item.group[0].lower().replace(" ", "-"), "name": item.group[which]},
        "appliesTo": ["bpmn:Task"],
        "elementType": {"value": "bpmn:ServiceTask"},
        "icon": {"contents": "data:image/svg+xml;base64," + base64.b64encode(svg(item.icon).encode()).decode()},
        "groups": [{"id": name, "label": _WORDS[name][which]} for name in ("given", "result", "far")],
        "properties": properties,
    }


def _input(spec: Spec, which: int) -> dict[str, Any]:
    label = (spec.about.en, spec.about.zh)[which]
    help_text = (spec.about.help_en, spec.about.help_zh)[which]
    made: dict[str, Any] = {
        "id": f"in.{spec.name}", "label": label, "group": "given", "type": "String", "feel": "optional", "value": f"={spec.name}",
        "binding": {"type": "zeebe:input", "name": spec.name},
    }  # fmt: skip
    if help_text:
        made["description"] = help_text
    if spec.about.choices and spec.default is not None:
        made.update(type="Dropdown", value=spec.default, choices=_choices(spec, which))
        del made["feel"]
    elif spec.kind in ("integer", "number", "boolean", "list", "object", "any"):
        made["feel"] = "required"
    if spec.required:
        made["constraints"] = {"notEmpty": True}
    else:
        made["optional"] = True
        if not spec.about.choices:
            made.pop("value")
    return made


def _choices(spec: Spec, which: int) -> list[dict[str, str]]:
    return [{"name": names[which], "value": value} for value, names in spec.about.choices.items()]


def _output(spec: Spec, which: int) -> dict[str, Any]:
    label = (spec.about.en, spec.about.zh)[which]
    return {
        "id": f"out.{spec.name}", "label": _WORDS["into"][which].format(label), "group": "result", "type": "String",
        "value": spec.name, "binding": {"type": "zeebe:output", "source": f"={spec.name}"},
    }  # fmt: skip
