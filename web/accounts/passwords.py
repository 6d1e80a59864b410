"""Passwords: argon2id, and a lock after five wrong ones."""

from __future__ import annotations

from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.clock import now
from engine.errors import Refused
from web.accounts.tables import Account

MOST_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)
SHORTEST = 8

_hasher = PasswordHasher()
_dummy = _hasher.hash("nobody")  # checked when the login is unknown, so that both answers take equally long


class Locked(Refused):
    """Too many wrong passwords: this account is locked for 15 minutes."""


def hashed(password: str) -> str:
    """The argon2id hash to keep; Refused when the password is too short."""
    if len(password) < SHORTEST:
        raise Refused(f"A password needs at least {SHORTEST} characters.")
    return _hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind `stored`."""
    try:
        return _hasher.verify(stored or _dummy, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def check(session: Session, login: str, password: str) -> Account | None:
    """The account when the password is right, else None after counting the failure; Locked after five in a row."""
    account = session.scalars(select(Account).where(Account.login == login, Account.active)).first()
    instant = now()
    if account and account.locked_until and account.locked_until > instant:
        raise Locked
    if matches(account.password if account else None, password):
        assert account is not None
        account.failures, account.locked_until = 0, None
        return account
    if account:
        account.failures += 1
        if account.failures >= MOST_FAILURES:
            account.failures, account.locked_until = 0, instant + LOCKED_FOR
    return None
