"""Placeholder."""
from flask import Blueprint
bp = Blueprint("far_ends", __name__, template_folder="templates")
