"""A called process replaced by its outcome, for scenarios that do not play it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.models.elements import Element, EventDefinition, Flow, ProcessModel, VariableMapping


def stub_process(id: str, outcome: Mapping[str, Any]) -> ProcessModel:
    """A process of that id that yields `outcome` as its variables, or ends in the error `{error: CODE}`."""
    code = outcome.get("error")
    outputs = () if isinstance(code, str) else tuple(VariableMapping("=" + json.dumps(v, default=str), k) for k, v in outcome.items())
    error = (EventDefinition("error", name=str(code)),) if isinstance(code, str) else ()
    elements = [
        Element("stub_start", "startEvent", outgoing=("stub_1",)),
        Element("stub_task", "task", incoming=("stub_1",), outgoing=("stub_2",), outputs=outputs),
        Element("stub_end", "endEvent", incoming=("stub_2",), events=error),
    ]
    flows = [Flow("stub_1", "stub_start", "stub_task"), Flow("stub_2", "stub_task", "stub_end")]
    return ProcessModel(id, id, {e.id: e for e in elements}, {f.id: f for f in flows})
