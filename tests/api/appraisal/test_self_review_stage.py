"""The self-review stage (组织生活会·述职评议) over HTTP: shapes, readers of each field.

Refusals come in their order.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.servers import Cast, House
from tests.support.years.self_review_bodies import BODIES, COLLECTIONS, ITEMS, VOTES, a_branch_that_has_studied, a_tally, made, sent, slug

RECORD = {"id", "version", "recorded_by", "recorded_at", "withdrawn", "rejected"}
FIGURES = {"issued", "returned", "valid", "void", "counts", "bands"}


@pytest.fixture
def branch(house: House) -> Cast:
    return a_branch_that_has_studied(house)


@pytest.fixture
def secretary(house: House, branch: Cast) -> Client:
    return house.as_(branch.secretary)


@pytest.fixture
def member(house: House, branch: Cast) -> Client:
    return house.as_(branch.member)


# ── shapes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_record_answers_what_it_was_sent_and_is_found_where_its_location_says(branch: Cast, member: Client, secretary: Client, name: str) -> None:
    client, body = secretary if name == "meetings" else member, BODIES[name](branch)
    answer = sent(client, branch, name)
    assert (answer.status, answer.etag) == (201, '"1"')
    assert answer.body.keys() >= RECORD
    assert {field: answer.body[field] for field in body} == body
    found = client.get(answer.headers["Location"].removeprefix("/api/v1"))
    assert (found.status, found.body, found.etag) == (200, answer.body, '"1"')
    assert client.get(f"{branch.path}/{name}").body == {"items": [answer.body], "next": None}


def test_a_self_review_shows_his_own_attendance(branch: Cast, member: Client, secretary: Client) -> None:
    made(secretary, branch, "meetings")
    answer = sent(member, branch, "self-reviews").body
    assert answer.keys() == RECORD | {"staff_no", "aspects", "level", "submitted", "attendance"}
    assert answer["attendance"] == {"studies": 1, "studied": 1, "made_up": 0, "meetings": 1, "attended": 1}


def test_a_meeting_has_the_years_theme_and_who_confirmed_it(house: House, branch: Cast, secretary: Client, member: Client) -> None:
    path = made(secretary, branch, "meetings")
    assert secretary.get(path).body["theme"] == house.as_("office").get("/cycles/2024").body["theme"]
    assert secretary.get(path).body["confirmed"] == {"chair": None, "recorder": None}
    assert member.post(f"{path}/confirm").body["confirmed"] == {"chair": None, "recorder": "2024-12-20T02:00:00Z"}
    both = secretary.post(f"{path}/confirm")
    assert (both.status, both.etag) == (200, '"3"')
    assert both.body["confirmed"] == {"chair": "2024-12-20T02:00:00Z", "recorder": "2024-12-20T02:00:00Z"}
    again = secretary.post(f"{path}/confirm")
    assert (again.status, slug(again)) == (409, "conflict")
    assert secretary.patch(path, {"place": "会议室"}, seen=3).body["confirmed"] == {"chair": None, "recorder": None}
    assert house.as_(branch.organiser).post(f"{path}/confirm").status == 403
    assert house.as_(branch.newcomer).post(f"{path}/confirm").status == 404
    assert house.as_("office").post(f"{path}/confirm").status == 403


def test_a_tally_is_counted_by_an_equal_second_entry_and_a_different_one_is_told_its_lines(house: House, branch: Cast, member: Client) -> None:
    first = sent(member, branch, "tallies")
    assert first.body.keys() == RECORD | FIGURES | {"subject", "tellers", "counted_at"}
    assert (first.body["tellers"], first.body["counted_at"], first.body["bands"]) == ([branch.member], None, False)
    organiser, before = house.as_(branch.organiser), house.state()
    counts = {**a_tally(branch)["counts"], "style": {"good": 6}}
    other = sent(organiser, branch, "tallies", counts=counts)
    assert (other.status, slug(other), other.body["lines"]) == (409, "tally-mismatch", ["style"])
    assert other.body["detail"] == "作风与另一名计票人录入的不一致，请两人一起核对选票"
    assert other.body.keys() == {"type", "title", "status", "detail", "instance", "request_id", "lines"}
    # That there was one is kept, and nothing of what it said.
    assert {name: count - before[name] for name, count in house.state().items() if count != before[name]} == {"differing_entry": 1, "history": 1}
    second = sent(organiser, branch, "tallies")
    assert (second.status, second.body["id"], second.etag) == (201, first.body["id"], '"2"')
    assert (second.body["tellers"], second.body["counted_at"]) == ([branch.member, branch.organiser], "2024-12-20T02:00:00Z")
    third = sent(house.as_(branch.newcomer), branch, "tallies")
    assert (third.status, slug(third)) == (409, "exists")


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────

READERS = ("secretary", "deputy", "organiser", "member", "newcomer", "office", "auditor")


def as_reader(house: House, branch: Cast, who: str) -> Client:
    return house.as_(who if who in ("office", "auditor") else getattr(branch, who))


def reading(house: House, branch: Cast, path: str) -> dict[str, Any]:
    """Read a record as each reader.

    A reader who must not know of it finds it in no list either.
    """
    found: dict[str, Any] = {}
    for who in READERS:
        client = as_reader(house, branch, who)
        one, listed = client.get(path), client.get(path.rpartition("/")[0])
        assert listed.status == 200
        assert listed.body["items"] == ([one.body] if one.status == 200 else []), who
        assert one.status in (200, 404)
        if one.status == 200:
            found[who] = one.body
    return found


def test_a_draft_is_read_by_its_member_alone_and_then_by_the_branch_and_the_school(house: House, branch: Cast, member: Client) -> None:
    path = made(member, branch, "self-reviews", submitted=False)
    assert reading(house, branch, path).keys() == {"member"}
    assert house.as_(branch.secretary).patch(path, {"submitted": True}, seen=1).status == 404
    assert member.patch(path, {"submitted": True}, seen=1).status == 200
    found = reading(house, branch, path)
    assert found.keys() == set(READERS) - {"newcomer"}
    assert all(each == found["member"] for each in found.values())


def test_a_member_knows_of_the_meetings_he_confirms_and_the_chair_alone_counts_criticism(house: House, branch: Cast, secretary: Client) -> None:
    path = made(secretary, branch, "meetings")
    found = reading(house, branch, path)
    assert found.keys() == set(READERS) - {"newcomer"}
    assert {who for who, body in found.items() if "criticised" in body} == {"secretary"}
    assert found["secretary"]["criticised"] == {branch.organiser: 2}


def test_a_first_entry_is_its_tellers_and_the_office_knows_that_there_is_one(house: House, branch: Cast, member: Client) -> None:
    path = made(member, branch, "tallies")
    found = reading(house, branch, path)
    assert found.keys() == {"member", "office"}
    assert found["office"] == {name: value for name, value in found["member"].items() if name not in FIGURES}
    answer = house.as_("office").post(f"{path}/reject", {"reason": "计票人已调离"})
    assert answer.status == 200
    assert not FIGURES & answer.body.keys()
    assert house.as_(branch.secretary).post(f"{path}/withdraw", {"reason": "重录"}).status == 404


def test_a_counted_tally_of_few_is_bands_for_the_branch_and_counts_for_the_school(house: House, branch: Cast, member: Client) -> None:
    path = made(member, branch, "tallies")
    made(house.as_(branch.organiser), branch, "tallies")
    found = reading(house, branch, path)
    assert found.keys() == set(READERS) - {"newcomer"}
    assert {who: body["bands"] for who, body in found.items()} == {
        "secretary": True,
        "deputy": True,
        "organiser": False,
        "member": False,
        "office": False,
        "auditor": False,
    }
    assert found["office"]["counts"] == a_tally(branch)["counts"]
    assert found["secretary"]["counts"]["work"] == {
        **dict.fromkeys(VOTES, "未过半数"),
        "good": "三分之二以上",
    }
    assert found["secretary"]["counts"]["comments"] == ["多听意见"]


def test_ten_and_more_ballots_are_read_as_they_are(house: House, branch: Cast, member: Client) -> None:
    numbers = {"issued": 10, "returned": 10, "valid": 10, "counts": {item: {"good": 10} for item in ITEMS}}
    path = made(member, branch, "tallies", **numbers)
    made(house.as_(branch.organiser), branch, "tallies", **numbers)
    secretary = house.as_(branch.secretary).get(path).body
    assert (secretary["bands"], secretary["counts"]["work"]["good"]) == (False, 10)


def test_no_history_tells_a_level_an_aspect_or_a_count(house: House, branch: Cast, member: Client) -> None:
    made(member, branch, "self-reviews", aspects={"A1": "只写给自己看"}, submitted=False)
    made(member, branch, "tallies", issued=4242)
    for who in ("secretary", "organiser", "office", "auditor"):
        rows = as_reader(house, branch, who).get(f"{branch.path}/history?limit=200").body["items"]
        assert {"self_review", "tally", "tally_of_item"} <= {row["what"] for row in rows}
        assert not [text for text in ("只写给自己看", "4242", "qualified", "多听意见") if text in json.dumps(rows, ensure_ascii=False)]


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_change_is_refused_for_one_fault_after_the_other(house: House, branch: Cast, member: Client, secretary: Client, name: str) -> None:
    client = secretary if name == "meetings" else member
    path, another = made(client, branch, name), house.as_(house.a_branch().secretary)
    goods: dict[str, dict[str, Any]] = {"self-reviews": {"level": "basic"}, "meetings": {"place": "会议室"}, "tallies": {"issued": 7}}
    good = goods[name]
    before = house.state()
    assert another.patch(path, good, seen=1).status == 404
    assert house.as_("office").patch(path, good, seen=1).status == 403
    assert client.patch(path, {"unknown": 1}).status == 428
    assert list(client.patch(path, {"unknown": 1}, seen=9).body["errors"]) == ["unknown"]
    stale = client.patch(path, good, seen=9)
    assert (stale.status, stale.body["version"]) == (412, 1)
    assert house.state() == before
    assert client.patch(path, good, seen=1).etag == '"2"'
    changed = client.patch(path, good, seen=1)
    assert changed.status == 412
    assert changed.body["changed"][0]["fields"] == list(good)


def test_a_self_review_of_another_is_forbidden_and_one_more_exists(house: House, branch: Cast, member: Client, secretary: Client) -> None:
    assert sent(member, branch, "self-reviews", staff_no=branch.newcomer).status == 403
    assert sent(house.as_(branch.organiser), branch, "self-reviews").status == 403
    assert sent(house.as_("office"), branch, "self-reviews").status == 403
    made(member, branch, "self-reviews", submitted=False)
    again = sent(secretary, branch, "self-reviews")
    assert (again.status, slug(again)) == (409, "exists")


def test_the_secretary_is_no_teller_and_a_member_records_no_meeting(house: House, branch: Cast, member: Client, secretary: Client) -> None:
    before = house.state()
    assert sent(secretary, branch, "tallies").status == 403
    assert sent(member, branch, "meetings").status == 403
    assert sent(house.as_("office"), branch, "tallies").status == 403
    assert house.state() == before
    made(house.as_(branch.deputy), branch, "tallies")
    made(house.as_(branch.organiser), branch, "meetings")


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_record_is_withdrawn_once_by_who_may_and_rejected_by_the_office(
    house: House, branch: Cast, member: Client, secretary: Client, name: str
) -> None:
    client, office = secretary if name == "meetings" else member, house.as_("office")
    path = made(client, branch, name)
    assert client.post(f"{path}/withdraw").status == 422
    assert client.post(f"{path}/reject", {"reason": "有误"}).status == 403
    assert client.post(f"{path}/withdraw", {"reason": "重录"}).body["withdrawn"]["reason"] == "重录"
    for gone in (client.post(f"{path}/withdraw", {"reason": "重录"}), office.post(f"{path}/reject", {"reason": "有误"})):
        assert gone.status == 409
    path = made(client, branch, name)
    assert office.post(f"{path}/reject", {"reason": "有误"}).body["rejected"]["by"] == "office"


def test_what_the_secretary_may_not_withdraw_nobody_else_does(house: House, branch: Cast, member: Client, secretary: Client) -> None:
    review = made(member, branch, "self-reviews")
    assert house.as_(branch.organiser).post(f"{review}/withdraw", {"reason": "有误"}).status == 403
    assert secretary.post(f"{review}/withdraw", {"reason": "本人要求"}).status == 200
    tally = made(member, branch, "tallies")
    made(house.as_(branch.newcomer), branch, "tallies")
    assert house.as_(branch.organiser).post(f"{tally}/withdraw", {"reason": "有误"}).status == 403
    assert secretary.post(f"{tally}/withdraw", {"reason": "重新计票"}).status == 200
