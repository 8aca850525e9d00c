"""The burn-up (报送曲线): each day counts what stood filed at its end, in the school's time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, TODAY, a_branch, a_cycle, an_office
from workflow.foundation.vocabulary import Stage, Trigger
from workflow.readings.burn_up import burn_up
from workflow.year.cycle import Cycle, StageChange
from workflow.year.deadlines import change_processes
from workflow.year.finding import Lock, process_of
from workflow.year.opening import publish

DAY = timedelta(days=1)


def a_year(session: Session) -> Cycle:
    an_office(session)
    for code in ("D0101", "D0102", "D0103"):
        a_branch(session, code=code, members=(f"{code}a", f"{code}b"), committee=(f"{code}a",))
    cycle = a_cycle(session)
    publish(session, cycle, now=NOW)
    return cycle


def moved(session: Session, code: str, trigger: Trigger, source: Stage, target: Stage, at: datetime) -> None:
    process = process_of(session, 2024, code, lock=Lock.MOVE)
    change = {"round": 1, "version": process.version, "due_on": None, "reason": None, "late": False}
    session.add(StageChange(process_id=process.id, trigger=trigger, source=source, target=target, made_by="office", made_at=at, **change))
    session.flush()


def counted(session: Session, cycle: Cycle, today: date) -> dict[int, tuple[int, int]]:
    """Return filed and accepted by the number of days after the publication."""
    return {(each.day - TODAY).days: (each.filed, each.accepted) for each in burn_up(session, cycle, today=today).days}


def test_a_branch_counts_from_the_day_it_files_until_it_is_sent_back(session: Session) -> None:
    cycle = a_year(session)
    moved(session, "D0101", Trigger.FILE, Stage.REPORT, Stage.FILED, NOW + DAY)
    moved(session, "D0101", Trigger.ACCEPT, Stage.FILED, Stage.ACCEPTED, NOW + 2 * DAY)
    moved(session, "D0102", Trigger.FILE, Stage.REPORT, Stage.FILED, NOW + DAY)
    moved(session, "D0102", Trigger.RETURN, Stage.FILED, Stage.RATING, NOW + 3 * DAY)
    moved(session, "D0103", Trigger.ADVANCE, Stage.STUDY, Stage.TALKS, NOW + DAY)
    assert counted(session, cycle, TODAY + 4 * DAY) == {0: (0, 0), 1: (2, 0), 2: (2, 1), 3: (1, 1), 4: (1, 1)}


def test_a_day_ends_at_midnight_of_the_school(session: Session) -> None:
    cycle = a_year(session)
    # 15:59 and 16:00 of UTC are the two sides of the school's midnight.
    moved(session, "D0101", Trigger.FILE, Stage.REPORT, Stage.FILED, datetime(2024, 12, 20, 15, 59, tzinfo=UTC))
    moved(session, "D0102", Trigger.FILE, Stage.REPORT, Stage.FILED, datetime(2024, 12, 20, 16, 0, tzinfo=UTC))
    assert counted(session, cycle, TODAY + DAY) == {0: (1, 0), 1: (2, 0)}


def test_a_branch_that_takes_no_part_any_more_counts_nowhere(session: Session) -> None:
    cycle = a_year(session)
    moved(session, "D0101", Trigger.FILE, Stage.REPORT, Stage.FILED, NOW)
    process = process_of(session, 2024, "D0101", lock=Lock.MOVE)
    change_processes(session, [process], {"ended_at": NOW, "ended_by": "office", "ended_why": "dissolved", "ended_reason": "撤销"})
    seen = burn_up(session, cycle, today=TODAY)
    assert (seen.branches, seen.due_on) == (2, DEADLINES[Stage.REPORT])
    assert [(each.filed, each.accepted) for each in seen.days] == [(0, 0)]


def test_a_draft_has_no_days(session: Session) -> None:
    an_office(session)
    assert burn_up(session, a_cycle(session), today=TODAY).days == []
