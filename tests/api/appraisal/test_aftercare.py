"""Aftercare (帮扶、处置、承诺、移交) over HTTP: the procedure in order, ends, progress, handing over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from tests.api.appraisal.test_rectification import a_measure, a_problem, made, publish, stands_at
from tests.api.conftest import Client
from tests.support.builders import NOW, person
from tests.support.records.evidence import stand_at
from tests.support.records.rating import a_counted_ballot
from tests.support.records.rectification import the_year_after
from tests.support.servers import Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage, Standing
from workflow.year.finding import cycle_by_year, process_of
from workflow.year.opening import close_cycle
from workflow.year.roll import participant

CASE: Mapping[str, Any] = {"signs": [1], "facts": "两次无故不参加", "proposed_on": "2024-12-19"}
ORDER = ("superior_filing", "investigation", "talk", "general_meeting", "approval", "told")
DAY = "2024-12-20"
CARRIED_OVER = ("help_plans", "cases", "commitments")


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def secretary(house: House, branch: Cast) -> Client:
    return house.as_(branch.secretary)


@pytest.fixture
def case(secretary: Client, branch: Cast) -> str:
    """The address of a case of the member."""
    row = made(secretary, f"{branch.path}/disposition-cases", {"staff_no": branch.member, **CASE})
    return f"{branch.path}/disposition-cases/{row['id']}"


def later(house: House, **time: int) -> None:
    house.clock.now += timedelta(**time)


@pytest.fixture(autouse=True)
def at_the_usual_time(house: House) -> Iterator[None]:
    yield
    house.clock.now = NOW


def steps(secretary: Client, branch: Cast, case: str, last: str, **decision: Any) -> None:
    """Record every step up to this one, each whole."""
    whole = {
        "talk": {"talkers": [branch.secretary, branch.organiser]},
        "general_meeting": {"vote": {"yes": 4, "no": 1}, "statement": "愿意改正", **decision},
        "approval": {"number": "校党组〔2024〕3号"},
    }
    for step in ORDER[: ORDER.index(last) + 1]:
        made(secretary, f"{case}/steps", {"step": step, "on": DAY, **whole.get(step, {})})


# ── the procedure ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("step", "before"),
    [
        ("investigation", ["superior_filing"]),
        ("talk", ["superior_filing", "investigation"]),
        ("approval", ["superior_filing", "investigation", "talk", "general_meeting"]),
    ],
)
def test_a_step_without_the_one_before_is_refused_and_names_it(house: House, secretary: Client, case: str, step: str, before: list[str]) -> None:
    held = house.state()
    refused = secretary.post(f"{case}/steps", {"step": step, "on": DAY})
    assert (refused.status, refused.body["type"], refused.body["missing"]) == (409, "/docs/problems#conflict", before)
    assert "报上级党组织预审" in refused.body["detail"]
    assert house.state() == held
    taken = secretary.post(f"{case}/steps", {"step": step, "on": DAY, "why_without": "已由学院党委直接办理"})
    assert (taken.status, taken.body["why_without"]) == (201, "已由学院党委直接办理")


def test_the_first_step_waits_for_the_facts(secretary: Client, branch: Cast) -> None:
    row = made(secretary, f"{branch.path}/disposition-cases", {"staff_no": branch.newcomer, "proposed_on": "2024-12-19"})
    path = f"{branch.path}/disposition-cases/{row['id']}"
    refused = secretary.post(f"{path}/steps", {"step": "superior_filing", "on": DAY})
    assert (refused.status, refused.body["missing"]) == (409, ["proposal"])
    assert secretary.patch(path, {"signs": [2], "facts": "有事实"}, seen=1).status == 200
    assert secretary.post(f"{path}/steps", {"step": "superior_filing", "on": DAY}).status == 201


def test_the_whole_procedure_is_taken_and_told(secretary: Client, branch: Cast, case: str) -> None:
    steps(secretary, branch, case, "told", measure="correction")
    shown = {each["step"]: each for each in secretary.get(case).body["steps"]}
    assert list(shown) == ["proposal", *ORDER]
    assert shown["talk"]["talkers"] == [branch.secretary, branch.organiser]
    meeting = shown["general_meeting"]
    assert (meeting["vote"], meeting["statement"], meeting["measure"]) == ({"yes": 4, "no": 1, "abstain": 0}, "愿意改正", "correction")
    assert meeting["until"] == "2025-06-20", "six months as the plan says, for nobody named a day"
    assert shown["approval"]["number"] == "校党组〔2024〕3号"
    assert secretary.get(f"{branch.path}/requirements?stage=rating").status == 200


@pytest.mark.parametrize(
    ("step", "fields", "wrong"),
    [
        ("talk", {"talkers": ["member"]}, "talkers"),
        ("talk", {"talkers": ["newcomer"]}, "talkers"),
        ("talk", {"talkers": ["nobody"]}, "talkers"),
        ("investigation", {"talkers": ["secretary"]}, "talkers"),
        ("general_meeting", {"vote": {"yes": 7}}, "vote"),
        ("talk", {"vote": {"yes": 1}}, "vote"),
        ("talk", {"measure": "removal"}, "measure"),
        ("general_meeting", {"measure": "expel"}, "measure"),
        ("general_meeting", {"measure": "removal", "until": "2025-06-20"}, "until"),
        ("general_meeting", {"measure": "correction", "until": "2025-12-21"}, "until"),
        ("general_meeting", {"measure": "correction", "until": DAY}, "until"),
    ],
)
def test_wrong_contents_of_a_step_are_named(
    house: House, secretary: Client, branch: Cast, case: str, step: str, fields: dict[str, Any], wrong: str
) -> None:
    with transaction(house.engine, actor="cli") as session:
        participant(session, process_of(session, 2024, branch.code).id, branch.newcomer).standing = Standing.PROBATIONARY
    if "talkers" in fields:
        fields = {"talkers": [getattr(branch, who, who) for who in fields["talkers"]]}
    refused = secretary.post(f"{case}/steps", {"step": step, "on": DAY, "why_without": "补录", **fields})
    assert (refused.status, {name.partition(".")[0] for name in refused.body["errors"]}) == (422, {wrong})


def test_the_longest_correction_is_taken_and_a_wrong_step_is_corrected(secretary: Client, branch: Cast, case: str) -> None:
    steps(secretary, branch, case, "general_meeting", measure="correction", until="2025-12-20")
    seen = secretary.get(case).etag
    path = f"{case}/steps/general_meeting"
    assert secretary.patch(path, {"measure": "removal"}).status == 428
    corrected = secretary.patch(path, {"measure": "removal", "vote": {"yes": 5}}, seen=seen)
    assert corrected.status == 200, corrected.body
    meeting = next(each for each in corrected.body["steps"] if each["step"] == "general_meeting")
    assert (meeting["measure"], meeting["until"], meeting["vote"]["yes"]) == ("removal", None, 5)
    assert secretary.patch(path, {"statement": "不服"}, seen=seen).status == 412
    assert set(secretary.patch(path, {"on": "2024-12-18"}, seen=corrected.etag).body["errors"]) == {"on"}
    assert secretary.patch(f"{case}/steps/told", {"on": DAY}, seen=corrected.etag).status == 404
    assert secretary.patch(f"{case}/steps/no-such", {"on": DAY}, seen=corrected.etag).status == 404
    old = [row["old"] for row in secretary.get(f"{branch.path}/history").body["items"] if row["what"] == "disposition_step" and row["old"]]
    assert {"measure": "correction", "until": "2025-12-20", "vote_yes": 4, "vote_no": 1}.items() <= old[-1].items()


def test_a_step_that_was_not_taken_is_withdrawn_and_taken_again(secretary: Client, branch: Cast, case: str) -> None:
    steps(secretary, branch, case, "investigation")
    refused = secretary.post(f"{case}/steps/superior_filing/withdraw", {"reason": "没有报"})
    assert (refused.status, "调查核实" in refused.body["detail"]) == (409, True)
    gone = secretary.post(f"{case}/steps/investigation/withdraw", {"reason": "没有调查"})
    assert (gone.status, {each["step"]: each["on"] for each in gone.body["steps"]}["investigation"]) == (200, None)
    assert secretary.post(f"{case}/steps", {"step": "talk", "on": DAY}).body["missing"] == ["investigation"]
    assert secretary.post(f"{case}/steps", {"step": "investigation", "on": DAY}).status == 201


def test_a_case_goes_on_after_filing_and_the_year_and_ends_with_a_result(house: House, secretary: Client, branch: Cast, case: str) -> None:
    stands_at(house, branch, Stage.ACCEPTED)
    steps(secretary, branch, case, "told", measure="correction")
    for wrong in ({"on": "2024-12-21", "result": "已改正"}, {"on": "2024-12-18", "result": "已改正"}, {"on": DAY}):
        assert secretary.post(f"{case}/end", wrong).status == 422
    ended = secretary.post(f"{case}/end", {"on": DAY, "result": "已改正"})
    assert (ended.status, ended.body["ended_on"], ended.body["result"]) == (200, DAY, "已改正")
    assert secretary.patch(f"{case}/steps/told", {"note": "当面告知"}, seen=ended.etag).status == 409
    assert secretary.post(f"{case}/end", {"on": DAY, "result": "恢复党员权利"}).body["result"] == "恢复党员权利"


def test_the_form_prints_measure_person_and_term_of_a_case(house: House, secretary: Client, branch: Cast, case: str) -> None:
    steps(secretary, branch, case, "approval", measure="correction", until="2025-03-31")
    with transaction(house.engine, actor="cli") as session:
        a_counted_ballot(session, process_of(session, 2024, branch.code))
    made(secretary, f"{branch.path}/ratings", {"staff_no": branch.member, "level": "unqualified", "opinion": "不起作用"})
    (line,) = secretary.get(f"{branch.path}/form").body["aftercare"]
    assert (line["facts"], line["measure"], line["responsible"], line["due_on"]) == ("两次无故不参加", "限期改正", branch.secretary, "2025-03-31")


# ── help ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_help_is_reviewed_until_it_is_ended_with_a_result(house: House, secretary: Client, branch: Cast) -> None:
    body = {"staff_no": branch.member, "helper": branch.deputy, "first_step": "谈心", "review_on": "2024-12-19"}
    path = f"{branch.path}/help-plans/{made(secretary, f'{branch.path}/help-plans', body)['id']}"
    stands_at(house, branch, Stage.FILED)
    assert set(secretary.post(f"{path}/reviews", {"on": DAY, "next_on": DAY}).body["errors"]) == {"next_on"}
    seen = made(secretary, f"{path}/reviews", {"on": DAY, "note": "有进步", "next_on": "2025-06-30"})
    assert seen["next_on"] == secretary.get(path).body["review_on"] == "2025-06-30"
    assert set(secretary.post(f"{path}/end", {"on": "2024-12-19", "result": "转好"}).body["errors"]) == {"on"}
    ended = secretary.post(f"{path}/end", {"on": DAY, "result": "转好"})
    assert (ended.status, ended.body["ended_on"], ended.body["result"]) == (200, DAY, "转好")
    assert secretary.post(f"{path}/reviews", {"on": DAY}).status == 409
    assert house.as_(branch.organiser).post(f"{path}/end", {"on": DAY, "result": "x"}).status == 403


# ── commitments ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_commitment_is_kept_step_by_step_by_its_member_and_closed_by_the_secretary(house: House, secretary: Client, branch: Cast) -> None:
    body = {"staff_no": branch.member, "problem": "学习不够", "text": "每周自学", "due_on": "2025-06-30"}
    member, at = house.as_(branch.member), f"{branch.path}/commitments"
    row = made(member, at, body)
    assert (row["state"], row["progress"]) == ("open", [])
    path = f"{at}/{row['id']}"
    stands_at(house, branch, Stage.ACCEPTED)
    told = member.post(f"{path}/progress", {"state": "done", "evidence": "笔记一本"})
    assert (told.status, told.headers["Location"]) == (201, f"/api/v1{path}")
    assert member.post(f"{path}/progress", {"state": "closed"}).status == 403
    assert secretary.post(f"{path}/progress", {"state": "closed"}).status == 201
    assert member.post(f"{path}/progress", {"state": "doing"}).status == 403
    shown = member.get(path).body
    assert (shown["state"], [each["state"] for each in shown["progress"]]) == ("closed", ["done", "closed"])
    assert house.as_(branch.newcomer).post(f"{path}/progress", {"state": "done"}).status == 404
    assert house.as_("office").post(f"{path}/progress", {"state": "done"}).status == 403


@pytest.mark.parametrize("name", ["measures", "commitments"])
def test_a_day_in_the_past_is_refused_unless_it_is_meant(house: House, secretary: Client, branch: Cast, name: str) -> None:
    body = {"text": "完善制度", "due_on": "2024-12-19", **({"staff_no": branch.member} if name == "commitments" else {})}
    before = house.state()
    refused = secretary.post(f"{branch.path}/{name}", body)
    assert (refused.status, set(refused.body["errors"])) == (422, {"due_on"})
    assert "past_due_ok" in refused.body["errors"]["due_on"][0]
    assert house.state() == before
    row = made(secretary, f"{branch.path}/{name}", {**body, "past_due_ok": True})
    assert (row["due_on"], "past_due_ok" in row) == ("2024-12-19", False)
    path = f"{branch.path}/{name}/{row['id']}"
    assert secretary.patch(path, {"due_on": "2024-12-18"}, seen=1).status == 422
    assert secretary.patch(path, {"due_on": "2024-12-19", "text": "完善台账"}, seen=1).status == 200, "the day of before stands"
    assert secretary.patch(path, {"due_on": "2024-12-18", "past_due_ok": True}, seen=2).status == 200
    assert secretary.post(f"{branch.path}/{name}", {**body, "due_on": DAY}).status == 201, "today is not past"


# ── what was published or sent, and changed ───────────────────────────────────────────────────────────────────────────


def signs(office: Client, branch: Cast, clause: str, year: int = 2024) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in office.get(f"/cycles/{year}/exceptions?clause={clause}").body["items"]:
        if row["branch"]["code"] == branch.code and row["severity"] == "sign":
            found[row["requirement"]] = [each["id"] for each in row["subjects"]]
    return found


def test_a_measure_changed_after_the_notice_and_the_filing_is_a_sign_until_both_are_done_again(house: House, secretary: Client, branch: Cast) -> None:
    office = house.as_("office")
    stands_at(house, branch, Stage.RECTIFICATION)
    measure = a_measure(secretary, branch, problems=[a_problem(secretary, branch)])
    path = f"{branch.path}/measures/{measure['id']}"
    publish(secretary, branch)
    filing = {"to": "学院党委", "sent_on": DAY}
    made(secretary, f"{branch.path}/rectification-filings", filing)
    names = {"F5": "measures_changed_since_published", "F6": "measures_changed_since_sent_up"}
    assert {clause: names[clause] in signs(office, branch, clause) for clause in names} == {"F5": False, "F6": False}
    later(house, hours=1)
    assert secretary.patch(path, {"text": measure["text"]}, seen=1).status == 200
    passing = a_measure(secretary, branch)
    assert secretary.post(f"{branch.path}/measures/{passing['id']}/withdraw", {"reason": "重复"}).status == 200
    assert signs(office, branch, "F5").get(names["F5"]) is None, "nothing that was shown has changed"
    assert secretary.patch(path, {"due_on": "2025-09-30"}, seen=2).status == 200
    assert {clause: signs(office, branch, clause).get(name) for clause, name in names.items()} == {clause: [str(measure["id"])] for clause in names}
    later(house, hours=1)
    publish(secretary, branch)
    assert (names["F5"] in signs(office, branch, "F5"), names["F6"] in signs(office, branch, "F6")) == (False, True)
    made(secretary, f"{branch.path}/rectification-filings", filing)
    assert names["F6"] not in signs(office, branch, "F6")
    later(house, hours=1)
    assert secretary.post(f"{path}/withdraw", {"reason": "重复"}).status == 200
    assert signs(office, branch, "F5")[names["F5"]] == [str(measure["id"])]


# ── a former secretary ────────────────────────────────────────────────────────────────────────────────────────────────


def another_secretary(house: House, branch: Cast) -> None:
    office = house.as_("office")
    held = next(
        row
        for row in office.get("/appointments?limit=200").body["items"]
        if (row["staff_no"], row["post"], row["ends_on"]) == (branch.secretary, "secretary", None)
    )
    assert office.post(f"/appointments/{held['id']}/end", {"ends_on": "2024-12-19"}).status == 200
    new = {"staff_no": branch.organiser, "branch": branch.code, "post": "secretary", "starts_on": DAY}
    assert office.post("/appointments", new).status == 201


@pytest.mark.parametrize("stage", [Stage.RECTIFICATION, Stage.ACCEPTED])
def test_the_measures_of_a_former_secretary_are_shown_and_handed_over_by_one_act(house: House, branch: Cast, secretary: Client, stage: Stage) -> None:
    first, second = a_measure(secretary, branch), a_measure(secretary, branch, owner=branch.secretary)
    others, closed = a_measure(secretary, branch, owner=branch.member), a_measure(secretary, branch)
    third = a_measure(secretary, branch, owner=branch.newcomer)
    made(secretary, f"{branch.path}/measures/{closed['id']}/progress", {"state": "closed", "evidence": "台账"})
    stands_at(house, branch, stage)
    another_secretary(house, branch)
    office, new = house.as_("office"), house.as_(branch.organiser)
    theirs = sorted(str(row["id"]) for row in (first, second))
    leftover = sorted([*theirs, str(third["id"])])
    with transaction(house.engine, actor="cli") as session:
        participant(session, process_of(session, 2024, branch.code).id, branch.newcomer).left_on = date(2024, 12, 20)
    found = office.get("/cycles/2024/exceptions?clause=F8").body["items"]
    (row,) = (each for each in found if each["branch"]["code"] == branch.code)
    shown = ("sign", theirs) if stage is Stage.ACCEPTED else ("hard", leftover)
    assert (row["severity"], sorted(each["id"] for each in row["subjects"])) == shown
    path = f"{branch.path}/measures/hand-over"
    assert house.as_(branch.member).post(path).status == 403
    done = new.post(path, **{"Idempotency-Key": "hand"})
    assert (done.status, sorted(str(each["id"]) for each in done.body["items"])) == (200, leftover)
    assert {each["owner"] for each in done.body["items"]} == {branch.organiser}
    assert new.post(path, **{"Idempotency-Key": "hand"}).headers["Idempotent-Replayed"] == "true"
    owners = {each["id"]: each["owner"] for each in new.get(f"{branch.path}/measures").body["items"]}
    assert (owners[others["id"]], owners[closed["id"]]) == (branch.member, branch.secretary)
    assert not [each for each in office.get("/cycles/2024/exceptions?clause=F8").body["items"] if each["branch"]["code"] == branch.code]
    assert new.post(path).body["items"] == []


def test_nobody_answers_for_their_own_case(secretary: Client, branch: Cast) -> None:
    cases = f"{branch.path}/disposition-cases"
    refused = secretary.post(cases, {"staff_no": branch.member, "responsible": branch.member, **CASE})
    assert (refused.status, refused.body["errors"]) == (422, {"responsible": ["责任人应为另一名党员"]})
    assert made(secretary, cases, {"staff_no": branch.secretary, **CASE})["responsible"] is None
    row = made(secretary, cases, {"staff_no": branch.member, **CASE})
    assert row["responsible"] == branch.secretary
    assert secretary.patch(f"{cases}/{row['id']}", {"responsible": branch.member}, seen=f'"{row["version"]}"').status == 422


# ── after the year ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_office_sees_what_goes_on_of_a_closed_year_and_the_next_year_what_is_open(
    house: House, secretary: Client, branch: Cast, case: str
) -> None:
    body = {"staff_no": branch.newcomer, "helper": branch.deputy, "first_step": "谈心", "review_on": "2024-12-19"}
    plan = made(secretary, f"{branch.path}/help-plans", body)
    promise = {"staff_no": branch.member, "problem": "学习不够", "text": "每周自学", "due_on": "2024-12-19", "past_due_ok": True}
    promised = made(secretary, f"{branch.path}/commitments", promise)
    with transaction(house.engine, actor="cli") as session:
        process = stand_at(session, process_of(session, 2024, branch.code), Stage.ACCEPTED)
        the_year_after(session, process)
        close_cycle(session, cycle_by_year(session, 2024), leave_open=True, reason="年底前不再进行", now=house.clock())
    office = house.as_("office")
    assert signs(office, branch, "D7") == {"help_waits_for_a_review": [str(plan["id"])]}
    assert signs(office, branch, "F4") == {"commitments_overdue": [str(promised["id"])]}
    assert signs(office, branch, "D8") == {}
    later(house, days=40)
    assert signs(office, branch, "D8") == {"cases_standing_still": [case.rpartition("/")[2]]}
    assert not [row for row in office.get("/cycles/2024/exceptions?limit=200").body["items"] if row["clause"] in ("E1", "K2", "F2")]
    last = secretary.get(f"/cycles/2025/branches/{branch.code}/measures/last-year").body
    assert last["text"] == "党员整改承诺1项，已兑现0项，尚在进行1项。"
    assert last["help_plans"] == [
        {"year": 2024, "staff_no": branch.newcomer, "name": branch.newcomer, "helper": branch.deputy, "review_on": "2024-12-19"}
    ]
    assert last["cases"] == [{"year": 2024, "staff_no": branch.member, "name": branch.member, "waits_for": "报上级党组织预审", "until": None}]
    assert last["commitments"] == [
        {"year": 2024, "staff_no": branch.member, "name": branch.member, "text": "每周自学", "due_on": "2024-12-19", "state": "open"}
    ]
    open_there = {name: last[name] for name in CARRIED_OVER}
    with transaction(house.engine, actor="cli") as session:
        # The old year's roll stands still: it is today's branch that says who is there.
        at_home = {name: person(session, name).branch_id for name in (branch.member, branch.newcomer)}
        for name in at_home:
            person(session, name).branch_id = None
    assert (signs(office, branch, "D7"), signs(office, branch, "F4"), signs(office, branch, "D8")) == ({}, {}, {}), "they have gone"
    answer = secretary.get(f"/cycles/2025/branches/{branch.code}/measures/last-year").body
    assert {name: answer[name] for name in CARRIED_OVER} == {name: [] for name in CARRIED_OVER}
    with transaction(house.engine, actor="cli") as session:
        for name, branch_id in at_home.items():
            person(session, name).branch_id = branch_id
    assert {name: secretary.get(f"/cycles/2025/branches/{branch.code}/measures/last-year").body[name] for name in CARRIED_OVER} == open_there
    assert secretary.post(f"{branch.path}/help-plans/{plan['id']}/end", {"on": "2025-01-20", "result": "转好"}).status == 200
    assert made(secretary, f"{branch.path}/commitments/{promised['id']}/progress", {"state": "done"})["state"] == "done"
    assert secretary.post(f"{case}/end", {"on": "2025-01-20", "result": "转出"}).status == 200
    assert (signs(office, branch, "D7"), signs(office, branch, "F4"), signs(office, branch, "D8")) == ({}, {}, {})
    after = secretary.get(f"/cycles/2025/branches/{branch.code}/measures/last-year").body
    assert {name: after[name] for name in CARRIED_OVER} == {name: [] for name in CARRIED_OVER}
