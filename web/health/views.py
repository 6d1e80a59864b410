"""Placeholder."""
from flask import Blueprint
bp = Blueprint("health", __name__, template_folder="templates")
