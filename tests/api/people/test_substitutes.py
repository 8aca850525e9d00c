"""Substitutes over the API: named, seen, at work, ended; and their names in the history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from tests.support.builders import NOW, READING
from tests.support.servers import Cast, House

A_WEEK = {"starts_on": "2024-12-20", "ends_on": "2024-12-26"}


@pytest.fixture(autouse=True)
def on_the_first_day(house: House) -> None:
    house.clock.now = NOW


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


def named(house: House, branch: Cast, **body: Any) -> dict[str, Any]:
    made = house.as_(branch.secretary).post("/substitutes", {"substitute": branch.member, **A_WEEK, **body})
    assert made.status == 201, made.body
    assert made.headers["Location"] == "/api/v1/substitutes"
    return dict(made.body)


def test_a_substitute_does_the_secretarys_work_and_the_history_says_for_whom(house: House, branch: Cast) -> None:
    who = house.as_(branch.member)
    study = {"held_on": "2024-12-19", "present": branch.everybody}
    assert who.post(f"{branch.path}/study-sessions", study).status == 403
    made = named(house, branch)
    assert {name: made[name] for name in ("branch", "staff_no", "substitute", "ends_on", "ended_at", "recorded_by")} == {
        "branch": branch.code,
        "staff_no": branch.secretary,
        "substitute": branch.member,
        "ends_on": "2024-12-26",
        "ended_at": None,
        "recorded_by": branch.secretary,
    }
    recorded = who.post(f"{branch.path}/study-sessions", study)
    assert (recorded.status, recorded.body["recorded_by"]) == (201, branch.member)
    waived = who.post(f"{branch.path}/waivers", {"requirement": "members_who_have_not_studied", "reason": "外出"})
    assert waived.status == 201
    assert house.as_(branch.organiser).post(f"{branch.path}/study-sessions", study).status == 201
    rows = house.as_("auditor").get(f"{branch.path}/history?limit=200").body["items"]
    by = {(row["by"], row["on_behalf_of"]) for row in rows if row["what"] in ("study_session", "study_attendance", "waiver")}
    assert by == {(branch.member, branch.secretary), (branch.organiser, None)}


def test_a_substitute_sees_for_whom_he_stands_and_what_that_ones_role_asks(house: House, branch: Cast) -> None:
    who = house.as_(branch.member)

    def asked(kind: str = "appraisal") -> set[str]:
        return {row["clause"] for row in who.get("/me/todos").body["items"] if row["kind"] == kind}

    assert (who.get("/me").body["branches"], asked()) == ([{"code": branch.code, "roles": ["member"], "stands_for": None}], set())
    named(house, branch)
    (here,) = who.get("/me").body["branches"]
    assert (here["stands_for"], "secretary" in here["roles"]) == (branch.secretary, True)
    assert asked() == {"E1", "E3", "E4"}
    assert "R1" in asked("assessment")
    house.clock.now = NOW + timedelta(days=7)
    assert asked() == asked("assessment") == set()


def test_a_move_by_a_substitute_is_made_for_the_other(house: House, branch: Cast) -> None:
    named(house, branch, substitute=branch.organiser)
    who = house.as_(branch.organiser)
    assert who.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=1).status == 409
    study = {"held_on": "2024-12-19", "form": "集中学习", "titles": READING, "present": branch.everybody, "exchange": "逐条学习，交流了体会。"}
    assert who.post(f"{branch.path}/study-sessions", study).status == 201
    moved = who.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=1)
    assert (moved.status, who.get(f"{branch.path}/moves").body["items"][-1]["by"]) == (201, branch.organiser)
    rows = house.as_("auditor").get(f"{branch.path}/history?limit=200").body["items"]
    assert {(row["by"], row["on_behalf_of"]) for row in rows if row["what"] == "stage_change"} == {(branch.organiser, branch.secretary)}


def test_only_who_stands_for_somebody_costs_a_statement_more(house: House, branch: Cast) -> None:
    said: list[str] = []

    def listen(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    def statements(who: str) -> tuple[int, int]:
        client, body = house.as_(who), {"held_on": "2024-12-19"}
        client.post(f"{branch.path}/study-sessions", body)
        said.clear()
        assert client.post(f"{branch.path}/study-sessions", body).status == 201
        return len(said), sum("zhibu.actor" in statement for statement in said)

    event.listen(house.engine, "before_cursor_execute", listen)
    before = statements(branch.organiser)
    named(house, branch, substitute=branch.organiser)
    after = statements(branch.organiser)
    event.remove(house.engine, "before_cursor_execute", listen)
    assert before[1] == 1
    assert after == (before[0] + 1, 2)


def test_it_is_over_after_its_last_day_and_at_once_when_it_is_ended(house: House, branch: Cast) -> None:
    made, who = named(house, branch), house.as_(branch.member)
    assert who.get(branch.path).status == 200
    house.clock.now = NOW + timedelta(days=7)
    assert who.get(branch.path).status == 403
    house.clock.now = NOW
    ended = house.as_(branch.secretary).post(f"/substitutes/{made['id']}/end")
    assert (ended.status, ended.body["ended_at"]) == (200, "2024-12-20T02:00:00Z")
    assert who.get(branch.path).status == 403
    assert house.as_(branch.secretary).post(f"/substitutes/{made['id']}/end").status == 409


def test_the_office_names_and_ends_for_all(house: House, branch: Cast) -> None:
    office = house.as_("office")
    made = office.post("/substitutes", {"staff_no": branch.organiser, "substitute": branch.member, **A_WEEK})
    assert (made.status, made.body["staff_no"]) == (201, branch.organiser)
    shorter = office.post(f"/substitutes/{made.body['id']}/end", {"ends_on": "2024-12-21"})
    assert (shorter.status, shorter.body["ends_on"], shorter.body["ended_at"]) == (200, "2024-12-21", None)
    again = office.post("/substitutes", {"staff_no": branch.organiser, "substitute": branch.newcomer, **A_WEEK})
    assert (again.status, again.body["type"]) == (409, "/docs/problems#exists")


def test_who_sees_and_ends_which(house: House, branch: Cast) -> None:
    number = named(house, branch)["id"]

    def sees(who: str) -> bool | int:
        reply = house.as_(who).get("/substitutes?limit=200")
        return number in [item["id"] for item in reply.body["items"]] if reply.status == 200 else reply.status

    whoever = (branch.secretary, branch.deputy, branch.member, "office", "auditor", "committee", "赵六", branch.organiser, "administrator")
    assert [sees(who) for who in whoever] == [True, True, True, True, True, True, False, 403, 403]
    before = house.state()
    refused = {who: house.as_(who).post(f"/substitutes/{number}/end").status for who in (branch.deputy, branch.member, "赵六", branch.organiser)}
    assert refused == {branch.deputy: 403, branch.member: 403, "赵六": 404, branch.organiser: 403}
    assert house.as_(branch.member).post("/substitutes", {"substitute": branch.newcomer, **A_WEEK}).status == 403
    assert house.as_("赵六").post("/substitutes", {"staff_no": branch.secretary, "substitute": branch.member, **A_WEEK}).status == 403
    assert house.as_("office").post("/substitutes/999999999/end").status == 404
    assert house.state() == before
