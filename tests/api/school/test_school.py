"""Moves over HTTP, and the school's views of them.

They are /next, /requirements, /progress, /branches, /exceptions, days and extensions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.conftest import Client, Reply
from tests.support.builders import DEADLINES, NOW, READING
from tests.support.records.evidence import all_after_the_talks
from tests.support.servers import YEAR, Cast, House
from workflow.appraisal import MOVES
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import STAGES, Kind, Stage
from workflow.year.finding import Lock, process_of

UNMET = {"clause", "requirement", "stage", "severity", "message", "sentence", "count", "subjects", "waivable", "link", "href"}
FRESH = {"Cache-Control": "no-cache"}
"""A header for a poll after one's own move: it may be half a second old otherwise."""
WORKING = ("study", "talks", "self_review", "rating", "rectification", "report")


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> Iterator[None]:
    house.clock.now = NOW
    yield
    house.clock.now = NOW


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def secretary(house: House, branch: Cast) -> Client:
    return house.as_(branch.secretary)


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


def move(client: Client, branch: Cast, trigger: str, **body: Any) -> Reply:
    """Read, then move with the version that was read, as a client does."""
    return client.post(f"{branch.path}/moves", {"trigger": trigger, **body}, seen=client.get(branch.path).etag)


def study(client: Client, branch: Cast) -> None:
    body = {"held_on": "2024-12-19", "titles": list(READING), "present": branch.everybody, "exchange": "交流了体会"}
    assert client.post(f"{branch.path}/study-sessions", body).status == 201


def talk_with_all(client: Client, branch: Cast) -> None:
    leaders = (branch.secretary, branch.deputy, branch.organiser, branch.publicist)
    pairs = [(a, b) for number, a in enumerate(leaders) for b in leaders[number + 1 :]]
    for talker, partner in (*pairs, (branch.secretary, branch.member), (branch.organiser, branch.newcomer)):
        body = {"held_on": "2024-12-19", "talker": talker, "partner": partner, "focus": True, "focus_reason": "新任"}
        assert client.post(f"{branch.path}/talks", body).status == 201


def bring_to(client: Client, branch: Cast, stage: str) -> None:
    study(client, branch)
    talk_with_all(client, branch)
    record_the_rest(client, branch)
    while (here := client.get(branch.path).body["stage"]) != stage:
        moved = move(client, branch, "file" if here == "report" else "advance")
        assert moved.status == 201, moved.body


def record_the_rest(client: Client, branch: Cast) -> None:
    """Record ahead all that the later stages ask for."""
    with transaction(client.http.application.extensions["zhibu"].engine, actor="cli") as session:
        all_after_the_talks(session, process_of(session, 2024, branch.code, lock=Lock.EVIDENCE))


def progress_agrees(office: Client, day: str = "2024-12-20") -> Any:
    """Check that the counts agree with the rows."""
    seen, rows = office.get(f"{YEAR}/progress", **FRESH).body, office.get(f"{YEAR}/branches?limit=200").body["items"]
    by_stage = Counter(row["stage"] for row in rows)
    assert seen["by_stage"] == {stage.value: by_stage[stage.value] for stage in STAGES[Kind.APPRAISAL]}
    assert seen["branches"] == len(rows)
    assert seen["overdue"] == sum(row["overdue"] for row in rows)
    assert seen["returned"] == sum(row["round"] > 1 and row["stage"] in WORKING for row in rows)
    assert seen["late"] == sum(row["late"] for row in rows)
    soon = datetime.fromisoformat(day).date()
    days = [(datetime.fromisoformat(row["due_on"]).date() - soon).days for row in rows if row["due_on"]]
    assert seen["due_soon"] == sum(0 <= day <= 7 for day in days)
    assert seen["overdue"] == sum(day < 0 for day in days)
    return seen


# ── what comes next ───────────────────────────────────────────────────────────────────────────────────────────────────


def declared(stage: str) -> list[tuple[str, str]]:
    return sorted((each.trigger.value, each.target.value) for each in MOVES if each.source == stage)


def test_next_lists_every_declared_move_for_everyone_and_allows_those_that_are_his(
    house: House, branch: Cast, secretary: Client, office: Client
) -> None:
    for stage in (*WORKING, "filed"):
        if stage != "study":
            bring_to(secretary, branch, stage) if stage == "talks" else move(secretary, branch, "file" if stage == "filed" else "advance")
        mine, theirs = (client.get(f"{branch.path}/next").body["items"] for client in (secretary, office))
        for items in (mine, theirs):
            assert sorted((item["trigger"], item["to"]) for item in items) == declared(stage)
            assert all(item.keys() == {"trigger", "to", "allowed", "unmet", "signs"} for item in items)
        assert [(item["unmet"], item["signs"]) for item in mine] == [(item["unmet"], item["signs"]) for item in theirs]
        of_office = {"accept", "return", "reopen"}
        assert all(item["allowed"] == (item["trigger"] in of_office) for item in theirs)
        assert all(item["allowed"] == (item["trigger"] not in of_office and not item["unmet"]) for item in mine)
        assert not any(item["allowed"] for item in house.as_("auditor").get(f"{branch.path}/next").body["items"])
        assert not any(item["allowed"] for item in house.as_(branch.organiser).get(f"{branch.path}/next").body["items"])


