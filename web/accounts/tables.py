"""Who works here: people, what they do where, and the browser sessions they opened."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.clock import now
from engine.db import Base, UtcDateTime, new_id


class Department(Base):
    """A clinical department. `code` is what processes use."""

    __tablename__ = "department"

    code: Mapped[str] = mapped_column(String(50), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))
    position: Mapped[int] = mapped_column(default=100)  # order in lists
    active: Mapped[bool] = mapped_column(default=True)


class Account(Base):
    """A member of staff who can sign in. `login` is the name that tasks and records carry."""

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    login: Mapped[str] = mapped_column(String(100), unique=True)
    name_zh: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))
    email: Mapped[str | None] = mapped_column(String(200), unique=True)
    password: Mapped[str | None] = mapped_column(String(200))  # argon2id; None: signs in through the provider only
    subject: Mapped[str | None] = mapped_column(String(200), unique=True)  # `sub` at the OpenID provider
    language: Mapped[str | None] = mapped_column(String(5))
    room: Mapped[str | None] = mapped_column(String(20))  # where they see patients; shown on the public board
    shortcuts: Mapped[bool] = mapped_column(default=True)  # single-key shortcuts in the inbox
    active: Mapped[bool] = mapped_column(default=True)
    demo: Mapped[bool] = mapped_column(default=False)  # shown on the sign-in page of a demonstration
    failures: Mapped[int] = mapped_column(default=0)  # wrong passwords in a row
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    roles: Mapped[list[AccountRole]] = relationship(lazy="selectin", cascade="all, delete-orphan", order_by="AccountRole.id")


class AccountRole(Base):
    """One role of one person: in one department, or everywhere when `department` is None."""

    __tablename__ = "account_role"
    __table_args__ = (UniqueConstraint("account_id", "role", "department"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    role: Mapped[str] = mapped_column(String(50))
    department: Mapped[str | None] = mapped_column(ForeignKey("department.code"))


class LoginSession(Base):
    """One signed-in browser. The cookie holds a random token; only its SHA-256 is kept here."""

    __tablename__ = "login_session"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    seen: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked: Mapped[datetime | None] = mapped_column(UtcDateTime)
    agent: Mapped[str] = mapped_column(String(200), default="")
    account: Mapped[Account] = relationship(lazy="joined")
