"""Draws a queue ticket."""

from __future__ import annotations

from dataclasses import dataclass

from integrations import runtime
from integrations.connector import Work, connector
from integrations.queues import desk
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Who queues where."""

    department: str = about("Department", "科室")
    patient_id: str = about("Patient", "患者")
    acuity: int | None = about("Acuity, 1 most urgent", "分级（1 最急）", default=None)


@dataclass(frozen=True)
class Output:
    """The ticket."""

    ticket: str = about("Ticket", "排队号")
    ahead: int = about("Patients ahead", "前面人数")


@connector("queue.ticket", title=("Draw a queue ticket", "取排队号"), group=("Clinic", "门诊"), icon="ticket")
def ticket(given: Input, work: Work) -> Output:
    """Draws the next number of the department's day and says how many are ahead, by urgency.

    取科室当日的下一个号，并按病情分级给出前面的人数。
    """
    with runtime.transaction() as session:
        drawn = desk.draw(
            session, department=given.department, patient_id=given.patient_id, key=work.call.key, acuity=given.acuity,
            zone=runtime.settings().clinic_zone, instance_id=work.call.instance_id,
        )  # fmt: skip
        waiting = desk.ahead(session, department=given.department, acuity=given.acuity, instance_id=work.call.instance_id)
        return Output(drawn.ticket, waiting)
