"""Insurance claims over an interface that the connection describes: JSON or XML over HTTP, requests and answers by JSONata.

No Chinese insurance interface was to be had, so that nothing of one is built in. The connection's address says

    format: json or xml                       unit: yuan or fen
    operations: {settle: {method, path, request (JSONata over the claim), root (XML only)}, …}
    response: {code, message, total, fund, account, self, reference}   each JSONata over the answer
    codes: {"0": "ok", "1203": "refused", "1409": "duplicate", "1404": "unknown", "5000": "again"}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx
from lxml import etree

from engine.errors import BpmnError, ConnectorFailed
from integrations import http, runtime
from integrations.connections.book import Link
from integrations.connector import Work
from integrations.mappings import bounded, payload
from integrations.messages import log
from integrations.messages.log import Outbound

FIELDS = ("code", "message", "total", "fund", "account", "self", "reference")
MEANINGS = ("ok", "refused", "duplicate", "unknown", "again")
SPLIT_CHANGED = {"SPLIT_CHANGED": ("the settlement's split is not the pre-settlement's", "结算分割与预结算不一致")}


@dataclass(frozen=True, slots=True)
class Split:
    """Who pays how much of a claim, in fen. The three parts always add up to the total."""

    total: int
    fund: int
    account: int
    self_pay: int
    reference: str = ""

    @property
    def insured(self) -> int:
        """What the insurance pays: fund and personal account."""
        return self.fund + self.account


def ask(work: Work, link: Link, operation: str, claim: Mapping[str, Any], *, total: int) -> Split:
    """One operation on a claim, once: a repeated one is asked for first where the insurer can be asked. Raises as `_judged`."""
    number = str(claim["claimId"])
    control = f"{operation}-{number}"[:120]
    message = Outbound(f"insurance.{operation}", control, dict(claim), number, str(claim["patientId"]))
    asked = "query" in link.address["operations"]

    def go() -> dict[str, Any]:
        if asked and operation != "presettle" and _again(link, control):
            known = _sent(link, "query", {**claim, "operation": operation}, repeatable=True)
            if known is not None:
                return asdict(_checked(link, known, total))
        found = _sent(link, operation, claim, repeatable=asked or operation == "presettle" or link.idempotent)
        if found is None and asked:
            found = _sent(link, "query", {**claim, "operation": operation}, repeatable=True)
        if found is None:
            raise ConnectorFailed(f"{link.name} knows {number} already but cannot be asked what it is.", kind="unknown")
        return asdict(_checked(link, found, total))

    return Split(**log.exchange(work.call, link, message, go))


def _again(link: Link, control: str) -> bool:
    with runtime.reading() as session:
        row = log.outbound(session, link.name, control)
        return row is not None and row.attempts > 1


def _sent(link: Link, operation: str, claim: Mapping[str, Any], *, repeatable: bool) -> dict[str, Any] | None:
    """The answer's fields; None when the insurer says that it has it already, or (to a query) that it does not know it."""
    spec = link.address["operations"].get(operation)
    if spec is None:
        raise ConnectorFailed(f"The connection {link.name} does not say how to {operation}.", kind="permanent")
    amounts = {"yuan": _yuan(int(claim["total"]))} if str(link.address.get("unit", "fen")) == "yuan" else {}
    body = _evaluated(link, f"operations.{operation}.request", str(spec["request"]), {**claim, **amounts})
    xml = link.address.get("format") == "xml"
    content = _xml(str(spec.get("root", "Request")), body) if xml else json.dumps(body, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/xml; charset=utf-8" if xml else "application/json",
        "Idempotency-Key": f"{operation}-{claim['claimId']}",
    }
    if token := link.secrets.get("token", ""):
        headers["Authorization"] = f"Bearer {token}"
    answer = http.request(link, str(spec.get("method", "POST")), str(spec["path"]), headers=headers, content=content, repeatable=repeatable)
    return _judged(link, operation, _read(link, answer, xml=xml))


def _judged(link: Link, operation: str, found: dict[str, Any]) -> dict[str, Any] | None:
    """Sorts the answer by its code: BpmnError for a refusal, transient for `again`, permanent for a code that nobody described."""
    code, said = str(found.get("code")), str(found.get("message") or "")
    meaning = str(link.address["codes"].get(code, ""))
    if meaning == "ok":
        return found
    if meaning == "refused":
        raise BpmnError("FAR_END_REFUSED", f"{link.name} refused: {code} {said}", {"refusal": code})
    if meaning == "again":
        raise ConnectorFailed(f"{link.name} answered {code} {said}", kind="transient")
    if meaning == "duplicate" or (meaning == "unknown" and operation == "query"):
        return None
    raise ConnectorFailed(f"{link.name} answered {code} {said}, which its connection does not explain.", kind="permanent")


def _read(link: Link, answer: httpx.Response, *, xml: bool) -> dict[str, Any]:
    try:
        (body,) = payload.records("xml" if xml else "json", answer.content)[:1]
    except payload.Unreadable as error:
        raise ConnectorFailed(
            f"{link.name} answered {answer.status_code} and nothing that can be read: {error.message}", kind="unknown"
        ) from error
    wanted = link.address["response"]
    expression = "{" + ", ".join(f'"{name}": ({wanted[name]})' for name in FIELDS if name in wanted) + "}"
    found = _evaluated(link, "response", expression, body)
    return dict(found) if isinstance(found, Mapping) else {}


def _evaluated(link: Link, place: str, expression: str, data: Any) -> Any:
    try:
        return bounded.evaluate(expression, data).value
    except bounded.MappingFailed as error:
        raise ConnectorFailed(f"{link.name}, {place}: {error.message}", kind="permanent") from error


def _checked(link: Link, found: Mapping[str, Any], total: int) -> Split:
    """The split in fen, when its parts add up to its total and its total is what was claimed."""
    unit = str(link.address.get("unit", "fen"))
    parts = {name: _fen(link, name, found.get(name), unit) for name in ("total", "fund", "account", "self")}
    split = Split(parts["total"], parts["fund"], parts["account"], parts["self"], str(found.get("reference") or ""))
    if min(split.fund, split.account, split.self_pay) < 0 or split.insured + split.self_pay != split.total or split.total != total:
        said = f"{split.fund} + {split.account} + {split.self_pay} of {split.total}, claimed {total}"
        raise ConnectorFailed(f"{link.name}: the split does not add up: {said}", kind="permanent")
    return split


def _fen(link: Link, name: str, value: Any, unit: str) -> int:
    try:
        amount = Decimal(str(value)) * (100 if unit == "yuan" else 1)
    except InvalidOperation:
        amount = Decimal("0.5")
    if amount != amount.to_integral_value():
        raise ConnectorFailed(f"{link.name}: {name} is no whole number of fen: {value!r}", kind="permanent")
    return int(amount)


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _xml(root: str, body: Any) -> bytes:
    node = etree.Element(root)
    _fill(node, body)
    return etree.tostring(node, xml_declaration=True, encoding="UTF-8")


def _fill(node: etree._Element, value: Any) -> None:
    if not isinstance(value, Mapping):
        node.text = "" if value is None else str(value)
        return
    for name, inner in value.items():
        for each in inner if isinstance(inner, list) else [inner]:
            _fill(etree.SubElement(node, str(name)), each)
