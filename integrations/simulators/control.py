"""The client of the simulators' control interface: what the "far ends" page calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from engine.errors import CarelaneError, Conflict, NotFound
from engine.settings import Settings
from integrations.simulators.control_end import HEADER
from integrations.simulators.ports import HOST, ports


class NotRunning(CarelaneError):
    """The simulated far ends are not running."""


@dataclass(frozen=True, slots=True)
class FarEnd:
    """One simulated end. `down` is seconds until it is back; `actions` what may be answered to a waiting item."""

    name: str
    down: int
    actions: tuple[str, ...]
    items: tuple[dict[str, Any], ...]  # id, kind, number, state, shown, at, answer, tries


@dataclass(frozen=True, slots=True)
class State:
    """All simulated ends."""

    auto: bool
    delay: float
    ends: tuple[FarEnd, ...] = field(default_factory=tuple)


TITLES = {
    "his": ("HIS", "医院信息系统"), "lis": ("Laboratory (LIS)", "检验系统"), "ris": ("Radiology (RIS)", "影像系统"),
    "wechat": ("WeChat Pay", "微信支付"), "alipay": ("Alipay", "支付宝"), "card": ("Bank card", "银行卡"),
    "insurance": ("Insurance", "医保"), "partner": ("Partner hospital", "合作医院"),
    "pharmacy": ("Pharmacy", "药房"), "sms": ("Text messages", "短信"),
}  # fmt: skip


def state(settings: Settings) -> State:
    """What arrived where, and what may be done; NotRunning when the simulators are off."""
    found = _ask(settings, "GET", "/state")
    ends = tuple(FarEnd(e["name"], e["down"], tuple(e["actions"]), tuple(e["items"])) for e in found["ends"])
    return State(found["auto"], found["delay"], ends)


def answer(settings: Settings, item_id: str, action: str, text: str = "") -> dict[str, Any]:
    """Lets an end answer an item; Conflict when it is answered already."""
    return _ask(settings, "POST", "/answer", {"item": item_id, "action": action, "text": text})


def down(settings: Settings, end: str, seconds: float) -> None:
    """Takes an end out of order for that long; 0 brings it back."""
    _ask(settings, "POST", "/down", {"end": end, "seconds": seconds})


def auto(settings: Settings, on: bool, delay: float | None = None) -> None:
    """Switches auto mode on or off; `delay` in seconds."""
    _ask(settings, "POST", "/auto", {"on": on, **({} if delay is None else {"delay": delay})})


def _ask(settings: Settings, method: str, path: str, body: dict[str, Any] | None = None, port: int | None = None) -> dict[str, Any]:
    url = f"http://{HOST}:{port or ports(settings).control}{path}"
    try:
        reply = httpx.request(method, url, json=body, headers={HEADER: "1"}, timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        raise NotRunning from error
    found: dict[str, Any] = reply.json()
    if reply.status_code in (404, 409):
        raise (NotFound if reply.status_code == 404 else Conflict)(str(found.get("message")))
    if reply.status_code >= 400:
        raise CarelaneError(str(found.get("message")))
    return found
