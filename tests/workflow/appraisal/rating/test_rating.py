"""Ratings (评定意见): valid ones, feedback to the member, members without one (D2, D3, D6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller, person
from tests.support.records.evidence import a_waiver, excused, lacking, leaves, stand_at
from tests.support.records.rating import (
    BASIC,
    EXCELLENT,
    QUALIFIED,
    a_branch_of,
    a_counted_ballot,
    a_feedback,
    a_rating,
    acknowledged,
    all_rating,
    amended,
)
from tests.support.situations import on_roll
from workflow.appraisal.meetings.tellers import TALLIES
from workflow.appraisal.rating.ratings import (
    RATINGS,
    Rating,
    TallyFirst,
    acknowledge,
    feedback_not_acknowledged,
    give_feedback,
    members_without_a_rating,
    ratings_not_fed_back,
)
from workflow.foundation.database import constraint
from workflow.foundation.errors import Conflict, Forbidden, Invalid, StageClosed, Stale
from workflow.foundation.history import History
from workflow.foundation.vocabulary import FeedbackWay, Stage, Standing, TallySubject
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import blocking, exceptions, todos, unmet
from workflow.rules.evidence import record_of_member, reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of

D3, D6, TOLD = members_without_a_rating.name, ratings_not_fed_back.name, feedback_not_acknowledged.name
EVERYBODY = ["l4", "q7", "s8", "w5", "z3"]


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch with a counted ballot on the members."""
    process = stand_at(session, a_school(session), Stage.SELF_REVIEW)
    a_counted_ballot(session, process)
    return stand_at(session, process, Stage.RATING)


def faults(act: Callable[[], Any]) -> set[str]:
    with pytest.raises(Invalid) as refused:
        act()
    return set(refused.value.errors)


# ── a valid rating ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rating_keeps_what_was_sent_and_when_its_level_was_set(session: Session, branch: Process) -> None:
    row = a_rating(session, branch, "王五", EXCELLENT, reason="承担了全部支教任务")
    assert (row.staff_no, row.level, row.opinion, row.reason, row.not_rated_reason) == ("w5", EXCELLENT, "履行职责较好", "承担了全部支教任务", None)
    assert (row.level_set_at, row.recorded_by, row.feedback_on, row.acknowledged_at) == (NOW, "z3", None, None)


def test_nobody_is_rated_before_the_ballot_is_counted(session: Session) -> None:
    process = a_school(session)
    with pytest.raises(TallyFirst, match="D2"):
        a_rating(session, process, "王五")
    body = {"subject": TallySubject.MEMBERS, "issued": 1, "returned": 1, "valid": 1, "void": 0, "counts": {no: {"qualified": 1} for no in EVERYBODY}}
    TALLIES.record(session, process, body, by=caller(session, "李四"), now=NOW)
    with pytest.raises(TallyFirst):
        a_rating(session, process, "王五")
    counted = TALLIES.record(session, process, body, by=caller(session, "王五"), now=NOW)
    row = a_rating(session, process, "王五")
    withdraw(counted, by="z3", now=NOW, reason="票数有误")
    session.flush()
    with pytest.raises(TallyFirst):
        amended(session, process, row, level=BASIC)


def test_a_ballot_on_the_committee_or_of_another_branch_is_not_the_one_on_the_members(session: Session, branch: Process) -> None:
    with pytest.raises(TallyFirst):
        a_rating(session, process_of(session, 2024, "D0201"), "吴十")


def test_a_level_and_a_reason_not_to_rate_exclude_each_other(session: Session, branch: Process) -> None:
    assert faults(lambda: a_rating(session, branch, "王五", QUALIFIED, not_rated_reason="长期病休")) == {"level", "not_rated_reason"}
    row = a_rating(session, branch, "王五", None, opinion=None)
    assert (row.level, row.level_set_at) == (None, None)
    assert faults(lambda: amended(session, branch, row, level=QUALIFIED, not_rated_reason="长期病休")) == {"level", "not_rated_reason"}


