"""Sessions end by time, by hand, or by an administrator; writing needs the session's token; headers keep strangers out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import clock
from tests.web.clinic import Clinic
from web.accounts import sessions
from web.accounts.tables import LoginSession
from web.db import db


def test_a_quarter_of_an_hour_without_a_request_ends_it(clinic: Clinic) -> None:
    person, start = clinic.person("nurse"), clock.now()
    with clock.at(start + timedelta(minutes=14)):
        assert person.get("/inbox").status_code == 200
    with clock.at(start + timedelta(minutes=28)):
        assert person.get("/inbox").status_code == 200
    with clock.at(start + timedelta(minutes=44)):
        assert person.get("/inbox").status_code == 302


def test_automatic_refreshes_do_not_keep_it_alive(clinic: Clinic) -> None:
    person, start = clinic.person("nurse"), clock.now()
    for minute in range(1, 15, 2):
        with clock.at(start + timedelta(minutes=minute)):
            assert person.get("/inbox/rows", headers={sessions.BACKGROUND: "1"}).status_code == 200
    with clock.at(start + timedelta(minutes=16)):
        assert person.get("/inbox/rows", headers={sessions.BACKGROUND: "1", "HX-Request": "true"}).status_code == 401


def test_twelve_hours_end_it_however_busy(clinic: Clinic) -> None:
    person, start = clinic.person("nurse"), clock.now()
    for minute in range(10, 720, 10):
        with clock.at(start + timedelta(minutes=minute)):
            assert person.get("/profile").status_code == 200
    with clock.at(start + timedelta(minutes=721)):
        assert person.get("/profile").status_code == 302


def test_a_revoked_session_is_dead_with_the_next_request(clinic: Clinic) -> None:
    person = clinic.person("nurse")
    sessions.revoke(db.session(), session_id=db.session.query(LoginSession).one().id)
    db.session.commit()
    assert person.get("/inbox").status_code == 302


def test_the_database_does_not_hold_what_the_cookie_holds(clinic: Clinic) -> None:
    person = clinic.person("nurse")
    cookie = person.client.get_cookie(sessions.COOKIE)
    assert cookie is not None
    assert db.session.query(LoginSession).one().token_hash != cookie.value


FORGED: list[dict[str, str]] = [
    {},
    {"X-CSRF-Token": "guess"},
    {"X-CSRF-Token": "test-token", "Origin": "https://evil.example"},
    {"X-CSRF-Token": "test-token", "Origin": "null"},
]


def test_every_writing_route_refuses_a_request_without_the_token(clinic: Clinic) -> None:
    from tests.security.test_matrix import routes, things
    from web.csrf import _exempt

    person, about, wrong = clinic.person("admin"), things(clinic, "admin", "surgery"), []
    for rule, method, view in routes(clinic.app):
        if method == "GET" or f"{view.__module__}.{view.__qualname__}" in _exempt:
            continue
        with clinic.app.test_request_context():
            path = clinic.app.url_for(rule.endpoint, **about.arguments(rule), _external=False)
        refused = [person.client.open(path, method=method, headers=headers).status_code for headers in FORGED]
        if refused != [400] * len(FORGED):
            wrong.append(f"{method} {rule.rule}: {refused}")
    assert wrong == []


def test_only_callers_with_another_proof_are_free_of_the_token(clinic: Clinic) -> None:
    from web.csrf import _exempt

    free = {name for name in _exempt if not name.startswith(("web.api.", "web.fhir."))}  # these take a bearer token and no cookie
    assert free == {"web.hooks.views.receive"}


@pytest.mark.parametrize("path", ["/login", "/inbox", "/nowhere"])
def test_pages_carry_the_headers(clinic: Clinic, path: str) -> None:
    headers = clinic.person("nurse").get(path).headers if path != "/login" else clinic.stranger().get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_no_page_needs_unsafe_eval(clinic: Clinic) -> None:
    from web.headers import _policy

    for blueprint in clinic.app.blueprints:
        with clinic.app.test_request_context():
            from flask import request

            request.url_rule = next((r for r in clinic.app.url_map.iter_rules() if r.endpoint.startswith(f"{blueprint}.")), None)
            assert "unsafe-eval" not in _policy()


def test_behind_https_the_cookie_is_secure_and_browsers_are_told(prepared: object, tmp_path: object) -> None:
    import shutil
    from pathlib import Path

    from tests.web.clinic import settings_at
    from web import create_app

    var = Path(str(tmp_path)) / "var"
    shutil.copytree(str(prepared), var)
    app = create_app(settings_at(var, base_url="https://clinic.example"))
    client = app.test_client()
    with client.session_transaction(base_url="https://localhost") as kept:
        kept["csrf"] = "t"
    answer = client.post("/login", base_url="https://localhost", data={"login": "nurse", "password": "carelane", "_csrf": "t"})
    assert "Secure" in next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith(sessions.COOKIE))
    assert "max-age" in answer.headers["Strict-Transport-Security"]
