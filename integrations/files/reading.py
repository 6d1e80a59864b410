"""Reads rows out of a file without holding the file: what is wrong with a row is said with its line and column."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from lxml import etree

from engine.errors import CarelaneError
from integrations.files.layout import Layout

LONGEST_LINE = 1024 * 1024
LONGEST_FIELD = 256 * 1024
BOM = b"\xef\xbb\xbf"


class Unreadable(CarelaneError):
    """The file cannot be read."""


@dataclass(slots=True)
class Row:
    """A row: where it begins, what is in it, and why it cannot be used where it cannot."""

    number: int  # 1 for the first
    line: int  # in the file
    values: dict[str, Any] = field(default_factory=dict)
    wrong: str = ""


def rows(file: IO[bytes], layout: Layout) -> Iterator[Row]:
    """The rows of a file. A row that cannot be read comes with `wrong`; Unreadable when nothing after that place can be."""
    yield from {"csv": _csv, "fixed": _fixed, "xml": _xml}[layout.format](file, layout)


@dataclass(slots=True)
class _Lines:
    """Lines of text out of bytes. A line with bytes that are no text comes with signs in their place, and is noted."""

    file: IO[bytes]
    encoding: str
    number: int = 0
    broken: dict[int, str] = field(default_factory=dict)

    def raw(self) -> Iterator[bytes]:
        while line := self.file.readline(LONGEST_LINE + 1):
            self.number += 1
            if self.number == 1:
                line = line.removeprefix(BOM)
            if len(line) > LONGEST_LINE:
                raise Unreadable(f"line {self.number}: it is longer than {LONGEST_LINE // 1024} KB")
            yield line

    def __iter__(self) -> Iterator[str]:
        for line in self.raw():
            yield self.text(line)

    def text(self, line: bytes) -> str:
        try:
            found = line.decode(self.encoding)
        except UnicodeDecodeError as error:
            self.broken[self.number] = _broken(self.number, line, error, self.encoding)
            found = line.decode(self.encoding, "replace")
        return found.replace("\0", "\ufffd")

    def wrong(self, first: int, last: int) -> str:
        """What was noted of the lines from `first` to `last`; forgotten thereby."""
        return "; ".join(self.broken.pop(line) for line in range(first, last + 1) if line in self.broken)


def _broken(number: int, line: bytes, error: UnicodeDecodeError, encoding: str) -> str:
    column = len(line[: error.start].decode(encoding, "replace")) + 1
    shown = line[error.start : min(error.end, error.start + 4)].hex(" ")
    return f"line {number}, column {column}: the bytes {shown} are no {encoding}"


def _csv(file: IO[bytes], layout: Layout) -> Iterator[Row]:
    lines = _Lines(file, layout.encoding)
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(lines, delimiter=layout.delimiter, quotechar=layout.quote, strict=True)
    heads, number = layout.columns, 0
    while True:
        first = lines.number + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise Unreadable(f"line {first}: {_said(error)}") from error
        if cells is None:
            break
        wrong = lines.wrong(first, lines.number)
        if not any(cell.strip() for cell in cells):
            continue
        if not heads:
            heads = _heads(cells, first, wrong)
            continue
        number += 1
        yield _row(number, first, cells, heads, layout, wrong)
    if not heads:
        raise Unreadable("line 1: the file is empty")


def _heads(cells: list[str], line: int, wrong: str) -> tuple[str, ...]:
    heads = tuple(cell.strip() for cell in cells)
    if wrong:
        raise Unreadable(wrong)
    if len(set(heads)) < len(heads) or not all(heads):
        raise Unreadable(f"line {line}: a column has no name, or two have the same")
    return heads


def _row(number: int, line: int, cells: list[str], heads: tuple[str, ...], layout: Layout, wrong: str) -> Row:
    if not wrong and len(cells) != len(heads):
        wrong = f"line {line}: it has {len(cells)} values for {len(heads)} columns"
    names = layout.names or {}
    values = {names.get(head, head): cell.strip() for head, cell in zip(heads, cells, strict=False)}
    return Row(number, line, values, wrong)


def _said(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text or "unexpected end" in text:
        return "a quotation mark that opens here is never closed"
    if "expected after" in text:
        return "after a closing quotation mark comes neither the next column nor the line's end"
    return text


def _fixed(file: IO[bytes], layout: Layout) -> Iterator[Row]:
    lines, number = _Lines(file, layout.encoding), 0
    shortest = max(column.first for column in layout.fixed)
    for raw in lines.raw():
        line = raw.rstrip(b"\r\n\x1a")  # DOS ends a file with ^Z
        if not line.strip():
            continue
        number += 1
        row = Row(number, lines.number)
        whole: bytes | str = lines.text(line) if layout.characters else line
        for column in layout.fixed:
            part = whole[column.first - 1 : column.last]
            try:
                text = part if isinstance(part, str) else part.decode(layout.encoding)
            except UnicodeDecodeError:
                row.wrong = row.wrong or f"line {lines.number}, column {column.first}: {column.name} is no {layout.encoding}"
                text = part.decode(layout.encoding, "replace") if isinstance(part, bytes) else part
            row.values[(layout.names or {}).get(column.name, column.name)] = text.strip()
        if len(whole) < shortest:
            row.wrong = f"line {lines.number}: it has {len(whole)} places, the last column begins at {shortest}"
        row.wrong = lines.wrong(lines.number, lines.number) or row.wrong
        yield row
    if not number:
        raise Unreadable("line 1: the file is empty")


def _xml(file: IO[bytes], layout: Layout) -> Iterator[Row]:
    *parents, wanted = layout.path.split("/")
    encoding = layout.encoding if layout.encoding != "utf-8" else None  # else the file's own declaration holds
    number = 0
    try:
        found = etree.iterparse(
            file, events=("end",), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
            remove_pis=True, encoding=encoding,
        )  # fmt: skip
        for _, node in found:
            if etree.QName(node).localname != wanted or not _under(node, parents):
                continue
            if node.getroottree().docinfo.doctype:
                raise Unreadable("line 1: it brings a document type of its own, which is not read")
            number += 1
            names = layout.names or {}
            yield Row(number, int(node.sourceline or 0), {names.get(key, key): value for key, value in _values(node).items()})
            node.clear()
            while node.getprevious() is not None:  # what was read leaves the memory
                del node.getparent()[0]
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise Unreadable(f"line {line}, column {column}: {error.msg}") from error
    except LookupError as error:
        raise Unreadable(str(error)) from error
    if not number:
        raise Unreadable(f"it holds no element {layout.path}")


def _under(node: etree._Element, parents: list[str]) -> bool:
    above = node.getparent()
    for name in reversed(parents):
        if above is None or etree.QName(above).localname != name:
            return False
        above = above.getparent()
    return True


def _values(node: etree._Element) -> dict[str, Any]:
    """Children's texts by name, @attributes, deeper levels as objects; a name that occurs again gives a list."""
    made: dict[str, Any] = {f"@{etree.QName(name).localname}": value for name, value in node.attrib.items()}
    for child in node:
        name = etree.QName(child).localname
        value: Any = _values(child) if len(child) or child.attrib else (child.text or "").strip()
        if name in made:
            before = made[name]
            made[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            made[name] = value
    if node.attrib and not len(node) and (node.text or "").strip():
        made["#text"] = (node.text or "").strip()
    return made
