"""Activities (集中活动): the office's records of the year, and the sign for missing attendance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_cycle, a_school, an_office, caller
from tests.support.records.assessment import an_assessment
from tests.support.records.assessment_activities import HELD_ON, OF_BOTH, SITUATIONS, an_activity, attended
from tests.support.records.evidence import lacking, stand_at
from tests.support.records.rectification import another_year
from workflow.assessment.activities import (
    Activity,
    Turnout,
    activities_of,
    activity_of,
    amend_activity,
    turnouts,
    turnouts_of_branches,
    withdraw_activity,
)
from workflow.foundation.database import constraint
from workflow.foundation.errors import Conflict, Exists, Invalid, NotFound, StageClosed, Stale
from workflow.foundation.history import History
from workflow.foundation.vocabulary import CycleStatus, Stage
from workflow.year.cycle import Cycle, Process
from workflow.year.finding import cycle_by_year
from workflow.year.opening import close_cycle

SIGN = "activities_without_attendance"


@pytest.fixture
def here(session: Session) -> Process:
    """The assessment of 张三's branch; there is also that of 赵六's."""
    a_school(session)
    return an_assessment(session)


@pytest.fixture
def cycle(session: Session, here: Process) -> Cycle:
    return cycle_by_year(session, 2024)


def amend(session: Session, row: Activity, *, seen: int | None = None, **body: object) -> None:
    cycle = session.get_one(Cycle, row.cycle_id)
    amend_activity(session, cycle, row, body, seen=row.version if seen is None else seen, now=NOW)


def take_back(session: Session, row: Activity) -> None:
    withdraw_activity(session, session.get_one(Cycle, row.cycle_id), row, by=caller(session, "office"), now=NOW, reason="重复登记")


# ── recording ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_activity_is_recorded_with_who_and_when(session: Session, cycle: Cycle) -> None:
    row = an_activity(session, cycle, expected=8)
    session.expire_all()
    kept = activity_of(session, cycle, row.id)
    assert (kept.kind, kept.name, kept.held_on, kept.expected) == ("study", "主题党日", HELD_ON, 8)
    assert (kept.recorded_by, kept.recorded_at, kept.version, kept.counts) == ("office", NOW, 1, True)


def test_an_activity_may_be_planned_ahead(session: Session, cycle: Cycle) -> None:
    assert an_activity(session, cycle, held_on=TODAY + timedelta(days=10)).id


@pytest.mark.parametrize("day", [date(2023, 1, 1), date(2025, 12, 31)])
def test_the_work_of_a_year_may_begin_in_the_one_before_and_end_in_the_next(session: Session, cycle: Cycle, day: date) -> None:
    assert an_activity(session, cycle, held_on=day).held_on == day


@pytest.mark.parametrize("day", [date(2022, 12, 31), date(2026, 1, 1), date(2042, 10, 10)])
def test_a_slip_in_the_year_is_refused(session: Session, cycle: Cycle, day: date) -> None:
    row = an_activity(session, cycle)
    with pytest.raises(Invalid) as refused:
        an_activity(session, cycle, name="志愿服务", held_on=day)
    assert refused.value.errors.keys() == {"held_on"}
    with pytest.raises(Invalid):
        amend(session, row, held_on=day)


def test_a_draft_may_have_activities_and_a_closed_year_has_no_new_ones(session: Session) -> None:
    an_office(session)
    draft = a_cycle(session)
    row = an_activity(session, draft)
    draft.status = CycleStatus.PUBLISHED
    close_cycle(session, draft, leave_open=True, reason="年底前不再进行", now=NOW)
    for change in (
        lambda: an_activity(session, draft, name="志愿服务"),
        lambda: amend(session, row, name="志愿服务"),
        lambda: take_back(session, row),
    ):
        with pytest.raises(Conflict, match="已办结"):
            change()
    assert (row.name, row.counts, row.version) == ("主题党日", True, 1)


def test_the_same_activity_is_recorded_once(session: Session, cycle: Cycle) -> None:
    an_activity(session, cycle)
    with pytest.raises(Exists) as refused:
        an_activity(session, cycle)
    assert "“主题党日”（党员教育学习）已经登记" in refused.value.detail.zh


@pytest.mark.parametrize("other", [{"kind": "civility"}, {"name": "主题党日（二）"}, {"held_on": HELD_ON + timedelta(days=1)}])
def test_another_kind_name_or_day_is_another_activity(session: Session, cycle: Cycle, other: dict[str, object]) -> None:
    assert an_activity(session, cycle).id != an_activity(session, cycle, **other).id


def test_what_was_taken_back_may_be_recorded_again(session: Session, cycle: Cycle) -> None:
    take_back(session, an_activity(session, cycle))
    assert an_activity(session, cycle).counts


def test_the_table_itself_lets_no_two_of_the_same_stand(session: Session, cycle: Cycle) -> None:
    row = an_activity(session, cycle)
    same = {name: getattr(row, name) for name in ("cycle_id", "kind", "name", "held_on", "version", "recorded_by", "recorded_at")}
    with pytest.raises(IntegrityError) as refused:
        session.execute(insert(Activity), [same])
    assert constraint(refused.value) == "uq_activity_standing"


# ── correcting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_correction_changes_what_it_names_and_the_history_keeps_the_old(session: Session, cycle: Cycle) -> None:
    row = an_activity(session, cycle, expected=8)
    amend(session, row, name="党纪学习教育", expected=9)
    assert (row.name, row.expected, row.held_on, row.version) == ("党纪学习教育", 9, HELD_ON, 2)
    old = session.scalars(select(History.old).where(History.what == "activity", History.old.is_not(None))).one()
    assert old == {"name": "主题党日", "expected": 8, "version": 1}


def test_a_correction_of_what_has_changed_since_tells_what_changed(session: Session, cycle: Cycle) -> None:
    row = an_activity(session, cycle)
    amend(session, row, name="党纪学习教育")
    with pytest.raises(Stale) as refused:
        amend(session, row, seen=1, expected=9)
    assert [(each["version"], each["fields"]) for each in refused.value.extra["changed"]] == [(2, ["name"])]


def test_a_correction_of_nothing_changes_nothing(session: Session, cycle: Cycle) -> None:
    row = an_activity(session, cycle)
    amend(session, row)
    assert row.version == 1
    with pytest.raises(Stale):
        amend(session, row, seen=9)


def test_what_was_taken_back_is_not_corrected_and_not_taken_back_again(session: Session, cycle: Cycle) -> None:
    row = an_activity(session, cycle)
    take_back(session, row)
    assert (row.counts, row.withdrawn_by, row.withdrawn_reason, row.version) == (False, "office", "重复登记", 2)
    changes: list[Callable[[], None]] = [lambda: amend(session, row, name="志愿服务"), lambda: take_back(session, row)]
    for change in changes:
        with pytest.raises(Conflict):
            change()


def test_a_correction_makes_no_second_one_of_the_same(session: Session, cycle: Cycle) -> None:
    an_activity(session, cycle)
    row = an_activity(session, cycle, name="志愿服务")
    with pytest.raises(Exists):
        amend(session, row, name="主题党日")


def test_a_correction_that_leaves_it_the_same_activity_is_none_of_another(session: Session, cycle: Cycle) -> None:
    row = an_activity(session, cycle)
    amend(session, row, name="主题党日", expected=5)
    assert row.expected == 5


def test_what_was_attended_cannot_be_moved_to_a_day_still_to_come(session: Session, cycle: Cycle) -> None:
    planned, held = an_activity(session, cycle, name="志愿服务"), an_activity(session, cycle)
    attended(session, held)
    amend(session, planned, held_on=TODAY + timedelta(days=1))
    amend(session, held, held_on=TODAY)
    with pytest.raises(Invalid) as refused:
        amend(session, held, held_on=TODAY + timedelta(days=1))
    assert refused.value.errors.keys() == {"held_on"}


def test_what_a_branch_was_summarised_with_keeps_its_kind_and_stands(session: Session, cycle: Cycle, here: Process) -> None:
    row = an_activity(session, cycle)
    attended(session, row)
    stand_at(session, here, Stage.SUMMARISED)
    changes: list[Callable[[], None]] = [lambda: amend(session, row, kind="civility"), lambda: take_back(session, row)]
    for change in changes:
        with pytest.raises(StageClosed) as refused:
            change()
        assert refused.value.detail.zh == "D0101党支部的考核材料已汇总，先退回再改动"
    assert (row.kind, row.counts) == ("study", True)
    # a correction of a field that counts nothing is allowed
    amend(session, row, kind="study", name="党纪学习教育")
    stand_at(session, here, Stage.COLLECTING)
    amend(session, row, kind="civility")
    take_back(session, row)
    assert not row.counts


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_activities_are_read_in_the_order_they_were_recorded_and_by_kind(session: Session, cycle: Cycle) -> None:
    first = an_activity(session, cycle, held_on=TODAY)
    second = an_activity(session, cycle, kind="volunteering")
    take_back(session, second)
    assert [row.id for row in activities_of(session, cycle)] == [first.id, second.id]
    assert [row.id for row in activities_of(session, cycle, after=first.id)] == [second.id]
    assert [row.id for row in activities_of(session, cycle, limit=1)] == [first.id]
    assert [row.id for row in activities_of(session, cycle, kind="volunteering")] == [second.id]


def test_an_activity_of_another_year_is_none_of_this(session: Session, cycle: Cycle, here: Process) -> None:
    row = an_activity(session, cycle)
    before = another_year(session, here, 2023).cycle
    assert activities_of(session, before) == []
    with pytest.raises(NotFound):
        activity_of(session, before, row.id)


def test_the_turnout_is_counted_over_the_whole_school(session: Session, cycle: Cycle) -> None:
    row, nobody = an_activity(session, cycle), an_activity(session, cycle, name="志愿服务")
    attended(session, row)
    assert turnouts(session, [row.id, nobody.id]) == {row.id: Turnout(expected=5, present=3, on_leave=1, absent=1)}


def test_the_turnout_is_counted_by_branch_and_activity(session: Session, cycle: Cycle, here: Process) -> None:
    there = an_assessment(session, "D0201")
    first, second = an_activity(session, cycle, name="一"), an_activity(session, cycle, name="二")
    attended(session, first)
    attended(session, second, {"张三": "缺勤"})
    assert turnouts_of_branches(session, [here.id, there.id]) == {
        (here.id, first.id): Turnout(expected=3, present=2, on_leave=1, absent=0),
        (there.id, first.id): Turnout(expected=2, present=1, on_leave=0, absent=1),
        (here.id, second.id): Turnout(expected=1, present=0, on_leave=0, absent=1),
    }
    assert set(turnouts_of_branches(session, [there.id])) == {(there.id, first.id)}


# ── the sign ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("met", [True, False])
def test_an_activity_without_attendance_is_a_sign(session: Session, here: Process, met: bool) -> None:
    situation = SITUATIONS[SIGN]
    (situation.met if met else situation.unmet)(session, here)
    assert lacking(session, here, SIGN) == ([] if met else [str(activity.id) for activity in activities_of(session, here.cycle)])


def test_each_branch_shows_each_activity_until_one_sheet_is_applied(session: Session, cycle: Cycle, here: Process) -> None:
    rows = [an_activity(session, cycle), an_activity(session, cycle, name="志愿服务")]
    there = an_assessment(session, "D0201")
    for process in (here, there):
        assert set(lacking(session, process, SIGN)) == {str(row.id) for row in rows}
    attended(session, rows[0], {name: words for name, words in OF_BOTH.items() if name == "赵六"})
    # one sheet is for the school: a branch without expected members needs none of its own
    for process in (here, there):
        assert lacking(session, process, SIGN) == [str(rows[1].id)]


def test_what_is_still_to_come_or_was_taken_back_is_no_sign(session: Session, cycle: Cycle, here: Process) -> None:
    an_activity(session, cycle, name="明天", held_on=TODAY + timedelta(days=1))
    today = an_activity(session, cycle, name="今天", held_on=TODAY)
    take_back(session, an_activity(session, cycle))
    assert lacking(session, here, SIGN) == [str(today.id)]


def test_what_another_year_held_is_no_sign(session: Session, here: Process) -> None:
    an_activity(session, another_year(session, here, 2023).cycle, held_on=date(2023, 10, 10))
    assert lacking(session, here, SIGN) == []
