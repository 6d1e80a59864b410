"""Each KPI over visits whose figures a person can work out by hand."""

from __future__ import annotations

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest

from engine import clock
from engine.errors import InvalidModel
from engine.execution.tables import Instance
from engine.history.figures import Target, figures, targets
from engine.history.kpis import KPIS, kpi
from engine.history.record import visits
from engine.models.tables import Definition, Deployment, Resource
from tests.engine.history.record_rows import MONDAY, Told

SHANGHAI = ZoneInfo("Asia/Shanghai")


def figure(session, kpi_id: str, **more):
    return figures(session, "outpatient_visit", zone=SHANGHAI, ids=[kpi_id], **more)[0]


def seen(session, minutes: float, *, day: int = 0, **more) -> Told:
    """A visit whose doctor takes it up after `minutes`."""
    told = Told(session, MONDAY + timedelta(days=day), **more)
    told.step("Task_Consult", 5, minutes, minutes + 10, tag="firstClinicianContact")
    told.end(minutes + 20)
    return told


def test_door_to_doctor_ends_when_the_doctor_claims_not_when_the_task_appears(session) -> None:
    seen(session, 32)
    assert figure(session, "door_to_doctor").median == pytest.approx(32)


def test_door_to_doctor_starts_at_the_tagged_arrival_when_there_is_one(session) -> None:
    told = seen(session, 32)
    told.step("Event_Arrive", 2, None, 2, tag="arrival", type_="startEvent")
    assert figure(session, "door_to_doctor").median == pytest.approx(30)


def test_only_the_first_of_several_contacts_counts(session) -> None:
    told = seen(session, 32)
    told.step("Task_Review", 60, 65, 70, tag="firstClinicianContact")
    assert figure(session, "door_to_doctor").median == pytest.approx(32)


def test_a_patient_who_still_waits_has_no_value_and_is_counted_as_open(session) -> None:
    told = Told(session)
    told.step("Task_Consult", 5, None, None, tag="firstClinicianContact")
    seen(session, 20)
    found = figure(session, "door_to_doctor")
    assert (found.n, found.open, found.median) == (1, 1, pytest.approx(20))


def test_payment_burden_is_wait_plus_service_of_every_payment_step(session) -> None:
    told = Told(session)
    told.step("Task_Pay1", 10, 18, 20, tag="payment")
    told.step("Task_Pay2", 40, 41, 45, tag="payment")
    told.end(60)
    assert figure(session, "payment_burden").median == pytest.approx(15)
    assert figure(session, "payment_count").median == 2


def test_a_payment_call_and_the_steps_inside_it_are_counted_once(session) -> None:
    told = Told(session)
    told.step("Call_Payment", 10, None, 30, tag="payment", type_="callActivity")
    told.step("Task_Cashier", 12, 20, 28, tag="payment")
    told.end(60)
    assert figure(session, "payment_burden").median == pytest.approx(20)
    assert figure(session, "payment_count").median == 1


def test_a_visit_that_never_had_to_pay_has_a_burden_of_nought(session) -> None:
    Told(session).end(30)
    assert figure(session, "payment_burden").median == 0


def test_cycle_time_leaves_out_cancelled_and_running_visits(session) -> None:
    Told(session).end(50)
    cancelled = Told(session)
    cancelled.write(9, "cancelled")
    cancelled.end(9)
    Told(session)
    found = figure(session, "visit_cycle_time")
    assert (found.n, found.median, found.open) == (1, 50, 1)


def test_the_end_of_a_called_process_does_not_end_the_visit(session) -> None:
    told = Told(session)
    told.write(1, "started", process_id="triage")
    told.write(9, "ended", process_id="triage")
    (visit,) = visits(session, "outpatient_visit")
    assert visit.ended is None


def call(told: Told, process: str, scope: str, begin: float, end: float | None) -> None:
    """A called process inside the visit, with one payment step that takes half of it."""
    more = {"process_id": process, "scope": scope}
    told.write(begin, "started", **more)
    step = {**more, "element_type": "userTask", "tag": "payment", "token": f"{scope}t"}
    told.write(begin + 1, "entered", "Task_Pay", **step)
    told.write(begin + 4, "completed", "Task_Pay", **step)
    if end is not None:
        told.write(end, "ended", **more)


@pytest.fixture
def calls(session) -> Told:
    """A visit that called payment twice, the second time left by a boundary event; registered as an instance."""
    told = Told(session)
    session.add_all([Resource(hash="h", content=b""), Deployment(id="d", at=MONDAY, by="x")])
    session.flush()
    row = {"kind": "process", "key": "outpatient_visit", "version": 1, "hash": "h", "deployment_id": "d", "at": MONDAY}
    session.add(Definition(id="def", **row))
    session.flush()
    session.add(Instance(id=told.id, definition_id="def", process_id="outpatient_visit", version=1, started=MONDAY, body={}))
    call(told, "payment", "s2", 10, 20)
    call(told, "payment", "s3", 30, None)
    told.end(60)
    return told


@pytest.mark.usefixtures("calls")
def test_each_call_of_a_process_is_a_visit_of_its_own(session) -> None:
    first, second = visits(session, "payment", tags=("payment",))
    assert (first.outcome, second.outcome) == ("completed", "cancelled")
    assert [len(v.occurrences) for v in (first, second)] == [1, 1]
    found = figures(session, "payment", zone=SHANGHAI, ids=["visit_cycle_time", "payment_burden"])
    assert [(f.n, f.median) for f in found] == [(1, 10), (1, 3)]