def test_a_refusal_lists_all_that_blocks_as_next_told_it_before(house: House, branch: Cast, secretary: Client) -> None:
    before = house.state()
    refused = move(secretary, branch, "advance")
    assert refused.status == 409
    assert refused.body["type"].endswith("requirements-unmet")
    assert house.state() == before
    unmet = refused.body["unmet"]
    told = next(item for item in secretary.get(f"{branch.path}/next").body["items"] if item["trigger"] == "advance")
    assert unmet == told["unmet"]
    assert told["allowed"] is False
    assert [each["clause"] for each in unmet] == ["E1", "E3", "E4"]
    for each in unmet:
        assert each.keys() == UNMET
        assert each["severity"] in ("hard", "soft")
        assert each["count"] == len(each["subjects"])
        assert all(subject.keys() == {"id", "name"} for subject in each["subjects"])
        assert each["href"].startswith(f"/api/v1{branch.path}/")
        assert secretary.get(each["href"].removeprefix("/api/v1")).status == 200
        assert each["sentence"]
        assert all(subject["name"] in each["message"] for subject in each["subjects"])
    assert "重点学习《中国共产党纪律处分条例》" in unmet[1]["sentence"]


def test_the_checklist_tells_each_requirement_as_met_unmet_or_waived(branch: Cast, secretary: Client) -> None:
    given = secretary.post(f"{branch.path}/waivers", {"requirement": "members_who_have_not_studied", "reason": "长期在外"})
    items = secretary.get(f"{branch.path}/requirements").body["items"]
    assert {item["clause"]: item["state"] for item in items} == {"E1": "unmet", "E3": "unmet", "E4": "waived"}
    assert all(item.keys() == UNMET | {"state", "waivers"} for item in items)
    assert [row["id"] for row in items[-1]["waivers"]] == [given.body["id"]]
    study(secretary, branch)
    assert {item["state"] for item in secretary.get(f"{branch.path}/requirements").body["items"]} == {"met"}
    talks = secretary.get(f"{branch.path}/requirements?stage=talks").body["items"]
    assert {"K1", "K2", "K6", "K3", "K5", "K7"} == {item["clause"] for item in talks}


# ── moves ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pair_is_waived_with_a_reason_and_the_branch_advances(house: House, branch: Cast, secretary: Client, office: Client) -> None:
    bring_to(secretary, branch, "talks")
    talk = secretary.get(f"{branch.path}/talks").body["items"][0]
    pair = ":".join(sorted((talk["talker"], talk["partner"])))
    assert secretary.post(f"{branch.path}/talks/{talk['id']}/withdraw", {"reason": "日期有误"}).status == 200
    refused = move(secretary, branch, "advance")
    assert [(each["clause"], [subject["id"] for subject in each["subjects"]]) for each in refused.body["unmet"]] == [("K1", [pair])]
    before = house.state()
    waiver = {"requirement": "committee_pairs_without_a_talk", "reason": "一方在国外访学"}
    assert secretary.post(f"{branch.path}/waivers", waiver).status == 422
    assert secretary.post(f"{branch.path}/waivers", {**waiver, "subjects": ["a:b"]}).status == 422
    assert secretary.post(f"{branch.path}/waivers", {**waiver, "requirement": "no_study_with_exchange"}).status == 422
    assert secretary.post(f"{branch.path}/waivers", {**waiver, "requirement": "nothing_of_the_kind"}).status == 422
    assert house.state() == before
    given = secretary.post(f"{branch.path}/waivers", {**waiver, "subjects": [pair]})
    assert given.status == 201, given.body
    assert office.post(f"{branch.path}/waivers/{given.body['id']}/approve").status == 409
    assert move(secretary, branch, "advance").body["stage"] == "self_review"
    progress_agrees(office)


