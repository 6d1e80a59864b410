"""The data dictionary: it names everything that the shipped processes use, and keeps what each field was."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import Conflict, InvalidForm, NotFound
from engine.models.read import read
from integrations.dictionary import book, exchange, used
from integrations.dictionary.book import Field

PROCESSES = Path(__file__).parents[2] / "processes"
BLOOD = Field("bloodGroup", "Blood group", "血型", type="code", codes="A | B | AB | O", owner="lab_technician")


def shipped_variables() -> dict[str, set[str]]:
    """Each variable of the shipped processes and forms, with the files that use it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(PROCESSES.rglob("*.bpmn")):
        for model in read(path.read_bytes(), path.name):
            for name in used.variables(model):
                found[name].add(str(path.relative_to(PROCESSES)))
    for path in sorted(PROCESSES.rglob("*.form")):
        for name in used.of_form(orjson.loads(path.read_bytes())):
            found[name].add(str(path.relative_to(PROCESSES)))
    return found


def test_every_variable_of_the_shipped_processes_is_in_the_dictionary() -> None:
    found = shipped_variables()
    assert len(found) > 100
    assert {name: files for name, files in found.items() if name not in book.shipped()} == {}


def test_every_shipped_field_is_whole() -> None:
    assert {key: wrong for key, field in book.shipped().items() if (wrong := book.problems(field))} == {}
    assert [key for key, field in book.shipped().items() if not field.owner] == []


def test_a_form_of_choices_and_the_dictionary_know_the_same_codes() -> None:
    """A code that a form offers and the dictionary does not know would be a finding on our own data."""
    missing = {}
    for path in sorted(PROCESSES.rglob("*.form")):
        for one in orjson.loads(path.read_bytes())["components"]:
            field = book.shipped().get(str(one.get("key")))
            if field is not None and field.type == "code" and field.choices:
                unknown = {str(value["value"]) for value in one.get("values", ())} - set(field.choices)
                if unknown:
                    missing[f"{path.name} {one['key']}"] = unknown
    assert missing == {}


def test_a_shipped_field_that_the_clinic_changed_keeps_its_history(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        first = book.field(session, "phone")
        changed = book.save(session, replace(first, name_zh="联系电话"), by="owner", comment="As on the form", expected=0)
        assert (changed.revision, book.fields(session)["phone"].name_zh) == (1, "联系电话")
        ((row, parts),) = book.history(session, "phone")
        assert (row.by, parts) == ("owner", {"name_zh": ("手机号码", "联系电话")})
        assert book.save(session, changed, by="owner", comment="again").revision == 1, "the same again is no revision"
        with pytest.raises(Conflict):
            book.save(session, replace(changed, name_en="x"), by="other", comment="", expected=0)
        with pytest.raises(NotFound):
            book.field(session, "nix")


def test_export_and_import_are_the_same(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        book.save(session, replace(BLOOD, meaning_en='=1+1, "quoted"\nline'), by="owner", comment="")
        content = exchange.export(session).encode()
        assert "'=1+1" in content.decode(), "no cell is a formula to a spreadsheet"
        done = exchange.load(session, content, by="owner", comment="back")
        assert (done.added, done.changed, len(done.unchanged)) == ([], [], len(book.fields(session)))


def test_a_wrong_line_stops_the_whole_import(sessions: sessionmaker[Session]) -> None:
    lines = ["key,name_en,name_zh,type,unit", "good,Good,好,text,", "bad,Bad,,quantity,furlong", "good,Good,好,text,"]
    with sessions() as session:
        with pytest.raises(InvalidForm) as refused:
            exchange.load(session, "\n".join(lines).encode(), by="owner", comment="")
        assert set(refused.value.errors) == {"line 3 (bad)", "good"}
        assert "good" not in book.fields(session)
        with pytest.raises(InvalidForm) as refused:
            exchange.load(session, b"a,b\n1,2\n", by="owner", comment="")
        assert "The column key is missing." in refused.value.errors["line 1"]


@pytest.mark.parametrize("unit", ["mmol/L", "10*9/L", "{score}", "{cells}/uL", "mm[Hg]", "Cel", "%", "μmol/l"])
def test_units_are_known_as_analysers_write_them(unit: str) -> None:
    assert book.problems(replace(BLOOD, type="quantity", unit=unit)) == {}
