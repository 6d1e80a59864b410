"""How a connection's files are laid out, and what becomes of their rows: read from its address, wrong parts named."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import ConnectorFailed

FORMATS = ("csv", "xml", "fixed")
# Those in which the bytes of a line end occur nowhere else, so that a file can be read line by line
ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "utf-8-sig": "utf-8", "gbk": "gbk", "gb2312": "gbk", "gb18030": "gb18030", "big5": "big5"}
_COLUMN = re.compile(r"\s*(.+?)\s+(\d+)-(\d+)\s*")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of fixed width: places 1 to n, bytes unless the layout says characters."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file looks like. `names` renames columns; `columns` are those of a CSV without a line of names, or of fixed width."""

    format: str = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    names: Mapping[str, str] | None = None
    columns: tuple[str, ...] = ()
    fixed: tuple[Column, ...] = ()
    characters: bool = False  # fixed width counts characters, not bytes
    path: str = ""  # XML: the element that is a row, as orders/order


def read(name: str, address: Mapping[str, Any]) -> Layout:
    """The layout of a connection called `name`; ConnectorFailed (permanent) says which part cannot be."""
    format_ = str(address.get("format") or "csv")
    encoding = str(address.get("encoding") or "utf-8").lower()
    delimiter = {"tab": "\t", "\\t": "\t"}.get(str(address.get("delimiter") or ","), str(address.get("delimiter") or ","))
    path = str(address.get("row_path") or "").strip("/")
    if format_ not in FORMATS:
        raise _wrong(name, f"format is one of {', '.join(FORMATS)}, not {format_!r}")
    if encoding not in ENCODINGS:
        raise _wrong(name, f"encoding is one of {', '.join(ENCODINGS)}, not {encoding!r}")
    if len(delimiter) != 1:
        raise _wrong(name, "delimiter is one character, or tab")
    if format_ == "xml" and not path:
        raise _wrong(name, "row_path names the element that is a row, as orders/order")
    columns = _parts(address.get("columns"))
    fixed = tuple(_column(name, text) for text in columns) if format_ == "fixed" else ()
    if format_ == "fixed" and not fixed:
        raise _wrong(name, "columns names the columns of fixed width, as patientNo 1-10; name 11-30")
    return Layout(
        format_, codecs.lookup(ENCODINGS[encoding]).name, delimiter, str(address.get("quote") or '"')[:1], _pairs(name, address.get("names")),
        tuple(columns) if format_ == "csv" else (), fixed, address.get("width_in") == "characters", path,
    )  # fmt: skip


def _parts(text: Any) -> list[str]:
    return [part.strip() for part in str(text or "").replace("\n", ";").split(";") if part.strip()]


def _pairs(name: str, text: Any) -> dict[str, str]:
    pairs = [part.partition("=") for part in _parts(text)]
    if any(not equals for _, equals, _ in pairs):
        raise _wrong(name, "names are pairs as 患者编号=patientNumber; 姓名=name")
    return {old.strip(): new.strip() for old, _, new in pairs}


def _column(name: str, text: str) -> Column:
    found = _COLUMN.fullmatch(text)
    if found is None or not 0 < int(found[2]) <= int(found[3]):
        raise _wrong(name, f"a column is a name and its places, as name 11-30; not {text!r}")
    return Column(found[1], int(found[2]), int(found[3]))


def _wrong(name: str, what: str) -> ConnectorFailed:
    return ConnectorFailed(f"{name}: {what}", kind="permanent")
