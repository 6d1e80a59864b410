"""Gateways. Tokens that wait at a join stand there visibly, one for each flow they came by."""

from __future__ import annotations

from engine.execution.specs.base import ElementSpec, holding
from engine.execution.tokens import Token
from engine.models.elements import Flow


class ExclusiveGateway(ElementSpec):
    """Takes the first flow, in the diagram's order, whose condition holds, else the default."""

    def choose(self, token: Token) -> list[Flow]:
        """One flow."""
        flows = [token.scope.compiled.flow(id) for id in self.element.outgoing]
        if len(flows) < 2 and not any(flow.condition for flow in flows):
            return flows
        asked = [flow for flow in flows if flow.id != self.element.default]
        first = next(holding(token, asked), None)
        return self.default_flow(token) if first is None else [first]


class ParallelGateway(ElementSpec):
    """Waits for one token on each incoming flow, then goes on along all outgoing ones."""

    def enter(self, token: Token) -> bool:
        """Goes through when the other flows have their tokens; they are merged into this one."""
        needed = set(self.element.incoming) - {token.notes.get("via")}
        if not needed:
            return True
        waiting: dict[str, Token] = {}
        for other in token.scope.tasks.values():
            if other is not token and other.task_spec is self and other.notes.get("joined"):
                waiting.setdefault(str(other.notes.get("via")), other)
        if not needed <= waiting.keys():
            token.notes["joined"] = True
            return False
        for via in needed:
            token.scope.run.merge(waiting[via])
        return True

    def choose(self, token: Token) -> list[Flow]:
        """All flows: conditions mean nothing here."""
        return [token.scope.compiled.flow(id) for id in self.element.outgoing]


class InclusiveGateway(ElementSpec):
    """Takes every flow whose condition holds; a merge waits for all tokens that can still come."""

    def enter(self, token: Token) -> bool:
        """A merge waits: the run asks `ready_to_merge` when nothing else moves."""
        if len(self.element.incoming) < 2 or token.notes.pop("merged", False):
            return True
        token.notes["joined"] = True
        return False


def ready_to_merge(token: Token) -> list[Token] | None:
    """The waiting tokens to merge at `token`'s inclusive gateway; None while another one can still come.

    BPMN 2.0.2, 13.4.3: a token elsewhere is waited for when it can reach an empty incoming flow, unless it can also reach
    one that has a token already.
    """
    gateway, scope = token.element, token.scope
    here = [t for t in scope.live() if t.element.id == gateway.id and t.notes.get("joined")]
    full = {t.notes.get("via") for t in here}
    others = {t.element.id for t in scope.live() if t not in here}
    if others:
        empty = [f for f in gateway.incoming if f not in full]
        to_empty = {o for o in others if any(o in scope.compiled.reaching(f, gateway.id) for f in empty)}
        to_full = {o for o in others if any(o in scope.compiled.reaching(str(f), gateway.id) for f in full if f)}
        if to_empty - to_full:
            return None
    first: dict[str | None, Token] = {}
    for waiting in here:
        first.setdefault(waiting.notes.get("via"), waiting)
    return list(first.values())


class EventGateway(ElementSpec):
    """Arms the events behind it; the first to happen wins."""

    records_entry = True

    def enter(self, token: Token) -> bool:
        """Arms."""
        run = token.scope.run
        for id in self.element.outgoing:
            flow = token.scope.compiled.flow(id)
            armed = run.new_token(token.scope, flow.target, armed="race", of=token.id, via=flow.id)
            run.wait_for_events(armed)
        run.wait(token, "race")
        return False
