"""Ratings, feedback, quota, patterns, aftercare over HTTP: access, fields, and two at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import update

from tests.api.conftest import Client
from tests.support.records.rating import a_counted_ballot
from tests.support.servers import Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.cycle import Process
from workflow.year.finding import process_of

RECORD = {"id", "version", "recorded_by", "recorded_at", "withdrawn", "rejected"}
SENT = {"staff_no", "level", "not_rated_reason", "opinion", "reason"}
BESIDE = {"feedback", "acknowledged", "tally", "facts", "self_level"}
TOLD = {"given_on": "2024-12-20", "way": "face"}
LONG = "长" * 100_000


def a_branch(house: House, *, voters: int | None = None, counted: bool = True) -> Cast:
    """Add one more branch, with a counted ballot on the members."""
    cast = house.a_branch()
    if counted:
        with transaction(house.engine, actor="cli") as session:
            process = process_of(session, 2024, cast.code)
            votes = {cast.member: {"excellent": (voters or 6) - 2, "basic": 1, "abstain": 1}}
            a_counted_ballot(session, process, votes, voters=voters)
    return cast


@pytest.fixture
def branch(house: House) -> Cast:
    return a_branch(house)


def stand_at(house: House, cast: Cast, stage: Stage) -> None:
    with transaction(house.engine, actor="cli") as session:
        session.execute(update(Process).where(Process.id == process_of(session, 2024, cast.code).id).values(stage=stage))


def a_rating(cast: Cast, who: str, level: str = "qualified", **fields: Any) -> dict[str, Any]:
    return {"staff_no": who, "level": level, "opinion": f"<{who}>", **fields}


def rated(house: House, cast: Cast, who: str, level: str = "qualified", *, told: bool = False) -> str:
    """Record a rating and give its address; ``told`` tells it to its member."""
    secretary, path = house.as_(cast.secretary), f"{cast.path}/ratings/{who}"
    made = secretary.post(f"{cast.path}/ratings", a_rating(cast, who, level))
    assert made.status == 201, made.body
    if told:
        assert secretary.post(f"{path}/feedback", TOLD).status == 200
    return path


# ── the record ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rating_is_made_and_found_by_the_number_of_its_member(house: House, branch: Cast) -> None:
    secretary = house.as_(branch.secretary)
    made = secretary.post(f"{branch.path}/ratings", a_rating(branch, branch.member, reason="说明"))
    assert (made.status, made.etag, made.headers["Location"]) == (201, '"1"', f"/api/v1{branch.path}/ratings/{branch.member}")
    assert made.body.keys() == SENT | BESIDE | RECORD
    assert (made.body["level"], made.body["reason"], made.body["feedback"], made.body["acknowledged"]) == ("qualified", "说明", None, None)
    found = secretary.get(f"{branch.path}/ratings/{branch.member}")
    assert (found.status, found.body, found.etag) == (200, made.body, '"1"')
    assert secretary.get(f"{branch.path}/ratings").body == {"items": [made.body], "next": None}
    assert secretary.get(f"{branch.path}/ratings/{branch.newcomer}").status == 404


def test_before_the_ballot_is_counted_nobody_is_rated(house: House) -> None:
    cast = a_branch(house, counted=False)
    refused = house.as_(cast.secretary).post(f"{cast.path}/ratings", a_rating(cast, cast.member))
    assert (refused.status, refused.body["type"]) == (409, "/docs/problems#tally-first")
    assert "D2" in refused.body["detail"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"level": "qualified", "not_rated_reason": "病休"}, {"level", "not_rated_reason"}),
        ({"level": "good"}, {"level"}),
        ({"staff_no": "z6"}, {"staff_no"}),
        ({"staff_no": None}, {"staff_no"}),
        ({"opinion": LONG}, {"opinion"}),
        ({"reason": LONG}, {"reason"}),
        ({"not_rated_reason": LONG, "level": None}, {"not_rated_reason"}),
        ({"feedback": {}}, {"feedback"}),
        ({"level_set_at": "2024-12-20"}, {"level_set_at"}),
    ],
    ids=lambda value: str(sorted(value)),
)
def test_what_is_wrong_is_said_by_field(house: House, branch: Cast, body: dict[str, Any], fields: set[str]) -> None:
    secretary, before = house.as_(branch.secretary), house.state()
    refused = secretary.post(f"{branch.path}/ratings", {**a_rating(branch, branch.member), **body})
    assert (refused.status, set(refused.body["errors"])) == (422, fields)
    assert house.state() == before


def test_a_second_rating_is_refused_also_when_two_come_at_once(house: House, branch: Cast) -> None:
    clients = [house.as_(branch.secretary), house.as_(branch.deputy)]
    barrier = Barrier(2)

    def post(client: Client) -> Any:
        barrier.wait()
        return client.post(f"{branch.path}/ratings", a_rating(branch, branch.member))

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(post, clients))
    assert sorted(answer.status for answer in answers) == [201, 409]
    assert {answer.body.get("type") for answer in answers} == {None, "/docs/problems#exists"}
    assert clients[0].post(f"{branch.path}/ratings", a_rating(branch, branch.member)).body["type"] == "/docs/problems#exists"


def test_a_correction_wants_the_tag_and_tells_what_changed(house: House, branch: Cast) -> None:
    path, secretary = rated(house, branch, branch.member, told=True), house.as_(branch.secretary)
    assert secretary.patch(path, {"level": "basic"}).status == 428
    stale = secretary.patch(path, {"level": "basic"}, seen=1)
    assert (stale.status, stale.body["version"]) == (412, 2)
    assert stale.body["changed"][0]["fields"] == ["feedback_on", "feedback_way"]
    changed = secretary.patch(path, {"level": "basic"}, seen=2)
    assert (changed.status, changed.etag, changed.body["level"], changed.body["feedback"]) == (200, '"3"', "basic", None)
    history = house.as_("auditor").get(f"{branch.path}/history?limit=200").body["items"][-1]
    assert (history["what"], history["old"]["level"], history["new"]["level"]) == ("rating", "qualified", "basic")


def test_one_that_was_taken_back_is_still_found_until_another_stands(house: House, branch: Cast) -> None:
    path, secretary, office = rated(house, branch, branch.member), house.as_(branch.secretary), house.as_("office")
    assert secretary.post(f"{path}/reject", {"reason": "有误"}).status == 403
    assert office.post(f"{path}/reject", {"reason": "有误"}).body["rejected"]["by"] == "office"
    assert secretary.get(path).body["rejected"]["reason"] == "有误"
    assert secretary.post(f"{path}/withdraw", {"reason": "有误"}).status == 409
    assert secretary.patch(path, {"level": "basic"}, seen=2).status == 409
    again = secretary.post(f"{branch.path}/ratings", a_rating(branch, branch.member, "basic"))
    assert again.status == 201
    assert secretary.get(path).body == again.body
    assert len(secretary.get(f"{branch.path}/ratings").body["items"]) == 2
    assert secretary.post(f"{path}/withdraw", {"reason": "重复"}).body["withdrawn"]["by"] == branch.secretary
    assert secretary.get(path).body["id"] == again.body["id"]


def test_the_stage_closes_it_but_not_the_acknowledgement(house: House, branch: Cast) -> None:
    path, secretary = rated(house, branch, branch.member, told=True), house.as_(branch.secretary)
    stand_at(house, branch, Stage.FILED)
    for refused in (
        secretary.post(f"{branch.path}/ratings", a_rating(branch, branch.newcomer)),
        secretary.patch(path, {"opinion": "x"}, seen=2),
        secretary.post(f"{path}/feedback", TOLD),
        secretary.post(f"{path}/withdraw", {"reason": "x"}),
        secretary.post(f"{branch.path}/help-plans", {"staff_no": branch.member}),
        secretary.post(f"{branch.path}/disposition-cases", {"staff_no": branch.member, "proposed_on": "2024-12-20"}),
    ):
        assert (refused.status, refused.body["type"]) == (409, "/docs/problems#stage-closed")
    assert house.as_(branch.member).post(f"{path}/acknowledge", {"remark": "同意"}).status == 200


# ── feedback and acknowledgement ──────────────────────────────────────────────────────────────────────────────────────


def test_feedback_says_when_and_how(house: House, branch: Cast) -> None:
    path, secretary = rated(house, branch, branch.member), house.as_(branch.secretary)
    assert set(secretary.post(f"{path}/feedback").body["errors"]) == {"given_on", "way"}
    assert set(secretary.post(f"{path}/feedback", {**TOLD, "given_on": "2024-12-21"}).body["errors"]) == {"given_on"}
    assert set(secretary.post(f"{path}/feedback", {**TOLD, "way": "phone"}).body["errors"]) == {"way"}
    told = secretary.post(f"{path}/feedback", TOLD)
    assert (told.status, told.body["feedback"], told.etag) == (200, TOLD, '"2"')
    assert house.as_(branch.organiser).post(f"{path}/feedback", TOLD).status == 403


def test_the_member_acknowledges_his_own_once_he_was_told(house: House, branch: Cast) -> None:
    path, member = rated(house, branch, branch.member), house.as_(branch.member)
    assert member.post(f"{path}/acknowledge").status == 409
    assert house.as_(branch.secretary).post(f"{path}/feedback", TOLD).status == 200
    assert member.post(f"{path}/acknowledge", {"remark": LONG}).status == 422
    assert {who: house.as_(getattr(branch, who)).post(f"{path}/acknowledge").status for who in ("secretary", "deputy", "organiser", "newcomer")} == {
        "secretary": 403,
        "deputy": 403,
        "organiser": 403,
        "newcomer": 404,
    }
    assert house.as_("office").post(f"{path}/acknowledge").status == 403
    done = member.post(f"{path}/acknowledge", {"remark": "同意，继续努力"})
    assert (done.status, done.body["acknowledged"]) == (200, {"at": "2024-12-20T02:00:00Z", "remark": "同意，继续努力"})
    assert member.post(f"{path}/acknowledge").status == 409
    own = rated(house, branch, branch.secretary, told=True)
    assert house.as_(branch.secretary).post(f"{own}/acknowledge").body["acknowledged"]["remark"] is None


def test_who_stands_in_for_the_secretary_acknowledges_as_himself(house: House, branch: Cast) -> None:
    stands_in = {"substitute": branch.member, "starts_on": "2024-12-20", "ends_on": "2024-12-25"}
    path = rated(house, branch, branch.member, told=True)
    assert house.as_(branch.secretary).post("/substitutes", stands_in).status == 201
    member = house.as_(branch.member)
    assert member.post(f"{path}/acknowledge").status == 200
    assert member.post(f"{branch.path}/ratings", a_rating(branch, branch.newcomer)).status == 201
    rows = house.as_("auditor").get(f"{branch.path}/history?limit=200").body["items"][-2:]
    assert [(row["by"], row["on_behalf_of"]) for row in rows] == [(branch.member, None), (branch.member, branch.secretary)]


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_reader_knows_of_his_ratings_and_no_other(house: House, branch: Cast) -> None:
    told, untold = rated(house, branch, branch.member, told=True), rated(house, branch, branch.newcomer)
    for who in (branch.secretary, branch.deputy, branch.organiser, "office", "committee", "auditor"):
        client = house.as_(who)
        assert (client.get(told).status, client.get(untold).status, len(client.get(f"{branch.path}/ratings").body["items"])) == (200, 200, 2)
    member, newcomer = house.as_(branch.member), house.as_(branch.newcomer)
    assert (member.get(told).status, member.get(untold).status) == (200, 404)
    assert (newcomer.get(told).status, newcomer.get(untold).status) == (404, 404)
    assert [item["staff_no"] for item in member.get(f"{branch.path}/ratings").body["items"]] == [branch.member]
    assert newcomer.get(f"{branch.path}/ratings").body["items"] == []
    assert house.as_("administrator").get(told).status == 403
    assert house.as_("赵六").get(told).status == 404


def test_only_secretary_and_deputy_rate_and_see_who_is_in_a_pattern(house: House, branch: Cast) -> None:
    for who, status in {"secretary": 201, "deputy": 201, "organiser": 403, "member": 403}.items():
        made = house.as_(getattr(branch, who)).post(f"{branch.path}/ratings", a_rating(branch, getattr(branch, who), "excellent"))
        assert made.status == status, who
    for who, status in {
        branch.secretary: 200,
        branch.deputy: 200,
        branch.organiser: 403,
        branch.member: 403,
        "office": 403,
        "committee": 403,
        "auditor": 403,
    }.items():
        assert house.as_(who).get(f"{branch.path}/ratings/patterns").status == status, who
    found = house.as_(branch.secretary).get(f"{branch.path}/ratings/patterns").body
    people = [{"staff_no": each, "name": each, "level": "excellent", "most": []} for each in sorted((branch.deputy, branch.secretary))]
    assert found == {"items": [{"pattern": "far", "name": "等次高于民主测评中多数人的意见", "people": people}]}


def test_the_checklist_names_nobody_of_a_pattern(house: House, branch: Cast) -> None:
    for who in branch.everybody:
        rated(house, branch, who, "excellent")
    for reader in (branch.organiser, "office"):
        rows = house.as_(reader).get(f"{branch.path}/requirements?stage=rating").body["items"]
        row = next(each for each in rows if each["clause"] == "D4")
        assert [subject["id"] for subject in row["subjects"]] == ["far", "same"]
        assert not [who for who in branch.everybody if who in str(row)]


@pytest.mark.parametrize(("voters", "counts"), [(9, False), (10, True)])
def test_below_ten_raters_the_branch_reads_bands_and_the_member_nothing(house: House, voters: int, counts: bool) -> None:
    cast = a_branch(house, voters=voters)
    path = rated(house, cast, cast.member, told=True)
    exact = {"excellent": voters - 2, "qualified": 0, "basic": 1, "unqualified": 0, "abstain": 1}
    bands = {"excellent": "三分之二以上", "qualified": "未过半数", "basic": "未过半数", "unqualified": "未过半数", "abstain": "未过半数"}
    seen = {who: house.as_(who).get(path).body["tally"] for who in (cast.secretary, cast.organiser, cast.member, "office", "auditor")}
    assert seen == {
        cast.secretary: exact if counts else bands,
        cast.organiser: exact if counts else bands,
        cast.member: None,
        "office": exact,
        "auditor": exact,
    }


def test_attendance_and_self_review_stand_beside_it(house: House, branch: Cast) -> None:
    secretary = house.as_(branch.secretary)
    for present in ([branch.member, branch.secretary], [branch.secretary]):
        assert secretary.post(f"{branch.path}/study-sessions", {"held_on": "2024-12-19", "present": present}).status == 201
    path = rated(house, branch, branch.member)
    assert secretary.get(path).body["facts"] == {"studies": 2, "studied": 1, "made_up": 0, "meetings": 0, "attended": 0}
    assert secretary.get(path).body["self_level"] is None


# ── the quota ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_quota_is_read_by_who_reads_the_branch_and_a_number_is_approved_by_the_office(house: House, branch: Cast) -> None:
    for who in branch.everybody:
        rated(house, branch, who, "excellent" if who in (branch.secretary, branch.deputy) else "qualified")
    path, secretary, office = f"{branch.path}/ratings/quota", house.as_(branch.secretary), house.as_("office")
    rule = {
        "ratio": "1/4",
        "base": "rated",
        "base_count": 6,
        "rounding": "down",
        "at_least_one": False,
        "never": False,
        "allowed": 1,
        "at_last": 1,
        "excellent": 2,
        "over": 1,
    }
    assert secretary.get(path).body == {**rule, "approved": None}
    waiver = secretary.post(f"{branch.path}/waivers", {"requirement": "more_excellent_than_the_quota", "reason": "工作突出"})
    assert (waiver.status, waiver.body["needs_approval"], waiver.body["amount"]) == (201, True, 2)
    assert secretary.get(path).body["approved"] is None
    assert office.post(f"{branch.path}/waivers/{waiver.body['id']}/approve").status == 200
    assert house.as_(branch.organiser).get(path).body == {**rule, "approved": 2}
    assert {who: house.as_(who).get(path).status for who in (branch.member, "office", "auditor", "administrator")} == {
        branch.member: 403,
        "office": 200,
        "auditor": 200,
        "administrator": 403,
    }


# ── aftercare ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_help_plan_is_entered_whole_or_in_parts_and_looked_at_again(house: House, branch: Cast) -> None:
    secretary = house.as_(branch.secretary)
    made = secretary.post(f"{branch.path}/help-plans", {"staff_no": branch.member})
    assert (made.status, made.body["helper"], made.body["review_on"], made.body["reviews"]) == (201, None, None, [])
    path = f"{branch.path}/help-plans/{made.body['id']}"
    whole = secretary.patch(path, {"helper": branch.deputy, "first_step": "每月谈心", "review_on": "2025-03-31"}, seen=1)
    assert (whole.body["helper"], whole.body["first_step"], whole.body["review_on"]) == (branch.deputy, "每月谈心", "2025-03-31")
    assert secretary.post(f"{branch.path}/help-plans", {"staff_no": branch.member}).body["type"] == "/docs/problems#exists"
    assert set(secretary.patch(path, {"helper": branch.member}, seen=2).body["errors"]) == {"helper"}
    assert secretary.patch(path, {"first_step": LONG}, seen=2).status == 422
    seen = secretary.post(f"{path}/reviews", {"on": "2024-12-20", "note": "有进步"})
    assert (seen.status, seen.headers["Location"]) == (201, f"/api/v1{path}")
    assert secretary.post(f"{path}/reviews", {"on": "2024-12-21"}).status == 422
    assert [each["note"] for each in secretary.get(path).body["reviews"]] == ["有进步"]


def test_a_disposition_case_shows_the_whole_checklist(house: House, branch: Cast) -> None:
    secretary = house.as_(branch.secretary)
    body = {"staff_no": branch.member, "signs": [1, 3], "facts": "无故缺席", "proposed_on": "2024-12-19"}
    for wrong in ({"signs": [4]}, {"signs": [1, 1]}, {"signs": [True]}, {"facts": LONG}, {"proposed_on": None}, {"proposed_on": "2024-12-21"}):
        refused = secretary.post(f"{branch.path}/disposition-cases", {**body, **wrong})
        assert {field.partition(".")[0] for field in refused.body["errors"]} == set(wrong)
    made = secretary.post(f"{branch.path}/disposition-cases", body)
    assert (made.status, {name: made.body[name] for name in body}) == (201, body)
    steps = ["proposal", "superior_filing", "investigation", "talk", "general_meeting", "approval", "told"]
    assert [(each["step"], each["on"]) for each in made.body["steps"]] == [("proposal", "2024-12-19"), *((step, None) for step in steps[1:])]
    path = f"{branch.path}/disposition-cases/{made.body['id']}"
    taken = secretary.post(f"{path}/steps", {"step": "superior_filing", "on": "2024-12-20", "note": "报学院党委"})
    assert (taken.status, taken.body["on"], taken.headers["Location"]) == (201, "2024-12-20", f"/api/v1{path}")
    assert secretary.post(f"{path}/steps", {"step": "superior_filing", "on": "2024-12-20"}).body["type"] == "/docs/problems#exists"
    assert set(secretary.post(f"{path}/steps", {"step": "told", "on": "2024-12-18"}).body["errors"]) == {"on"}
    assert set(secretary.post(f"{path}/steps", {"step": "expel", "on": "2024-12-20"}).body["errors"]) == {"step"}
    shown = {each["step"]: each["on"] for each in secretary.get(path).body["steps"]}
    assert {step: on for step, on in shown.items() if on} == {"proposal": "2024-12-19", "superior_filing": "2024-12-20"}
    assert secretary.post(f"{branch.path}/disposition-cases", body).status == 409


@pytest.mark.parametrize("name", ["help-plans", "disposition-cases"])
def test_aftercare_is_read_by_who_reads_the_branch_and_written_by_secretary_and_deputy(house: House, branch: Cast, name: str) -> None:
    body = {"staff_no": branch.member} if name == "help-plans" else {"staff_no": branch.member, "proposed_on": "2024-12-19"}
    written = {who: house.as_(getattr(branch, who)).post(f"{branch.path}/{name}", body).status for who in ("member", "organiser", "deputy")}
    assert written == {"member": 403, "organiser": 403, "deputy": 201}
    read = {
        who: house.as_(who).get(f"{branch.path}/{name}").status for who in (branch.member, branch.organiser, "office", "auditor", "administrator")
    }
    assert read == {branch.member: 403, branch.organiser: 200, "office": 200, "auditor": 200, "administrator": 403}
    assert house.as_("赵六").get(f"{branch.path}/{name}").status == 404


@pytest.mark.parametrize("name", ["help-plans", "disposition-cases"])
def test_two_at_once_open_one_plan_and_one_case(house: House, branch: Cast, name: str) -> None:
    body = {"staff_no": branch.member} if name == "help-plans" else {"staff_no": branch.member, "proposed_on": "2024-12-19"}
    barrier, clients = Barrier(2), [house.as_(branch.secretary), house.as_(branch.deputy)]

    def post(client: Client) -> int:
        barrier.wait()
        return client.post(f"{branch.path}/{name}", body).status

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(post, clients)) == [201, 409]


def test_follow_through_goes_on_after_the_branch_has_filed(house: House, branch: Cast) -> None:
    secretary = house.as_(branch.secretary)
    plan = secretary.post(f"{branch.path}/help-plans", {"staff_no": branch.member}).body["id"]
    case = secretary.post(f"{branch.path}/disposition-cases", {"staff_no": branch.newcomer, "proposed_on": "2024-12-19"}).body["id"]
    stand_at(house, branch, Stage.ACCEPTED)
    assert secretary.post(f"{branch.path}/help-plans/{plan}/reviews", {"on": "2024-12-20"}).status == 201
    assert (
        secretary.post(f"{branch.path}/disposition-cases/{case}/steps", {"step": "approval", "on": "2024-12-20", "why_without": "补录"}).status == 201
    )
