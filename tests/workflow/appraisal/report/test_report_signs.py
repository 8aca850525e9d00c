"""Signs of going through the motions only (Q3).

Meetings on the day of their study or talks, and texts copied from another.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, TODAY, a_school
from tests.support.records.evidence import lacking, leaves, stand_at
from tests.support.records.rating import QUALIFIED, a_counted_ballot, a_rating, amended, ratings
from tests.support.records.report import ALIKE
from tests.support.records.self_review import ANSWERED, a_life_meeting, a_meeting, a_self_review
from tests.support.situations import EVERYBODY, HELD_ON, a_study, a_talk
from workflow.appraisal.rating.ratings import Rating
from workflow.appraisal.report.requirements import (
    copied_opinions,
    copied_self_reviews,
    meetings_on_the_day_of_the_study,
    meetings_on_the_day_of_the_talks,
)
from workflow.appraisal.study.sessions import StudySession
from workflow.foundation.vocabulary import STAGES, Kind, MeetingPurpose, Severity
from workflow.machine.gate import blocking, signs
from workflow.rules.evidence import Evidence, record_of_member, reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of

STUDY_DAY, TALK_DAY = meetings_on_the_day_of_the_study.name, meetings_on_the_day_of_the_talks.name
SELF_REVIEWS, OPINIONS = copied_self_reviews.name, copied_opinions.name
DAY_BEFORE = HELD_ON - timedelta(days=1)


@pytest.fixture
def branch(session: Session) -> Process:
    return a_school(session)


def taken_back(session: Session, row: Evidence, *, how: Any = withdraw) -> None:
    how(row, by="office", now=NOW, reason="有误")
    session.flush()


def rating_of(session: Session, process: Process, name: str) -> Rating:
    return record_of_member(session, Rating, process.id, STAFF_NO[name])


def studied_on(session: Session, process: Process, day: date, **fields: Any) -> StudySession:
    row = a_study(session, process, **fields)
    row.held_on = day
    session.flush()
    return row


def test_a_meeting_on_the_day_of_its_study_is_a_sign_unless_there_was_one_before(session: Session, branch: Process) -> None:
    same = a_study(session, branch)
    meeting = a_life_meeting(session, branch, held_on=HELD_ON)
    assert lacking(session, branch, STUDY_DAY) == [str(meeting.id)]
    before = studied_on(session, branch, DAY_BEFORE)
    assert lacking(session, branch, STUDY_DAY) == []
    taken_back(session, before)
    assert lacking(session, branch, STUDY_DAY) == [str(meeting.id)]
    studied_on(session, branch, DAY_BEFORE, exchange=None)
    studied_on(session, branch, HELD_ON + timedelta(days=1))
    assert lacking(session, branch, STUDY_DAY) == [str(meeting.id)]
    taken_back(session, same)
    assert lacking(session, branch, STUDY_DAY) == []


def test_a_meeting_on_the_day_of_all_its_talks_is_a_sign(session: Session, branch: Process) -> None:
    a_study(session, branch)
    meeting = a_life_meeting(session, branch, held_on=HELD_ON)
    assert lacking(session, branch, TALK_DAY) == []
    same = a_talk(session, branch, "张三", "王五")
    assert lacking(session, branch, TALK_DAY) == [str(meeting.id)]
    before = a_talk(session, branch, "张三", "孙八", held_on=DAY_BEFORE)
    assert lacking(session, branch, TALK_DAY) == []
    taken_back(session, before, how=reject)
    assert lacking(session, branch, TALK_DAY) == [str(meeting.id)]
    a_talk(session, branch, "张三", "李四", held_on=HELD_ON + timedelta(days=1))
    taken_back(session, same)
    assert lacking(session, branch, TALK_DAY) == []


@pytest.mark.parametrize("requirement", [STUDY_DAY, TALK_DAY])
def test_the_sign_is_of_each_self_review_meeting_that_counts_and_of_no_other(session: Session, branch: Process, requirement: str) -> None:
    a_study(session, branch)
    a_talk(session, branch, "张三", "王五")
    for purpose in (MeetingPurpose.REPORT, MeetingPurpose.DECIDING):
        a_meeting(session, branch, purpose, held_on=HELD_ON)
    a_life_meeting(session, branch)
    assert lacking(session, branch, requirement) == []
    one, other = (a_life_meeting(session, branch, held_on=HELD_ON) for _ in range(2))
    assert set(lacking(session, branch, requirement)) == {str(one.id), str(other.id)}
    taken_back(session, one)
    assert lacking(session, branch, requirement) == [str(other.id)]


def written(name: str, **other: str) -> dict[str, str]:
    """Write a self-review in the member's own words, except for the given aspects."""
    return {**{aspect: f"{name}：{said}" for aspect, said in ANSWERED.items()}, **other}


