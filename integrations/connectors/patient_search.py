"""Looks a patient up in the patient index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from integrations import runtime
from integrations.connector import Work, connector
from integrations.patients import index
from integrations.patients.index import Candidate
from integrations.redact import mask
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """What is known of the person."""

    id_card: str | None = about("ID card", "身份证号", default=None, personal=True)
    medical_card: str | None = about("Medical card", "就诊卡号", default=None, personal=True)
    name: str | None = about("Name", "姓名", default=None, personal=True)
    birth_date: date | None = about("Birth date", "出生日期", default=None, personal=True)  # noqa: RUF009  about() makes a field
    phone: str | None = about("Phone", "电话", default=None, personal=True)
    sex: str | None = about("Sex", "性别", default=None)


@dataclass(frozen=True)
class Output:
    """Who it may be."""

    match: str = about("How sure", "匹配程度")  # certain, probable, possible, none
    patient_id: str | None = about("Patient, when certain", "患者（确定时）", default=None)
    candidates: list[dict[str, Any]] = about("Candidates, best first", "候选患者", default=[], personal=True)  # noqa: RUF009  about() makes a field
    id_card_problem: str | None = about("What is wrong with the ID card", "身份证号的问题", default=None)


@connector("patient.search", title=("Find a patient", "查找患者"), group=("Patients", "患者"), icon="person")
def search(given: Input, work: Work) -> Output:
    """Finds the patient in the index by documents, name, birth date and phone, and says how sure it is and why.

    按证件、姓名、出生日期和电话在患者索引中查找，并说明匹配程度和依据。
    """
    asked = {
        "idCard": given.id_card, "medicalCard": given.medical_card, "name": given.name, "phone": given.phone, "sex": given.sex,
        "birthDate": given.birth_date.isoformat() if given.birth_date else None,
    }  # fmt: skip
    settings = runtime.settings()
    with runtime.reading() as session:
        found = index.find(session, settings, asked)
        rows = [_row(candidate) for candidate in found]
    certain = [candidate for candidate in found if candidate.grade == "certain"]
    match = "none" if not found else "probable" if len(certain) > 1 else str(found[0].grade)
    return Output(match, certain[0].patient.id if len(certain) == 1 else None, rows, index.id_card_problem(settings, given.id_card))


def _row(candidate: Candidate) -> dict[str, Any]:
    body = candidate.patient.body
    return {
        "patientId": candidate.patient.id,
        "medicalRecordNumber": candidate.patient.record_number,
        "name": body.get("name"),
        "sex": body.get("sex"),
        "birthDate": body.get("birthDate"),
        "idCardMasked": mask(str(body.get("idCard") or "")),
        "phoneMasked": mask(str(body.get("phone") or "")),
        "score": candidate.score,
        "grade": candidate.grade,
        "why": candidate.why,
    }
