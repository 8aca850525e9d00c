"""The dashboard (进度): the figures that the office polls, and its rows.

A poll costs the same however many branches there are. Two tables follow every change by trigger, so
that no path can forget them, and there is no row that every writer would wait for:

* ``progress_delta`` has +1 and -1 for each bucket (stage, due day, in a later round, late) that a
  process enters or leaves; the worker folds them into ``progress_count``, and until then a reader
  adds them on top. The due day in the bucket makes "overdue" exact at midnight without a write.
* ``branch_change`` has a row for every change of a row of ``/branches``: moves, days, names,
  secretaries. A cursor is a transaction id; everything below it had ended when the cursor was
  given: a reader who asks with it again misses nothing, and may be told something twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, ForeignKey, Index, PrimaryKeyConstraint, Text, event, func, or_, select, text
from sqlalchemy.orm import Mapped, Session, contains_eager, mapped_column
from sqlalchemy.types import UserDefinedType

from workflow.foundation.database import Base, Numbered, any_of, ddl, word
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, personal
from workflow.foundation.vocabulary import MAIN, SCHOOL_ZONE, STAGES, WORKING_STAGES, Kind, Stage, local_day
from workflow.people.organisation import Branch
from workflow.readings.past import PAST
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.roll import secretaries

DUE_SOON_DAYS = 7
NEVER = "infinity"
"""The due day of a process that has none: a bucket's key has no null."""


class TransactionId(UserDefinedType[str]):
    """PostgreSQL's ``xid8``: counts up for as long as the cluster lives."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


@granted("select, insert, update")
class ProgressCount(Base):
    """The number of processes in a bucket (已汇总的数)."""

    __tablename__ = "progress_count"
    __table_args__ = (PrimaryKeyConstraint("cycle_id", "kind", "stage", "due_on", "again", "late"),)

    cycle_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("cycle.id"))
    kind: Mapped[Kind] = mapped_column(word(Kind))
    stage: Mapped[Stage] = mapped_column(word(Stage))
    due_on: Mapped[date] = mapped_column(Date)
    again: Mapped[bool]
    """True in a later round and not filed again."""
    late: Mapped[bool]
    n: Mapped[int]
    changed_at: Mapped[datetime]


@granted("select, delete, update")
class ProgressDelta(Numbered, Base):
    """A process that has entered or left a bucket (待汇总的变化)."""

    __tablename__ = "progress_delta"
    __table_args__ = (Index("ix_progress_delta_cycle", "cycle_id", "kind"),)

    cycle_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    stage: Mapped[str] = mapped_column(Text)
    due_on: Mapped[date] = mapped_column(Date)
    again: Mapped[bool]
    late: Mapped[bool]
    n: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@granted("select, delete")
class BranchChange(Numbered, Base):
    """A row of ``/branches`` that has changed (支部行的变化)."""

    __tablename__ = "branch_change"
    __table_args__ = (Index("ix_branch_change_since", "cycle_id", "kind", "xid"), Index("ix_branch_change_process", "process_id", "xid", "id"))

    cycle_id: Mapped[int] = mapped_column(BigInteger)
    process_id: Mapped[int] = mapped_column(BigInteger)
    xid: Mapped[str] = mapped_column(TransactionId, server_default=func.pg_current_xact_id())
    kind: Mapped[str] = mapped_column(Text, sort_order=3)


_AGAIN = "{row}.round > 1 and {row}.stage in (" + ", ".join(f"'{stage.value}'" for stages in WORKING_STAGES.values() for stage in stages) + ")"
_BUCKET = f"{{row}}.cycle_id, {{row}}.kind, {{row}}.stage, coalesce({{row}}.due_on, '{NEVER}'), {_AGAIN}, {{row}}.late"
_ENTER = "insert into progress_delta (cycle_id, kind, stage, due_on, again, late, n) values ({bucket}, {n});"

_SHOWN = "{row}.round, {row}.version, {row}.branch_name, {row}.unit_name"

PROCESS_CHANGED = f"""
create or replace function zhibu_process_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    moved boolean := tg_op = 'INSERT' or old.ended_at is distinct from new.ended_at
        or ({_BUCKET.format(row="old")}) is distinct from ({_BUCKET.format(row="new")});
