"""What a source looks like before anybody maps it: types, fill rates, distinct values, ranges, and values that look wrong.

One pass, in memory that does not grow with the rows. Texts of people are not shown: values are listed only where there are few.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from integrations.patients.identity import IdCard, read_id_card, tidy_phone
from integrations.quality.check import PHONE

MOST_DISTINCT = 5000  # counted exactly up to here
FEW = 20  # so many distinct values are a code, and are listed
_DATE = re.compile(r"(?:19|20|99)\d{2}([-/.年]?)\d{1,2}\1?\d{1,2}日?(?:[T ]\d{1,2}:\d{2}(?::\d{2})?)?")
_NOTHING = re.compile(r"(?i)null|none|n/?a|nil|无|未知|不详|[-—/?？.]+|0{6,}|9{6,}|x{3,}|test|测试.*")
_LIMIT_DATE = re.compile(r"(1900|1899|1970|2099|9999|0001)-?01-?01.*|9999.*")
_PERSONAL = re.compile(r"(?i)姓名|name|电话|手机|phone|地址|住址|addr|身份证|证件|联系")
_GARBLED = re.compile("锟斤拷|烫烫|\ufffd|Ã|鎴|璇")


@dataclass
class _Column:
    filled: int = 0
    shortest: int = 0
    longest: int = 0
    low: str | None = None
    high: str | None = None
    kinds: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    more: bool = False
    odd: Counter[str] = field(default_factory=Counter)


def profile(rows: Iterable[Mapping[str, Any]], today: date) -> dict[str, Any]:
    """{"rows": n, "columns": [{name, type, filled, distinct, more, low, high, shortest, longest, values, odd}]}; shares are 0 to 1."""
    columns: dict[str, _Column] = {}
    count = 0
    for row in rows:
        count += 1
        for name, value in row.items():
            _look(columns.setdefault(name, _Column()), value, today)
    return {"rows": count, "columns": [_told(name, column, count) for name, column in columns.items()]}


def _look(column: _Column, value: Any, today: date) -> None:
    text = "" if value is None else str(value)
    if text != text.strip():
        column.odd["spaces around it"] += 1
    text = text.strip()
    if not text:
        return
    column.filled += 1
    column.shortest = min(column.shortest or len(text), len(text))
    column.longest = max(column.longest, len(text))
    kind = _kind(text, today)
    column.kinds[kind] += 1
    if kind in ("integer", "number", "date"):
        key: Any = (lambda t: t) if kind == "date" else float
        column.low = text if column.low is None or not _fits(key, column.low) or key(text) < key(column.low) else column.low
        column.high = text if column.high is None or not _fits(key, column.high) or key(text) > key(column.high) else column.high
    if text in column.values or len(column.values) < MOST_DISTINCT:
        column.values[text] += 1
    else:
        column.more = True
    for odd in _odd(text, kind, today):
        column.odd[odd] += 1


def _fits(key: Any, text: str) -> bool:
    try:
        key(text)
    except ValueError:
        return False
    return True


def _kind(text: str, today: date) -> str:
    if re.fullmatch(r"\d{17}[\dXx]|\d{15}", text):
        return "id_card"
    if re.fullmatch(r"[\d +()-]{7,20}", text) and PHONE.fullmatch(tidy_phone(text)):
        return "phone"
    if _DATE.fullmatch(text):
        return "date"
    if re.fullmatch(r"[+-]?\d{1,15}", text):
        return "integer"
    return "number" if re.fullmatch(r"[+-]?\d+[.]\d+", text) else "text"


def _odd(text: str, kind: str, today: date) -> Iterable[str]:
    if _NOTHING.fullmatch(text):
        yield "stands for nothing"
    if _LIMIT_DATE.fullmatch(text):
        yield "a date that means none"
    if _GARBLED.search(text):
        yield "garbled by a wrong encoding"
    if any(ord(sign) < 32 for sign in text):
        yield "control characters"
    if re.search(r"[０-９Ａ-Ｚａ-ｚ]", text):
        yield "full-width digits or letters"
    if kind == "id_card" and not isinstance(read_id_card(text, today), IdCard):
        yield "an ID card that cannot be"


def _told(name: str, column: _Column, rows: int) -> dict[str, Any]:
    kinds = column.kinds.most_common()
    main = kinds[0][0] if kinds else "empty"
    if len(kinds) > 1 and kinds[0][1] < 0.95 * column.filled:
        main = "number" if set(column.kinds) <= {"integer", "number"} else "mixed"
    few = not column.more and len(column.values) <= FEW and column.filled > 2 * len(column.values)
    listed = column.values.most_common(FEW) if few and main not in ("id_card", "phone") and not _PERSONAL.search(name) else []
    return {
        "name": name, "type": main, "kinds": dict(kinds), "filled": column.filled / rows if rows else 0.0, "distinct": len(column.values),
        "more": column.more, "low": column.low if main in ("integer", "number", "date") else None,
        "high": column.high if main in ("integer", "number", "date") else None, "shortest": column.shortest, "longest": column.longest,
        "values": [[text[:60], count] for text, count in listed], "odd": dict(column.odd),
    }  # fmt: skip
