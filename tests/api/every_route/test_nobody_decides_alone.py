"""Nobody decides on their own (回避): every decision on what a branch handed in, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from api import ROUTES
from tests.api.conftest import Client, Reply
from tests.support.builders import NOW
from tests.support.servers import YEAR, Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Post, Role, Trigger
from workflow.machine.process import MOVES
from workflow.people.access import JUDGED
from workflow.roster.posts import appoint

TODAY = NOW.date().isoformat()
REASON = {"reason": "材料不实"}


@pytest.fixture(scope="module")
def branch(house: House) -> Cast:
    """A branch whose member is a clerk of the office too, and whose group leader is one."""
    cast = house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        for staff_no in (cast.publicist, cast.member):
            appoint(session, {"staff_no": staff_no, "role": Role.OFFICE, "starts_on": date(2024, 1, 1)}, now=NOW)
    return cast


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> None:
    house.clock.now = NOW


def a_session(secretary: Client, branch: Cast) -> str:
    body = {"held_on": TODAY, "titles": [], "present": [branch.newcomer]}
    return f"{branch.path}/study-sessions/{secretary.post(f'{branch.path}/study-sessions', body).body['id']}"


def a_waiver(secretary: Client, branch: Cast) -> str:
    body = {"requirement": "members_nobody_talked_with", "subjects": [branch.newcomer], "reason": "长期在外"}
    return f"{branch.path}/waivers/{secretary.post(f'{branch.path}/waivers', body).body['id']}"


def a_filing(secretary: Client, branch: Cast) -> str:
    body = {"to": "学院党委", "sent_on": TODAY}
    return f"{branch.path}/rectification-filings/{secretary.post(f'{branch.path}/rectification-filings', body).body['id']}"


def an_excuse(secretary: Client, branch: Cast) -> str:
    here = f"{branch.path}/roll/{branch.newcomer}"
    assert secretary.patch(here, {"excused_kind": "ill", "excused_reason": "住院"}, seen=secretary.get(here).etag).status == 200
    return here


ACTS: dict[str, tuple[Callable[[Client, Cast], str], str, dict[str, Any], int]] = {
    "reject a record": (a_session, "reject", REASON, 200),
    "reject a reason": (a_waiver, "reject", REASON, 200),
    "approve a reason": (a_waiver, "approve", {}, 409),
    "confirm a receipt": (a_filing, "receive", {}, 200),
    "confirm an excuse": (an_excuse, "confirm", {}, 200),
    "refuse an excuse": (an_excuse, "refuse", REASON, 200),
}
"""A thing that the branch makes, the decision on it, its body, the status of others' answers."""


@pytest.mark.parametrize("name", ACTS)
def test_whoever_has_a_post_in_the_branch_decides_nothing_of_it_and_others_do(house: House, branch: Cast, name: str) -> None:
    make, verb, body, status = ACTS[name]
    for who, answer in ((branch.publicist, 403), (branch.member, status), ("office", status), ("committee", status)):
        address = make(house.as_(branch.secretary), branch)
        told = house.as_(who).post(f"{address}/{verb}", body)
        house.as_(branch.secretary).post(f"{address}/withdraw", REASON)
        assert told.status == answer, (who, told.body)
        if answer == 403:
            assert told.body["detail"].startswith(f"您在{branch.code}党支部任职，本支部的事请党委办公室其他同志办理")


@pytest.mark.parametrize("trigger", ["return", "accept"])
def test_their_own_branch_is_neither_returned_nor_accepted_by_them(house: House, branch: Cast, trigger: str) -> None:
    def moves(who: str) -> Reply:
        seen = house.as_("office").get(branch.path).etag
        body = {"trigger": trigger, **({"to": "study", "reason": "补学"} if trigger == "return" else {})}
        return house.as_(who).post(f"{branch.path}/moves", body, seen=seen)

    assert moves(branch.publicist).status == 403
    assert {moves(who).status for who in (branch.member, "office", "committee")} == {409}
    options = house.as_(branch.publicist).get(f"{branch.path}/next").body["items"]
    assert [each for each in options if each["trigger"] == trigger and each["allowed"]] == []


