"""Rollout: programmes, milestones, and which version new visits take."""

from __future__ import annotations

from flask import Blueprint, render_template

from web.access import allowed

bp = Blueprint("rollout", __name__, url_prefix="/rollout", template_folder="templates")


@bp.get("/")
@allowed("rollout.view")
def show() -> str:
    """The first page."""
    return render_template("rollout/list.html")
