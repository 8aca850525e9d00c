"""Bulk: many of one act in one request, all or none, every fault named by its index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.records.evidence import stand_at
from tests.support.records.rating import a_counted_ballot, a_rating
from tests.support.servers import YEAR, Cast, House, a_house
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.finding import process_of

KEY = "Idempotency-Key"


@pytest.fixture
def house(superuser: str, template: str) -> Iterator[House]:
    """A school of one test's own: whole years are moved."""
    with a_house(superuser, template) as made:
        yield made


@pytest.fixture
def branch(house: House) -> Cast:
    """A branch that has counted the ballot on its members."""
    cast = house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        a_counted_ballot(session, process_of(session, 2024, cast.code))
    return cast


def put_at(house: House, stage: Stage, *branches: Cast) -> None:
    with transaction(house.engine, actor="cli") as session:
        for each in branches:
            stand_at(session, process_of(session, 2024, each.code), stage)


def version(reader: Client, path: str) -> int:
    return int(reader.get(path).etag.strip('"'))


def rated(*who: str, **fields: Any) -> dict[str, Any]:
    return {"items": [{"staff_no": each, "level": "qualified", "opinion": "履行职责较好", **fields} for each in who]}


# ── all or none ───────────────────────────────────────────────────────────────────────────────


def test_many_ratings_are_recorded_in_one_request_each_with_its_history(house: House, branch: Cast) -> None:
    secretary, before = house.as_(branch.secretary), house.state()
    done = secretary.post(f"{branch.path}/ratings/bulk", rated(*branch.everybody))
    assert done.status == 200, done.body
    assert [(row["staff_no"], row["level"], row["recorded_by"]) for row in done.body["items"]] == [
        (who, "qualified", branch.secretary) for who in branch.everybody
    ]
    after = house.state()
    assert (after["rating"] - before["rating"], after["history"] - before["history"]) == (6, 6)
    assert secretary.get(f"{branch.path}/ratings/{branch.member}").body == done.body["items"][4]


def test_faults_of_content_are_all_named_by_index_before_anything_is_done(house: House, branch: Cast) -> None:
    secretary, before = house.as_(branch.secretary), house.state()
    body = rated(branch.member, branch.newcomer, branch.organiser)
    body["items"][0]["level"] = "splendid"
    del body["items"][2]["staff_no"]
    body["items"][2]["colour"] = "red"
    refused = secretary.post(f"{branch.path}/ratings/bulk", body)
    assert (refused.status, sorted(refused.body["errors"])) == (422, ["items.0.level", "items.2.colour", "items.2.staff_no"])
    assert house.state() == before


def test_refusals_of_the_verb_take_all_back_and_are_all_named(house: House, branch: Cast) -> None:
    secretary = house.as_(branch.secretary)
    with transaction(house.engine, actor="cli") as session:
        a_rating(session, process_of(session, 2024, branch.code), branch.member)
    before = house.state()
    twice = secretary.post(f"{branch.path}/ratings/bulk", rated(branch.newcomer, branch.member, branch.organiser, branch.organiser))
    assert (twice.status, twice.body["type"].rpartition("#")[2], sorted(twice.body["errors"])) == (409, "exists", ["items.1", "items.3"])
    assert twice.body["detail"].startswith("第 2 项：")
    assert house.state() == before
    wrong = secretary.post(f"{branch.path}/ratings/bulk", rated(branch.newcomer, branch.member, "w5"))
    assert (wrong.status, sorted(wrong.body["errors"])) == (422, ["items.1", "items.2.staff_no"])
    assert house.state() == before
    english = secretary("POST", f"{branch.path}/ratings/bulk", rated(branch.member), **{"Accept-Language": "en"})
    assert english.body["detail"].startswith("item 1: ")


def test_before_the_ballot_nobody_is_rated_in_bulk_either(house: House) -> None:
    other = house.a_branch()
    refused = house.as_(other.secretary).post(f"{other.path}/ratings/bulk", rated(other.member))
    assert (refused.status, refused.body["type"].rpartition("#")[2], list(refused.body["errors"])) == (409, "tally-first", ["items.0"])


@pytest.mark.parametrize("count", [0, 201])
def test_a_bulk_has_from_one_to_200_items(house: House, branch: Cast, count: int) -> None:
    refused = house.as_(branch.secretary).post(f"{branch.path}/ratings/bulk", rated(*["w5"] * count))
    assert (refused.status, refused.body["errors"]) == (422, {"items": ["应有 1 至 200 项"]})


def test_it_is_the_single_acts_right_and_branch(house: House, branch: Cast) -> None:
    other = house.a_branch()
    assert house.as_(branch.member).post(f"{branch.path}/ratings/bulk", rated(branch.member)).status == 403
    assert house.as_(other.secretary).post(f"{branch.path}/ratings/bulk", rated(branch.member)).status == 404


