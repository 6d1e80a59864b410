"""Running instances moved to another version of their process: every token finds its place, or nothing is changed.

Elements are matched by id, or by an explicit mapping from old to new ids. A verdict says per instance what would happen.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine.errors import CarelaneError, Refused, Stale
from engine.execution import instances, state, waits
from engine.execution.effects import Closed
from engine.execution.environment import Deployed
from engine.execution.run import Run
from engine.execution.specs.work import UserTask
from engine.execution.steps import store
from engine.execution.tables import Incident, Instance, Job, Subscription, Task, offer, urgency
from engine.execution.tokens import Scope, Token
from engine.models.elements import Element, ProcessModel
from engine.models.tables import Definition

NOTED_ELEMENTS = ("subprocess", "start")  # notes that hold element ids


@dataclass
class Verdict:
    """What migrating an instance would do, or what stands in its way."""

    instance_id: str
    problems: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    @property
    def possible(self) -> bool:
        """True when nothing stands in the way."""
        return not self.problems


def dry_run(session: Session, instance_ids: Sequence[str], target: Definition, mapping: Mapping[str, str] | None = None) -> list[Verdict]:
    """A verdict for each instance; nothing is written."""
    return [_Move(session, instances.get(session, id), target, mapping or {}).verdict for id in instance_ids]


def candidates(session: Session, target: Definition, *, version: int | None = None) -> list[str]:
    """The running instances of other versions of the target's process, or of one version, oldest first."""
    query = select(Instance.id).where(Instance.process_id == target.key, Instance.definition_id != target.id, Instance.state == "running")
    if version is not None:
        query = query.where(Instance.version == version)
    return list(session.scalars(query.order_by(Instance.started, Instance.id)))


def migrate(
    session: Session, instance_id: str, target: Definition, mapping: Mapping[str, str] | None = None, *, actor: str, reason: str
) -> Verdict:
    """Moves one instance; raises Refused naming every obstacle, and then changes nothing."""
    if not reason.strip():
        raise Refused("Say why: the reason is recorded.")
    row = instances.get(session, instance_id)
    move = _Move(session, row, target, mapping or {})
    if not move.verdict.possible:
        raise Refused("\n".join(move.verdict.problems), problems=move.verdict.problems)
    assert move.run is not None
    detail = {"from": row.version, "to": target.version, "changes": move.verdict.changes, "reason": reason}
    move.run.record("migrated", detail=detail)
    store(session, row, move.run, actor=actor)
    row.definition_id, row.version = target.id, target.version
    _rewrite_rows(session, row, move)
    session.flush()
    return move.verdict


def migrate_all(
    session: Session, instance_ids: Sequence[str], target: Definition, mapping: Mapping[str, str] | None = None, *, actor: str, reason: str
) -> list[Verdict]:
    """Moves those that can be moved, each as a whole; the verdicts of the others say why not."""
    verdicts = []
    for id in instance_ids:
        try:
            with session.begin_nested():
                verdicts.append(migrate(session, id, target, mapping, actor=actor, reason=reason))
        except Stale:
            raise  # the whole step is tried again from what is stored now
        except CarelaneError as error:
            verdicts.append(Verdict(id, error.details.get("problems") or [error.message]))
    return verdicts