begin
    if not moved and ({_SHOWN.format(row="old")}) is not distinct from ({_SHOWN.format(row="new")}) then
        return null;
    end if;
    if moved then
        if tg_op = 'UPDATE' and old.ended_at is null then
            {_ENTER.format(bucket=_BUCKET.format(row="old"), n=-1)}
        end if;
        if new.ended_at is null then
            {_ENTER.format(bucket=_BUCKET.format(row="new"), n=1)}
        end if;
    end if;
    insert into branch_change (cycle_id, process_id, kind) values (new.cycle_id, new.id, new.kind);
    return null;
end $$
"""  # noqa: S608

BRANCH_CHANGED = """
create or replace function zhibu_branch_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into branch_change (cycle_id, process_id, kind) select p.cycle_id, p.id, p.kind from process p where p.branch_id = new.id;
    return null;
end $$
"""

SECRETARY_CHANGED = """
create or replace function zhibu_secretary_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into branch_change (cycle_id, process_id, kind) select p.cycle_id, p.id, p.kind from process p where p.id = new.process_id;
    return null;
end $$
"""

TRIGGERS = (
    (Process, "create trigger zhibu_progress after insert or update on process for each row execute function zhibu_process_changed()"),
    (
        Branch,
        "create trigger zhibu_progress after update of code on branch "
        "for each row when (old.code is distinct from new.code) execute function zhibu_branch_changed()",
    ),
    (
        Participant,
        "create trigger zhibu_progress_in after insert on participant "
        "for each row when (new.post = 'secretary') execute function zhibu_secretary_changed()",
    ),
    (
        Participant,
        "create trigger zhibu_progress after update of post, name, staff_no, left_on on participant "
        "for each row when (old.post = 'secretary' or new.post = 'secretary') execute function zhibu_secretary_changed()",
    ),
)

for _function in (PROCESS_CHANGED, BRANCH_CHANGED, SECRETARY_CHANGED):
    event.listen(Base.metadata, "before_create", ddl(_function))
for _model, _trigger in TRIGGERS:
    event.listen(_model.__table__, "after_create", ddl(_trigger))
_BUCKET = "kind stage due_on again late n changed_at"
personal(ProgressCount, Area.SYSTEM, "进度的数", other=_BUCKET)
personal(ProgressDelta, Area.SYSTEM, "进度的变化", other=f"cycle_id {_BUCKET}")
personal(BranchChange, Area.SYSTEM, "支部行的变化", other="cycle_id process_id xid kind")


# ── counts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Cursor:
    """The place from which changes are asked: every transaction before ``since`` had ended.

    In the middle of a sweep, also the place that the sweep has reached. ``era`` is the past of the
    database and the local day: a restored school counts other transactions by the same numbers, and
    at midnight rows turn overdue without a change. A cursor of another era means "all".
    """

    era: str
    since: int
    at: tuple[int, int] | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.era, self.since, *(self.at or ())))

    @classmethod
    def read(cls, written: str) -> Cursor:
        """Read a written cursor. Raises ValueError for anything else."""
        if not re.fullmatch(r"[0-9a-f]{1,20}(\.[0-9-]{10})?:[0-9]{1,19}(:[0-9]{1,19}:[0-9]{1,18})?", written, re.ASCII):
            raise ValueError(written)
        era, since, *at = written.split(":")
        return cls(era, int(since), (int(at[0]), int(at[1])) if at else None)


@dataclass(frozen=True)
class Overview:
    """The progress of a cycle (总体进度). ``as_of`` is the time at which this first became true."""

    year: int
    as_of: datetime
    cursor: Cursor
    today: date
    branches: int
    by_stage: dict[Stage, int]
    overdue: int
    due_soon: int
    """The number due within seven days, today included, and not overdue."""
    returned: int
    """The number in a later round and not filed again."""
    late: int
    ended: int
    """The number that take no part any more; they are in none of the other figures."""


_OVERVIEW = text("""
    with bucket as (
        select stage, due_on, again, late, n, changed_at from progress_count where cycle_id = :cycle and kind = :kind
        union all select stage, due_on, again, late, n, changed_at from progress_delta where cycle_id = :cycle and kind = :kind
    )
    select stage, sum(n)::bigint as n, coalesce(sum(n) filter (where due_on < :today), 0)::bigint as overdue,
        coalesce(sum(n) filter (where due_on between :today and :soon), 0)::bigint as due_soon,
        coalesce(sum(n) filter (where again), 0)::bigint as returned, coalesce(sum(n) filter (where late), 0)::bigint as late,
        max(changed_at) as changed_at,
        (select count(*) from process where cycle_id = :cycle and kind = :kind and ended_at is not null) as ended
    from bucket group by stage
