"""The words of a form in a person's language, with FEEL templates filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup

from forms.component import Component
from forms.messages import is_chinese, say
from forms.scope import Scope, is_expression

_TEMPLATE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_MARKDOWN_SIGNS: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&])")
# Raw HTML stays off, so that a text component can never carry a script; links keep markdown-it's scheme check.
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])


def translate(component: Component, name: str, lang: str) -> str:
    """Give a worded property (label, description …), Chinese from ``properties["<name>:zh"]``."""
    if is_chinese(lang):
        chinese = component.properties.get(f"{name}:zh")
        if chinese:
            return chinese
    return component.text(name)


def label_of(component: Component, lang: str) -> str:
    """Give the label; a component without one is called by its key."""
    for name in ("label", "dateLabel", "timeLabel"):
        words = translate(component, name, lang)
        if words:
            return words
    if component.type in {"group", "button"}:
        return say("submit", lang) if component.type == "button" else ""
    return component.key or component.name


def describe_value(value: object, lang: str) -> str:
    """Write a value for a person: yes and no, numbers without noise, lists with commas, nothing as a dash."""
    if value is None or value == "" or value == []:
        return say("blank", lang)
    if isinstance(value, bool):
        return say("yes" if value else "no", lang)
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return describe_value(value.get("label", value.get("name", value.get("value", ""))), lang)
    if isinstance(value, list | tuple):
        return ("、" if is_chinese(lang) else ", ").join(describe_value(item, lang) for item in value)
    return str(value)


def fill(words: str, scope: Scope) -> str:
    """Fill FEEL into words: all of them (``=expr``) or the ``{{expr}}`` in them. Without an evaluator they stay."""
    if scope.evaluate is None:
        return words
    if is_expression(words):
        return describe_value(scope.value_of(words), scope.lang)
    return _TEMPLATE.sub(lambda found: _filled(found, scope), words)


def _filled(found: re.Match[str], scope: Scope) -> str:
    return describe_value(scope.value_of("=" + found.group(1).strip().removeprefix("=")), scope.lang)


def markdown(words: str, scope: Scope) -> Markup:
    """Render a text component; a value that is filled in shows as typed, it cannot become Markdown or HTML."""
    if is_expression(words):
        text = fill(words, scope)
    elif scope.evaluate is None:
        text = words
    else:
        text = _TEMPLATE.sub(lambda found: _MARKDOWN_SIGNS.sub(r"\\\1", _filled(found, scope)), words)
    return Markup(_MARKDOWN.render(text))  # noqa: S704 - raw HTML is disabled in the renderer above
