"""Rolls in step with the organisation (名册随动): they follow every change of roster and posts.

The rolls of processes not yet filed follow under the process lock; a filed roll changes only after
a return.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from workflow.foundation.vocabulary import STAGES, CycleStatus, Kind, Post, Standing, local_day
from workflow.year.cycle import Cycle, Lock, unfiled_processes

_RANK = "array_position(array[" + ", ".join(f"'{post.value}'" for post in Post) + "]::text[], a.post::text)"
_LEADING = f"'{Post.SECRETARY.value}', '{Post.DEPUTY.value}'"

_FOLLOW = text(f"""
    insert into participant as r (
        process_id, person_id, staff_no, name, standing, post, title, on_committee, leads, cadre, voting, rated_here, version
    )
    select p.id, m.id, m.staff_no, m.name, m.standing, held.post, held.title,
        b.has_committee and coalesce(held.on_committee, false),
        case when b.has_committee then coalesce(held.on_committee, false) else coalesce(held.post in ({_LEADING}), false) end,
        m.cadre, m.standing = '{Standing.FULL.value}', true, 1
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
        left_on = null, version = r.version + 1
    where (r.staff_no, r.name, r.standing, r.post, r.title, r.on_committee, r.leads, r.cadre, r.left_on)
        is distinct from (excluded.staff_no, excluded.name, excluded.standing, excluded.post, excluded.title,
            excluded.on_committee, excluded.leads, excluded.cadre, null)
""")  # noqa: S608

_LEAVE = text("""
    update participant r set left_on = :today, version = r.version + 1
    from process p, person m
    where r.process_id = any(:ids) and p.id = r.process_id and m.id = r.person_id
        and m.branch_id is distinct from p.branch_id and r.left_on is null
""")

_OPEN = text("""
    insert into process (cycle_id, branch_id, kind, stage, round, version, entered_at, late, due_on)
    select c.id, b.id, :kind, cast(:stage as text), 1, 1, :now, false, cast(:due_on as date)
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
        for row in session.execute(_OPEN, {"cycle_id": cycle.id, "kind": kind.value, "stage": stage.value, "now": now, "due_on": cycle.holds(stage)})
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
