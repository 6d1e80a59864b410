"""An insurance office, made up: no real interface was to be had. It takes claims as JSON (fen) or XML (yuan)."""

from __future__ import annotations

from typing import Any

from lxml import etree
from werkzeug.wrappers import Request

from integrations.simulators.desk import Desk, Item
from integrations.simulators.web import Handler, body_of

FUND, ACCOUNT = 0.6, 0.15  # shares; the patient pays the rest
BLOCKED = "000000"  # this insurance number is always refused


class InsuranceEnd:
    """Claims by number, each settled once: a repeated one is answered as a duplicate, and can be asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What this end answers to."""
        return {("POST", rf"/insurance/({name})"): self._asked for name in ("presettle", "settle", "reverse", "query")}

    def _asked(self, request: Request, operation: str) -> tuple[int, Any]:
        if "xml" not in request.content_type:
            return 200, self._done(operation, body_of(request))
        root = etree.fromstring(request.get_data(), etree.XMLParser(resolve_entities=False, no_network=True))
        given: dict[str, Any] = {str(child.tag): child.text or "" for child in root}
        given["total"] = round(float(given["total"]) * 100)
        answer = self._done(operation, given)
        made = etree.Element("Response")
        for name, value in answer.items():
            etree.SubElement(made, name).text = f"{value / 100:.2f}" if isinstance(value, int) else str(value)
        return 200, etree.tostring(made, encoding="unicode")

    def _done(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        number, total = str(given["claim_no"]), int(given["total"])
        if given.get("psn_no") == BLOCKED:
            return {"code": "1203", "message": "待遇冻结"}
        with self._desk.lock:
            item = self._desk.items.get(f"claim-{number}")
            if operation == "presettle":
                return self._split(number, total)
            if operation == "query":
                wanted = str(given.get("operation", "settle"))
                done = item is not None and item.data["state"] == {"settle": "settled", "reverse": "reversed"}.get(wanted)
                return self._split(number, total) if done else {"code": "1404", "message": "无此结算"}
            if operation == "settle":
                if item is not None:
                    return {"code": "1409", "message": "重复结算"}
                shown = {"amount": f"¥{total / 100:.2f}", "description": "医保结算"}
                self._desk.add(Item(f"claim-{number}", "insurance", "claim", number, "noted", shown, {"state": "settled", "total": total}))
                return self._split(number, total)
            if item is None or item.data["state"] != "settled":
                return {"code": "1409" if item else "1404", "message": "不可撤销"}
            item.data["state"] = "reversed"
            self._desk.save()
            return self._split(number, total)

    def _split(self, number: str, total: int) -> dict[str, Any]:
        fund, account = int(total * FUND), int(total * ACCOUNT)
        return {
            "code": "0", "message": "ok", "setl_id": f"YB{number}", "total": total, "fund_pay": fund, "acct_pay": account,
            "psn_pay": total - fund - account,
        }  # fmt: skip


_RESPONSE = {
    "code": "code", "message": "message", "total": "total", "fund": "fund_pay", "account": "acct_pay", "self": "psn_pay", "reference": "setl_id",
}  # fmt: skip
_REQUEST = (
    '{"claim_no": claimId, "psn_no": insuranceNumber, "dise_codg": diagnosis, "operation": operation, "total": %s, '
    '"details": [items.{"code": code, "amount": amount}]}'
)


def settings(url: str, *, xml: bool = False) -> dict[str, Any]:
    """What a connection to this end says: an example of how a real one is described."""
    request = _REQUEST % ("yuan" if xml else "total")
    operations = {
        name: {"path": f"/insurance/{name}", "request": request, "root": "Request"} for name in ("presettle", "settle", "reverse", "query")
    }
    response = {name: f"Response.{path}" for name, path in _RESPONSE.items()} if xml else dict(_RESPONSE)
    codes = {"0": "ok", "1203": "refused", "1409": "duplicate", "1404": "unknown", "5000": "again"}
    return {
        "url": url, "timeout": 10, "format": "xml" if xml else "json", "unit": "yuan" if xml else "fen", "operations": operations,
        "response": response, "codes": codes,
    }  # fmt: skip
