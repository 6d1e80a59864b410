"""An instance's state as plain JSON and back: only what lives, variables once, definitions by reference."""

from __future__ import annotations

from typing import Any

from engine.execution.run import Environment, Run
from engine.execution.tokens import Scope, Token
from engine.execution.values import decode, encode, is_plain

FORMAT = 1


def dump(run: Run) -> dict[str, Any]:
    """The state to keep. Tokens are [id, element, state, locals, notes]."""
    return {"format": FORMAT, "counter": run.counter, "end": run.end_element, "scopes": [_dump_scope(s) for s in run.scopes.values()]}


def _dump_scope(scope: Scope) -> dict[str, Any]:
    variables = {name: _written(scope, name, value) for name, value in scope.data.items()}
    kept: dict[str, Any] = {
        "id": scope.id, "kind": scope.kind, "definition": scope.definition,
        "data": {name: written for name, (written, _) in variables.items()}, "typed": [name for name, (_, typed) in variables.items() if typed],
        "tokens": [[t.id, t.element.id, t.state, encode(t.data), encode(t.notes)] for t in scope.tasks.values()],
    }  # fmt: skip
    optional = {"body": scope.body, "owner": scope.owner, "parent": scope.parent and scope.parent.id, "undo": scope.compensations}
    return {**kept, **{key: value for key, value in optional.items() if value}}


def _written(scope: Scope, name: str, value: Any) -> tuple[Any, bool]:
    """A variable as JSON, and whether it needed writing at all. Values are replaced and never changed: what was read is reused."""
    if (before := scope.read.get(name)) is not None and before[0] is value:
        return before[1], before[2]
    return (value, False) if is_plain(value) else (encode(value), True)


def load(state: dict[str, Any], env: Environment) -> Run:
    """The run whose state was dumped."""
    if state["format"] != FORMAT:
        raise ValueError(f"state format {state['format']} is not known to this version, which reads {FORMAT}")
    run = Run(env)
    run.counter, run.end_element = state["counter"], state["end"]
    for kept in state["scopes"]:
        scope = Scope(run, kept["id"], kept["kind"], env.compiled(kept["definition"]), kept["definition"], kept.get("body"))
        typed = set(kept.get("typed", kept["data"]))
        for name, written in kept["data"].items():
            value = scope.data[name] = decode(written) if name in typed else written
            scope.read[name] = (value, written, name in typed)
        scope.owner, scope.compensations = kept.get("owner"), kept.get("undo", [])
        scope.parent = run.scopes[kept["parent"]] if "parent" in kept else None
        run.scopes[scope.id] = scope
        for id, element, task_state, data, notes in kept["tokens"]:
            token = Token(scope, element, id, task_state)
            token.data, token.internal_data = decode(data), decode(notes)
    return run
