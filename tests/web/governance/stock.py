"""A clinic whose data is governed: a mapping with versions, code tables, two weeks of inbound results, duplicates to decide."""

from __future__ import annotations

from datetime import timedelta

from engine import clock
from engine.db import new_id
from integrations.dictionary import book as dictionary
from integrations.mappings import book
from integrations.messages.tables import MessageLog
from integrations.patients import index, review
from integrations.patients.tables import Patient
from integrations.quality import scorecard
from tests.web.clinic import Clinic
from web.db import db

EXPRESSION = """{
  "name": PID.f5.c1 & PID.f5.c2,
  "birthDate": $date(PID.f7.c1),
  "sex": $code("his.sex", PID.f8.c1),
  "glucose": OBX[f3.c1 = "2345-7"].{"value": f5.c1, "unit": f6.c1, "code": f3.c1}
}"""
MESSAGE = (
    "MSH|^~\\&|LIS|LAB|CARELANE|CLINIC|20261122093000||ORU^R01|M1|P|2.5.1\n"
    "PID|1||A1||王^小明||19850312|1\nOBR|1|O1\nOBX|1|NM|2345-7^Glucose||99|mg/dL"
)
SEX = {"rows": [{"code": "1", "value": "male", "note": "男"}, {"code": "2", "value": "female", "note": "女"}], "otherwise": "unknown"}


def mappings() -> None:
    """A code table and a mapping in its second version, with a draft beyond."""
    session = db.session()
    book.create(session, "his.sex", "codes", name_en="Sex in HIS", name_zh="HIS 性别代码", by="engineer", body=SEX)
    book.publish(session, "his.sex", comment="As in the HIS manual, table 12", by="engineer")
    first = {"format": "hl7", "expression": EXPRESSION.replace('$code("his.sex", PID.f8.c1)', "PID.f8.c1")}
    book.create(session, "lis.result", "fields", name_en="Results of the old LIS", name_zh="旧 LIS 检验结果", by="engineer", body=first)
    book.publish(session, "lis.result", comment="First version", by="engineer")
    book.save_draft(session, "lis.result", {"format": "hl7", "expression": EXPRESSION}, by="engineer")
    book.publish(session, "lis.result", comment="Codes of sex by the table", by="engineer")
    db.session.commit()


def revised() -> None:
    """A field of the dictionary that the clinic has changed twice."""
    for meaning in ("Capillary, fasting or not", "Capillary, at triage; note whether fasting"):
        given = dictionary.from_row(
            {**dictionary.field(db.session(), "glucose").body(), "key": "glucose", "meaning_en": meaning, "personal": ""}
        )
        dictionary.save(db.session(), given, by="owner", comment="The nurses asked")
    db.session.commit()


def inbound(clinic: Clinic, days: int = 10) -> None:
    """Results of each day, some of them with what rules find, and the scorecard."""
    for ago in range(days):
        for number in range(12):
            bad = (number + ago) % 7 == 0
            observation = {"code": "2345-7", "value": None if bad else 5.5, "unit": "kg" if number == ago else "mmol/L"}
            db.session.add(
                MessageLog(
                    direction="in", connection="lis" if number % 3 else "ris", kind="ORU^R01", control=new_id(), state="matched",
                    mapped=[{"orderId": f"O{number}", "observations": [observation], "phone": "123" if bad else "13800138000"}],
                    reference=f"O{number}", at=clock.now() - timedelta(days=ago),
                )
            )  # fmt: skip
    db.session.flush()
    scorecard.tend(db.session(), clinic.app.config["CARELANE"])
    db.session.commit()


def twins(clinic: Clinic) -> tuple[Patient, Patient]:
    """Two records that are one person, screened."""
    settings = clinic.app.config["CARELANE"]
    one = {
        "name": "王小明",
        "sex": "male",
        "birthDate": "1985-03-12",
        "idCard": "110101198503120017",
        "phone": "13800138000",
        "address": "花园路 1 号",
    }
    two = {"name": "王晓明", "sex": "male", "birthDate": "1985-03-12", "medicalCard": "M123", "phone": "13800138000", "allergies": "青霉素"}
    first, second = (index.save(db.session(), settings, about) for about in (one, two))
    index.add_identifier(db.session(), settings, first.id, "his", "H77")
    review.screen(db.session(), settings)
    db.session.commit()
    return first, second
