"""Sign-in through a real OpenID Connect provider process: code flow with PKCE, accounts found by sub or email, roles by claim."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests import machines
from tests.web.clinic import Browser, Clinic, settings_at
from web import create_app
from web.accounts.tables import Account
from web.db import db


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The issuer's address."""
    port = machines.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        machines.wait_until(lambda: _answers(address), "the OpenID provider", 60)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/.well-known/openid-configuration", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def federated(prepared: Path, tmp_path: Path, provider: str) -> Iterator[Clinic]:
    """A clinic that trusts the provider."""
    shutil.copytree(prepared, tmp_path / "var")
    app = create_app(settings_at(tmp_path / "var", oidc_issuer=provider, oidc_client_id="carelane", oidc_client_secret="secret"))
    app.test_client_class = Browser
    with app.app_context():
        yield Clinic(app)
        db.session.remove()
        db.engine.dispose()


def sign_in(clinic: Clinic, provider: str, sub: str, **claims: Any) -> Any:
    """Walks through the provider as a browser would; gives the last answer and the person."""
    httpx.put(f"{provider}/users/{sub}", json=claims, trust_env=False).raise_for_status()
    person = clinic.stranger()
    to_provider = person.get("/login/provider?next=/visits").location
    asked = parse_qs(urlsplit(to_provider).query)
    assert asked["code_challenge_method"] == ["S256"], "PKCE"
    assert asked["state"]
    back = httpx.post(to_provider, data={"sub": sub}, follow_redirects=False, trust_env=False).headers["Location"]
    landed = person.get(back.removeprefix("http://localhost"))
    if landed.status_code != 200:
        return landed, person
    return person.post("/login/finish"), person


def test_somebody_known_by_email_comes_in_and_is_known_by_sub_from_then_on(federated: Clinic, provider: str) -> None:
    answer, person = sign_in(federated, provider, "u-1", email="nurse@clinic.example", email_verified=True)
    assert (answer.status_code, answer.location) == (302, "/visits")
    assert person.get("/inbox").status_code == 200
    assert db.session.query(Account).filter_by(login="nurse").one().subject == "u-1"
    _, again = sign_in(federated, provider, "u-1", email="changed@clinic.example")
    assert again.get("/inbox").status_code == 200


def test_an_email_that_is_not_verified_opens_nothing(federated: Clinic, provider: str) -> None:
    answer, person = sign_in(federated, provider, "u-2", email="doctor@clinic.example", email_verified=False)
    assert answer.status_code == 403
    assert person.get("/inbox").status_code == 302


def test_somebody_else_with_a_taken_email_does_not_get_the_account(federated: Clinic, provider: str) -> None:
    sign_in(federated, provider, "u-3", email="lab@clinic.example", email_verified=True)
    answer, _ = sign_in(federated, provider, "u-4", email="lab@clinic.example", email_verified=True)
    assert answer.status_code == 403


def test_somebody_unknown_stays_out_unless_the_provider_grants_roles(federated: Clinic, provider: str) -> None:
    answer, _ = sign_in(federated, provider, "u-5", email="new@clinic.example", email_verified=True)
    assert answer.status_code == 403
    answer, person = sign_in(
        federated, provider, "u-5", email="new@clinic.example", email_verified=True, name="新人", roles=["doctor:surgery", "god", "nurse:mars"]
    )
    assert answer.status_code == 302
    account = db.session.query(Account).filter_by(subject="u-5").one()
    assert [(r.role, r.department) for r in account.roles] == [("doctor", "surgery")]
    assert person.get("/inbox").status_code == 200


def test_a_callback_that_this_browser_did_not_ask_for_is_refused(federated: Clinic) -> None:
    stranger = federated.stranger()
    assert stranger.get("/login/callback?code=x&state=y").status_code == 403
    assert stranger.post("/login/finish").status_code == 403


def test_without_an_issuer_there_is_no_such_sign_in(clinic: Clinic) -> None:
    assert clinic.stranger().get("/login/provider").status_code == 404
    assert "hospital account" not in clinic.stranger().text("/login")