def test_the_same_request_again_under_its_key_is_answered_and_not_done_again(house: House, branch: Cast) -> None:
    secretary, path = house.as_(branch.secretary), f"{branch.path}/ratings/bulk"
    first = secretary("POST", path, rated(branch.member, branch.newcomer), **{KEY: "ratings-1"})
    before = house.state()
    again = secretary("POST", path, rated(branch.member, branch.newcomer), **{KEY: "ratings-1"})
    assert (again.status, again.headers["Idempotent-Replayed"], again.body) == (200, "true", first.body)
    assert secretary("POST", path, rated(branch.member), **{KEY: "ratings-1"}).status == 422
    assert house.state() == before


# ── the others ────────────────────────────────────────────────────────────────────────────────


def test_the_feedback_of_a_meeting_is_one_request(house: House, branch: Cast) -> None:
    secretary, path = house.as_(branch.secretary), f"{branch.path}/ratings/feedback/bulk"
    secretary.post(f"{branch.path}/ratings/bulk", rated(*branch.everybody))
    told = {"given_on": "2024-12-19", "way": "face"}
    done = secretary.post(path, {"items": [{"staff_no": who, **told} for who in branch.everybody]})
    assert done.status == 200, done.body
    assert [row["feedback"] for row in done.body["items"]] == [told] * 6
    rows = secretary.get(f"{branch.path}/requirements?stage=rating").body["items"]
    assert next(row["state"] for row in rows if row["requirement"] == "ratings_not_fed_back") == "met"
    before = house.state()
    unknown = secretary.post(path, {"items": [{"staff_no": branch.member, **told}, {"staff_no": "w5", **told}, {"staff_no": branch.member, **told}]})
    assert (unknown.status, unknown.body["errors"]) == (422, {"items.2.staff_no": ["与第 1 项重复"]})
    unknown = secretary.post(path, {"items": [{"staff_no": branch.member, **told, "given_on": "2030-01-01"}, {"staff_no": "w5", **told}]})
    assert (unknown.status, sorted(unknown.body["errors"])) == (422, ["items.0.given_on", "items.1.staff_no"])
    assert house.state() == before


def test_make_ups_of_many_are_one_request(house: House) -> None:
    branch = house.a_branch()
    secretary = house.as_(branch.secretary)
    titles = house.as_("office").get(YEAR).body["rules"]["required_reading"]
    session = secretary.post(
        f"{branch.path}/study-sessions", {"held_on": "2024-12-16", "form": "lecture", "titles": titles, "present": [branch.secretary]}
    )
    assert session.status == 201, session.body
    path = f"{branch.path}/study-sessions/{session.body['id']}/make-ups/bulk"
    absent = [branch.member, branch.newcomer, branch.deputy]
    done = secretary.post(path, {"items": [{"staff_no": who, "on": "2024-12-18", "how": "自学"} for who in absent]})
    assert done.status == 200, done.body
    assert [row["staff_no"] for row in done.body["items"]] == absent
    before = house.state()
    refused = secretary.post(path, {"items": [{"staff_no": who, "on": "2024-12-18"} for who in (branch.organiser, branch.member, branch.secretary)]})
    assert (refused.status, [each for each in refused.body["errors"] if each.startswith("items.0")]) in ((409, []), (422, []))
    assert {each.split(".")[1] for each in refused.body["errors"]} == {"1", "2"}
    assert house.state() == before
    assert secretary.post(path.replace(str(session.body["id"]), "987654"), {"items": [{"staff_no": "w5", "on": "2024-12-18"}]}).status == 404


def test_a_branch_excuses_many_each_line_in_the_version_that_was_seen(house: House) -> None:
    branch = house.a_branch()
    secretary, path = house.as_(branch.secretary), f"{branch.path}/roll/bulk"
    seen = {who: version(secretary, f"{branch.path}/roll/{who}") for who in (branch.member, branch.newcomer)}
    items = [{"staff_no": who, "version": seen[who], "excused_kind": "old", "excused_reason": "年老体弱"} for who in seen]
    done = secretary.post(path, {"items": items})
    assert done.status == 200, done.body
    assert [(row["staff_no"], row["excused_kind"], row["version"]) for row in done.body["items"]] == [(who, "old", seen[who] + 1) for who in seen]
    before = house.state()
    stale = secretary.post(path, {"items": [{**items[0], "version": seen[branch.member] + 1}, items[1]]})
    assert (stale.status, list(stale.body["errors"])) == (412, ["items.1"])
    none = secretary.post(path, {"items": [{key: value for key, value in items[0].items() if key != "version"}]})
    assert (none.status, none.body["errors"]) == (422, {"items.0.version": ["必须填写"]})
    office = secretary.post(path, {"items": [{"staff_no": branch.member, "version": seen[branch.member] + 1, "rated_here": True}]})
    assert (office.status, list(office.body["errors"])) == (403, ["items.0"])
    assert house.state() == before