def test_one_of_the_two_takes_the_place_of_the_other(session: Session, branch: Process) -> None:
    row = a_rating(session, branch, "王五", None, not_rated_reason="长期病休")
    amended(session, branch, row, hours=1, level=QUALIFIED)
    assert (row.level, row.not_rated_reason, row.level_set_at) == (QUALIFIED, None, NOW + timedelta(hours=1))
    amended(session, branch, row, hours=2, not_rated_reason="长期病休")
    assert (row.level, row.not_rated_reason, row.level_set_at) == (None, "长期病休", NOW + timedelta(hours=2))


def test_a_probationary_member_has_no_level_and_may_be_given_an_opinion(session: Session) -> None:
    process = a_branch_of(session, 4, probationary=["党员3"])
    a_counted_ballot(session, process)
    assert faults(lambda: a_rating(session, process, "党员3", QUALIFIED)) == {"level"}
    assert a_rating(session, process, "党员3", None).opinion == "履行职责较好"


def test_who_is_excused_by_the_office_or_rated_elsewhere_has_no_level_here(session: Session, branch: Process) -> None:
    excused(session, branch, "王五")
    excused(session, branch, "孙八", confirmed=False)
    on_roll(session, branch, "钱七").rated_here = False
    assert faults(lambda: a_rating(session, branch, "王五")) == {"level"}
    assert faults(lambda: a_rating(session, branch, "钱七")) == {"level"}
    a_rating(session, branch, "孙八")
    a_rating(session, branch, "王五", None, not_rated_reason="长期病休")


def test_who_is_not_on_the_roll_or_has_left_is_not_rated(session: Session, branch: Process) -> None:
    assert faults(lambda: a_rating(session, branch, "赵六")) == {"staff_no"}
    leaves(session, "王五")
    assert faults(lambda: a_rating(session, branch, "王五")) == {"staff_no"}


def test_a_rating_belongs_to_its_member(session: Session, branch: Process) -> None:
    row = a_rating(session, branch, "王五")
    assert faults(lambda: amended(session, branch, row, staff_no="s8")) == {"staff_no"}
    assert amended(session, branch, row, staff_no="w5", opinion="表现良好").opinion == "表现良好"


def test_each_member_has_one_rating_and_another_only_after_it_was_taken_back(session: Session, branch: Process) -> None:
    row = a_rating(session, branch, "王五")
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        a_rating(session, branch, "王五", BASIC)
    assert constraint(refused.value) == "uq_rating_standing"
    withdraw(row, by="z3", now=NOW, reason="写错")
    session.flush()
    assert record_of_member(session, Rating, branch.id, "w5").id == row.id
    again = a_rating(session, branch, "王五", BASIC)
    reject(again, by="office", now=NOW, reason="与事实不符")
    third = a_rating(session, branch, "王五")
    assert record_of_member(session, Rating, branch.id, "w5").id == third.id
    withdraw(third, by="z3", now=NOW, reason="写错")
    session.flush()
    assert record_of_member(session, Rating, branch.id, "w5").id == third.id


def test_a_rating_is_corrected_at_the_version_that_was_seen_while_it_stands_and_its_stage_is_open(session: Session, branch: Process) -> None:
    row = a_rating(session, branch, "王五")
    amended(session, branch, row, reason="说明")
    assert (row.version, row.level_set_at) == (2, NOW)
    row.version = 3
    session.flush()
    with pytest.raises(Stale):
        RATINGS.amend(session, branch, row, {"opinion": "x"}, seen=2, by=caller(session, "张三"), now=NOW)
    stand_at(session, branch, Stage.RECTIFICATION)
    with pytest.raises(StageClosed):
        amended(session, branch, row, level=BASIC)
    with pytest.raises(StageClosed):
        a_rating(session, branch, "孙八")
    stand_at(session, branch, Stage.RATING)
    withdraw(row, by="z3", now=NOW, reason="写错")
    with pytest.raises(Conflict):
        amended(session, branch, row, level=BASIC)


def test_a_rating_may_be_entered_ahead_of_its_stage(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.TALKS)
    assert a_rating(session, branch, "王五").id


def test_the_level_is_set_anew_only_when_it_changes(session: Session, branch: Process) -> None:
    row = a_rating(session, branch, "王五", QUALIFIED)
    amended(session, branch, row, hours=1, level=QUALIFIED, opinion="另一意见")
    assert row.level_set_at == NOW
    amended(session, branch, row, hours=1, level=BASIC)
    assert row.level_set_at == NOW + timedelta(hours=1)


