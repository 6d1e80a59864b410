"""Studio: deployed models, the editors, checking and deploying."""

from __future__ import annotations

from flask import Blueprint, render_template

from web.access import allowed

bp = Blueprint("studio", __name__, url_prefix="/studio", template_folder="templates")


@bp.get("/")
@allowed("studio.view")
def show() -> str:
    """The first page."""
    return render_template("studio/list.html")
