"""All pages of data governance; each module has those about one thing."""

from __future__ import annotations

from web.governance import dictionary, duplicates, mappings, quality
from web.governance.blueprint import bp

__all__ = ["bp", "dictionary", "duplicates", "mappings", "quality"]