def test_one_aspect_in_the_same_words_makes_both_self_reviews_a_sign(session: Session, branch: Process) -> None:
    for name in ("王五", "孙八", "李四"):
        a_self_review(session, branch, name, aspects=written(name, **({} if name == "李四" else {"A3": ALIKE})))
    assert lacking(session, branch, SELF_REVIEWS) == ["s8", "w5"]


def test_the_same_words_to_two_aspects_are_no_copy(session: Session, branch: Process) -> None:
    a_self_review(session, branch, "王五", aspects=written("王五", A1=ALIKE, A2=ALIKE))
    a_self_review(session, branch, "孙八", aspects=written("孙八", A4=ALIKE))
    assert lacking(session, branch, SELF_REVIEWS) == []


def test_a_draft_a_record_taken_back_and_who_has_left_are_copies_of_nobody(session: Session, branch: Process) -> None:
    a_self_review(session, branch, "王五")
    a_self_review(session, branch, "孙八", submitted=False)
    assert lacking(session, branch, SELF_REVIEWS) == []
    row = a_self_review(session, branch, "李四")
    assert lacking(session, branch, SELF_REVIEWS) == ["l4", "w5"]
    taken_back(session, row)
    assert lacking(session, branch, SELF_REVIEWS) == []
    a_self_review(session, branch, "李四")
    leaves(session, "李四")
    assert "l4" not in lacking(session, branch, SELF_REVIEWS)


@pytest.mark.parametrize(("characters", "alike"), [(29, []), (30, ["s8", "w5"])])
def test_a_short_text_may_be_everybodys_own(session: Session, branch: Process, characters: int, alike: list[str]) -> None:
    text = ALIKE[:characters]
    a_counted_ballot(session, branch)
    for name in ("王五", "孙八"):
        a_self_review(session, branch, name, aspects=written(name, A3=text))
        a_rating(session, branch, name, opinion=text)
    assert (lacking(session, branch, SELF_REVIEWS), lacking(session, branch, OPINIONS)) == (alike, alike)


def test_somebody_copies_nothing_from_himself(session: Session, branch: Process) -> None:
    a_counted_ballot(session, branch)
    acts: list[Callable[[], Evidence]] = [
        lambda: a_self_review(session, branch, "王五"),
        lambda: a_rating(session, branch, "王五"),
    ]
    for act in acts:
        taken_back(session, act())
        act()
    assert (lacking(session, branch, SELF_REVIEWS), lacking(session, branch, OPINIONS)) == ([], [])


def test_an_opinion_in_the_words_of_another_is_a_sign_for_both(session: Session, branch: Process) -> None:
    a_counted_ballot(session, branch)
    ratings(session, branch, dict.fromkeys(("王五", "孙八"), QUALIFIED), opinion=ALIKE)
    row = a_rating(session, branch, "李四", opinion="乐于助人")
    for name in ("钱七", "张三"):
        a_rating(session, branch, name, None, opinion=None, not_rated_reason="长期外派")
    assert lacking(session, branch, OPINIONS) == ["s8", "w5"]
    amended(session, branch, row, opinion=ALIKE)
    assert lacking(session, branch, OPINIONS) == ["l4", "s8", "w5"]
    leaves(session, "李四")
    assert lacking(session, branch, OPINIONS) == ["s8", "w5"]
    taken_back(session, rating_of(session, branch, "王五"), how=reject)
    amended(session, branch, rating_of(session, branch, "孙八"), opinion="热心")
    assert lacking(session, branch, OPINIONS) == []


def test_signs_stand_in_nobodys_way_and_beside_the_form_at_every_stage(session: Session, branch: Process) -> None:
    a_study(session, branch, EVERYBODY)
    a_life_meeting(session, branch, held_on=HELD_ON)
    for stage in STAGES[Kind.APPRAISAL]:
        stand_at(session, branch, stage)
        shown = {row.requirement.name: row.requirement.severity for row in signs(session, branch, today=TODAY)}
        assert shown[STUDY_DAY] is Severity.SIGN
        assert STUDY_DAY not in {row.requirement.name for row in blocking(session, branch)}


def test_the_words_of_another_branch_are_no_copy_here(session: Session, branch: Process) -> None:
    elsewhere = process_of(session, 2024, "D0201")
    a_self_review(session, branch, "王五")
    a_self_review(session, elsewhere, "吴十")
    for process, name in ((branch, "王五"), (elsewhere, "吴十")):
        a_counted_ballot(session, process)
        a_rating(session, process, name, opinion=ALIKE)
        assert (lacking(session, process, SELF_REVIEWS), lacking(session, process, OPINIONS)) == ([], [])