@pytest.mark.usefixtures("calls")
def test_the_visit_counts_what_its_calls_did(session) -> None:
    (visit,) = visits(session, "outpatient_visit", tags=("payment",))
    assert len(visit.occurrences) == 2
    assert figure(session, "payment_burden").median == 6
    assert [v.process_id for v in visits(session)] == ["outpatient_visit"]


def test_lwbs_is_the_share_of_ended_visits_without_a_contact(session) -> None:
    for _ in range(3):
        seen(session, 30)
    left = Told(session)
    left.write(40, "cancelled")
    Told(session)  # still here: says nothing yet
    found = figure(session, "lwbs")
    assert (found.n, found.value) == (4, pytest.approx(0.25))


def test_rework_counts_visits_with_a_repeated_step_of_a_person(session) -> None:
    again = Told(session)
    again.step("Task_Vitals", 1, 2, 3)
    again.step("Task_Vitals", 4, 5, 6)
    again.end(9)
    once = Told(session)
    once.step("Task_Vitals", 1, 2, 3)
    once.end(9)
    assert figure(session, "rework").value == pytest.approx(0.5)


def test_a_process_called_twice_is_no_rework(session) -> None:
    told = Told(session)
    for token, scope in (("a", "s2"), ("b", "s3")):
        more = {"element_type": "userTask", "token": token, "scope": scope}
        told.write(1, "entered", "Task_ChooseChannel", **more)
        told.write(2, "completed", "Task_ChooseChannel", **more)
    told.end(9)
    assert figure(session, "rework").value == 0


def test_throughput_counts_days_that_are_over(session) -> None:
    for day, count in ((0, 4), (1, 6), (2, 8)):
        for _ in range(count):
            seen(session, 10, day=day)
    with clock.at(MONDAY + timedelta(days=2, hours=3)):
        found = figure(session, "throughput")
    assert (found.n, found.median) == (2, 5)


def test_the_clinic_day_is_the_clinics_not_the_servers(session) -> None:
    seen(session, 10, day=0)
    late = Told(session, MONDAY.astimezone(UTC).replace(hour=17))  # one in the morning of Tuesday in Shanghai
    late.step("Task_Consult", 5, 10, 20, tag="firstClinicianContact")
    late.end(30)
    assert figure(session, "door_to_doctor").days == 2


def test_arm_and_department_choose_the_visits_and_the_latest_department_counts(session) -> None:
    seen(session, 10, arm="as-is", department="surgery")
    seen(session, 20, arm="to-be", department="surgery")
    moved = Told(session, arm="to-be")
    moved.step("Task_Consult", 5, 40, 45, tag="firstClinicianContact")
    moved.department = "internal_medicine"
    moved.end(50)
    assert figure(session, "door_to_doctor", arm="to-be", department="surgery").median == 20
    assert figure(session, "door_to_doctor", department="internal_medicine").median == 40


def test_a_figure_is_held_against_its_target(session) -> None:
    seen(session, 32)
    found = figure(session, "door_to_doctor", targets={"door_to_doctor": Target(30)})
    assert (found.target, found.met) == (30, False)
    assert figure(session, "door_to_doctor", targets={"door_to_doctor": Target(32)}).met is True


def test_the_period_is_that_of_the_start(session) -> None:
    seen(session, 10, day=0)
    seen(session, 20, day=1)
    found = figure(session, "door_to_doctor", since=MONDAY + timedelta(days=1), until=MONDAY + timedelta(days=2))
    assert (found.n, found.median) == (1, 20)


def test_targets_are_read_from_the_process_folder(tmp_path) -> None:
    (tmp_path / "triage").mkdir()
    (tmp_path / "triage" / "kpis.yaml").write_text("- {id: door_to_doctor, target: 30, unit: min, direction: down}\n")
    assert targets("triage", tmp_path) == {"door_to_doctor": Target(30, "lower")}
    assert targets("nothing", tmp_path) == {}


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("{id: happiness, target: 3}", "kpi-unknown"),
        ("{id: lwbs, target: few}", "kpi-target"),
        ("{id: lwbs, target: 2, unit: min}", "kpi-unit"),
        ("{id: lwbs, target: 0.02, direction: sideways}", "kpi-direction"),
    ],
)
def test_a_bad_target_is_named(tmp_path, row: str, rule: str) -> None:
    (tmp_path / "triage").mkdir()
    (tmp_path / "triage" / "kpis.yaml").write_text(f"- {row}\n")
    with pytest.raises(InvalidModel) as raised:
        targets("triage", tmp_path)
    assert [p.rule for p in raised.value.problems] == [rule]


def test_every_kpi_says_what_it_counts_in_both_languages() -> None:
    for known in KPIS.values():
        assert known.definition
        assert known.label("zh") != known.label("en")


def test_a_new_kpi_needs_one_function_only(session) -> None:
    @kpi("Steps", "步骤数", unit="count", types=("userTask",))
    def step_count(visit):
        """Steps of a visit."""
        return float(len(visit.occurrences))

    try:
        seen(session, 10)
        assert figures(session, "outpatient_visit", zone=SHANGHAI)[-1].median == 1
    finally:
        del KPIS["step_count"]
