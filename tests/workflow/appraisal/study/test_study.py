"""Study (集中学习): a session with attendance and exchange, both titles, and all its readers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, READING, a_branch, a_cycle, a_school, an_office, caller
from tests.support.records.evidence import a_make_up, excused, lacking, leaves, stand_at
from tests.support.situations import EVERYBODY, HELD_ON, a_study
from workflow.appraisal.study.sessions import (
    SESSIONS,
    StudyAttendance,
    members_who_have_not_studied,
    no_study_with_exchange,
    required_titles_not_read,
)
from workflow.foundation.errors import Conflict, Exists, Invalid, StageClosed, Stale
from workflow.foundation.vocabulary import Stage
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.opening import publish

E1, E3, E4 = no_study_with_exchange.name, required_titles_not_read.name, members_who_have_not_studied.name
DISCIPLINE, WORK_RULES = READING


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning."""
    return a_school(session)


# ── E1: a session with attendance and exchange ────────────────────────────────────────────────────────────────────────


def test_a_study_with_people_and_exchange_is_what_e1_asks(session: Session, branch: Process) -> None:
    assert lacking(session, branch, E1) == [""]
    a_study(session, branch)
    assert lacking(session, branch, E1) == []


def test_a_study_without_exchange_is_not_enough(session: Session, branch: Process) -> None:
    a_study(session, branch, exchange=None)
    assert lacking(session, branch, E1) == [""]


def test_a_study_that_nobody_attended_is_not_enough(session: Session, branch: Process) -> None:
    a_study(session, branch, present=())
    assert lacking(session, branch, E1) == [""]


def test_people_in_one_session_and_exchange_in_another_are_not_one_study(session: Session, branch: Process) -> None:
    a_study(session, branch, exchange=None)
    a_study(session, branch, present=())
    assert lacking(session, branch, E1) == [""]


@pytest.mark.parametrize("take_back", [withdraw, reject])
@pytest.mark.parametrize("requirement", [E1, E3, E4])
def test_a_study_that_was_taken_back_counts_for_nothing(session: Session, branch: Process, requirement: str, take_back: object) -> None:
    study = a_study(session, branch)
    assert lacking(session, branch, requirement) == []
    take_back(study, by="office", now=NOW, reason="记录有误")  # type: ignore[operator]
    session.flush()
    assert lacking(session, branch, requirement) != []


def test_the_study_of_another_branch_counts_for_nothing(session: Session, branch: Process) -> None:
    a_study(session, process_of(session, 2024, "D0201"), present=("赵六", "吴十", "郑一"), by="赵六")
    assert lacking(session, branch, E1) == [""]
    assert len(lacking(session, branch, E3)) == len(READING)
    assert len(lacking(session, branch, E4)) == len(EVERYBODY)


# ── E3: both titles ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("read", "open_"),
    [
        ([READING], []),
        ([[DISCIPLINE]], [WORK_RULES]),
        ([[WORK_RULES], [DISCIPLINE]], []),
        ([[]], sorted(READING)),
        ([[*READING, "党章"]], []),
        ([[f"《{title}》" for title in READING]], []),
        ([["中国共产党支部工作条例", DISCIPLINE]], [WORK_RULES]),
    ],
    ids=["both", "one", "one a day", "none", "more", "with book marks", "not letter by letter"],
)
def test_each_required_title_must_have_been_read(session: Session, branch: Process, read: Sequence[Sequence[str]], open_: list[str]) -> None:
    for titles in read:
        a_study(session, branch, titles=titles)
    assert lacking(session, branch, E3) == open_


# ── E4: everybody, every title ────────────────────────────────────────────────────────────────────────────────────────


def test_who_was_there_or_made_it_up_has_studied(session: Session, branch: Process) -> None:
    study = a_study(session, branch, present=("张三", "李四", "钱七", "王五"))
    assert lacking(session, branch, E4) == ["s8"]
    a_make_up(session, branch, study, "孙八")
    assert lacking(session, branch, E4) == []


def test_each_member_must_have_read_each_title(session: Session, branch: Process) -> None:
    a_study(session, branch, present=EVERYBODY, titles=[DISCIPLINE])
    second = a_study(session, branch, present=("张三", "李四", "钱七"), titles=[WORK_RULES])
    assert lacking(session, branch, E4) == ["s8", "w5"]
    a_make_up(session, branch, second, "王五")
    assert lacking(session, branch, E4) == ["s8"]


def test_someone_who_lacks_two_titles_is_named_once(session: Session, branch: Process) -> None:
    a_study(session, branch, present=("张三", "李四", "钱七", "王五"))
    assert lacking(session, branch, E4) == ["s8"]
    rows = members_who_have_not_studied.query().subquery()
    assert session.scalar(select(func.count()).select_from(rows).where(rows.c.process_id == branch.id)) == 1


def test_a_make_up_of_a_session_that_was_taken_back_counts_for_nothing(session: Session, branch: Process) -> None:
    study = a_study(session, branch, present=("张三",))
    a_make_up(session, branch, study, "王五")
    withdraw(study, by="z3", now=NOW, reason="日期写错")
    session.flush()
    assert "w5" in lacking(session, branch, E4)


