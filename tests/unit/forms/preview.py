"""Draws the sample form in Chromium, to look at: python tests/unit/forms/preview.py FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from form_samples import CONTEXT, VITALS, evaluate  # noqa: E402

import forms  # noqa: E402

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PAGE = """<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>preview</title><style>{css}
body{{margin:24px;background:var(--cl-ground)}} form{{max-width:60rem}}</style><body><form method="post" novalidate>{body}</form></body></html>"""


def page(lang: str, *, wrong: bool) -> str:
    """Give the whole page of the sample form, untouched or wrongly filled."""
    form = forms.load(VITALS)
    wrongly = {"temperature": "36,5", "spo2": "140", "drugs": [{"name": "", "dose": "x"}], "idCard": "110105194912310021", "mode": ""}
    values = wrongly if wrong else None
    errors = forms.validate(form, wrongly, CONTEXT, lang, evaluate).errors if wrong else None
    body = forms.render(form, values, errors, lang, CONTEXT, evaluate)
    return PAGE.format(lang=lang, body=body, css=(forms.STATIC / "forms.css").read_text())


def main() -> None:
    """Write four pictures."""
    folder = Path(sys.argv[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for lang, wrong, width in (("zh", False, 1100), ("zh", True, 1100), ("en", True, 1100), ("en", False, 420)):
            view = browser.new_page(viewport={"width": width, "height": 900})
            view.set_content(page(lang, wrong=wrong))
            view.screenshot(path=str(folder / f"form-{lang}-{'wrong' if wrong else 'plain'}-{width}.png"), full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
