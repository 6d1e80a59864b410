"""Insight: figures of the clinic's visits, as-is beside to-be."""

from __future__ import annotations

from flask import Blueprint, render_template

from web.access import allowed

bp = Blueprint("insight", __name__, url_prefix="/insight", template_folder="templates")


@bp.get("/")
@allowed("insight.view")
def show() -> str:
    """The first page."""
    return render_template("insight/list.html")
