"""Records of a day outside the year are a sign with their day (Q2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school
from tests.support.records.evidence import lacking
from tests.support.records.rating import UNQUALIFIED, a_case, a_counted_ballot, a_rating
from tests.support.records.rectification import a_filing, a_publication
from tests.support.records.self_review import a_life_meeting
from tests.support.situations import a_study, a_talk
from workflow.appraisal.report.days import records_outside_the_year
from workflow.foundation.vocabulary import Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import unmet
from workflow.rules.evidence import withdraw
from workflow.year.cycle import Process
from workflow.year.deadlines import extend

OUTSIDE = records_outside_the_year.name


@pytest.fixture
def branch(session: Session) -> Process:
    return a_school(session)


def shown(session: Session, process: Process) -> list[tuple[str, str]]:
    return [(subject.id, subject.name) for each in unmet(session, process, [BY_NAME[OUTSIDE]]) for subject in each.open]


def _told(session: Session, process: Process) -> Any:
    a_counted_ballot(session, process)
    return a_rating(session, process, "王五", told=True)


def _case(session: Session, process: Process) -> Any:
    a_counted_ballot(session, process)
    a_rating(session, process, "王五", UNQUALIFIED)
    return a_case(session, process, "王五")


def _meeting(session: Session, process: Process) -> Any:
    a_study(session, process)
    return a_life_meeting(session, process)


DATED: dict[str, tuple[Callable[[Session, Process], Any], str, str]] = {
    "study-sessions": (a_study, "held_on", "集中学习"),
    "talks": (lambda session, process: a_talk(session, process, "张三", "王五"), "held_on", "谈心谈话"),
    "meetings": (_meeting, "held_on", "会议"),
    "ratings": (_told, "feedback_on", "评定意见反馈"),
    "disposition-cases": (_case, "proposed_on", "提出处置建议"),
    "publications": (lambda session, process: a_publication(session, process, to_on=date(2025, 2, 28)), "from_on", "公示"),
    "rectification-filings": (a_filing, "sent_on", "报备"),
}


@pytest.mark.parametrize("kind", DATED)
@pytest.mark.parametrize(("day", "outside"), [("2023-12-31", True), ("2024-01-01", False), ("2025-01-26", False), ("2025-01-27", True)])
def test_a_record_of_before_the_year_or_of_after_its_end_is_a_sign_with_its_day(
    session: Session, branch: Process, kind: str, day: str, outside: bool
) -> None:
    make, field, zh = DATED[kind]
    row = make(session, branch)
    assert shown(session, branch) == []
    setattr(row, field, date.fromisoformat(day))
    session.flush()
    number = row.staff_no if kind == "ratings" else row.id
    assert shown(session, branch) == ([(f"{kind}/{number}", f"{day} {zh}")] if outside else [])
    withdraw(row, by="z3", now=NOW, reason="日期写错")
    session.flush()
    assert shown(session, branch) == []


def test_a_branch_with_a_later_day_of_its_own_ends_later(session: Session, branch: Process) -> None:
    row = a_talk(session, branch, "张三", "王五")
    row.held_on = date(2025, 2, 3)
    session.flush()
    assert lacking(session, branch, OUTSIDE) == [f"talks/{row.id}"]
    extend(session, branch, stage=Stage.REPORT, due_on=date(2025, 2, 3), reason="防疫", by="office", now=datetime(2025, 1, 20, tzinfo=UTC))
    assert lacking(session, branch, OUTSIDE) == []


def test_a_round_of_its_own_ends_on_the_day_of_the_round(session: Session, branch: Process) -> None:
    row = a_talk(session, branch, "张三", "王五")
    row.held_on, branch.round, branch.round_due_on = date(2025, 2, 10), 2, date(2025, 2, 9)
    session.flush()
    assert lacking(session, branch, OUTSIDE) == [f"talks/{row.id}"]
    row.held_on = date(2025, 2, 9)
    session.flush()
    assert lacking(session, branch, OUTSIDE) == []
