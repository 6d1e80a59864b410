"""Every message of every page has its Chinese, with the same placeholders, and nothing in the catalogue is left over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

from web.i18n import catalogue

WEB = Path(__file__).parents[2] / "web"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None}
PLACE = re.compile(r"%\(\w+\)s|\{\w+\}")


def is_ours(folder: str) -> bool:
    return Path(folder).name not in ("client", "static", "node_modules", "translations", "__pycache__")


def used() -> dict[str | tuple[str, ...], str]:
    """Each message with a file that says it."""
    found = extract_from_dir(str(WEB), METHODS, {}, keywords=KEYWORDS, directory_filter=is_ours)
    return {message: file for file, _, message, _, _ in found}


def words(text: object) -> list[str]:
    return [str(part) for part in (text if isinstance(text, list | tuple) else [text])]


def test_no_message_lacks_its_chinese() -> None:
    chinese = catalogue("zh")
    missing = sorted(
        f"{file}: {message}" for message, file in used().items() if message not in chinese or not all(words(chinese[message].string))
    )
    assert missing == []


def test_placeholders_survive_translation() -> None:
    wrong = []
    for message in catalogue("zh"):
        if message.id:
            wanted = set(PLACE.findall(words(message.id)[-1]))
            if any(set(PLACE.findall(text)) != wanted for text in words(message.string)):
                wrong.append(message.id)
    assert wrong == []


def test_the_catalogue_holds_nothing_that_no_page_says() -> None:
    said = set(used())
    assert [message.id for message in catalogue("zh") if message.id and message.id not in said] == []


@pytest.mark.parametrize("name", ["messages.po"])
def test_the_extraction_sees_templates_and_code(name: str) -> None:
    found = used()
    assert "Nothing is waiting for you" in found
    assert "Login or password is wrong." in found
    assert (WEB / "translations/zh/LC_MESSAGES" / name).exists()
