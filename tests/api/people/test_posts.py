"""Posts in a branch over time: one secretary, what is planned, and a roster beside both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.api.frame.test_races import until_waiting
from tests.support.builders import NOW, TODAY
from tests.support.imports import a_school_of, applied, upload
from tests.support.rosters import RosterBranch, a_roster, a_workbook, committee_rows, member_rows
from tests.support.servers import YEAR, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Post
from workflow.roster.posts import appoint

FIRST = RosterBranch("D0101", "一支部", ("张三", "李四", "王五", "冯二"), {"张三": "书记"})
SECOND = RosterBranch("D0102", "二支部", ("赵六", "钱七", "孙八", "郑一"), {"赵六": "书记"})
SCHOOL = (FIRST, SECOND)
NUMBERS = {name: f"2024{n:04d}" for n, name in enumerate((*FIRST.members, *SECOND.members), 1)}
DAY = timedelta(days=1)


@pytest.fixture
def house(superuser: str, template: str) -> Iterator[House]:
    with a_school_of(superuser, template, SCHOOL) as school:
        yield school


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


def body(name: str, post: str, starts_on: date, **more: object) -> dict[str, object]:
    branch = FIRST if name in FIRST.members else SECOND
    return {"staff_no": NUMBERS[name], "branch": branch.code, "post": post, "starts_on": starts_on.isoformat(), **more}


def posts(office: Client, code: str) -> list[tuple[str, str, str, str | None]]:
    rows = office.get("/appointments?limit=200").body["items"]
    return [(row["name"], row["post"], row["starts_on"], row["ends_on"]) for row in rows if row["branch"] == code]


def secretary(office: Client, code: str = "D0101") -> Any:
    return office.get(f"{YEAR}/branches/{code}").body["secretary"]


def on(day: date) -> str:
    return day.isoformat()


def renumbered(branches: Sequence[RosterBranch]) -> bytes:
    """Make the roster with the 学工号 of the school."""
    members, committee = member_rows(branches), committee_rows(branches)
    for row in (*members, *committee):
        row["学工号"] = NUMBERS[str(row["姓名"])]
    return a_workbook(members, committee)


# ── one secretary ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_secretary_is_refused_by_the_name_of_the_one_in_office(house: House, office: Client) -> None:
    before = house.state()
    for starts_on in (TODAY, TODAY + 5 * DAY):
        refused = office.post("/appointments", body("李四", "secretary", starts_on))
        assert refused.status == 409
        assert "已有书记张三（自 2024-12-20 起任职）" in refused.body["detail"]
    assert house.state() == before
    assert secretary(office)["name"] == "张三"


def test_a_successor_ends_the_former_the_day_before(office: Client) -> None:
    assert office.post("/appointments", body("李四", "secretary", TODAY, succeeds=True)).status == 201
    assert posts(office, "D0101") == [("张三", "secretary", on(TODAY), on(TODAY - DAY)), ("李四", "secretary", on(TODAY), None)]
    assert secretary(office)["name"] == "李四"
    roles = {name: office_of(office, name) for name in ("张三", "李四")}
    assert roles == {"张三": None, "李四": "secretary"}


def office_of(office: Client, name: str) -> str | None:
    post: str | None = office.get(f"{YEAR}/branches/D0101/roll/{NUMBERS[name]}").body["post"]
    return post


def test_of_two_who_are_appointed_at_once_one_is_secretary(house: House, office: Client) -> None:
    with ThreadPoolExecutor(1) as pool:
        with transaction(house.engine, actor="office") as session:
            first = {"staff_no": NUMBERS["李四"], "branch": "D0101", "post": Post.SECRETARY, "starts_on": TODAY, "succeeds": True}
            appoint(session, first, now=NOW)
            late = pool.submit(office.post, "/appointments", body("王五", "secretary", TODAY, succeeds=True))
            until_waiting(house.engine, 1)
        assert late.result().status == 201
    assert [row[0] for row in posts(office, "D0101") if row[3] is None] == ["王五"]


def test_after_the_former_has_ended_nobody_need_succeed(office: Client) -> None:
    first = office.get("/appointments").body["items"]
    held = next(row["id"] for row in first if row["name"] == "张三")
    assert office.post(f"/appointments/{held}/end", {"ends_on": on(TODAY + 4 * DAY)}).status == 200
    assert office.post("/appointments", body("李四", "secretary", TODAY + 4 * DAY)).status == 409
    assert office.post("/appointments", body("李四", "secretary", TODAY + 5 * DAY)).status == 201


def test_one_who_is_planned_for_later_must_be_ended_first(office: Client) -> None:
    assert office.post("/appointments", body("李四", "secretary", TODAY + 9 * DAY, succeeds=True)).status == 201
    for succeeds in (True, False):
        refused = office.post("/appointments", body("王五", "secretary", TODAY + 2 * DAY, succeeds=succeeds))
        assert (refused.status, "李四" in refused.body["detail"] or "张三" in refused.body["detail"]) == (409, True)
    planned = next(row["id"] for row in office.get("/appointments").body["items"] if row["name"] == "李四")
    assert office.post(f"/appointments/{planned}/end", {"ends_on": on(TODAY + 8 * DAY)}).status == 200, "it never begins"
    assert office.post("/appointments", body("王五", "secretary", TODAY + 2 * DAY, succeeds=True)).status == 201


@pytest.mark.parametrize("post", [{"post": "deputy"}, {"post": None, "branch": None, "role": "auditor"}])
def test_only_a_secretary_succeeds_another(office: Client, post: dict[str, Any]) -> None:
    refused = office.post("/appointments", {**body("李四", "deputy", TODAY, succeeds=True), **post})
    assert (refused.status, list(refused.body["errors"])) == (422, ["succeeds"])


def test_a_post_with_a_planned_end_is_not_given_a_second_time_before_it(office: Client) -> None:
    given = office.post("/appointments", body("李四", "deputy", TODAY)).body["id"]
    assert office.post(f"/appointments/{given}/end", {"ends_on": on(TODAY + 4 * DAY)}).status == 200
    assert office.post("/appointments", body("李四", "deputy", TODAY + DAY)).status == 409
    assert office.post("/appointments", body("李四", "deputy", TODAY + 5 * DAY)).status == 201


# ── planned, and a roster is imported ─────────────────────────────────────────────────────────────────────────────────


def test_the_preview_names_each_post_that_is_given_and_ended(office: Client) -> None:
    assert office.post("/appointments", body("钱七", "deputy", TODAY)).status == 201
    named = RosterBranch("D0101", "一支部", FIRST.members, {"张三": "书记", "李四": "副书记"})
    summary = upload(office, a_roster((named, SECOND))).body["summary"]
    given = {"staff_no": NUMBERS["李四"], "name": "李四", "branch": "D0101", "post": "deputy", "title": "副书记", "starts_on": on(TODAY)}
    ended = {"staff_no": NUMBERS["钱七"], "name": "钱七", "branch": "D0102", "post": "deputy", "title": None, "ends_on": on(TODAY - DAY)}
    assert (summary["given"], summary["ended"], summary["posts_given"], summary["posts_ended"]) == ([given], [ended], 1, 1)


def test_a_planned_post_stays_planned_and_stops_no_roster(house: House, office: Client) -> None:
    assert office.post("/appointments", body("钱七", "deputy", TODAY + 20 * DAY)).status == 201
    before = posts(office, "D0102")
    done = applied(office, a_roster(SCHOOL))
    assert (done.status, done.body["changed"]["given"], done.body["changed"]["ended"]) == (200, [], [])
    assert posts(office, "D0102") == before
    house.clock.now = NOW + 21 * DAY
    assert "secretary" in house.as_(NUMBERS["钱七"]).get("/me").body["branches"][0]["roles"]


def test_a_post_that_the_roster_has_already_and_the_office_has_planned_is_given_once(office: Client) -> None:
    assert office.post("/appointments", body("钱七", "deputy", TODAY + 20 * DAY)).status == 201
    named = RosterBranch("D0102", "二支部", SECOND.members, {"赵六": "书记", "钱七": "副书记"})
    assert applied(office, a_roster((FIRST, named))).body["changed"]["given"] == []
    assert [row for row in posts(office, "D0102") if row[0] == "钱七"] == [("钱七", "deputy", on(TODAY + 20 * DAY), None)]


def test_a_planned_end_stays_planned(office: Client) -> None:
    held = next(row["id"] for row in office.get("/appointments").body["items"] if row["name"] == "赵六")
    assert office.post(f"/appointments/{held}/end", {"ends_on": on(TODAY + 30 * DAY)}).status == 200
    for branches in (SCHOOL, (FIRST, RosterBranch("D0102", "二支部", SECOND.members, {}))):
        done = applied(office, a_roster(branches))
        assert (done.status, done.body["changed"]["given"], done.body["changed"]["ended"]) == (200, [], [])
    assert posts(office, "D0102") == [("赵六", "secretary", on(TODAY), on(TODAY + 30 * DAY))]


def test_the_rosters_secretary_follows_a_planned_end(office: Client) -> None:
    held = next(row["id"] for row in office.get("/appointments").body["items"] if row["name"] == "赵六")
    assert office.post(f"/appointments/{held}/end", {"ends_on": on(TODAY + 30 * DAY)}).status == 200
    after = RosterBranch("D0102", "二支部", SECOND.members, {"钱七": "书记"})
    assert applied(office, a_roster((FIRST, after))).status == 200
    assert posts(office, "D0102") == [
        ("赵六", "secretary", on(TODAY), on(TODAY + 30 * DAY)),
        ("钱七", "secretary", on(TODAY + 31 * DAY), None),
    ]


def test_a_planned_successor_stands_against_another_name_on_the_roster(office: Client) -> None:
    assert office.post("/appointments", body("李四", "secretary", TODAY + 5 * DAY, succeeds=True)).status == 201
    before = posts(office, "D0101")
    other = RosterBranch("D0101", "一支部", FIRST.members, {"王五": "书记"})
    preview = upload(office, a_roster((other, SECOND))).body
    assert [(each["severity"], "已安排李四自 2024-12-25 起任书记" in each["message"]) for each in preview["problems"]] == [("warning", True)]
    assert office.post(f"/roster-imports/{preview['id']}/apply").status == 200
    assert posts(office, "D0101") == before


def test_whoever_leaves_the_branch_keeps_no_post_in_it_planned_or_not(office: Client) -> None:
    assert office.post("/appointments", body("李四", "secretary", TODAY + 5 * DAY, succeeds=True)).status == 201
    moved = (
        RosterBranch("D0101", "一支部", ("张三", "王五", "冯二"), {"张三": "书记"}),
        RosterBranch("D0102", "二支部", (*SECOND.members, "李四"), SECOND.posts),
    )
    preview = upload(office, renumbered(moved))
    assert [row["name"] for row in preview.body["summary"]["moved"]] == ["李四"]
    assert [(row["name"], row["ends_on"]) for row in preview.body["summary"]["ended"]] == [("李四", on(TODAY + 4 * DAY))]
    assert office.post(f"/roster-imports/{preview.body['id']}/apply").status == 200


def test_a_former_secretary_acts_until_their_last_day_and_the_successor_from_the_next(house: House, office: Client) -> None:
    assert office.post("/appointments", body("李四", "secretary", TODAY + 5 * DAY, succeeds=True)).status == 201
    for after, roles in ((4, ("secretary", None)), (5, (None, "secretary"))):
        house.clock.now = NOW + after * DAY
        held = tuple(
            next((role for role in house.as_(NUMBERS[name]).get("/me").body["branches"][0]["roles"] if role == "secretary"), None)
            for name in ("张三", "李四")
        )
        assert held == roles