class _Move:
    """The instance's state as it would be in the new version."""

    def __init__(self, session: Session, row: Instance, target: Definition, mapping: Mapping[str, str]) -> None:
        self.verdict = Verdict(row.id)
        self.target, self.mapping = target, mapping
        self.run: Run | None = None
        self.env = Deployed(session)
        if row.process_id != target.key:
            self.verdict.problems.append(f"It is an instance of {row.process_id}, not of {target.key}.")
        if row.state != "running":
            self.verdict.problems.append(f"It is {row.state}; only a running instance is migrated.")
        if row.definition_id == target.id:
            self.verdict.problems.append(f"It runs version {target.version} already.")
        if self.verdict.problems:
            return
        self.old = self.env.compiled(row.definition_id).model
        self.new = self.env.compiled(target.id).model
        body = copy.deepcopy(row.body)
        scopes = [scope for scope in body["scopes"] if scope["definition"] == row.definition_id]
        for scope in scopes:
            self._check_scope(scope)
        if self.verdict.possible:
            self._load(body, scopes)

    def place(self, id: str) -> str:
        """The new id of an old element."""
        return self.mapping.get(id, id)

    def _check_scope(self, scope: dict[str, Any]) -> None:
        for _, element, _, _, notes in scope["tokens"]:
            if not (notes.get("armed") and self.place(element) not in self.new.elements):
                self._check(element, notes)
        if "body" in scope:
            self._check(scope["body"], {})
        for entry in _leaves(scope.get("undo", [])):
            for id in (entry["activity"], entry.get("handler")):
                if id and self.place(id) not in self.new.elements:
                    self.verdict.problems.append(f"{self._label(id)} may have to be undone, and the new version does not have it.")

    def _check(self, id: str, notes: Mapping[str, Any]) -> None:
        old, new = self.old.elements[id], self.new.elements.get(self.place(id))
        wrong = "the new version does not have it" if new is None else _differs(old, new, self)
        if wrong is None and new is not None and notes.get("joined") and self.place(str(notes.get("via"))) not in new.incoming:
            wrong = f"a token waits there that came by {notes.get('via')}, and no such flow leads to it any more"
        if wrong:
            self.verdict.problems.append(f"{self._label(id)}: {wrong}.")

    def _label(self, id: str) -> str:
        element = self.old.elements[id]
        return f"{element.label()} ({id})"

    def _load(self, body: dict[str, Any], scopes: list[dict[str, Any]]) -> None:
        for scope in scopes:
            scope["definition"] = self.target.id
            if "body" in scope:
                scope["body"] = self.place(scope["body"])
            for entry in _leaves(scope.get("undo", [])):
                entry["activity"] = self.place(entry["activity"])
                if "handler" in entry:
                    entry["handler"] = self.place(entry["handler"])
            scope["tokens"] = [self._token(*token) for token in scope["tokens"]]
        gone = {t[0] for scope in scopes for t in scope["tokens"] if t[1] is None}
        dropped = [(t, scope) for scope in scopes for t in scope["tokens"] if t[0] in gone]
        for scope in scopes:
            scope["tokens"] = [t for t in scope["tokens"] if t[0] not in gone]
        try:
            run = self.run = state.load(body, self.env)
            for token, _ in dropped:
                run.effects.add(Closed(token[0], tuple(token[4].get("waits", ())), False))
            for scope in [run.scopes[s["id"]] for s in scopes]:
                self._listen(scope)
            run.drain()
        except CarelaneError as error:
            self.verdict.problems.append(error.message)

    def _token(self, id: str, element: str, at: int, data: Any, notes: dict[str, Any]) -> list[Any]:
        new: str | None = self.place(element)
        if new not in self.new.elements:  # an event that only listened and is drawn no more
            self.verdict.changes.append(f"{self._label(element)} listens no more.")
            new = None
        elif new != element:
            self.verdict.changes.append(f"{self._label(element)} goes on at {new}.")
        moved = {key: self.place(value) if key in NOTED_ELEMENTS else value for key, value in notes.items()}
        if "via" in moved:
            moved["via"] = self.place(str(moved["via"]))
        return [id, new, at, data, moved]

    def _listen(self, scope: Scope) -> None:
        """Brings what a scope's tokens wait for up to date: changed events, new boundary events, new event subprocesses."""
        back = {new: old for old, new in self.mapping.items()}
        for token in list(scope.tasks.values()):
            old = self.old.elements[back.get(token.element.id, token.element.id)]
            if old.events != token.element.events and _listens(token):
                self._listen_anew(token)
        for token in [t for t in scope.live() if "iteration" not in t.notes and t.notes.get("waits") and t.element.type in _WATCHED]:
            watched = {t.element.id for t in scope.tasks.values() if t.notes.get("of") == token.id}
            for event in scope.compiled.boundaries.get(token.element.id, ()):
                if event.id not in watched and back.get(event.id, event.id) not in self.old.elements:
                    waits.arm(scope, event, "boundary", of=token.id)
                    self.verdict.changes.append(f"{event.label()} ({event.id}) listens from now on.")
        listening = {t.element.id for t in scope.tasks.values() if t.notes.get("armed") == "start"}
        for subprocess, start in scope.compiled.event_subprocesses.get(scope.body, ()):
            if start.id not in listening and back.get(start.id, start.id) not in self.old.elements:
                waits.arm(scope, start, "start", subprocess=subprocess.id)
                self.verdict.changes.append(f"{subprocess.label()} ({subprocess.id}) can begin from now on.")

    def _listen_anew(self, token: Token) -> None:
        run = token.scope.run
        kept = [kind for kind in token.notes["waits"] if kind.partition(":")[0] not in waits.WAITABLE and kind != "condition"]
        closed = tuple(kind for kind in token.notes["waits"] if kind not in kept)
        run.effects.add(Closed(token.id, closed, False))
        token.notes["waits"] = kept
        waits.wait_for_events(token)
        self.verdict.changes.append(f"{token.element.label()} ({token.element.id}) waits anew; a timer starts again.")


