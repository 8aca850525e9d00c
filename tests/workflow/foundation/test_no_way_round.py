"""Possible ways around a rule, each of them closed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, TODAY, a_school, caller
from tests.support.records.evidence import a_small_branch, lacking, leaves, stand_at
from tests.support.records.rating import a_case, a_counted_ballot, a_help_plan, a_rating, acknowledged
from tests.support.records.rectification import a_commitment, a_measure, a_problem, a_publication, progress
from tests.support.records.self_review import CRITICISM, a_ballot, a_life_meeting, a_meeting
from tests.support.situations import a_study, on_roll
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.tellers import TALLIES
from workflow.appraisal.rating.aftercare import Step
from workflow.appraisal.rating.aftercare_procedure import record_step
from workflow.appraisal.rating.ratings import give_feedback
from workflow.appraisal.rectification.publications import published
from workflow.foundation.errors import Conflict, Forbidden, Invalid
from workflow.foundation.vocabulary import FeedbackWay, Level, MeasureState, MeetingPurpose, Stage, Standing, TallySubject
from workflow.machine.asked import BY_NAME
from workflow.people.organisation import Person
from workflow.rules.evidence import must_be_unaccepted
from workflow.year.cycle import Process


@pytest.fixture
def branch(session: Session) -> Process:
    return a_school(session)


def faults(act: Any) -> list[str]:
    with pytest.raises(Invalid) as refused:
        act()
    return list(refused.value.errors)


# ── ballots ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("subject", TallySubject)
def test_a_ballot_without_a_single_valid_vote_is_none(session: Session, branch: Process, subject: TallySubject) -> None:
    body = {**a_ballot(session, branch, subject), "returned": 0, "valid": 0}
    body["counts"] = {name: {} for name in (body["counts"] if subject is TallySubject.MEMBERS else ("work", "style", "overall"))}
    assert faults(lambda: TALLIES.record(session, branch, body, by=caller(session, "李四"), now=NOW)) == ["valid"]


def test_who_may_not_count_is_not_told_who_is_on_the_ballot(session: Session, branch: Process) -> None:
    row = on_roll(session, branch, "孙八")
    row.standing = Standing.PROBATIONARY
    session.flush()
    with pytest.raises(Forbidden):
        TALLIES.record(session, branch, {**a_ballot(session, branch, TallySubject.MEMBERS), "counts": {}}, by=caller(session, "孙八"), now=NOW)


def test_where_there_are_not_two_others_the_secretary_counts_too(session: Session) -> None:
    process = a_small_branch(session)
    body = a_ballot(session, process, TallySubject.COMMITTEE)
    with pytest.raises(Forbidden):
        TALLIES.record(session, process, body, by=caller(session, "张三"), now=NOW)
    leaves(session, "孙八")
    body = a_ballot(session, process, TallySubject.COMMITTEE)
    rows = [TALLIES.record(session, process, body, by=caller(session, who), now=NOW) for who in ("王五", "张三")]
    assert rows[-1].counted_by == "z3"


# ── meetings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_decision_is_not_before_the_self_review_meeting(session: Session, branch: Process) -> None:
    a_study(session, branch)
    a_life_meeting(session, branch)
    assert faults(lambda: a_meeting(session, branch, MeetingPurpose.DECIDING, held_on=date(2024, 12, 18))) == ["held_on"]


def test_a_criticism_by_a_member_is_none_of_the_committees(session: Session, branch: Process) -> None:
    a_study(session, branch)
    a_life_meeting(session, branch, criticisms=[{"speaker": "w5", "about": "z3", **CRITICISM}])
    assert lacking(session, branch, "no_criticism") == [""]
    a_life_meeting(session, branch, criticisms=[{"speaker": "l4", "about": "z3", **CRITICISM}])
    assert lacking(session, branch, "no_criticism") == []


def test_minutes_that_wait_for_one_who_left_are_the_secretarys_to_name_another(session: Session, branch: Process) -> None:
    row = a_meeting(session, branch, MeetingPurpose.REPORT, recorder="w5", confirmed=False)
    assert asked_of(session, branch, row) == {"z3", "w5"}
    leaves(session, "王五")
    assert asked_of(session, branch, row) == {"z3"}


def asked_of(session: Session, process: Process, row: Meeting) -> set[str]:
    rows = BY_NAME["unconfirmed_minutes"].query().subquery()
    found = session.execute(rows.select().where(rows.c.process_id == process.id, rows.c.subject_id == str(row.id)))
    return {session.get_one(Person, each.person_id).staff_no for each in found}


# ── ratings ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_feedback_is_not_given_anew_behind_an_acknowledgement(session: Session, branch: Process) -> None:
    a_counted_ballot(session, branch)
    row = acknowledged(session, a_rating(session, branch, "王五", told=True))
    with pytest.raises(Conflict):
        give_feedback(session, branch, row, {"given_on": TODAY, "way": FeedbackWay.WRITTEN}, by=caller(session, "张三"), now=NOW)


def test_a_helper_who_has_left_helps_nobody(session: Session, branch: Process) -> None:
    a_counted_ballot(session, branch)
    a_rating(session, branch, "王五", Level.BASIC)
    a_help_plan(session, branch, "王五", helper=STAFF_NO["李四"])
    assert lacking(session, branch, "basic_without_a_help_plan") == []
    leaves(session, "李四")
    assert lacking(session, branch, "basic_without_a_help_plan") == ["w5"]


def test_the_steps_of_a_disposition_are_in_the_order_of_their_days(session: Session, branch: Process) -> None:
    case = a_case(session, branch, "王五", proposed_on=date(2024, 12, 10))

    def step(what: Step, day: int) -> None:
        body = {"step": what, "taken_on": date(2024, 12, day), "why_without": "补录"}
        record_step(session, branch, case, body, by=caller(session, "张三"), now=NOW)

    step(Step.TALK, 15)
    assert faults(lambda: step(Step.GENERAL_MEETING, 14)) == ["on"]
    assert faults(lambda: step(Step.INVESTIGATION, 16)) == ["on"]
    step(Step.INVESTIGATION, 15)
    step(Step.GENERAL_MEETING, 18)


# ── rectification ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_notice_without_place_or_end_shows_nothing_to_anybody(session: Session, branch: Process) -> None:
    for fields in ({"place": None}, {"to_on": None}):
        a_publication(session, branch, **fields)
    assert not published(session, branch.id)
    a_publication(session, branch)
    assert published(session, branch.id)


def test_what_the_secretary_closed_its_owner_does_not_open_again(session: Session, branch: Process) -> None:
    measure = a_measure(session, branch, owner="王五")
    progress(session, branch, measure, MeasureState.CLOSED, "照片")
    with pytest.raises(Forbidden):
        progress(session, branch, measure, MeasureState.OPEN, by="王五")
    progress(session, branch, measure, MeasureState.DOING)
    progress(session, branch, measure, MeasureState.DONE, by="王五")


def test_a_member_commits_to_no_problem_of_somebody_else(session: Session, branch: Process) -> None:
    of_another = a_problem(session, branch, whose=STAFF_NO["李四"])
    assert faults(lambda: a_commitment(session, branch, "王五", problem=of_another.id)) == ["problem"]
    assert a_commitment(session, branch, "李四", problem=of_another.id).problem_id == of_another.id
    assert a_commitment(session, branch, "王五", problem=a_problem(session, branch).id).id


# ── what was accepted ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_behind_an_accepted_branch_nothing_is_rejected_any_more(session: Session, branch: Process) -> None:
    for stage in (Stage.REPORT, Stage.FILED):
        must_be_unaccepted(stand_at(session, branch, stage))
    with pytest.raises(Conflict):
        must_be_unaccepted(stand_at(session, branch, Stage.ACCEPTED))
