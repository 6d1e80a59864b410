"""The clinic's fixtures for this folder."""

from tests.web.clinic import app, clinic, prepared, settings
from tests.web.test_browser import served

__all__ = ["app", "clinic", "prepared", "served", "settings"]
