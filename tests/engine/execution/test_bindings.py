"""Which version of a decision, a form or a process an element takes: the newest, its own deployment's, or a tag's."""

from __future__ import annotations

import json

import pytest

from engine import clock
from engine.errors import InvalidModel, NotFound
from engine.execution import check, instances, tasks
from engine.execution.play import Library, play
from engine.execution.tables import Task
from engine.models.elements import Wanted
from engine.models.tables import Definition
from tests.engine.build import call, diagram, element, end, pool, process, script, start, tag, user
from tests.engine.world import Stored

TAGGED = {"bindingType": "versionTag", "versionTag": "winter"}
DEPLOYED = {"bindingType": "deployment"}
LATEST: dict[str, str] = {}


def decision(result: int, tagged: str | None = None) -> bytes:
    said = f'<extensionElements><z:versionTag value="{tagged}"/></extensionElements>' if tagged else ""
    return (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:z="http://camunda.org/schema/zeebe/1.0" id="d" name="d"'
        f' namespace="n"><decision id="fee" name="Fee">{said}<literalExpression><text>{result}</text></literalExpression></decision></definitions>'
    ).encode()


def form(field: str, tagged: str | None = None) -> bytes:
    schema = {"id": "vitals", "components": [{"type": "textfield", "key": field, "id": field, "label": field}], "versionTag": tagged}
    return json.dumps({key: value for key, value in schema.items() if value}).encode()


def visit(bound: dict[str, str]) -> bytes:
    """A pause, then a task with a form, then a decision, all in the wanted version."""
    shown = tag("zeebe_formDefinition", formId="vitals", **bound)
    taken = tag("zeebe_calledDecision", decisionId="fee", resultVariable="fee", **bound)
    rules = element("businessRuleTask", "b", ext=taken)
    return process(
        start(), user("pause", groups="doctor"), rules, user("t", groups="doctor", ext=shown), end(), flows="start -> pause -> b -> t -> end"
    )


def deploy(stored: Stored, **files: bytes) -> list[str]:
    """Deploys a minute later; what was created."""
    stored.later(minutes=1)
    with_ends = {name.replace("_", "."): content for name, content in files.items()}
    with clock.at(stored.now):
        return sorted(d.key for d in check.deploy(stored.session, with_ends, by="test").created())


def ending(stored: Stored) -> tuple[object, list[str]]:
    """What the running visit decides, and the fields of the form that it then shows."""
    stored.complete("pause")
    task = stored.session.query(Task).filter_by(element_id="t", state="open").one()
    shown = tasks.form_of(stored.session, task)
    assert shown is not None
    return instances.variables(stored.session, task.instance_id)["fee"], [field.key for field in shown.inputs]


@pytest.mark.parametrize(
    ("bound", "seen"), [(TAGGED, (1, ["old"])), (DEPLOYED, (1, ["old"])), (LATEST, (2, ["new"]))], ids=["tag", "deployment", "latest"]
)
def test_a_later_deployment_changes_a_running_visit_only_where_the_newest_is_wanted(
    stored: Stored, bound: dict[str, str], seen: tuple[int, list[str]]
) -> None:
    deploy(stored, p_bpmn=visit(bound), d_dmn=decision(1, "winter"), f_form=form("old", "winter"))
    stored.start()
    assert deploy(stored, d_dmn=decision(2, "summer"), f_form=form("new", "summer")) == ["fee", "vitals"]
    assert ending(stored) == seen


def test_the_newest_at_its_deployment_when_nothing_was_deployed_with_it(stored: Stored) -> None:
    deploy(stored, d_dmn=decision(1), f_form=form("old"))
    deploy(stored, d_dmn=decision(2), f_form=form("new"))
    deploy(stored, p_bpmn=visit(DEPLOYED))
    stored.start()
    deploy(stored, d_dmn=decision(3), f_form=form("newest"))
    assert ending(stored) == (2, ["new"])


def test_a_process_deployed_again_with_a_new_decision_takes_it(stored: Stored) -> None:
    files = {"p_bpmn": visit(DEPLOYED), "f_form": form("old")}
    assert deploy(stored, d_dmn=decision(1), **files) == ["fee", "p", "vitals"]
    assert deploy(stored, d_dmn=decision(1), **files) == []
    assert deploy(stored, d_dmn=decision(2), **files) == ["fee", "p"]
    stored.start()
    assert ending(stored) == (2, ["old"])


def test_so_does_a_process_that_calls_it(stored: Stored) -> None:
    outer = process(start(), call("c", "p", binding="deployment"), end(), flows="start -> c -> end", id="outer")
    files = {"o_bpmn": outer, "p_bpmn": visit(DEPLOYED), "f_form": form("old")}
    deploy(stored, d_dmn=decision(1), **files)
    assert deploy(stored, d_dmn=decision(2), **files) == ["fee", "outer", "p"]
    assert deploy(stored, d_dmn=decision(3)) == ["fee"]


def test_a_version_that_is_not_there_is_refused_by_name(stored: Stored) -> None:
    with pytest.raises(InvalidModel) as refused:
        deploy(stored, p_bpmn=visit(TAGGED), d_dmn=decision(1, "summer"), f_form=form("old"))
    assert {(p.rule, p.message) for p in refused.value.problems} == {
        ("decision-unknown", "The decision fee tagged winter is neither among the files nor deployed."),
        ("form-unknown", "The form vitals tagged winter is neither among the files nor deployed."),
    }
    outer = diagram(pool(start(), call("c", "p", binding="versionTag", tagged="winter"), end(), flows="start -> c -> end", id="outer"))
    deploy(stored, p_bpmn=process(start(), script("s", "=1", "x"), end(), flows="start -> s -> end"))
    with pytest.raises(InvalidModel, match="p tagged winter"):
        deploy(stored, o_bpmn=outer)


def test_each_decision_of_a_file_may_have_its_own_tag(stored: Stored) -> None:
    two = decision(1, "winter").replace(
        b"</definitions>", b'<decision id="other" name="Other"><literalExpression><text>1</text></literalExpression></decision></definitions>'
    )
    deploy(stored, d_dmn=two)
    assert {(d.key, d.version_tag) for d in stored.session.query(Definition)} == {("fee", "winter"), ("other", None)}


def test_files_that_are_played_together_resolve_tags() -> None:
    files = {
        "p.bpmn": visit(TAGGED),
        "a.dmn": decision(1, "winter"),
        "b.dmn": decision(2, "summer"),
        "a.form": form("old", "winter"),
        "b.form": form("new"),
    }
    played = play(files, auto=True)
    assert (played.status, played.variables["fee"], "old" in played.variables) == ("completed", 1, True)
    latest = play(files | {"p.bpmn": visit(LATEST)}, auto=True)
    assert (latest.variables["fee"], "new" in latest.variables) == (2, True)


def test_a_tag_that_is_not_among_the_files_is_an_incident() -> None:
    played = play({"p.bpmn": visit(TAGGED), "b.dmn": decision(2, "summer")}, auto=True)
    assert (played.status, played.incidents[0]["element"]) == ("incident", "b")
    with pytest.raises(NotFound, match="fee tagged winter"):
        Library({"b.dmn": decision(2)}).decide(Wanted("fee", "versionTag", "winter"), {}, "")
