"""Data quality: each kind of rule finds what it should and nothing else, once a message, and the scorecard counts it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.errors import InvalidForm
from engine.settings import Settings
from integrations.dictionary import book as dictionary
from integrations.messages.tables import MessageLog
from integrations.quality import inspect, rules, scorecard, upkeep
from integrations.quality.check import Known, findings
from integrations.quality.rules import Rule
from integrations.quality.tables import QualityFinding, QualityInspection, QualityScore, QualityValue

CARD = "110101198503120017"
KNOWN = Known(dictionary.shipped(), {"t": frozenset(("a", "b"))}, date(2026, 11, 22))


def found(rule: Rule, record: dict[str, Any]) -> list[str]:
    return [one.place for one in findings(record, [rule], KNOWN)]


def rule(field: str, kind: str, **parameters: Any) -> Rule:
    made = Rule("r", field, kind, parameters=parameters)
    assert rules.problems(made) == {}
    return made


@pytest.mark.parametrize(
    ("given", "good", "bad"),
    [
        (rule("name", "missing"), {"name": "张"}, {"name": ""}),
        (rule("observations.code", "missing"), {"observations": [{"code": "1-8"}]}, {"observations": [{"value": 1}]}),
        (rule("pain", "range", low=0, high=10), {"pain": 10}, {"pain": 10.5}),
        (rule("pain", "range", low=1), {"pain": "1"}, {"pain": "0"}),
        (rule("idCard", "format", **{"as": "id_card"}), {"idCard": CARD}, {"idCard": CARD[:-1] + "8"}),
        (rule("idCard", "format", **{"as": "id_card"}), {"idCard": "110101850312001"}, {"idCard": "110101851312001"}),
        (rule("phone", "format", **{"as": "phone"}), {"phone": "+86 138 0013 8000"}, {"phone": "12800138000"}),
        (rule("phone", "format", **{"as": "phone"}), {"phone": "010-62345678转801"}, {"phone": "1380013800"}),
        (rule("birthDate", "format", **{"as": "date"}), {"birthDate": "1985-03-12"}, {"birthDate": "19850231"}),
        (rule("x", "format", **{"as": "loinc"}), {"x": "2345-7"}, {"x": "2345-8"}),
        (rule("x", "format", **{"as": "loinc"}), {"x": "718-7"}, {"x": "GLU"}),
        (rule("x", "format", **{"as": "number"}), {"x": "1.5e3"}, {"x": "1,5"}),
        (rule("x", "format", **{"as": "unit"}), {"x": "×10^9/L"}, {"x": "furlong"}),
        (rule("x", "format", **{"as": "datetime"}), {"x": "2026-11-22T09:00:00"}, {"x": "morning"}),
        (rule("sex", "code"), {"sex": "male"}, {"sex": "M"}),
        (rule("x", "code", table="t"), {"x": "a"}, {"x": "c"}),
        (rule("o.unit", "unit"), {"o": [{"code": "2345-7", "unit": "mg/dL"}]}, {"o": [{"code": "2345-7", "unit": "kg"}]}),
        (rule("idCard", "identity"), {"idCard": CARD, "sex": "male"}, {"idCard": CARD, "sex": "female"}),
        (rule("idCard", "identity"), {"idCard": CARD, "birthDate": "1985-03-12"}, {"idCard": CARD, "birthDate": "1985-03-13"}),
        (rule("b", "order", after="a"), {"a": "2026-11-22", "b": "2026-11-22T01:00:00"}, {"a": "2026-11-22T09:00:00", "b": "2026-11-22"}),
        (rule("sbp", "condition", feel="dbp = null or sbp > dbp"), {"sbp": 120, "dbp": 80}, {"sbp": 80, "dbp": 120}),
    ],
    ids=str,
)
def test_a_rule_finds_what_breaks_it_and_nothing_else(given: Rule, good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert found(given, good) == []
    assert len(found(given, bad)) == 1
    if given.kind != "missing":
        assert found(given, {}) == [], "what is not there is for the rule of missing"


def test_the_place_names_the_item_of_a_list() -> None:
    record = {"observations": [{"code": "2345-7"}, {"name": "x"}, {"code": None}]}
    assert found(rule("observations.code", "missing"), record) == ["observations[2].code", "observations[3].code"]


def test_a_rule_is_narrowed_by_source_and_kind_of_message() -> None:
    narrow = Rule("r", "name", "missing", source="his", about="ADT")
    for source, about, count in (("his", "ADT^A04", 1), ("lis", "ADT^A04", 0), ("his", "ORU^R01", 0)):
        assert len(findings({}, [narrow], KNOWN, source=source, about=about)) == count
    assert findings({}, [Rule("r", "name", "missing", active=False)], KNOWN) == []


def test_personal_values_are_masked_in_a_finding() -> None:
    (one,) = findings({"phone": "12800138000"}, [rule("phone", "format", **{"as": "phone"})], KNOWN)
    assert "12800138000" not in one.detail
    (one,) = findings({"idCard": "110101198503120018"}, [rule("idCard", "format", **{"as": "id_card"})], KNOWN)
    assert "19850312" not in one.detail


@pytest.mark.parametrize(
    "wrong",
    [
        Rule("r", "", "missing"),
        Rule("r", "a b", "missing"),
        Rule("r", "x", "nice"),
        Rule("r", "x", "range"),
        Rule("r", "x", "range", parameters={"low": "much"}),
        Rule("r", "x", "format", parameters={"as": "poem"}),
        Rule("r", "x", "duplicate", parameters={"days": 0}),
        Rule("r", "x", "order"),
        Rule("r", "x", "condition", parameters={"feel": "a >"}),
        Rule("r", "x", "missing", severity="deadly"),
    ],
    ids=str,
)
def test_a_rule_that_cannot_work_is_refused(wrong: Rule, sessions: sessionmaker[Session]) -> None:
    with sessions() as session, pytest.raises(InvalidForm):
        rules.save(session, wrong, by="owner")


def test_every_shipped_rule_can_work() -> None:
    assert {one.id: wrong for one in rules._shipped().values() if (wrong := rules.problems(one))} == {}


def test_a_duplicate_is_the_same_value_of_a_source_within_its_days(sessions: sessionmaker[Session], settings: Settings) -> None:
    with sessions() as session:
        rules.save(session, Rule("once", "ticket", "duplicate", parameters={"days": 2}), by="owner")
        noon = datetime(2026, 11, 20, 4, tzinfo=UTC)

        def again(source: str, hours: float) -> bool:
            return bool(inspect.inspect(session, settings, source, [{"ticket": "A001"}], at=noon + timedelta(hours=hours)))

        assert [again("his", 0), again("his", 1), again("lis", 1), again("his", 50)] == [False, True, False, False]
        assert "A001" not in session.scalars(select(QualityValue)).all()[0].digest


def arrived(session: Session, at: datetime, *mapped: dict[str, Any], source: str = "lis", raw: Any = None, control: str = "") -> MessageLog:
    row = MessageLog(
        direction="in",
        connection=source,
        kind="ORU^R01",
        control=control or str(at),
        state="matched",
        mapped=list(mapped) or None,
        raw=raw,
        at=at,
    )
    session.add(row)
    session.flush()
    return row


GOOD = {"orderId": "O1", "observations": [{"code": "2345-7", "value": 5.5, "unit": "mmol/L"}]}
BAD = {"orderId": "O2", "observations": [{"code": "2345-7", "value": None, "unit": "kg"}, {"code": "GLU", "value": 1, "unit": ""}]}


def test_inbound_messages_are_looked_at_once_and_counted(sessions: sessionmaker[Session], settings: Settings) -> None:
    day = datetime(2026, 11, 21, 4, tzinfo=UTC)
    with sessions() as session:
        for number in range(3):
            arrived(session, day + timedelta(minutes=number), GOOD)
        bad = arrived(session, day + timedelta(hours=1), BAD, GOOD)
        assert scorecard.tend(session, settings) == 4
        assert scorecard.tend(session, settings) == 0
        (row,) = scorecard.days(session, "2026-11-21")
        assert (row.source, row.records, row.failed, row.warnings) == ("lis", 5, 1, 1)
        assert row.counts == {"missing": 1, "unit": 1, "format": 1}
        assert row.share == 0.8
        behind = scorecard.found(session, "lis", "2026-11-21", "missing")
        assert [(f.place, i.message_id) for f, i in behind] == [("observations[1].value", bad.id)]


def test_a_late_message_renews_its_day(sessions: sessionmaker[Session], settings: Settings) -> None:
    day = datetime(2026, 11, 20, 4, tzinfo=UTC)
    with sessions() as session:
        arrived(session, day, GOOD)
        scorecard.tend(session, settings)
        arrived(session, day + timedelta(minutes=1), BAD)
        scorecard.tend(session, settings)
        assert [(row.records, row.failed) for row in session.scalars(select(QualityScore))] == [(2, 1)]


def test_the_clinics_midnight_parts_the_days(sessions: sessionmaker[Session], settings: Settings) -> None:
    with sessions() as session:
        arrived(session, datetime(2026, 11, 20, 15, 59, tzinfo=UTC), GOOD)
        arrived(session, datetime(2026, 11, 20, 16, 1, tzinfo=UTC), GOOD)
        scorecard.tend(session, settings)
        assert sorted(session.scalars(select(QualityScore.day))) == ["2026-11-20", "2026-11-21"]


def test_a_result_from_before_its_order_is_found(sessions: sessionmaker[Session], settings: Settings) -> None:
    text = "MSH|^~\\&|LIS|L|C|C|20261122||ORU^R01|1|P|2.5.1\rOBR|1|O9||X||||||||||||||||||{}\r"
    sent = datetime(2026, 11, 22, 2, tzinfo=UTC)  # 10:00 in Shanghai
    with sessions() as session:
        session.add(MessageLog(direction="out", connection="lis", kind="OML^O21", control="k", reference="O9", state="answered", at=sent))
        for control, resulted in (("late", "20261122103000"), ("early", "20261122093000")):
            record = {**GOOD, "orderId": "O9"}
            arrived(session, sent + timedelta(hours=1), record, raw={"text": text.format(resulted)}, control=control)
        inspect.sweep(session, settings)
        rows = session.execute(select(QualityFinding.kind, MessageLog.control).join(
            QualityInspection, QualityInspection.id == QualityFinding.inspection_id
        ).join(MessageLog, MessageLog.id == QualityInspection.message_id)).all()  # fmt: skip
        assert [tuple(row) for row in rows] == [("order", "early")]


def test_the_worker_does_it_by_itself(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        arrived(session, clock.now(), BAD)
        session.commit()
    assert upkeep.once() == 1
    with sessions() as session:
        assert session.scalar(select(QualityScore.failed)) == 1
    assert upkeep.once() == 0
