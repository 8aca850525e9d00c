"""People one by one over HTTP (人员): added, moved, gone, renumbered and punished."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from schedulers.worker import tick
from tests.api.conftest import Client, Reply
from tests.support.builders import NOW, person
from tests.support.records.evidence import stand_at
from tests.support.records.rating import a_counted_ballot
from tests.support.servers import YEAR, Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.settings import Settings
from workflow.foundation.vocabulary import Stage
from workflow.machine.rolls import bring_rolls_to_today, rolls_follow
from workflow.year.finding import Lock, process_of

TODAY = NOW.date().isoformat()
BEFORE = "2024-12-16"


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> Iterator[None]:
    house.clock.now = NOW
    yield
    house.clock.now = NOW


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def other(house: House) -> Cast:
    return house.a_branch()


def line(client: Client, branch: Cast, staff_no: str) -> dict[str, Any]:
    body: dict[str, Any] = client.get(f"{branch.path}/roll/{staff_no}").body
    return body


def moves(office: Client, staff_no: str, to: Cast, on: str = TODAY) -> Reply:
    return office.post(f"/people/{staff_no}/move", {"branch": to.code, "on": on})


def balloted(house: House, branch: Cast) -> None:
    """Count the ballot on the members of a branch."""
    with transaction(house.engine, actor="cli") as session:
        a_counted_ballot(session, process_of(session, 2024, branch.code))


# ── added, corrected ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_member_is_added_without_a_workbook_and_stands_on_the_roll(house: House, office: Client, branch: Cast) -> None:
    new = {"staff_no": f"{branch.code}z", "name": "欧阳明", "branch": branch.code, "standing": "full"}
    made = office.post("/people", {**new, "email": "ouyang@school.example"})
    assert (made.status, made.headers["Location"]) == (201, f"/api/v1/people/{branch.code}z")
    assert made.body == {**new, "cadre": False, "left_on": None, "left_reason": None}
    row = line(office, branch, new["staff_no"])
    assert (row["name"], row["voting"], row["joined_on"]) == ("欧阳明", True, TODAY)
    assert house.as_("administrator").get("/accounts?limit=200").status == 200
    again = office.post("/people", new)
    assert (again.status, again.body["detail"]) == (409, f"已有学工号 {new['staff_no']} 的人员；转来的请用“转移”")


@pytest.mark.parametrize("lacking", ["branch", "standing"])
def test_a_member_without_branch_or_standing_is_refused(office: Client, branch: Cast, lacking: str) -> None:
    new = {"staff_no": f"{branch.code}y", "name": "欧阳明", "branch": branch.code, "standing": "full"}
    refused = office.post("/people", {name: value for name, value in new.items() if name != lacking})
    assert (refused.status, list(refused.body["errors"])) == (422, [lacking])


def test_a_corrected_name_reaches_the_roll(office: Client, branch: Cast) -> None:
    seen = office.get(f"/people/{branch.member}")
    assert office.patch(f"/people/{branch.member}", {"name": "更正后"}, seen='"7"').status == 412
    assert office.patch(f"/people/{branch.member}", {"name": "更正后"}, seen=seen.etag).body["name"] == "更正后"
    assert line(office, branch, branch.member)["name"] == "更正后"


# ── moved ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_move_has_its_own_day_on_both_rolls_and_ends_the_posts(office: Client, branch: Cast, other: Cast) -> None:
    assert moves(office, branch.organiser, other, BEFORE).body["branch"] == other.code
    left, came = line(office, branch, branch.organiser), line(office, other, branch.organiser)
    assert (left["left_on"], left["left_reason"], left["rated_here"]) == (BEFORE, "moved", False)
    assert (came["joined_on"], came["post"], came["rated_here"]) == (BEFORE, None, True)
    ended = [each["ends_on"] for each in office.get("/appointments?limit=200").body["items"] if each["staff_no"] == branch.organiser]
    assert ended == ["2024-12-15"]


def test_a_move_to_the_same_branch_to_no_branch_or_on_a_later_day_is_refused(office: Client, branch: Cast, other: Cast) -> None:
    assert moves(office, branch.member, branch).status == 409
    nowhere = office.post(f"/people/{branch.member}/move", {"branch": "X999", "on": TODAY})
    assert (nowhere.status, list(nowhere.body["errors"])) == (422, ["branch"])
    assert list(moves(office, branch.member, other, "2024-12-21").body["errors"]) == ["on"]
    assert line(office, branch, branch.member)["left_on"] is None


def test_after_the_ballot_the_branch_that_held_it_rates(house: House, office: Client, branch: Cast, other: Cast) -> None:
    balloted(house, branch)
    balloted(house, other)
    moves(office, branch.member, other)
    assert line(office, branch, branch.member)["rated_here"]
    assert not line(office, other, branch.member)["rated_here"]
    rating = {"staff_no": branch.member, "level": "qualified", "opinion": "合格"}
    assert house.as_(other.secretary).post(f"{other.path}/ratings", rating).status == 422
    assert house.as_(branch.secretary).post(f"{branch.path}/ratings", rating).status == 201


def test_a_branch_that_files_takes_nobody_from_the_one_that_rates_them(house: House, office: Client, branch: Cast, other: Cast) -> None:
    balloted(house, branch)
    moves(office, branch.member, other)
    with transaction(house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, other.code), Stage.FILED)
    assert office.post(f"/people/{branch.newcomer}/leave", {"on": BEFORE, "reason": "graduated"}).status == 200
    assert line(office, branch, branch.member)["rated_here"]
    assert not line(office, other, branch.member)["rated_here"]


def test_who_has_moved_reads_and_acknowledges_in_the_former_branch_what_is_theirs(house: House, office: Client, branch: Cast, other: Cast) -> None:
    balloted(house, branch)
    moves(office, branch.member, other)
    secretary = house.as_(branch.secretary)
    for who in (branch.member, branch.newcomer):
        rating = {"staff_no": who, "level": "qualified", "opinion": "合格"}
        assert secretary.post(f"{branch.path}/ratings", rating).status == 201
        assert secretary.post(f"{branch.path}/ratings/{who}/feedback", {"given_on": TODAY, "way": "face"}).status == 200
    member = house.as_(branch.member)
    here = f"{branch.path}/ratings"
    assert [row["staff_no"] for row in member.get(here).body["items"]] == [branch.member]
    assert member.post(f"{here}/{branch.member}/acknowledge", {"remark": "同意"}).status == 200
    assert member.get(f"{here}/{branch.newcomer}").status == 404
    assert {member.get(f"{branch.path}/{what}").status for what in ("roll", "measures", "checklist")} <= {403, 404}
    assert member.post(f"{branch.path}/self-reviews", {"staff_no": branch.member, "aspects": {}}).status == 404
    assert house.as_(other.member).get(here).status == 404, "they were never there"


def test_the_office_may_say_otherwise_on_either_roll_and_one_alone_counts(house: House, office: Client, branch: Cast, other: Cast) -> None:
    balloted(house, branch)
    moves(office, branch.member, other)
    here = f"{other.path}/roll/{branch.member}"
    assert office.patch(here, {"rated_here": True}, seen=office.get(here).etag).body["rated_here"]
    assert not line(office, branch, branch.member)["rated_here"]
    there = f"{branch.path}/roll/{branch.member}"
    assert office.patch(there, {"rated_here": True}, seen=office.get(there).etag).status == 200
    assert not line(office, other, branch.member)["rated_here"]


def test_a_member_who_moves_after_the_report_is_counted_where_they_were_reported(house: House, office: Client, branch: Cast, other: Cast) -> None:
    def counted() -> list[int]:
        totals = office.get(f"{YEAR}/totals", **{"Cache-Control": "no-cache"}).body
        return [totals["basics"][name] for name in ("total", "due")]

    before = counted()
    with transaction(house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, other.code, lock=Lock.MOVE), Stage.FILED)
    moves(office, other.member, branch)
    assert counted() == before
    assert [line(office, each, other.member)["rated_here"] for each in (branch, other)] == [False, True]
    told = [row for row in office.get(f"{YEAR}/exceptions?clause=D3&limit=200").body["items"] if row["requirement"] == "members_on_two_rolls"]
    assert {row["branch"]["code"] for row in told if other.member in {each["id"] for each in row["subjects"]}} == {branch.code, other.code}


def test_what_was_recorded_of_somebody_counts_in_the_new_branch(house: House, office: Client, branch: Cast, other: Cast) -> None:
    aspects = {f"A{n}": "已对照检查" for n in range(1, 7)}
    review = {"staff_no": branch.member, "aspects": aspects, "level": "qualified", "submitted": True}
    assert house.as_(branch.member).post(f"{branch.path}/self-reviews", review).status == 201
    talk = {"held_on": TODAY, "talker": branch.secretary, "partner": branch.member}
    assert house.as_(branch.secretary).post(f"{branch.path}/talks", talk).status == 201
    moves(office, branch.member, other)
    moves(office, branch.newcomer, other)

    def lacking(stage: str, requirement: str) -> set[str]:
        rows = office.get(f"{other.path}/requirements?stage={stage}").body["items"]
        return {subject["id"] for row in rows if row["requirement"] == requirement for subject in row["subjects"]}

    for stage, name in (("self_review", "members_without_a_self_review"), ("talks", "members_nobody_talked_with")):
        missing = lacking(stage, name)
        assert branch.newcomer in missing
        assert branch.member not in missing


# ── gone ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_was_rated_stays_in_the_figures_after_leaving_with_the_reason(house: House, office: Client, branch: Cast) -> None:
    balloted(house, branch)
    secretary = house.as_(branch.secretary)
    secretary.post(f"{branch.path}/ratings", {"staff_no": branch.member, "level": "unqualified", "opinion": "不合格"})
    before = office.get(f"{branch.path}/form").body["levels"]
    left = office.post(f"/people/{branch.member}/leave", {"on": BEFORE, "reason": "expelled"})
    assert (left.body["branch"], left.body["left_on"], left.body["left_reason"]) == (None, BEFORE, "expelled")
    row = line(office, branch, branch.member)
    assert (row["left_on"], row["left_reason"], row["rated_here"]) == (BEFORE, "expelled", True)
    assert office.get(f"{branch.path}/form").body["levels"] == before
    office.post(f"/people/{branch.newcomer}/leave", {"on": BEFORE, "reason": "graduated"})
    after = office.get(f"{branch.path}/form").body["levels"]
    assert (after["unqualified"], after["total"]) == (1, before["total"] - 1)


def test_leaving_twice_in_the_future_or_to_another_branch_is_refused(office: Client, branch: Cast) -> None:
    gone = f"/people/{branch.member}/leave"
    assert list(office.post(gone, {"on": "2024-12-21", "reason": "died"}).body["errors"]) == ["on"]
    assert list(office.post(gone, {"on": TODAY, "reason": "moved"}).body["errors"]) == ["reason"]
    assert office.post(gone, {"on": TODAY, "reason": "died"}).status == 200
    assert office.post(gone, {"on": TODAY, "reason": "died"}).status == 409


def test_the_office_says_why_of_somebody_whom_the_roster_took_out(house: House, office: Client, branch: Cast) -> None:
    with transaction(house.engine, actor="cli") as session:
        gone = person(session, branch.member)
        gone.branch_id, gone.left_on = None, NOW.date()
        rolls_follow(session, now=NOW)
    assert (line(office, branch, branch.member)["left_on"], line(office, branch, branch.member)["left_reason"]) == (TODAY, None)
    said = office.post(f"/people/{branch.member}/leave", {"on": BEFORE, "reason": "transferred"})
    assert (said.status, said.body["left_reason"]) == (200, "transferred")
    assert (line(office, branch, branch.member)["left_on"], line(office, branch, branch.member)["left_reason"]) == (BEFORE, "transferred")


# ── a new number ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_number_keeps_account_records_reasons_and_rolls(house: House, office: Client, branch: Cast) -> None:
    secretary, member = house.as_(branch.secretary), house.as_(branch.member)
    reason = {"requirement": "members_nobody_talked_with", "subjects": [branch.member], "reason": "长期在外实习"}
    waiver = secretary.post(f"{branch.path}/waivers", reason).body
    review = member.post(f"{branch.path}/self-reviews", {"staff_no": branch.member, "aspects": {"A1": "坚定"}}).body
    new = f"{branch.code}w"
    assert office.post(f"/people/{branch.member}/renumber", {"to": branch.newcomer}).status == 409
    assert office.post(f"/people/{branch.member}/renumber", {"to": new}).body["staff_no"] == new
    assert office.get(f"{branch.path}/roll/{branch.member}").status == 404
    assert line(office, branch, new)["staff_no"] == new
    kept = member.get(f"{branch.path}/self-reviews/{review['id']}").body
    assert (kept["staff_no"], kept["recorded_by"]) == (new, new)
    subjects = secretary.get(f"{branch.path}/waivers/{waiver['id']}").body["subjects"]
    assert [each["id"] for each in subjects] == [new]
    assert member.get("/me").body["staff_no"] == new


# ── punished ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_punishment_stands_on_the_person_and_follows_to_the_next_branch(office: Client, branch: Cast, other: Cast) -> None:
    probation = {"kind": "probation", "on": "2024-06-01", "until": "2025-05-31"}
    made = office.post(f"/people/{branch.member}/punishments", probation)
    assert (made.status, made.body["until"]) == (201, "2025-05-31")
    row = line(office, branch, branch.member)
    assert (row["voting"], row["punished_on"]) == (False, "2024-06-01")
    moves(office, branch.member, other)
    assert line(office, other, branch.member)["voting"] is False
    taken = office.post(f"/people/{branch.member}/punishments/{made.body['id']}/withdraw", {"reason": "登记错人"})
    assert taken.body["withdrawn"]
    assert (line(office, other, branch.member)["voting"], line(office, other, branch.member)["punished_on"]) == (True, None)
    assert office.post(f"/people/{branch.newcomer}/punishments/{made.body['id']}/withdraw", {"reason": "x"}).status == 404


def test_a_warning_keeps_the_vote_and_a_day_to_come_or_an_end_before_it_is_refused(office: Client, branch: Cast) -> None:
    address = f"/people/{branch.member}/punishments"
    assert list(office.post(address, {"kind": "warning", "on": "2024-12-21"}).body["errors"]) == ["on"]
    assert list(office.post(address, {"kind": "warning", "on": TODAY, "until": BEFORE}).body["errors"]) == ["until"]
    office.post(address, {"kind": "warning", "on": TODAY})
    assert (line(office, branch, branch.member)["voting"], line(office, branch, branch.member)["punished_on"]) == (True, TODAY)


def test_the_roll_line_itself_takes_no_punishment_any_more(office: Client, branch: Cast) -> None:
    here = f"{branch.path}/roll/{branch.member}"
    for name, value in (("voting", False), ("punished_on", TODAY)):
        assert list(office.patch(here, {name: value}, seen=office.get(here).etag).body["errors"]) == [name]


# ── the step of each day ──────────────────────────────────────────────────────────────────────────────────────────────


def step(house: House, now: datetime) -> bool:
    with transaction(house.engine, actor="worker") as session:
        return bring_rolls_to_today(session, now)


def test_a_post_of_a_later_day_reaches_the_roll_that_morning(house: House, office: Client, branch: Cast) -> None:
    step(house, NOW)
    held = {each["staff_no"]: each["id"] for each in office.get("/appointments?limit=200").body["items"] if each["branch"] == branch.code}
    ends = {"ends_on": "2024-12-24"}
    assert office.post(f"/appointments/{held[branch.secretary]}/end", ends).status == 200
    body = {"staff_no": branch.newcomer, "branch": branch.code, "post": "secretary", "starts_on": "2024-12-25"}
    assert office.post("/appointments", body).status == 201
    assert office.get(branch.path).body["secretary"]["staff_no"] == branch.secretary
    since = office.get(f"{YEAR}/progress", **{"Cache-Control": "no-cache"}).body["cursor"]
    # The worker stood still for a day: the next one makes it up.
    house.clock.now = NOW + timedelta(days=6)
    tick(house.engine, Settings(smtp_url="smtp://127.0.0.1:9", base_url="https://zhibu.example.edu.cn"), house.clock.now)
    assert office.get(branch.path).body["secretary"]["staff_no"] == branch.newcomer
    changed = [row["branch"]["code"] for row in office.get(f"{YEAR}/branches?changed_since={since}").body["items"]]
    assert branch.code in changed
    assert not step(house, house.clock.now + timedelta(hours=1))


def test_the_letters_of_that_morning_go_to_the_new_secretary(house: House, office: Client, branch: Cast) -> None:
    step(house, NOW)
    new = {"staff_no": branch.newcomer, "branch": branch.code, "post": "secretary", "starts_on": "2024-12-30", "succeeds": True}
    assert office.post("/appointments", new).status == 201
    house.clock.now = NOW + timedelta(days=10)
    tick(house.engine, Settings(smtp_url="smtp://127.0.0.1:9", base_url="https://zhibu.example.edu.cn"), house.clock.now)
    letters = office.get(f"{YEAR}/letters?branch={branch.code}&limit=200").body["items"]
    assert {row["staff_no"] for row in letters} & {branch.secretary, branch.newcomer} == {branch.newcomer}


def test_a_vote_comes_back_the_day_after_the_punishment_ends(house: House, office: Client, branch: Cast) -> None:
    step(house, NOW)
    office.post(f"/people/{branch.member}/punishments", {"kind": "probation", "on": "2024-06-01", "until": "2025-01-02"})
    for days, voting in ((13, False), (14, True)):
        step(house, NOW + timedelta(days=days))
        assert line(office, branch, branch.member)["voting"] is voting