# ── feedback and acknowledgement ──────────────────────────────────────────────────────────────────────────────────────


def test_what_was_told_is_noted_with_day_and_way(session: Session, branch: Process) -> None:
    row = a_feedback(session, branch, a_rating(session, branch, "王五"))
    assert (row.feedback_on, row.feedback_way, row.version) == (TODAY, FeedbackWay.FACE, 2)


def test_feedback_is_given_on_what_there_is_to_tell_while_it_stands_and_its_stage_is_open(session: Session, branch: Process) -> None:
    by, whole = caller(session, "张三"), {"given_on": TODAY, "way": FeedbackWay.FACE}
    row = a_rating(session, branch, "王五")
    assert faults(lambda: give_feedback(session, branch, row, {**whole, "given_on": date(2024, 12, 21)}, by=by, now=NOW)) == {"given_on"}
    with pytest.raises(Conflict):
        a_feedback(session, branch, a_rating(session, branch, "孙八", None))
    a_feedback(session, branch, a_rating(session, branch, "李四", None, not_rated_reason="长期外派"))
    stand_at(session, branch, Stage.RECTIFICATION)
    with pytest.raises(StageClosed):
        a_feedback(session, branch, row)
    stand_at(session, branch, Stage.RATING)
    withdraw(row, by="z3", now=NOW, reason="写错")
    with pytest.raises(Conflict):
        a_feedback(session, branch, row)


@pytest.mark.parametrize("change", [{"level": BASIC}, {"opinion": "另一意见"}, {"not_rated_reason": "长期病休"}], ids=str)
def test_what_was_told_is_void_when_the_opinion_changes(session: Session, branch: Process, change: dict[str, Any]) -> None:
    row = acknowledged(session, a_rating(session, branch, "王五", told=True), "同意")
    amended(session, branch, row, **change)
    assert (row.feedback_on, row.feedback_way, row.acknowledged_at, row.remark) == (None, None, None, None)
    kept = session.scalars(select(History).where(History.what == "rating").order_by(History.id.desc()).limit(1)).one()
    assert kept.old is not None
    assert kept.old["remark"] == "同意"


@pytest.mark.parametrize("change", [{"reason": "说明"}, {"level": QUALIFIED}, {"opinion": "履行职责较好"}], ids=str)
def test_what_was_told_stands_when_the_opinion_does(session: Session, branch: Process, change: dict[str, Any]) -> None:
    row = acknowledged(session, a_rating(session, branch, "王五", told=True))
    amended(session, branch, row, **change)
    assert (row.feedback_on, row.acknowledged_at) == (TODAY, NOW)


def test_the_member_himself_acknowledges_once_and_after_he_was_told(session: Session, branch: Process) -> None:
    row = a_rating(session, branch, "王五")
    with pytest.raises(Conflict, match="还没有反馈"):
        acknowledged(session, row)
    a_feedback(session, branch, row)
    with pytest.raises(Forbidden):
        acknowledge(session, row, remark=None, by=caller(session, "张三"), now=NOW)
    acknowledged(session, row, "同意")
    assert (row.acknowledged_at, row.remark) == (NOW, "同意")
    with pytest.raises(Conflict, match="已经确认"):
        acknowledged(session, row)


def test_the_acknowledgement_never_closes_but_is_of_what_stands(session: Session, branch: Process) -> None:
    row, gone = (a_rating(session, branch, name, told=True) for name in ("王五", "孙八"))
    withdraw(gone, by="z3", now=NOW, reason="写错")
    stand_at(session, branch, Stage.ACCEPTED)
    acknowledged(session, row)
    with pytest.raises(Conflict):
        acknowledged(session, gone)


def test_the_secretary_acknowledges_his_own(session: Session, branch: Process) -> None:
    assert acknowledged(session, a_rating(session, branch, "张三", told=True)).acknowledged_at == NOW


