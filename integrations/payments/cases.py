"""Each difference as a case: its own small process, an owner, a suggested action, a decision, and the day's signature."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, NotFound, Refused
from engine.execution import instances, tasks
from engine.execution.tables import Instance, Task
from integrations.payments.tables import Payment, PaymentEntry, ReconciliationDay, ReconciliationDifference

PROCESS = "reconciliation_difference"
ACTIONS = ("refund", "close", "repost", "accept")
RESOLVED = ("decided", "carried", "cleared", "moved")
_SUGGESTED = {
    "PROVIDER_LONG": "repost", "DUPLICATE": "refund", "STATUS_MISMATCH": "repost", "PLATFORM_ONLY": "close", "REFUND_MISSING": "accept",
}  # fmt: skip


def refund_number(difference_id: str) -> str:
    """The refund number of a difference that is decided by a refund: the next day's run knows it again."""
    return f"RD{difference_id}"


def judge(session: Session, item: ReconciliationDifference) -> None:
    """The first state of a new difference: a case of the day's cut waits; a refund made by an earlier decision is decided with it."""
    if item.kind == "CROSS_DAY":
        item.state = "carried"
        return
    cause = session.get(ReconciliationDifference, item.key.removeprefix("RD")) if item.line == "refund" else None
    same = item.platform is not None and item.platform == item.provider
    if cause is not None and cause.action == "refund" and item.his is None and same:
        item.state, item.action, item.decided, item.decided_by = "decided", "accept", clock.now(), cause.decided_by
        item.reason = f"{cause.key}: {cause.reason}"


def suggested(item: ReconciliationDifference) -> str:
    """The action that is offered first."""
    wanted = _SUGGESTED.get(item.kind, "accept")
    return wanted if wanted in feasible(item) else "accept"


def feasible(item: ReconciliationDifference) -> tuple[str, ...]:
    """What can be done from here: without a payment of ours there is nothing to refund, close or post."""
    if item.payment_id is None or item.line == "refund":
        return ("accept",)
    may = {"refund": bool(item.platform), "close": item.provider is None, "repost": item.his is None and bool(item.platform), "accept": True}
    return tuple(action for action in ACTIONS if may[action])


def suggested_amount(item: ReconciliationDifference) -> int:
    """What a refund would give back, in fen: all of a single payment, one of two, the surplus of a mismatch."""
    paid = abs(item.platform or 0)
    if item.kind == "DUPLICATE":
        return paid // 2 if len(item.lines.get("platform", ())) > 1 else paid
    if item.kind == "AMOUNT_MISMATCH" and item.his is not None and abs(item.his) < paid:
        return paid - abs(item.his)
    return paid


def begin(session: Session, item: ReconciliationDifference, *, actor: str) -> Instance | None:
    """Starts the difference's process once. None when it has one, needs none, or the process is not deployed."""
    if item.instance_id is not None or item.state != "open":
        return None
    day = session.get_one(ReconciliationDay, item.day_id)
    payment = session.get(Payment, item.payment_id) if item.payment_id else None
    amount = suggested_amount(item)
    variables = {
        "differenceId": item.id, "day": day.day, "connection": day.connection, "differenceKind": item.kind, "line": item.line,
        "orderKey": item.key, "hisAmount": item.his, "platformAmount": item.platform, "providerAmount": item.provider,
        "paymentId": item.payment_id, "patientId": payment.patient_id if payment else None, "visitNumber": _visit(session, payment),
        "suggestedAction": suggested(item), "feasible": list(feasible(item)), "refundId": refund_number(item.id), "amount": amount,
        "chargeItems": [{"code": "RECONCILIATION", "name": f"补记 {item.key}", "amount": amount}],
    }  # fmt: skip
    try:
        made = instances.start(session, PROCESS, variables, business_key=f"{day.day} {item.key}"[:100], actor=actor)
    except NotFound:
        return None
    item.instance_id = made.id
    session.flush()
    return made


def begin_open(session: Session, *, actor: str, most: int = 100) -> int:
    """Starts the processes of open differences that have none, oldest first; a bad day is worked off in portions."""
    query = select(ReconciliationDifference).filter_by(state="open", instance_id=None).order_by(ReconciliationDifference.id).limit(most)
    return sum(begin(session, item, actor=actor) is not None for item in session.scalars(query))


def get(session: Session, difference_id: str) -> ReconciliationDifference:
    """The difference, or NotFound."""
    found = session.get(ReconciliationDifference, difference_id)
    if found is None:
        raise NotFound
    return found


def take(session: Session, item: ReconciliationDifference, owner: str, *, by: str) -> None:
    """Gives a difference an owner: the first step of its process."""
    _open(item)
    begin(session, item, actor=by)
    task = _task(session, item, "Task_Assign")
    if task is not None:
        tasks.complete(session, task.id, {"owner": owner}, user=by)
    item.owner = owner
    session.flush()


