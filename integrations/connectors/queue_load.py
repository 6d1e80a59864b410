"""Says how busy each department is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from integrations import runtime
from integrations.connector import Work, connector
from integrations.queues import desk
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Nothing is asked for."""


@dataclass(frozen=True)
class Output:
    """Each department's load."""

    departments: list[dict[str, Any]] = about("Departments: code, waiting, minutes", "各科室：代码、等候人数、预计分钟", default=[])  # noqa: RUF009  about() makes a field


@connector("queue.load", title=("How busy departments are", "各科室繁忙程度"), group=("Clinic", "门诊"), icon="ticket")
def load(given: Input, work: Work) -> Output:
    """Counts the patients who wait for a nurse or doctor in each department and estimates the minutes.

    统计各科室等候护士或医生的患者人数并估计等候时间。
    """
    with runtime.reading() as session:
        return Output([{"code": row.code, "waiting": row.waiting, "minutes": row.minutes} for row in desk.load(session)])
