"""One line of text, with the checks that belong to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from forms.component import Component
from forms.patterns import matches_for
from forms.scope import Scope
from forms.texts import (
    NAMED_CHECKS,
    check_email,
    check_length,
    check_pattern,
    check_phone,
    clean_text,
    compile_pattern,
)
from forms.widget import INPUT, Complain, Widget

_SAMPLES = {"email": "li.ming@example.cn", "phone": "13800138000", "cn_mobile": "13800138000", "cn_id_card": "11010519491231002X"}
_HTML_TYPES = {"email": ("email", "email"), "phone": ("tel", "tel"), "cn_mobile": ("tel", "tel")}


class TextField(Widget):
    """A single line of text."""

    type = "textfield"
    properties = INPUT | {"appearance"}
    validations = frozenset({"required", "minLength", "maxLength", "pattern", "validationType"})
    adorned = True

    def inspect(self, raw: Mapping[str, object], complain: Complain) -> None:
        """Report a pattern that does not compile, and a named check that does not exist."""
        rules, properties = raw.get("validate"), raw.get("properties")
        pattern = rules.get("pattern") if isinstance(rules, Mapping) else None
        if isinstance(pattern, str):
            try:
                compile_pattern(pattern)
            except re.error as error:
                complain("validate.pattern", "pattern", f"The pattern does not compile: {error}.", "Mend the expression.")
        kind = rules.get("validationType") if isinstance(rules, Mapping) else None
        if kind not in {None, "", "custom", "email", "phone"}:
            complain("validate.validationType", "validation-type", f"{kind!r} is no validation type.", "Use email, phone or custom.")
        name = properties.get("validate") if isinstance(properties, Mapping) else None
        if name is not None and name not in NAMED_CHECKS:
            complain("properties.validate", "check-unknown", f"There is no check named {name!r}.", f"Use one of {', '.join(NAMED_CHECKS)}.")

    def parse(self, component: Component, raw: object, scope: Scope) -> object:
        """Give the stripped line, normalised by its named check."""
        text = clean_text(str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw, scope)
        if text is None:
            return None
        check_length(text, component, scope)
        check_pattern(text, component, scope)
        kind = component.rules.get("validationType")
        if kind == "email":
            text = check_email(text, scope)
        elif kind == "phone":
            text = check_phone(text, scope)
        named = NAMED_CHECKS.get(component.properties.get("validate", ""))
        return named(text, scope) if named else text

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Choose keyboard and autofill hints from the checks."""
        kind = component.properties.get("validate") or str(component.rules.get("validationType") or "")
        html_type, fill = _HTML_TYPES.get(kind, ("text", "off"))
        longest = component.rules.get("maxLength")
        size = longest if isinstance(longest, int) and longest <= 12 else None
        return {"value": "" if value is None else str(value), "html_type": html_type, "autocomplete": fill, "size": size}

    def examples(self, component: Component, scope: Scope) -> Iterator[object]:
        """Yield a sample of the named check, then of the pattern, then plain words of fitting length."""
        for kind in (component.properties.get("validate"), component.rules.get("validationType")):
            if isinstance(kind, str) and kind in _SAMPLES:
                yield _SAMPLES[kind]
        pattern = component.rules.get("pattern")
        if isinstance(pattern, str) and pattern:
            yield from matches_for(pattern)
        yield from sample_lines(component, scope)


def sample_lines(component: Component, scope: Scope) -> Iterator[str]:
    """Yield words that fit minLength and maxLength."""
    base = scope.say("example") + " "
    yield base.strip()
    for name in ("minLength", "maxLength"):
        limit = scope.value_of(component.rules.get(name))
        if isinstance(limit, int) or (isinstance(limit, str) and limit.isdecimal()):
            yield (base.strip() * (int(limit) // len(base.strip()) + 1))[: int(limit)]
    yield "a"


WIDGET = TextField()
