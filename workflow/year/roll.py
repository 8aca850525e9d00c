"""Rolls (流程名册): every process's own copy of its people, and what is decided about each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, contains_eager, joinedload

from workflow.foundation.database import any_of
from workflow.foundation.errors import Conflict, Forbidden, Invalid, NotFound, Stale, Words
from workflow.foundation.fields import (
    Body,
    Line,
    Sent,
    Truth,
    about,
    many,
    one_of,
)
from workflow.foundation.history import changed_since
from workflow.foundation.vocabulary import WORKING_STAGES, CoveredByExcuse, ExcuseKind, Post, Role
from workflow.people.access import Caller
from workflow.people.organisation import Branch, Person
from workflow.year.cycle import Cycle, Participant, Process, must_run


def roll(session: Session, process_id: int, *, after: str = "", limit: int = 10_000) -> Sequence[Participant]:
    """List the roll of a process by 学工号."""
    staff_no = Participant.staff_no.collate("C")
    return session.scalars(
        select(Participant)
        .options(joinedload(Participant.person))
        .where(Participant.process_id == process_id, staff_no > after)
        .order_by(staff_no)
        .limit(limit)
    ).all()


def excuses_of_year(session: Session, cycle: Cycle, *, pending: bool, after: tuple[int, str], limit: int) -> Sequence[Participant]:
    """List the excused people of a year by process and 学工号, after one of them.

    ``pending``: those that wait for the office, and on which it can decide now.
    """
    staff_no = Participant.staff_no.collate("C")
    statement = (
        select(Participant)
        .join(Participant.process)
        .join(Process.branch)
        .options(contains_eager(Participant.process).contains_eager(Process.branch), joinedload(Participant.person))
        .where(Process.cycle_id == cycle.id, Participant.excused_reason.is_not(None), tuple_(Participant.process_id, staff_no) > after)
        .order_by(Participant.process_id, staff_no)
        .limit(limit)
    )
    if pending:
        undecided = (Participant.excused_confirmed_by.is_(None), Participant.excused_refused_by.is_(None), Participant.left_on.is_(None))
        open_stages = [stage for stages in WORKING_STAGES.values() for stage in stages]
        statement = statement.where(*undecided, Process.ended_at.is_(None), any_of(Process.stage, open_stages))
    return session.scalars(statement).all()


def participant(session: Session, process_id: int, staff_no: str, *, held: bool = False) -> Participant:
    """Find one line of a roll, ``held`` for a caller that will change it. Raises NotFound."""
    statement = select(Participant).where(Participant.process_id == process_id, Participant.staff_no == staff_no)
    row = session.scalar(statement.with_for_update(key_share=True).execution_options(populate_existing=True) if held else statement)
    if row is None:
        raise NotFound(Words(f"名册上没有学工号 {staff_no}", f"{staff_no} is not on the roll"))
    return row


def stood_on_a_roll(session: Session, person_id: int, branch_code: str) -> bool:
    """Tell whether a person is or was on the roll of a branch, in any year."""
    here = select(Participant.person_id).join(Participant.process).join(Process.branch)
    return bool(session.scalar(select(here.where(Participant.person_id == person_id, Branch.code == branch_code).exists())))


def participants(session: Session, process_id: int, staff_nos: Mapping[str, Sequence[str]]) -> dict[str, Participant]:
    """Find the people that each field names, by 学工号. Raises Invalid for one not on the roll."""
    wanted = sorted({staff_no for group in staff_nos.values() for staff_no in group})
    found = {
        row.staff_no: row
        for row in session.scalars(select(Participant).where(Participant.process_id == process_id, any_of(Participant.staff_no, wanted)))
    }
    errors = {
        name: [Words(f"{staff_no} 不在本支部名册上", f"{staff_no} is not on the roll of this branch") for staff_no in group if staff_no not in found]
        for name, group in staff_nos.items()
    }
    if faults := {name: words for name, words in errors.items() if words}:
        raise Invalid(faults)
    return found


def secretaries(session: Session, process_ids: Sequence[int]) -> dict[int, Participant]:
    """Find the person named secretary on each roll, in one query."""
    rows = session.scalars(
        select(Participant).where(any_of(Participant.process_id, process_ids), Participant.post == Post.SECRETARY, Participant.left_on.is_(None))
    )
    return {row.process_id: row for row in rows}


def leaders(session: Session, process_ids: Sequence[int]) -> Sequence[tuple[int, Person]]:
    """List secretary and deputy of each roll, the receivers of its letters, in one query."""
    rows = session.execute(
        select(Participant.process_id, Person)
        .join(Person, Participant.person_id == Person.id)
        .where(any_of(Participant.process_id, process_ids), Participant.left_on.is_(None), any_of(Participant.post, (Post.SECRETARY, Post.DEPUTY)))
        .order_by(Participant.process_id, Person.id)
    )
    return [(process_id, person) for process_id, person in rows]


def is_gone(process_id: ColumnElement[int] | InstrumentedAttribute[int], staff_no: Any) -> ColumnElement[bool]:
    """Ask whether a person is in the branch of a process no longer (已不在本支部).

    Whatever its roll says, which stands still once the branch has filed.
    """
    person, process = aliased(Person), aliased(Process)
    return exists().where(person.staff_no == staff_no, process.id == process_id, person.branch_id.is_distinct_from(process.branch_id))


def on_roll_on(day: ColumnElement[date] | InstrumentedAttribute[date]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Say which lines of a roll stood on a day: come by then, and not gone before it."""
    come = or_(Participant.joined_on.is_(None), Participant.joined_on <= day)
    return come, or_(Participant.left_on.is_(None), Participant.left_on > day)