_WATCHED = frozenset({
    "userTask", "serviceTask", "sendTask", "receiveTask", "scriptTask", "businessRuleTask", "subProcess", "transaction", "callActivity",
})  # fmt: skip


def _listens(token: Token) -> bool:
    return any(kind.partition(":")[0] in waits.WAITABLE or kind == "condition" for kind in token.notes.get("waits", ()))


def _leaves(entries: Collection[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compensation entries with those inside them."""
    return [leaf for entry in entries for leaf in (entry, *_leaves(entry.get("inner", ())))]


def _differs(old: Element, new: Element, move: _Move) -> str | None:
    """Why a token cannot go on at `new`; None when it can."""
    if old.type != new.type:
        return f"it was a {old.type} and is a {new.type}"
    if (old.parent and move.place(old.parent)) != new.parent:
        return "it lies on another level"
    if (old.attached_to and move.place(old.attached_to)) != new.attached_to:
        return "it is attached to another activity"
    if _loop(old) != _loop(new):
        return "it is repeated in another way"
    if old.triggered != new.triggered or old.interrupting != new.interrupting:
        return "it interrupts differently"
    if (old.job_type, old.script is None, old.decision_id is None) != (new.job_type, new.script is None, new.decision_id is None):
        return "it does its work in another way"
    if [e.kind for e in old.events] != [e.kind for e in new.events]:
        return "it waits for events of another kind"
    if old.type == "eventBasedGateway" and {move.place(t) for t in _after(old, move.old)} != set(_after(new, move.new)):
        return "it waits for other events"
    return None


def _after(element: Element, model: ProcessModel) -> list[str]:
    return [model.flows[flow].target for flow in element.outgoing]


def _loop(element: Element) -> tuple[str, bool] | None:
    return None if element.loop is None else (element.loop.kind, element.loop.parallel)


def _rewrite_rows(session: Session, row: Instance, move: _Move) -> None:
    """The rows beside the state follow it: names, forms and roles of open tasks, element ids everywhere."""
    assert move.run is not None
    for token in (t for s in move.run.scopes.values() if s.definition == move.target.id for t in s.tasks.values()):
        id, kinds = token.element.id, {wait.partition(":")[0] for wait in token.notes.get("waits", ())}
        mine = token.id + ".%"
        for table, wanted in ((Job, {"job", "timer"}), (Subscription, {"message", "signal"})):
            if kinds & wanted:
                of_token = (table.token == token.id) | table.token.like(mine)
                values = {"element_id": id} | ({"definition_id": move.target.id} if table is Subscription else {})
                session.execute(update(table).where(table.instance_id == row.id, of_token).values(**values))
        if "failed" in token.notes:
            session.execute(update(Incident).where(Incident.instance_id == row.id, Incident.token == token.id).values(element_id=id))
        if "task" in kinds:
            _rewrite_task(session, row, token, move.target.id)


def _rewrite_task(session: Session, row: Instance, token: Token, definition: str) -> None:
    element, spec = token.element, token.task_spec
    assert isinstance(spec, UserTask)
    offered = spec.offer(token)
    where = (Task.instance_id == row.id, Task.token == token.id, Task.state == "open")
    session.execute(
        update(Task).where(*where).values(
            definition_id=definition, element_id=element.id, name=element.label("en"), form_id=offered.form_id,
            names={lang: element.label(lang) for lang in ("zh", "en")}, role=offered.roles[0] if offered.roles else "",
            roles=list(offered.roles), users=list(offered.users), due=offered.due, follow_up=offered.follow_up, priority=offered.priority,
            offer=offer(offered.roles, offered.users), urgency=urgency(row.acuity, offered.priority, offered.due),
        )
    )  # fmt: skip
