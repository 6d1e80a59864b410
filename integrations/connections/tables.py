"""Connections to other systems."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
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
    circuit: Mapped[str] = mapped_column(String(10), default="closed", server_default="closed")  # as the calling process last saw it
    circuit_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires: Mapped[datetime | None] = mapped_column(UtcDateTime)  # end of the TLS certificate, as of the last test
    alert_minutes: Mapped[int] = mapped_column(default=10, server_default="10")  # failing or waiting for this long is an alert
    keep_days: Mapped[int | None]  # payloads of older messages are deleted; None: kept


class ConnectionChange(Base):
    """What a person, or the retention, did to a connection. Secrets are named, never shown."""

    __tablename__ = "connection_change"
    __table_args__ = (Index("connection_change_by_time", "connection", "at"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    connection: Mapped[str] = mapped_column(String(60))
    what: Mapped[str] = mapped_column(String(20))  # added, edited, started, stopped, purged
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # field: [before, after]
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
