"""Cases of an old system moved: profiled, checked, tried, moved in batches, checked by a person, taken back. Twice is as once."""

from __future__ import annotations

import io
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as told
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import Conflict, InvalidForm, Refused
from engine.execution import check, instances, tasks
from engine.execution.tables import Event, Instance, Task
from engine.history import record
from engine.settings import Settings
from integrations.connections import book
from integrations.legacy import acceptance, profile, runs, source
from integrations.legacy.tables import LegacyCase, LegacyRow
from integrations.mappings import book as mappings
from integrations.patients import index
from integrations.patients.tables import Patient, PatientIdentifier

PROCESS = b"""<?xml version="1.0"?><bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="D" targetNamespace="x">
 <bpmn:process id="old_visit" isExecutable="true"><bpmn:startEvent id="Begin"><bpmn:outgoing>F1</bpmn:outgoing></bpmn:startEvent>
 <bpmn:userTask id="Task_Triage" name="Triage"><bpmn:extensionElements><zeebe:userTask/><zeebe:assignmentDefinition candidateGroups="triage_nurse"/>
 <zeebe:properties><zeebe:property name="carelane:tag" value="triage"/></zeebe:properties></bpmn:extensionElements>
 <bpmn:incoming>F1</bpmn:incoming><bpmn:outgoing>F2</bpmn:outgoing></bpmn:userTask>
 <bpmn:userTask id="Task_Exam" name="Examine"><bpmn:extensionElements><zeebe:userTask/><zeebe:assignmentDefinition candidateGroups="doctor"/>
 <zeebe:properties><zeebe:property name="carelane:tag" value="firstClinicianContact"/></zeebe:properties></bpmn:extensionElements>
 <bpmn:incoming>F2</bpmn:incoming><bpmn:outgoing>F3</bpmn:outgoing></bpmn:userTask>
 <bpmn:endEvent id="End"><bpmn:incoming>F3</bpmn:incoming></bpmn:endEvent>
 <bpmn:sequenceFlow id="F1" sourceRef="Begin" targetRef="Task_Triage"/><bpmn:sequenceFlow id="F2" sourceRef="Task_Triage" targetRef="Task_Exam"/>
 <bpmn:sequenceFlow id="F3" sourceRef="Task_Exam" targetRef="End"/></bpmn:process></bpmn:definitions>"""
MAPPING = """{
  "legacyCase": 病例号, "legacyPatient": 患者号, "legacyState": $code("old.state", 状态), "legacyElement": $code("old.place", 状态),
  "legacyStarted": $date(挂号时间), "legacyEnded": 离院时间 = "" ? null : $date(离院时间), "name": 姓名, "sex": $code("old.sex", 性别), "birthDate": $date(生日),
  "phone": 电话, "chiefComplaint": 主诉,
  "legacySteps": 分诊完成 = "" ? [] : [{"element": "Task_Triage", "entered": $date(挂号时间), "claimed": $date(分诊开始), "completed": $date(分诊完成), "by": 护士}]
}"""
TABLES = {
    "old.state": [("1", "open"), ("2", "open"), ("8", "completed"), ("9", "cancelled")],
    "old.place": [("1", "Task_Triage"), ("2", "Task_Exam"), ("8", ""), ("9", "")],
    "old.sex": [("男", "male"), ("女", "female")],
}
HEADS = "病例号,患者号,状态,挂号时间,分诊开始,分诊完成,离院时间,姓名,性别,生日,电话,主诉,护士"


def line(n: int, state: str = "8", **changes: str) -> str:
    over = state in ("8", "9")
    values = {
        "病例号": f"C{n}", "患者号": f"P{n}", "状态": state, "挂号时间": "2026-03-02 08:00", "分诊开始": "" if state == "1" else "2026-03-02 08:10",
        "分诊完成": "" if state == "1" else "2026-03-02 08:15",
        "离院时间": "2026-03-02 09:00" if over else "", "姓名": f"测{chr(0x4E00 + n * 37 % 20000)}{chr(0x5200 + n * 11 % 18000)}",
        "性别": "男", "生日": f"{1950 + n % 50}-0{1 + n % 9}-1{n % 10}", "电话": f"139{10000000 + n * 7919:08d}", "主诉": "咳嗽", "护士": "n07",
    }  # fmt: skip
    return ",".join({**values, **changes}.values())


