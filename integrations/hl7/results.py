"""Maps result messages (ORU^R01) to what processes receive: laboratory results and imaging reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import hl7

from integrations import units
from integrations.hl7.read import Message
from integrations.pharmacy import dispense

RESULT_KINDS = ("ORU^R01", "ORU^R30", "ORU^R31", "ORU^R32", "ORU", "OUL^R21", "OUL^R22", *dispense.KINDS)
# OBR-24, HL7 table 0074 and DICOM modalities
_IMAGING = frozenset(("RAD", "RUS", "CT", "CUS", "NMR", "NMS", "OUS", "RX", "VUS", "XRC", "MR", "IMG", "US", "DX"))
_FINDINGS, _IMPRESSION, _STUDY = ("59776-5", "18782-3"), ("19005-8",), ("113014", "110180")  # LOINC; DCM study instance UID
_WITHDRAWN = ("D", "W")  # OBX-11: deleted, and posted as wrong (for another patient, for instance): never shown as a result
DELIVERED = ("final", "corrected", "cancelled")  # states of a result that a process hears of
_FINAL = "FCAX"  # HL7 table 0123: final, corrected, some available and no more to come, cancelled
_STATUS = {"F": "final", "C": "corrected", "A": "final", "X": "cancelled", "P": "preliminary", "R": "preliminary", "I": "registered",
           "S": "registered", "O": "registered", "M": "preliminary", "N": "preliminary", "U": "final", "V": "final", "B": "preliminary"}  # fmt: skip


@dataclass
class Result:
    """Everything that one message says about one of our orders."""

    order_id: str
    message: str  # lab_result or imaging_result
    final: bool
    payload: dict[str, Any]
    without_order: list[str] = field(default_factory=list)


@dataclass
class _Group:
    """An OBR with what belongs to it."""

    obr: hl7.Segment
    orc: hl7.Segment | None = None
    ipc: hl7.Segment | None = None
    observations: list[hl7.Segment] = field(default_factory=list)
    notes: list[hl7.Segment] = field(default_factory=list)


def results(message: Message) -> list[Result]:
    """One result for each placer order number in the message, in order; the number is empty where the sender gave none."""
    if message.kind in dispense.KINDS:
        return [Result(said.order_id, "dispensed", said.final, said.payload) for said in dispense.read(message)]
    by_order: dict[tuple[str, bool], list[_Group]] = {}
    for group in _groups(message):
        order = message.of(group.obr, 2) or (message.of(group.orc, 2) if group.orc is not None else "")
        by_order.setdefault((order, _is_imaging(message, group)), []).append(group)
    return [
        _imaging(message, order, groups) if imaging else _laboratory(message, order, groups) for (order, imaging), groups in by_order.items()
    ]


def _groups(message: Message) -> Iterator[_Group]:
    group: _Group | None = None
    orc = None
    for segment in message.segments():
        name = str(segment[0])
        if name == "OBR":
            if group is not None:
                yield group
            group, orc = _Group(segment, orc), None
        elif name == "ORC":
            orc = segment
        elif group is not None and name == "OBX":
            group.observations.append(segment)
        elif group is not None and name == "NTE":
            group.notes.append(segment)
        elif group is not None and name == "IPC":
            group.ipc = segment
    if group is not None:
        yield group


def _is_imaging(message: Message, group: _Group) -> bool:
    codes = {message.of(obx, 3) for obx in group.observations}
    return group.ipc is not None or message.of(group.obr, 24) in _IMAGING or bool(codes & {*_STUDY, *_IMPRESSION})


def _laboratory(message: Message, order: str, groups: list[_Group]) -> Result:
    letters = [_letter(message, group) for group in groups]
    told = [obx for group in groups for obx in group.observations]
    kept = [obx for obx in told if message.of(obx, 11)[:1] not in _WITHDRAWN]
    observations = [_observation(message, obx) for obx in kept]
    notes = [message.whole(note, 3) for group in groups for note in group.notes]
    payload = {
        "orderId": order,
        "observations": observations,
        "status": "corrected" if len(kept) < len(told) else _common(letters),
        "report": "\n".join(note for note in notes if note) or None,
        "abnormal": any(item["abnormal"] not in ("", "N") for item in observations),
    }
    return Result(order, "lab_result", all(letter in _FINAL for letter in letters), payload)


def _imaging(message: Message, order: str, groups: list[_Group]) -> Result:
    group = groups[0]
    letters = [_letter(message, each) for each in groups]
    observations = [obx for each in groups for obx in each.observations if message.of(obx, 11)[:1] not in _WITHDRAWN]

    def text(codes: tuple[str, ...]) -> str:
        return "\n".join(filter(None, (message.whole(obx, 5) for obx in observations if message.of(obx, 3) in codes)))

    other = "\n".join(filter(None, (message.whole(x, 5) for x in observations if message.of(x, 2) in ("TX", "FT", "ST"))))
    uid = message.of(group.ipc, 3) if group.ipc is not None else ""
    payload = {
        "orderId": order,
        "accession": (message.of(group.ipc, 1) if group.ipc is not None else "") or message.of(group.obr, 18) or message.of(group.obr, 3),
        "findings": text(_FINDINGS) or other,
        "impression": text(_IMPRESSION),
        "studyUid": uid or text(_STUDY),
        "status": _common(letters),
    }
    return Result(order, "imaging_result", all(letter in _FINAL for letter in letters), payload)


def _letter(message: Message, group: _Group) -> str:
    """OBR-25; where it is empty, final if every observation is (OBX-11), and a bare list of values counts as final."""
    if given := message.of(group.obr, 25):
        return given[:1]
    seen = {message.of(obx, 11)[:1] for obx in group.observations} - {""}
    return "F" if not seen or seen <= set("FCUVXDW") else "P"


def _common(letters: list[str]) -> str:
    states = [_STATUS.get(letter, "preliminary") for letter in letters]
    return next((state for state in ("registered", "preliminary", "corrected", "final", "cancelled") if state in states), "final")


def _observation(message: Message, obx: hl7.Segment) -> dict[str, Any]:
    code = message.of(obx, 3, 1) or message.of(obx, 3, 4)
    name = message.of(obx, 3, 2) or message.of(obx, 3, 5) or code
    value = _value(message, obx)
    given = units.Measured(value, message.of(obx, 6), message.of(obx, 7))
    shown = units.to_clinic(given, code)
    made = {
        "code": code,
        "name": name,
        "value": shown.value,
        "unit": shown.unit,
        "referenceRange": shown.reference,
        "abnormal": message.of(obx, 8) or units.flag(shown.value, shown.reference),
        "status": _STATUS.get(message.of(obx, 11)[:1], "final"),
    }
    if shown is not given:
        made["original"] = {"value": given.value, "unit": given.unit, "referenceRange": given.reference}
    return made


def _value(message: Message, obx: hl7.Segment) -> Any:
    kind = message.of(obx, 2)
    if kind == "NM":
        return _number(message.of(obx, 5))
    if kind == "SN":  # comparator, number, separator, number
        parts = [message.of(obx, 5, component) for component in (1, 2, 3, 4)]
        return _number(parts[1]) if parts[0] in ("", "=") and not parts[2] else "".join(parts)
    if kind in ("CE", "CWE", "CNE"):
        return message.of(obx, 5, 2) or message.of(obx, 5, 9) or message.of(obx, 5, 1)
    return message.whole(obx, 5)


def _number(text: str) -> float | int | str:
    try:
        number = float(text)
    except ValueError:
        return text
    if not abs(number) < 1e15:  # not a number, or none that a database holds: the text says more
        return text
    return int(number) if number.is_integer() and "." not in text else number
