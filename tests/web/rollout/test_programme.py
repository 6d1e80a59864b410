"""The programme's pages: what a project manager sees and decides."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from engine import clock
from engine.models.tables import Definition, Deployment, Resource
from engine.rollout import demo, routing
from engine.rollout.tables import Programme
from tests.engine.history.record_rows import Told
from tests.web.clinic import Clinic
from web.db import db

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def programme(clinic: Clinic) -> Programme:
    """The demonstration's programme, with both versions deployed and some weeks of visits."""
    session = db.session()
    session.add_all([Resource(hash="h", content=b""), Deployment(id="d", at=clock.now(), by="owner")])
    session.flush()
    for number, tag in ((8, "as-is"), (9, "to-be")):
        row = {"kind": "process", "key": demo.PROCESS, "version": number, "version_tag": tag}
        session.add(Definition(**row, hash="h", deployment_id="d", at=clock.now()))
    made = demo.seed(session, SHANGHAI)
    for ago, arm, door in [*((n, "as-is", 40) for n in range(14, 7, -1)), *((n, "to-be", 20) for n in range(7, 0, -1))]:
        for n in range(8):
            told = Told(session, clock.now() - timedelta(days=ago, minutes=n), arm=arm, department="internal_medicine")
            told.step("Task_Consult", 1, door + n, door + n + 5, tag="firstClinicianContact")
            told.end(door + 40)
    session.commit()
    return made


def path(programme: Programme) -> str:
    return f"/rollout/{programme.id}"


def milestone(programme: Programme, name: str) -> str:
    return next(m.id for m in programme.milestones if m.name == name)


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_list_shows_the_phase_and_where_each_department_stands(clinic: Clinic, programme: Programme) -> None:
    page = plain(clinic.person("pm").text("/rollout"))
    assert "Outpatient visits: pay once" in page
    assert "Pilot: internal medicine" in page
    assert "Internal medicine to-be" in page
    assert "Surgery as-is" in page


def test_as_is_stands_beside_to_be_with_its_counts(clinic: Clinic, programme: Programme) -> None:
    page = plain(clinic.person("pm").text(path(programme)))
    assert re.search(r"Door to doctor as-is 4\d min n = 56 to-be 2\d min n = 56", page)


def test_a_criterion_that_is_met_says_so_and_one_without_visits_says_too_few(clinic: Clinic, programme: Programme) -> None:
    page = clinic.person("pm").text(path(programme))
    safe = page[page.index(f'id="m-{milestone(programme, "Pilot is safe to continue")}"') :]
    assert "✓ met" in safe[: safe.index("</article>")]
    last = page[page.index(f'id="m-{milestone(programme, "Surgery gate: settle?")}"') :]
    assert "… too few" in last[: last.index("</article>")]


def test_the_gantt_has_a_table_that_says_the_same(clinic: Clinic, programme: Programme) -> None:
    page = clinic.person("pm").text(path(programme))
    drawn = set(re.findall(r'<text class="name(?: phase)?"[^>]*>([^<]+)<', page))
    table = plain(page[page.index("The plan as a table") : page.index("</details>", page.index("The plan as a table"))])
    assert len(drawn) == len(programme.phases) + len(programme.milestones)
    assert [name for name in drawn if name not in table] == []


def test_the_page_speaks_chinese(clinic: Clinic, programme: Programme) -> None:
    page = plain(clinic.person("pm", "zh").text(path(programme)))
    for words in ("门诊就诊：一次付费、并行检查", "里程碑", "到院至见医生", "试点关口：是否推广", "新就诊采用的版本", "改进版"):
        assert words in page


def test_a_switch_asks_first_and_then_routes_new_visits(clinic: Clinic, programme: Programme) -> None:
    pm = clinic.person("pm")
    assert "begin on to-be from the moment you confirm" in plain(pm.text(f"{path(programme)}/switch/surgery"))
    assert routing.route(db.session(), demo.PROCESS, "surgery").arm == "as-is"
    answer = pm.post(f"{path(programme)}/switch/surgery", {"tag": "to-be", "why": "pilot went well"}, follow_redirects=True)
    assert "New visits of Surgery take to-be" in answer.get_data(as_text=True)
    assert routing.route(db.session(), demo.PROCESS, "surgery").arm == "to-be"
    rule = routing.rules(db.session(), demo.PROCESS)[0]
    assert (rule.by, rule.why) == ("pm", "pilot went well")


def test_a_roll_back_is_offered_where_the_new_version_runs(clinic: Clinic, programme: Programme) -> None:
    pm = clinic.person("pm")
    assert "Roll back Internal medicine" in pm.text(f"{path(programme)}/switch/internal_medicine")
    pm.post(f"{path(programme)}/switch/internal_medicine", {"tag": "as-is", "why": "deposit desk too slow"})
    assert routing.route(db.session(), demo.PROCESS, "internal_medicine").arm == "as-is"


def test_a_switch_without_a_reason_changes_nothing(clinic: Clinic, programme: Programme) -> None:
    answer = clinic.person("pm").post(f"{path(programme)}/switch/surgery", {"tag": "to-be", "why": " "}, follow_redirects=True)
    assert "Say why" in answer.get_data(as_text=True)
    assert routing.route(db.session(), demo.PROCESS, "surgery").arm == "as-is"


@pytest.mark.parametrize("login", ["owner", "doctor", "admin"])
def test_only_a_project_manager_switches(clinic: Clinic, programme: Programme, login: str) -> None:
    answer = clinic.person(login).post(f"{path(programme)}/switch/surgery", {"tag": "to-be", "why": "because"})
    assert answer.status_code == 403
    assert routing.route(db.session(), demo.PROCESS, "surgery").arm == "as-is"


def test_an_override_shows_beside_what_the_figures_say(clinic: Clinic, programme: Programme) -> None:
    pm, id_ = clinic.person("pm"), milestone(programme, "Pilot is safe to continue")
    answer = pm.post(f"{path(programme)}/milestones/{id_}/override", {"status": "amber", "why": "staff are tired"}, follow_redirects=True)
    page = plain(answer.get_data(as_text=True))
    assert "decided by Xu Ting; the figures say:" in page
    assert "staff are tired" in page


def test_the_process_owner_accepts_and_the_project_manager_may_not(clinic: Clinic, programme: Programme) -> None:
    id_ = milestone(programme, "Pilot is safe to continue")
    url = f"{path(programme)}/milestones/{id_}/accept"
    assert clinic.person("pm").post(url, {"why": "done"}).status_code == 403
    page = clinic.person("owner").post(url, {"why": "all criteria hold"}, follow_redirects=True).get_data(as_text=True)
    assert "3 milestones reached" in page


def test_an_action_is_ticked_and_unticked(clinic: Clinic, programme: Programme) -> None:
    pm = clinic.person("pm")
    action = next(a for a in programme.phases[1].actions if a.done is None)
    for done, expected in (("1", "pm"), ("0", None)):
        pm.post(f"{path(programme)}/actions/{action.id}", {"done": done})
        db.session.refresh(action)
        assert action.done_by == expected


def test_an_unknown_programme_or_department_is_not_found(clinic: Clinic, programme: Programme) -> None:
    pm = clinic.person("pm")
    assert pm.get("/rollout/nothing").status_code == 404
    assert pm.get(f"{path(programme)}/switch/nowhere").status_code == 404
