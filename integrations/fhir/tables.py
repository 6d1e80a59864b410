"""FHIR resources that other systems sent us, and those that our orders and results became. Bodies are encrypted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


class FhirResource(Base):
    """The present version of a resource; what it was before is in the message log.

    `begins` and `ends` are the bounds of its clinical date. `source` is the connection or token that sent it, `carelane` for ours.
    """

    __tablename__ = "fhir_resource"
    __table_args__ = (
        UniqueConstraint("kind", "fhir_id"),
        Index("fhir_resource_by_patient", "patient_id", "kind"),
        Index("fhir_resource_by_time", "kind", "updated"),
    )

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(40))
    fhir_id: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(default=1)
    status: Mapped[str | None] = mapped_column(String(20))
    patient_id: Mapped[str | None] = mapped_column(String(40))
    instance_id: Mapped[str | None] = mapped_column(String(20), index=True)
    begins: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends: Mapped[datetime | None] = mapped_column(UtcDateTime)
    body: Mapped[dict[str, Any]] = mapped_column(Encrypted("fhir_resource.body"))
    updated: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(120))


class FhirToken(Base):
    """A keyed hash of something that a resource may be searched by: identifier, code, category, based-on …"""

    __tablename__ = "fhir_token"
    __table_args__ = (Index("fhir_token_search", "name", "digest"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    resource_id: Mapped[str] = mapped_column(ForeignKey("fhir_resource.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