def test_a_branch_goes_the_whole_way_and_back(branch: Cast, secretary: Client, office: Client) -> None:
    bring_to(secretary, branch, "report")
    progress_agrees(office)
    assert move(office, branch, "accept").status == 409
    filed = move(secretary, branch, "file")
    assert (filed.status, filed.body["stage"], filed.body["late"]) == (201, "filed", False)
    assert secretary.get(branch.path).body["due_on"] is None
    assert progress_agrees(office)["by_stage"]["filed"] >= 1
    assert move(secretary, branch, "withdraw").status == 422
    assert move(secretary, branch, "withdraw", reason="数字有误").body["stage"] == "report"
    assert move(secretary, branch, "step_back", reason="补整改").status == 422
    assert move(secretary, branch, "step_back", to="filed", reason="补整改").status == 422
    assert move(secretary, branch, "step_back", to="rectification", reason="补整改").body["stage"] == "rectification"
    assert secretary.get(branch.path).body["round"] == 1
    progress_agrees(office)
    move(secretary, branch, "advance")
    move(secretary, branch, "file")
    assert move(office, branch, "accept").body["stage"] == "accepted"
    assert move(secretary, branch, "withdraw", reason="数字有误").status == 409
    progress_agrees(office)
    reopened = move(office, branch, "reopen", to="rating", reason="评定有误")
    assert (reopened.body["stage"], reopened.body["round"]) == ("rating", 2)
    progress_agrees(office)
    made = secretary.get(f"{branch.path}/moves").body["items"]
    assert [each["version"] for each in made] == list(range(2, len(made) + 2))
    assert [each["trigger"] for each in made[-4:]] == ["advance", "file", "accept", "reopen"]
    assert {each["by"] for each in made} == {branch.secretary, "office"}


def test_the_office_returns_a_branch_with_a_new_day(house: House, branch: Cast, secretary: Client, office: Client) -> None:
    bring_to(secretary, branch, "self_review")
    assert move(secretary, branch, "return", to="study", reason="材料不全").status == 403
    house.clock.now = datetime(2024, 12, 26, 2, 0, tzinfo=UTC)
    before = house.state()
    refused = move(office, branch, "return", to="study", reason="材料不全")
    assert (refused.status, refused.body["errors"].keys()) == (422, {"due_on"})
    assert move(office, branch, "return", to="study").body["errors"].keys() == {"due_on", "reason"}
    assert house.state() == before
    returned = move(office, branch, "return", to="study", reason="材料不全", due_on="2025-01-03")
    assert (returned.status, returned.body["round"], returned.body["due_on"]) == (201, 2, "2025-01-03")
    assert progress_agrees(office, "2024-12-26")["returned"] >= 1
    move(secretary, branch, "advance")
    row = secretary.get(branch.path).body
    assert (row["stage"], row["due_on"]) == ("talks", "2025-01-03"), "the day is that of the whole round"


def test_a_move_with_what_was_seen_before_says_what_changed_since(branch: Cast, secretary: Client, office: Client) -> None:
    bring_to(secretary, branch, "talks")
    office.post(f"{branch.path}/extensions", {"stage": "talks", "due_on": "2025-01-05", "reason": "外出实践"})
    stale = secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=1)
    assert stale.status == 412
    assert stale.body["version"] == 3
    assert [change.get("trigger") or change.get("extension") for change in stale.body["changed"]] == ["advance", "talks"]
    assert {change["by"] for change in stale.body["changed"]} == {branch.secretary, "office"}


# ── days ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_branch_is_overdue_from_the_midnight_after_its_day_and_files_late(house: House, branch: Cast, secretary: Client, office: Client) -> None:
    house.clock.now = datetime(2024, 12, 25, 15, 59, 59, tzinfo=UTC)
    before = secretary.get(branch.path)
    assert before.body["overdue"] is False
    progress_agrees(office, "2024-12-25")
    house.clock.now = datetime(2024, 12, 25, 16, 0, tzinfo=UTC)
    assert secretary.get(branch.path).body["overdue"] is True
    assert secretary("GET", branch.path, **{"If-None-Match": before.etag}).status == 200
    assert branch.code in [row["branch"]["code"] for row in office.get(f"{YEAR}/branches?overdue=true&limit=200").body["items"]]
    progress_agrees(office, "2024-12-26")
    house.clock.now = datetime(2025, 1, 27, 2, 0, tzinfo=UTC)
    bring_to(secretary, branch, "filed")
    assert secretary.get(branch.path).body["late"] is True
    progress_agrees(office, "2025-01-27")


def test_an_extension_moves_one_branchs_day_and_no_other(house: House, branch: Cast, secretary: Client, office: Client) -> None:
    other = house.a_branch()
    before = house.state()
    body = {"stage": "study", "due_on": "2025-01-02", "reason": "外出实践"}
    assert secretary.post(f"{branch.path}/extensions", body).status == 403
    assert office.post(f"{branch.path}/extensions", {**body, "due_on": "2024-12-25"}).status == 422
    assert office.post(f"{branch.path}/extensions", {**body, "stage": "filed"}).status == 422
    assert office.post(f"{branch.path}/extensions", {**body, "reason": None}).status == 422
    assert house.state() == before
    given = office.post(f"{branch.path}/extensions", body)
    assert given.status == 201
    assert (secretary.get(branch.path).body["due_on"], secretary.get(branch.path).etag) == ("2025-01-02", '"2"')
    assert office.get(other.path).body["due_on"] == DEADLINES[Stage.STUDY].isoformat()
    progress_agrees(office)