def act(session: Session, item: ReconciliationDifference, action: str, reason: str, *, by: str) -> None:
    """Decides what is done: the second step of its process, which then does it. Raises Refused for what cannot be done."""
    _open(item)
    if action not in feasible(item):
        raise Refused(f"{action} cannot be done here; what can be done: {', '.join(feasible(item))}")
    if not reason.strip():
        raise Refused("A decision needs its reason.")
    if item.owner is None:
        take(session, item, by, by=by)
    task = _task(session, item, "Task_Act")
    if task is None:
        if item.instance_id is not None:
            raise Conflict("This difference is being worked on; look again in a moment.")
        raise Refused("The process reconciliation_difference is not deployed, so nothing can be done here.")
    tasks.complete(session, task.id, {"action": action, "reason": reason.strip()}, user=by)


def decided(session: Session, difference_id: str, action: str, reason: str, *, by: str) -> ReconciliationDifference:
    """Writes a decision that was carried out. The same decision again changes nothing; another one is refused."""
    item = get(session, difference_id)
    if item.state == "decided" and item.action == action:
        return item
    _open(item)
    item.state, item.action, item.reason, item.decided, item.decided_by = "decided", action, reason, clock.now(), by
    item.owner = item.owner or by
    session.flush()
    return item


def doer(session: Session, item: ReconciliationDifference) -> str | None:
    """Who completed the deciding step of a difference's process."""
    query = select(Task.ended_by).where(Task.instance_id == item.instance_id, Task.element_id == "Task_Act", Task.state == "completed")
    return session.scalars(query.order_by(Task.id.desc())).first()


def withdraw(session: Session, item: ReconciliationDifference, why: str, *, by: str) -> None:
    """Ends the process of a difference that is none any more."""
    instance = session.get(Instance, item.instance_id) if item.instance_id else None
    if instance is not None and instance.state not in ("completed", "cancelled"):
        instances.cancel(session, instance.id, why, actor=by)
    item.instance_id = None


def undecided(session: Session, row: ReconciliationDay) -> int:
    """How many differences of a day have no decision."""
    query = select(func.count()).select_from(ReconciliationDifference)
    return int(session.scalar(query.where(ReconciliationDifference.day_id == row.id, ReconciliationDifference.state == "open")) or 0)


def sign(session: Session, row: ReconciliationDay, *, by: str, note: str = "") -> ReconciliationDay:
    """Signs a day off: who, when, over which totals. Refused while it waits for its bill or a difference has no decision."""
    if row.signed_at is not None:
        raise Conflict(f"{row.signed_by} has signed this day already.")
    if row.state != "open":
        raise Refused("This day has no bill yet.")
    left = undecided(session, row)
    if left:
        raise Refused(f"{left} differences have no decision yet.")
    query = select(ReconciliationDifference).filter_by(day_id=row.id).order_by(ReconciliationDifference.line, ReconciliationDifference.key)
    rows = [plain(item) for item in session.scalars(query)]
    snapshot: dict[str, Any] = {"sides": row.sides, "classes": row.classes, "differences": rows, "compared": row.digest}
    snapshot["digest"] = hashlib.sha256(json.dumps(snapshot, sort_keys=True).encode()).hexdigest()
    row.signed, row.signed_by, row.signed_note, row.signed_at, row.state = snapshot, by, note.strip() or None, clock.now(), "signed"
    session.flush()
    return row


def plain(item: ReconciliationDifference) -> dict[str, Any]:
    """A difference as the signed report holds it."""
    names = ("kind", "line", "key", "his", "platform", "provider", "state", "owner", "action", "reason", "decided_by", "cleared_day")
    return {name: getattr(item, name) for name in names}


def _open(item: ReconciliationDifference) -> None:
    if item.state != "open":
        raise Conflict(f"This difference is {item.state} already.")


def _task(session: Session, item: ReconciliationDifference, element: str) -> Task | None:
    return session.scalars(select(Task).filter_by(instance_id=item.instance_id, element_id=element, state="open")).first()


def _visit(session: Session, payment: Payment | None) -> str | None:
    """The visit number of a payment, from the process that made it."""
    if payment is None or payment.instance_id is None:
        return None
    known = session.get(Instance, payment.instance_id)
    number = instances.variables(session, known.id).get("visitNumber") if known is not None else None
    return str(number or payment.order_id)


def attempts(session: Session, payment_id: str) -> list[PaymentEntry]:
    """A payment's lines in order, for the page of a difference."""
    return list(session.scalars(select(PaymentEntry).filter_by(payment_id=payment_id).order_by(PaymentEntry.at, PaymentEntry.id)))
