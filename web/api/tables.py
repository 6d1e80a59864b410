"""Tokens of programs, and the answers kept for their idempotency keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


class ApiToken(Base):
    """A program's token. Only its SHA-256 is kept; `scopes` say what it may do."""

    __tablename__ = "api_token"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(100))
    revoked: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiAnswer(Base):
    """What a POST with an `Idempotency-Key` answered; the same key of the same token gives it again."""

    __tablename__ = "api_answer"
    __table_args__ = (UniqueConstraint("token_id", "key"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    token_id: Mapped[str] = mapped_column(ForeignKey("api_token.id"))
    key: Mapped[str] = mapped_column(String(200))
    request: Mapped[str] = mapped_column(String(64))  # SHA-256 of method, path and body: the same key for something else is refused
    status: Mapped[int]
    body: Mapped[Any] = mapped_column(Encrypted("api_answer.body"))
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
