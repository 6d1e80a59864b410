"""What pages show of a patient, asked from the patient index and only for those who may know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app, g
from flask_babel import gettext
from sqlalchemy import select

from engine.clock import now
from integrations.patients import index
from integrations.patients.tables import Patient
from web.access import may
from web.db import db


@dataclass(frozen=True, slots=True)
class Banner:
    """The line that stands above everything about a patient."""

    id: str
    name: str
    sex: str
    age: str  # years, or months for the youngest
    number: str  # medical record number
    allergies: tuple[str, ...]


def names(ids: Iterable[str | None]) -> dict[str, str]:
    """Names by patient id; empty for a person who may not know them."""
    wanted = sorted({i for i in ids if i})
    if not wanted or not may("patient.identity"):
        return {}
    return {row.id: str(row.body.get("name") or "") for row in db.session.scalars(select(Patient).where(Patient.id.in_(wanted)))}


def banner(patient_id: str | None) -> Banner | None:
    """The banner's facts; None before the patient is identified or for a person who may not know them."""
    if not patient_id or not may("patient.identity"):
        return None
    row = db.session.get(Patient, patient_id)
    if row is None:
        return None
    body: dict[str, Any] = row.body
    allergies = body.get("allergies") or ()
    listed = (allergies,) if isinstance(allergies, str) else tuple(str(a) for a in allergies)
    return Banner(
        id=row.id,
        name=str(body.get("name") or ""),
        sex=str(body.get("sex") or "unknown"),
        age=_age(str(body.get("birthDate") or "")),
        number=row.record_number,
        allergies=listed,
    )


def note_read(action: str, patient_id: str | None) -> None:
    """Remembers that this request showed a patient's data; `web.records` writes it once the answer is made."""
    if patient_id:
        g.setdefault("reads", set()).add((action, patient_id))


def _age(text: str) -> str:
    try:
        born = date.fromisoformat(text[:10])
    except ValueError:
        return ""
    today = now().astimezone(ZoneInfo(current_app.config["CARELANE"].clinic_zone)).date()
    months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
    return gettext("%(n)s months", n=months) if months < 36 else gettext("%(n)s years", n=months // 12)


def named(text: str) -> list[str]:
    """The ids of patients with exactly this name, found by the index's keyed hashes: names are encrypted at rest."""
    if not text:
        return []
    found = index.find(db.session(), current_app.config["CARELANE"], {"name": text})
    return [candidate.patient.id for candidate in found]
