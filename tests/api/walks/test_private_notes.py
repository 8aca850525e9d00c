"""思想状况 (K4): the private notes stay with those who read them when they were written."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api import ROUTES
from tests.api.conftest import Client
from tests.support.builders import NOW, person
from tests.support.servers import Cast, kept_in
from tests.support.world import World, address
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Post
from workflow.people.organisation import Appointment
from workflow.roster.posts import appoint

TODAY = NOW.date()


def hand_over(world: World, cast: Cast, to: str, *, on: date = TODAY) -> None:
    """Let another member succeed the secretary from a day on, and the rolls follow that day."""
    now = NOW + (on - TODAY)
    with transaction(world.house.engine, actor="cli") as session:
        body = {"staff_no": to, "branch": cast.code, "post": Post.SECRETARY, "succeeds": True, "starts_on": on}
        appoint(session, body, now=now)


def said_with(partner: str) -> str:
    return f"〈只有主谈人看得到：{partner}〉"


def a_talk(world: World, cast: Cast, talker: str, partner: str) -> str:
    by = world.house.as_(talker)
    body = {"held_on": "2024-12-19", "talker": talker, "partner": partner, "private_notes": said_with(partner)}
    path = f"{cast.path}/talks/{by.post(f'{cast.path}/talks', body).body['id']}"
    assert by.post(f"{path}/follow-ups", {"due_on": "2025-01-10", "what": said_with(partner)}).status == 201
    return path


def readers_of(world: World, cast: Cast, path: str, partner: str) -> set[str]:
    """Find the people and roles to whom any answer tells the notes of a talk."""
    ids = {**world.ids, "talks": int(path.rpartition("/")[2])}
    ways = [path, *(address(route, cast, ids) for route in ROUTES if route.method == "GET" and "talks" in route.rule), f"{cast.path}/history"]
    found = set()
    for who in (*cast.everybody, "office", "committee", "auditor", "administrator"):
        client = world.house.as_(who)
        told = [client.http.get(f"/api/v1{way}", headers={"Authorization": f"Bearer {client.token}"}).text for way in ways]
        if any(said_with(partner) in text for text in told):
            found.add(who)
    return found


def test_notes_of_a_talk_with_the_secretary_stay_the_talkers_alone_whoever_succeeds(world: World) -> None:
    cast = world.house.a_branch()
    path = a_talk(world, cast, cast.organiser, cast.secretary)
    assert readers_of(world, cast, path, cast.secretary) == {cast.organiser}
    hand_over(world, cast, cast.deputy)
    assert readers_of(world, cast, path, cast.secretary) == {cast.organiser}
    hand_over(world, cast, cast.newcomer, on=TODAY + timedelta(days=1))
    world.house.clock.now = NOW + timedelta(days=1)
    assert readers_of(world, cast, path, cast.secretary) == {cast.organiser}


@pytest.mark.parametrize("sent", [{"held_on": "2024-12-18"}, {"held_on": "2024-12-19", "place": "办公室"}, {"partner": "secretary", "focus": True}])
def test_a_correction_of_the_talk_opens_them_to_nobody(world: World, sent: dict[str, Any]) -> None:
    """Also where the secretary of that day is known from the roll alone (docs/0028)."""
    cast = world.house.a_branch()
    with transaction(world.house.engine, actor="cli") as session:
        held = select(Appointment.id).where(Appointment.person_id == person(session, cast.secretary).id)
        session.execute(update(Appointment).where(Appointment.id.in_(held)).values(starts_on=TODAY))
    path = a_talk(world, cast, cast.organiser, cast.secretary)
    hand_over(world, cast, cast.deputy, on=TODAY + timedelta(days=1))
    world.house.clock.now = NOW + timedelta(days=1)
    body = {name: cast.secretary if value == "secretary" else value for name, value in sent.items()}
    assert world.house.as_(cast.organiser).patch(path, body, seen=1).status == 200
    assert readers_of(world, cast, path, cast.secretary) == {cast.organiser}


def test_notes_of_a_talk_with_a_member_follow_the_secretarys_post_and_never_the_partner(world: World) -> None:
    cast = world.house.a_branch()
    path = a_talk(world, cast, cast.organiser, cast.member)
    assert readers_of(world, cast, path, cast.member) == {cast.organiser, cast.secretary, cast.deputy}
    hand_over(world, cast, cast.member)
    assert readers_of(world, cast, path, cast.member) == {cast.organiser, cast.deputy}


def test_two_secretaries_read_nothing_of_the_talk_with_either_and_a_substitute_nothing_of_their_own(world: World) -> None:
    cast = world.house.a_branch()
    second = Appointment(branch_id=None, post=Post.SECRETARY, role=None, title=None, on_committee=True, starts_on=date(2024, 1, 1), ends_on=None)
    with transaction(world.house.engine, actor="cli") as session:
        # The product gives no second one; an older release did.
        who = person(session, cast.newcomer)
        second.person_id, second.branch_id = who.id, who.branch_id
        session.add(second)
    for each in (cast.secretary, cast.newcomer):
        assert readers_of(world, cast, a_talk(world, cast, cast.organiser, each), each) == {cast.organiser}


def test_a_substitute_reads_as_the_secretary_and_never_what_was_said_of_themselves(world: World) -> None:
    cast = world.house.a_branch()
    days = {"starts_on": TODAY.isoformat(), "ends_on": "2024-12-27"}
    assert secretary_of(world, cast).post("/substitutes", {"substitute": cast.member, **days}).status == 201
    told = {each: readers_of(world, cast, a_talk(world, cast, cast.organiser, each), each) for each in (cast.member, cast.newcomer, cast.secretary)}
    assert {each for each, readers in told.items() if cast.member in readers} == {cast.newcomer}


def secretary_of(world: World, cast: Cast) -> Client:
    return world.house.as_(cast.secretary)


def test_they_stand_in_the_talk_alone_and_in_no_other_table(world: World) -> None:
    cast = world.house.a_branch()
    words = "〈独此一处〉"
    by = world.house.as_(cast.organiser)
    body = {"held_on": "2024-12-19", "talker": cast.organiser, "partner": cast.secretary, "private_notes": words}
    made = by.post(f"{cast.path}/talks", body, **{"Idempotency-Key": "notes"})
    path = f"{cast.path}/talks/{made.body['id']}"
    by.post(f"{path}/follow-ups", {"due_on": "2025-01-10", "what": words}, **{"Idempotency-Key": "help"})
    by.patch(path, {"private_notes": f"{words}再谈"}, seen=1)
    by.post(f"{path}/withdraw", {"reason": "登记有误"})
    with transaction(world.house.engine, actor=None) as session:
        assert kept_in(session, words) == {"talk", "talk_follow_up"}
