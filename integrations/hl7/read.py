"""Reads HL7 v2 as it really comes: LF for CR, batches, odd encoding characters, GB18030, missing segments.

Parsing is the `hl7` library's; here the bytes are made fit for it, and fields are asked for without fear of their absence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import hl7

from engine.errors import CarelaneError

_CHARSETS = {  # HL7 table 0211
    "UNICODE UTF-8": "utf-8", "UNICODE": "utf-8", "ASCII": "utf-8", "GB 18030-2000": "gb18030", "GB18030": "gb18030",
    "GB2312": "gb18030", "GBK": "gb18030", "BIG-5": "big5", "8859/1": "cp1252", "8859/15": "iso8859-15", "UNICODE UTF-16": "utf-16",
}  # fmt: skip


class Unreadable(CarelaneError):
    """Not an HL7 v2 message."""


@dataclass(frozen=True)
class Message:
    """A parsed message with forgiving access."""

    text: str
    parsed: hl7.Message

    def segments(self, *names: str) -> Iterator[hl7.Segment]:
        """Segments of these names in order; all of them when none is named."""
        return (item for item in self.parsed if not names or str(item[0]) in names)

    def first(self, name: str) -> hl7.Segment | None:
        """The first segment of that name."""
        return next(self.segments(name), None)

    def get(self, segment: str, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """A component of the first such segment, unescaped; empty when anything on the way is missing."""
        found = self.first(segment)
        return "" if found is None else self.of(found, field, component, subcomponent)

    def of(self, segment: hl7.Segment, field: int, component: int = 1, subcomponent: int = 1, repeat: int = 1) -> str:
        """A component of this segment, unescaped; empty when missing."""
        try:
            found = segment(field)
        except (IndexError, KeyError):
            return ""
        if isinstance(found, hl7.Field):
            found = found[repeat - 1] if len(found) >= repeat else ""
        for position, kind in ((component, hl7.Repetition), (subcomponent, hl7.Component)):
            if isinstance(found, kind):
                found = found[position - 1] if len(found) >= position else ""
            elif position > 1:
                return ""
        return self.unescape(str(found)).strip()

    def repeats(self, segment: hl7.Segment, field: int) -> int:
        """How often a field occurs."""
        try:
            found = segment(field)
        except (IndexError, KeyError):
            return 0
        return len(found) if isinstance(found, hl7.Field) else 1

    def whole(self, segment: hl7.Segment, field: int) -> str:
        """A field's text with all repetitions as lines: for narrative values (TX, FT, ST)."""
        lines = []
        for index in range(1, self.repeats(segment, field) + 1):
            parts = [self.of(segment, field, component, 1, index) for component in range(1, 6)]
            lines.append(" ".join(part for part in parts if part))
        return "\n".join(line for line in lines if line)

    def unescape(self, text: str) -> str:
        """Escape sequences back to characters; formatting commands become line breaks or go."""
        if "\\" not in text:
            return text
        text = re.sub(r"\\\.(br|sp|ce)\d*\\", "\n", text)
        separators = self.text[3:8]
        marks = {"F": separators[0], "S": separators[1], "R": separators[2], "T": separators[4] if len(separators) > 4 else "&", "E": "\\"}
        text = re.sub(r"\\X([0-9A-Fa-f]+)\\", _hexadecimal, text)
        return re.sub(r"\\([FSRTE]|[HN]|\.[a-z]+[+-]?\d*)\\", lambda m: marks.get(m[1], ""), text)

    @property
    def kind(self) -> str:
        """Type and trigger: ORU^R01. The structure (MSH-9.3) helps where the trigger is missing."""
        type_, trigger = self.get("MSH", 9, 1), self.get("MSH", 9, 2)
        if not trigger and "_" in (structure := self.get("MSH", 9, 3)):
            type_, trigger = structure.split("_", 1)
        return f"{type_}^{trigger}".strip("^")

    @property
    def control(self) -> str:
        """MSH-10."""
        return self.get("MSH", 10)

    @property
    def sender(self) -> str:
        """Sending application and facility (MSH-3, MSH-4)."""
        return "/".join(part for part in (self.get("MSH", 3), self.get("MSH", 4)) if part) or "unknown"


def split(raw: bytes) -> list[str]:
    """The messages in what came in: a batch (FHS/BHS) or several messages in one frame give several.

    What holds no MSH at all is one unreadable piece: it is returned as it is, so that it can be stored and shown.
    """
    text = decode(raw)
    text = re.sub(r"\r\n|\n", "\r", text.strip("\x0b\x1c\ufeff\r\n \t"))
    starts = [match.start() for match in re.finditer(r"(?:^|(?<=\r))[ \t\x0b]*MSH(?=[^\w\s])", text)]
    if not starts:
        return [text]
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return [_without_batch(piece) for piece in pieces]


def parse(text: str) -> Message:
    """Parses one message; Unreadable says why it cannot be."""
    if not re.match(r"MSH[^\w\s]", text):
        raise Unreadable("It does not begin with an MSH segment.")
    if len(text.split("\r", 1)[0]) < 8:
        raise Unreadable("Its MSH segment is too short to name the encoding characters.")
    try:
        return Message(text, hl7.parse(text))
    except (hl7.HL7Exception, ValueError, IndexError, KeyError, AttributeError) as error:
        raise Unreadable(f"It cannot be parsed: {error}") from error


def head(text: str) -> Message:
    """Only the MSH segment of a message, for which nothing else need be parsed; Unreadable as `parse` says it."""
    return parse(text.split("\r", 1)[0])


def decode(raw: bytes) -> str:
    """Bytes to text by MSH-18 where it is true, else UTF-8, else GB18030, which reads any Chinese legacy system."""
    declared = _declared_charset(raw)
    for charset in dict.fromkeys([declared, "utf-8", "gb18030"]):
        try:
            return raw.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("cp1252", errors="replace")


def _declared_charset(raw: bytes) -> str:
    start = raw.find(b"MSH")
    if start < 0 or start + 4 > len(raw):
        return "utf-8"
    line = re.split(rb"[\r\n]", raw[start:], maxsplit=1)[0]
    fields = line.split(line[3:4])
    name = fields[17].split(b"~")[0].decode("ascii", "replace").strip().upper() if len(fields) > 17 else ""
    return _CHARSETS.get(name, "utf-8")


def _without_batch(piece: str) -> str:
    lines = [line.lstrip(" \t\x0b") for line in piece.split("\r")]
    kept = [line.strip("\x1c") for line in lines if line.strip("\x1c \t") and not re.match(r"(BTS|FTS|BHS|FHS)[^\w\s]?", line)]
    return "\r".join(kept) + "\r"


def _hexadecimal(match: re.Match[str]) -> str:
    try:
        return bytes.fromhex(match[1]).decode("utf-8")
    except ValueError:
        return ""