def test_only_a_confirmed_excuse_takes_someone_out(session: Session, branch: Process) -> None:
    a_study(session, branch, present=("张三", "李四", "钱七"))
    assert lacking(session, branch, E4) == ["s8", "w5"]
    excused(session, branch, "王五", confirmed=False)
    assert lacking(session, branch, E4) == ["s8", "w5"]
    excused(session, branch, "王五")
    assert lacking(session, branch, E4) == ["s8"]


def test_who_has_left_need_not_study_any_more(session: Session, branch: Process) -> None:
    a_study(session, branch, present=("张三", "李四", "钱七", "王五"))
    leaves(session, "孙八")
    assert lacking(session, branch, E4) == []


def test_a_probationary_member_studies_like_everybody(session: Session) -> None:
    an_office(session)
    a_branch(session, members=("张三", "王五", "孙八"), committee=("张三",), probationary=("孙八",))
    publish(session, a_cycle(session), now=NOW)
    process = process_of(session, 2024, "D0101")
    a_study(session, process, present=("张三", "王五"))
    assert lacking(session, process, E4) == ["s8"]


# ── recording ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_study_that_is_still_to_come_cannot_be_recorded(session: Session, branch: Process) -> None:
    study = a_study(session, branch)
    with pytest.raises(Invalid, match="2024-12-21 还没有到"):
        SESSIONS.amend(session, branch, study, {"held_on": date(2024, 12, 21)}, seen=1, by=caller(session, "张三"), now=NOW)


def test_only_people_of_the_roll_can_have_been_there(session: Session, branch: Process) -> None:
    with pytest.raises(Invalid, match="z6 不在本支部名册上") as refused:
        a_study(session, branch, present=("张三", "赵六"))
    assert list(refused.value.errors) == ["present"]


def test_a_correction_replaces_who_was_there(session: Session, branch: Process) -> None:
    study = a_study(session, branch, present=("张三", "李四"))
    SESSIONS.amend(session, branch, study, {"present": ["l4", "w5"]}, seen=1, by=caller(session, "张三"), now=NOW)
    there = session.scalars(select(StudyAttendance.staff_no).where(StudyAttendance.session_id == study.id).order_by(StudyAttendance.staff_no))
    assert there.all() == ["l4", "w5"]
    assert (study.version, study.held_on) == (2, HELD_ON)


def test_a_correction_of_what_has_changed_meanwhile_is_refused(session: Session, branch: Process) -> None:
    study = a_study(session, branch)
    with pytest.raises(Stale):
        SESSIONS.amend(session, branch, study, {"form": "讨论"}, seen=2, by=caller(session, "张三"), now=NOW)


def test_what_was_taken_back_cannot_be_corrected_nor_taken_back_again(session: Session, branch: Process) -> None:
    study = a_study(session, branch)
    withdraw(study, by="z3", now=NOW, reason="重复登记")
    with pytest.raises(Conflict):
        SESSIONS.amend(session, branch, study, {"form": "讨论"}, seen=2, by=caller(session, "张三"), now=NOW)
    with pytest.raises(Conflict):
        reject(study, by="office", now=NOW, reason="重复登记")
    assert (study.withdrawn_by, study.withdrawn_at, study.withdrawn_reason) == ("z3", NOW, "重复登记")
    assert study.rejected_at is None


def test_a_study_can_be_neither_recorded_nor_corrected_once_its_stage_is_left(session: Session, branch: Process) -> None:
    study = a_study(session, branch)
    stand_at(session, branch, Stage.TALKS)
    with pytest.raises(StageClosed):
        a_study(session, branch)
    with pytest.raises(StageClosed):
        SESSIONS.amend(session, branch, study, {"form": "讨论"}, seen=1, by=caller(session, "张三"), now=NOW)


@pytest.mark.parametrize("stage", [Stage.TALKS, Stage.REPORT, Stage.FILED, Stage.ACCEPTED])
def test_a_make_up_never_closes(session: Session, branch: Process, stage: Stage) -> None:
    study = a_study(session, branch, present=("张三",))
    stand_at(session, branch, stage)
    assert a_make_up(session, branch, study, "王五").staff_no == "w5"


def test_who_was_there_or_has_made_it_up_makes_nothing_up(session: Session, branch: Process) -> None:
    study = a_study(session, branch, present=("张三",))
    with pytest.raises(Exists, match="张三 已经到会"):
        a_make_up(session, branch, study, "张三")
    a_make_up(session, branch, study, "王五")
    with pytest.raises(Exists, match="王五 已经补学"):
        a_make_up(session, branch, study, "王五")


def test_a_session_that_was_taken_back_cannot_be_made_up(session: Session, branch: Process) -> None:
    study = a_study(session, branch, present=("张三",))
    withdraw(study, by="z3", now=NOW, reason="重复登记")
    with pytest.raises(Conflict, match="不能补学"):
        a_make_up(session, branch, study, "王五")
