"""What was deployed. Rows here are never changed, except to say that a newer version stands."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, UtcDateTime, new_id


class Resource(Base):
    """One file's bytes, stored once by their hash."""

    __tablename__ = "resource"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256, hexadecimal
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Deployment(Base):
    """One act of deploying: who, when, why and from where."""

    __tablename__ = "deployment"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    by: Mapped[str] = mapped_column(String(100))
    comment: Mapped[str] = mapped_column(String(500), default="")


class Definition(Base):
    """An immutable version of a process, a decision file or a form.

    `kind` is process, decision or form; `key` is the process id, the decision id or the form id. A decision file with
    several decisions gives one row each, all with the same hash. Which version an element takes is its binding's matter.
    """

    __tablename__ = "definition"
    __table_args__ = (
        UniqueConstraint("kind", "key", "version"),
        Index("definition_by_tag", "kind", "key", "version_tag"),
    )

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(10))
    key: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    version_tag: Mapped[str | None] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(300), default="")
    names: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)  # by language
    file: Mapped[str] = mapped_column(String(300), default="")  # path inside the process folder
    hash: Mapped[str] = mapped_column(ForeignKey("resource.hash"))
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