def table(*lines: str) -> bytes:
    return "\r\n".join([HEADS, *lines, ""]).encode("gb18030")


@pytest.fixture
def ready(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """The process, the mapping and its code tables."""
    with sessions() as session:
        check.deploy(session, {"p.bpmn": PROCESS}, by="test")
        for key, rows in TABLES.items():
            body = {"rows": [{"code": code, "value": value} for code, value in rows], "otherwise": None}
            mappings.create(session, key, "codes", name_en=key, name_zh=key, by="test", body=body)
            mappings.publish(session, key, comment="1", by="test")
        mappings.create(session, "old.case", "fields", name_en="Case", name_zh="病例", by="test", body={"format": "csv", "expression": MAPPING})
        mappings.publish(session, "old.case", comment="1", by="test")
        session.commit()
    return sessions


def staged(ready: sessionmaker[Session], content: bytes, name: str = "儿科旧系统") -> str:
    with ready() as session:
        row = source.create(session, name, "oldhis", department="paediatrics", process_id="old_visit", mapping="old.case", by="engineer")
        source.from_file(session, row, io.BytesIO(content), "cases.csv", {"encoding": "gb18030"})
        session.commit()
        return row.id


def go(ready: sessionmaker[Session], migration: str, *kinds: str, by: str = "engineer", **more: Any) -> dict[str, int]:
    """Runs passes to their end; the last one's counts."""
    for kind in kinds:
        with ready() as session:
            target = runs.get(session, more["target"]) if "target" in more else None
            run = runs.begin(session, source.get(session, migration), kind, by=by, most=more.get("most"), target=target)
            session.commit()
        runs.finish(run.id)
    with ready() as session:
        return runs.get(session, run.id).counts


def batch(ready: sessionmaker[Session], migration: str) -> str:
    with ready() as session:
        return next(run.id for run in runs.of(session, migration) if run.kind == "move")


def everything(ready: sessionmaker[Session]) -> dict[str, Any]:
    """What a migration may make, to compare before and after."""
    with ready() as session:
        made = {
            table.__tablename__: session.scalar(select(func.count()).select_from(table))
            for table in (Instance, Task, Event, LegacyCase, PatientIdentifier)
        }
        return {**made, "patients": sorted(str(sorted(row.body.items())) for row in session.scalars(select(Patient)))}


def reasons(ready: sessionmaker[Session], migration: str) -> dict[int, str]:
    with ready() as session:
        rows = session.scalars(select(LegacyRow).where(LegacyRow.migration_id == migration, LegacyRow.state.in_(("rejected", "refused"))))
        return {row.number: "; ".join(one["text"] for one in row.reasons if one["severity"] == "error") for row in rows}


# ── the source ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_profile_tells_types_fill_ranges_codes_and_what_looks_wrong() -> None:
    rows = [
        {"no": str(n), "born": "1985-03-12", "sex": "男" if n % 2 else "女", "card": "110101198503120017", "note": ""} for n in range(1, 101)
    ]
    rows[5] |= {"born": "1900-01-01", "card": "110101198503120018", "note": "锟斤拷", "sex": " 男"}
    rows[6] |= {"no": "１２", "note": "N/A"}
    found = {one["name"]: one for one in profile.profile(rows, date(2026, 11, 22))["columns"]}
    assert {name: one["type"] for name, one in found.items()} == {
        "no": "integer",
        "born": "date",
        "sex": "text",
        "card": "id_card",
        "note": "text",
    }
    assert (found["no"]["low"], found["no"]["high"], found["born"]["low"]) == ("1", "100", "1900-01-01")
    assert found["sex"]["values"] == [["男", 51], ["女", 49]]
    assert (found["note"]["filled"], found["card"]["values"]) == (0.02, [])
    assert found["note"]["odd"] == {"garbled by a wrong encoding": 1, "stands for nothing": 1}
    assert (found["born"]["odd"], found["card"]["odd"]) == ({"a date that means none": 1}, {"an ID card that cannot be": 1})
    assert (found["sex"]["odd"], found["no"]["odd"]) == ({"spaces around it": 1}, {"full-width digits or letters": 1})


def test_rows_come_from_a_query_too(ready: sessionmaker[Session], tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("create table cases (no text, name text)")
        old.executemany("insert into cases values (?, ?)", [(f"C{n}", "王") for n in range(1200)])
    with ready() as session:
        book.put(session, "legacy", "sql", address={"timeout": 5}, secrets={"url": f"sqlite:///{tmp_path / 'old.db'}"})
        session.commit()
        row = source.create(session, "n", "oldhis", department="ent", process_id="old_visit", mapping="old.case", by="e")
        source.from_query(session, row, "legacy", "select * from cases order by no")
        assert (row.rows, row.profile["rows"]) == (1200, 1200)
        with pytest.raises(Refused, match="single SELECT"):
            source.from_query(session, row, "legacy", "delete from cases")


def test_what_a_migration_lacks_is_named(ready: sessionmaker[Session]) -> None:
    with ready() as session, pytest.raises(InvalidForm) as wrong:
        source.create(session, "", "Old HIS", department="ent", process_id="nothing", mapping="none", by="e")
    assert set(wrong.value.errors) == {"name", "source", "process_id", "mapping"}


# ── checking ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (line(1, 状态="5"), "code table"), (line(1, 病例号=""), "no number of the old system"), (line(1, 生日="1985-02-31"), "no date"),
        (line(1, 姓名=""), "no name"), (line(1, 离院时间="2026-03-02 07:00"), "before it began"), (line(1, 离院时间="2099-03-02 07:00"), "future"),
        (line(1, 分诊完成="2026-03-02 08:05"), "do not follow each other"), (line(1, 离院时间=""), "needs the time of its end"),
        (line(1, 患者号=""), "Nothing tells the patient"), (line(1) + ",more", "14 values for 13 columns"), (line(1, 性别="X"), "code table"),
    ],
    ids=["state", "case", "date", "name", "order", "future", "steps", "end", "who", "ragged", "code"],
)  # fmt: skip
def test_a_row_that_cannot_be_moved_is_rejected_with_its_reason(ready: sessionmaker[Session], bad: str, said: str) -> None:
    migration = staged(ready, table(bad, line(2)))
    counts = go(ready, migration, "check")
    assert (counts["rejected"], counts["valid"]) == (1, 1)
    assert said in reasons(ready, migration)[1]


