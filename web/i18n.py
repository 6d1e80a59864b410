"""Languages: Chinese first, English beside it. The profile decides, then the cookie, then the installation."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, current_app, g, has_request_context, request
from flask_babel import Babel, format_datetime, gettext, ngettext

from engine.clock import now
from engine.settings import Settings

LANGUAGES = {"zh": "中文", "en": "English"}
HTML_LANG = {"zh": "zh-CN", "en": "en"}
COOKIE = "carelane_language"
SOURCES = Path(__file__).parent / "translations"

babel = Babel()


def init(app: Flask, settings: Settings) -> None:
    """Compiles the catalogues into the var directory and tells Babel how to choose."""
    target = (settings.var_dir / "translations").resolve()
    for code in LANGUAGES:
        _compile(code, target)
    app.config["BABEL_DEFAULT_LOCALE"] = "en"  # msgids are English
    app.config["BABEL_DEFAULT_TIMEZONE"] = settings.clinic_zone
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(target)
    babel.init_app(app, locale_selector=language)
    app.add_template_global(language, "language")
    app.jinja_env.globals.update(LANGUAGES=LANGUAGES, HTML_LANG=HTML_LANG)
    for name, function in {
        "clock": clock,
        "clocktime": clocktime,
        "moment": moment,
        "lasting": lasting,
        "named": named,
        "plainly": plainly,
    }.items():
        app.add_template_filter(function, name)


def catalogue(code: str) -> Catalog:
    """All messages of a language: every .po file of its folder, merged."""
    merged = Catalog(locale=code)
    for path in sorted((SOURCES / code / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=code):
                if message.id:
                    merged[message.id] = message
    return merged


def _compile(code: str, target: Path) -> None:
    folder = target / code / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{os.getpid()}.mo"
    with unfinished.open("wb") as file:
        write_mo(file, catalogue(code))
    unfinished.replace(folder / "messages.mo")


def language() -> str:
    """The language of this answer: zh or en."""
    default = str(current_app.config["CARELANE"].language)
    if not has_request_context():
        return default
    user = g.get("user")
    wishes = (user.language if user else None, request.cookies.get(COOKIE))
    return next((wish for wish in wishes if wish in LANGUAGES), default)


def clock(instant: datetime | None) -> str:
    """The time of day in the clinic's zone, with the date when it is not today."""
    if instant is None:
        return ""
    same_day = format_datetime(instant, "yyyyMMdd") == format_datetime(now(), "yyyyMMdd")
    return format_datetime(instant, "HH:mm" if same_day else "MM-dd HH:mm")


def moment(instant: datetime | None) -> str:
    """Date and time in the clinic's zone, to the second."""
    return format_datetime(instant, "yyyy-MM-dd HH:mm:ss") if instant else ""


def lasting(span: timedelta | float | None) -> str:
    """A duration in words: seconds under a minute, minutes under two hours, then hours and minutes."""
    if span is None:
        return ""
    seconds = int(span.total_seconds() if isinstance(span, timedelta) else span)
    if seconds < 60:
        return gettext("%(n)s s", n=max(seconds, 0))
    if seconds < 7200:
        return gettext("%(n)s min", n=seconds // 60)
    if seconds < 172_800:
        return gettext("%(h)s h %(m)s min", h=seconds // 3600, m=seconds % 3600 // 60)
    return ngettext("%(num)s day", "%(num)s days", seconds // 86_400)


def named(thing: Any, fallback: str = "") -> str:
    """The name of a row in the page's language: from `names`, from `name_zh`/`name_en`, else its `name`."""
    code = language()
    names = getattr(thing, "names", None) or {}
    own = names.get(code) or getattr(thing, f"name_{code}", None) or getattr(thing, "name", None)
    return str(own or next(iter(names.values()), None) or fallback)


def clocktime(instant: datetime | None) -> str:
    """The time of day to the second, in the clinic's zone."""
    return format_datetime(instant, "HH:mm:ss") if instant else ""


def plainly(value: Any) -> str:
    """A variable's value as people can read it."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {plainly(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(plainly(item) for item in value)
    return "–" if value is None else str(value)


def in_words(text: str, sentences: Iterable[Any]) -> str | None:
    """The translation of the sentence that `text` is; the parts in %(…)s are found in it. None when it is none of them.

    `sentences` are lazy translations; of several that fit, the one with the most words of its own counts.
    """
    best: tuple[int, str, dict[str, str]] | None = None
    for sentence in sentences:
        message = str(sentence._args[0])
        plain, pattern = _pattern(message)
        if (best is None or plain > best[0]) and (found := pattern.fullmatch(text)):
            best = (plain, message, found.groupdict())
    return None if best is None else str(gettext(best[1], **best[2]))


@lru_cache(maxsize=512)
def _pattern(message: str) -> tuple[int, re.Pattern[str]]:
    pattern = re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+)", re.escape(message))
    return len(re.sub(r"%\(\w+\)s", "", message)), re.compile(pattern, re.DOTALL)