def test_the_office_changes_the_days_of_the_year(house: House, branch: Cast, office: Client) -> None:
    seen = office.get(YEAR)
    before = house.state()
    assert office("PATCH", YEAR, {"deadlines": {"study": "2024-12-27"}}).status == 428
    assert office.patch(YEAR, {"deadlines": {"study": "2024-12-27"}}, seen='"99"').status == 412
    refused = office.patch(YEAR, {"deadlines": {"study": "2025-02-27"}}, seen=seen.etag)
    assert (refused.status, [*refused.body["errors"]]) == (422, ["deadlines.talks"])
    assert office.patch(YEAR, {"deadlines": {"filed": "2025-02-27"}}, seen=seen.etag).status == 422
    assert house.state() == before
    changed = office.patch(YEAR, {"deadlines": {"study": "2024-12-27"}}, seen=seen.etag)
    assert (changed.status, changed.body["deadlines"]["study"], changed.body["deadlines"]["report"]) == (200, "2024-12-27", "2025-01-26")
    assert changed.etag != seen.etag
    row = office.get(branch.path)
    assert (row.body["due_on"], row.etag) == ("2024-12-27", '"1"')
    progress_agrees(office)
    assert office.patch(YEAR, {"deadlines": {"study": "2024-12-25"}}, seen=changed.etag).status == 200


# ── the poll ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", [f"{YEAR}/progress", f"{YEAR}/branches"])
def test_a_poll_that_brings_nothing_new_is_answered_in_one_line(house: House, branch: Cast, secretary: Client, office: Client, path: str) -> None:
    first = office.get(path, **FRESH)
    again = office("GET", path, **{"If-None-Match": first.etag})
    assert (again.status, again.body, again.etag) == (304, None, first.etag)
    study(secretary, branch)
    assert office("GET", path, **{"If-None-Match": first.etag, **FRESH}).status == 304
    assert move(secretary, branch, "advance").status == 201
    changed = office("GET", path, **{"If-None-Match": first.etag, **FRESH})
    assert changed.status == 200
    assert changed.etag != first.etag


def test_equal_tags_mean_equal_bodies(house: House, branch: Cast, office: Client) -> None:
    house.clock.now = datetime(2025, 2, 10, 2, 0, tzinfo=UTC)
    first = office.get(f"{YEAR}/progress", **FRESH)
    house.clock.now = datetime(2025, 2, 10, 3, 0, tzinfo=UTC)
    assert office.post(f"{branch.path}/extensions", {"stage": "report", "due_on": "2025-03-01", "reason": "外出"}).status == 201
    second = office.get(f"{YEAR}/progress", **FRESH)
    assert (second.etag == first.etag) == (second.body == first.body)


def test_the_rows_are_filtered_by_stage_unit_and_words(house: House, branch: Cast, secretary: Client, office: Client) -> None:
    bring_to(secretary, branch, "rating")

    def codes(query: str) -> list[str]:
        return [row["branch"]["code"] for row in office.get(f"{YEAR}/branches?limit=200&{query}").body["items"]]

    assert codes(f"q={branch.code}") == [branch.code]
    assert branch.code in codes("stage=rating")
    assert branch.code not in codes("stage=study")
    assert codes("unit=D01") == codes("unit=D01党委") == ["D0101"]
    assert codes("q=%25") == []
    row = office.get(f"{YEAR}/branches?q={branch.code}").body["items"][0]
    assert row == office.get(branch.path).body
    assert row.keys() == {*("cycle", "kind", "branch", "stage", "round", "version", "entered_at", "due_on", "overdue", "late", "ended", "secretary")}


def test_the_exceptions_are_the_gates_own_rows(house: House, branch: Cast, secretary: Client, office: Client) -> None:
    rows = [row for row in office.get(f"{YEAR}/exceptions?clause=E4&limit=200").body["items"] if row["branch"]["code"] == branch.code]
    assert len(rows) == 1
    assert rows[0].keys() == UNMET | {"kind", "cycle", "branch", "due_on"}
    told = next(each for each in move(secretary, branch, "advance").body["unmet"] if each["clause"] == "E4")
    assert {name: rows[0][name] for name in UNMET} == told
    assert office.get(f"{YEAR}/exceptions?clause=Z9").body["items"] == []
    assert {row["branch"]["unit"] for row in office.get(f"{YEAR}/exceptions?unit=D01").body["items"]} == {"D01党委"}
