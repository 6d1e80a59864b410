"""Pages of the administrator: accounts with their roles, and the departments."""

from __future__ import annotations

import re

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, select

from engine.clock import now
from engine.errors import NotFound
from web.access import ROLES, allowed, signed_in
from web.accounts import passwords, sessions
from web.accounts.tables import Account, AccountRole, Department
from web.api import tokens
from web.api.tables import ApiToken
from web.db import db
from web.shell import departments

bp = Blueprint("admin", __name__, url_prefix="/admin", template_folder="templates")

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,60}")
CODE = re.compile(r"[a-z][a-z0-9_]{1,40}")


@bp.get("/people")
@allowed("admin.accounts")
def accounts() -> ResponseReturnValue:
    """Everybody with an account."""
    people = db.session.scalars(select(Account).order_by(Account.active.desc(), Account.login))
    return render_template("admin/people.html", people=list(people))


@bp.get("/people/new")
@allowed("admin.accounts")
def new_account() -> ResponseReturnValue:
    """An empty form."""
    return _form(None)


@bp.post("/people")
@allowed("admin.accounts")
def create_account() -> ResponseReturnValue:
    """Adds a person."""
    login = request.form.get("login", "").strip().lower()
    wrong = _wrong(login)
    if wrong:
        flash(wrong, "bad")
        return _form(None), 422
    account = Account(login=login, name_zh="", name_en="")
    db.session.add(account)
    _fill(account)
    db.session.flush()
    flash(gettext("%(name)s can sign in now.", name=account.login), "good")
    return redirect(url_for("admin.accounts"))


@bp.get("/people/<account_id>")
@allowed("admin.accounts")
def account(account_id: str) -> ResponseReturnValue:
    """One person's form."""
    return _form(_account(account_id))


@bp.post("/people/<account_id>")
@allowed("admin.accounts")
def save_account(account_id: str) -> ResponseReturnValue:
    """Saves a person; what they may do changes with their next request."""
    row = _account(account_id)
    if row.id == signed_in().account_id and ("active" not in request.form or "admin:" not in request.form.getlist("roles")):
        flash(gettext("You cannot take the administrator’s role or the account from yourself. Nothing was changed."), "bad")
        return _form(row), 422
    given = request.form.get("password", "")
    if given and len(given) < passwords.SHORTEST:
        flash(gettext("A password needs at least 8 characters. Nothing was changed."), "bad")
        return _form(row), 422
    _fill(row)
    if not row.active or given:
        sessions.revoke(db.session(), account_id=row.id)
    flash(gettext("Saved."), "good")
    return redirect(url_for("admin.accounts"))


@bp.post("/people/<account_id>/sign-out")
@allowed("admin.accounts")
def end_sessions(account_id: str) -> ResponseReturnValue:
    """Signs a person out everywhere."""
    sessions.revoke(db.session(), account_id=_account(account_id).id)
    flash(gettext("Signed out everywhere."), "good")
    return redirect(url_for("admin.account", account_id=account_id))


@bp.post("/people/<account_id>/unlock")
@allowed("admin.accounts")
def unlock(account_id: str) -> ResponseReturnValue:
    """Opens an account that wrong passwords have locked."""
    row = _account(account_id)
    row.failures, row.locked_until = 0, None
    return redirect(url_for("admin.account", account_id=account_id))


@bp.get("/departments")
@allowed("admin.accounts")
def department_list() -> ResponseReturnValue:
    """All departments, closed ones too."""
    rows = db.session.scalars(select(Department).order_by(Department.position, Department.code))
    return render_template("admin/departments.html", rows=list(rows))


@bp.post("/departments")
@allowed("admin.accounts")
def save_department() -> ResponseReturnValue:
    """Adds a department or changes one; its code stays, as processes name it."""
    code, zh, en = (request.form.get(name, "").strip() for name in ("code", "name_zh", "name_en"))
    if not CODE.fullmatch(code) or not zh or not en:
        flash(gettext("A department needs a code of small letters, and both names."), "bad")
        return redirect(url_for("admin.department_list"))
    row = db.session.get(Department, code)
    if row is None:
        last = db.session.scalar(select(func.max(Department.position))) or 0
        row = Department(code=code, position=last + 1)
        db.session.add(row)
    row.name_zh, row.name_en = zh[:100], en[:100]
    row.active = "active" in request.form
    flash(gettext("Saved."), "good")
    return redirect(url_for("admin.department_list"))


def _account(account_id: str) -> Account:
    row = db.session.get(Account, account_id)
    if row is None:
        raise NotFound
    return row


def _form(row: Account | None) -> str:
    held = {f"{r.role}:{r.department or ''}" for r in row.roles} if row else set()
    if request.method == "POST":
        held = set(request.form.getlist("roles"))
    return render_template("admin/person.html", account=row, held=held, departments=departments(), given=request.form)


def _wrong(login: str) -> str:
    if not LOGIN.fullmatch(login):
        return gettext("A login has 2 to 60 small letters, digits, dots or dashes.")
    if db.session.scalar(select(Account.id).where(Account.login == login)):
        return gettext("This login is taken.")
    if 0 < len(request.form.get("password", "")) < passwords.SHORTEST:
        return gettext("A password needs at least 8 characters.")
    return ""


def _fill(row: Account) -> None:
    form = request.form
    row.name_zh = form.get("name_zh", "").strip()[:100] or form.get("name_en", "").strip()[:100] or row.login
    row.name_en = form.get("name_en", "").strip()[:100] or row.name_zh
    row.email = form.get("email", "").strip().lower()[:200] or None
    row.room = form.get("room", "").strip()[:20] or None
    row.active = "active" in form
    if form.get("password"):
        row.password = passwords.hashed(form["password"])
    codes = {d.code for d in departments()}
    pairs = {(role, department or None) for role, _, department in (value.partition(":") for value in form.getlist("roles"))}
    wanted = {(r, d) for r, d in pairs if r in ROLES and (d is None or d in codes)}
    kept = [r for r in row.roles if (r.role, r.department) in wanted]
    there = {(r.role, r.department) for r in kept}
    row.roles = [*kept, *(AccountRole(role=r, department=d) for r, d in sorted(wanted - there, key=str))]


@bp.get("/tokens")
@allowed("admin.accounts")
def token_list() -> ResponseReturnValue:
    """The tokens of programs."""
    rows = db.session.scalars(select(ApiToken).order_by(ApiToken.revoked.is_not(None), ApiToken.created.desc()))
    return render_template("admin/tokens.html", rows=list(rows), scopes=tokens.SCOPES, made=None)


@bp.post("/tokens")
@allowed("admin.accounts")
def create_token() -> ResponseReturnValue:
    """Makes a token and shows its text this one time."""
    name, scopes = request.form.get("name", "").strip(), request.form.getlist("scopes")
    if not name or not set(scopes) & set(tokens.SCOPES):
        flash(gettext("A token needs a name and at least one scope."), "bad")
        return redirect(url_for("admin.token_list"))
    _, text = tokens.create(db.session(), name, scopes, by=signed_in().login)
    rows = db.session.scalars(select(ApiToken).order_by(ApiToken.revoked.is_not(None), ApiToken.created.desc()))
    return render_template("admin/tokens.html", rows=list(rows), scopes=tokens.SCOPES, made=text)


@bp.post("/tokens/<token_id>/revoke")
@allowed("admin.accounts")
def revoke_token(token_id: str) -> ResponseReturnValue:
    """Ends a token; its next request is refused."""
    row = db.session.get(ApiToken, token_id)
    if row is None:
        raise NotFound
    row.revoked = row.revoked or now()
    return redirect(url_for("admin.token_list"))
