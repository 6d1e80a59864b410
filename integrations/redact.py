"""Masks personal data for eyes that may not see it: values, JSON and HL7 text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Names that are personal wherever they appear, in our own variables and in FHIR
PERSONAL = frozenset((
    "name", "patientName", "idCard", "medicalCard", "phone", "address", "birthDate", "allergies", "given", "family", "text",
    "telecom", "line", "summary", "contentString", "valueString", "payload",
))  # fmt: skip
SECRET = re.compile(r"secret|password|token|api_?v?3?_?key|private|authorization", re.IGNORECASE)

# Fields of HL7 segments that hold personal data (HL7 v2.5.1 chapters 3 and 6)
_HL7_FIELDS = {
    "PID": (2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 18, 19, 20, 21),
    "NK1": (2, 4, 5, 6, 13, 30, 31, 33),
    "GT1": (2, 3, 4, 5, 6, 7, 8, 12, 19),
    "IN1": (2, 16, 18, 19, 36, 49),
    "OBX": (5,),
    "NTE": (3,),
    "AL1": (3, 5),
    "DG1": (3, 4),
}  # fmt: skip


def mask(text: str) -> str:
    """`张三` → `张*`, `13800138000` → `138******00`: enough to recognise, not enough to use."""
    if len(text) <= 1:
        return "*" * len(text)
    if len(text) <= 4:
        return text[0] + "*" * (len(text) - 1)
    head = 3 if len(text) > 7 else 1
    return text[:head] + "*" * (len(text) - head - 2) + text[-2:]


def mask_values(value: Any, names: frozenset[str] = PERSONAL) -> Any:
    """A copy of a JSON value with every text under a personal or secret name masked."""
    if isinstance(value, Mapping):
        return {k: _masked(v) if k in names or SECRET.search(str(k)) else mask_values(v, names) for k, v in value.items()}
    return [mask_values(item, names) for item in value] if isinstance(value, list | tuple) else value


def mask_hl7(text: str) -> str:
    """HL7 text with the personal fields of its segments masked; separators stay, so that the structure can be read."""
    lines = re.split(r"[\r\n]+", text)
    separator = lines[0][3:4] if lines and lines[0][:3] in ("MSH", "FHS", "BHS") else "|"
    return "\n".join(_mask_segment(line, separator or "|") for line in lines)


def mask_stage(stage: Any) -> Any:
    """A payload of the message log, whatever its wire, masked."""
    if isinstance(stage, str):
        return mask_hl7(stage) if re.match(r"\s*\x0b?(MSH|FHS|BHS|PID|MSA)", stage) else mask(stage) if len(stage) < 64 else "(masked)"
    return mask_values(stage)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return None if value is None else "*"


def _mask_segment(line: str, separator: str) -> str:
    parts = line.split(separator)
    for index in _HL7_FIELDS.get(parts[0], ()):
        if index < len(parts) and parts[index]:
            parts[index] = re.sub(r"[^\^~&\\]", "*", parts[index])
    return separator.join(parts)
