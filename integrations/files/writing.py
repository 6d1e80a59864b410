"""Makes a file's content out of rows: CSV, XML or fixed width, in the far end's encoding."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lxml import etree

from engine.errors import ConnectorFailed
from integrations.files.layout import Layout

_DANGER = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes such a cell for a formula


def content(rows: Sequence[Mapping[str, Any]], layout: Layout, *, line_end: str = "\r\n", header: bool = True, bom: bool = False) -> bytes:
    """The file. ConnectorFailed (permanent) names the row and column of what the encoding or the width cannot hold."""
    made = {"csv": _csv, "fixed": _fixed, "xml": _xml}[layout.format](rows, layout, line_end, header)
    return b"\xef\xbb\xbf" + made if bom and layout.encoding == "utf-8" and layout.format != "xml" else made


def safe(text: str) -> str:
    """A cell for a person's spreadsheet: what would run as a formula gets an apostrophe before it."""
    return f"'{text}" if text.startswith(_DANGER) else text


def _heads(rows: Sequence[Mapping[str, Any]], layout: Layout) -> list[str]:
    return list(layout.columns) or list(dict.fromkeys(name for row in rows for name in row))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _encoded(text: str, layout: Layout, number: int, name: str) -> bytes:
    try:
        return text.encode(layout.encoding)
    except UnicodeEncodeError as error:
        what = f"row {number}, column {name}: {text[error.start]!r} cannot be written in {layout.encoding}; gb18030 can"
        raise ConnectorFailed(what, kind="permanent") from error


def _csv(rows: Sequence[Mapping[str, Any]], layout: Layout, line_end: str, header: bool) -> bytes:
    heads, names = _heads(rows, layout), layout.names or {}
    made = io.StringIO()
    writer = csv.writer(made, delimiter=layout.delimiter, quotechar=layout.quote, lineterminator=line_end)
    if header:
        writer.writerow([names.get(head, head) for head in heads])
    for number, row in enumerate(rows, start=1):
        cells = [_text(row.get(head)) for head in heads]
        for head, cell in zip(heads, cells, strict=True):
            _encoded(cell, layout, number, head)
        writer.writerow(cells)
    return _encoded(made.getvalue(), layout, 0, "names")


def _fixed(rows: Sequence[Mapping[str, Any]], layout: Layout, line_end: str, header: bool) -> bytes:
    made = [_line(row, layout, number) for number, row in enumerate(rows, start=1)]
    return b"".join(line + line_end.encode() for line in made)


def _line(row: Mapping[str, Any], layout: Layout, number: int) -> bytes:
    line, place = b"", 0
    for column in sorted(layout.fixed, key=lambda c: c.first):
        line += b" " * (column.first - 1 - place)
        text = _text(row.get(column.name))
        cell, width = _encoded(text, layout, number, column.name), column.last - column.first + 1
        used = len(text) if layout.characters else len(cell)
        if used > width or "\n" in text or "\r" in text:
            raise ConnectorFailed(f"row {number}, column {column.name}: it does not fit into {width} places", kind="permanent")
        line += cell + b" " * (width - used)
        place = column.last
    return line


def _xml(rows: Sequence[Mapping[str, Any]], layout: Layout, line_end: str, header: bool) -> bytes:
    *parents, wanted = layout.path.split("/")
    try:
        root = etree.Element(parents[0] if parents else f"{wanted}s")
        above = root
        for name in parents[1:]:
            above = etree.SubElement(above, name)
        for row in rows:
            _fill(etree.SubElement(above, wanted), row)
    except ValueError as error:
        raise ConnectorFailed(f"XML: {error}", kind="permanent") from error
    # libxml2 has no GB18030 and GBK of its own everywhere: written as text, then encoded, what lacks as character references
    text = etree.tostring(root, encoding="unicode", pretty_print=True)
    declared = {"gbk": "GBK", "gb18030": "GB18030", "big5": "Big5"}.get(layout.encoding, "UTF-8")
    return f'<?xml version="1.0" encoding="{declared}"?>\n{text}'.encode(layout.encoding, "xmlcharrefreplace")


def _fill(node: etree._Element, row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        if name.startswith("@"):
            node.set(name[1:], _text(value))
            continue
        items: Iterable[Any] = value if isinstance(value, list) else [value]
        for item in items:
            child = etree.SubElement(node, name)
            if isinstance(item, Mapping):
                _fill(child, item)
            else:
                child.text = _text(item)
