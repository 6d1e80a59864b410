"""What modalities are to image."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id

OPEN_DAYS = 14  # how long a step that nobody performed is shown to modalities and looked for in the PACS


class WorklistEntry(Base):
    """One scheduled procedure step. Its patient is looked up when a modality asks, so that corrections show at once.

    `state`: scheduled (modalities see it), done (its study is in the PACS), cancelled.
    """

    __tablename__ = "worklist_entry"
    __table_args__ = (Index("worklist_entry_open", "state", "checked"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    order_id: Mapped[str] = mapped_column(String(120), unique=True)
    accession: Mapped[str] = mapped_column(String(16), index=True)
    study_uid: Mapped[str] = mapped_column(String(64))
    connection: Mapped[str] = mapped_column(String(60))
    patient_id: Mapped[str] = mapped_column(String(40), index=True)
    visit_number: Mapped[str] = mapped_column(String(60), default="")
    procedure: Mapped[Any] = mapped_column(Encrypted("worklist_entry.procedure"))  # code, name
    modality: Mapped[str] = mapped_column(String(16))  # DICOM's code: DX, CT, MR, US
    station: Mapped[str] = mapped_column(String(16), default="")  # the AE title it is meant for; empty: any of that modality
    priority: Mapped[str] = mapped_column(String(10), default="routine")
    starts: Mapped[datetime] = mapped_column(UtcDateTime)
    announce: Mapped[str] = mapped_column(String(60))  # the message that tells of the study
    state: Mapped[str] = mapped_column(String(10), default="scheduled")
    images: Mapped[int] = mapped_column(default=0)  # seen at the last look: a study that no longer grows is complete
    checked: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
