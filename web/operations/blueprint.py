"""The blueprint that this feature's view modules share, and how they act: with a reason, refused in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, request
from flask_babel import gettext

from engine.errors import CarelaneError, Stale
from web.db import db
from web.operations.words import in_words

bp = Blueprint("operations", __name__, template_folder="templates")
LONGEST_REASON = 500


def reason() -> str:
    """The reason that the form gives, shortened to what the record keeps."""
    return request.form.get("reason", "").strip()[:LONGEST_REASON]


def attempt(act: Callable[[], Any], done: str) -> bool:
    """Acts and says so; when it is refused, nothing is changed and the page says why."""
    if len(reason()) < 3:
        flash(gettext("Say why: the reason is kept in the record. Nothing was changed."), "bad")
        return False
    try:
        act()
    except Stale:
        raise
    except CarelaneError as error:
        db.session.rollback()
        flash(gettext("Nothing was changed. %(why)s", why=in_words(error.message)), "bad")
        return False
    flash(done, "good")
    return True
