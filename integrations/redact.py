"""Masks personal data for eyes that may not see it: values, JSON and HL7 text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Names that are personal wherever they appear, in our own variables and in FHIR
PERSONAL = frozenset((
    "name", "patientName", "idCard", "medicalCard", "insuranceNumber", "phone", "address", "birthDate", "allergies", "given", "family", "text",
    "telecom", "line", "summary", "contentString", "valueString", "payload",
))  # fmt: skip
SECRET = re.compile(r"secret|password|token|api_?v?3?_?key|private|authorization|cookie", re.IGNORECASE)
_IN_FHIR = {"value": "system", "display": "reference"}  # an identifier's value, the name beside a reference: personal beside the other one

# Fields of HL7 segments that say nothing about a person (HL7 v2.5.1 chapters 2 to 8); every other field of every segment is masked
_HL7_PLAIN = {
    "MSH": range(30), "FHS": range(30), "BHS": range(30), "BTS": range(3), "FTS": range(3), "EVN": (1, 2, 3, 6, 7),
    "MSA": (1, 2, 5), "ERR": (1, 2, 3, 4, 5), "PID": (1,), "PV1": (1, 2, 3, 4, 10, 14, 18, 36, 44, 45), "ORC": (1, 2, 3, 4, 5, 7, 8, 9, 13, 15),
    "OBR": (1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 18, 19, 20, 22, 24, 25, 27), "OBX": (1, 2, 3, 4, 6, 7, 8, 11, 14, 15, 17), "TQ1": range(15),
    "SPM": range(1, 13), "IPC": range(1, 10), "FT1": (1, 2, 4, 5, 6, 7, 10, 11, 12, 25), "SCH": (1, 2, 5, 6, 7, 8, 9, 10, 11, 25),
    "RGS": range(4), "AIS": range(1, 11), "AIL": range(1, 13), "RF1": range(1, 9), "NTE": (1, 2), "AL1": (1, 2, 4), "DG1": (1, 2, 5, 6),
    "SAC": range(1, 11), "INV": range(1, 5),
}  # fmt: skip
_XML_TEXT = re.compile(r">([^<]+)<")
_XML_VALUE = re.compile(r"""(\s(?!xmlns)[\w:.-]+=)("[^"]*"|'[^']*')""")


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
        hidden = names | {name for name, beside in _IN_FHIR.items() if beside in value and isinstance(value.get(name), str)}
        return {k: _masked(v) if k in hidden or SECRET.search(str(k)) else mask_values(v, names) for k, v in value.items()}
    return [mask_values(item, names) for item in value] if isinstance(value, list | tuple) else value


def mask_hl7(text: str) -> str:
    """HL7 text with the personal fields of its segments masked; separators stay, so that the structure can be read."""
    lines = re.split(r"[\r\n]+", text)
    separator = lines[0][3:4] if lines and lines[0][:3] in ("MSH", "FHS", "BHS") else "|"
    return "\n".join(_mask_segment(line, separator or "|") for line in lines)


def mask_stage(stage: Any) -> Any:
    """A payload of the message log, whatever its wire, masked: its structure stays, its content does not."""
    if not isinstance(stage, str):
        return mask_values(stage)
    if re.match(r"\s*\x0b?(MSH|FHS|BHS|PID|MSA)", stage):
        return mask_hl7(stage)
    if stage.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(mask_values(json.loads(stage)), ensure_ascii=False, indent=1)
        except ValueError:
            return _veil(stage)
    if stage.lstrip()[:1] == "<":
        bare = _XML_TEXT.sub(lambda found: f">{_veil(found[1])}<", stage)
        return _XML_VALUE.sub(lambda found: found[1] + _veil(found[2]), bare)
    return _veil(stage)


def identity(body: Mapping[str, Any]) -> tuple[str, ...]:
    """What a person may be recognised by, from a patient's body or a call's input: texts of at least two characters, longest first."""
    found = {text for name in ("name", "patientName", "idCard", "medicalCard", "phone", "address") for text in _texts(body.get(name))}
    return tuple(sorted(found, key=len, reverse=True))


def scrub(text: str, known: Iterable[str]) -> str:
    """`text` with every occurrence of something known masked: far ends repeat names in what they complain about."""
    for secret in known:
        text = text.replace(secret, mask(secret))
    return text


def scrub_values(value: Any, known: Iterable[str]) -> Any:
    """A copy of a JSON value whose texts are scrubbed."""
    if isinstance(value, str):
        return scrub(value, known)
    if isinstance(value, Mapping):
        return {key: scrub_values(item, known) for key, item in value.items()}
    return [scrub_values(item, known) for item in value] if isinstance(value, list | tuple) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) >= 2:
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _veil(text: str) -> str:
    return re.sub(r"\w", "*", text)


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
    plain = _HL7_PLAIN.get(parts[0], ())
    shift = 1 if parts[0] in ("MSH", "FHS", "BHS") else 0  # their first field is the separator itself
    for index in range(1, len(parts)):
        if index + shift not in plain:
            parts[index] = re.sub(r"[^\^~&\\]", "*", parts[index])
    return separator.join(parts)
