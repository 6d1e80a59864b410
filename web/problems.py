"""What is wrong with a diagram, a decision or a form, in the reader's language.

The engine words its problems in English, each where its rule is. `translations/zh/problems.po` holds those sentences with
{0}, {1} … for their parts; the sentence that a problem is tells the parts, which then go into the Chinese one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from babel.messages.catalog import Message
from babel.messages.pofile import read_po

import forms
from engine.errors import Problem

SOURCE = Path(__file__).parent / "translations" / "zh" / "problems.po"
PLACE = re.compile(r"\{(\d)(:w)?\}")


@dataclass(frozen=True)
class Sentences:
    """English sentences or words, with their translations."""

    fixed: dict[str, str]  # those without parts
    patterns: tuple[tuple[re.Pattern[str], str], ...]  # the ones with the most words of their own first

    def find(self, text: str) -> str | None:
        """The translation of a text; None when it is none of these."""
        if text in self.fixed:
            return self.fixed[text]
        for pattern, chinese in self.patterns:
            if found := pattern.fullmatch(text):
                return _filled(chinese, found.groups())
        return None


P = TypeVar("P", Problem, forms.Problem)


def _filled(chinese: str, parts: Sequence[str]) -> str:
    return PLACE.sub(lambda place: _word(parts[int(place[1])]) if place[2] else parts[int(place[1])], chinese)


def told(problems: Iterable[P], language: str) -> list[P]:
    """The problems in a language (zh or en)."""
    return [replace(p, message=said(p.message, language), fix=said(p.fix, language)) for p in problems]


def said(text: str, language: str) -> str:
    """A sentence in a language (zh or en); as it is when it has no translation. What stands before a colon is a place."""
    if language != "zh":
        return text
    sentences, _ = catalogue()
    if (found := sentences.find(text)) is not None:
        return found
    for colon in re.finditer(r": ", text):
        if (found := sentences.find(text[colon.end() :])) is not None:
            return f"{text[: colon.start()]}：{found}"
    return text


@lru_cache
def catalogue() -> tuple[Sentences, Sentences]:
    """The sentences, and the words and half-sentences that are their parts."""
    with SOURCE.open("rb") as file:
        entries = [message for message in read_po(file, locale="zh") if message.id]
    return _gathered(m for m in entries if not m.context), _gathered(m for m in entries if m.context)


def _gathered(entries: Iterable[Message]) -> Sentences:
    texts = {str(m.id): str(m.string) for m in entries}
    with_parts = sorted((text for text in texts if PLACE.search(text)), key=lambda text: len(PLACE.sub("", text)), reverse=True)
    return Sentences(
        {text: texts[text] for text in texts if not PLACE.search(text)}, tuple((_pattern(text), texts[text]) for text in with_parts)
    )


def _pattern(text: str) -> re.Pattern[str]:
    pieces = [re.escape(piece) for piece in re.split(r"\{\d\}", text)]
    return re.compile("(.*?)".join(pieces), re.DOTALL)


def _word(text: str) -> str:
    sentences, words = catalogue()
    return words.find(text) or sentences.find(text) or text
