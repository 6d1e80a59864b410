"""Builds HL7 v2.5.1 messages: escaped, UTF-8, segments ended by CR."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

VERSION = "2.5.1"
OURS = ("CARELANE", "CLINIC")  # sending application and facility

# HL7 v2.5.1 section 2.7: escape sequences for the default delimiters; line breaks as hexadecimal data
_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": "\\X0D\\", "\n": "\\X0A\\"}

Field = Any  # str, number, a list of components, or a Repeat of those


class Repeat(list[Any]):
    """A field that occurs several times."""


def control_id(key: str) -> str:
    """MSH-10 for an idempotency key: 20 characters (the most that v2.5.1 allows), always the same for the same key."""
    return hashlib.sha256(key.encode()).hexdigest()[:20].upper()


def escape(text: str) -> str:
    """Text that can stand in a component."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def timestamp(at: datetime, zone: str) -> str:
    """An HL7 TS with the clinic's offset."""
    return at.astimezone(ZoneInfo(zone)).strftime("%Y%m%d%H%M%S%z")


def segment(name: str, fields: Mapping[int, Field]) -> str:
    """A segment from its numbered fields; those not given stay empty."""
    last = max(fields, default=0)
    return "|".join([name, *(_field(fields.get(index)) for index in range(1, last + 1))])


def message(
    kind: tuple[str, str, str], segments: Sequence[str], *, control: str, receiver: tuple[str, str], at: datetime, zone: str,
    enhanced: bool = False,
) -> str:  # fmt: skip
    """A whole message: MSH for `kind` (type, trigger, structure) and the segments.

    MSH-15 and MSH-16 stay empty (original mode: one answer says all) unless `enhanced` asks for both acknowledgements.
    """
    mode = "AL" if enhanced else None
    head = segment("MSH", {
        2: OURS[0], 3: OURS[1], 4: receiver[0], 5: receiver[1], 6: timestamp(at, zone), 8: list(kind), 9: control, 10: "P",
        11: VERSION, 14: mode, 15: mode, 16: "CHN", 17: "UNICODE UTF-8",
    })  # fmt: skip
    # MSH-1 is the separator itself, so everything above is counted one lower than in the standard; MSH-2 is literal
    parts = head.split("|")
    parts[1:2] = ["^~\\&"]
    return "\r".join(["|".join(parts), *segments]) + "\r"


def patient(index: int, body: Mapping[str, Any], record_number: str) -> str:
    """PID for a patient of our index."""
    identifiers = Repeat([[record_number, "", "", OURS[0], "MR"]])
    for name, kind in (("idCard", "NNCHN"), ("medicalCard", "PI")):
        if body.get(name):
            identifiers.append([body[name], "", "", OURS[0], kind])
    sex = {"male": "M", "female": "F", "other": "O"}.get(str(body.get("sex")), "U")
    family, given = split_name(str(body.get("name") or ""))
    return segment("PID", {
        1: index, 3: identifiers, 5: [family, given, "", "", "", "", "L"], 7: str(body.get("birthDate") or "").replace("-", ""),
        8: sex, 11: body.get("address"), 13: body.get("phone"),
    })  # fmt: skip


_COMPOUND = frozenset(
    ("欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "司徒", "夏侯", "长孙", "宇文", "独孤", "南宫", "端木")
)


def split_name(name: str) -> tuple[str, str]:
    """Family and given name: one character of a Chinese name (two for a compound surname), else the last word."""
    name = name.strip()
    if name and "\u4e00" <= name[0] <= "\u9fff":
        cut = 2 if name[:2] in _COMPOUND and len(name) > 2 else 1
        return name[:cut], name[cut:]
    given, _, family = name.rpartition(" ")
    return family, given


def _field(value: Field) -> str:
    if isinstance(value, Repeat):
        return "~".join(_field(item) for item in value)
    if isinstance(value, list | tuple):
        return "^".join(_component(item) for item in value).rstrip("^")
    return _component(value)


def _component(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "&".join(_component(item) for item in value).rstrip("&")
    if isinstance(value, date | datetime):
        return value.strftime("%Y%m%d")
    return escape(str(value))
