"""Identity numbers and contact data: the resident ID card's checksum and content, tidy phones and names."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Literal

# GB 11643-1999, section 4: weights and check characters (ISO 7064 MOD 11-2)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"

Sex = Literal["male", "female"]


@dataclass(frozen=True, slots=True)
class IdCard:
    """What a valid resident ID card says."""

    number: str
    birth_date: date
    sex: Sex


def read_id_card(text: str, today: date) -> IdCard | str:
    """The card's content, or in words why it cannot be a resident ID card (GB 11643-1999)."""
    number = tidy_id(text)
    if not re.fullmatch(r"\d{17}[\dX]", number):
        return "An ID card has 17 digits and a last digit or X."
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return f"The ID card's birth date {number[6:14]} is no date."
    if not date(1880, 1, 1) <= born <= today:
        return f"The ID card's birth date {born.isoformat()} cannot be."
    if check_character(number[:17]) != number[17]:
        return "The ID card's last character does not fit the others; one of them is mistyped."
    return IdCard(number, born, "male" if int(number[16]) % 2 else "female")


def check_character(first17: str) -> str:
    """The 18th character that belongs to the first 17 (ISO 7064 MOD 11-2)."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def tidy_id(text: str) -> str:
    """An identifier without spaces and dashes, full-width characters made plain, letters in capitals."""
    return re.sub(r"[\s\-]", "", unicodedata.normalize("NFKC", text)).upper()


def tidy_phone(text: str) -> str:
    """Digits only, without China's country code."""
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", text))
    return re.sub(r"^(0086|86)(?=1\d{10}$)", "", digits)


def tidy_name(text: str) -> str:
    """A name to compare by: no spaces or dots inside, one case, full-width made plain (张 三 = 张三, 阿依·古丽 = 阿依古丽)."""
    return re.sub(r"[\s·•・.\-'’]", "", unicodedata.normalize("NFKC", text)).casefold()
