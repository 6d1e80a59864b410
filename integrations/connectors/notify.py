"""Shows an alert to a role or a department."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from integrations import runtime
from integrations.connector import Work, connector
from integrations.notices import board
from integrations.schema import about

LEVELS = {"info": ("information", "提示"), "warning": ("warning", "警告"), "alert": ("alert", "紧急")}


@dataclass(frozen=True)
class Input:
    """What to show to whom."""

    text: str = about("Text", "内容", personal=True)
    role: str | None = about("Role", "角色", default=None)
    department: str | None = about("Department", "科室", default=None)
    level: Literal["info", "warning", "alert"] = about("Level", "级别", default="info", choices=LEVELS)


@dataclass(frozen=True)
class Output:
    """Nothing comes back."""


@connector("notify", title=("Alert staff", "通知工作人员"), group=("Clinic", "门诊"), icon="bell")
def notify(given: Input, work: Work) -> Output:
    """Shows a line on the pages of a role, of a department, or of a role within a department.

    在某角色、某科室或某科室的某角色的页面上显示一条提醒。
    """
    with runtime.transaction() as session:
        board.raise_alert(
            session, given.text, key=work.call.key, level=given.level, role=given.role, department=given.department,
            instance_id=work.call.instance_id,
        )  # fmt: skip
    return Output()