# ── what is decided about one person on one roll ──────────────────────────────────────────────────────────────────────


class RollSchema(Body):
    """Changes to one line of a roll."""

    excused_kind = one_of(ExcuseKind, **about("不参加的原因", "kind of excuse", "出国、患病等", "abroad, ill …", example="ill", reads="excused_kind"))
    excused_reason = Line(
        **about("不参加的理由", "why excused", "支部填写，党委办公室确认", "the branch gives it, the office confirms", example="长期病休")
    )
    rated_here = Truth(**about("在本支部评定", "rated here", "党委办公室确定", "the office sets it", example=True))


class ConfirmExcuseSchema(Body):
    """A confirmation of an excuse, with the clauses that it covers besides."""

    covers = many(
        one_of(CoveredByExcuse),
        at_most=len(CoveredByExcuse),
        **about("一并免除", "covers", "不参加本身不免除的，一并免除", "what the excuse alone does not waive", example=["K2", "D6"]),
    )


def amend_roll(session: Session, process: Process, row: Participant, body: Sent, *, seen: int, by: Caller) -> None:
    """Change one line of a roll.

    The branch excuses somebody; the office says where somebody is rated. A new reason needs a new
    confirmation: until the office gives it, the excuse changes nothing. It takes the place of one
    that was refused. Raises Forbidden, Stale, Invalid, Conflict.
    """
    if "rated_here" in body and Role.OFFICE not in by.roles:
        raise Forbidden(Words("在哪个支部评定由党委办公室确定", "the office decides where a member is rated"))
    if row.version != seen:
        key = f"{row.process_id}:{row.person_id}"
        raise Stale(version=row.version, changed=changed_since(session, Participant, key, seen))
    if not body:
        raise Conflict(Words("没有要改的内容", "nothing to change"))
    if "excused_kind" in body and "excused_reason" not in body and row.excused_reason is None:
        raise Invalid({"excused_reason": Words("请写明理由", "give the reason")})
    if row.left_on is not None and body.keys() - {"rated_here"}:
        raise Conflict(Words(f"{row.name} 已不在本支部", f"{row.name} has left this branch"))
    _must_be_unfiled(process)
    for name, value in body.items():
        setattr(row, name, value)
    if "excused_reason" in body or "excused_kind" in body:
        row.excused_kind = body.get("excused_kind", row.excused_kind) or ExcuseKind.OTHER
        row.excused_by = by.staff_no
        row.excused_confirmed_by = row.excused_refused_by = row.excused_refused_reason = None
    if "rated_here" in body:
        row.rated_here_by = by.staff_no
    row.version += 1
    session.flush()


def withdraw_excuse(session: Session, process: Process, row: Participant) -> None:
    """Take an excuse back for the branch, so that the person attends after all.

    Raises Conflict when there is none.
    """
    _must_be_unfiled(process)
    if row.excused_reason is None:
        raise Conflict(Words(f"{row.name} 没有登记不参加", f"{row.name} is not excused"))
    row.excused_kind = row.excused_reason = row.excused_by = row.excused_confirmed_by = row.excused_refused_by = row.excused_refused_reason = None
    row.version += 1
    session.flush()


def confirm_excuse(session: Session, process: Process, row: Participant, *, by: Caller) -> None:
    """Confirm for the office that somebody need not attend. Raises Conflict without a reason.

    The office may confirm what it refused before.
    """
    _must_be_unfiled(process)
    _must_be_excused(row)
    row.excused_confirmed_by, row.excused_refused_by, row.excused_refused_reason = by.staff_no, None, None
    row.version += 1
    session.flush()


def refuse_excuse(session: Session, process: Process, row: Participant, *, reason: str, by: Caller) -> None:
    """Refuse an excuse for the office, also one that it confirmed before.

    The branch's reason stays beside the office's; the excuse changes nothing any more. Raises
    Conflict when there is none, or it was refused already.
    """
    _must_be_unfiled(process)
    _must_be_excused(row)
    if row.excused_refused_by is not None:
        raise Conflict(Words(f"{row.name} 的不参加已退回过，支部还没有写新的理由", f"{row.name}'s excuse was refused already"))
    row.excused_confirmed_by, row.excused_refused_by, row.excused_refused_reason = None, by.staff_no, reason
    row.version += 1
    session.flush()


def _must_be_excused(row: Participant) -> None:
    if row.excused_reason is None:
        raise Conflict(Words(f"支部还没有登记 {row.name} 不参加的理由", "the branch has given no reason yet"))


def _must_be_unfiled(process: Process) -> None:
    must_run(process)
    if process.stage not in WORKING_STAGES[process.kind]:
        raise Conflict(Words("已经报送，名册不再变动；如需更正，请先退回", "the branch has filed; its roll changes only after a return"))
