"""Signing in and out, languages, and what a person may change about themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import clock
from tests.web.clinic import Clinic, Person
from web.accounts.tables import Account
from web.accounts.views import local
from web.db import db


def sign_in(person: Person, login: str = "nurse", password: str = "carelane", **more: str) -> int:
    return person.post("/login", {"login": login, "password": password, **more}).status_code


def account(login: str = "nurse") -> Account:
    db.session.expire_all()
    return db.session.query(Account).filter_by(login=login).one()


def test_the_right_password_opens_the_inbox(clinic: Clinic) -> None:
    person = clinic.stranger()
    assert sign_in(person) == 302
    assert person.get("/inbox").status_code == 200


@pytest.mark.parametrize(("login", "password"), [("nurse", "wrong"), ("nobody", "carelane"), ("", ""), ("nurse", "")])
def test_anything_else_does_not_and_does_not_say_which_was_wrong(clinic: Clinic, login: str, password: str) -> None:
    answer = clinic.stranger().post("/login", {"login": login, "password": password})
    assert answer.status_code == 401
    assert "账号或密码不正确" in answer.get_data(as_text=True)


def test_five_wrong_passwords_lock_the_account_for_a_quarter_of_an_hour(clinic: Clinic) -> None:
    person = clinic.stranger()
    for _ in range(5):
        assert sign_in(person, password="wrong") == 401
    assert sign_in(person) == 429, "even the right password must wait"
    with clock.at(clock.now() + timedelta(minutes=16)):
        assert sign_in(person) == 302


def test_a_right_password_forgets_the_wrong_ones(clinic: Clinic) -> None:
    for _ in range(2):
        person = clinic.stranger()
        for _ in range(4):
            sign_in(person, password="wrong")
        assert sign_in(person) == 302


def test_a_closed_account_cannot_sign_in_and_is_out_at_once(clinic: Clinic) -> None:
    person = clinic.person("nurse")
    account().active = False
    db.session.commit()
    assert person.get("/inbox").status_code == 302
    assert sign_in(clinic.stranger()) == 401


def test_signing_out_ends_the_session_on_the_server(clinic: Clinic) -> None:
    person = clinic.person("nurse")
    cookie = person.client.get_cookie("carelane_session")
    assert cookie is not None
    person.post("/logout")
    person.client.set_cookie("carelane_session", cookie.value)
    assert person.get("/inbox").status_code == 302


def test_where_one_wanted_to_go_is_kept(clinic: Clinic) -> None:
    person = clinic.stranger()
    assert person.get("/visits?state=all").location == "/login?next=/visits?state%3Dall"
    answer = person.post("/login", {"login": "nurse", "password": "carelane", "next": "/visits?state=all"})
    assert answer.location == "/visits?state=all"


@pytest.mark.parametrize(
    "address", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "\\\\evil.example"]
)
def test_no_other_site_is_ever_the_target(address: str) -> None:
    assert local(address) == ""


def test_each_role_starts_where_its_work_is(clinic: Clinic) -> None:
    starts = {"registrar": "/inbox", "admin": "/visits", "pm": "/rollout", "owner": "/insight"}
    assert {login: clinic.person(login).get("/").location for login in starts} == starts


def test_the_language_is_kept_in_cookie_and_profile(clinic: Clinic) -> None:
    stranger = clinic.stranger()
    assert "登录" in stranger.text("/login"), "Chinese when nothing was chosen"
    stranger.post("/language", {"language": "en", "next": "/login"})
    assert "Sign in" in stranger.text("/login")
    nurse = clinic.person("nurse", "zh")
    nurse.post("/language", {"language": "en"})
    assert account().language == "en"
    assert "Inbox" in clinic.person("nurse", "en").text("/inbox")


def test_the_profile_comes_before_the_cookie(clinic: Clinic) -> None:
    nurse = clinic.person("nurse", "zh")
    nurse.client.set_cookie("carelane_language", "en")
    assert "待办" in nurse.text("/inbox")


def test_a_new_password_ends_all_other_sessions(clinic: Clinic) -> None:
    here, there = clinic.person("nurse"), clinic.person("nurse")
    assert here.post("/profile/password", {"old": "carelane", "new": "a longer one", "again": "a longer one"}).status_code == 302
    assert here.get("/inbox").status_code == 200
    assert there.get("/inbox").status_code == 302
    assert sign_in(clinic.stranger(), password="a longer one") == 302


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [("wrong", "a longer one", "a longer one"), ("carelane", "short", "short"), ("carelane", "a longer one", "another one")],
)
def test_a_password_change_that_is_not_sound_changes_nothing(clinic: Clinic, old: str, new: str, again: str) -> None:
    clinic.person("nurse").post("/profile/password", {"old": old, "new": new, "again": again})
    assert sign_in(clinic.stranger()) == 302


def test_demo_logins_show_in_a_demonstration_only(clinic: Clinic) -> None:
    assert "paediatrician" in clinic.stranger().text("/login")
    from dataclasses import replace

    clinic.app.config["CARELANE"] = replace(clinic.app.config["CARELANE"], simulators=False)
    page = clinic.stranger().text("/login")
    assert "paediatrician" not in page
    assert "carelane</code>" not in page


def test_shortcuts_can_be_turned_off(clinic: Clinic) -> None:
    nurse = clinic.person("nurse")
    assert nurse.post("/profile/shortcuts", {"on": "0"}).status_code == 204
    assert 'data-on="0"' in nurse.text("/inbox")


def test_an_administrator_hires_moves_and_lets_go(clinic: Clinic) -> None:
    admin = clinic.person("admin")
    new = {
        "login": "newdoc",
        "name_zh": "新医生",
        "name_en": "New Doctor",
        "password": "longenough",
        "active": "on",
        "roles": ["doctor:surgery", "doctor:ent"],
    }
    assert admin.post("/admin/people", new).status_code == 302
    person = clinic.stranger()
    assert sign_in(person, "newdoc", "longenough") == 302
    made = account("newdoc")
    assert {(r.role, r.department) for r in made.roles} == {("doctor", "surgery"), ("doctor", "ent")}
    admin.post(f"/admin/people/{made.id}", {"name_zh": "新医生", "active": "on", "roles": ["doctor:ent", "god:", "doctor:nowhere"]})
    assert {(r.role, r.department) for r in account("newdoc").roles} == {("doctor", "ent")}
    admin.post(f"/admin/people/{made.id}", {"name_zh": "新医生", "roles": ["doctor:ent"]})
    assert person.get("/inbox").status_code == 302


@pytest.mark.parametrize("change", [{"login": "NURSE"}, {"login": "nurse"}, {"login": "x"}, {"login": "ok-login", "password": "short"}])
def test_a_person_that_cannot_be_is_not_added(clinic: Clinic, change: dict[str, str]) -> None:
    assert clinic.person("admin").post("/admin/people", {"name_zh": "某", **change}).status_code == 422


def test_the_last_administrator_cannot_lock_themselves_out(clinic: Clinic) -> None:
    admin = clinic.person("admin")
    assert admin.post(f"/admin/people/{account('admin').id}", {"name_zh": "管理员", "active": "on"}).status_code == 422
    assert admin.get("/admin/people").status_code == 200
