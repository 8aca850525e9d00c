"""Fields with readers of their own: talks, their notes and follow-ups, and the roll."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.servers import YEAR, Cast, House
from tests.support.world import SCHOOL, World
from workflow.appraisal.talks.talks import PRIVATE, TEXTS

NONE, WHAT_WAS_SAID, ALL = frozenset[str](), frozenset(TEXTS), frozenset((*TEXTS, *PRIVATE, "follow_up"))


@dataclass(frozen=True)
class Talks:
    """Four talks of one branch; each of their texts names its talk and field."""

    house: House
    cast: Cast
    ids: dict[str, int]
    """The record's id by "talker–partner"."""


PAIRS = {
    "organiser–member": ("organiser", "member"),
    "organiser–secretary": ("organiser", "secretary"),
    "organiser–deputy": ("organiser", "deputy"),
    "secretary–newcomer": ("secretary", "newcomer"),
}

READS: dict[str, dict[str, frozenset[str] | None]] = {
    # None: the existence of the talk is hidden from this reader
    "organiser–member": {"organiser": ALL, "member": WHAT_WAS_SAID, "secretary": ALL, "deputy": ALL, "newcomer": None},
    "organiser–secretary": {"organiser": ALL, "secretary": WHAT_WAS_SAID, "deputy": WHAT_WAS_SAID, "member": None, "newcomer": None},
    "organiser–deputy": {"organiser": ALL, "secretary": ALL, "deputy": WHAT_WAS_SAID, "member": None, "newcomer": None},
    "secretary–newcomer": {"organiser": NONE, "secretary": ALL, "deputy": ALL, "member": None, "newcomer": WHAT_WAS_SAID},
}
READERS = ("organiser", "secretary", "deputy", "publicist", "member", "newcomer", "office", "committee", "auditor")


def who_is(cast: Cast, reader: str) -> str:
    return str(getattr(cast, reader)) if reader not in SCHOOL else reader


def a_talk(talks_of: Cast, pair: str) -> dict[str, Any]:
    talker, partner = PAIRS[pair]
    texts = {name: f"<{pair}:{name}>" for name in (*TEXTS, *PRIVATE)}
    return {"held_on": "2024-12-19", "talker": getattr(talks_of, talker), "partner": getattr(talks_of, partner), "focus": True, **texts}


@pytest.fixture(scope="module")
def talks(world: World) -> Talks:
    house, cast = world.house, world.house.a_branch()
    ids = {}
    for pair, (talker, _) in PAIRS.items():
        by = house.as_(getattr(cast, talker))
        made = by.post(f"{cast.path}/talks", a_talk(cast, pair))
        assert made.status == 201, made.body
        ids[pair] = made.body["id"]
        followed = by.post(f"{cast.path}/talks/{ids[pair]}/follow-ups", {"due_on": "2025-01-10", "what": f"<{pair}:follow_up>"})
        assert followed.status == 201, followed.body
    return Talks(house, cast, ids)


def markers(answer: Any, pair: str = "") -> frozenset[str]:
    """Find the texts of a talk anywhere in an answer."""
    text = json.dumps(answer.body, ensure_ascii=False)
    return frozenset(field for found, field in re.findall(r"<([^:<>]+):([^:<>]+)>", text) if pair in ("", found))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("pair", PAIRS)
def test_each_reader_sees_his_fields_of_a_talk_and_no_other(talks: Talks, pair: str, reader: str) -> None:
    client = talks.house.as_(who_is(talks.cast, reader))
    allowed = READS[pair].get(reader, NONE)
    one = client.get(f"{talks.cast.path}/talks/{talks.ids[pair]}")
    listed = client.get(f"{talks.cast.path}/talks")
    assert listed.status == 200
    if allowed is None:
        assert one.status == 404
        assert talks.ids[pair] not in [item["id"] for item in listed.body["items"]]
        return
    assert one.status == 200
    assert markers(one) == allowed
    assert next(item for item in listed.body["items"] if item["id"] == talks.ids[pair]) == one.body
    assert markers(listed, pair) == allowed


@pytest.mark.parametrize("reader", [*READERS, "administrator"])
def test_no_other_answer_carries_the_text_of_a_talk(talks: Talks, reader: str) -> None:
    client = talks.house.as_(who_is(talks.cast, reader))
    below = ("", "/next", "/requirements", "/requirements?stage=talks", "/history?limit=200", "/moves", "/waivers", "/roll", "/talks/coverage")
    for path in (
        *(talks.cast.path + each for each in below),
        *(YEAR + each for each in ("/progress", "/branches", "/exceptions?limit=200", "/letters")),
        *("/me", "/me/todos", "/process", YEAR),
    ):
        assert markers(client.get(path)) == NONE, path


def test_the_history_says_only_that_a_text_changed(talks: Talks) -> None:
    history = talks.house.as_("auditor").get(f"{talks.cast.path}/history?limit=200").body["items"]
    talk = next(row for row in history if row["what"] == "talk" and row["new"]["talker"] == talks.cast.organiser)
    assert {talk["new"][name] for name in (*TEXTS, *PRIVATE)} == {"changed"}
    assert not [row for row in history if row["what"] == "talk_follow_up"]


def test_that_there_is_a_follow_up_stands_in_the_history_of_who_reads_it(talks: Talks) -> None:
    seen = {
        who: [
            row["new"]["what"]
            for row in talks.house.as_(who_is(talks.cast, who)).get(f"{talks.cast.path}/history?limit=200").body["items"]
            if row["what"] == "talk_follow_up"
        ]
        for who in ("secretary", "organiser", "office")
    }
    assert set(seen["secretary"]) == {"changed"}
    assert set(seen["organiser"]) <= {"changed"}
    assert seen["office"] == []


