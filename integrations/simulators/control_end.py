"""The control interface of the simulated far ends: what arrived, answer it, be down, auto mode."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request

from integrations.simulators.desk import ENDS, Desk, Item
from integrations.simulators.web import Handler, body_of

Answer = tuple[int, Any]
HEADER = "X-Carelane-Control"  # a browser cannot send it to us from a foreign page
ACTIONS = {
    "lis": ("normal", "abnormal"), "ris": ("normal", "abnormal"), "wechat": ("pay", "fail"), "alipay": ("pay", "fail"),
    "pharmacy": ("normal", "abnormal"), "card": ("pay", "fail"), "insurance": ("pay", "fail"), "partner": ("accept", "reject", "ask", "complete"),
}  # fmt: skip


class ControlEnd:
    """JSON over loopback."""

    def __init__(self, desk: Desk, answer: Callable[[Item, str, str], None]) -> None:
        self._desk, self._answer = desk, answer

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What this end answers to."""
        return {
            ("GET", "/state"): self._guarded(self._state),
            ("POST", "/auto"): self._guarded(self._auto),
            ("POST", "/down"): self._guarded(self._down),
            ("POST", "/answer"): self._guarded(self._answered),
        }

    def _guarded(self, handler: Handler) -> Handler:
        def guarded(request: Request) -> Answer:
            return handler(request) if HEADER in request.headers else (403, {"message": f"{HEADER} is missing"})

        return guarded

    def _state(self, request: Request) -> Answer:
        now = time.time()
        ends = [
            {
                "name": end, "down": max(0, round(self._desk.down.get(end, 0) - now)), "actions": list(ACTIONS.get(end, ())),
                "items": [_item(item) for item in list(self._desk.of(end))[:30]],
            }
            for end in ENDS
        ]  # fmt: skip
        return 200, {"auto": self._desk.auto, "delay": self._desk.delay, "ends": ends}

    def _auto(self, request: Request) -> Answer:
        body = body_of(request)
        self._desk.set_auto(bool(body["on"]), body.get("delay"))
        return 200, {"auto": self._desk.auto, "delay": self._desk.delay}

    def _down(self, request: Request) -> Answer:
        body = body_of(request)
        if body.get("end") not in ENDS:
            return 404, {"message": f"there is no end {body.get('end')}"}
        self._desk.set_down(str(body["end"]), float(body.get("seconds", 60)))
        return 200, {}

    def _answered(self, request: Request) -> Answer:
        body = body_of(request)
        item = self._desk.items.get(str(body.get("item")))
        if item is None:
            return 404, {"message": "there is no such item"}
        if item.state not in ("waiting", "accepted", "asked"):
            return 409, {"message": f"it is {item.state} already"}
        if body.get("action") not in ACTIONS.get(item.end, ()):
            return 400, {"message": f"{item.end} can {', '.join(ACTIONS.get(item.end, ())) or 'do nothing'}"}
        self._answer(item, str(body["action"]), str(body.get("text", "")))
        return 200, _item(item)


def _item(item: Item) -> dict[str, Any]:
    return {
        "id": item.id, "kind": item.kind, "number": item.number, "state": item.state, "shown": item.shown, "at": item.at,
        "answer": item.answer, "tries": item.tries,
    }  # fmt: skip
