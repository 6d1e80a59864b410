"""Placeholder."""
from flask import Blueprint
bp = Blueprint("hooks", __name__, template_folder="templates")
