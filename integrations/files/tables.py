"""Files that came in: how far each was read, and its content in parts until it is deleted with the connection's retention."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


class InboundFile(Base):
    """One file of a watched directory, known by what is in it. `message_id` is its row in the message log.

    States: reading (its rows are being placed), read (it waits to be moved), done; unreadable files are `failed`, then done.
    """

    __tablename__ = "inbound_file"
    __table_args__ = (UniqueConstraint("connection", "digest"), Index("inbound_file_open", "connection", "state"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    connection: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    message_id: Mapped[str] = mapped_column(ForeignKey("message_log.id"), index=True)
    state: Mapped[str] = mapped_column(String(10), default="reading")
    failed: Mapped[bool] = mapped_column(default=False)  # it goes to the error folder
    rows: Mapped[int] = mapped_column(default=0)  # of which something has come: the checkpoint
    placed: Mapped[int] = mapped_column(default=0)
    listed: Mapped[int] = mapped_column(default=0)  # on the work list
    repeated: Mapped[int] = mapped_column(default=0)  # rows that had come before
    times: Mapped[int] = mapped_column(default=1)  # how often the same content lay there
    error: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)


class InboundFilePart(Base):
    """A piece of a file as it came in."""

    __tablename__ = "inbound_file_part"
    __table_args__ = (UniqueConstraint("file_id", "number"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    file_id: Mapped[str] = mapped_column(ForeignKey("inbound_file.id"))
    number: Mapped[int]
    content: Mapped[Any] = mapped_column(Encrypted("inbound_file_part.content"))  # base64