def test_an_answer_to_a_change_shows_no_more_than_reading_does(talks: Talks) -> None:
    house, cast = talks.house, talks.house.a_branch()
    organiser, secretary, deputy, office = (house.as_(who_is(cast, each)) for each in ("organiser", "secretary", "deputy", "office"))
    body = a_talk(cast, "organiser–secretary")
    made = organiser.post(f"{cast.path}/talks", body)
    path = f"{cast.path}/talks/{made.body['id']}"
    assert markers(made) == frozenset((*TEXTS, *PRIVATE))
    assert markers(secretary.patch(path, {"place": "会议室"}, seen=1)) == WHAT_WAS_SAID
    assert markers(deputy.patch(path, {"place": "办公室"}, seen=2)) == WHAT_WAS_SAID
    assert markers(organiser.patch(path, {"place": "活动室"}, seen=3)) == frozenset((*TEXTS, *PRIVATE))
    rejected = office.post(f"{path}/reject", {"reason": "日期有误"})
    assert rejected.status == 200
    assert markers(rejected) == NONE


@pytest.mark.parametrize(
    "change",
    [{"partner": "member"}, {"talker": "secretary", "partner": "member"}, {"talker": "publicist", "partner": "member"}],
    ids=["another partner", "himself as talker", "other people"],
)
@pytest.mark.parametrize("who", ["secretary", "deputy"])
def test_naming_other_people_opens_no_private_notes(talks: Talks, who: str, change: dict[str, str]) -> None:
    """Only the talker reads 思想状况 of a talk with the secretary.

    No change of the talk opens it to others.
    """
    house, cast = talks.house, talks.house.a_branch()
    path = f"{cast.path}/talks/{house.as_(cast.organiser).post(f'{cast.path}/talks', a_talk(cast, 'organiser–secretary')).body['id']}"
    reader = house.as_(who_is(cast, who))
    changed = reader.patch(path, {name: who_is(cast, person) for name, person in change.items()}, seen=1)
    assert "private_notes" not in markers(changed)
    assert "private_notes" not in markers(reader.get(path))


def test_who_may_not_read_private_notes_does_not_write_them(talks: Talks) -> None:
    house, cast = talks.house, talks.house.a_branch()
    body = a_talk(cast, "organiser–secretary")
    path = f"{cast.path}/talks/{house.as_(cast.organiser).post(f'{cast.path}/talks', body).body['id']}"
    for who in ("secretary", "deputy"):
        assert house.as_(who_is(cast, who)).patch(path, {"private_notes": "改写"}, seen=1).status == 403
    assert house.as_(cast.organiser).get(path).body["private_notes"] == body["private_notes"]


def test_follow_ups_are_for_who_reads_them(talks: Talks) -> None:
    house, cast = talks.house, talks.house.a_branch()
    path = f"{cast.path}/talks/{house.as_(cast.organiser).post(f'{cast.path}/talks', a_talk(cast, 'organiser–secretary')).body['id']}"
    promise = {"due_on": "2025-01-10", "what": "帮助"}
    answers = {
        who: house.as_(who_is(cast, who)).post(f"{path}/follow-ups", promise).status for who in ("organiser", "secretary", "deputy", "publicist")
    }
    assert answers == {"organiser": 201, "secretary": 403, "deputy": 403, "publicist": 403}


def test_a_member_reads_the_names_of_the_roll_and_nothing_else_of_it(world: World) -> None:
    house, cast = world.house, world.here
    rows = house.as_(cast.member).get(f"{cast.path}/roll").body["items"]
    assert sorted(row["staff_no"] for row in rows) == sorted(cast.everybody)
    assert all(row.keys() == {"staff_no", "name"} for row in rows)
    one = house.as_(cast.member).get(f"{cast.path}/roll/{cast.secretary}").body
    assert one == {"staff_no": cast.secretary, "name": cast.secretary}
    for reader in (cast.organiser, cast.secretary, "office", "auditor", "committee"):
        whole = house.as_(reader).get(f"{cast.path}/roll/{cast.secretary}").body
        contract = {
            *("staff_no", "name", "standing", "post", "title", "on_committee", "leads", "cadre", "voting", "punished_on"),
            *("excused_reason", "excused_confirmed_by", "left_on"),
        }
        assert contract <= whole.keys()
        assert whole["post"] == "secretary"


def test_a_committee_member_records_his_own_talks_alone(world: World) -> None:
    house, cast = world.house, world.here
    before = house.state()
    refused = house.as_(cast.organiser).post(f"{cast.path}/talks", {"held_on": "2024-12-19", "talker": cast.publicist, "partner": cast.member})
    assert refused.status == 403
    assert house.state() == before
    assert (
        house.as_(cast.organiser).post(f"{cast.path}/talks", {"held_on": "2024-12-19", "talker": cast.organiser, "partner": cast.member}).status
        == 201
    )


def test_two_posts_give_the_union_of_what_they_allow(world: World) -> None:
    house, cast = world.house, world.house.a_branch()
    given = house.as_("administrator").post("/appointments", {"staff_no": cast.member, "role": "auditor", "starts_on": "2024-01-01"})
    assert given.status == 201, given.body
    both = house.as_(cast.member)
    assert both.get("/me").body["roles"] == ["auditor", "member"]
    assert both.get(f"{YEAR}/progress").status == 200
    assert both.get(world.there.path).status == 200
    assert "post" in both.get(f"{cast.path}/roll/{cast.secretary}").body
    house.as_("administrator").post(f"/appointments/{given.body['id']}/end", {"ends_on": "2024-12-19"})
    assert both.get(f"{YEAR}/progress").status == 403
