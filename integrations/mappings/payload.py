"""Old systems' messages as plain data that a mapping can name: HL7 v2, FHIR and other JSON, XML, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import hl7
import orjson
from lxml import etree

from engine.errors import CarelaneError
from integrations.hl7 import read

FORMATS = ("json", "hl7", "fhir", "csv", "xml")
LARGEST = 2 * 1024 * 1024
MOST_RECORDS = 1000


class Unreadable(CarelaneError):
    """This is no message of that format."""

    def __init__(self, message: str, place: str = "") -> None:
        self.place = place
        super().__init__(message)


def records(format_: str, given: Any) -> list[Any]:
    """The records in a message: one of HL7, FHIR, JSON objects and XML; a row each of CSV and of a JSON list.

    What is data already (a row of a database, a mapped message) is taken as it is. Unreadable names the place.
    """
    if not isinstance(given, str | bytes):
        return list(given) if isinstance(given, list | tuple) else [given]
    if len(given) > LARGEST:
        raise Unreadable(f"It is larger than {LARGEST // 1024 // 1024} MB.")
    if not given.strip():
        raise Unreadable("It is empty.")
    found = _READERS[format_](given)
    if len(found) > MOST_RECORDS:
        raise Unreadable(f"It holds {len(found)} records; {MOST_RECORDS} at a time.")
    return found


def _hl7(given: str | bytes) -> list[Any]:
    pieces = read.split(given if isinstance(given, bytes) else given.encode())
    try:
        return [_message(read.parse(piece)) for piece in pieces]
    except read.Unreadable as error:
        raise Unreadable(error.message, "MSH") from error


def _message(message: read.Message) -> dict[str, Any]:
    """{MSH: {f9: {c1: ORU, c2: R01}}, OBR: [{…, OBX: [{…}]}]}: f is a field, c a component, s a subcomponent.

    A segment, field repetition or subcomponent that occurs once stands alone, more often in a list. OBX and NTE also stand
    inside the OBR that they belong to.
    """
    made: dict[str, Any] = {}
    group: dict[str, Any] | None = None
    for segment in message.segments():
        name, content = str(segment[0]), _segment(message, segment)
        _add(made, name, content)
        if name == "OBR":
            group = content
        elif group is not None and name in ("OBX", "NTE"):
            _add(group, name, content)
        elif name in ("ORC", "PID"):
            group = None
    return made


def _segment(message: read.Message, segment: hl7.Segment) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for number in range(1, len(segment)):
        for repeat in range(1, message.repeats(segment, number) + 1):
            parts = _components(message, segment, number, repeat)
            if parts:
                _add(made, f"f{number}", parts)
    return made


def _components(message: read.Message, segment: hl7.Segment, number: int, repeat: int) -> dict[str, Any]:
    field = segment(number)
    repetition = field[repeat - 1] if isinstance(field, hl7.Field) and len(field) >= repeat else field
    if not isinstance(repetition, hl7.Repetition):
        text = message.unescape(str(repetition)).strip()
        return {"c1": text} if text else {}
    made: dict[str, Any] = {}
    for position, component in enumerate(repetition, start=1):
        parts = list(component) if isinstance(component, hl7.Component) else [component]
        texts = [message.unescape(str(part)).strip() for part in parts]
        if any(texts):
            made[f"c{position}"] = texts[0]
        if len(texts) > 1:
            made |= {f"c{position}s{index}": text for index, text in enumerate(texts, start=1) if text}
    return made


def _add(made: dict[str, Any], name: str, content: Any) -> None:
    if name not in made:
        made[name] = content
    elif isinstance(made[name], list):
        made[name].append(content)
    else:
        made[name] = [made[name], content]


def _json(given: str | bytes) -> list[Any]:
    try:
        found = orjson.loads(given)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"It is no JSON: {error.msg}.", f"line {error.lineno}, column {error.colno}") from error
    return found if isinstance(found, list) else [found]


def _fhir(given: str | bytes) -> list[Any]:
    (found, *_rest) = _json(given)
    if not isinstance(found, Mapping) or not found.get("resourceType"):
        raise Unreadable("A FHIR resource names its resourceType.", "resourceType")
    return [found]


def _csv(given: str | bytes) -> list[Any]:
    text = given if isinstance(given, str) else read.decode(given)
    text = text.lstrip("\ufeff")
    first = text.splitlines()[0]
    delimiter = max(",;\t|", key=first.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    heads = [head.strip() for head in rows[0]]
    if len(rows) < 2:
        raise Unreadable("It has a line of names but no row.", "line 2")
    if len(set(heads)) < len(heads):
        raise Unreadable("Two columns have the same name.", "line 1")
    for number, row in enumerate(rows[1:], start=2):
        if row and len(row) != len(heads):
            raise Unreadable(f"It has {len(row)} values for {len(heads)} columns.", f"line {number}")
    return [dict(zip(heads, (value.strip() for value in row), strict=True)) for row in rows[1:] if row]


def _xml(given: str | bytes) -> list[Any]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(given.encode() if isinstance(given, str) else given, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise Unreadable(f"It is no XML: {error}", f"line {line}" if line else "") from error
    if root.getroottree().docinfo.doctype:
        raise Unreadable("It brings a document type of its own, which is not read.", "DOCTYPE")
    return [{etree.QName(root).localname: _element(root)}]


def _element(node: etree._Element) -> Any:
    """Leaves are text; others {child: …, @attribute: …, #text: …}, names without their namespace."""
    made: dict[str, Any] = {f"@{etree.QName(name).localname}": value for name, value in node.attrib.items()}
    for child in node:
        _add(made, etree.QName(child).localname, _element(child))
    text = (node.text or "").strip()
    if not made:
        return text
    return made | {"#text": text} if text else made


_READERS = {"json": _json, "hl7": _hl7, "fhir": _fhir, "csv": _csv, "xml": _xml}