def test_an_open_case_stands_only_where_a_token_may(ready: sessionmaker[Session]) -> None:
    with ready() as session:
        body = {"rows": [{"code": "1", "value": "End"}, {"code": "2", "value": "Begin"}, {"code": "8", "value": ""}], "otherwise": None}
        mappings.save_draft(session, "old.place", body, by="t")
        mappings.publish(session, "old.place", comment="2", by="t")
        session.commit()
    migration = staged(ready, table(line(1, "1"), line(2, "2")))
    go(ready, migration, "check")
    assert reasons(ready, migration) == {
        1: "A case on End would be over at once: it is an ended one.", 2: "Begin begins by itself when its event happens.",
    }  # fmt: skip


def test_the_same_case_twice_in_a_file_is_rejected_once(ready: sessionmaker[Session]) -> None:
    migration = staged(ready, table(line(1), line(2), line(1)))
    go(ready, migration, "check")
    assert reasons(ready, migration) == {3: "An earlier row has this case too."}


def test_nothing_is_moved_unchecked_or_without_a_dry_run(ready: sessionmaker[Session]) -> None:
    migration = staged(ready, table(line(1)))
    for kinds, said in (((), "Check the rows"), (("check",), "dry run first")):
        if kinds:
            go(ready, migration, *kinds)
        with ready() as session, pytest.raises(Refused, match=said):
            runs.begin(session, source.get(session, migration), "move", by="e")
    with ready() as session:
        runs.begin(session, source.get(session, migration), "dry", by="e")
        with pytest.raises(Conflict):
            runs.begin(session, source.get(session, migration), "dry", by="e")


