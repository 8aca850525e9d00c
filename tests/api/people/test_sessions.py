"""One's own sessions and password over the API: seen, ended, changed, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from tests.api.conftest import Client
from tests.support.builders import NOW, person
from tests.support.servers import House
from workflow.foundation.database import transaction
from workflow.mail.outbox import Letter
from workflow.people.accounts import open_account

OLD, NEW = "一个很长的密码 12", "另一个很长的密码 34"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"


class Browser:
    """A browser in which somebody has signed in, with its CSRF token."""

    def __init__(self, house: House, staff_no: str, agent: str = EDGE, password: str = OLD) -> None:
        self.http: FlaskClient = house.app.test_client()
        self.agent = agent
        answer = self.http.post("/api/v1/session", json={"staff_no": staff_no, "password": password}, headers={"User-Agent": agent})
        assert answer.status_code == 201, answer.get_json()
        self.csrf = answer.get_json()["csrf_token"]

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {"X-CSRF-Token": self.csrf, "User-Agent": self.agent, **headers}
        return self.http.open(f"/api/v1{path}", method=method, json=body, headers=sent)

    def change(self, old: str, new: str, **headers: str) -> TestResponse:
        return self("PUT", "/me/password", {"old": old, "new": new}, **headers)

    def sessions(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self("GET", "/me/sessions").get_json()["items"]
        return items

    @property
    def open(self) -> bool:
        return self("GET", "/me").status_code == 200


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> None:
    house.clock.now = NOW
    with transaction(house.engine, actor=None) as session:
        session.execute(text("delete from attempt"))


@pytest.fixture
def who(house: House) -> str:
    """A member who has a password."""
    member = house.a_branch().member
    with transaction(house.engine, actor="cli") as session:
        open_account(session, person(session, member), now=NOW, password=OLD)
    return member


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_sees_where_one_is_signed_in_since_when_and_when_it_was_used(house: House, who: str) -> None:
    desk = Browser(house, who)
    house.clock.now = NOW + timedelta(hours=1)
    telephone = Browser(house, who, IPHONE)
    house.clock.now = NOW + timedelta(hours=2)
    first, second = desk.sessions()
    assert first.keys() == {"id", "created_at", "used_at", "expires_at", "browser", "current"}
    assert (first["browser"], first["created_at"], first["current"]) == ("Edge, Windows", "2024-12-20T02:00:00Z", True)
    assert (second["browser"], second["created_at"], second["current"]) == ("Safari, iPhone", "2024-12-20T03:00:00Z", False)
    assert second["expires_at"] == "2024-12-20T15:00:00Z"
    first, second = telephone.sessions()
    assert (first["used_at"], first["current"]) == ("2024-12-20T04:00:00Z", False)
    assert (second["used_at"], second["current"]) == ("2024-12-20T03:00:00Z", True), "it is told from the next reading on"
    assert telephone.sessions()[1]["used_at"] == "2024-12-20T04:00:00Z"
    page = desk("GET", "/me/sessions?limit=1").get_json()
    assert [each["id"] for each in desk("GET", f"/me/sessions?after={page['next']}").get_json()["items"]] == [second["id"]]


def test_of_a_browser_no_more_is_kept_than_its_kind(house: House, who: str) -> None:
    for agent, word in (("curl/8.5.0", None), ("", None), ("王五 w5@school.example Firefox", "Firefox"), ("x" * 5000 + "Android", "Android")):
        assert Browser(house, who, agent).sessions()[-1]["browser"] == word
    with transaction(house.engine, actor=None) as session:
        kept = set(session.scalars(text("select browser from session_use where browser is not null")))
    assert kept <= {"Edge, Windows", "Safari, iPhone", "Firefox", "Android"}


def test_a_session_of_ones_own_is_ended_at_once_and_no_other_can_be(house: House, who: str) -> None:
    desk, telephone, other = Browser(house, who), Browser(house, who, IPHONE), Browser(house, the_office(house))
    left, here = [each["id"] for each in telephone.sessions()]
    before = house.state()
    for foreign in (left, 987654321):
        assert other("DELETE", f"/me/sessions/{foreign}").status_code == 404
    assert telephone("DELETE", f"/me/sessions/{left}", **{"X-CSRF-Token": "0" * 64}).status_code == 403
    assert house.state() == before
    assert desk.open
    assert telephone("DELETE", f"/me/sessions/{left}").status_code == 204
    assert (desk.open, telephone.open) == (False, True)
    assert telephone("DELETE", f"/me/sessions/{left}").status_code == 404, "it is over"
    assert [each["id"] for each in telephone.sessions()] == [here]
    assert telephone("DELETE", f"/me/sessions/{here}").status_code == 204
    assert telephone.http.get_cookie("zhibu_session") is None
    with transaction(house.engine, actor=None) as session:
        assert session.scalars(text("select session_id from session_use where session_id = any(:ids)"), {"ids": [left, here]}).all() == []


def test_sessions_that_are_over_are_not_listed_and_their_use_is_forgotten(house: House, who: str) -> None:
    desk = Browser(house, who)
    [gone] = [each["id"] for each in desk.sessions()]
    house.clock.now = NOW + timedelta(hours=12)
    again = Browser(house, who)
    assert [each["current"] for each in again.sessions()] == [True]
    with transaction(house.engine, actor=None) as session:
        assert session.scalar(text("select count(*) from session_use where session_id = :id"), {"id": gone}) == 0


def test_a_program_lists_the_sessions_of_its_person_and_has_none(house: House, who: str) -> None:
    Browser(house, who)
    assert [each["current"] for each in house.as_(who).get("/me/sessions").body["items"]] == [False]


# ── the password ──────────────────────────────────────────────────────────────────────────────────────────────────────


def the_office(house: House) -> str:
    with transaction(house.engine, actor="cli") as session:
        open_account(session, person(session, "office"), now=NOW, password=OLD)
    return "office"


def letters(house: House, staff_no: str) -> list[Letter]:
    with transaction(house.engine, actor=None) as session:
        to = (Letter.address == f"{staff_no}@school.example", Letter.kind == "password-changed")
        return list(session.scalars(select(Letter).where(*to)))


def test_a_changed_password_keeps_this_session_and_tokens_ends_all_others_and_is_told(house: House, who: str) -> None:
    desk, telephone, program = Browser(house, who), Browser(house, who, IPHONE), house.as_(who)
    house.as_("administrator").post(f"/accounts/{who}/invitation")
    changed = desk.change(OLD, NEW)
    assert (changed.status_code, changed.data) == (204, b"")
    assert (desk.open, telephone.open, program.get("/me").status) == (True, False, 200)
    assert [each["current"] for each in desk.sessions()] == [True]
    [letter] = letters(house, who)
    assert "登录密码已于2024年12月20日（星期五）10:00更改" in letter.text
    signing_in = [desk.http.post("/api/v1/session", json={"staff_no": who, "password": each}).status_code for each in (OLD, NEW)]
    assert signing_in == [401, 201]
    with transaction(house.engine, actor=None) as session:
        assert session.scalar(text("select count(*) from invitation i join person p on p.id = person_id where staff_no = :who and ended_at is null"),
                              {"who": who}) == 0  # fmt: skip
        row = session.execute(text("select actor, old, new from history where what = 'account' order by id desc limit 1")).one()
    assert row.actor == who
    assert "argon2" not in str(row)


@pytest.mark.parametrize(
    ("old", "new", "field", "why"),
    [
        ("not the password", NEW, "old", "原密码不对"),
        (OLD, "1234567890", "new", "密码太常见"),
        (OLD, "{who}2024", "new", "学工号"),
        (OLD, "", "new", "必须填写"),
    ],
)
def test_a_wrong_or_weak_one_changes_nothing_and_says_why(house: House, who: str, old: str, new: str, field: str, why: str) -> None:
    desk, before = Browser(house, who), house.state()
    refused = desk.change(old, new.format(who=who * 2))
    assert (refused.status_code, refused.get_json()["errors"].keys()) == (422, {field})
    assert why in refused.get_json()["errors"][field][0]
    counted = {"attempt": house.state()["attempt"]}
    assert {**house.state(), **counted} == {**before, **counted}
    assert letters(house, who) == []


def test_the_present_password_is_guessed_five_times_and_no_more_while_weak_new_ones_cost_nothing(house: House, who: str) -> None:
    desk = Browser(house, who)
    for _ in range(6):
        assert desk.change(OLD, "1234567890").status_code == 422
    assert [desk.change(f"guess number {number}", NEW).status_code for number in range(6)] == [422] * 5 + [429]
    closed = desk.change(OLD, NEW)
    assert (closed.status_code, 800 < int(closed.headers["Retry-After"]) <= 900) == (429, True)
    assert desk.open


def test_a_key_keeps_nothing_of_a_password(house: House, who: str) -> None:
    desk = Browser(house, who)
    assert desk.change(OLD, NEW, **{"Idempotency-Key": "one"}).status_code == 204
    assert desk.change(OLD, NEW, **{"Idempotency-Key": "one"}).status_code == 422, "done again, and now the old one is wrong"
    with transaction(house.engine, actor=None) as session:
        assert session.scalar(text("select count(*) from kept_outcome where route like '%/me/password'")) == 0


def test_a_stranger_is_asked_to_sign_in(house: House) -> None:
    stranger = Client(house.app.test_client(), "")
    assert stranger.put("/me/password", {"old": OLD, "new": NEW}).status == 401
    assert stranger.get("/me/sessions").status == 401
    assert stranger("DELETE", "/me/sessions/1").status == 401
