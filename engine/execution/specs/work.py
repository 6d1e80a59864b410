"""Tasks that people, connectors, scripts and decisions do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.errors import ExpressionFailed
from engine.execution import feel
from engine.execution.effects import TaskOpened
from engine.execution.specs.activities import Activity
from engine.execution.specs.base import Stuck, feel_or_text, name_from
from engine.execution.timers import due_date
from engine.execution.tokens import Token
from engine.models.elements import EventDefinition


class UserTask(Activity):
    """Puts a task into an inbox and waits for its completion."""

    def begin(self, token: Token) -> bool:
        """Offers it to whoever may do it."""
        run, offered = token.scope.run, self.offer(token)
        token.notes["roles"] = list(offered.roles)
        run.wait(token, "task")
        run.effects.add(offered)
        return False

    def offer(self, token: Token) -> TaskOpened:
        """Works out who may do it, until when and how urgent it is."""
        e, run, variables = self.element, token.scope.run, token.variables()
        text = {key: None if value is None else feel_or_text(value, variables) for key, value in self._texts().items()}
        when = {key: None if not text[key] else due_date(text[key], run.env.zone) for key in ("due", "follow_up")}
        roles = names(text["candidate_groups"]) or ((e.lane_role,) if e.lane_role else ())
        return TaskOpened(
            token.id, token.scope.definition, e.id, text["form_id"], text["assignee"] or None, roles,
            names(text["candidate_users"]), when["due"], when["follow_up"], _priority(text["priority"]),
        )  # fmt: skip

    def _texts(self) -> dict[str, str | None]:
        e = self.element
        return {
            "form_id": e.form_id, "assignee": e.assignee, "candidate_groups": e.candidate_groups,
            "candidate_users": e.candidate_users, "due": e.due, "follow_up": e.follow_up, "priority": e.priority,
        }  # fmt: skip


class ServiceTask(Activity):
    """Writes a job for a connector and waits for its answer."""

    def begin(self, token: Token) -> bool:
        """Opens the job with the mapped inputs, or with all variables when none are mapped."""
        open_job(token)
        return False


class SendTask(Activity):
    """Calls a connector when it has one, else sends its message to other instances."""

    def begin(self, token: Token) -> bool:
        """Opens the job."""
        if self.element.job_type:
            open_job(token)
        else:
            throw_message(token, self.element.events)
        return False


class ScriptTask(Activity):
    """A FEEL script; with a job type it is a connector's work."""

    def begin(self, token: Token) -> bool:
        """Evaluates, or opens the job."""
        if self.element.job_type:
            open_job(token)
            return False
        value = feel.evaluate(self.element.script or "", token.variables())
        token.notes["result"] = {self.element.result_variable: value} if self.element.result_variable else {}
        return True


class BusinessRuleTask(Activity):
    """A decision; with a job type it is a connector's work."""

    def begin(self, token: Token) -> bool:
        """Decides, or opens the job."""
        if self.element.job_type:
            open_job(token)
            return False
        decision = name_from(self.element.decision_id, token.variables(), "decision")
        value = token.scope.run.env.decide(self.element.decision(decision), token.variables(), token.scope.definition)
        token.notes["result"] = {self.element.result_variable: value} if self.element.result_variable else {}
        return True


def open_job(token: Token) -> None:
    """A call of the element's connector."""
    e, run, variables = token.element, token.scope.run, token.variables()
    retries = feel_or_text(e.retries, variables) if e.retries else None
    payload = dict(token.data) if e.inputs else dict(variables)
    run.open_job(token, "call", name_from(e.job_type, variables, "job type"), payload, int(retries) if retries is not None else None)


def throw_message(token: Token, events: Iterable[EventDefinition]) -> None:
    """A message to whichever instance waits for it."""
    variables = token.variables()
    for event in events:
        if event.kind == "message":
            name = name_from(event.name, variables, "message's name")
            key = "" if event.correlation is None else name_from(f"={event.correlation.removeprefix('=')}", variables, "correlation key")
            token.scope.run.open_job(token, "message", name, {"key": key, "payload": dict(token.data)}, None)
            return
    raise Stuck("model", f"{token.element.label()} has neither a connector nor a message to send.")


def names(value: Any) -> tuple[str, ...]:
    """Groups or users from a comma list or a FEEL list."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list):
        return tuple(str(part) for part in value)
    raise ExpressionFailed(f"{value!r} is neither a name nor a list of names.")


def _priority(value: Any) -> int:
    if value is None or value == "":
        return 50
    try:
        return max(0, min(100, int(value)))
    except (TypeError, ValueError) as error:
        raise ExpressionFailed(f"The priority {value!r} is no number from 0 to 100.") from error