# ── moving ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ended_cases_are_in_the_figures_with_their_own_times_and_say_where_they_came_from(
    ready: sessionmaker[Session], settings: Settings
) -> None:
    migration = staged(ready, table(line(1), line(2, "9")))
    assert go(ready, migration, "check", "dry", "move") == {
        "created": 2, "patients new": 2, "completed": 1, "cancelled": 1,
    }  # fmt: skip
    with ready() as session:
        done, gone = record.visits(session, "old_visit", tags=None)
        row = session.get_one(Instance, done.instance_id)
        first = session.scalars(select(Event).where(Event.instance_id == row.id).order_by(Event.id)).first()
        patient = index.by_identifier(session, settings, "oldhis", "P1")
    assert (done.outcome, gone.outcome, done.arm, done.department) == ("completed", "cancelled", "as-is", "paediatrics")
    assert (done.started, done.ended) == (datetime(2026, 3, 2, 0, tzinfo=UTC), datetime(2026, 3, 2, 1, tzinfo=UTC))
    (stay,) = done.occurrences
    assert (stay.element_id, stay.tag, stay.wait, stay.service) == ("Task_Triage", "triage", timedelta(minutes=10), timedelta(minutes=5))
    assert (row.state, row.business_key, row.started_by, row.subject) == ("completed", "C1", "legacy:oldhis", patient.id)
    assert first.detail["imported"] == "oldhis"
    assert first.detail["case"] == "C1"
    with ready() as session, pytest.raises(Refused):
        instances.set_variables(session, row.id, {"x": 1}, actor="a", reason="r")


def test_an_open_case_goes_on_where_it_stood(ready: sessionmaker[Session]) -> None:
    migration = staged(ready, table(line(1, "2"), line(2, "1")))
    go(ready, migration, "check", "dry", "move")
    with ready() as session:
        found = {row.business_key: row for row in session.scalars(select(Instance))}
        task = session.scalars(select(Task).where(Task.instance_id == found["C1"].id)).one()
        assert (task.element_id, task.department, task.subject) == ("Task_Exam", "paediatrics", found["C1"].subject)
        assert [view.element_id for view in instances.tokens(session, found["C2"].id)] == ["Task_Triage"]
        assert instances.variables(session, found["C1"].id)["chiefComplaint"] == "咳嗽"
        tasks.claim(session, task.id, user="doc", roles=["doctor"])
        done = tasks.complete(session, task.id, {}, user="doc")
        assert done.state == "completed"
        visit = next(v for v in record.visits(session, "old_visit", tags=None) if v.instance_id == done.id)
        assert [stay.element_id for stay in visit.occurrences] == ["Task_Triage", "Task_Exam", "End"]
        assert visit.outcome == "completed"


def test_a_patient_who_is_here_is_used_and_gets_only_what_was_missing(ready: sessionmaker[Session], settings: Settings) -> None:
    with ready() as session:
        ours = index.save(session, settings, {"name": "李雷", "sex": "male", "birthDate": "1980-01-01", "phone": "13900000000"})
        index.add_identifier(session, settings, ours.id, "oldhis", "P1")
        session.commit()
    migration = staged(
        ready, table(line(1, 姓名="李雷", 生日="1980-01-01", 电话="13911111111"), line(2, 患者号="P1", 姓名="李雷", 生日="1981-01-01"))
    )
    assert go(ready, migration, "check")["rejected"] == 1
    assert reasons(ready, migration) == {2: "Our record of this patient has another birthDate."}
    assert go(ready, migration, "dry") == go(ready, migration, "move")
    with ready() as session:
        assert session.scalars(select(Patient)).one().body["phone"] == "13900000000"


def test_somebody_who_may_be_a_patient_of_ours_waits_for_a_person(ready: sessionmaker[Session], settings: Settings) -> None:
    with ready() as session:
        index.save(session, settings, {"name": "李雷", "sex": "male", "birthDate": "1980-01-01"})
        session.commit()
    migration = staged(ready, table(line(1, 姓名="李雷", 生日="1980-01-01")))
    go(ready, migration, "check")
    assert "a person must decide first" in reasons(ready, migration)[1]


