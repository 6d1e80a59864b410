"""Reads dispense messages (RDS^O13, HL7 v2.5.1 section 4.13) as what a process hears: what was given out, and whether all of it was."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import hl7

from integrations.hl7.read import Message

KINDS = ("RDS^O13", "RDS")
# ORC-5, HL7 table 0038: what is no news of completion; and what ends the order without the drugs
_PARTIAL = frozenset(("A", "IP", "SC", "HD", "RP"))
_REFUSED = frozenset(("CA", "DC", "ER"))


@dataclass(frozen=True, slots=True)
class Dispensed:
    """What one message says of one order. `final` is false while drugs are still to come."""

    order_id: str
    final: bool
    payload: dict[str, Any]


def line_number(order_id: str, position: int) -> str:
    """The placer order number (ORC-2) of one line; the order itself is the placer group number (ORC-4)."""
    return f"{order_id}-{position}"


def read(message: Message) -> list[Dispensed]:
    """One answer for each of our orders in the message, in order; the order is empty where the pharmacy names none."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    orc: hl7.Segment | None = None
    for segment in message.segments("ORC", "RXD"):
        if str(segment[0]) == "ORC":
            orc = segment
            if message.of(orc, 5) in _REFUSED or message.of(orc, 1) in ("UA", "OC", "UD"):
                found.setdefault(_order(message, orc), []).append(("refused", {}))
            continue
        state = message.of(orc, 5) if orc is not None else ""
        order = _order(message, orc) if orc is not None else ""
        found.setdefault(order, []).append(("partial" if state in _PARTIAL else "completed", _item(message, segment)))
    return [_answer(message, order, lines) for order, lines in found.items()]


def _answer(message: Message, order: str, lines: list[tuple[str, dict[str, Any]]]) -> Dispensed:
    states = {state for state, _ in lines}
    status = "partial" if "partial" in states or states == {"completed", "refused"} else next(iter(states))
    payload = {
        "orderId": order, "status": status, "items": [item for _, item in lines if item],
        "pharmacist": next((text for segment in message.segments("RXD") if (text := _person(message, segment))), None),
    }  # fmt: skip
    # Some given out and the rest refused: nothing more will come
    return Dispensed(order, "partial" not in states, payload)


def _order(message: Message, orc: hl7.Segment) -> str:
    return message.of(orc, 4) or re.sub(r"-\d+$", "", message.of(orc, 2))


def _item(message: Message, rxd: hl7.Segment) -> dict[str, Any]:
    amount = message.of(rxd, 4)
    return {
        "code": message.of(rxd, 2), "name": message.of(rxd, 2, 2) or message.of(rxd, 2), "quantity": float(amount) if _is_number(amount) else None,
        "unit": message.of(rxd, 5, 2) or message.of(rxd, 5), "at": message.of(rxd, 3), "lot": message.of(rxd, 18) or None,
        "note": message.whole(rxd, 9) or None,
    }  # fmt: skip


def _person(message: Message, rxd: hl7.Segment) -> str:
    return message.of(rxd, 10, 2) + message.of(rxd, 10, 3) or message.of(rxd, 10)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None
