"""Repeated requests (重复提交) over HTTP: a POST with an Idempotency-Key has its effect once.

It does not matter how often and to which process it is sent, or what fails meanwhile.
"""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, func, make_url, select, text
from sqlalchemy.pool import NullPool

import migrations
from api import ROUTES
from tests.api.conftest import Client, Reply
from tests.support.builders import READING
from tests.support.passing import age_outcomes
from tests.support.records.evidence import statements
from tests.support.rosters import RosterBranch, a_roster
from tests.support.servers import Cast, House, kept_in
from workflow.foundation.database import transaction
from workflow.foundation.idempotency import KEPT, KeptOutcome, forget_old_outcomes

_keys = (f"key-{number}" for number in count(1))
REPLAYED = "Idempotent-Replayed"


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def secretary(house: House, branch: Cast) -> Client:
    return house.as_(branch.secretary)


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": next(_keys)}


def a_study(branch: Cast, **more: Any) -> dict[str, Any]:
    return {"held_on": "2024-12-19", "titles": list(READING), "present": branch.everybody, "exchange": "交流了体会", **more}


def kept(engine: Engine) -> int:
    with transaction(engine, actor=None) as session:
        return session.scalar(select(func.count()).select_from(KeptOutcome)) or 0


def is_replay(again: Reply, first: Reply) -> None:
    assert again.headers.get(REPLAYED) == "true"
    assert REPLAYED not in first.headers
    assert (again.status, again.body) == (first.status, first.body)
    for name in ("Location", "ETag", "Content-Type"):
        assert again.headers.get(name) == first.headers.get(name)


def test_what_is_sent_again_is_answered_again_and_done_once(house: House, branch: Cast, secretary: Client, key: dict[str, str]) -> None:
    path = f"{branch.path}/study-sessions"
    first = secretary.post(path, a_study(branch), **key)
    assert (first.status, first.headers["Location"].endswith(f"/{first.body['id']}"), first.etag) == (201, True, '"1"')
    before = house.state()
    for _ in range(2):
        is_replay(secretary.post(path, a_study(branch), **key), first)
    assert house.state() == before
    assert secretary.post(path, a_study(branch)).body["id"] != first.body["id"], "without a key it is another one"


def test_what_is_kept_for_a_repetition_has_no_words_of_anybody(house: House, branch: Cast, secretary: Client, key: dict[str, str]) -> None:
    canary = f"最近失眠，压力较大，{branch.code}"
    talk = {"held_on": "2024-12-19", "talker": branch.secretary, "partner": branch.member, "private_notes": canary}
    made = secretary.post(f"{branch.path}/talks", talk, **key)
    again = secretary.post(f"{branch.path}/talks", talk, **key)
    is_replay(again, made)
    assert made.body["private_notes"] == again.body["private_notes"] == canary
    with transaction(house.engine, actor=None) as session:
        assert kept_in(session, canary) == {"talk"}


def test_another_body_under_the_same_key_is_refused(house: House, branch: Cast, secretary: Client, key: dict[str, str]) -> None:
    path = f"{branch.path}/study-sessions"
    assert secretary.post(path, a_study(branch), **key).status == 201
    before = house.state()
    refused = secretary.post(path, a_study(branch, exchange="别的"), **key)
    assert (refused.status, [*refused.body["errors"]]) == (422, ["Idempotency-Key"])
    assert house.state() == before


def test_another_account_or_another_address_is_another_request(house: House, branch: Cast, secretary: Client, key: dict[str, str]) -> None:
    path, other = f"{branch.path}/study-sessions", house.a_branch()
    answers = [secretary.post(path, a_study(branch), **key), house.as_(branch.deputy).post(path, a_study(branch), **key)]
    answers.append(house.as_(other.secretary).post(f"{other.path}/study-sessions", a_study(other), **key))
    talk = {"held_on": "2024-12-19", "talker": branch.secretary, "partner": branch.member}
    answers.append(secretary.post(f"{branch.path}/talks", talk, **key))
    assert [answer.status for answer in answers] == [201] * 4
    assert all(REPLAYED not in answer.headers for answer in answers)


def test_a_move_that_succeeded_replays_with_its_old_tag(branch: Cast, secretary: Client, key: dict[str, str]) -> None:
    assert secretary.post(f"{branch.path}/study-sessions", a_study(branch)).status == 201
    first = secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=1, **key)
    assert (first.status, first.etag) == (201, '"2"')
    is_replay(secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=1, **key), first)
    assert secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=1).status == 412


def test_a_replay_comes_after_who_may_and_before_what_is_wrong(house: House, branch: Cast, secretary: Client, key: dict[str, str]) -> None:
    path = f"{branch.path}/study-sessions"
    first = secretary.post(path, a_study(branch), **key)
    headers = {"Authorization": f"Bearer {secretary.token}", "Content-Type": "application/json", **key}
    unknown = secretary.http.post(f"/api/v1{path}", headers={**headers, "Authorization": "Bearer nobody's"}, data="{}")
    assert unknown.status_code == 401
    assert house.as_(branch.member).post(path, a_study(branch), **key).status == 403
    assert first.status == 201


