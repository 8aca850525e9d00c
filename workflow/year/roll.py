"""Rolls (流程名册): every process's own copy of its people, kept in step with the organisation.

The rolls of processes not yet filed follow every change of the roster or of a post, under the
process lock; a filed roll changes only after a return.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from workflow.foundation.errors import Conflict, Forbidden, Invalid, Stale, Words
from workflow.foundation.fields import (
    Body,
    Day,
    Line,
    Sent,
    Truth,
    about,
)
from workflow.foundation.history import changed_since
from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, CycleStatus, Kind, Post, Role, Standing, local_day
from workflow.people.access import Caller
from workflow.year.cycle import Cycle, Lock, Participant, Process, must_run, unfiled_processes

_RANK = "array_position(array[" + ", ".join(f"'{post.value}'" for post in Post) + "]::text[], a.post::text)"
_LEADING = f"'{Post.SECRETARY.value}', '{Post.DEPUTY.value}'"

_FOLLOW = text(f"""
    insert into participant as r (
        process_id, person_id, staff_no, name, standing, post, title, on_committee, leads, cadre, voting, rated_here, version,
        party_group
    )
    select p.id, m.id, m.staff_no, m.name, m.standing, held.post, held.title,
        b.has_committee and coalesce(held.on_committee, false),
        case when b.has_committee then coalesce(held.on_committee, false) else coalesce(held.post in ({_LEADING}), false) end,
        m.cadre, m.standing = '{Standing.FULL.value}', true, 1, m.party_group
    from process p
    join branch b on b.id = p.branch_id
    join person m on m.branch_id = b.id
    left join lateral (
        select a.post, a.title, a.on_committee from appointment a
        where a.person_id = m.id and a.branch_id = b.id and a.starts_on <= :today and (a.ends_on is null or a.ends_on >= :today)
        order by {_RANK} limit 1
    ) held on true
    where p.id = any(:ids)
    on conflict (process_id, person_id) do update set
        staff_no = excluded.staff_no, name = excluded.name, standing = excluded.standing, post = excluded.post, title = excluded.title,
        on_committee = excluded.on_committee, leads = excluded.leads, cadre = excluded.cadre,
        voting = case when r.standing = excluded.standing then r.voting else excluded.voting end,
        party_group = excluded.party_group, left_on = null, version = r.version + 1
    where (r.staff_no, r.name, r.standing, r.post, r.title, r.on_committee, r.leads, r.cadre, r.party_group, r.left_on)
        is distinct from (excluded.staff_no, excluded.name, excluded.standing, excluded.post, excluded.title,
            excluded.on_committee, excluded.leads, excluded.cadre, excluded.party_group, null)
""")  # noqa: S608

_LEAVE = text("""
    update participant r set left_on = :today, version = r.version + 1
    from process p, person m
    where r.process_id = any(:ids) and p.id = r.process_id and m.id = r.person_id
        and m.branch_id is distinct from p.branch_id and r.left_on is null
""")

_OPEN = text("""
    insert into process (cycle_id, branch_id, kind, stage, round, version, entered_at, late, due_on)
    select c.id, b.id, :kind, cast(:stage as text), 1, 1, :now, false, (c.deadlines ->> cast(:stage as text))::date
    from cycle c, branch b
    where c.id = :cycle_id and exists (select from person m where m.branch_id = b.id)
    order by b.code
    on conflict (cycle_id, branch_id, kind) do nothing
    returning id, branch_id
""")


def open_processes(session: Session, cycle: Cycle, *, now: datetime) -> int:
    """Open processes of each kind, with rolls, for branches with members and without processes.

    Returns the number of branches.
    """
    begins = {kind: next(stage for stage in STAGES[kind] if stage not in cycle.passed_through) for kind in Kind}
    opened = [
        row
        for kind, stage in begins.items()
        for row in session.execute(_OPEN, {"cycle_id": cycle.id, "kind": kind.value, "stage": stage.value, "now": now})
    ]
    bring_into_step(session, [row.id for row in opened], now=now)
    return len({row.branch_id for row in opened})


def bring_into_step(session: Session, process_ids: Sequence[int], *, now: datetime) -> None:
    """Copy today's organisation to these rolls. The processes are held by Lock.MOVE."""
    if process_ids:
        here = {"ids": list(process_ids), "today": local_day(now)}
        session.execute(_LEAVE, here)
        session.execute(_FOLLOW, here)


