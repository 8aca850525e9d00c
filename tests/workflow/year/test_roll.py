"""The roll (名册): each process's own copy of its people.

It says who leads, whose vote counts, and who is excused.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_branch, a_cycle, a_school, an_office, caller, person
from tests.support.records.evidence import a_small_branch, excused, leaves, stand_at
from tests.support.situations import on_roll
from workflow.foundation.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, CycleStatus, Kind, Post, Stage, Standing
from workflow.machine.rolls import rolls_follow
from workflow.people.organisation import Appointment, Branch
from workflow.roster.posts import appoint, end_appointment
from workflow.year.cycle import Participant, Process
from workflow.year.finding import process_of
from workflow.year.following import open_processes
from workflow.year.opening import publish
from workflow.year.roll import RollSchema, amend_roll, confirm_excuse, participants, roll, secretaries


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning."""
    return a_school(session)


def names(session: Session, process: Process) -> list[str]:
    return [row.name for row in roll(session, process.id) if row.left_on is None]


def moved(session: Session, name: str, to: str) -> None:
    """Transfer a member to another branch, and let the rolls follow."""
    person(session, name).branch_id = session.scalars(select(Branch.id).where(Branch.code == to)).one()
    session.flush()
    rolls_follow(session, now=NOW)


# ── what publishing gives ─────────────────────────────────────────────────────────────────────────────────────────────


def test_publishing_gives_each_branch_its_process_and_each_member_his_line(session: Session, branch: Process) -> None:
    opened = session.execute(select(Branch.code, Process.kind).join(Process.branch)).all()
    assert sorted(opened) == [(code, kind) for code in ("D0101", "D0201") for kind in Kind]
    assert (branch.stage, branch.round, branch.version, branch.due_on) == (Stage.STUDY, 1, 1, date(2024, 12, 25))
    for kind in Kind:
        assert names(session, process_of(session, 2024, "D0101", kind=kind)) == ["李四", "钱七", "孙八", "王五", "张三"]
        assert names(session, process_of(session, 2024, "D0201", kind=kind)) == ["吴十", "郑一", "赵六"]


def test_the_committee_leads_where_there_is_one(session: Session, branch: Process) -> None:
    lines = {row.name: (row.post, row.title, row.on_committee, row.leads) for row in roll(session, branch.id)}
    assert lines == {
        "张三": (Post.SECRETARY, "书记", True, True),
        "李四": (Post.COMMITTEE_MEMBER, "组织委员", True, True),
        "钱七": (Post.COMMITTEE_MEMBER, "宣传委员", True, True),
        "王五": (None, None, False, False),
        "孙八": (None, None, False, False),
    }


def test_without_a_committee_secretary_and_deputy_lead_and_nobody_is_on_it(session: Session) -> None:
    process = a_small_branch(session)
    appoint(session, {"staff_no": "w5", "branch": "D0101", "post": Post.DEPUTY, "starts_on": TODAY}, now=NOW)
    lines = {row.name: (row.on_committee, row.leads) for row in roll(session, process.id)}
    assert lines == {"张三": (False, True), "王五": (False, True), "孙八": (False, False)}


def test_a_deputy_who_is_on_the_committee_leads_and_a_group_leader_does_not(session: Session, branch: Process) -> None:
    for staff_no, post in (("w5", Post.DEPUTY), ("s8", Post.GROUP_LEADER)):
        appoint(session, {"staff_no": staff_no, "branch": "D0101", "post": post, "starts_on": TODAY}, now=NOW)
    assert {row.name: row.leads for row in roll(session, branch.id)} == {"张三": True, "王五": True, "李四": True, "钱七": True, "孙八": False}
    assert on_roll(session, branch, "王五").post is Post.DEPUTY


def test_a_probationary_member_has_no_vote(session: Session) -> None:
    an_office(session)
    a_branch(session, members=("张三", "王五", "孙八"), committee=("张三",), probationary=("孙八",))
    publish(session, a_cycle(session), now=NOW)
    process = process_of(session, 2024, "D0101")
    assert {row.name: (row.standing, row.voting) for row in roll(session, process.id)} == {
        "张三": (Standing.FULL, True),
        "王五": (Standing.FULL, True),
        "孙八": (Standing.PROBATIONARY, False),
    }


