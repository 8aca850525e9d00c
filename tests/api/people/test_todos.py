"""To-dos over HTTP (我的待办): the office's, the committee's, the tellers', and the cursor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.builders import NOW
from tests.support.records.assessment import a_decision
from tests.support.records.evidence import stand_at
from tests.support.records.rating import a_case, a_counted_ballot, ratings
from tests.support.records.self_review import a_ballot
from tests.support.servers import YEAR, Cast, House
from workflow.foundation.database import Session, transaction
from workflow.foundation.vocabulary import Kind, Level, Stage, TallySubject
from workflow.rules.evidence import withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of

OFFICE_WORK = {"filed_and_not_accepted", "reasons_to_approve", "excuses_to_confirm", "cases_to_press", "secretaries_to_name"}


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


def of(session: Session, branch: Cast, kind: Kind = Kind.APPRAISAL) -> Process:
    return process_of(session, 2024, branch.code, kind=kind)


def bring_to(house: House, branch: Cast, stage: Stage) -> None:
    with transaction(house.engine, actor="cli") as session:
        stand_at(session, of(session, branch), stage)


def pages(client: Client, limit: int = 200) -> Iterator[list[Any]]:
    after = ""
    while True:
        page = client.get(f"/me/todos?limit={limit}{after}")
        assert page.status == 200, page.body
        yield page.body["items"]
        if page.body["next"] is None:
            return
        after = f"&after={page.body['next']}"


def todos(client: Client, branch: Cast | None = None) -> dict[str, str]:
    """Give the message of each to-do by its requirement."""
    rows = [row for page in pages(client) for row in page if branch is None or row["branch"]["code"] == branch.code]
    return {row["requirement"]: row["message"] for row in rows}


# ── the office ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_filed_branch_waits_for_the_office_until_it_is_accepted(house: House, branch: Cast) -> None:
    office = house.as_("office")
    assert "filed_and_not_accepted" not in todos(office, branch)
    bring_to(house, branch, Stage.FILED)
    assert todos(office, branch)["filed_and_not_accepted"] == "情况表和材料已报送，待接收或退回"
    assert not OFFICE_WORK & todos(house.as_(branch.secretary), branch).keys()
    assert not OFFICE_WORK & todos(house.as_("auditor")).keys()
    accepted = office.post(f"{branch.path}/moves", {"trigger": "accept"}, if_match=office.get(branch.path).etag)
    assert accepted.status == 201
    assert "filed_and_not_accepted" not in todos(office, branch)


def test_what_was_sent_back_waits_for_the_branch_until_it_is_filed_again(house: House, branch: Cast) -> None:
    bring_to(house, branch, Stage.FILED)
    office, secretary = house.as_("office"), house.as_(branch.secretary)
    assert "sent_back_to_the_branch" not in todos(secretary, branch)
    body = {"trigger": "return", "to": "report", "reason": "第三部分数字与名册不符"}
    assert office.post(f"{branch.path}/moves", body, if_match=office.get(branch.path).etag).status == 201
    assert todos(secretary, branch)["sent_back_to_the_branch"] == "材料已被退回，请修改后重新报送：第三部分数字与名册不符"
    assert "sent_back_to_the_branch" not in todos(office, branch)
    bring_to(house, branch, Stage.FILED)
    assert "sent_back_to_the_branch" not in todos(secretary, branch)


def test_a_branch_without_a_secretary_waits_for_the_office(house: House, branch: Cast) -> None:
    office = house.as_("office")
    assert "secretaries_to_name" not in todos(office, branch)
    other = house.a_branch()
    assert office.post(f"/people/{branch.secretary}/move", {"branch": other.code, "on": "2024-12-20"}).status == 200
    assert todos(office, branch)["secretaries_to_name"] == "没有党支部书记，请任命"


def test_a_reason_waits_for_the_office_until_it_is_decided(house: House, branch: Cast) -> None:
    office, secretary = house.as_("office"), house.as_(branch.secretary)
    with transaction(house.engine, actor="cli") as session:
        process = of(session, branch)
        a_counted_ballot(session, process)
        ratings(session, process, dict.fromkeys(branch.everybody, Level.EXCELLENT))
        stand_at(session, process, Stage.RATING)
    for decide in ("approve", "reject"):
        made = secretary.post(f"{branch.path}/waivers", {"requirement": "more_excellent_than_the_quota", "reason": "均承担重大任务"})
        assert made.status == 201
        assert todos(office, branch)["reasons_to_approve"] == "有 1 条情况说明待批准：均承担重大任务"
        at = f"{branch.path}/waivers/{made.body['id']}"
        assert office.post(f"{at}/{decide}", {"reason": "请写明"} if decide == "reject" else None).status == 200
        assert "reasons_to_approve" not in todos(office, branch)
        if decide == "approve":
            assert secretary.post(f"{at}/withdraw", {"reason": "另写"}).status == 200


def test_an_excuse_waits_for_the_office_until_it_is_confirmed_or_taken_back(house: House, branch: Cast) -> None:
    office, secretary = house.as_("office"), house.as_(branch.secretary)
    line = f"{branch.path}/roll/{branch.member}"
    for client, end in ((office, "confirm"), (secretary, "withdraw")):
        excused = secretary.patch(line, {"excused_reason": "长期病休"}, seen=secretary.get(line).etag)
        assert excused.status == 200
        assert "待确认" in todos(office, branch)["excuses_to_confirm"]
        assert client.post(f"{line}/{end}").status == 200
        assert "excuses_to_confirm" not in todos(office, branch)


def test_a_filing_waits_for_the_office_and_not_for_the_branch(house: House, branch: Cast) -> None:
    office, secretary = house.as_("office"), house.as_(branch.secretary)
    bring_to(house, branch, Stage.RECTIFICATION)
    sent = secretary.post(f"{branch.path}/rectification-filings", {"to": "党委办公室", "sent_on": NOW.date().isoformat()})
    assert sent.status == 201
    assert "filings_without_a_receipt" in todos(office, branch)
    assert "filings_without_a_receipt" not in todos(secretary, branch)
    assert office.post(f"{branch.path}/rectification-filings/{sent.body['id']}/receive").status == 200
    assert "filings_without_a_receipt" not in todos(office, branch)


def test_a_case_that_stands_still_waits_for_the_office_and_for_the_branch(house: House, branch: Cast) -> None:
    bring_to(house, branch, Stage.RATING)
    with transaction(house.engine, actor="cli") as session:
        a_case(session, of(session, branch), branch.member, proposed_on=NOW.date() - timedelta(days=31))
    assert "停滞" in todos(house.as_("office"), branch)["cases_to_press"]
    assert "cases_standing_still" in todos(house.as_(branch.secretary), branch)
    assert "cases_to_press" not in todos(house.as_(branch.secretary), branch)


def test_work_that_waits_is_no_exception_and_stands_on_no_checklist(house: House, branch: Cast) -> None:
    office = house.as_("office")
    line = f"{branch.path}/roll/{branch.member}"
    secretary = house.as_(branch.secretary)
    assert secretary.patch(line, {"excused_reason": "长期病休"}, seen=secretary.get(line).etag).status == 200
    assert "excuses_to_confirm" in todos(office, branch)
    listed = {row["requirement"] for row in office.get(f"{YEAR}/exceptions?limit=200").body["items"]}
    listed |= {row["requirement"] for row in secretary.get(f"{branch.path}/requirements?stage=report").body["items"]}
    listed |= {row["requirement"] for item in secretary.get(f"{branch.path}/next").body["items"] for row in item["signs"]}
    assert not listed & {*OFFICE_WORK, "ballots_to_enter", "decision_to_confirm"}


# ── the committee ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_decision_waits_for_the_committee_once_however_many_branches_it_names(house: House, branch: Cast) -> None:
    other, committee = house.a_branch(), house.as_("committee")
    before = todos(committee)
    assert "decision_to_confirm" not in before
    with transaction(house.engine, actor="cli") as session:
        row = a_decision(session, of(session, branch, Kind.ASSESSMENT), also=[other.code], number="党委会〔2025〕9号")
    rows = [each for page in pages(committee) for each in page if each["requirement"] == "decision_to_confirm"]
    assert [each["message"] for each in rows] == ["党委会决定待党委确认：党委会〔2025〕9号（2 个党支部）"]
    assert (rows[0]["link"], rows[0]["href"]) == ("/2024/decision", f"/api/v1{YEAR}/decision")
    assert "decision_to_confirm" not in todos(house.as_("office"))
    with transaction(house.engine, actor="cli") as session:
        withdraw(session.get_one(type(row), row.id), by="office", now=NOW, reason="文号有误")
    assert "decision_to_confirm" not in todos(committee)


# ── tellers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tellers_are_asked_for_the_other_ballot_and_for_one_that_was_taken_back(house: House, branch: Cast) -> None:
    one, other, third = house.as_(branch.organiser), house.as_(branch.publicist), house.as_(branch.member)
    bring_to(house, branch, Stage.SELF_REVIEW)
    with transaction(house.engine, actor="cli") as session:
        ballots = {subject: a_ballot(session, of(session, branch), subject) for subject in TallySubject}

    def asked(client: Client) -> str | None:
        return todos(client, branch).get("ballots_to_enter")

    def enter(client: Client, subject: TallySubject) -> Any:
        made = client.post(f"{branch.path}/tallies", {**ballots[subject], "subject": subject.value})
        assert made.status in (200, 201), made.body
        return made.body

    assert "书记以外的两名正式党员" in todos(house.as_(branch.secretary), branch)["no_tally_of_the_members"]
    assert [asked(each) for each in (one, other, third)] == [None, None, None]
    enter(one, TallySubject.COMMITTEE)
    assert asked(one) == "您担任计票人，还有测评结果待录入：党员"
    made = enter(other, TallySubject.COMMITTEE)
    enter(one, TallySubject.MEMBERS)
    assert [asked(each) for each in (one, third)] == [None, None]
    assert asked(other) == "您担任计票人，还有测评结果待录入：党员（另一名计票人已录入）"
    enter(other, TallySubject.MEMBERS)
    assert [asked(each) for each in (one, other)] == [None, None]
    assert house.as_(branch.secretary).post(f"{branch.path}/tallies/{made['id']}/withdraw", {"reason": "选票漏数"}).status == 200
    assert [asked(each) for each in (one, other)] == ["您担任计票人，还有测评结果待录入：支部委员会"] * 2
    assert asked(third) is None


# ── the cursor ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cursor_skips_nothing_when_items_are_done_meanwhile(house: House) -> None:
    office, branches = house.as_("office"), [house.a_branch() for _ in range(3)]
    for branch in branches:
        bring_to(house, branch, Stage.FILED)
    whole = [(row["branch"]["code"], row["requirement"]) for page in pages(office) for row in page]
    assert len(whole) > 6
    found: list[tuple[str, str]] = []
    for page in pages(office, limit=2):
        found += [(row["branch"]["code"], row["requirement"]) for row in page]
        for row in page:
            if row["requirement"] == "filed_and_not_accepted":
                path = f"{YEAR}/branches/{row['branch']['code']}"
                assert office.post(f"{path}/moves", {"trigger": "accept"}, if_match=office.get(path).etag).status == 201
    assert found == whole


def test_a_person_of_the_office_and_of_a_branch_reads_both_through_one_cursor(house: House, branch: Cast) -> None:
    bring_to(house, branch, Stage.FILED)
    secretary = house.as_(branch.secretary)
    own = [row["requirement"] for page in pages(secretary) for row in page]
    assert house.as_("office").post("/appointments", {"staff_no": branch.secretary, "role": "office", "starts_on": "2024-12-01"}).status == 201
    whole = [(row["branch"]["code"], row["requirement"]) for page in pages(secretary) for row in page]
    assert [name for _, name in whole[: len(own)]] == own
    assert (branch.code, "filed_and_not_accepted") in whole[len(own) :]
    assert [(row["branch"]["code"], row["requirement"]) for page in pages(secretary, limit=1) for row in page] == whole


@pytest.mark.parametrize("after", ["MTA", "W10", "WzEsMiwzXQ", "bnVsbA"])
def test_a_cursor_that_is_not_ours_is_refused(house: House, after: str) -> None:
    assert house.as_("office").get(f"/me/todos?after={after}").status == 422
