"""Signing in, accounts, tokens and posts (登录、账号、令牌、任职)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import Client
from tests.support.builders import NOW, person
from tests.support.servers import YEAR, House
from workflow.foundation.database import transaction
from workflow.people.accounts import open_account

PASSWORD = "一个很长的密码 12"


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> None:
    house.clock.now = NOW


@pytest.fixture
def administrator(house: House) -> Client:
    return house.as_("administrator")


@pytest.fixture
def browser(house: House) -> FlaskClient:
    """A browser of 党委办公室, whose account has a password."""
    with transaction(house.engine, actor="cli") as session:
        open_account(session, person(session, "office"), now=NOW, password=PASSWORD)
    return house.app.test_client()


def signed_in(browser: FlaskClient) -> dict[str, Any]:
    answer = browser.post("/api/v1/session", json={"staff_no": "office", "password": PASSWORD})
    assert answer.status_code == 201, answer.get_json()
    body: dict[str, Any] = answer.get_json()
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert body["csrf_token"] not in cookie
    return body


# ── by password ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_browser_signs_in_changes_with_its_token_and_signs_out(house: House, browser: FlaskClient) -> None:
    token = signed_in(browser)["csrf_token"]
    assert browser.get("/api/v1/me").get_json()["staff_no"] == "office"
    post = {"staff_no": "w5", "role": "office", "starts_on": "2024-12-01"}
    before = house.state()
    for headers in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": "密码".encode().decode("latin-1")}):
        refused = browser.post("/api/v1/appointments", json=post, headers=headers)
        assert refused.status_code == 403, headers
        assert refused.get_json()["type"].endswith("#csrf")
    assert house.state() == before
    made = browser.post("/api/v1/appointments", json=post, headers={"X-CSRF-Token": token})
    assert made.status_code == 201, made.get_json()
    kept = browser.get_cookie("zhibu_session")
    assert kept is not None
    assert browser.delete("/api/v1/session").status_code == 403
    assert browser.delete("/api/v1/session", headers={"X-CSRF-Token": token}).status_code == 204
    assert browser.get_cookie("zhibu_session") is None
    browser.set_cookie("zhibu_session", kept.value)
    assert browser.get("/api/v1/me").status_code == 401


def test_the_token_of_one_session_serves_no_other(house: House, browser: FlaskClient) -> None:
    first = signed_in(browser)["csrf_token"]
    assert signed_in(browser)["csrf_token"] != first
    assert browser.post(f"/api/v1{YEAR}/publish", headers={"X-CSRF-Token": first}).status_code == 403


def test_a_session_ends_by_itself(house: House, browser: FlaskClient) -> None:
    signed_in(browser)
    house.clock.now = NOW + timedelta(hours=11, minutes=59)
    assert browser.get("/api/v1/me").status_code == 200
    house.clock.now = NOW + timedelta(hours=12)
    assert browser.get("/api/v1/me").status_code == 401


def test_signing_in_says_the_same_whatever_was_wrong(house: House, browser: FlaskClient) -> None:
    answers = [
        browser.post("/api/v1/session", json={"staff_no": staff_no, "password": password})
        for staff_no, password in (("office", "wrong-password"), ("nobody", PASSWORD), ("z3", PASSWORD))
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert len({answer.get_json()["detail"] for answer in answers}) == 1
    assert not any("Set-Cookie" in answer.headers for answer in answers)


def test_a_token_in_the_header_needs_no_csrf_and_wins_over_the_cookie(house: House, browser: FlaskClient) -> None:
    signed_in(browser)
    headers = {"Authorization": f"Bearer {house.as_('张三').token}"}
    assert browser.get("/api/v1/me", headers=headers).get_json()["staff_no"] == "z3"
    assert browser.post(f"/api/v1{YEAR}/publish", headers=headers).get_json()["type"].endswith("#forbidden")


@pytest.mark.parametrize("password", ["short", "x" * 129, "x" * 20, "g200g20024", "新同事2024123456", "1234567890", "梧桐树下的\u200b图书馆2024"])
def test_an_account_is_not_opened_with_a_password_that_others_guess(house: House, administrator: Client, password: str) -> None:
    before = house.state()
    refused = administrator.post("/accounts", {"staff_no": "g200", "name": "新同事", "role": "auditor", "password": password})
    assert refused.status == 422
    assert refused.body["errors"].keys() == {"password"}
    assert house.state() == before


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def me(house: House, token: str) -> int:
    return house.app.test_client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_token_is_shown_once_and_opens_until_it_is_revoked(house: House, administrator: Client) -> None:
    made = administrator.post("/tokens", {"staff_no": "w5", "name": "统计脚本"})
    assert made.status == 201
    secret, number = made.body["token"], made.body["id"]
    assert me(house, secret) == 200
    listed = next(item for item in administrator.get("/tokens?limit=200").body["items"] if item["id"] == number)
    assert listed["revoked_at"] is None
    assert "token" not in listed
    assert secret not in str(administrator.get("/tokens?limit=200").body)
    assert administrator("DELETE", f"/tokens/{number}").status == 204
    assert me(house, secret) == 401
    assert administrator("DELETE", f"/tokens/{number}").status == 204
    assert administrator("DELETE", "/tokens/999999").status == 404


def test_a_token_ends_at_its_moment(house: House, administrator: Client) -> None:
    made = administrator.post("/tokens", {"staff_no": "w5", "name": "一小时", "expires_at": "2024-12-20T11:00:00+08:00"})
    assert made.body["expires_at"] == "2024-12-20T03:00:00Z"
    house.clock.now = NOW + timedelta(minutes=59)
    assert me(house, made.body["token"]) == 200
    house.clock.now = NOW + timedelta(minutes=60)
    assert me(house, made.body["token"]) == 401


@pytest.mark.parametrize(
    "moment", ["2025-01-01T00:00:00", "2025-01-01", "2024-12-20T09:00:00+08:00", "9999-12-31T23:59:59-12:00", 1735689600, "tomorrow"]
)
def test_a_moment_has_its_offset_and_a_token_ends_in_the_future(house: House, administrator: Client, moment: Any) -> None:
    before = house.state()
    refused = administrator.post("/tokens", {"staff_no": "w5", "name": "程序", "expires_at": moment})
    assert refused.status == 422, refused.body
    assert refused.body["errors"].keys() == {"expires_at"}
    assert house.state() == before


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer x", "Basic eDp5", "x", "Bearer 令牌".encode().decode("latin-1")])
def test_what_is_no_token_opens_nothing(house: House, header: str) -> None:
    answer = house.app.test_client().get("/api/v1/me", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_account_or_a_token_of_somebody_unknown_is_refused_at_its_field(house: House, administrator: Client) -> None:
    for path, body in (("/accounts", {"staff_no": "nobody"}), ("/tokens", {"staff_no": "nobody", "name": "程序"})):
        before = house.state()
        refused = administrator.post(path, body)
        assert refused.status == 422, path
        assert refused.body["errors"].keys() == {"staff_no"}
        assert house.state() == before


# ── accounts and posts ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_administrator_makes_an_officer_of_the_school_once(house: House, administrator: Client) -> None:
    body = {"staff_no": "g100", "name": "新同事", "role": "auditor"}
    made = administrator.post("/accounts", body)
    assert made.status == 201, made.body
    assert made.body == {"staff_no": "g100", "name": "新同事", "has_password": False, "created_at": "2024-12-20T02:00:00Z", "disabled_at": None}
    assert house.as_("g100").get("/me").body["roles"] == ["auditor"]
    before = house.state()
    assert administrator.post("/accounts", body).status == 409
    assert administrator.post("/accounts", {**body, "name": "别人", "role": "administrator"}).status == 409
    assert administrator.post("/accounts", {**body, "role": "secretary"}).status == 422
    assert house.state() == before


def test_a_post_that_is_given_moves_the_roll_and_the_rights_and_ends_with_its_day(house: House) -> None:
    cast, office = house.a_branch(), house.as_("office")
    member = house.as_(cast.member)
    assert member.get(cast.path).status == 403
    given = office.post(
        "/appointments", {"staff_no": cast.member, "branch": cast.code, "post": "committee_member", "title": "纪检委员", "starts_on": "2024-12-20"}
    )
    assert given.status == 201, given.body
    assert member.get(cast.path).status == 200
    line = office.get(f"{cast.path}/roll/{cast.member}").body
    assert (line["post"], line["title"], line["on_committee"]) == ("committee_member", "纪检委员", True)
    before = house.state()
    assert (
        office.post("/appointments", {"staff_no": cast.member, "branch": cast.code, "post": "committee_member", "starts_on": "2024-12-20"}).status
        == 409
    )
    assert (
        office.post("/appointments", {"staff_no": cast.member, "branch": "D0101", "post": "committee_member", "starts_on": "2024-12-20"}).status
        == 422
    )
    assert office.post("/appointments", {"staff_no": cast.member, "branch": "X999", "post": "secretary", "starts_on": "2024-12-20"}).status == 422
    assert office.post("/appointments", {"staff_no": "nobody", "role": "office", "starts_on": "2024-12-20"}).status == 422
    assert office.post(f"/appointments/{given.body['id']}/end", {"ends_on": "2024-12-01"}).status == 422
    assert house.state() == before
    ended = office.post(f"/appointments/{given.body['id']}/end", {"ends_on": "2024-12-19"})
    assert ended.status == 200
    assert member.get(cast.path).status == 403
    assert office.get(f"{cast.path}/roll/{cast.member}").body["post"] is None
    assert office.post(f"/appointments/{given.body['id']}/end", {"ends_on": "2024-12-19"}).status == 409


# ── when the last role has ended ──────────────────────────────────────────────────────────────────────────────────────


def test_who_has_no_role_any_more_reads_who_they_are_and_leaves(house: House) -> None:
    branch = house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        open_account(session, person(session, branch.member), now=NOW, password=PASSWORD)
    left = house.as_("office").post(f"/people/{branch.member}/leave", {"on": "2024-12-19", "reason": "transferred"})
    assert left.status == 200, left.body
    browser = house.app.test_client()
    begun = browser.post("/api/v1/session", json={"staff_no": branch.member, "password": PASSWORD})
    assert begun.status_code == 201, begun.get_json()
    who = browser.get("/api/v1/me").get_json()
    assert (who["staff_no"], who["roles"], who["branches"]) == (branch.member, [], [])
    for path in ("/me/todos", "/process", "/cycles", YEAR, "/calendar?year=2025", f"{YEAR}/amendments"):
        assert browser.get(f"/api/v1{path}").status_code == 200, path
    for path in (branch.path, f"{branch.path}/roll", f"{YEAR}/progress", "/accounts", "/substitutes"):
        assert browser.get(f"/api/v1{path}").status_code == 403, path
    ended = browser.delete("/api/v1/session", headers={"X-CSRF-Token": begun.get_json()["csrf_token"]})
    assert ended.status_code == 204
    assert browser.get("/api/v1/me").status_code == 401


def test_a_token_is_good_for_two_years_at_most(administrator: Client) -> None:
    for moment in ("2026-12-22T10:00:01+08:00", "9999-12-31T00:00:00+08:00"):
        refused = administrator.post("/tokens", {"staff_no": "w5", "name": "程序", "expires_at": moment})
        assert (refused.status, refused.body["errors"]) == (422, {"expires_at": ["有效期至多两年"]})
    assert administrator.post("/tokens", {"staff_no": "w5", "name": "程序", "expires_at": "2026-12-20T10:00:00+08:00"}).status == 201