def rolls_follow(session: Session, *, now: datetime, branches: Sequence[int] | None = None) -> None:
    """Bring the rolls of processes not yet filed into step, of some branches or of all.

    Branches that are new to a published cycle get their process.
    """
    running = [each for each in unfiled_processes(session, lock=Lock.MOVE) if branches is None or each.branch_id in branches]
    bring_into_step(session, [each.id for each in running], now=now)
    for cycle in session.scalars(select(Cycle).where(Cycle.status == CycleStatus.PUBLISHED)):
        open_processes(session, cycle, now=now)


# ── what is decided about one person on one roll ──────────────────────────────────────────────────────────────────────


class RollSchema(Body):
    """Changes to one line of a roll."""

    excused_reason = Line(
        **about("不参加的理由", "why excused", "支部填写，党办确认", "the branch gives it, the office confirms", example="长期病休")
    )
    voting = Truth(**about("有表决权", "voting", "党办确定", "the office sets it", example=True))
    punished_on = Day(**about("处分日期", "punished on", "党办确定", "the office sets it", example="2024-06-01"))
    rated_here = Truth(**about("在本支部评定", "rated here", "党办确定", "the office sets it", example=True))


OFFICE_ONLY = ("voting", "punished_on", "rated_here")


def amend_roll(session: Session, process: Process, row: Participant, body: Sent, *, seen: int, by: Caller) -> None:
    """Change one line of a roll.

    The branch excuses somebody; the office sets voting, a punishment or the branch where somebody
    is rated. A new reason needs a new confirmation: until the office gives it, the excuse changes
    nothing. Raises Forbidden, Stale, Invalid, Conflict.
    """
    if body.get("voting") and row.standing is Standing.PROBATIONARY:
        raise Invalid({"voting": Words("预备党员没有表决权", "a probationary member has no vote")})
    of_office = [name for name in OFFICE_ONLY if name in body]
    if of_office and Role.OFFICE not in by.roles:
        raise Forbidden(Words("表决权、处分和评定支部由党办确定", "the office decides on voting, punishment and where a member is rated"))
    if row.version != seen:
        key = f"{row.process_id}:{row.person_id}"
        raise Stale(version=row.version, changed=changed_since(session, Participant, key, seen))
    if not body:
        raise Conflict(Words("没有要改的内容", "nothing to change"))
    if row.left_on is not None:
        raise Conflict(Words(f"{row.name} 已不在本支部", f"{row.name} has left this branch"))
    _must_be_unfiled(process)
    for name, value in body.items():
        setattr(row, name, value)
    if "excused_reason" in body:
        row.excused_confirmed_by = None
    row.version += 1
    session.flush()


def withdraw_excuse(session: Session, process: Process, row: Participant) -> None:
    """Take an excuse back for the branch, so that the person attends after all.

    Raises Conflict when there is none.
    """
    _must_be_unfiled(process)
    if row.excused_reason is None:
        raise Conflict(Words(f"{row.name} 没有登记不参加", f"{row.name} is not excused"))
    row.excused_reason = row.excused_confirmed_by = None
    row.version += 1
    session.flush()


def confirm_excuse(session: Session, process: Process, row: Participant, *, by: Caller) -> None:
    """Confirm for the office that somebody need not attend. Raises Conflict without a reason."""
    _must_be_unfiled(process)
    if row.excused_reason is None:
        raise Conflict(Words(f"支部还没有登记 {row.name} 不参加的理由", "the branch has given no reason yet"))
    row.excused_confirmed_by = by.staff_no
    row.version += 1
    session.flush()


def _must_be_unfiled(process: Process) -> None:
    must_run(process)
    if process.stage not in WORKING_STAGES[process.kind]:
        raise Conflict(Words("已经报送，名册不再变动；如需更正，请先退回", "the branch has filed; its roll changes only after a return"))
