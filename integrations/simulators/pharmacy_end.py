"""The pharmacy over MLLP: takes dispensing orders, and says what it gave out."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.hl7 import write
from integrations.hl7.read import Message
from integrations.simulators import reports
from integrations.simulators.desk import Desk, Item

OUT_OF_STOCK = "no-stock"  # a drug of this code is never there


def accept(desk: Desk, message: Message) -> list[str]:
    """Notes a prescription; the segments after MSA, or AR where it is no prescription."""
    if not message.kind.startswith("RDE"):
        return ["AR", "a pharmacy takes RDE^O11"]
    orders, drugs = list(message.segments("ORC")), list(message.segments("RXE"))
    number = message.of(orders[0], 4) if orders else ""
    if not drugs or not number:
        return ["AR", "a prescription has an order group and at least one drug"]
    filler = f"P{write.control_id(number)[:9]}"
    lines = [
        {
            "order": message.of(orc, 2), "code": message.of(rxe, 2), "name": message.of(rxe, 2, 2), "quantity": message.of(rxe, 10),
            "unit": message.of(rxe, 11),
        }
        for orc, rxe in zip(orders, drugs, strict=False)
    ]  # fmt: skip
    shown = {
        "patient": reports.patient(message), "visit": message.get("PV1", 19),
        "lines": [f"{line['name'] or line['code']} × {line['quantity']} {line['unit']}".strip() for line in lines],
    }  # fmt: skip
    data = {"filler": filler, "lines": lines, "pid": str(message.first("PID"))}
    desk.add(Item(f"pharmacy-{number}", "pharmacy", "prescription", number, "waiting", shown, data))
    return [segment for line in lines for segment in (write.segment("ORC", {1: "OK", 2: line["order"], 3: filler, 4: number}),)]


def dispense(item: Item, action: str) -> str:
    """An RDS^O13 for the prescription; `action` is normal (all given out) or abnormal (none: out of stock)."""
    now = write.timestamp(datetime.now(UTC), reports.ZONE)
    segments = [item.data["pid"]]
    for position, line in enumerate(item.data["lines"], 1):
        missing = action == "abnormal" or line["code"] == OUT_OF_STOCK
        state = {1: "OC" if missing else "RE", 2: line["order"], 3: item.data["filler"], 4: item.number, 5: "CA" if missing else "CM"}
        segments.append(write.segment("ORC", state))
        if not missing:
            drug = [line["code"], line["name"], "99CARELANE"]
            segments.append(write.segment("RXD", {
                1: position, 2: drug, 3: now, 4: line["quantity"], 5: [line["unit"]], 7: item.number, 10: ["P01", "赵", "药师"], 18: "LOT20261",
            }))  # fmt: skip
    # The same prescription gives the same message id, so that a resend is recognised
    control = write.control_id(f"{item.id}|{action}")
    kind = ("RDS", "O13", "RDS_O13")
    return write.message(kind, segments, control=control, receiver=("CARELANE", "CLINIC"), at=datetime.now(UTC), zone=reports.ZONE)
