"""Programmes: finding them, and the decisions that people take about their milestones and actions."""

from __future__ import annotations

from datetime import tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import NotFound, Refused
from engine.rollout import evaluation
from engine.rollout.tables import Action, Decision, Programme

OVERRIDES = ("green", "amber", "red")


def programmes(session: Session) -> list[Programme]:
    """All programmes, the newest first."""
    return list(session.scalars(select(Programme).order_by(Programme.created.desc())))


def get(session: Session, programme_id: str) -> Programme:
    """One programme; NotFound otherwise."""
    found = session.get(Programme, programme_id)
    if found is None:
        raise NotFound
    return found


def decide(session: Session, programme: Programme, milestone_id: str, status: str, *, why: str, by: str, zone: tzinfo) -> Decision:
    """Records a decision about a milestone, together with the figures of this moment.

    `reached` accepts it; green, amber or red override the computed state; `computed` withdraws the last decision. A reason is
    needed in each case.
    """
    if not why.strip():
        raise Refused("Say why: the reason stays beside the decision.")
    if status not in (*OVERRIDES, "reached", "computed"):
        raise Refused(f"{status!r} is no state of a milestone.")
    state = next((s for s in evaluation.states(session, programme, zone) if s.milestone.id == milestone_id), None)
    if state is None:
        raise NotFound
    if status == "computed" and state.decision is None:
        raise Refused("There is nothing to withdraw: the computed state holds.")
    decision = Decision(
        at=clock.now(), by=by, status=status, computed=state.computed, why=why.strip(), figures=evaluation.snapshot(state.results)
    )
    state.milestone.decisions.append(decision)
    session.flush()
    return decision


def finish(session: Session, programme: Programme, action_id: str, *, by: str, done: bool = True) -> Action:
    """Marks an action done, or open again."""
    action = next((a for phase in programme.phases for a in phase.actions if a.id == action_id), None)
    if action is None:
        raise NotFound
    action.done, action.done_by = (clock.now(), by) if done else (None, None)
    session.flush()
    return action
