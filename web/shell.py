"""What every page shares: navigation by role, names for codes, versioned links to our own files."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, g, request, send_from_directory, url_for
from flask_babel import gettext, lazy_gettext
from sqlalchemy import select

import forms
from engine.clock import now
from web.access import CARE, ROLES, may, public
from web.accounts.tables import Account, Department
from web.accounts.user import current
from web.db import db
from web.demo import plan
from web.i18n import language

STATIC = Path(__file__).parent / "static"

# endpoint, words, action of web.access
NAVIGATION: tuple[tuple[str, Any, str], ...] = (
    ("inbox.show", lazy_gettext("Inbox"), "inbox.view"),
    ("visits.search", lazy_gettext("Visits"), "visit.view"),
    ("operations.show", lazy_gettext("Operations"), "operations.view"),
    ("connections.show", lazy_gettext("Connections"), "connections.view"),
    ("money.show", lazy_gettext("Money"), "money.view"),
    ("insight.show", lazy_gettext("Figures"), "insight.view"),
    ("governance.dictionary", lazy_gettext("Data"), "governance.view"),
    ("governance.duplicates", lazy_gettext("Duplicates"), "patient.review"),
    ("legacy.show", lazy_gettext("Moving"), "legacy.view"),
    ("studio.show", lazy_gettext("Studio"), "studio.view"),
    ("rollout.show", lazy_gettext("Rollout"), "rollout.view"),
    ("admin.accounts", lazy_gettext("People"), "admin.accounts"),
    ("records.show", lazy_gettext("Access record"), "admin.records"),
    ("far_ends.show", lazy_gettext("Far ends"), "far_ends.play"),
)

LANDING = {"process_owner": "insight.show", "project_manager": "rollout.show", "integration_engineer": "connections.show"}

MACHINES = frozenset({"system", "worker", "timer", "message", "signal"})

ACUITY = {
    1: lazy_gettext("Critical"),
    2: lazy_gettext("Very urgent"),
    3: lazy_gettext("Urgent"),
    4: lazy_gettext("Not urgent"),
}


def init(app: Flask) -> None:
    """Gives templates the shell's words."""
    app.add_template_global(navigation, "navigation")
    app.add_template_global(asset, "asset")
    app.add_template_global(may, "may")
    app.add_template_global(now, "now")
    app.add_template_global(past_progress, "past_progress")
    app.jinja_env.globals.update(ACUITY=ACUITY, ROLES=ROLES)
    app.add_template_filter(department_name, "department")
    app.add_template_filter(person_name, "person")
    app.add_template_filter(role_name, "role")
    app.add_url_rule("/form-files/<path:filename>", "form_files", public(_form_file))
    app.context_processor(lambda: {"user": current(), "demo": current_app.config["CARELANE"].simulators})


def past_progress() -> tuple[int, int] | None:
    """How far the demonstration's past is played; None when it is complete, or in a real clinic."""
    settings = current_app.config["CARELANE"]
    return plan.progress(db.session(), settings) if settings.simulators else None


def navigation() -> list[dict[str, Any]]:
    """The entries that this person may use, the present one marked."""
    here = request.blueprint
    entries = []
    for endpoint, words, action in NAVIGATION:
        if endpoint not in current_app.view_functions or not may(action):
            continue
        if endpoint.startswith("far_ends.") and not current_app.config["CARELANE"].simulators:
            continue
        first = endpoint.split(".")[0] == here and not any(entry["current"] for entry in entries)
        same = request.endpoint == endpoint or (first and not _sibling())
        entries.append({"url": url_for(endpoint), "words": words, "current": same})
    return entries


def _sibling() -> bool:
    return any(request.endpoint == endpoint for endpoint, _, _ in NAVIGATION)


def landing() -> str:
    """The page that a person starts on: the inbox for those who see patients, their own subject for the others."""
    own = [LANDING[role] for role in LANDING if (user := current()) and role in user.role_names and not user.has(CARE)]
    entries = [{"url": url_for(own[0])}] if own else navigation()
    return str(entries[0]["url"]) if entries else url_for("accounts.profile")


def asset(path: str) -> str:
    """The address of one of our files, changing with its content."""
    return url_for("static", filename=path, v=_version(path, _stamp(path)))


def _stamp(path: str) -> int:
    file = STATIC / path
    return file.stat().st_mtime_ns if file.exists() else 0


@lru_cache(maxsize=256)
def _version(path: str, _stamp: int) -> str:
    file = STATIC / path
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10] if file.exists() else "0"


def _form_file(filename: str) -> Response:
    """The forms package's own script and style."""
    return send_from_directory(forms.STATIC, filename, max_age=86_400)


def departments() -> list[Department]:
    """The active departments in their order."""
    if "departments" not in g:
        g.departments = list(db.session.scalars(select(Department).where(Department.active).order_by(Department.position)))
    return list(g.departments)


def department_name(code: str | None) -> str:
    """A department's name for its code."""
    if code is None:
        return ""
    names = {row.code: getattr(row, f"name_{language()}") for row in departments()}
    return str(names.get(code, code))


def person_name(login: str | None) -> str:
    """A person's name for their login; the system's own doings are called so."""
    if not login or login in MACHINES or ":" in login:
        return gettext("System")
    if "people" not in g:
        g.people = {a.login: {"zh": a.name_zh, "en": a.name_en} for a in db.session.scalars(select(Account))}
    return str(g.people.get(login, {}).get(language()) or _on_duty(login))


def _on_duty(login: str) -> str:
    """The words for `doctor-2`, as the demonstration's past names whoever was on duty; another login as it is."""
    role, _, number = login.rpartition("-")
    return f"{role_name(role)} {number}" if role in ROLES else login


def role_name(code: str | None) -> str:
    """A role's name for its code."""
    return str(ROLES.get(code or "", code or ""))