def test_several_cases_of_one_patient_make_one_patient(ready: sessionmaker[Session]) -> None:
    same = {"患者号": "P1", "姓名": "李雷", "生日": "1980-01-01", "电话": "13911111111"}
    migration = staged(ready, table(line(1, **same), line(2, **same), line(3, "2", **same)))
    assert go(ready, migration, "check", "dry") == go(ready, migration, "move")
    with ready() as session:
        assert session.scalar(select(func.count()).select_from(Patient)) == 1


def test_a_batch_again_and_the_same_file_again_change_nothing(ready: sessionmaker[Session]) -> None:
    content = table(*(line(n, random.Random(n).choice("1289")) for n in range(1, 30)))
    migration = staged(ready, content)
    go(ready, migration, "check", "dry", "move")
    before = everything(ready)
    assert go(ready, migration, "check", "dry", "move") == {"skipped": 29}
    other = staged(ready, content, "again")
    assert go(ready, other, "check", "dry", "move") == {"skipped": 29}
    assert everything(ready) == before


def test_a_case_that_is_here_with_other_content_is_not_overwritten(ready: sessionmaker[Session]) -> None:
    go(ready, staged(ready, table(line(1))), "check", "dry", "move")
    other = staged(ready, table(line(1, 主诉="发热")))
    go(ready, other, "check")
    assert "with other content" in reasons(ready, other)[1]


ROWS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 5), st.sampled_from("12895"), st.sampled_from(["", "13900000001", "123"])),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@told(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=ROWS, most=st.integers(1, 4))
def test_whatever_comes_a_dry_run_says_what_the_batch_does_twice_is_as_once_and_back_is_as_before(
    ready: sessionmaker[Session], rows: list[tuple[int, int, str, str]], most: int
) -> None:
    before = everything(ready)
    lines = [
        line(case, state, 患者号=f"P{person}", 姓名=f"人{person}", 生日=f"19{60 + person}-01-01", 电话=phone)
        for case, person, state, phone in rows
    ]
    migration = staged(ready, table(*lines))
    dry, moved = go(ready, migration, "check", "dry"), go(ready, migration, "move")
    assert dry == moved
    after = everything(ready)
    assert go(ready, migration, "dry", "move", most=most).get("created", 0) == 0
    assert everything(ready) == after
    with ready() as session:
        first = [run.id for run in runs.of(session, migration) if run.kind == "move"][-1]
    go(ready, migration, "back", target=first)
    assert everything(ready) == before


KILLED = """
import os, signal, sys
from pathlib import Path
import integrations
from engine import db
from engine.settings import Settings
from integrations.legacy import runs
settings = Settings(var_dir=Path(sys.argv[1]), port=18000)
integrations.load(sessions=db.sessions(db.open_engine(settings)), settings=settings)
runs.AT_ONCE, left, real = 5, [int(sys.argv[2])], runs._create
def then_die(*args):
    real(*args)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
runs._create = then_die
runs.LEASE *= 0
for run in runs.waiting():
    runs.finish(run)
"""


def test_a_batch_that_is_killed_goes_on_where_it_was(ready: sessionmaker[Session], settings: Settings) -> None:
    content = table(*(line(n, "128"[n % 3]) for n in range(1, 24)))
    migration = staged(ready, content)
    go(ready, migration, "check", "dry")
    with ready() as session:
        run = runs.begin(session, source.get(session, migration), "move", by="e")
        session.commit()
    for left in (8, 3, 12, 99):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(settings.var_dir), str(left)], cwd=Path.cwd(), capture_output=True, check=False
        )
        assert done.returncode == (0 if left == 99 else -signal.SIGKILL), done.stderr.decode()[-500:]
    with ready() as session:
        assert runs.get(session, run.id).counts["created"] == 23
        assert session.scalar(select(func.count()).select_from(Instance)) == 23
        assert session.scalar(select(func.count()).select_from(Patient)) == 23


