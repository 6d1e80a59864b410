"""Signed-in sessions: rows on the server, so that they can end by time, by sign-out, or by an administrator."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from flask import Flask, Response, current_app, g, request
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine import faults
from engine.clock import now
from engine.settings import Settings
from web.accounts.tables import Account, LoginSession
from web.accounts.user import User, from_account
from web.db import db

COOKIE = "carelane_session"
TOUCH_EVERY = timedelta(seconds=30)  # how exact "last seen" is; spares a write per request
BACKGROUND = "X-Carelane-Background"  # sent by automatic refreshes, which do not keep a session alive


def init(app: Flask) -> None:
    """Finds the user before each request."""
    app.before_request(_load)


def open_session(session: Session, account: Account, agent: str) -> str:
    """Opens a session for a person who proved who they are; returns the token for the cookie."""
    token = secrets.token_urlsafe(32)
    instant = now()
    session.add(LoginSession(token_hash=_hash(token), account_id=account.id, created=instant, seen=instant, agent=agent[:200]))
    return token


def revoke(session: Session, *, session_id: str | None = None, account_id: str | None = None) -> None:
    """Ends one session, or all of a person's. The next request with it is signed out."""
    rows = update(LoginSession).where(LoginSession.revoked.is_(None)).values(revoked=now())
    rows = rows.where(LoginSession.id == session_id) if session_id else rows.where(LoginSession.account_id == account_id)
    session.execute(rows)


def find(session: Session, token: str, settings: Settings) -> LoginSession | None:
    """The live session of a cookie's token: not revoked, not idle, not older than a shift, of an active account."""
    row = session.scalars(select(LoginSession).where(LoginSession.token_hash == _hash(token))).first()
    instant = now()
    if row is None or row.revoked or not row.account.active:
        return None
    if instant - row.seen > timedelta(minutes=settings.session_idle_minutes):
        return None
    if instant - row.created > timedelta(hours=settings.session_hours):
        return None
    return row


def set_cookie(response: Response, token: str, settings: Settings) -> None:
    """Hands the browser its token: unreadable to scripts, never sent from other sites' forms."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="Lax", secure=settings.public_url.startswith("https"), path="/")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _load() -> None:
    g.user = None
    token = request.cookies.get(COOKIE)
    if not token or request.endpoint == "static":
        return
    g.user = _user(token)


def _user(token: str) -> User | None:
    row = find(db.session(), token, current_app.config["CARELANE"])
    try:
        if row is None:
            return None
        user = from_account(row.account, row.id)
        if BACKGROUND not in request.headers and now() - row.seen > TOUCH_EVERY:
            _touch(row.id)
        return user
    finally:
        db.session.rollback()  # the view's own transaction starts clean, so that it can take the write lock first


def _touch(session_id: str) -> None:
    db.session.rollback()
    db.session.execute(update(LoginSession).where(LoginSession.id == session_id).values(seen=now()))
    with faults.around("edge.seen"):
        db.session.commit()