# ── D3: everybody ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everybody_has_a_level_with_its_opinion_or_a_reason_not_to_be_rated(session: Session, branch: Process) -> None:
    assert lacking(session, branch, D3) == EVERYBODY
    for name in ("张三", "李四"):
        a_rating(session, branch, name)
    a_rating(session, branch, "钱七", opinion=None)
    a_rating(session, branch, "王五", None)
    a_rating(session, branch, "孙八", None, opinion=None, not_rated_reason="长期病休")
    assert lacking(session, branch, D3) == ["q7", "w5"]


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_a_rating_that_was_taken_back_is_none(session: Session, branch: Process, take_back: Any) -> None:
    row = a_rating(session, branch, "王五")
    assert "w5" not in lacking(session, branch, D3)
    assert lacking(session, branch, D6) == ["w5"]
    take_back(row, by="office", now=NOW, reason="有误")
    session.flush()
    assert "w5" in lacking(session, branch, D3)
    assert lacking(session, branch, D6) == []


def test_a_confirmed_excuse_and_who_has_left_or_is_rated_elsewhere_are_not_asked_for(session: Session, branch: Process) -> None:
    excused(session, branch, "王五", confirmed=False)
    assert lacking(session, branch, D3) == EVERYBODY
    excused(session, branch, "王五")
    leaves(session, "孙八")
    on_roll(session, branch, "钱七").rated_here = False
    assert lacking(session, branch, D3) == ["l4", "z3"]


def test_a_probationary_member_is_not_asked_for(session: Session) -> None:
    assert lacking(session, a_branch_of(session, 4, probationary=["党员3"]), D3) == ["m01", "m02", "z3"]


def test_no_reason_stands_in_place_of_a_rating(session: Session, branch: Process) -> None:
    with pytest.raises(Invalid):
        a_waiver(session, branch, D3, "w5")


# ── D6: told, and known ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_level_is_told_to_its_member(session: Session, branch: Process) -> None:
    row = a_rating(session, branch, "王五")
    a_rating(session, branch, "孙八", None, not_rated_reason="长期病休")
    a_rating(session, branch, "李四", None)
    assert lacking(session, branch, D6) == ["w5"]
    a_feedback(session, branch, row)
    assert lacking(session, branch, D6) == []


def test_an_excuse_does_not_spare_the_feedback_but_a_reason_does(session: Session, branch: Process) -> None:
    a_rating(session, branch, "王五")
    a_rating(session, branch, "孙八")
    excused(session, branch, "王五")
    assert lacking(session, branch, D6) == ["s8", "w5"]
    a_waiver(session, branch, D6, "w5", reason="出国，联系不上")
    assert lacking(session, branch, D6) == ["s8"]


def test_who_has_left_need_not_be_told(session: Session, branch: Process) -> None:
    a_rating(session, branch, "王五")
    a_rating(session, branch, "孙八", told=True)
    leaves(session, "王五")
    leaves(session, "孙八")
    assert lacking(session, branch, D6) == lacking(session, branch, TOLD) == []


@pytest.mark.parametrize("stage", [Stage.RATING, Stage.RECTIFICATION, Stage.FILED, Stage.ACCEPTED])
def test_the_member_is_asked_to_acknowledge_until_the_end_and_it_blocks_nothing(session: Session, branch: Process, stage: Stage) -> None:
    row = a_rating(session, branch, "王五", told=True)
    a_rating(session, branch, "孙八")
    stand_at(session, branch, stage)

    def asked(name: str) -> list[str]:
        mine = todos(session, person(session, name).id, today=TODAY)
        return [subject.id for each in mine if each.requirement.name == TOLD for subject in each.open]

    assert (asked("王五"), asked("张三"), asked("孙八")) == (["w5"], [], [])
    assert TOLD in [each.requirement.name for each in exceptions(session, 2024, today=TODAY)]
    assert TOLD not in [each.requirement.name for each in blocking(session, branch)]
    acknowledged(session, row)
    assert asked("王五") == []


def test_with_all_that_it_asks_the_stage_lets_pass(session: Session, branch: Process) -> None:
    assert blocking(session, branch) != []
    all_rating(session, branch)
    assert blocking(session, branch) == []
    assert {each.requirement.name for each in unmet(session, branch, today=TODAY)} <= {TOLD}


def test_members_come_by_name_in_what_is_said(session: Session, branch: Process) -> None:
    (found,) = unmet(session, branch, [BY_NAME[D3]])
    assert found.message.zh == "还有 5 名党员没有评定意见，也没有写明不评定等次的原因：李四、钱七、孙八、王五、张三"
    assert on_roll(session, branch, "王五").standing is Standing.FULL
