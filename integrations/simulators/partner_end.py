"""A partner hospital: a small FHIR R4 server that takes referrals and tells us how they go."""

from __future__ import annotations

import time
from typing import Any

import httpx
from werkzeug.wrappers import Request

from integrations.fhir.referral import CALL, IDENTIFIER
from integrations.fhir.refusal import Issue, outcome
from integrations.hl7.write import control_id
from integrations.simulators.desk import Desk, Item
from integrations.simulators.ports import Keys
from integrations.simulators.web import Handler, body_of

Answer = tuple[int, Any]
_STATUS = {"accept": "accepted", "reject": "rejected", "ask": "on-hold", "complete": "completed"}
_WORDS = {
    "reject": "本院暂无床位。 No bed is free at the moment.",
    "ask": "请补充近期影像报告。 Please send the latest imaging report.",
    "complete": "已完成诊治，建议两周后复查。 Treated; follow-up in two weeks is advised.",
}


class PartnerEnd:
    """Creates each referral once (If-None-Exist), and updates its Task at our endpoint."""

    def __init__(self, desk: Desk, keys: Keys, fhir_url: str) -> None:
        self._desk, self._keys, self._url = desk, keys, fhir_url
        self._http = httpx.Client(timeout=10, trust_env=False)

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What this end answers to."""
        return {
            ("GET", "/fhir/metadata"): self._metadata,
            ("POST", "/fhir/?"): self._transaction,
            ("POST", "/fhir/Communication"): self._communication,
            ("GET", r"/fhir/Task/([^/]+)"): self._task,
        }

    def answer(self, item: Item, action: str, text: str = "") -> None:
        """The hospital decides: accept, reject, ask or complete. Our endpoint is told; if it cannot be reached, again soon."""
        task = item.data["task"]
        task["status"] = _STATUS[action]
        task["meta"] = {"versionId": str(int(task.get("meta", {}).get("versionId", "1")) + 1)}
        words = text or _WORDS.get(action, "")
        task.pop("statusReason", None)
        if action in ("reject", "ask"):
            task["statusReason"] = {"text": words}
        if action == "complete":
            task["output"] = [{"type": {"text": "report"}, "valueString": words}]
        headers = {"Authorization": f"Bearer {self._keys.inbound_token}", "Content-Type": "application/fhir+json"}
        try:
            told = self._http.put(f"{self._url}/Task/{task['id']}", json=task, headers=headers).status_code < 300
        except httpx.HTTPError:
            told = False
        with self._desk.lock:
            if told:
                item.state, item.answer, item.tries = {"accept": "accepted", "ask": "asked"}.get(action, "answered"), action, 0
                item.due = time.time() + self._desk.delay * 2
            else:
                item.tries += 1
                item.due = time.time() + min(30, 2**item.tries)
            self._desk.save()

    def _metadata(self, request: Request) -> Answer:
        return 200, {"resourceType": "CapabilityStatement", "status": "active", "kind": "instance", "fhirVersion": "4.0.1", "format": ["json"]}

    def _transaction(self, request: Request) -> Answer:
        if not self._trusted(request):
            return 401, outcome([Issue("login", "the token is not known")])
        entries = {entry["resource"]["resourceType"]: entry["resource"] for entry in body_of(request).get("entry", ())}
        if set(entries) != {"Patient", "ServiceRequest", "Task"}:
            return 422, outcome([Issue("required", "a referral is a Patient, a ServiceRequest and a Task")])
        number = next(i["value"] for i in entries["Task"]["identifier"] if i["system"] == IDENTIFIER)
        ids = self._desk.once(f"partner|{number}", lambda: self._create(number, entries))
        locations = [{"response": {"status": "201 Created", "location": f"{kind}/{id_}/_history/1"}} for kind, id_ in ids.items()]
        return 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": locations}

    def _create(self, number: str, entries: dict[str, dict[str, Any]]) -> dict[str, str]:
        ids = {kind: f"{kind[0].lower()}{control_id(number)[:10]}" for kind in ("Patient", "ServiceRequest", "Task")}
        task = {**entries["Task"], "id": ids["Task"], "meta": {"versionId": "1"}}
        request = entries["ServiceRequest"]
        shown = {
            "patient": entries["Patient"]["name"][0]["text"], "reason": _text(request.get("reasonCode")),
            "priority": request.get("priority", ""),
            "summary": _text(request.get("note")), "department": _text([request.get("code")]),
        }  # fmt: skip
        self._desk.add(Item(f"partner-{number}", "partner", "referral", number, "waiting", shown, {"task": task}))
        return ids

    def _communication(self, request: Request) -> Answer:
        if not self._trusted(request):
            return 401, outcome([Issue("login", "the token is not known")])
        body = body_of(request)
        key = next(i["value"] for i in body["identifier"] if i["system"] == CALL)
        text = body["payload"][0]["contentString"]
        number = next((a["identifier"]["value"] for a in body["about"] if "identifier" in a), "")
        made = self._desk.once(f"partner|communication|{key}", lambda: self._answered(number, text))
        return 201, {**body, "id": made}

    def _answered(self, number: str, text: str) -> str:
        item = self._desk.items.get(f"partner-{number}")
        if item is not None:
            item.shown["information"] = text
            item.state, item.due = "waiting", time.time() + self._desk.delay
        return f"c{len(self._desk.seen) + 1}"

    def _task(self, request: Request, task_id: str) -> Answer:
        for item in self._desk.of("partner"):
            if item.data["task"]["id"] == task_id:
                return 200, item.data["task"]
        return 404, outcome("not-found", task_id)

    def _trusted(self, request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self._keys.partner_token}"


def _text(element: Any) -> str:
    """The words of the first of these; a referral leaves out what nobody said."""
    first = next(iter(element or ()), None) or {}
    return str(first.get("text", ""))
