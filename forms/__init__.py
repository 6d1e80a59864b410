"""Forms: load form-js schemas, check what people submit, and render them on the server. Imports nothing of ours."""

from pathlib import Path
from typing import Final

from forms.catalogue import Field, fields
from forms.changes import Change, diff
from forms.component import Component, Form
from forms.document import load, problems
from forms.examples import example
from forms.paths import MISSING
from forms.problem import ExampleMissing, ExpressionNeeded, FormInvalid, Problem
from forms.rendering import render
from forms.scope import Evaluate
from forms.submission import apply_row_action, from_html
from forms.validation import Errors, Note, Validated, validate

STATIC: Final = Path(__file__).parent / "static"
"""Where ``forms.css`` and ``forms.js`` are, for the web to serve."""

__all__ = [
    "MISSING", "STATIC", "Change", "Component", "Errors", "Evaluate", "ExampleMissing", "ExpressionNeeded", "Field", "Form",
    "FormInvalid", "Note", "Problem", "Validated", "apply_row_action", "diff", "example", "fields", "from_html", "load",
    "problems", "render", "validate",
]  # fmt: skip