def test_the_office_confirms_excuses_of_many_branches_at_once(house: House) -> None:
    branches = [house.a_branch() for _ in range(3)]
    office = house.as_("office")
    for each in branches:
        line, secretary = f"{each.path}/roll/{each.member}", house.as_(each.secretary)
        assert secretary.patch(line, {"excused_kind": "ill", "excused_reason": "长期住院"}, seen=secretary.get(line).etag).status == 200
    pending = office.get(f"{YEAR}/excuses?pending=true").body["items"]
    items = [{"code": row["branch"]["code"], "staff_no": row["staff_no"], "covers": ["K2"]} for row in pending]
    before = house.state()
    wrong = office.post(f"{YEAR}/excuses/bulk", {"items": [*items, {"code": "X999", "staff_no": "w5"}]})
    assert (wrong.status, wrong.body["errors"]) == (422, {"items.3.code": ["2024年度没有党支部 X999 参加"]})
    wrong = office.post(f"{YEAR}/excuses/bulk", {"items": [*items, {"code": branches[0].code, "staff_no": branches[0].newcomer}]})
    assert (wrong.status, list(wrong.body["errors"])) == (409, ["items.3"])
    assert house.state() == before
    done = office.post(f"{YEAR}/excuses/bulk", {"items": items})
    assert done.status == 200, done.body
    assert [(row["branch"]["code"], row["excused_confirmed_by"]) for row in done.body["items"]] == [(each.code, "office") for each in branches]
    assert office.get(f"{YEAR}/excuses?pending=true").body["items"] == []
    assert house.state()["waiver"] - before["waiver"] == 3
    assert house.as_(branches[0].secretary).post(f"{YEAR}/excuses/bulk", {"items": items[:1]}).status == 403


def test_the_office_accepts_many_branches_at_once_or_none(house: House) -> None:
    branches = [house.a_branch() for _ in range(3)]
    put_at(house, Stage.FILED, *branches)
    office = house.as_("office")
    items = [{"code": each.code, "version": version(office, each.path), "trigger": "accept"} for each in branches]
    before = house.state()
    stale = office.post(f"{YEAR}/moves/bulk", {"items": [items[0], {**items[1], "version": 99}, {**items[2], "version": 98}]})
    assert (stale.status, sorted(stale.body["errors"])) == (412, ["items.1", "items.2"])
    assert house.state() == before
    done = office("POST", f"{YEAR}/moves/bulk", {"items": items}, **{KEY: "accept-3"})
    assert done.status == 200, done.body
    assert [(row["branch"]["code"], row["stage"], row["by"]) for row in done.body["items"]] == [
        (each.code, "accepted", "office") for each in branches
    ]
    assert {office.get(each.path).body["stage"] for each in branches} == {"accepted"}
    again = office("POST", f"{YEAR}/moves/bulk", {"items": items}, **{KEY: "accept-3"})
    assert (again.status, again.body) == (200, done.body)


def test_what_branches_lack_is_told_of_each_with_its_name(house: House) -> None:
    one, other = house.a_branch(), house.a_branch()
    office = house.as_("office")
    items = [{"code": each.code, "version": version(office, each.path), "trigger": "advance"} for each in (one, other)]
    own = house.as_(one.secretary).post(f"{YEAR}/moves/bulk", {"items": items})
    assert (own.status, list(own.body["errors"])) == (422, ["items.1.code"])
    for each in (one, other):
        alone = house.as_(each.secretary).post(f"{YEAR}/moves/bulk", {"items": [item for item in items if item["code"] == each.code]})
        assert (alone.status, alone.body["type"].rpartition("#")[2]) == (409, "requirements-unmet")
        assert {row["branch"]["code"] for row in alone.body["unmet"]} == {each.code}
        assert list(alone.body["errors"]) == ["items.0"]


def test_modes_of_report_and_proposals_are_set_for_many_branches(house: House) -> None:
    branches = [house.a_branch() for _ in range(2)]
    office = house.as_("office")
    at = {each.code: f"{YEAR}/assessments/{each.code}" for each in branches}
    modes = [{"code": code, "version": version(office, path), "mode": "written"} for code, path in at.items()]
    done = office.post(f"{YEAR}/assessments/bulk", {"items": modes})
    assert done.status == 200, done.body
    assert [(row["branch"]["code"], row["mode"]) for row in done.body["items"]] == [(code, "written") for code in at]
    session = {"held_on": "2025-01-10", "place": "行政楼报告厅", "order": 1}
    before = house.state()
    same = [{"code": code, "version": version(office, path), "mode": "on_site", "on_site": session} for code, path in at.items()]
    refused = office.post(f"{YEAR}/assessments/bulk", {"items": same})
    assert (refused.status, list(refused.body["errors"])) == (409, ["items.1"])
    assert house.state() == before
    proposed = [{"code": code, "result": "qualified", "reason": "完成各项任务"} for code in at]
    first = office.post(f"{YEAR}/assessments/proposals/bulk", {"items": proposed})
    assert first.status == 200, first.body
    assert [row["result"] for row in first.body["items"]] == ["qualified"] * 2
    unseen = office.post(f"{YEAR}/assessments/proposals/bulk", {"items": proposed})
    assert (unseen.status, sorted(unseen.body["errors"])) == (422, ["items.0.version", "items.1.version"])
    second = [{**each, "version": 1, "result": "excellent"} for each in proposed]
    assert office.post(f"{YEAR}/assessments/proposals/bulk", {"items": second}).status == 200
    assert {office.get(f"{path}/proposal").body["result"] for path in at.values()} == {"excellent"}
