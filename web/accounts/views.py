"""Sign-in and everything a person does about their own account."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select

from engine.errors import Forbidden, NotFound, Refused
from web import csrf
from web.access import allowed, public, signed_in
from web.accounts import oidc, passwords, sessions
from web.accounts.demo import PASSWORD
from web.accounts.tables import Account, LoginSession
from web.accounts.user import current
from web.db import db
from web.edge import commit_anyway
from web.i18n import COOKIE, LANGUAGES
from web.shell import landing

bp = Blueprint("accounts", __name__, template_folder="templates")


@bp.get("/")
@public
def home() -> ResponseReturnValue:
    """Sends everybody to where they start."""
    return redirect(landing() if current() else url_for("accounts.sign_in"))


@bp.get("/login")
@public
def sign_in() -> ResponseReturnValue:
    """The sign-in page."""
    if current():
        return redirect(landing())
    return _sign_in_page()


@bp.post("/login")
@public
def sign_in_check() -> ResponseReturnValue:
    """Checks login and password."""
    login = request.form.get("login", "").strip().lower()
    try:
        account = passwords.check(db.session(), login, request.form.get("password", ""))
    except passwords.Locked:
        return _sign_in_page(gettext("Five wrong passwords in a row: this account is locked for 15 minutes."), login), 429
    if account is None:
        commit_anyway()
        return _sign_in_page(gettext("Login or password is wrong."), login), 401
    return _welcome(account)


@bp.get("/login/provider")
@public
def sign_in_provider() -> ResponseReturnValue:
    """Sends the browser to the OpenID Connect provider."""
    if not oidc.enabled():
        raise NotFound
    session["next"] = request.args.get("next", "")
    callback = current_app.config["CARELANE"].public_url + url_for("accounts.sign_in_callback")
    return oidc.begin(callback)


@bp.get("/login/callback")
@public
def sign_in_callback() -> ResponseReturnValue:
    """The provider sends the browser back here; a small form of our own then finishes, as only a POST may write."""
    if not oidc.enabled():
        raise NotFound
    session["claims"] = oidc.claims()
    return render_template("accounts/finish.html")


@bp.post("/login/finish")
@public
def sign_in_finish() -> ResponseReturnValue:
    """Opens the session for the claims that the provider signed."""
    claims = session.pop("claims", None)
    if not claims:
        raise Forbidden
    return _welcome(oidc.account_for(db.session(), claims), session.pop("next", ""))


@bp.post("/logout")
@allowed("self")
def sign_out() -> ResponseReturnValue:
    """Ends this session."""
    sessions.revoke(db.session(), session_id=signed_in().session_id)
    session.clear()
    answer = redirect(url_for("accounts.sign_in"))
    answer.delete_cookie(sessions.COOKIE)
    return answer


@bp.post("/language")
@public
def choose_language() -> ResponseReturnValue:
    """Keeps the chosen language in a cookie and, when signed in, in the profile."""
    code = request.form.get("language", "")
    if code not in LANGUAGES:
        raise Refused
    user = current()
    if user:
        db.session.get_one(Account, user.account_id).language = code
    answer = redirect(local(request.form.get("next", "")) or request.referrer or url_for("accounts.home"))
    answer.set_cookie(COOKIE, code, max_age=31_536_000, samesite="Lax", httponly=True)
    return answer


@bp.get("/profile")
@allowed("self")
def profile() -> ResponseReturnValue:
    """My account: language, shortcuts, password, sessions."""
    account = db.session.get_one(Account, signed_in().account_id)
    live = select(LoginSession).where(LoginSession.account_id == account.id, LoginSession.revoked.is_(None)).order_by(LoginSession.seen.desc())
    return render_template("accounts/profile.html", account=account, sessions=list(db.session.scalars(live.limit(10))))


@bp.post("/profile")
@allowed("self")
def profile_save() -> ResponseReturnValue:
    """Saves what a person may change about themselves."""
    account = db.session.get_one(Account, signed_in().account_id)
    account.shortcuts = "shortcuts" in request.form
    if request.form.get("language") in LANGUAGES:
        account.language = request.form["language"]
    flash(gettext("Saved."), "good")
    return redirect(url_for("accounts.profile"))


@bp.post("/profile/shortcuts")
@allowed("self")
def shortcuts() -> ResponseReturnValue:
    """Turns the single-key shortcuts on or off."""
    db.session.get_one(Account, signed_in().account_id).shortcuts = request.form.get("on") == "1"
    return "", 204


@bp.post("/profile/password")
@allowed("self")
def password_change() -> ResponseReturnValue:
    """Changes the password, ending all other sessions."""
    account = db.session.get_one(Account, signed_in().account_id)
    if not passwords.matches(account.password, request.form.get("old", "")):
        flash(gettext("The present password is wrong. Nothing was changed."), "bad")
        return redirect(url_for("accounts.profile"))
    new = request.form.get("new", "")
    if len(new) < passwords.SHORTEST or new != request.form.get("again"):
        flash(gettext("The new password must be typed twice alike, with at least 8 characters."), "bad")
        return redirect(url_for("accounts.profile"))
    account.password = passwords.hashed(new)
    sessions.revoke(db.session(), account_id=account.id)
    return _welcome(account)


@bp.post("/profile/sessions/<session_id>/end")
@allowed("self")
def session_end(session_id: str) -> ResponseReturnValue:
    """Ends one of my sessions."""
    row = db.session.get(LoginSession, session_id)
    if row is None or row.account_id != signed_in().account_id:
        raise NotFound
    sessions.revoke(db.session(), session_id=row.id)
    return redirect(url_for("accounts.profile"))


def local(address: str) -> str:
    """`address` when it is a path of ours, else nothing: no sign-in page forwards to another site."""
    parts = urlsplit(address.replace("\\", "/"))
    return address if not parts.scheme and not parts.netloc and address.startswith("/") and not address.startswith("//") else ""


def _welcome(account: Account, target: str = "") -> ResponseReturnValue:
    token = sessions.open_session(db.session(), account, request.user_agent.string)
    csrf.renew()
    answer = redirect(local(target or request.form.get("next", "")) or url_for("accounts.home"))
    sessions.set_cookie(answer, token, current_app.config["CARELANE"])
    return answer


def _sign_in_page(error: str = "", login: str = "") -> str:
    demo = current_app.config["CARELANE"].simulators
    people = list(db.session.scalars(select(Account).where(Account.demo, Account.active).order_by(Account.created, Account.id))) if demo else []
    target = local(request.values.get("next", ""))
    return render_template(
        "accounts/sign_in.html", error=error, login=login, people=people, password=PASSWORD, target=target, provider=oidc.enabled()
    )
