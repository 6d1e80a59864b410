"""Sign-in through the hospital's OpenID Connect provider (code flow with PKCE), when the settings name one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, current_app
from flask_babel import gettext
from joserfc.errors import JoseError
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from engine.errors import Forbidden
from engine.settings import Settings
from web.access import ROLES
from web.accounts.tables import Account, AccountRole, Department

PLACE = "carelane_oidc"


def init(app: Flask, settings: Settings) -> None:
    """Registers the provider with this application; without an issuer there is none."""
    if not settings.oidc_issuer:
        return
    app.extensions[PLACE] = OAuth(app).register(
        "clinic",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        server_metadata_url=settings.oidc_issuer.rstrip("/") + "/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
    )


def begin(callback: str) -> Response:
    """Sends the browser to the provider, which sends it back to `callback`."""
    answer: Response = current_app.extensions[PLACE].authorize_redirect(callback)
    return answer


def claims() -> dict[str, Any]:
    """The claims of whoever the provider sent back, from the signed ID token and, where it is silent, from userinfo.

    Raises Forbidden when the sign-in was not completed or does not belong to this browser.
    """
    client = current_app.extensions[PLACE]
    try:
        token = client.authorize_access_token()
        found = dict(token["userinfo"])
        if "email" not in found:
            more = dict(client.userinfo(token=token))
            found = {**more, **found} if more.get("sub") == found["sub"] else found
    except (OAuthError, JoseError):
        raise Forbidden(gettext("The sign-in at the provider was not completed. Try again.")) from None
    return {name: found.get(name) for name in ("sub", "email", "email_verified", "name", "roles")}


def enabled() -> bool:
    """Whether a provider is configured."""
    return PLACE in current_app.extensions


def account_for(session: Session, claims: Mapping[str, Any]) -> Account:
    """The account behind a provider's claims.

    Found by `sub`, or by an email that the provider does not call unverified (then `sub` is kept). A claim `roles`, a list
    of `role` or `role:department`, makes the provider the source of roles and lets unknown people in; without it, an
    administrator must have made the account. Raises Forbidden when nothing fits.
    """
    subject, email = str(claims["sub"]), str(claims.get("email") or "").lower() or None
    trusted = email if claims.get("email_verified") is not False else None
    account = session.scalars(select(Account).where(Account.subject == subject)).first()
    if account is None and trusted:
        account = session.scalars(select(Account).where(Account.email == trusted, or_(Account.subject.is_(None)))).first()
    granted = _granted(session, claims.get("roles"))
    if account is None and granted:
        name = str(claims.get("name") or email or subject)
        account = Account(login=_free_login(session, email or subject), name_zh=name, name_en=name, email=trusted, active=True)
        session.add(account)
    if account is None or not account.active:
        raise Forbidden("The provider knows you, but there is no account for you here. Ask an administrator.")
    account.subject = subject
    if granted is not None:
        account.roles = [AccountRole(role=role, department=department) for role, department in granted]
    session.flush()
    return account


def _granted(session: Session, claim: Any) -> list[tuple[str, str | None]] | None:
    if not isinstance(claim, list):
        return None
    known = set(session.scalars(select(Department.code)))
    pairs = {(role, department or None) for role, _, department in (str(item).partition(":") for item in claim)}
    return sorted(((r, d) for r, d in pairs if r in ROLES and (d is None or d in known)), key=str)


def _free_login(session: Session, wish: str) -> str:
    base = wish.partition("@")[0][:80] or "staff"
    taken = set(session.scalars(select(Account.login).where(Account.login.startswith(base))))
    return next(name for name in (base, *(f"{base}{n}" for n in range(2, 10_000))) if name not in taken)
