"""The blueprint that the feature's pages share."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("governance", __name__, url_prefix="/governance", template_folder="templates")
