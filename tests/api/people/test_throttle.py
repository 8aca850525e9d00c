"""Guessing passwords: a few tries and no more, and nobody is locked out by others (docs/0040).

The limits hold over any number of processes, whatever a header claims.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from api import create_app
from tests.support.builders import NOW, a_school, person
from tests.support.passing import age_attempts
from tests.support.servers import House, a_house, a_server, settings_of_tests
from workflow.foundation.database import transaction
from workflow.people.accounts import Account, account_of, open_account
from workflow.people.guard import passwords
from workflow.people.guard.throttle import ACCOUNT, NETWORK
from workflow.people.organisation import Person

PASSWORD, WRONG = "一个很长的密码 12", "not the password"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HOME, CAMPUS = "198.51.100.7", "203.0.113.9"


@pytest.fixture(scope="module")
def a_school_with_passwords(superuser: str, template: str) -> Iterator[House]:
    """A school whose hashes cost nothing: what is tried here is the counting."""
    with a_house(superuser, template) as made:
        with transaction(made.engine, actor="cli") as session:
            for name in ("office", "李四"):
                set_cheaply(session, person(session, name).staff_no)
        yield made


def set_cheaply(session: Session, *staff_nos: str) -> None:
    hashed = CHEAP.hash(PASSWORD)
    for staff_no in staff_nos:
        account_of(session, staff_no).password_hash = hashed


@pytest.fixture
def house(a_school_with_passwords: House, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(passwords, "_NOBODY", CHEAP.hash("nobody's"))
    a_school_with_passwords.clock.now = NOW
    with transaction(a_school_with_passwords.engine, actor=None) as session:
        session.execute(text("delete from attempt"))
    return a_school_with_passwords


def guess(house: House, staff_no: str, password: str = WRONG, *, browser: FlaskClient | None = None, **options: Any) -> TestResponse:
    body = {"staff_no": staff_no, "password": password}
    return (browser or house.app.test_client()).post("/api/v1/session", json=body, **options)


def pass_by(house: House, by: timedelta) -> None:
    with transaction(house.engine, actor=None) as session:
        age_attempts(session, by)


def from_(address: str, **headers: str) -> dict[str, Any]:
    return {"environ_base": {"REMOTE_ADDR": address}, "headers": headers}


def told(answer: TestResponse) -> tuple[int, str | None, dict[str, Any]]:
    body = {name: value for name, value in (answer.get_json() or {}).items() if name != "request_id"}
    return answer.status_code, answer.headers.get("Retry-After"), body


def use_up(house: House) -> None:
    """Let whoever has had all of their tries wait for a minute instead of a second."""
    with transaction(house.engine, actor=None) as session:
        session.execute(text("update attempt set count = count + 9 where count >= :most"), {"most": NETWORK.at_most})


def wait_of(answer: TestResponse) -> int:
    assert answer.status_code == 429, answer.get_json()
    return int(answer.headers["Retry-After"])


def marked(house: House, staff_no: str = "office") -> FlaskClient:
    """A browser in which somebody has signed in, months ago."""
    browser = house.app.test_client()
    assert guess(house, staff_no, PASSWORD, browser=browser, **from_(HOME)).status_code == 201
    browser.delete_cookie("zhibu_session")
    pass_by(house, timedelta(days=100))
    return browser


# ── one account, one place ────────────────────────────────────────────────────────────────────────────────────────────


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
    assert 30 < wait_of(guess(house, "office", PASSWORD)) <= 60
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


# ── a stranger slows, and never locks out ─────────────────────────────────────────────────────────────────────────────


def test_a_stranger_of_the_same_address_never_keeps_out_a_browser_that_has_signed_in(house: House) -> None:
    browser = marked(house)
    for number in range(NETWORK.at_most + 8):
        guess(house, "office" if number < 8 else f"nobody{number}", **from_(CAMPUS))
        if number % 7 == 0:
            assert guess(house, "office", PASSWORD, browser=browser, **from_(CAMPUS)).status_code == 201
    use_up(house)
    assert guess(house, "l4", PASSWORD, **from_(CAMPUS)).status_code == 429, "the address has had all of its tries"
    assert guess(house, "office", PASSWORD, browser=browser, **from_(CAMPUS)).status_code == 201


@pytest.mark.parametrize("staff_no", ["office", "nobody"])
def test_thirty_strangers_let_another_browser_wait_half_a_minute_and_a_marked_one_not_at_all(house: House, staff_no: str) -> None:
    browser, strangers = marked(house), [f"192.0.2.{number}" for number in range(1, 31)]
    answers = Counter[int]()
    for _ in range(2):
        answers.update(guess(house, staff_no, **from_(stranger)).status_code for stranger in strangers)
        assert guess(house, "office", PASSWORD, browser=browser, **from_(HOME)).status_code == 201
        pass_by(house, timedelta(seconds=30))
    assert answers[401] > ACCOUNT.at_most
    asked = guess(house, staff_no, PASSWORD, **from_(HOME))
    assert wait_of(asked) == 30
    assert "30 秒后" in asked.get_json()["detail"]
    pass_by(house, timedelta(seconds=15))
    assert 0 < wait_of(guess(house, staff_no, PASSWORD, **from_(HOME))) <= 15, "to ask too early costs nothing"
    pass_by(house, timedelta(seconds=15))
    for stranger in strangers:
        guess(house, staff_no, **from_(stranger))
    assert guess(house, staff_no, PASSWORD, **from_(HOME)).status_code == (201 if staff_no == "office" else 401)


def test_a_mark_helps_its_own_people_alone(house: House) -> None:
    browser = marked(house, "l4")
    assert [guess(house, "office", browser=browser).status_code for _ in range(6)] == [401] * 5 + [429]
    assert guess(house, "office", PASSWORD).status_code == 429, "counted for the address, like any stranger's"
    assert [guess(house, "l4", browser=browser).status_code for _ in range(6)] == [401] * 5 + [429]
    assert guess(house, "l4", PASSWORD).status_code == 201, "what is tried in a marked browser counts there alone"


def test_two_people_at_one_computer_are_both_known_there(house: House) -> None:
    browser = marked(house, "l4")
    assert guess(house, "office", PASSWORD, browser=browser, **from_(HOME)).status_code == 201
    for _ in range(6):
        guess(house, "office")
        guess(house, "l4")
    assert [guess(house, each, PASSWORD, browser=browser).status_code for each in ("office", "l4")] == [201, 201]


def test_a_mark_names_nobody_lasts_a_year_and_cannot_be_made(house: House) -> None:
    browser = house.app.test_client()
    given = next(each for each in guess(house, "office", PASSWORD, browser=browser).headers.getlist("Set-Cookie") if each.startswith("zhibu_browser"))
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"} <= set(given.split("; "))
    value = given.partition("=")[2].partition(";")[0]
    assert "office" not in value
    name, seal, code = value.split(".")
    for _ in range(5):
        guess(house, "office")
    flipped = code[:-1] + ("0" if code[-1] != "0" else "1")
    for made_up in ("", ".", "..", name, f"{name}.{seal}", f"{name}.{seal}.{flipped}", f"x.{seal}.{code}", f"{name}.{code}.{seal}", "密.码.码"):
        other = house.app.test_client()
        other.set_cookie("zhibu_browser", made_up)
        assert guess(house, "office", PASSWORD, browser=other).status_code == 429, made_up
    assert guess(house, "office", PASSWORD, browser=browser).status_code == 201


def test_before_anything_is_read_a_network_counts_for_all_but_marks_of_ours(house: House) -> None:
    ours, made_up = marked(house), house.app.test_client()
    made_up.set_cookie("zhibu_browser", "x.y.z")
    guess(house, "nobody")
    with transaction(house.engine, actor=None) as session:
        session.execute(
            text(
                "update attempt set count = :most",
            ),
            {"most": NETWORK.at_most + 9},
        )
    sent = {"data": b"{", "content_type": "application/json"}
    assert [each.post("/api/v1/session", **sent).status_code for each in (house.app.test_client(), made_up, ours)] == [429, 429, 400]
    assert guess(house, "l4", PASSWORD, browser=ours).status_code == 429, "for somebody else it counts after reading"


# ── one address, many accounts ────────────────────────────────────────────────────────────────────────────────────────


def test_a_password_tried_at_many_accounts_from_one_address_is_slowed_to_one_a_minute(house: House) -> None:
    assert {guess(house, f"nobody{number}").status_code for number in range(NETWORK.at_most)} == {401}
    waits = []
    for number in range(9):
        while (answer := guess(house, f"more{number}")).status_code == 429:
            waits.append(wait_of(answer))
            pass_by(house, timedelta(seconds=waits[-1]))
    assert all(wait <= most for wait, most in zip(waits[::-1], (60, 60, 60, 32, 16, 8, 4, 2, 1), strict=False))
    assert min(waits[-3:]) > 50
    assert guess(house, "l4", PASSWORD, **from_(HOME)).status_code == 201


def test_a_campus_of_which_many_mistype_passes_at_nine_o_clock(house: House, thorough: bool) -> None:
    """Of 2,000 people 5 % mistype once or twice; the short tier has fewer, of whom half do."""
    people, every = (2000, 20) if thorough else (72, 2)
    with transaction(house.engine, actor="cli") as session:
        here = [Person(staff_no=f"c{number}", name=f"党员{number}", email=None, branch_id=None, standing=None) for number in range(people)]
        session.add_all(here)
        session.flush()
        session.add_all(Account(person_id=each.id, password_hash=CHEAP.hash(PASSWORD), created_at=NOW, disabled_at=None) for each in here)
    answers = Counter[int]()
    for number in range(people):
        mistakes = 1 + number // every % 2 if number % every == 0 else 0
        for password in [*[WRONG] * mistakes, PASSWORD]:
            answers[guess(house, f"c{number}", password, **from_(CAMPUS)).status_code] += 1
    assert answers == {201: people, 401: sum(1 + number // every % 2 for number in range(0, people, every))}
    assert answers[401] > NETWORK.at_most, "more than a network has if nobody signs in"


def test_one_account_that_signs_in_again_and_again_makes_up_for_one_guess_alone(house: House) -> None:
    for number in range(NETWORK.at_most + 1):
        assert guess(house, f"nobody{number}").status_code == 401
        if number % 9 == 0:
            assert guess(house, "l4", PASSWORD).status_code == 201
    use_up(house)
    assert guess(house, "nobody").status_code == 429


def test_a_header_that_anybody_can_send_changes_nobodys_address(house: House) -> None:
    for number in range(NETWORK.at_most):
        claimed = {"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=9.9.9.{number}"}
        assert guess(house, f"nobody{number}", **from_("127.0.0.1", **claimed)).status_code == 401
    use_up(house)
    spoofed = from_("127.0.0.1", **{"X-Forwarded-For": "198.51.100.1", "X-Real-IP": "198.51.100.1", "Forwarded": "for=198.51.100.1"})
    assert guess(house, "l4", PASSWORD, **spoofed).status_code == 429


def test_behind_a_proxy_of_our_own_its_word_counts_and_nothing_before_it(house: House) -> None:
    behind = House(house.engine, create_app(house.engine, settings_of_tests(trusted_proxies="1"), clock=house.clock), house.clock)
    for number in range(NETWORK.at_most):
        assert guess(behind, f"nobody{number}", **from_("10.0.0.1", **{"X-Forwarded-For": f"6.6.6.{number}, 203.0.113.9"})).status_code == 401
    use_up(house)
    assert guess(behind, "l4", PASSWORD, **from_("10.0.0.1", **{"X-Forwarded-For": "7.7.7.7, 203.0.113.9"})).status_code == 429
    assert guess(behind, "l4", PASSWORD, **from_("10.0.0.1", **{"X-Forwarded-For": "203.0.113.9, 198.51.100.1"})).status_code == 201


@pytest.mark.alone
def test_an_unknown_account_takes_as_long_as_a_known_one(a_school_with_passwords: House) -> None:
    house = a_school_with_passwords
    with transaction(house.engine, actor="cli") as session:
        session.execute(text("delete from attempt"))
        open_account(session, person(session, "王五"), now=NOW, password=PASSWORD)

    def seconds(staff_no: str) -> float:
        began = time.perf_counter()
        assert guess(house, staff_no).status_code == 401
        return time.perf_counter() - began

    known, unknown = (min(seconds(staff_no) for _ in range(3)) for staff_no in ("w5", "nobody"))
    assert 0.5 < known / unknown < 2


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


@pytest.mark.thorough
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