# ── taking back ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_is_taken_back_whole(ready: sessionmaker[Session], settings: Settings) -> None:
    with ready() as session:
        ours = index.save(session, settings, {"name": "李雷", "sex": "male", "birthDate": "1980-01-01"})
        index.add_identifier(session, settings, ours.id, "oldhis", "P1")
        session.commit()
    before = everything(ready)
    migration = staged(ready, table(line(1, 姓名="李雷", 生日="1980-01-01"), line(2, "2"), line(3, "9")))
    assert go(ready, migration, "check", "dry", "move")["patients changed"] == 1
    assert go(ready, migration, "back", target=batch(ready, migration)) == {"returned": 3}
    assert everything(ready) == before
    assert go(ready, migration, "check", "dry", "move")["created"] == 3


def test_what_has_been_worked_on_since_is_refused_row_by_row_in_words(ready: sessionmaker[Session], settings: Settings) -> None:
    migration = staged(ready, table(line(1, "1"), line(2, "2"), line(3)))
    go(ready, migration, "check", "dry", "move")
    with ready() as session:
        task = session.scalars(select(Task).where(Task.element_id == "Task_Triage")).one()
        tasks.claim(session, task.id, user="nurse", roles=["triage_nurse"])
        third = session.scalars(select(Instance).where(Instance.business_key == "C3")).one()
        instances.start(session, "old_visit", {"patientId": third.subject}, actor="reg")
        session.commit()
    assert go(ready, migration, "back", target=batch(ready, migration)) == {"refused": 1, "returned": 2, "patients kept": 1}
    with ready() as session:
        run = runs.of(session, migration)[0]
        assert run.samples["refused"][0]["note"] == "nurse has begun Triage."
        assert "there are other visits of this patient" in run.samples["returned"][-1]["note"]
        assert session.scalar(select(func.count()).select_from(LegacyCase)) == 1


# ── acceptance ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sample_is_drawn_from_each_state_and_the_same_seed_draws_the_same(ready: sessionmaker[Session]) -> None:
    migration = staged(ready, table(*(line(n, "8" if n > 6 else "12"[n % 2]) for n in range(1, 41))))
    go(ready, migration, "check", "dry", "move")
    with ready() as session:
        run = runs.get(session, batch(ready, migration))
        first = [one.row_id for one in acceptance.draw(session, run, 10, seed=7)]
        again = [one.row_id for one in acceptance.draw(session, run, 10, seed=7)]
        other = [one.row_id for one in acceptance.draw(session, run, 10, seed=8)]
        strata = [one.stratum for one in acceptance.samples(session, run)]
    assert first == again != other
    assert (strata.count("open"), strata.count("completed")) == (3, 9)


def test_a_batch_is_signed_by_another_person_when_every_row_was_checked(ready: sessionmaker[Session]) -> None:
    migration = staged(ready, table(*(line(n) for n in range(1, 6))))
    go(ready, migration, "check", "dry", "move")
    with ready() as session:
        run = runs.get(session, batch(ready, migration))
        found = acceptance.draw(session, run, 3, seed=1)
        with pytest.raises(Refused, match="every row"):
            acceptance.sign(session, run, True, "", by="owner")
        with pytest.raises(Refused, match="what is wrong"):
            acceptance.judge(session, run, found[0].id, False, " ", by="owner")
        for one in found:
            acceptance.judge(session, run, one.id, one is not found[0], "电话少一位" if one is found[0] else "", by="owner")
        with pytest.raises(Refused, match="does not sign"):
            acceptance.sign(session, run, True, "", by="engineer")
        with pytest.raises(Refused, match="Say why"):
            acceptance.sign(session, run, True, "", by="owner")
        acceptance.sign(session, run, True, "电话由前台补正", by="owner")
        with pytest.raises(Conflict):
            acceptance.judge(session, run, found[0].id, True, "", by="owner")
        assert (run.accepted, run.signed_by) == (True, "owner")


@pytest.mark.slow
def test_how_fast_cases_are_moved(ready: sessionmaker[Session]) -> None:
    migration = staged(ready, table(*(line(n, "8" if n % 10 else "2") for n in range(1, 1001))))
    for kind in ("check", "dry", "move"):
        started = time.perf_counter()
        counts = go(ready, migration, kind)
        print(f"{kind}: {1000 / (time.perf_counter() - started):,.0f} rows/s {counts}")
    assert counts.get("created", 0) + counts.get("refused", 0) + counts.get("rejected", 0) == 1000
