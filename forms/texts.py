"""Checking text: characters, lengths, patterns, and the named checks of Chinese identity."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Final

from forms.component import Component
from forms.scope import Scope
from forms.widget import refuse

LONGEST_LINE: Final = 4_000
LONGEST_TEXT: Final = 100_000

_EMAIL: Final = re.compile(r"[^\s@,;<>()\"]+@[^\s@,;<>().\"]+(\.[^\s@,;<>().\"]+)+")
_MOBILE: Final = re.compile(r"1[3-9]\d{9}", re.ASCII)
_PHONE: Final = re.compile(r"\+?\d{5,17}", re.ASCII)
# GB 11643-1999, section 4: weights 2^(18-i) mod 11 and the check characters for remainders 0 to 10.
_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK: Final = "10X98765432"


def clean_text(raw: object, scope: Scope, *, lines: bool = False) -> str | None:
    """Give stripped, storable text or None when it is blank; only ``lines`` may hold line breaks."""
    if raw is None:
        return None
    if not isinstance(raw, str):
        raise refuse(scope, "text")
    text = raw.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not lines and "\n" in text:
        raise refuse(scope, "one_line")
    # PostgreSQL cannot store NUL, and other controls and lone surrogates break logs and HL7 segments.
    if any(unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t" for sign in text):
        raise refuse(scope, "control")
    longest = LONGEST_TEXT if lines else LONGEST_LINE
    if len(text) > longest:
        raise refuse(scope, "too_long", limit=longest, size=len(text))
    return text or None


def check_length(text: str, component: Component, scope: Scope) -> None:
    """Hold text to ``validate.minLength`` and ``maxLength``, which may be FEEL."""
    shortest, longest = (_length(component, name, scope) for name in ("minLength", "maxLength"))
    if shortest is not None and len(text) < shortest:
        raise refuse(scope, "too_short", limit=shortest, size=len(text))
    if longest is not None and len(text) > longest:
        raise refuse(scope, "too_long", limit=longest, size=len(text))


def _length(component: Component, name: str, scope: Scope) -> int | None:
    limit = scope.value_of(component.rules.get(name))
    if isinstance(limit, str) and limit.strip().isdecimal():
        return int(limit)
    return int(limit) if isinstance(limit, int | float) and not isinstance(limit, bool) else None


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a form's pattern; ASCII classes, because form-js runs it as a JavaScript RegExp."""
    return re.compile(pattern, re.ASCII)


def check_pattern(text: str, component: Component, scope: Scope) -> None:
    """Hold text to ``validate.pattern``; like a JavaScript RegExp it may match anywhere unless anchored."""
    pattern = component.rules.get("pattern")
    if isinstance(pattern, str) and pattern and not compile_pattern(pattern).search(text):
        raise refuse(scope, "pattern")


def check_email(text: str, scope: Scope) -> str:
    """Hold text to the shape of an email address."""
    if not _EMAIL.fullmatch(text):
        raise refuse(scope, "email")
    return text


def check_phone(text: str, scope: Scope) -> str:
    """Hold text to the shape of a phone number: a Chinese mobile, a landline, or an international one."""
    if not _PHONE.fullmatch(re.sub(r"[\s\-().]", "", unicodedata.normalize("NFKC", text))):
        raise refuse(scope, "phone")
    return text


def check_cn_mobile(text: str, scope: Scope) -> str:
    """Hold text to a mainland mobile number and give its 11 digits, without ``+86`` and spaces."""
    digits = re.sub(r"[\s\-]", "", unicodedata.normalize("NFKC", text))
    digits = re.sub(r"^(\+86|0086|86(?=\d{11}$))", "", digits)
    if not _MOBILE.fullmatch(digits):
        raise refuse(scope, "mobile")
    return digits


def check_cn_id_card(text: str, scope: Scope) -> str:
    """Hold text to an 18-character resident identity number (GB 11643-1999): form, birth date, check character."""
    number = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", number, re.ASCII):
        raise refuse(scope, "id_form")
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise refuse(scope, "id_birth") from None
    if not date(1850, 1, 1) <= born <= scope.now.astimezone(scope.zone).date():
        raise refuse(scope, "id_birth")
    if id_check_character(number[:17]) != number[17]:
        raise refuse(scope, "id_checksum")
    return number


def id_check_character(first17: str) -> str:
    """Give the check character of an identity number from its first 17 digits (GB 11643-1999)."""
    return _ID_CHECK[sum(int(digit) * weight for digit, weight in zip(first17, _ID_WEIGHTS, strict=True)) % 11]


NAMED_CHECKS: Final[dict[str, Callable[[str, Scope], str]]] = {
    "cn_id_card": check_cn_id_card,
    "cn_mobile": check_cn_mobile,
}
"""The checks that ``properties: {"validate": …}`` can name; each gives the text in its one proper form."""