def test_who_is_admitted_as_full_member_gets_his_vote(session: Session, branch: Process) -> None:
    person(session, "王五").standing = Standing.PROBATIONARY
    session.flush()
    rolls_follow(session, now=NOW)
    assert not on_roll(session, branch, "王五").voting
    person(session, "王五").standing = Standing.FULL
    session.flush()
    rolls_follow(session, now=NOW)
    assert on_roll(session, branch, "王五").voting


def test_a_year_is_not_published_before_there_is_a_roster(session: Session) -> None:
    with pytest.raises(Conflict, match="请先导入名册"):
        publish(session, a_cycle(session), now=NOW)


def test_a_branch_without_members_has_no_process_until_somebody_comes(session: Session, branch: Process) -> None:
    a_branch(session, code="D0301", members=(), committee=())
    rolls_follow(session, now=NOW)
    with pytest.raises(NotFound):
        process_of(session, 2024, "D0301")
    moved(session, "王五", "D0301")
    assert names(session, process_of(session, 2024, "D0301")) == ["王五"]


def test_opening_processes_a_second_time_opens_none(session: Session, branch: Process) -> None:
    assert open_processes(session, branch.cycle, now=NOW) == 0


# ── in step with the organisation ─────────────────────────────────────────────────────────────────────────────────────


def test_someone_who_moves_leaves_one_roll_and_comes_to_the_other(session: Session, branch: Process) -> None:
    other = process_of(session, 2024, "D0201")
    moved(session, "王五", "D0201")
    assert on_roll(session, branch, "王五").left_on == TODAY
    assert "王五" in names(session, other)
    moved(session, "王五", "D0101")
    assert on_roll(session, branch, "王五").left_on is None
    assert on_roll(session, other, "王五").left_on == TODAY


def test_a_post_shows_on_the_roll_from_its_first_day_to_its_last(session: Session, branch: Process) -> None:
    row = appoint(session, {"staff_no": "w5", "branch": "D0101", "post": Post.DEPUTY, "starts_on": TODAY + timedelta(days=1)}, now=NOW)
    assert on_roll(session, branch, "王五").post is None
    rolls_follow(session, now=NOW + timedelta(days=1))
    assert on_roll(session, branch, "王五").post is Post.DEPUTY
    end_appointment(session, row.id, ends_on=TODAY + timedelta(days=3), now=NOW + timedelta(days=3))
    assert on_roll(session, branch, "王五").post is Post.DEPUTY
    rolls_follow(session, now=NOW + timedelta(days=4))
    assert (on_roll(session, branch, "王五").post, on_roll(session, branch, "王五").leads) == (None, False)


def test_a_committee_member_who_becomes_secretary_is_it_on_the_roll_at_once(session: Session, branch: Process) -> None:
    held = session.scalars(select(Appointment).where(Appointment.post == Post.SECRETARY, Appointment.person_id == person(session, "张三").id)).one()
    end_appointment(session, held.id, ends_on=TODAY - timedelta(days=1), now=NOW)
    appoint(session, {"staff_no": "l4", "branch": "D0101", "post": Post.SECRETARY, "starts_on": TODAY}, now=NOW)
    assert secretaries(session, [branch.id])[branch.id].name == "李四"


@pytest.mark.parametrize("stage", [Stage.FILED, Stage.ACCEPTED])
def test_a_filed_roll_does_not_follow(session: Session, branch: Process, stage: Stage) -> None:
    stand_at(session, branch, stage)
    leaves(session, "王五")
    assert on_roll(session, branch, "王五").left_on is None


def test_a_roll_that_has_not_changed_keeps_its_versions(session: Session, branch: Process) -> None:
    rolls_follow(session, now=NOW)
    assert {row.version for row in roll(session, branch.id)} == {1}


def test_what_was_decided_about_someone_survives_a_roster(session: Session, branch: Process) -> None:
    excused(session, branch, "王五")
    row = on_roll(session, branch, "王五")
    amend_roll(session, branch, row, {"rated_here": False}, seen=row.version, by=caller(session, "office"))
    person(session, "王五").name = "王伍"
    session.flush()
    rolls_follow(session, now=NOW)
    row = on_roll(session, branch, "王伍")
    assert (row.excused_reason, row.excused_confirmed_by, row.rated_here) == ("长期病休", "office", False)


def test_the_roll_of_a_closed_year_does_not_follow(session: Session, branch: Process) -> None:
    branch.cycle.status = CycleStatus.CLOSED
    session.flush()
    leaves(session, "王五")
    assert on_roll(session, branch, "王五").left_on is None


