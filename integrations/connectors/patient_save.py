"""Adds or changes a patient in the patient index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy import select

from integrations import runtime
from integrations.connector import Work, connector
from integrations.patients import blind, index
from integrations.patients.tables import PatientIdentifier
from integrations.schema import about

SEXES = {"male": ("male", "男"), "female": ("female", "女"), "other": ("other", "其他"), "unknown": ("unknown", "未知")}


@dataclass(frozen=True)
class Input:
    """The person's data. Without `patientId` a new record is made."""

    name: str = about("Name", "姓名", personal=True)
    patient_id: str | None = about("Patient", "患者", default=None)
    sex: Literal["male", "female", "other", "unknown"] = about("Sex", "性别", default="unknown", choices=SEXES)
    birth_date: date | None = about("Birth date", "出生日期", default=None, personal=True)  # noqa: RUF009  about() makes a field
    id_card: str | None = about("ID card", "身份证号", default=None, personal=True)
    medical_card: str | None = about("Medical card", "就诊卡号", default=None, personal=True)
    phone: str | None = about("Phone", "电话", default=None, personal=True)
    address: str | None = about("Address", "住址", default=None, personal=True)
    allergies: str | None = about("Allergies", "过敏史", default=None, personal=True)


@dataclass(frozen=True)
class Output:
    """The record."""

    patient_id: str = about("Patient", "患者")
    medical_record_number: str = about("Medical record number", "病案号")


@connector(
    "patient.save",
    title=("Save a patient", "保存患者"),
    group=("Patients", "患者"),
    icon="person",
    errors={
        "DUPLICATE_PATIENT": ("another patient has this ID card or medical card", "该身份证或就诊卡已属于另一患者"),
        "IDENTITY_INVALID": ("the ID card, birth date or sex cannot be right", "身份证号、出生日期或性别有误"),
    },
)
def save(given: Input, work: Work) -> Output:
    """Adds a patient to the index or changes one. The same call made twice gives the same record.

    在患者索引中新增或修改患者。同一次调用重复执行得到同一条记录。
    """
    settings = runtime.settings()
    values = {
        "name": given.name.strip(), "sex": given.sex, "idCard": given.id_card, "medicalCard": given.medical_card,
        "birthDate": given.birth_date.isoformat() if given.birth_date else None, "phone": given.phone,
        "address": given.address, "allergies": given.allergies,
    }  # fmt: skip
    made_by = blind.digest(blind.key(settings), "call", work.call.key)
    with runtime.transaction() as session:
        earlier = session.scalar(select(PatientIdentifier.patient_id).filter_by(system="call", digest=made_by))
        row = index.save(session, settings, values, given.patient_id or earlier)
        if earlier is None:
            session.add(PatientIdentifier(patient_id=row.id, system="call", digest=made_by))
        return Output(row.id, row.record_number)
