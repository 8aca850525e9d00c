"""Guessing passwords: a few tries and no more.

The limit holds over any number of processes, whatever a header claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from api import create_app
from tests.support.builders import NOW, a_school, person
from tests.support.passing import age_attempts
from tests.support.servers import House, a_house, a_server, settings_of_tests
from workflow.foundation.database import transaction
from workflow.people.accounts import open_account

PASSWORD, WRONG = "一个很长的密码 12", "not the password"


@pytest.fixture(scope="module")
def a_school_with_passwords(superuser: str, template: str) -> Iterator[House]:
    with a_house(superuser, template) as made:
        with transaction(made.engine, actor="cli") as session:
            for name in ("office", "李四"):
                open_account(session, person(session, name), now=NOW, password=PASSWORD)
        yield made


@pytest.fixture
def house(a_school_with_passwords: House) -> House:
    a_school_with_passwords.clock.now = NOW
    with transaction(a_school_with_passwords.engine, actor=None) as session:
        session.execute(text("delete from attempt"))
    return a_school_with_passwords


def guess(house: House, staff_no: str, password: str = WRONG, **options: Any) -> TestResponse:
    body = {"staff_no": staff_no, "password": password}
    return house.app.test_client().post("/api/v1/session", json=body, **options)


def pass_by(house: House, by: timedelta) -> None:
    with transaction(house.engine, actor=None) as session:
        age_attempts(session, by)


def from_(address: str, **headers: str) -> dict[str, Any]:
    return {"environ_base": {"REMOTE_ADDR": address}, "headers": headers}


def told(answer: TestResponse) -> tuple[int, str | None, dict[str, Any]]:
    body = {name: value for name, value in (answer.get_json() or {}).items() if name != "request_id"}
    return answer.status_code, answer.headers.get("Retry-After"), body


@pytest.mark.parametrize("staff_no", ["office", "nobody"])
def test_five_guesses_at_an_account_and_not_even_the_right_one_is_looked_at(house: House, staff_no: str) -> None:
    assert [guess(house, staff_no).status_code for _ in range(6)] == [401] * 5 + [429]
    assert guess(house, staff_no, PASSWORD).status_code == 429
    assert guess(house, "l4", PASSWORD).status_code == 201


def test_the_refusal_is_the_same_whether_there_is_such_an_account(house: House) -> None:
    known, unknown = (
        [told(guess(house, staff_no, **from_(address))) for _ in range(6)] for staff_no, address in (("office", "1.1.1.1"), ("no", "2.2.2.2"))
    )
    assert known[:5] == unknown[:5]
    (status, wait, body), (_, other_wait, other) = known[-1], unknown[-1]
    assert (status, body["type"], body) == (429, "/docs/problems#too-many-tries", other)
    assert all(800 < int(each or 0) <= 900 for each in (wait, other_wait))
    assert guess(house, "office").mimetype == "application/problem+json"


def test_after_a_quarter_of_an_hour_it_may_be_tried_again(house: House) -> None:
    for _ in range(5):
        guess(house, "office")
    pass_by(house, timedelta(minutes=14))
    refused = guess(house, "office", PASSWORD)
    assert (refused.status_code, 30 < int(refused.headers["Retry-After"]) <= 60) == (429, True)
    pass_by(house, timedelta(minutes=1))
    assert guess(house, "office", PASSWORD).status_code == 201


def test_a_server_whose_clock_is_wrong_counts_as_all_others_do(house: House) -> None:
    for hours in (-1, 1, -1, 1, -1):
        house.clock.now = NOW + timedelta(hours=hours)
        assert guess(house, "office").status_code == 401
    for hours in (-1, 1):
        house.clock.now = NOW + timedelta(hours=hours)
        assert guess(house, "office", PASSWORD).status_code == 429


def test_who_signs_in_begins_anew(house: House) -> None:
    for _ in range(3):
        assert [guess(house, "office").status_code for _ in range(4)] == [401] * 4
        assert guess(house, "office", PASSWORD).status_code == 201


def test_twenty_guesses_from_one_address_at_whatever_accounts(house: House) -> None:
    assert {guess(house, f"nobody{number}").status_code for number in range(20)} == {401}
    assert guess(house, "l4", PASSWORD).status_code == 429
    assert guess(house, "l4", PASSWORD, **from_("203.0.113.9")).status_code == 201


def test_those_who_sign_in_from_one_address_use_up_none_of_its_tries(house: House) -> None:
    for _ in range(22):
        assert guess(house, "l4", PASSWORD).status_code == 201


def test_a_header_that_anybody_can_send_changes_nobodys_address(house: House) -> None:
    for number in range(20):
        claimed = {"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=9.9.9.{number}"}
        assert guess(house, f"nobody{number}", **from_("127.0.0.1", **claimed)).status_code == 401
    spoofed = from_("127.0.0.1", **{"X-Forwarded-For": "198.51.100.1", "X-Real-IP": "198.51.100.1", "Forwarded": "for=198.51.100.1"})
    assert guess(house, "l4", PASSWORD, **spoofed).status_code == 429


def test_behind_a_proxy_of_our_own_its_word_counts_and_nothing_before_it(house: House) -> None:
    behind = House(house.engine, create_app(house.engine, settings_of_tests(trusted_proxies="1"), clock=house.clock), house.clock)
    for number in range(20):
        assert guess(behind, f"nobody{number}", **from_("10.0.0.1", **{"X-Forwarded-For": f"6.6.6.{number}, 203.0.113.9"})).status_code == 401
    assert guess(behind, "l4", PASSWORD, **from_("10.0.0.1", **{"X-Forwarded-For": "7.7.7.7, 203.0.113.9"})).status_code == 429
    assert guess(behind, "l4", PASSWORD, **from_("10.0.0.1", **{"X-Forwarded-For": "203.0.113.9, 198.51.100.1"})).status_code == 201


def test_a_disabled_account_is_out_with_the_next_request(house: House) -> None:
    administrator, who = house.as_("administrator"), house.a_branch().member
    with transaction(house.engine, actor="cli") as session:
        open_account(session, person(session, who), now=NOW, password=PASSWORD)
    browser, token = house.app.test_client(), house.as_(who)
    assert browser.post("/api/v1/session", json={"staff_no": who, "password": PASSWORD}).status_code == 201
    assert (browser.get("/api/v1/me").status_code, token.get("/me").status) == (200, 200)
    disabled = administrator.post(f"/accounts/{who}/disable")
    assert (disabled.status, disabled.body["disabled_at"]) == (200, "2024-12-20T02:00:00Z")
    assert (browser.get("/api/v1/me").status_code, token.get("/me").status) == (401, 401)
    assert told(guess(house, who, PASSWORD)) == told(guess(house, "nobody", PASSWORD))
    enabled = administrator.post(f"/accounts/{who}/enable")
    assert (enabled.status, enabled.body["disabled_at"]) == (200, None)
    assert (browser.get("/api/v1/me").status_code, token.get("/me").status) == (401, 401)
    assert guess(house, who, PASSWORD).status_code == 201
    assert administrator.post("/accounts/administrator/disable").status == 409
    assert administrator.post("/accounts/nobody/disable").status == 404


@pytest.mark.slow
def test_forty_guesses_at_once_over_two_processes_are_five(engine: Engine, database_url: str, tmp_path: Path) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        open_account(session, person(session, "office"), now=NOW, password=PASSWORD)
    with ExitStack() as stack:
        servers = [stack.enter_context(a_server(database_url, tmp_path / f"{number}.log")) for number in range(2)]

        def one(number: int) -> int:
            address = f"{servers[number % 2].address}/api/v1/session"
            return httpx.post(address, json={"staff_no": "office", "password": f"guess number {number}"}, timeout=30).status_code

        with ThreadPoolExecutor(20) as pool:
            answers = sorted(pool.map(one, range(40)))
    assert answers == [401] * 5 + [429] * 35
    assert "guess number" not in "".join(path.read_text() for path in tmp_path.glob("*.log"))
