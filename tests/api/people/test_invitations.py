"""Access for people over the API: invited, a password set, forgotten, set again.

No secret of it is left in tables or logs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import select, text

from schedulers.delivery import deliver
from tests.api.conftest import Client, Reply
from tests.support.mail_server import mail_server
from tests.support.passing import age_attempts
from tests.support.servers import House, a_house
from workflow.acts.sign_in import SAME_TIME_SECONDS
from workflow.foundation.database import transaction
from workflow.mail.outbox import Letter
from workflow.people.invitations import MOST_OPEN

PASSWORD = "一个很长的密码 12"
FORGOTTEN = "/session/forgotten"


@pytest.fixture(scope="module")
def house(superuser: str, template: str) -> Iterator[House]:
    with a_house(superuser, template, invitation_hours=48) as made:
        yield made


@pytest.fixture
def administrator(house: House) -> Client:
    return house.as_("administrator")


@pytest.fixture
def anybody(house: House) -> Client:
    """A client that is not signed in."""
    return Client(house.app.test_client(), "")


@pytest.fixture(autouse=True)
def counted_anew(house: House) -> None:
    with transaction(house.engine, actor=None) as session:
        session.execute(text("delete from attempt"))


def letters(house: House, staff_no: str) -> list[Letter]:
    with transaction(house.engine, actor=None) as session:
        return list(
            session.scalars(
                select(Letter).where(Letter.address == f"{staff_no}@school.example", Letter.kind.in_(("invitation", "password"))).order_by(Letter.id)
            )
        )


def code_for(house: House, staff_no: str) -> str:
    return str(re.findall(r"http://zhibu\.example/invitations/(\S+)", letters(house, staff_no)[-1].text)[0])


def alike(*replies: Reply) -> bool:
    """Tell whether these answers look the same to a client."""
    told = [
        (each.status, {k: v for k, v in each.body.items() if k not in ("request_id", "instance")}, each.headers.get("Retry-After"))
        for each in replies
    ]
    return all(each == told[0] for each in told)


def test_somebody_is_invited_sets_a_password_and_signs_in(house: House, administrator: Client, anybody: Client) -> None:
    who = house.a_branch().member
    assert anybody.post("/session", {"staff_no": who, "password": PASSWORD}).status == 401
    invited = administrator.post(f"/accounts/{who}/invitation")
    assert (invited.status, invited.body) == (200, {"staff_no": who, "name": who, "expires_at": "2024-12-22T02:00:00Z"})
    code = code_for(house, who)
    assert house.app.test_client().get(f"/invitations/{code}").status_code == 200, "what a letter links to is there"
    for password in ("short", "1234567890", f"{who}{who}2024"):
        weak = anybody.post(f"/invitations/{code}", {"password": password})
        assert (weak.status, weak.body["errors"].keys()) == (422, {"password"})
    done = anybody.post(f"/invitations/{code}", {"password": PASSWORD})
    assert (done.status, done.body) == (200, {"staff_no": who, "name": who})
    assert anybody.post("/session", {"staff_no": who, "password": PASSWORD}).status == 201
    assert alike(anybody.post(f"/invitations/{code}", {"password": PASSWORD}), anybody.post("/invitations/x", {"password": PASSWORD}))
    with transaction(house.engine, actor=None) as session:
        actor = session.scalar(text("select actor from history where what = 'account' and new ? 'password_hash' order by id desc limit 1"))
    assert actor == who


def test_a_branch_is_invited_and_who_has_no_address_is_named(house: House, administrator: Client) -> None:
    cast = house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        session.execute(text("update person set email = null where staff_no = :who"), {"who": cast.newcomer})
    done = administrator.post("/accounts/invitations", {"branch": cast.code})
    assert (done.status, done.body) == (200, {"letters": 5, "no_address": [{"staff_no": cast.newcomer, "name": cast.newcomer}]})
    unknown = administrator.post("/accounts/invitations", {"branch": "X999"})
    assert (unknown.status, unknown.body["errors"].keys()) == (422, {"branch"})
    assert administrator.post(f"/accounts/{cast.newcomer}/invitation").status == 409
    assert administrator.post("/accounts/nobody/invitation").status == 404
    assert house.as_("office").post("/accounts/invitations", {"branch": cast.code}).status == 403


def test_an_invitation_repeated_with_its_key_is_one_letter(house: House, administrator: Client) -> None:
    who = house.a_branch().member
    first, second = (administrator.post(f"/accounts/{who}/invitation", **{"Idempotency-Key": "one"}) for _ in range(2))
    assert (first.status, second.status, second.headers.get("Idempotent-Replayed")) == (200, 200, "true")
    assert len(letters(house, who)) == 1


# ── a forgotten password ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.alone
def test_whether_there_is_an_account_is_not_told(house: House, anybody: Client) -> None:
    known, no_address, disabled, unknown = house.a_branch().member, house.a_branch().member, house.a_branch().member, "nobody"
    with transaction(house.engine, actor="cli") as session:
        session.execute(text("update person set email = null where staff_no = :who"), {"who": no_address})
    assert house.as_("administrator").post(f"/accounts/{disabled}/disable").status == 200
    replies, took = [], []
    for who in (known, no_address, disabled, unknown, known, unknown):
        began = time.perf_counter()
        replies.append(anybody.post(FORGOTTEN, {"staff_no": who}))
        took.append(time.perf_counter() - began)
    assert replies[0].status == 200
    assert alike(*replies)
    assert min(took) >= SAME_TIME_SECONDS, "who has nothing to do waits as long as who writes a letter"
    assert len(letters(house, known)) == 2
    assert letters(house, disabled) == []
    english = anybody.post(FORGOTTEN, {"staff_no": known}, **{"Accept-Language": "en"})
    assert english.body["message"].startswith("if there is such an account")


def test_nobody_gets_more_than_three_such_letters_an_hour_and_the_fourth_answer_is_the_same(house: House, anybody: Client) -> None:
    who = house.a_branch().member
    replies = [anybody.post(FORGOTTEN, {"staff_no": who}) for _ in range(5)]
    assert replies[0].status == 200
    assert alike(*replies)
    assert len(letters(house, who)) == 3
    with transaction(house.engine, actor=None) as session:
        age_attempts(session, timedelta(hours=1))
    assert alike(replies[0], anybody.post(FORGOTTEN, {"staff_no": who}))
    assert len(letters(house, who)) == 4


def test_one_address_asks_for_fifty_and_then_one_a_minute(house: House, anybody: Client) -> None:
    with transaction(house.engine, actor=None) as session:
        anybody.post(FORGOTTEN, {"staff_no": "nobody"})
        session.execute(text("update attempt set count = 60 where count = 1"))
    known, unknown = (anybody.post(FORGOTTEN, {"staff_no": who}) for who in (house.a_branch().member, "nobody"))
    assert (known.status, 50 < int(known.headers["Retry-After"]) <= 60) == (429, True)
    assert alike(known, unknown)


def test_a_stranger_who_asks_ends_no_invitation_and_uses_up_nothing(house: House, administrator: Client, anybody: Client) -> None:
    who = house.a_branch().member
    administrator.post(f"/accounts/{who}/invitation")
    invited = code_for(house, who)
    for _ in range(4):
        for _ in range(4):
            assert anybody.post(FORGOTTEN, {"staff_no": who}).status == 200
        with transaction(house.engine, actor=None) as session:
            age_attempts(session, timedelta(hours=1))
    assert len(letters(house, who)) == MOST_OPEN, "however long it goes on"
    codes = [str(re.findall(r"/invitations/(\S+)", each.text)[0]) for each in letters(house, who)]
    weak = [anybody.post(f"/invitations/{code}", {"password": "short"}).status for code in codes]
    assert weak == [422] * MOST_OPEN, "each opens the account until one has"
    assert anybody.post(f"/invitations/{invited}", {"password": PASSWORD}).status == 200
    assert {anybody.post(f"/invitations/{code}", {"password": PASSWORD}).status for code in codes} == {404}
    assert {each.text for each in letters(house, who)} == {""}, "what waits to be sent opens nothing any more"
    assert anybody.post(FORGOTTEN, {"staff_no": who}).status == 200
    assert len(letters(house, who)) == MOST_OPEN + 1


# ── nothing can be overheard ──────────────────────────────────────────────────────────────────────────────────────────


def kept_in(house: House, secrets: list[str]) -> dict[str, set[str]]:
    """Find these secrets in the tables, by table."""
    kept: dict[str, set[str]] = {}
    with transaction(house.engine, actor=None) as session:
        for table in session.scalars(text("select tablename from pg_tables where schemaname = 'public'")).all():
            rows = "\n".join(session.scalars(text(f'select to_jsonb(t)::text from "{table}" t')))  # noqa: S608
            for secret in secrets:
                if secret in rows:
                    kept.setdefault(table, set()).add(secret)
    return kept


def test_no_secret_stands_in_any_table_or_log_once_its_letter_is_moot(house: House, administrator: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    who, web, key = house.a_branch().member, house.app.test_client(), {"Idempotency-Key": "canary"}
    with structlog.testing.capture_logs() as log:
        administrator.post(f"/accounts/{who}/invitation", **key)
        codes = [code_for(house, who)]
        web.post(f"/api/v1/invitations/{codes[0]}", json={"password": "canary short"[:9]}, headers=key)
        web.post(f"/api/v1/invitations/{codes[0]}", json={"password": "canary password 1"}, headers=key)
        web.post(f"/api/v1/invitations/{codes[0]}", json={"password": "canary password 2"}, headers=key)
        web.post("/api/v1/session/forgotten", json={"staff_no": who}, headers=key)
        codes.append(code_for(house, who))
        assert kept_in(house, ["canary ", *codes]) == {"letter": {codes[1]}}, "the link that waits to be sent"
        web.post(f"/api/v1/invitations/{codes[1]}", json={"password": "canary password 3"}, headers=key)
        web.post("/api/v1/session", json={"staff_no": who, "password": "canary guess 4"}, headers=key)
        web.post("/api/v1/session", json={"staff_no": "canary_password_5", "password": who}, headers=key)
        signed_in = web.post("/api/v1/session", json={"staff_no": who, "password": "canary password 3"}, headers=key)
        token = administrator.post("/tokens", {"staff_no": who, "name": "程序"}, **key).body["token"]
        administrator.post("/accounts", {"staff_no": who, "password": "canary password 6"}, **key)
        web.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        csrf = {"X-CSRF-Token": signed_in.get_json()["csrf_token"], **key}
        for old in ("canary guess 7", "canary password 3"):
            changed = web.put("/api/v1/me/password", json={"old": old, "new": "canary password 8"}, headers=csrf)
        mark = web.get_cookie("zhibu_browser")
        web.delete("/api/v1/session", headers=csrf)
        administrator.post(f"/accounts/{who}/disable", **key)
    assert (signed_in.status_code, changed.status_code) == (201, 204)
    assert mark is not None
    cookie = signed_in.headers["Set-Cookie"].split("=")[1].split(";")[0]
    secrets = ["canary ", "canary_", token, cookie, mark.value, mark.value.split(".")[0], signed_in.get_json()["csrf_token"], *codes]
    assert kept_in(house, secrets) == {}, "a letter that waits is blanked when its link was used"
    with mail_server() as mail:
        deliver(house.engine, smtp_url=mail.url, sender="zhibu@school.example", now=house.clock.now)
    bodies = [letter.get_body(("plain",)) for letter in mail.received]
    assert [body for body in bodies if body is not None and codes[1] in body.get_content()] == [], "the link was used before its letter left"
    assert log, "something was logged at all"
    logged = repr(log) + caplog.text
    assert [secret for secret in secrets if secret in logged] == []
