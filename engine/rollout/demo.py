"""The demonstration's programme: two departments move from as-is to to-be, internal medicine first, surgery next."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.rollout.tables import Action, Criterion, Decision, Milestone, Phase, Programme, RouteRule

PROCESS = "outpatient_visit"
PILOT, NEXT = "internal_medicine", "surgery"
PILOT_BEGAN = 7  # days ago; the demonstration's visits of the days before are as-is
BASELINE_BEGAN = 14  # days ago


class Plan(NamedTuple):
    """A phase: days from today, and its actions as (day due, owner, English, Chinese)."""

    starts: int
    ends: int
    department: str | None
    en: str
    zh: str
    actions: tuple[tuple[int, str, str, str], ...]


PHASES = (
    Plan(-28, -8, None, "Prepare", "准备", (
        (-24, "owner", "Draw the as-is process with the windows' staff", "与各窗口人员一起绘制现状流程"),
        (-20, "owner", "Draw the to-be process and simulate it", "绘制目标流程并仿真"),
        (-14, "pm", "Agree metrics, thresholds and windows before any data are seen", "在看到数据之前商定指标、阈值与观察期"),
        (-10, "engineer", "Test payment notifications against the provider", "与支付机构联调支付通知"),
        (-9, "nurse", "Train the triage desk", "培训分诊台"),
    )),
    Plan(-7, 13, PILOT, "Pilot: internal medicine", "试点：内科", (
        (-7, "pm", "Switch internal medicine to to-be", "内科切换到目标流程"),
        (-2, "pm", "First week's review with doctors and cashiers", "与医生、收费员复盘第一周"),
        (5, "cashier", "Move one cashier from the window to the help desk", "一名收费员由窗口转到咨询台"),
        (10, "pm", "Collect staff feedback", "收集员工反馈"),
    )),
    Plan(14, 20, None, "Evaluate", "评估", (
        (15, "owner", "Compare pilot and baseline by clinic days", "按门诊日比较试点与基线"),
        (18, "pm", "Decide: expand, hold or roll back", "决定：推广、暂停或回退"),
    )),
    Plan(21, 42, NEXT, "Expand: surgery", "推广：外科", (
        (20, "surgeon", "Train surgery's doctors on joint orders", "培训外科医生开具合并医嘱"),
        (21, "pm", "Switch surgery to to-be", "外科切换到目标流程"),
        (40, "owner", "Compare surgery with its own baseline", "外科与自身基线比较"),
    )),
)  # fmt: skip

# due, owner, English, Chinese, department of its criteria (None: a person accepts it)
MILESTONES = (
    (-8, "owner", "Baseline agreed", "基线确认", None, ()),
    (-7, "pm", "Pilot started in internal medicine", "内科试点启动", None, ()),
    (5, "pm", "Pilot is safe to continue", "试点可安全继续", PILOT, ("lwbs", "door_to_doctor")),
    (14, "owner", "Pilot gate: expand?", "试点关口：是否推广", PILOT, ("payment_burden", "visit_cycle_time", "door_to_doctor", "lwbs")),
    (21, "pm", "Surgery switched", "外科切换", None, ()),
    (42, "owner", "Surgery gate: settle?", "外科关口：是否固化", NEXT, ("payment_burden", "visit_cycle_time", "door_to_doctor", "lwbs")),
)

CRITERIA: dict[str, dict[str, object]] = {
    "payment_burden": {"basis": "change", "threshold": -0.3, "rule": "interval"},
    "visit_cycle_time": {"basis": "change", "threshold": -0.1, "rule": "interval"},
    "door_to_doctor": {"threshold": 30.0},
    "lwbs": {"threshold": 0.05},
}


def seed(session: Session, zone: tzinfo) -> Programme:
    """Adds the demonstration's programme around today, with internal medicine already piloting; returns it if it is there."""
    there = session.scalar(select(Programme).where(Programme.process_id == PROCESS))
    if there is not None:
        return there
    today = clock.now().astimezone(zone).date()
    programme = Programme(
        name="Outpatient visits: pay once, examine in parallel",
        names={"en": "Outpatient visits: pay once, examine in parallel", "zh": "门诊就诊：一次付费、并行检查"},
        goal="Patients pay once instead of before every examination, and laboratory and imaging no longer wait for each other.",
        goals={"zh": "患者由“每项检查前各付一次”改为一次付费；检验与影像不再互相等待。"},
        process_id=PROCESS,
        owner="pm",
        measured_from=today - timedelta(days=BASELINE_BEGAN),
        created=_instant(today, -28, zone),
        phases=[_phase(position, plan, today, zone) for position, plan in enumerate(PHASES)],
        milestones=[_milestone(row, today, zone) for row in MILESTONES],
    )
    session.add(programme)
    session.flush()
    session.add(_pilot(programme, today, zone))
    session.flush()
    return programme


def _phase(position: int, plan: Plan, today: date, zone: tzinfo) -> Phase:
    actions = [
        Action(name=en, names={"en": en, "zh": zh}, owner=owner, due=_day(today, due), **_done(due, owner, today, zone))
        for due, owner, en, zh in plan.actions
    ]
    return Phase(
        position=position,
        name=plan.en,
        names={"en": plan.en, "zh": plan.zh},
        department=plan.department,
        starts=_day(today, plan.starts),
        ends=_day(today, plan.ends),
        actions=actions,
    )


def _done(due: int, owner: str, today: date, zone: tzinfo) -> dict[str, object]:
    return {"done": _instant(today, due, zone, hour=16), "done_by": owner} if due < 0 else {}


def _milestone(row: tuple[int, str, str, str, str | None, tuple[str, ...]], today: date, zone: tzinfo) -> Milestone:
    due, owner, en, zh, department, kpis = row
    criteria = [Criterion(position=n, kpi=kpi, department=department, **CRITERIA[kpi]) for n, kpi in enumerate(kpis)]
    milestone = Milestone(name=en, names={"en": en, "zh": zh}, due=_day(today, due), owner=owner, criteria=criteria)
    if due < 0:
        milestone.decisions = [
            Decision(
                at=_instant(today, due, zone, hour=17), by="owner", status="reached", computed="amber", why="评审会通过 / agreed in review"
            )
        ]
    return milestone


def _pilot(programme: Programme, today: date, zone: tzinfo) -> RouteRule:
    began = _instant(today, -PILOT_BEGAN, zone, hour=0)
    return RouteRule(
        programme_id=programme.id,
        process_id=PROCESS,
        department=PILOT,
        version_tag=programme.to_tag or "to-be",
        since=began,
        created=began,
        by="pm",
        why="准备阶段完成，开始试点 / preparation finished, the pilot begins",
    )


def _day(today: date, offset: int) -> date:
    return today + timedelta(days=offset)


def _instant(today: date, offset: int, zone: tzinfo, hour: int = 9) -> datetime:
    return datetime.combine(_day(today, offset), time(hour), zone)