def test_a_refused_request_is_not_kept_and_may_go_better_later(house: House, branch: Cast, secretary: Client, key: dict[str, str]) -> None:
    path, before = f"{branch.path}/moves", kept(house.engine)
    assert secretary.post(path, {"trigger": "advance"}, seen=1, **key).status == 409
    assert secretary.post(path, {"trigger": "advance"}, seen=9, **key).status == 412
    assert secretary.post(path, {"trigger": "fly"}, seen=1, **key).status == 422
    assert kept(house.engine) == before
    assert secretary.post(f"{branch.path}/study-sessions", a_study(branch)).status == 201
    done = secretary.post(path, {"trigger": "advance"}, seen=1, **key)
    assert (done.status, REPLAYED in done.headers) == (201, False)


def test_a_fault_of_ours_is_not_kept(superuser: str, house: House, branch: Cast, secretary: Client, key: dict[str, str], capsys: Any) -> None:
    owner = create_engine(make_url(superuser).set(database=house.engine.url.database, username=migrations.OWNER_ROLE), poolclass=NullPool)
    path, before = f"{branch.path}/study-sessions", kept(house.engine)
    with owner.begin() as connection:
        connection.execute(text("alter table study_attendance rename to elsewhere"))
    try:
        assert secretary.post(path, a_study(branch), **key).status == 500
    finally:
        with owner.begin() as connection:
            connection.execute(text("alter table elsewhere rename to study_attendance"))
    assert kept(house.engine) == before
    done = secretary.post(path, a_study(branch), **key)
    assert (done.status, REPLAYED in done.headers) == (201, False)
    assert len(secretary.get(path).body["items"]) == 1


@pytest.mark.parametrize("wrong", ["", "x" * 256, "x" * 10_000, "é", "a\x01b"])
def test_a_key_that_cannot_be_one_is_refused(house: House, branch: Cast, secretary: Client, wrong: str) -> None:
    before = house.state()
    refused = secretary.post(f"{branch.path}/study-sessions", a_study(branch), **{"Idempotency-Key": wrong})
    assert (refused.status, [*refused.body["errors"]]) == (422, ["Idempotency-Key"])
    assert house.state() == before


def test_what_takes_or_answers_a_secret_keeps_nothing(house: House, branch: Cast, key: dict[str, str]) -> None:
    before, administrator = kept(house.engine), house.as_("administrator")
    made = [administrator.post("/tokens", {"staff_no": branch.member, "name": "程序"}, **key) for _ in range(2)]
    assert [answer.status for answer in made] == [201, 201]
    assert made[0].body != made[1].body
    assert kept(house.engine) == before
    secret = {route.rule for route in ROUTES if route.method == "POST" and not route.repeatable}
    assert {"/session", "/tokens"} <= secret
    assert all(route.repeatable for route in ROUTES if route.method == "POST" and route.rule not in secret)
    assert not any("session" in route.rule.split("/") or "tokens" in route.rule or "password" in route.rule for route in ROUTES if route.repeatable)


def test_an_upload_is_the_same_by_the_content_of_its_file(house: House, key: dict[str, str]) -> None:
    office = house.as_("office")

    def upload(content: bytes, name: str = "名册.xlsx") -> Any:
        data = {"file": (BytesIO(content), name)}
        return office.http.post("/api/v1/roster-imports", data=data, headers={"Authorization": f"Bearer {office.token}", **key})

    roster = a_roster()
    first, again = upload(roster), upload(roster)
    assert (first.status_code, again.status_code, again.headers.get(REPLAYED)) == (201, 201, "true")
    assert again.get_json() == first.get_json()
    assert upload(a_roster([RosterBranch(code="D0105")])).status_code == 422
    assert upload(roster, "别的.xlsx").status_code == 422


def test_an_advance_with_a_key_costs_two_statements_more(house: House, branch: Cast, secretary: Client, key: dict[str, str]) -> None:
    """Six for the move, one to sign in, one to look and lock, one to keep the outcome."""
    assert secretary.post(f"{branch.path}/study-sessions", a_study(branch)).status == 201
    with statements(house.engine) as sent:
        assert secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=1, **key).status == 201
    assert len(sent) == 5 + 1 + 2, "\n".join(sent)
    assert "kept_outcome" in sent[-1], "last in the effect's own transaction"
    with statements(house.engine) as sent:
        assert secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=1, **key).headers[REPLAYED] == "true"
    assert len(sent) == 5, "signed in, named, looked, and the process and its move found again\n" + "\n".join(sent)


def test_after_seven_days_a_key_is_new_again(house: House, branch: Cast, secretary: Client, key: dict[str, str]) -> None:
    path = f"{branch.path}/study-sessions"
    first = secretary.post(path, a_study(branch), **key)
    with transaction(house.engine, actor="worker") as session:
        age_outcomes(session, KEPT - timedelta(minutes=1))
        forget_old_outcomes(session)
    is_replay(secretary.post(path, a_study(branch), **key), first)
    with transaction(house.engine, actor="worker") as session:
        age_outcomes(session, timedelta(minutes=1))
        forget_old_outcomes(session)
    assert REPLAYED not in secretary.post(path, a_study(branch), **key).headers
