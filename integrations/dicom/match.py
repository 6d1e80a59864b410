"""Whether a data set answers a query, and with what (DICOM PS3.4 sections C.2.2.2 and K.2.2)."""

from __future__ import annotations

import fnmatch
import re
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.tag import Tag

_CHARSET = Tag("SpecificCharacterSet")
_RANGES = ("DA", "TM", "DT")
_LITERAL = ("UI", "DA", "TM", "DT", "IS", "DS", "US", "UL", "SS", "SL", "FL", "FD")  # no wildcards in these


def fits(query: Dataset, found: Dataset) -> bool:
    """Whether every key of the query that has a value is matched."""
    return all(_fits(key, found.get(key.tag)) for key in query if key.tag != _CHARSET and key.tag.element != 0)


def answer(query: Dataset, found: Dataset) -> Dataset:
    """The keys that the query asked for, with their values; a sequence asked for without items comes whole."""
    made = Dataset()
    if _CHARSET in found:
        made[_CHARSET] = found[_CHARSET]
    for key in query:
        if key.tag == _CHARSET or key.tag.element == 0:
            continue
        value = found.get(key.tag)
        if value is None:
            made.add(DataElement(key.tag, key.VR, [] if key.VR == "SQ" else None))
        elif key.VR == "SQ" and key.value:
            made.add(DataElement(key.tag, "SQ", [answer(key.value[0], item) for item in value.value]))
        else:
            made[key.tag] = value
    return made


def _fits(key: DataElement, element: DataElement | None) -> bool:
    if key.VR == "SQ":
        wanted = key.value[0] if key.value else None
        if wanted is None or not any(_asks(inner) for inner in wanted):
            return True
        return element is not None and any(fits(wanted, item) for item in element.value)
    if not _asks(key):
        return True
    if element is None or element.value in (None, ""):
        return False
    wanted_values = [str(value) for value in key.value] if key.VM > 1 else [str(key.value)]
    has = [str(value) for value in element.value] if element.VM > 1 else [str(element.value)]
    return any(_same(key.VR, one, other) for one in wanted_values for other in has)


def _asks(key: DataElement) -> bool:
    if key.VR == "SQ":
        return any(_asks(inner) for item in key.value for inner in item)
    return str(key.value if key.value is not None else "").strip("* ") != ""


def _same(kind: str, wanted: str, value: str) -> bool:
    wanted, value = wanted.strip(), value.strip()
    if kind in _RANGES and "-" in wanted:
        low, _, high = wanted.partition("-")
        return (not low or value[: len(low)] >= low) and (not high or value[: len(high)] <= high)
    if kind in ("TM", "DT"):
        return value.startswith(wanted) or wanted.startswith(value)
    if kind in _LITERAL:
        return wanted == value
    if kind == "PN":  # name matching is free to ignore case, and empty components at the end
        wanted, value = wanted.rstrip("^=").lower(), value.rstrip("^=").lower()
    return re.fullmatch(fnmatch.translate(wanted.replace("[", "[[]")), value) is not None


def text(data: Dataset, name: str) -> str:
    """A value as text; empty when it is missing. Several values stand with backslashes between them, as in DICOM."""
    value: Any = data.get(name)
    if value is None:
        return ""
    return "\\".join(str(item) for item in value) if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else str(value)
