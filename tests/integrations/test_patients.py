"""The patient index: who is who, how sure we are, and nothing readable at rest."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import BpmnError, Conflict, ConnectorFailed
from engine.execution.connectors import Call, get
from engine.settings import Settings
from integrations.patients import index, review
from integrations.patients.identity import IdCard, check_character, read_id_card, tidy_name, tidy_phone
from integrations.patients.match import compare
from integrations.patients.tables import PatientIdentifier

TODAY = date(2026, 11, 22)
WANG = {"name": "王小明", "sex": "male", "birthDate": "1985-03-12", "idCard": "110101198503120017", "phone": "13800138000"}


def call(type_: str, key: str, **values: Any) -> dict[str, Any]:
    return dict(get(type_).call(Call(type=type_, input=values, headers={}, key=key, instance_id="i", element_id="e")))


@pytest.fixture
def wang(sessions: sessionmaker[Session]) -> str:
    return str(call("patient.save", "wang", **WANG)["patientId"])


# ── identity ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_valid_id_card_gives_birth_date_and_sex() -> None:
    assert read_id_card(" 11010519491231002x ", TODAY) == IdCard("11010519491231002X", date(1949, 12, 31), "female")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("12345", "17 digits"),
        ("110105194912310021", "last character does not fit"),
        ("110105194913310020", "is no date"),
        ("110105202712310025", "cannot be"),
        ("11010517491231002X", "cannot be"),
        ("abc", "17 digits"),
    ],
)
def test_a_wrong_id_card_says_why(text: str, why: str) -> None:
    assert why in str(read_id_card(text, TODAY))


@given(st.from_regex(r"110105(19[3-9]\d|200\d)(0[1-9]|1[0-2])(0[1-9]|1\d|2[0-8])\d{3}", fullmatch=True), st.integers(0, 16), st.integers(1, 9))
def test_every_single_mistyped_digit_is_noticed(first17: str, place: int, shift: int) -> None:
    good = first17 + check_character(first17)
    assert isinstance(read_id_card(good, TODAY), IdCard)
    wrong = good[:place] + str((int(good[place]) + shift) % 10) + good[place + 1 :]
    assert isinstance(read_id_card(wrong, TODAY), str)


def test_names_and_phones_are_compared_without_their_dress() -> None:
    assert tidy_name("阿依·古丽") == tidy_name("阿依古丽")
    assert tidy_name(" 张　三 ") == "张三"
    assert tidy_phone("+86 138-0013-8000") == tidy_phone("１３８００１３８０００") == "13800138000"


# ── matching ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "grade"),
    [
        ({"idCard": WANG["idCard"]}, "certain"),
        ({"idCard": WANG["idCard"], "name": "王小明"}, "certain"),
        ({"idCard": WANG["idCard"], "name": "李红"}, "possible"),  # somebody else's card
        ({"name": "王小明", "birthDate": "1985-03-12", "phone": "13800138000"}, "probable"),  # no document: never certain
        ({"name": "王小明", "birthDate": "1985-03-12"}, "probable"),
        ({"name": "王小朋", "birthDate": "1985-03-12", "phone": "13800138000", "sex": "male"}, "probable"),  # mistyped, or a twin
        ({"name": "王小明"}, "possible"),
        ({"phone": "13800138000"}, "possible"),
        ({"phone": "13800138000", "name": "李红", "sex": "female"}, "certainly-not"),  # the family's phone
        ({"name": "王小明", "birthDate": "1985-03-12", "idCard": "110105194912310020"}, "possible"),  # two valid cards
        ({"name": "王小明", "birthDate": "1960-07-07", "sex": "female"}, "certainly-not"),
        ({"idCard": "110101198503120071", "name": "王小明", "birthDate": "1985-03-12"}, "probable"),  # two digits swapped
    ],
)
def test_grades(asked: dict[str, str], grade: str) -> None:
    assert compare(asked, WANG).grade == grade


def test_the_verdict_says_why() -> None:
    verdict = compare({"name": "王小朋", "birthDate": "1985-03-12", "phone": "13900000000"}, WANG)
    assert verdict.why == "same birth date; almost the same name; different phone"


@given(
    st.fixed_dictionaries({}, optional={k: st.sampled_from([v, "x" + str(v)[1:], "other"]) for k, v in WANG.items()}),
    st.fixed_dictionaries({}, optional={k: st.sampled_from([v, "x" + str(v)[1:], "other"]) for k, v in WANG.items()}),
)
def test_matching_does_not_depend_on_who_is_asked(left: dict[str, str], right: dict[str, str]) -> None:
    assert compare(left, right).grade == compare(right, left).grade
    assert compare(left, right).score == compare(right, left).score


# ── the connectors ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_certain_match_gives_the_patient(wang: str) -> None:
    found = call("patient.search", "s", idCard="11010119850312001 7", name="王小明")
    assert (found["match"], found["patientId"]) == ("certain", wang)
    assert found["candidates"][0]["idCardMasked"] == "110*************17"


def test_a_mistyped_name_still_finds_by_the_other_fields(wang: str) -> None:
    found = call("patient.search", "s", name="王晓明", birthDate="1985-03-12", phone="13800138000")
    assert (found["match"], found["patientId"]) == ("probable", None)
    assert found["candidates"][0]["patientId"] == wang


def test_nothing_found_and_nothing_asked_are_none(wang: str) -> None:
    for asked in ({"name": "赵六"}, {}):
        assert call("patient.search", "s", **asked) == {"match": "none", "patientId": None, "candidates": [], "idCardProblem": None}


def test_a_mistyped_id_card_is_said_and_the_rest_still_searched(wang: str) -> None:
    found = call("patient.search", "s", idCard="110101198503120018", name="王小明", birthDate="1985-03-12")
    assert "last character" in found["idCardProblem"]
    assert found["candidates"][0]["patientId"] == wang


def test_two_records_of_one_person_are_for_a_person_to_decide(wang: str, sessions: sessionmaker[Session], settings: Settings) -> None:
    other = call("patient.save", "other", name="王小明", medicalCard="M1")["patientId"]
    with sessions() as session:  # a legacy import brought the same card twice
        index.get(session, other).body = {**index.get(session, other).body, "idCard": WANG["idCard"]}
        index._index(session, settings, index.get(session, other))
        session.commit()
    found = call("patient.search", "s", idCard=WANG["idCard"])
    assert (found["match"], found["patientId"], len(found["candidates"])) == ("probable", None, 2)
    with sessions() as session:
        assert review.screen(session, settings) == 2
        assert [pair.review.grade for pair in review.pairs(session)] == ["certain"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"idCard": "110101198503120018"}, "last character"),
        ({"birthDate": "1985-03-13"}, "birth date"),
        ({"sex": "female"}, "sex"),
    ],
)
def test_an_identity_that_cannot_be_right_is_a_business_error(sessions: sessionmaker[Session], changes: dict[str, str], why: str) -> None:
    with pytest.raises(BpmnError, match=why) as refused:
        call("patient.save", "k", **{**WANG, **changes})
    assert refused.value.code == "IDENTITY_INVALID"


def test_a_second_record_with_the_same_card_is_a_business_error(wang: str) -> None:
    with pytest.raises(BpmnError) as refused:
        call("patient.save", "k2", **WANG)
    assert refused.value.code == "DUPLICATE_PATIENT"
    assert refused.value.variables == {"duplicateOf": wang}


def test_the_same_call_twice_makes_one_record(wang: str) -> None:
    assert call("patient.save", "wang", **WANG)["patientId"] == wang


def test_record_numbers_run(sessions: sessionmaker[Session]) -> None:
    numbers = [call("patient.save", f"k{n}", name="a")["medicalRecordNumber"] for n in range(3)]
    assert [number[-6:] for number in numbers] == ["000001", "000002", "000003"]


def test_changing_a_record_keeps_what_is_not_given_and_moves_the_index(wang: str) -> None:
    call("patient.save", "k2", patientId=wang, name="王晓明", phone="13911112222")
    assert call("patient.search", "s", phone="13800138000")["match"] == "none"
    found = call("patient.search", "s", phone="13911112222", idCard=WANG["idCard"])
    assert (found["patientId"], found["candidates"][0]["name"], found["candidates"][0]["birthDate"]) == (wang, "王晓明", "1985-03-12")


def test_a_wrong_date_is_named(sessions: sessionmaker[Session]) -> None:
    with pytest.raises(ConnectorFailed, match="birthDate"):
        call("patient.save", "k", name="a", birthDate="12.03.1985")


def test_nothing_of_a_patient_can_be_read_from_the_database_file(wang: str, settings: Settings, sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        assert session.scalars(select(PatientIdentifier)).first()
    pages = b"".join(path.read_bytes() for path in settings.var_dir.glob("carelane.db*"))
    assert not any(str(value).encode() in pages for name, value in WANG.items() if name != "sex")


def test_merging_and_taking_it_back(wang: str, sessions: sessionmaker[Session], settings: Settings) -> None:
    other = call("patient.save", "other", name="王小明", medicalCard="M1")
    with sessions() as session:
        done = index.merge(session, wang, other["patientId"], why="same person", by="registrar")
        assert index.present(session, other["patientId"]).id == wang
        assert index.by_record_number(session, other["medicalRecordNumber"]).id == wang  # type: ignore[union-attr]
        assert [c.patient.id for c in index.find(session, settings, {"name": "王小明"})] == [wang]
        with pytest.raises(Conflict):
            index.merge(session, wang, other["patientId"], why="again", by="registrar")
        index.unmerge(session, done.id, by="registrar")
        assert len(index.find(session, settings, {"name": "王小明"})) == 2
        with pytest.raises(Conflict):
            index.unmerge(session, done.id, by="registrar")


# ── queue and alerts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tickets_run_by_department_and_day_and_the_same_call_draws_the_same(sessions: sessionmaker[Session]) -> None:
    drawn = [call("queue.ticket", f"k{n}", department=d, patientId="p")["ticket"] for n, d in enumerate(["surgery", "surgery", "ent"])]
    assert drawn == ["W001", "W002", "B001"]
    assert call("queue.ticket", "k0", department="surgery", patientId="p")["ticket"] == "W001"


def test_an_alert_is_raised_once_for_its_role(sessions: sessionmaker[Session]) -> None:
    from integrations.notices import board

    for _ in range(2):
        assert call("notify", "k1", role="doctor", department="ent", text="Ⅰ级患者", level="alert") == {}
    with sessions() as session:
        (alert,) = board.unseen(session, roles=["doctor"], departments=["ent"])
        assert (alert.text, alert.level) == ("Ⅰ级患者", "alert")
        assert board.unseen(session, roles=["cashier"]) == []
        assert board.unseen(session, roles=["doctor"], departments=["surgery"]) == []
        board.mark_seen(session, alert.id, by="dr")
        assert board.unseen(session, roles=["doctor"]) == []
