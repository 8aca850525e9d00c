"""The assessment of a branch over HTTP: arrangement, duty report, facts, moves of many.

Each reader has their own view of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from tests.api.conftest import Client, Clock
from tests.support.builders import person
from tests.support.years.assessment_year import FACTS, SECTIONS
from workflow.assessment.duty_reports import DutyReport
from workflow.foundation.database import transaction
from workflow.foundation.history import History
from workflow.foundation.vocabulary import Role
from workflow.mail.outbox import Letter
from workflow.people.organisation import Appointment

YEAR = "/cycles/2024"
A, OTHER = f"{YEAR}/assessments/D0101", f"{YEAR}/assessments/D0201"
REPORT = f"{A}/duty-report"
WHOLE = {"sections": SECTIONS, "submitted": True}
SignIn = Callable[[str], Client]


def arrange(office: Client, path: str = A, **body: Any) -> Any:
    return office.patch(path, body, seen=office.get(path).etag)


def move(client: Client, trigger: str, path: str = A, **body: Any) -> Any:
    return client.post(f"{path}/moves", {"trigger": trigger, **body}, seen=client.get(path).etag)


def collected(office: Client, secretary: Client, path: str = A) -> None:
    """Record all that a branch needs to leave the first stage."""
    assert arrange(office, path, mode="written").status == 200
    assert secretary.put(f"{path}/duty-report", WHOLE).status == 200


# ── how it is reported ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_office_sets_how_a_branch_reports_and_each_change_is_another_version(office: Client) -> None:
    before = office.get(A)
    assert (before.body["stage"], before.body["mode"], before.body["on_site"], before.body["kind"]) == ("collecting", None, None, "assessment")
    session = {"held_on": "2025-01-08", "place": "第一会议室", "order": 2}
    set_ = office.patch(A, {"mode": "on_site", "on_site": session}, seen=before.etag)
    assert (set_.status, set_.body["on_site"]) == (200, session)
    assert office.get(A).etag == set_.etag != before.etag
    stale = office.patch(A, {"mode": "written"}, seen=before.etag)
    assert (stale.status, [change["by"] for change in stale.body["changed"]]) == (412, ["office"])
    assert office.patch(A, {"mode": "written"}).status == 428
    written = arrange(office, mode="written")
    assert (written.body["mode"], written.body["on_site"]) == ("written", None)


def test_a_move_that_saw_an_older_arrangement_is_stale(office: Client, secretary: Client) -> None:
    collected(office, secretary)
    seen = office.get(A).etag
    arrange(office, conduct="积极")
    refused = office.post(f"{A}/moves", {"trigger": "advance"}, seen=seen)
    assert (refused.status, len(refused.body["changed"])) == (412, 1)


def test_two_branches_do_not_have_one_place_in_the_order(office: Client) -> None:
    slot = {"held_on": "2025-01-08", "place": "第一会议室", "order": 1}
    assert arrange(office, OTHER, mode="on_site", on_site=slot).status == 200
    refused = arrange(office, mode="on_site", on_site=slot)
    assert refused.status == 409
    assert "D0201党支部" in refused.body["detail"]
    assert office.get(A).body["mode"] is None
    assert arrange(office, mode="on_site", on_site={**slot, "order": 2}).status == 200
    listed = office.get(f"{YEAR}/report-sessions").body["items"]
    assert [(row["order"], row["branch"]["code"]) for row in listed] == [(1, "D0201"), (2, "D0101")]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"mode": "video"}, "mode"),
        ({"on_site": {"place": "第一会议室"}}, "on_site"),
        ({"mode": "written", "on_site": {"order": 1}}, "on_site"),
        ({"mode": "on_site", "on_site": {"order": 0}}, "on_site.order"),
        ({"mode": "on_site", "on_site": {"held_on": "8.1.2025"}}, "on_site.held_on"),
        ({"modus": "written"}, "modus"),
    ],
)
def test_a_wrong_arrangement_is_refused_by_name(office: Client, body: Any, wrong: str) -> None:
    refused = arrange(office, **body)
    assert (refused.status, list(refused.body["errors"])) == (422, [wrong])
    assert office.get(A).body["version"] == 1


def test_the_arrangement_closes_with_its_stage_and_the_offices_words_with_the_next(office: Client, secretary: Client) -> None:
    collected(office, secretary)
    assert move(office, "advance").status == 201
    assert arrange(office, mode="on_site").body["type"].endswith("stage-closed")
    assert arrange(office, conduct="积极参加", extra="获省级表彰").body["extra"] == "获省级表彰"
    assert office.put(f"{A}/proposal", {"result": "qualified", "reason": "完成任务"}).status == 200
    assert move(office, "advance").status == 201
    assert arrange(office, conduct="一般").body["type"].endswith("stage-closed")


# ── the duty report ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_report_begins_with_last_years_measures_and_is_written_whole(secretary: Client) -> None:
    begun = secretary.get(REPORT)
    assert (begun.body["submitted"], begun.body["sections"], begun.body["rectification"]) == (False, {}, "上年度无整改事项")
    assert "ETag" not in begun.headers
    draft = secretary.put(REPORT, {"sections": {"C1": "先写一段"}})
    assert (draft.status, draft.body["submitted"], draft.etag) == (200, False, '"1"')
    assert secretary.put(REPORT, WHOLE).status == 428
    sent = secretary.put(REPORT, WHOLE, seen=draft.etag)
    assert (sent.body["sections"], sent.body["submitted"], sent.body["late"]) == (SECTIONS, True, False)
    assert sent.body["rectification"] == "上年度无整改事项"
    stale = secretary.put(REPORT, WHOLE, seen=draft.etag)
    assert (stale.status, stale.body["changed"][0]["by"]) == (412, "z3")


def test_a_draft_is_the_branchs_own(office: Client, secretary: Client) -> None:
    secretary.put(REPORT, {"sections": {"C1": "先写一段"}, "rectification": "正在落实"})
    assert (office.get(REPORT).body["sections"], office.get(REPORT).body["record"]) == ({}, None)
    assert office.post(f"{REPORT}/reject", {"reason": "看一眼"}).status == 404
    assert [row["new"]["sections"] for row in office.get(f"{A}/history").body["items"] if row["what"] == "duty_report"] == ["changed"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"sections": {"C7": "多一段"}}, "sections.C7"),
        ({"sections": {"C1": 1}}, "sections.C1"),
        ({"sections": []}, "sections"),
        ({"submitted": "yes"}, "submitted"),
        ({"text": "整篇"}, "text"),
    ],
)
def test_a_wrong_report_is_refused_by_name_and_nothing_is_kept(school: Engine, secretary: Client, body: Any, wrong: str) -> None:
    refused = secretary.put(REPORT, body)
    assert (refused.status, list(refused.body["errors"])) == (422, [wrong])
    with transaction(school, actor=None) as session:
        assert session.scalar(select(func.count()).select_from(DutyReport)) == 0


def test_what_is_submitted_is_no_draft_again_but_may_be_taken_back(office: Client, secretary: Client) -> None:
    sent = secretary.put(REPORT, WHOLE)
    assert secretary.put(REPORT, {"sections": SECTIONS}, seen=sent.etag).status == 409
    assert secretary.post(f"{REPORT}/withdraw", {}).status == 422
    assert secretary.post(f"{REPORT}/withdraw", {"reason": "重新填写"}).status == 200
    assert secretary.post(f"{REPORT}/withdraw", {"reason": "重新填写"}).status == 404
    assert secretary.put(REPORT, WHOLE).status == 200
    assert office.post(f"{REPORT}/reject", {"reason": "内容空泛"}).status == 200
    unmet = {row["requirement"] for row in office.get(f"{A}/requirements").body["items"] if row["state"] == "unmet"}
    assert "duty_report_not_submitted" in unmet
    assert secretary.put(REPORT, WHOLE).status == 200


def test_a_report_after_its_day_is_marked_late_and_accepted(office: Client, secretary: Client, clock: Clock) -> None:
    cycle = office.get(YEAR)
    assert cycle.body["deadlines"]["collecting"] is None
    assert office.patch(YEAR, {"deadlines": {"collecting": "2025-01-05"}}, seen=cycle.etag).status == 200
    assert office.get(A).body["due_on"] == "2025-01-05"
    clock.now = datetime(2025, 1, 6, 2, 0, tzinfo=UTC)
    assert office.get(A).body["overdue"] is True
    assert secretary.put(REPORT, WHOLE).body["late"] is True


def test_the_days_of_the_assessment_stand_in_their_own_order(office: Client) -> None:
    seen = office.get(YEAR).etag
    refused = office.patch(YEAR, {"deadlines": {"collecting": "2025-01-10", "summarised": "2025-01-05"}}, seen=seen)
    assert (refused.status, list(refused.body["errors"])) == (422, ["deadlines.summarised"])
    assert office.patch(YEAR, {"deadlines": {"collecting": "2025-02-10", "summarised": "2025-02-15"}}, seen=seen).status == 200


def test_the_report_closes_with_its_stage_and_opens_again_by_a_return_that_is_told(school: Engine, office: Client, secretary: Client) -> None:
    collected(office, secretary)
    assert move(office, "advance").status == 201
    sent = secretary.get(REPORT)
    assert secretary.put(REPORT, WHOLE, seen=sent.etag).body["type"].endswith("stage-closed")
    assert office.post(f"{REPORT}/reject", {"reason": "空泛"}).body["type"].endswith("stage-closed")
    assert move(office, "return", reason="第三部分没有数据").status == 201
    assert secretary.put(REPORT, WHOLE, seen=sent.etag).status == 200
    with transaction(school, actor=None) as session:
        (letter,) = session.scalars(select(Letter).where(Letter.kind == "returned")).all()
    assert "/assessments/D0101" in letter.text
    assert "退回修改" in letter.text


# ── the facts of the year ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_branch_tells_its_year_and_the_office_checks_it_anew_after_each_change(office: Client, secretary: Client) -> None:
    path = f"{A}/facts"
    assert secretary.get(path).status == 404
    assert office.post(f"{path}/confirm").status == 409
    told = secretary.put(path, FACTS)
    assert {name: told.body[name] for name in FACTS} == FACTS
    assert (told.body["checked_by"], office.post(f"{path}/confirm").body["checked_by"]) == (None, "office")
    assert office.post(f"{path}/confirm").status == 409
    seen = secretary.get(path).etag
    again = secretary.put(path, {"main_work": "完成审核评估"}, seen=seen)
    assert (again.body["checked_by"], again.body["three_meetings"]["general"], again.body["clean_government"]["text"]) == (None, None, None)
    assert secretary.put(path, FACTS, seen=seen).status == 412
    assert secretary.put(path, FACTS).status == 428


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"three_meetings": {"general": -1}}, "three_meetings.general"),
        ({"three_meetings": {"plenary": 1}}, "three_meetings.plenary"),
        ({"development": {"admitted": "1"}}, "development.admitted"),
        ({"clean_government": {"issues": "no"}}, "clean_government.issues"),
    ],
)
def test_wrong_facts_are_refused_by_name(secretary: Client, body: Any, wrong: str) -> None:
    refused = secretary.put(f"{A}/facts", body)
    assert (refused.status, list(refused.body["errors"])) == (422, [wrong])
    assert secretary.get(f"{A}/facts").status == 404


def test_facts_close_with_their_stage(office: Client, secretary: Client) -> None:
    collected(office, secretary)
    secretary.put(f"{A}/facts", FACTS)
    assert move(office, "advance").status == 201
    seen = secretary.get(f"{A}/facts").etag
    assert secretary.put(f"{A}/facts", FACTS, seen=seen).body["type"].endswith("stage-closed")
    assert office.post(f"{A}/facts/confirm").status == 200


# ── moving ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_many_branches_advance_by_one_act_or_none_does_and_each_is_named(office: Client, secretary: Client, sign_in: SignIn) -> None:
    path = f"{YEAR}/assessments/advance"
    collected(office, secretary)
    refused = office.post(path, {"to": "summarised"})
    assert refused.status == 409
    assert {(row["branch"]["code"], row["clause"]) for row in refused.body["unmet"]} == {("D0201", "R1"), ("D0201", "R2")}
    assert office.get(A).body["stage"] == "collecting"
    assert [row["branch"]["code"] for row in office.post(path, {"to": "summarised", "branches": ["D0101"]}).body["items"]] == ["D0101"]
    collected(office, sign_in("赵六"), OTHER)
    assert [row["branch"]["code"] for row in office.post(path, {"to": "summarised"}).body["items"]] == ["D0201"]
    assert office.post(path, {"to": "summarised"}).status == 409
    assert office.post(path, {"to": "proposed", "branches": ["D0999"]}).status == 422
    assert office.post(path, {"to": "decided"}).status == 422


def test_the_office_polls_the_assessment_by_its_stages(office: Client, secretary: Client) -> None:
    collected(office, secretary)
    fresh = {"Cache-Control": "no-cache"}
    before, branches = office.get(f"{YEAR}/progress?kind=assessment", **fresh), office.get(f"{YEAR}/progress", **fresh)
    assert before.body["by_stage"] == {"collecting": 2, "summarised": 0, "proposed": 0, "decided": 0, "published": 0}
    move(office, "advance")
    after = office.get(f"{YEAR}/progress?kind=assessment", **fresh)
    assert (after.body["by_stage"]["collecting"], after.body["by_stage"]["summarised"], after.body["kind"]) == (1, 1, "assessment")
    assert office.get(f"{YEAR}/progress", **fresh).etag == branches.etag
    assert office.get(f"{YEAR}/progress?kind=other").status == 422


def test_a_change_of_an_assessment_is_none_of_the_branches_rows(office: Client, secretary: Client) -> None:
    cursor = office.get(f"{YEAR}/progress", **{"Cache-Control": "no-cache"}).body["cursor"]
    collected(office, secretary)
    move(office, "advance")
    assert office.get(f"{YEAR}/branches?changed_since={cursor}").body["items"] == []


def test_words_of_the_other_kind_are_refused(office: Client, secretary: Client) -> None:
    branch = f"{YEAR}/branches/D0101"
    assert list(move(office, "file").body["errors"]) == ["trigger"]
    assert list(move(secretary, "decide", branch).body["errors"]) == ["trigger"]
    for path in (f"{A}/requirements?stage=study", f"{branch}/requirements?stage=collecting", f"{YEAR}/assessments?stage=study"):
        assert office.get(path).status == 422
    body = {"requirement": "duty_report_not_submitted", "reason": "外出"}
    assert list(secretary.post(f"{branch}/waivers", body).body["errors"]) == ["requirement"]


# ── who sees what ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["", "/next", "/requirements", "/moves", "/history", "/duty-report", "/facts", "/summary", "/proposal"])
def test_a_member_sees_nothing_and_another_branch_not_even_that_it_is_there(sign_in: SignIn, path: str) -> None:
    assert sign_in("王五").get(f"{A}{path}").status in (403, 404)
    elsewhere, nowhere = sign_in("赵六").get(f"{A}{path}"), sign_in("赵六").get(f"{YEAR}/assessments/D0999{path}")
    assert elsewhere.status == nowhere.status in (403, 404)
    assert elsewhere.body["detail"] == nowhere.body["detail"]


def test_the_branch_knows_what_it_is_asked_itself_and_not_what_the_office_and_the_committee_lack(office: Client, secretary: Client) -> None:
    assert {row["clause"] for row in secretary.get(f"{A}/requirements").body["items"]} >= {"R1", "R2", "C1", "F9"}
    collected(office, secretary)
    move(office, "advance")
    for stage in ("summarised", "proposed"):
        assert secretary.get(f"{A}/requirements?stage={stage}").body["items"] == []
        assert office.get(f"{A}/requirements?stage={stage}").body["items"] != []
    (advance,) = (row for row in secretary.get(f"{A}/next").body["items"] if row["trigger"] == "advance")
    assert (advance["allowed"], advance["unmet"]) == (False, [])
    (advance,) = (row for row in office.get(f"{A}/next").body["items"] if row["trigger"] == "advance")
    assert (advance["allowed"], [row["clause"] for row in advance["unmet"]]) == (False, ["R3"])


def test_why_the_office_went_a_step_back_is_its_own_to_know_and_why_a_branch_was_returned_is_told(office: Client, secretary: Client) -> None:
    collected(office, secretary)
    assert move(office, "advance").status == 201
    assert office.put(f"{A}/proposal", {"result": "excellent", "reason": "完成任务"}).status == 200
    assert move(office, "advance").status == 201
    assert move(office, "step_back", reason="建议另议").status == 201
    assert move(office, "return", reason="第三部分没有数据").status == 201
    for reader, reads in ((office, ["建议另议", "第三部分没有数据"]), (secretary, ["第三部分没有数据"])):
        assert [row["reason"] for row in reader.get(f"{A}/moves").body["items"] if row["reason"]] == reads


def test_a_member_who_has_an_office_reads_no_draft_of_his_branch(school: Engine, secretary: Client, sign_in: SignIn) -> None:
    secretary.put(REPORT, {"sections": {"C1": "先写一段"}})
    with transaction(school, actor="cli") as session:
        member = person(session, "孙八")
        post = {"person_id": member.id, "branch_id": None, "post": None, "role": Role.OFFICE, "title": None, "on_committee": False}
        session.add(Appointment(**post, starts_on=date(2024, 1, 1), ends_on=None))
    assert sign_in("孙八").get(REPORT).body["sections"] == {}


def test_each_has_his_own_to_do(office: Client, secretary: Client, sign_in: SignIn) -> None:
    def asked(client: Client) -> set[tuple[str, str]]:
        return {(row["branch"]["code"], row["clause"]) for row in client.get("/me/todos").body["items"] if row["kind"] == "assessment"}

    assert asked(secretary) == {("D0101", "R1"), ("D0101", "R4")}
    assert asked(office) == {("D0101", "R2"), ("D0201", "R2")}
    assert asked(sign_in("王五")) == asked(sign_in("committee")) == set()


def test_every_change_has_its_history(school: Engine, office: Client, secretary: Client) -> None:
    collected(office, secretary)
    secretary.put(f"{A}/facts", FACTS)
    with transaction(school, actor=None) as session:
        written = {(row.what, row.actor) for row in session.scalars(select(History))}
    assert {("arrangement", "office"), ("duty_report", "z3"), ("facts", "z3")} <= written
