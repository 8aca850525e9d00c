"""Rolls in step with the organisation (名册随动): they follow every change of roster and posts.

The rolls of processes not yet filed follow under the process lock; a filed roll changes only after
a return. ``workflow.machine.rolls`` calls this, and then settles where each person is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from workflow.foundation.vocabulary import STAGES, Kind, LeftReason, Post, PunishmentKind, Standing, local_day
from workflow.year.cycle import Cycle

_RANK = "array_position(array[" + ", ".join(f"'{post.value}'" for post in Post) + "]::text[], a.post::text)"
_LEADING = f"'{Post.SECRETARY.value}', '{Post.DEPUTY.value}'"
_PUNISHED = "from punishment x where x.person_id = m.id and x.withdrawn_at is null and x.given_on <= :today"
_NO_VOTE = f"x.kind = '{PunishmentKind.PROBATION.value}' and (x.until is null or x.until >= :today)"

_NAMES = text("""
    update process p set branch_name = b.name, unit_code = b.unit_code, unit_name = b.unit_name
    from branch b
    where p.id = any(:ids) and b.id = p.branch_id
        and (p.branch_name, p.unit_code, p.unit_name) is distinct from (b.name, b.unit_code, b.unit_name)
""")

_FOLLOW = text(f"""
    insert into participant as r (
        process_id, person_id, staff_no, name, standing, post, title, on_committee, leads, cadre, voting, punished_on, rated_here, version,
        joined_on, party_group
    )
    select p.id, m.id, m.staff_no, m.name, m.standing, held.post, held.title,
        b.has_committee and coalesce(held.on_committee, false),
        case when b.has_committee then coalesce(held.on_committee, false) else coalesce(held.post in ({_LEADING}), false) end,
        m.cadre, m.standing = '{Standing.FULL.value}' and not exists (select {_PUNISHED} and {_NO_VOTE}),
        (select max(x.given_on) {_PUNISHED}), true, 1, cast(:joined_on as date), m.party_group
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
        voting = excluded.voting, punished_on = excluded.punished_on, party_group = excluded.party_group,
        joined_on = case when r.left_on is null then r.joined_on else excluded.joined_on end,
        left_on = null, left_reason = null, version = r.version + 1
    where (r.staff_no, r.name, r.standing, r.post, r.title, r.on_committee, r.leads, r.cadre, r.voting, r.punished_on, r.party_group, r.left_on)
        is distinct from (excluded.staff_no, excluded.name, excluded.standing, excluded.post, excluded.title,
            excluded.on_committee, excluded.leads, excluded.cadre, excluded.voting, excluded.punished_on, excluded.party_group, null)
""")  # noqa: S608

_LEAVE = text(f"""
    update participant r set
        left_on = case when m.branch_id is null then coalesce(m.left_on, :day) else :day end,
        left_reason = case when m.branch_id is null then m.left_reason else '{LeftReason.MOVED.value}' end,
        version = r.version + 1
    from process p, person m
    where r.process_id = any(:ids) and p.id = r.process_id and m.id = r.person_id
        and m.branch_id is distinct from p.branch_id and r.left_on is null
""")  # noqa: S608

_OPEN = text("""
    insert into process (cycle_id, branch_id, kind, stage, round, version, entered_at, late, due_on, branch_name, unit_code, unit_name)
    select c.id, b.id, cast(:kind as text), cast(:stage as text), 1, 1, :now, false, cast(:due_on as date), b.name, b.unit_code, b.unit_name
    from cycle c, branch b
    where c.id = :cycle_id and exists (select from person m where m.branch_id = b.id)
        and not exists (select from process p where p.cycle_id = c.id and p.branch_id = b.id and p.kind = cast(:kind as text))
    order by b.code
    on conflict (cycle_id, branch_id, kind) do nothing
    returning id, branch_id
""")


# A row that is there already is not tried: the attempt would wait for a move of that branch.


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
    _copy(session, [row.id for row in opened], today=local_day(now), day=local_day(now), joined_on=None)
    return len({row.branch_id for row in opened})


def bring_into_step(session: Session, process_ids: Sequence[int], *, now: datetime, day: date | None = None) -> None:
    """Copy today's organisation to these rolls. The processes are held by Lock.MOVE.

    ``day``: the day on which those who are new have come and those who are gone have left; by
    default today.
    """
    today = local_day(now)
    _copy(session, process_ids, today=today, day=day or today, joined_on=day or today)


def _copy(session: Session, process_ids: Sequence[int], *, today: date, day: date, joined_on: date | None) -> None:
    if process_ids:
        here = {"ids": list(process_ids), "today": today}
        session.execute(_NAMES, here)
        session.execute(_LEAVE, {**here, "day": day})
        session.execute(_FOLLOW, {**here, "joined_on": joined_on})