""")

_NOW = text(f"""
    select {PAST} as era, pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon,
        (select xid from branch_change where cycle_id = :cycle and kind = :kind order by xid desc limit 1)::text::bigint as newest
""")  # noqa: S608


def overview(session: Session, cycle: Cycle, *, now: datetime, kind: Kind = MAIN) -> Overview:
    """Count a cycle's processes by their buckets. The cursor is taken before it counts."""
    today = local_day(now)
    cursor = _cursor_now(session, cycle, kind, today)
    rows = session.execute(_OVERVIEW, {"cycle": cycle.id, "kind": kind.value, "today": today, "soon": today + timedelta(days=DUE_SOON_DAYS)}).all()
    by_stage = {row.stage: row for row in rows}
    midnight = datetime.combine(today, time(), SCHOOL_ZONE)
    return Overview(
        year=cycle.year,
        as_of=max(midnight, *(row.changed_at for row in rows)) if rows else midnight,
        cursor=cursor,
        today=today,
        branches=sum(row.n for row in rows),
        by_stage={stage: by_stage[stage.value].n if stage.value in by_stage else 0 for stage in STAGES[kind]},
        overdue=sum(row.overdue for row in rows),
        due_soon=sum(row.due_soon for row in rows),
        returned=sum(row.returned for row in rows),
        late=sum(row.late for row in rows),
        ended=rows[0].ended if rows else 0,
    )


def _cursor_now(session: Session, cycle: Cycle, kind: Kind, today: date) -> Cursor:
    """Return the cursor of this moment.

    Below the horizon every transaction has ended. Just behind the newest change is as good, and
    stays the same while nothing changes.
    """
    row = session.execute(_NOW, {"cycle": cycle.id, "kind": kind.value}).one()
    return Cursor(f"{row.era}.{today.isoformat()}", row.horizon if row.newest is None else min(row.horizon, row.newest + 1))


_FOLD = text("""
    with taken as (
        delete from progress_delta where id = any(array(select id from progress_delta order by id limit 10000 for update skip locked)) returning *
    ), folded as (
        select cycle_id, kind, stage, due_on, again, late, sum(n) as n, max(changed_at) as changed_at from taken
        group by cycle_id, kind, stage, due_on, again, late order by cycle_id, kind, stage, due_on, again, late
    )
    insert into progress_count as c (cycle_id, kind, stage, due_on, again, late, n, changed_at) select * from folded
    on conflict (cycle_id, kind, stage, due_on, again, late)
        do update set n = c.n + excluded.n, changed_at = greatest(c.changed_at, excluded.changed_at)
""")

_FORGET = text("""
    delete from branch_change b using branch_change later
    where later.process_id = b.process_id and (later.xid, later.id) > (b.xid, b.id)
""")


def fold(session: Session) -> None:
    """Add waiting changes to the counts, and drop older changes of a branch.

    A later change covers them: a reader who asks since either is told once.
    """
    session.execute(_FOLD)
    session.execute(_FORGET)


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

