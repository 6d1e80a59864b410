"""One instance in memory: its scopes, its ready tokens, and the effects of the step that is being computed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from SpiffWorkflow.util.task import TaskState

from engine.errors import CarelaneError, ExpressionFailed, NotFound
from engine.execution import compensation, joins, throwing, waits
from engine.execution.compile import Compiled
from engine.execution.effects import Closed, Effects, IncidentCleared, IncidentRaised, JobOpened, Recorded
from engine.execution.specs.base import Stuck
from engine.execution.tokens import Scope, Token
from engine.models.elements import CalledElement, Element, Flow, Wanted

MOST_ROUNDS = 25_000  # how often one step may pass the same element before it is taken for an endless circle


class Environment(Protocol):
    """What a run needs to know of the world; it changes nothing there."""

    zone: ZoneInfo

    def now(self) -> datetime:
        """The present instant."""

    def compiled(self, definition: str) -> Compiled:
        """The compiled process of a definition id."""

    def called(self, called: CalledElement, variables: Mapping[str, Any], caller: str) -> str:
        """The definition id that a call activity means; NotFound when there is none."""

    def decide(self, wanted: Wanted, variables: Mapping[str, Any], caller: str) -> Any:
        """A decision's result."""


class Run:
    """Moves tokens until all of them wait. Nothing here touches the database."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.effects = Effects()
        self.scopes: dict[str, Scope] = {}
        self.queue: deque[Token] = deque()
        self.counter = 0
        self.dirty = False
        self.end_element: str | None = None

    # -- scopes -------------------------------------------------------------------------------------------------------

    @property
    def root(self) -> Scope:
        """The process's own scope."""
        return next(iter(self.scopes.values()))

    def open_scope(self, owner: Token | None, kind: str, compiled: Compiled, definition: str, body: str | None, data: dict[str, Any]) -> Scope:
        """A new scope under `owner`."""
        scope = Scope(self, self._next_id("s"), kind, compiled, definition, body)
        scope.data = data
        if owner is not None:
            scope.parent, scope.owner = owner.scope, owner.id
            if kind != "call":
                owner.data = {}  # the scope has them now, and gives them back when it ends
            self.wait(owner, "scope")
        self.scopes[scope.id] = scope
        return scope

    def begin_scope(self, scope: Scope, start: str | None = None, payload: Mapping[str, Any] | None = None) -> None:
        """Arms the scope's event subprocesses and puts tokens on its start."""
        waits.arm_event_subprocesses(scope)
        starts = [scope.compiled.model.elements[start]] if start else scope.compiled.starts(scope.body)
        if not starts:
            raise Stuck("model", "There is no start event that a call can begin with.")
        for element in starts:
            token = self.arrive(scope, element.id, None)
            if payload is not None:
                token.notes["result"] = dict(payload)
                if element.type not in ("startEvent", "eventBasedGateway"):
                    token.notes["phase"] = "leave"  # what it waits for has come: it began the instance

    def begin_inner(
        self, owner: Token, kind: str, compiled: Compiled, definition: str, body: str | None, data: dict[str, Any],
        start: str | None = None, payload: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Opens a scope under `owner` and begins it; nothing stays when it cannot begin."""
        local = owner.data
        scope = self.open_scope(owner, kind, compiled, definition, body, data)
        try:
            if kind == "call":
                self.record("started", scope=scope)
            self.begin_scope(scope, start, payload)
        except CarelaneError:
            self.drop_scope(scope)
            owner.data = local
            raise

    def start(self, definition: str, variables: dict[str, Any], start: str | None = None, payload: Mapping[str, Any] | None = None) -> None:
        """Begins the instance and moves it until it waits."""
        scope = self.open_scope(None, "process", self.env.compiled(definition), definition, None, dict(variables))
        self.record("started", scope=scope)
        self.begin_scope(scope, start, payload)
        self.drain()

    # -- tokens -------------------------------------------------------------------------------------------------------

    def _next_id(self, letter: str) -> str:
        self.counter += 1
        return f"{letter}{self.counter}"

    def new_token(self, scope: Scope, element: str, **notes: Any) -> Token:
        """A token that stands on `element`, not yet running."""
        token = Token(scope, element, self._next_id("t"))
        token.internal_data = {key: value for key, value in notes.items() if value is not None}
        return token

    def arrive(self, scope: Scope, element: str, via: str | None) -> Token:
        """A token reaches an element."""
        token = self.new_token(scope, element, via=via)
        self.enqueue(token)
        return token

    def enqueue(self, token: Token) -> None:
        """Makes a token ready to run."""
        token.notes.pop("failed", None)
        token._set_state(TaskState.READY)
        self.queue.append(token)

    def take(self, token: Token, flows: Iterable[Flow]) -> None:
        """Tokens leave along flows."""
        for flow in flows:
            self.arrive(token.scope, flow.target, flow.id)

    def wait(self, token: Token, kind: str) -> None:
        """Notes what a token waits for."""
        kinds = token.notes.setdefault("waits", [])
        if kind not in kinds:
            kinds.append(kind)

    def resume(self, token: Token, result: Mapping[str, Any] | None = None) -> None:
        """A waiting token has what it waited for and leaves."""
        self._close(token, done=True)
        token.notes["phase"] = "leave"
        token.notes.pop("armed", None)
        if result is not None:
            token.notes["result"] = dict(result)
        self.enqueue(token)

    def find(self, id: str) -> Token | None:
        """A live token by its id."""
        return next((scope.tasks[id] for scope in self.scopes.values() if id in scope.tasks), None)

    def body_of(self, token: Token) -> Token:
        """The token that carries the boundary events: the loop's body for an iteration."""
        return token.scope.tasks[token.notes["body"]] if "iteration" in token.notes else token

    def merge(self, token: Token) -> None:
        """A token that waited at a join goes on as part of another."""
        self.record("completed", token)
        token.scope.remove(token)

    def _close(self, token: Token, *, done: bool) -> None:
        if kinds := token.notes.pop("waits", None):
            self.effects.add(Closed(token.id, tuple(kinds), done))
        if token.has_state(TaskState.ERROR):
            self.effects.add(IncidentCleared(token.id))

    def cancel(self, token: Token) -> None:
        """Takes a token away with all that depends on it."""
        if token.id not in token.scope.tasks:
            return
        self._cancel_dependents(token)
        self._close(token, done=False)
        if not token.armed and token.notes.get("entered"):
            self.record("cancelled", token)
        token.cancel()
        token.scope.remove(token)

    def _cancel_dependents(self, token: Token) -> None:
        """What lives only because `token` does: its scope, its listeners, its iterations, its compensation handlers."""
        for scope in [s for s in self.scopes.values() if s.owner == token.id]:
            self.drop_scope(scope)
        for other in [t for t in token.scope.tasks.values() if t.depends_on(token.id)]:
            self.cancel(other)

    def drop_scope(self, scope: Scope) -> None:
        """Cancels all that lives in a scope and forgets it."""
        for token in list(scope.tasks.values()):
            self.cancel(token)
        self.scopes.pop(scope.id, None)

    def disarm(self, token: Token) -> None:
        """The activity is over: its boundary events listen no more."""
        for other in [t for t in token.scope.tasks.values() if t.armed and t.notes.get("of") == token.id]:
            self.cancel(other)

    def arm_boundaries(self, token: Token) -> None:
        """Arms the boundary events that wait for something."""
        for event in token.scope.compiled.boundaries.get(token.element.id, ()):
            waits.arm(token.scope, event, "boundary", of=token.id)

    def wait_for_events(self, token: Token) -> None:
        """Subscribes a token to what its element waits for."""
        waits.wait_for_events(token)

    def spawn(self, scope: Scope, element: str, payload: Mapping[str, Any], local: Mapping[str, Any]) -> None:
        """A token leaves from an event that has happened."""
        token = self.new_token(scope, element, phase="leave")
        token.data.update(local)
        token.notes["result"] = dict(payload)
        self.enqueue(token)

    def interrupt(self, activity: Token, boundary: Element, payload: Mapping[str, Any], local: Mapping[str, Any]) -> None:
        """An interrupting boundary event ends its activity."""
        scope = activity.scope
        self.cancel(activity)
        self.spawn(scope, boundary.id, payload, local)

    def start_event_subprocess(
        self, scope: Scope, subprocess: Element, start: Element, payload: Mapping[str, Any], local: Mapping[str, Any]
    ) -> None:
        """Starts an event subprocess; an interrupting one ends all else in its scope."""
        if start.interrupting:
            for token in list(scope.tasks.values()):
                self.cancel(token)
        token = self.new_token(scope, subprocess.id, start=start.id, payload=dict(payload))
        token.data.update(local)
        self.enqueue(token)

    def terminate(self, token: Token) -> None:
        """A terminate end event: all else in the scope ends."""
        for other in [t for t in token.scope.tasks.values() if t is not token]:
            self.cancel(other)

    def reached_end(self, token: Token) -> None:
        """Remembers by which end event the instance ended."""
        if token.scope is self.root:
            self.end_element = token.element.id

    def open_job(self, token: Token, kind: str, type: str, payload: dict[str, Any], retries: int | None) -> None:
        """Asks for a connector's call, or for a message or signal to be carried."""
        e = token.element
        self.wait(token, "job")
        round = token.notes["round"] = token.notes.get("round", 0) + 1
        key = f"{token.id}.{round}"
        self.effects.add(JobOpened(token.id, token.scope.definition, e.id, kind, type, payload, dict(e.headers), retries, key))

    def record(self, kind: str, token: Token | None = None, scope: Scope | None = None, detail: Any = None) -> None:
        """Adds a row to the record."""
        if token is None:
            here = scope or self.root
            self.effects.add(Recorded(kind, here.definition, None, None, None, here.id, detail=detail))
            return
        e, notes = token.element, token.notes
        roles = notes.get("roles")
        role = (roles[0] if roles else None) if roles is not None else e.lane_role
        self.effects.add(Recorded(kind, token.scope.definition, e.id, e.type, token.id, token.scope.id, notes.get("via"), role, e.tag, detail))

    # -- the loop -----------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Runs ready tokens until every token waits, then merges and conditions that have become possible."""
        rounds: Counter[str] = Counter()
        while True:
            while self.queue:
                token = self.queue.popleft()
                if token.id in token.scope.tasks and token.has_state(TaskState.READY):
                    rounds[token.element.id] += 1
                    self._run(token, rounds[token.element.id])
                    waits.fire_conditions(self)
            if not (joins.merge_inclusive(self) or waits.fire_conditions(self)):
                break
        joins.find_deadlocks(self)

    def _run(self, token: Token, rounds: int) -> None:
        scope = token.scope
        if "entered" not in token.notes and token.notes.get("phase") != "leave":
            token.notes["entered"] = True
            if token.task_spec.records_entry or token.element.tag:
                self.record("entered", token)
        local = dict(token.data)
        try:
            if rounds > MOST_ROUNDS:
                raise Stuck("endless", f"The process came here {MOST_ROUNDS} times without waiting: it runs in a circle.")
            through = token.run()
        except CarelaneError as error:
            if token.notes.get("phase") != "leave":
                self._undo_entry(token, local)
            self.fail(token, error)
            return
        if through:
            self.record("completed", token, detail=token.notes.get("by"))
            scope.remove(token)
            self.settle(scope)

    def _undo_entry(self, token: Token, local: dict[str, Any]) -> None:
        """A token that failed while it entered begins anew when it is tried again: nothing of the attempt may stay."""
        self._cancel_dependents(token)
        self._close(token, done=False)
        token.data = local
        for note in ("open", "loop", "items", "out", "joined", "roles"):
            token.notes.pop(note, None)

    def fail(self, token: Token, error: Exception) -> None:
        """The token stays where it is, as an incident."""
        kind = error.kind if isinstance(error, Stuck) else "expression" if isinstance(error, ExpressionFailed) else "model"
        token._set_state(TaskState.ERROR)
        message = f"{token.element.label()} ({token.element.id}): {error}"
        token.notes["failed"] = {"kind": kind, "message": message}
        self.effects.add(IncidentRaised(token.id, token.scope.definition, token.element.id, kind, message))
        self.record("incident", token, detail={"kind": kind, "message": message})

    def settle(self, scope: Scope) -> None:
        """Ends a scope in which nothing lives any more."""
        if scope.id not in self.scopes or scope.lives():
            return
        owner = scope.owner_token()
        self.drop_scope(scope)
        if scope.kind in ("process", "call"):
            self.record("ended", scope=scope)
        if owner is None:
            self.scopes[scope.id] = scope  # the ended root keeps its variables
            return
        compensation.keep_inner(scope, owner)
        self.resume(owner, scope.data)

    # -- what comes from outside --------------------------------------------------------------------------------------

    def token(self, id: str) -> Token:
        """A live token, or NotFound."""
        if (token := self.find(id)) is None:
            raise NotFound("This step is over.")
        return token

    def complete(self, id: str, values: Mapping[str, Any], by: Any = None) -> None:
        """A task or job is done; `values` are what it yields."""
        token = self.token(id)
        if by is not None:
            token.notes["by"] = by
        self.resume(token, values)
        self.drain()

    def fire(self, wait: str, payload: Mapping[str, Any] | None = None, due: datetime | None = None) -> bool:
        """What `wait` waited for has happened; False when it waits no more."""
        token = self.find(wait.split(".", maxsplit=1)[0])
        if token is None:
            return False
        waits.fire(token, wait, payload or {}, due)
        self.drain()
        return True

    def throw_error(self, id: str, code: str, message: str | None, variables: dict[str, Any]) -> None:
        """A job ended in a business error: caught by the model, or an incident."""
        token = self.token(id)
        if not throwing.error(token, code, message, variables):
            self._close(token, done=True)
            self.fail(token, Stuck("uncaught_error", f"The error {code} ({message or 'no message'}) is caught nowhere."))
        self.drain()

    def retry(self, id: str) -> None:
        """Runs a failed token again."""
        token = self.token(id)
        if token.has_state(TaskState.ERROR):
            self.effects.add(IncidentCleared(id))
            if token.armed:  # it only listens: what failed was looking at its condition
                token.notes.pop("failed", None)
                token._set_state(TaskState.STARTED)
                self.dirty = True
            else:
                token.notes.pop("joined", None)
                self.enqueue(token)
            self.drain()

    @property
    def over(self) -> bool:
        """True when nothing lives any more."""
        return not any(scope.lives() for scope in self.scopes.values())
