"""The person of this request, as plain data: nothing here is tied to a database session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import g

from engine.errors import Forbidden
from web.accounts.tables import Account


@dataclass(frozen=True, slots=True)
class User:
    """Who is asking. `roles` pairs each role with a department, or None for all departments."""

    login: str
    names: dict[str, str]
    roles: tuple[tuple[str, str | None], ...]
    account_id: str = ""
    session_id: str = ""
    language: str | None = None
    shortcuts: bool = True

    def has(self, roles: Iterable[str]) -> bool:
        """Whether any of `roles` is one of theirs."""
        return not self.role_names.isdisjoint(roles)

    @property
    def role_names(self) -> frozenset[str]:
        """Their roles, whatever the department."""
        return frozenset(role for role, _ in self.roles)

    def departments(self, roles: Iterable[str]) -> frozenset[str] | None:
        """Where they hold one of `roles`; None means everywhere."""
        wanted = set(roles)
        found = {department for role, department in self.roles if role in wanted}
        return None if None in found else frozenset(d for d in found if d)

    def name(self, language: str) -> str:
        """What to call them on a page."""
        return self.names.get(language) or self.login


def from_account(account: Account, session_id: str = "") -> User:
    """The plain copy of an account."""
    return User(
        login=account.login,
        names={"zh": account.name_zh, "en": account.name_en},
        roles=tuple((role.role, role.department) for role in account.roles),
        account_id=account.id,
        session_id=session_id,
        language=account.language,
        shortcuts=account.shortcuts,
    )


def current() -> User | None:
    """Who is signed in, if anybody."""
    return g.get("user")


def me() -> User:
    """Who is signed in; Forbidden when nobody is."""
    user = current()
    if user is None:
        raise Forbidden
    return user
