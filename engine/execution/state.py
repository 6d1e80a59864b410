"""An instance's state as plain JSON and back: only what lives, variables once, definitions by reference."""

from __future__ import annotations

from typing import Any

from engine.execution.run import Environment, Run
from engine.execution.tokens import Scope, Token
from engine.execution.values import decode, encode

FORMAT = 1


def dump(run: Run) -> dict[str, Any]:
    """The state to keep. Tokens are [id, element, state, locals, notes]."""
    return {"format": FORMAT, "counter": run.counter, "end": run.end_element, "scopes": [_dump_scope(s) for s in run.scopes.values()]}


def _dump_scope(scope: Scope) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "id": scope.id, "kind": scope.kind, "definition": scope.definition, "data": encode(scope.data),
        "tokens": [[t.id, t.element.id, t.state, encode(t.data), encode(t.notes)] for t in scope.tasks.values()],
    }  # fmt: skip
    optional = {"body": scope.body, "owner": scope.owner, "parent": scope.parent and scope.parent.id, "undo": scope.compensations}
    return {**kept, **{key: value for key, value in optional.items() if value}}


def load(state: dict[str, Any], env: Environment) -> Run:
    """The run whose state was dumped."""
    if state["format"] != FORMAT:
        raise ValueError(f"state format {state['format']} is not known to this version, which reads {FORMAT}")
    run = Run(env)
    run.counter, run.end_element = state["counter"], state["end"]
    for kept in state["scopes"]:
        scope = Scope(run, kept["id"], kept["kind"], env.compiled(kept["definition"]), kept["definition"], kept.get("body"))
        scope.data = decode(kept["data"])
        scope.owner, scope.compensations = kept.get("owner"), kept.get("undo", [])
        scope.parent = run.scopes[kept["parent"]] if "parent" in kept else None
        run.scopes[scope.id] = scope
        for id, element, task_state, data, notes in kept["tokens"]:
            token = Token(scope, element, id, task_state)
            token.data, token.internal_data = decode(data), decode(notes)
    return run
