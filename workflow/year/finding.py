"""Finding years and processes (查找), and holding them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, contains_eager

from workflow.foundation.database import any_of
from workflow.foundation.errors import NotFound, Stale, Words
from workflow.foundation.history import changed_since
from workflow.foundation.vocabulary import MAIN, WORKING_STAGES, CycleStatus, Kind
from workflow.people.organisation import Branch
from workflow.year.cycle import Cycle, Extension, Participant, Process, StageChange


class Lock(StrEnum):
    """A way to hold process rows (锁): taken once, first, in the strongest form it will need."""

    NONE = "none"
    EVIDENCE = "evidence"
    """FOR SHARE: to record evidence that a requirement reads."""
    MOVE = "move"
    """FOR UPDATE OF process: to move, extend or re-roll."""


def _process() -> Select[Process]:
    return (
        select(Process)
        .join(Process.cycle)
        .join(Process.branch)
        .options(contains_eager(Process.cycle), contains_eager(Process.branch))
        .order_by(Process.id)
        .execution_options(populate_existing=True)
    )


def _locked(statement: Select[Process], lock: Lock) -> Select[Process]:
    # Without ``of=Process`` the cycle row is locked too, and every branch of the school waits.
    if lock is Lock.EVIDENCE:
        return statement.with_for_update(read=True, of=Process)
    if lock is Lock.MOVE:
        return statement.with_for_update(of=Process)
    return statement


def process_of(session: Session, year: int, branch_code: str, *, kind: Kind = MAIN, lock: Lock = Lock.NONE) -> Process:
    """Find the process of a branch in a year, held by ``lock``. Raises NotFound."""
    process = session.scalar(_locked(_process().where(Cycle.year == year, Branch.code == branch_code, Process.kind == kind), lock))
    if process is None:
        raise NotFound
    return process


def processes(session: Session, ids: Sequence[int], *, lock: Lock) -> Sequence[Process]:
    """List processes in id order, so that two acts never wait for one another in a circle."""
    return session.scalars(_locked(_process().where(any_of(Process.id, ids)), lock)).all()


def processes_of(session: Session, cycle: Cycle, kind: Kind, *, lock: Lock, codes: Sequence[str] | None = None) -> Sequence[Process]:
    """List processes that take part in a year, in id order, held by ``lock``; of codes, or all."""
    taking_part = _process().where(Process.cycle_id == cycle.id, Process.kind == kind, Process.ended_at.is_(None))
    return session.scalars(_locked(taking_part if codes is None else taking_part.where(any_of(Branch.code, codes)), lock)).all()


def with_people(session: Session, processes: Sequence[Process]) -> list[Process]:
    """Return the processes that have somebody left on their roll."""
    here = (any_of(Participant.process_id, [each.id for each in processes]), Participant.left_on.is_(None))
    peopled = set(session.scalars(select(Participant.process_id).where(*here).distinct()))
    return [each for each in processes if each.id in peopled]


def unfiled_processes(session: Session, branches: Sequence[int] | None = None, *, lock: Lock) -> Sequence[Process]:
    """List the processes of published cycles whose rolls still follow the roster.

    Those of some branches, or of all.
    """
    open_stages = [stage for stages in WORKING_STAGES.values() for stage in stages]
    running = _process().where(Cycle.status == CycleStatus.PUBLISHED, any_of(Process.stage, open_stages), Process.ended_at.is_(None))
    return session.scalars(_locked(running if branches is None else running.where(any_of(Process.branch_id, branches)), lock)).all()


def cycle_by_year(session: Session, year: int, *, for_update: bool = False) -> Cycle:
    """Find a year. Raises NotFound."""
    statement = select(Cycle).where(Cycle.year == year).execution_options(populate_existing=True)
    # Not FOR UPDATE: letters and processes refer to the year, and would wait for it.
    cycle = session.scalar(statement.with_for_update(key_share=True) if for_update else statement)
    if cycle is None:
        raise NotFound(Words(f"没有{year}年度", f"there is no cycle {year}"))
    return cycle


def cycles_after(session: Session, year: int, limit: int) -> Sequence[Cycle]:
    """List years in their order, after one of them."""
    return session.scalars(select(Cycle).where(Cycle.year > year).order_by(Cycle.year).limit(limit)).all()


def newest_title(session: Session) -> str | None:
    """Return the title of the newest year that is published, which names the school, or None."""
    return session.scalar(select(Cycle.title).where(Cycle.status == CycleStatus.PUBLISHED).order_by(Cycle.year.desc()).limit(1))


def check_version(session: Session, process: Process, seen: int) -> None:
    """Compare the version that the caller saw (If-Match). Raises Stale with the changes since."""
    if seen == process.version:
        return
    if seen < 0:
        raise Stale(version=process.version)
    moves = session.scalars(select(StageChange).where(StageChange.process_id == process.id, StageChange.version > seen))
    given = session.scalars(select(Extension).where(Extension.process_id == process.id, Extension.version > seen))
    told: dict[int, dict[str, Any]] = {
        row.version: {"at": row.made_at.isoformat(), "by": row.made_by, "trigger": row.trigger, "from": row.source, "to": row.target} for row in moves
    }
    told |= {
        row.version: {"at": row.given_at.isoformat(), "by": row.given_by, "extension": row.stage.value, "due_on": row.due_on.isoformat()}
        for row in given
    }
    # A change that only one kind has, such as an arrangement, is told by actor and time alone.
    others = {row["version"]: {"at": row["at"], "by": row["by"]} for row in changed_since(session, Process, process.id, seen)}
    raise Stale(version=process.version, changed=[each for _, each in sorted({**others, **told}.items())])