FAVOURS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "more time": ("POST", "extensions", {"stage": "report", "due_on": "2025-02-10", "reason": "材料还要补充"}),
    "out of the year": ("POST", "end", {"why": "temporary", "reason": "临时支部"}),
    "back into it": ("POST", "resume", {}),
    "rated elsewhere": ("PATCH", "roll/NEWCOMER", {"rated_here": True}),
}


@pytest.mark.parametrize("name", FAVOURS)
def test_nobody_of_the_office_does_their_own_branch_a_favour(house: House, name: str) -> None:
    cast = house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        appoint(session, {"staff_no": cast.publicist, "role": Role.OFFICE, "starts_on": date(2024, 1, 1)}, now=NOW)
    method, path, body = FAVOURS[name]
    path = f"{cast.path}/{path.replace('NEWCOMER', cast.newcomer)}"

    def told(who: str) -> Reply:
        return house.as_(who)(method, path, body, seen=1)

    assert (told(cast.publicist).status, told("office").status) == (403, 409 if name == "back into it" else 200 if name != "more time" else 201)


def test_what_somebody_of_the_office_entered_another_decides_on(house: House) -> None:
    cast = house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        appoint(session, {"staff_no": cast.secretary, "role": Role.OFFICE, "starts_on": date(2024, 1, 1)}, now=NOW)
    address = a_session(house.as_(cast.secretary), cast)
    assert house.as_(cast.secretary).post(f"{address}/reject", REASON).status == 403


@pytest.mark.parametrize("verb", ["confirm", "refuse"])
def test_an_excuse_that_the_office_entered_another_of_it_decides_on(house: House, verb: str) -> None:
    cast = house.a_branch()
    address = an_excuse(house.as_("office"), cast)
    told = house.as_("office").post(f"{address}/{verb}", REASON if verb == "refuse" else {})
    assert (told.status, told.body["detail"]) == (403, "这是您自己登记的，请他人办理")
    assert house.as_("committee").post(f"{address}/{verb}", REASON if verb == "refuse" else {}).status == 200


def test_excuses_of_ones_own_branch_are_not_confirmed_among_many(house: House, branch: Cast) -> None:
    an_excuse(house.as_(branch.secretary), branch)
    items = {"items": [{"code": branch.code, "staff_no": branch.newcomer}]}
    address = f"{YEAR}/excuses/bulk"
    told = house.as_(branch.publicist).post(address, items)
    assert (told.status, list(told.body["errors"])) == (403, ["items.0"])
    assert house.as_("office").post(address, items).status == 200


def test_every_decision_on_what_a_branch_handed_in_is_walked() -> None:
    walked = {route.rule.rpartition("/")[2] for route in ROUTES if route.action in JUDGED}
    assert walked == {verb for _, verb, _, _ in ACTS.values()} | {"bulk"} | {"extensions", "end", "resume"}
    judged = {(kind.value, move.trigger) for kind, moves in MOVES.items() for move in moves if move.judges}
    assert judged == {
        ("appraisal", Trigger.ACCEPT),
        ("appraisal", Trigger.RETURN),
        ("appraisal", Trigger.REOPEN),
        ("assessment", Trigger.RETURN),
    }


def test_a_plain_member_of_the_branch_may_decide_and_a_group_leader_may_too(house: House, branch: Cast) -> None:
    with transaction(house.engine, actor="cli") as session:
        leader = {"staff_no": branch.member, "branch": branch.code, "post": Post.GROUP_LEADER, "starts_on": date(2024, 1, 1)}
        appoint(session, leader, now=NOW)
    address = a_session(house.as_(branch.secretary), branch)
    assert house.as_(branch.member).post(f"{address}/reject", REASON).status == 200