# ── what is decided about one person ──────────────────────────────────────────────────────────────────────────────────


def test_the_branch_excuses_and_the_office_confirms(session: Session, branch: Process) -> None:
    row = excused(session, branch, "王五", confirmed=False)
    assert (row.excused_reason, row.excused_confirmed_by, row.version) == ("长期病休", None, 2)
    confirm_excuse(session, branch, row, by=caller(session, "office"))
    assert (row.excused_confirmed_by, row.version) == ("office", 3)


def test_a_new_reason_needs_a_new_confirmation(session: Session, branch: Process) -> None:
    row = excused(session, branch, "王五")
    amend_roll(session, branch, row, {"excused_reason": "出国六个月以上"}, seen=row.version, by=caller(session, "张三"))
    assert row.excused_confirmed_by is None


def test_what_has_no_reason_cannot_be_confirmed(session: Session, branch: Process) -> None:
    with pytest.raises(Conflict, match="还没有登记 王五 不参加的理由"):
        confirm_excuse(session, branch, on_roll(session, branch, "王五"), by=caller(session, "office"))


def test_where_somebody_is_rated_is_the_offices(session: Session, branch: Process) -> None:
    row = on_roll(session, branch, "王五")
    with pytest.raises(Forbidden):
        amend_roll(session, branch, row, {"rated_here": False}, seen=1, by=caller(session, "张三"))
    amend_roll(session, branch, row, {"rated_here": False}, seen=1, by=caller(session, "office"))
    assert (row.rated_here, row.rated_here_by) == (False, "office")


def test_a_line_that_has_changed_meanwhile_is_not_overwritten(session: Session, branch: Process) -> None:
    excused(session, branch, "王五")
    with pytest.raises(Stale) as refused:
        amend_roll(session, branch, on_roll(session, branch, "王五"), {"excused_reason": "出国"}, seen=1, by=caller(session, "张三"))
    assert refused.value.extra["version"] == 3


def test_nothing_is_decided_about_someone_who_has_left(session: Session, branch: Process) -> None:
    leaves(session, "王五")
    row = on_roll(session, branch, "王五")
    with pytest.raises(Conflict, match="王五 已不在本支部"):
        amend_roll(session, branch, row, {"excused_reason": "调出"}, seen=row.version, by=caller(session, "张三"))


def test_a_filed_roll_is_neither_amended_nor_confirmed(session: Session, branch: Process) -> None:
    row = excused(session, branch, "王五", confirmed=False)
    office = caller(session, "office")
    for stage in STAGES[Kind.APPRAISAL]:
        stand_at(session, branch, stage)
        if stage in WORKING_STAGES[Kind.APPRAISAL]:
            confirm_excuse(session, branch, row, by=office)
            amend_roll(session, branch, row, {"voting": False}, seen=row.version, by=office)
        else:
            with pytest.raises(Conflict):
                confirm_excuse(session, branch, row, by=office)
            with pytest.raises(Conflict):
                amend_roll(session, branch, row, {"voting": False}, seen=row.version, by=office)


def test_the_body_has_exactly_what_may_be_decided() -> None:
    assert set(RollSchema().fields) == {"excused_kind", "excused_reason", "rated_here"}


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_roll_is_in_the_order_of_numbers_and_comes_by_pages(session: Session, branch: Process) -> None:
    assert [row.staff_no for row in roll(session, branch.id)] == ["l4", "q7", "s8", "w5", "z3"]
    assert [row.staff_no for row in roll(session, branch.id, after="q7", limit=2)] == ["s8", "w5"]


def test_who_is_not_on_the_roll_is_named_by_the_field(session: Session, branch: Process) -> None:
    with pytest.raises(Invalid) as refused:
        participants(session, branch.id, {"talker": ["z3"], "partner": ["z6", "nobody"]})
    assert {field: len(words) for field, words in refused.value.errors.items()} == {"partner": 2}
    assert set(participants(session, branch.id, {"talker": ["z3"], "partner": ["w5"]})) == {"z3", "w5"}


def test_one_person_has_one_line_in_a_process(session: Session, branch: Process) -> None:
    lines = session.execute(
        select(Participant.process_id, Participant.person_id, func.count()).group_by(Participant.process_id, Participant.person_id)
    )
    assert {count for _, _, count in lines} == {1}
