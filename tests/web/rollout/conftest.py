"""The clinic's fixtures for this folder."""

from tests.web.clinic import app, clinic, prepared, settings

__all__ = ["app", "clinic", "prepared", "settings"]