Rows = tuple[Sequence[Process], dict[int, Participant]]
"""Processes, and the secretary of each."""


def branches(
    session: Session,
    cycle: Cycle,
    *,
    today: date,
    stage: Stage | None = None,
    overdue: bool | None = None,
    ended: bool | None = None,
    unit: str | None = None,
    words: str | None = None,
    after: str = "",
    limit: int = 100,
    kind: Kind = MAIN,
) -> Rows:
    """List rows of the dashboard by branch code, in two queries.

    Those that take no part any more are among them, but not at a stage. ``words`` is looked for in
    code, name and unit.
    """
    conditions: list[ColumnElement[bool]] = [Process.cycle_id == cycle.id, Process.kind == kind, Branch.code > after]
    if ended is None and stage is not None:
        ended = False
    if ended is not None:
        conditions.append(Process.ended_at.is_not(None) if ended else Process.ended_at.is_(None))
    if stage is not None:
        conditions.append(Process.stage == stage)
    if overdue is not None:
        is_overdue = func.coalesce(Process.due_on < today, False)
        conditions.append(is_overdue if overdue else ~is_overdue)
    if unit is not None:
        conditions.append(or_(Process.unit_code == unit, Process.unit_name == unit))
    if words is not None:
        conditions.append(or_(*(column.contains(words, autoescape=True) for column in (Branch.code, Process.branch_name, Process.unit_name))))
    return _rows(session, conditions, limit)


def _rows(session: Session, conditions: Sequence[ColumnElement[bool]], limit: int) -> Rows:
    rows = session.scalars(
        select(Process)
        .join(Process.cycle)
        .join(Process.branch)
        .options(contains_eager(Process.cycle), contains_eager(Process.branch))
        .where(*conditions)
        .order_by(Branch.code)
        .limit(limit)
        .execution_options(populate_existing=True)
    ).all()
    return rows, secretaries(session, [row.id for row in rows])


_CHANGED = text("""
    select process_id, xid::text::bigint as xid, id from (
        select distinct on (process_id) process_id, xid, id from branch_change
        where cycle_id = :cycle and kind = :kind and xid >= cast(cast(:since as text) as xid8) order by process_id, xid desc, id desc
    ) latest
    where (xid, id) > (cast(cast(:at_xid as text) as xid8), :at_id) order by xid, id limit :limit
""")


def changed_branches(session: Session, cycle: Cycle, since: Cursor, *, limit: int, today: date, kind: Kind = MAIN) -> tuple[Rows, Cursor]:
    """List every branch that has changed since a cursor, once, in its present state.

    Returns the next cursor too. A full page is one part of a sweep: its cursor goes on where the
    page ended. The end of the sweep leads back to the horizon of its beginning, so that a change
    which was committed meanwhile with an older number is not missed.
    """
    now = _cursor_now(session, cycle, kind, today)
    # A cursor ahead of the present: a snapshot of the whole machine was put back, which nobody is
    # told of (docs/running.md).
    if since.era != now.era or since.since > now.since:
        since = Cursor(now.era, 0)
    floor = since.since if since.at is not None else None
    start = since.at or (0, 0)
    found = session.execute(
        _CHANGED,
        {
            "cycle": cycle.id,
            "kind": kind.value,
            "since": str(start[0] if since.at else since.since),
            "at_xid": str(start[0]),
            "at_id": start[1],
            "limit": limit + 1,
        },
    ).all()
    page = found[:limit]
    rows, named = _rows(session, [any_of(Process.id, [row.process_id for row in page])], limit)
    place = {row.process_id: number for number, row in enumerate(page)}
    ends_at = now.since if floor is None else floor
    following = Cursor(now.era, ends_at, (page[-1].xid, page[-1].id)) if len(found) > limit else Cursor(now.era, ends_at)
    return (sorted(rows, key=lambda row: place[row.id]), named), following
