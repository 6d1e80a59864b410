"""Who may do what. One table: actions × roles × scope; what it does not name is denied.

A view says which action it is (`@allowed("task.complete", of=task_department)`); a test walks the URL map and fails on a
view that says nothing. `of` finds the department of the thing that the request is about, from the view's own arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

from flask import flash, redirect, request, url_for
from flask_babel import gettext, lazy_gettext

from engine.errors import Forbidden, NotFound
from web.accounts.user import User, current, me
from web.errors import wants_json

P = ParamSpec("P")
R = TypeVar("R")
View = TypeVar("View", bound=Callable[..., Any])
Scope = Literal["own", "all"]  # own: the departments that the person holds the role in; all: every department

ROLES: dict[str, Any] = {
    "registrar": lazy_gettext("Registrar"),
    "triage_nurse": lazy_gettext("Triage nurse"),
    "doctor": lazy_gettext("Doctor"),
    "lab_technician": lazy_gettext("Lab technician"),
    "imaging_technician": lazy_gettext("Imaging technician"),
    "cashier": lazy_gettext("Cashier"),
    "pharmacist": lazy_gettext("Pharmacist"),
    "referral_coordinator": lazy_gettext("Referral coordinator"),
    "process_owner": lazy_gettext("Process owner"),
    "project_manager": lazy_gettext("Project manager"),
    "integration_engineer": lazy_gettext("Integration engineer"),
    "admin": lazy_gettext("Administrator"),
}

CARE = tuple(ROLES)[:8]
STAFF = tuple(ROLES)[:11]  # all but the administrator, who looks after accounts and sees no patients
REDESIGN = ("process_owner", "project_manager")
OPERATE = ("process_owner", "integration_engineer")


def _row(*, own: Iterable[str] = (), everywhere: Iterable[str] = ()) -> dict[str, Scope]:
    return {**dict.fromkeys(own, "own"), **dict.fromkeys(everywhere, "all")}


TABLE: dict[str, Mapping[str, Scope]] = {
    # anybody signed in, about themselves
    "self": _row(everywhere=ROLES),
    # a visit's work
    "inbox.view": _row(own=STAFF),
    "task.open": _row(own=STAFF),
    "task.work": _row(own=STAFF),
    "visit.start": _row(own=("registrar",)),
    "visit.view": _row(own=CARE, everywhere=(*OPERATE, "project_manager", "admin")),
    "visit.variables": _row(own=("doctor",), everywhere=OPERATE),
    "visit.cancel": _row(own=("registrar",), everywhere=("process_owner",)),
    "patient.identity": _row(own=CARE, everywhere=("integration_engineer",)),
    "alert.view": _row(own=STAFF),
    # keeping it running
    "operations.view": _row(everywhere=(*OPERATE, "project_manager", "admin")),
    "incident.resolve": _row(everywhere=OPERATE),
    "instance.operate": _row(everywhere=OPERATE),
    "instance.migrate": _row(everywhere=OPERATE),
    "connections.view": _row(everywhere=OPERATE),
    "connections.change": _row(everywhere=("integration_engineer",)),
    "messages.view": _row(everywhere=OPERATE),  # masked where patient.identity does not allow more
    "messages.act": _row(everywhere=("integration_engineer",)),
    "worklist.view": _row(everywhere=OPERATE),
    "worklist.place": _row(everywhere=("integration_engineer",)),
    "far_ends.play": _row(everywhere=ROLES),  # exists in a demonstration only
    # what the data means, and how good it is
    "governance.view": _row(everywhere=(*REDESIGN, "integration_engineer")),
    "dictionary.change": _row(everywhere=OPERATE),
    "mappings.change": _row(everywhere=("integration_engineer",)),
    "quality.change": _row(everywhere=OPERATE),
    "patient.review": _row(everywhere=("registrar",)),
    "legacy.view": _row(everywhere=(*REDESIGN, "integration_engineer")),
    "legacy.work": _row(everywhere=("project_manager", "integration_engineer")),
    "legacy.sign": _row(everywhere=REDESIGN),
    # money
    "money.view": _row(everywhere=("cashier", *OPERATE)),
    "money.run": _row(everywhere=("cashier", *OPERATE)),
    "money.work": _row(everywhere=("cashier", "process_owner")),
    "money.sign": _row(everywhere=("cashier", "process_owner")),
    # making it better
    "studio.view": _row(everywhere=(*REDESIGN, "integration_engineer")),
    "studio.deploy": _row(everywhere=("process_owner",)),
    "insight.view": _row(everywhere=(*REDESIGN, "integration_engineer")),
    "rollout.view": _row(everywhere=REDESIGN),
    "rollout.manage": _row(everywhere=("project_manager",)),
    "rollout.approve": _row(everywhere=("process_owner",)),
    # looking after people and records
    "admin.accounts": _row(everywhere=("admin",)),
    "admin.records": _row(everywhere=("admin",)),
}

PUBLIC = "public"
TOKEN = "token"  # noqa: S105 - the name of a kind of caller, not a secret


def scope_of(user: User, action: str) -> frozenset[str] | None:
    """The departments in which `user` may do `action`: None means all, an empty set none."""
    row = TABLE[action]
    if user.has(role for role, scope in row.items() if scope == "all"):
        return None
    return user.departments(role for role, scope in row.items() if scope == "own")


def may(action: str, department: str | None = None, user: User | None = None) -> bool:
    """Whether the person may do `action`, on something of `department` when there is one."""
    user = user or current()
    if user is None or not user.has(TABLE[action]):
        return False
    departments = scope_of(user, action)
    # What has no department yet (a visit before guidance) is open to everybody with the role.
    return departments is None or department is None or department in departments


def allowed(action: str, *, of: Callable[P, str | None] | None = None) -> Callable[[Callable[P, R]], Callable[P, Any]]:
    """Guards a view by the table. Sends people who are not signed in to the sign-in page."""
    if action not in TABLE:
        raise ValueError(f"action {action!r} is not in the table")

    def guard(view: Callable[P, R]) -> Callable[P, Any]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            if current() is None:
                return _sign_in()
            if not may(action):
                raise Forbidden
            if of is not None and not may(action, of(*args, **kwargs)):
                raise NotFound  # of another department: that it exists is not told either
            return view(*args, **kwargs)

        guarded.access, guarded.access_of = action, of  # type: ignore[attr-defined]
        return guarded

    return guard


def public(view: View) -> View:
    """Marks a view that needs no sign-in."""
    view.access = PUBLIC  # type: ignore[attr-defined]
    return view


def action_of(view: Callable[..., Any]) -> str | None:
    """The action a view declared, `public`, `token`, or None: such a view must not exist."""
    return getattr(view, "access", None)


def _sign_in() -> Any:
    if wants_json() or "HX-Request" in request.headers:
        return gettext("You are signed out."), 401, {"HX-Redirect": url_for("accounts.sign_in")}
    if request.method == "GET":
        return redirect(url_for("accounts.sign_in", next=request.full_path.rstrip("?")))
    flash(gettext("You were signed out, and what you sent was not saved."), "warning")
    return redirect(url_for("accounts.sign_in"))


def signed_in() -> User:
    """The person of this request, for views behind `allowed`."""
    return me()
