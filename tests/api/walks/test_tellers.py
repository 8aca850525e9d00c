"""Two tellers (计票人): a first entry is its teller's alone, nobody copies it, few votes are bands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from api import ROUTES
from tests.api.conftest import Client, Reply
from tests.support.records.evidence import stand_at
from tests.support.servers import Cast
from tests.support.world import World, address
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.finding import process_of

ISSUED, VALID, VOTES = 7303, 7207, (5101, 2106)
"""Numbers that stand nowhere else in an answer."""
READERS = ("secretary", "organiser", "office", "auditor")
OF_THE_BRANCH = READERS[:2]


def entry(cast: Cast, **instead: Any) -> dict[str, Any]:
    """Make a teller's entry on the members of a branch."""
    excellent, qualified = VOTES
    counts = {staff_no: {"excellent": excellent, "qualified": qualified} for staff_no in cast.everybody}
    return {"subject": "members", "issued": ISSUED, "returned": VALID, "valid": VALID, "void": 0, "counts": counts} | instead


def others(cast: Cast, *staff_nos: str) -> dict[str, Any]:
    """Make an entry with other votes on these members."""
    counts = entry(cast)["counts"]
    return entry(cast, counts={**counts, **{each: {"excellent": VALID} for each in staff_nos}})


def client_of(world: World, cast: Cast, who: str) -> Client:
    return world.house.as_(getattr(cast, who, who))


def told(world: World, readers: tuple[str, ...], numbers: tuple[int, ...]) -> set[tuple[str, str]]:
    """Find the readers and routes whose answers have one of these numbers in them."""
    found = set()
    # In the names of requests there may be any digits.
    standing_alone = f"(?<![0-9a-z])({'|'.join(map(str, numbers))})(?![0-9a-z])"
    for route in (route for route in ROUTES if route.method == "GET"):
        path = address(route, world.here, world.ids)
        for who in readers:
            answer = client_of(world, world.here, who).http.get(
                f"/api/v1{path}", headers={"Authorization": f"Bearer {client_of(world, world.here, who).token}"}
            )
            if re.search(standing_alone, answer.text):
                found.add((who, route.rule))
    return found


@pytest.fixture
def counted(world: World) -> Iterator[World]:
    """Take the ballot on the members back at the end: it is the branch's one."""
    of_committee = world.ids["tallies"]
    with transaction(world.house.engine, actor="cli") as session:
        session.execute(text("update tally set withdrawn_at = now(), withdrawn_by = 'cli', withdrawn_reason = '重新测评' where subject = 'members'"))
    yield world
    world.ids["tallies"] = of_committee


def test_no_answer_tells_a_first_entry_and_few_votes_are_told_as_bands(counted: World) -> None:
    world, cast = counted, counted.here
    teller, second = client_of(world, cast, "newcomer"), client_of(world, cast, "publicist")
    first = teller.post(f"{cast.path}/tallies", entry(cast))
    assert (first.status, first.body["counts"][cast.member]["excellent"]) == (201, VOTES[0])
    world.ids["tallies"] = first.body["id"]
    assert told(world, READERS, (ISSUED, VALID, *VOTES)) == set()
    with transaction(world.house.engine, actor="cli") as session:
        session.execute(text("update cycle set plan = jsonb_set(plan, '{rules,settings,bands_below}', '10000')"))
    assert second.post(f"{cast.path}/tallies", entry(cast)).status == 201
    assert told(world, OF_THE_BRANCH, VOTES) == set()
    exact = {who for who, rule in told(world, ("publicist", "office"), VOTES) if rule.endswith("/tallies")}
    assert exact == {"publicist", "office"}


def test_a_second_entry_that_differs_is_told_its_lines_and_never_a_number(world: World) -> None:
    cast = world.house.a_branch()
    with transaction(world.house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, cast.code), Stage.SELF_REVIEW)
    teller, second, third = (client_of(world, cast, who) for who in ("newcomer", "publicist", "organiser"))
    path = f"{cast.path}/tallies"
    first = teller.post(path, entry(cast))
    one = f"{path}/{first.body['id']}"

    def enters(who: Client, body: dict[str, Any]) -> Reply:
        answer = who.post(path, body)
        assert answer.status == 201 or not [number for number in (ISSUED, *VOTES) if str(number) in str(answer.body)]
        return answer

    wrong = others(cast, cast.member, cast.deputy)
    for _ in range(3):
        # The same one sent again, after a lost answer, is the same one.
        refused = enters(second, wrong)
        assert (refused.status, refused.body["lines"]) == (409, [cast.deputy, cast.member])
    assert second.get(one).status == 404
    assert "enter_anew" not in teller.get(one).body

    # Another guess, of anybody, is the second one: then even the right numbers count nothing.
    assert enters(third, others(cast, cast.member)).body["lines"] == [cast.member]
    for who in (second, third, client_of(world, cast, "member")):
        refused = enters(who, entry(cast))
        assert (refused.status, refused.body["type"]) == (409, "/docs/problems#conflict")
        assert "请第一名计票人核对选票、重新录入" in refused.body["detail"]

    # The first is entered anew, whole and from the ballots.
    assert teller.get(one).body["enter_anew"] is True
    waiting = [each["subjects"] for each in teller.get("/me/todos").body["items"] if each["requirement"] == "ballots_to_enter"]
    assert "党员（两次不一致，须重新录入）" in [subject["name"] for subjects in waiting for subject in subjects]
    assert list(teller.patch(one, {"issued": ISSUED}, seen=1).body["errors"]) == ["returned", "valid", "void", "counts"]
    again = entry(cast)
    again.pop("subject")
    renewed = teller.patch(one, again, seen=1)
    assert (renewed.status, "enter_anew" in renewed.body) == (200, False)
    assert enters(third, others(cast, cast.member)).status == 409
    assert enters(third, entry(cast)).body["tellers"] == [cast.newcomer, cast.organiser]


def test_a_teller_who_gave_up_leaves_nothing_behind_for_the_next_ballot(world: World) -> None:
    cast = world.house.a_branch()
    teller, second = (client_of(world, cast, who) for who in ("newcomer", "publicist"))
    path = f"{cast.path}/tallies"
    first = teller.post(path, entry(cast)).body["id"]
    for staff_no in (cast.member, cast.deputy):
        assert second.post(path, others(cast, staff_no)).status == 409
    assert teller.post(f"{path}/{first}/withdraw", {"reason": "重新计票"}).status == 200
    assert teller.post(path, entry(cast)).status == 201
    assert second.post(path, entry(cast)).status == 201
