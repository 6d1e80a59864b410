"""How well the patient index finds duplicates, measured on a constructed register; and how a person decides them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.errors import Refused
from engine.settings import Settings
from integrations.patients import blind, index, review
from integrations.patients.identity import IdCard, check_character, read_id_card, sound, tidy_card, tidy_name, tidy_phone
from integrations.patients.match import compare
from integrations.patients.tables import Patient
from tests.integrations.linkage import Record, register


def blocked(settings: Settings, records: list[Record]) -> set[frozenset[int]]:
    """The pairs that share at least one thing that the index can be searched by: what `find` would compare."""
    places: dict[tuple[str, str], list[int]] = {}
    for number, record in enumerate(records):
        for digest in index._digests(settings, record):
            places.setdefault(digest, []).append(number)
    return {frozenset((a, b)) for numbers in places.values() for a in numbers for b in numbers if a < b}


def test_duplicates_are_found_and_others_are_not(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.var_dir.mkdir(parents=True)
    made = register()
    pairs = blocked(settings, made.records)
    graded = {pair: compare(*(made.records[i] for i in sorted(pair))).grade for pair in pairs}
    figures = {}
    for name, grades in (("certain", {"certain"}), ("for review", {"certain", "probable"})):
        taken = {pair for pair, grade in graded.items() if grade in grades}
        right = len(taken & made.same)
        figures[name] = (right / len(taken), right / len(made.same))
    with capsys.disabled():
        for name, (precision, recall) in figures.items():
            print(f"\n  {name}: precision {precision:.3f}, recall {recall:.3f}", end="")
        print(f"  ({len(made.records)} records, {len(made.same)} duplicates, {len(pairs)} pairs compared)")
    assert figures["certain"][0] == 1.0, "what is certain needs nobody's eyes, so it must be right"
    assert figures["for review"][0] >= 0.90
    assert figures["for review"][1] >= 0.95
    assert len(made.same & pairs) / len(made.same) >= 0.99, "blocking loses almost none"


def test_a_register_is_screened_into_pairs_for_review(sessions: sessionmaker[Session], settings: Settings) -> None:
    made = register(people=40, duplicates=10, seed=3)
    with sessions() as session:
        ids = []
        for number, record in enumerate(made.records):  # as a legacy import brings them: duplicates, too
            row = Patient(
                record_number=f"2026-{number:06d}", body={k: v for k, v in record.items() if v}, created=clock.now(), changed=clock.now()
            )
            session.add(row)
            session.flush()
            ids.append(row.id)
        while review.screen(session, settings, 25):
            continue
        found = {frozenset((pair.first.id, pair.second.id)) for pair in review.pairs(session, limit=500)}
        wanted = {frozenset(ids[i] for i in pair) for pair in made.same}
        assert len(found & wanted) >= 9
        assert review.waiting(session) == 0


# ── names, cards, phones ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("张 三", "張三"),
        ("阿依古丽·买买提", "阿依古丽•买买提"),
        ("阿依古丽.买买提", "阿依古丽买买提"),
        ("王小明", "王　小明"),
        ("O'Brien", "o’brien"),
    ],
)
def test_one_name_in_two_spellings_is_the_same(one: str, other: str) -> None:
    assert tidy_name(one) == tidy_name(other)


@pytest.mark.parametrize("other", ["王晓明", "王曉明", "WANG XIAOMING", "Wang Xiao Ming", "Xiaoming WANG"])
def test_names_that_sound_the_same_are_found(other: str) -> None:
    assert sound("王小明") == sound(other)
    verdict = compare({"name": "王小明", "birthDate": "1985-03-12"}, {"name": other, "birthDate": "1985-03-12"})
    assert verdict.grade == "probable"
    assert {part.field: part.outcome for part in verdict.parts} == {"name": "near", "birthDate": "same"}


def test_a_name_without_the_fathers_is_near_and_another_is_not() -> None:
    def outcome(other: str) -> str:
        return compare({"name": "阿依古丽·买买提"}, {"name": other}).parts[0].outcome

    assert [outcome("阿依古丽"), outcome("阿依努尔·买买提江")] == ["near", "differ"]


@given(st.dates(date(1900, 1, 1), date(1999, 12, 31)), st.integers(0, 999))
def test_a_card_of_15_digits_is_the_one_of_18(born: date, order: int) -> None:
    first = f"110101{born:%Y%m%d}{order:03d}"
    whole = first + check_character(first)
    assert tidy_card(first[:6] + first[8:]) == whole
    read = read_id_card(first[:6] + first[8:], date(2026, 11, 22))
    assert isinstance(read, IdCard)
    assert read == read_id_card(whole, date(2026, 11, 22))


@given(st.dates(date(1900, 1, 1), date(2020, 12, 31)), st.integers(0, 999), st.integers(0, 16), st.integers(1, 9))
def test_every_single_slip_in_a_card_is_noticed(born: date, order: int, place: int, shift: int) -> None:
    first = f"110101{born:%Y%m%d}{order:03d}"
    whole = first + check_character(first)
    wrong = whole[:place] + str((int(whole[place]) + shift) % 10) + whole[place + 1 :]
    assert isinstance(read_id_card(wrong, date(2026, 11, 22)), str)


@pytest.mark.parametrize(
    "text", ["+86 138 0013 8000", "86-13800138000", "008613800138000", "013800138000", "138-0013-8000", "１３８００１３８０００"]
)
def test_a_phone_in_any_writing_is_one_number(text: str) -> None:
    assert tidy_phone(text) == "13800138000"


def test_the_old_card_finds_the_patient(sessions: sessionmaker[Session], settings: Settings) -> None:
    with sessions() as session:
        saved = index.save(session, settings, {"name": "王小明", "idCard": "110101198503120017"})
        assert index.by_identifier(session, settings, "id_card", "110101850312001") is saved
        (found,) = index.find(session, settings, {"idCard": "110101850312001", "name": "王小明"})
        assert (found.patient.id, found.grade) == (saved.id, "certain")


# ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def twins(sessions: sessionmaker[Session], settings: Settings) -> list[str]:
    about = {"name": "王小明", "birthDate": "1985-03-12", "phone": "13800138000"}
    with sessions() as session:
        ids = [index.save(session, settings, {**about, "name": name}).id for name in ("王小明", "王晓明", "王小铭")]
        review.screen(session, settings)
        session.commit()
    return ids


def test_merging_settles_the_other_pairs_of_the_lost_record_and_unmerging_brings_them_back(
    twins: list[str], sessions: sessionmaker[Session], settings: Settings
) -> None:
    with sessions() as session:
        first = next(pair for pair in review.pairs(session) if {pair.first.id, pair.second.id} == set(twins[:2]))
        assert review.counts(session) == {"open": 3}
        with pytest.raises(Refused):
            review.merge(session, first.review.id, twins[0], why=" ", by="registrar")
        merged = review.merge(session, first.review.id, twins[0], why="same phone", by="registrar")
        assert review.counts(session) == {"merged": 1, "gone": 1, "open": 1}
        review.unmerge(session, merged.id, why="cousins", by="registrar")
        review.screen(session, settings)
        assert review.counts(session) == {"different": 1, "open": 2}
        (row,) = review.merges(session, twins[1])
        assert (row.why, row.undone_why, row.undone_by) == ("same phone", "cousins", "registrar")


def test_a_pair_that_is_no_longer_alike_is_gone(twins: list[str], sessions: sessionmaker[Session], settings: Settings) -> None:
    with sessions() as session:
        index.save(session, settings, {"birthDate": "1960-01-01", "phone": "13911112222"}, twins[0])
        review.screen(session, settings)
        assert review.counts(session) == {"open": 1, "gone": 2}


def test_the_blind_index_holds_no_sound_in_the_clear(twins: list[str], sessions: sessionmaker[Session], settings: Settings) -> None:
    with sessions() as session:
        from integrations.patients.tables import PatientIdentifier

        rows = list(session.scalars(select(PatientIdentifier).where(PatientIdentifier.system == "name_sound")))
    assert {row.digest for row in rows} == {blind.digest(blind.key(settings), "name_sound", "wangxiaoming")}
