"""Connections to other systems."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


class Connection(Base):
    """Another system and how to reach it. Models name connections; addresses and secrets are here only.

    `kind` is the wire: mllp, mllp_listener, wechat, gateway (a JSON payment gateway signed with a shared key), fhir, http.
    """

    __tablename__ = "connection"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    direction: Mapped[str] = mapped_column(String(5), default="out")  # in, out, both
    title: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)  # by language
    address: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # host, port, url, timeouts: nothing secret
    secrets: Mapped[Any | None] = mapped_column(Encrypted("connection.secrets"))  # write-only for people
    state: Mapped[str] = mapped_column(String(10), default="started")  # started, stopped
    last_good: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_bad: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(String(500))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(String(100), default="system")
