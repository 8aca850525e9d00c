"""Rolls that follow (名册随动): in step with the organisation, and each person counted once.

Somebody who moves in the middle of a year stands on two rolls of it. They are rated and counted on
one: where they were reported already (on a filed roll that counts them), else where they were
rated, else where the ballot was held, else where they are now. The office may say otherwise on
either roll. Somebody who leaves the school after they were rated stays in the figures; before that
they are in none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import and_, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, personal
from workflow.foundation.vocabulary import ENDED, MAIN, CycleStatus, TallySubject, local_day
from workflow.people.organisation import Appointment, Person, Punishment
from workflow.year.cycle import Cycle
from workflow.year.finding import Lock, unfiled_processes
from workflow.year.following import bring_into_step, open_processes

_FILED = ", ".join(f"'{stage.value}'" for stage in ENDED[MAIN])
_SETTLE = text(f"""
    with asked as (
        select distinct p.cycle_id, r.person_id from participant r join process p on p.id = r.process_id
        where r.process_id = any(:ids) and (r.left_on is not null or r.joined_on is not null)
    ), line as (
        select r.process_id, r.person_id, r.rated_here_by is not null as said, r.rated_here, r.left_on is null as here,
            p.ended_at is null as runs, p.stage in ({_FILED}) and r.left_on is null and r.rated_here as reported, exists (
                select from tally_of_member v join tally t on t.id = v.tally_id
                where v.process_id = r.process_id and v.staff_no = r.staff_no and t.subject = '{TallySubject.MEMBERS.value}'
                    and t.counted_at is not null and t.withdrawn_at is null and t.rejected_at is null
            ) and m.branch_id is not null as balloted, exists (
                select from rating g where g.process_id = r.process_id and g.staff_no = r.staff_no and g.level is not null
                    and g.withdrawn_at is null and g.rejected_at is null
            ) as rated
        from asked a
        join person m on m.id = a.person_id
        join process p on p.cycle_id = a.cycle_id and p.kind = '{MAIN.value}'
        join participant r on r.process_id = p.id and r.person_id = a.person_id
    ), best as (
        select distinct on (person_id) process_id, person_id from line
        where runs and (here or balloted or rated) and (reported or rated_here or not said)
        order by person_id, reported desc, (said and rated_here) desc, rated desc, balloted desc, here desc, process_id
    )
    update participant r set rated_here = not r.rated_here, version = r.version + 1
    from line left join best on best.person_id = line.person_id
    where r.process_id = line.process_id and r.person_id = line.person_id
        and line.rated_here <> (best.process_id is not distinct from line.process_id)
""")  # noqa: S608


def rolls_follow(session: Session, *, now: datetime, branches: Sequence[int] | None = None, day: date | None = None) -> None:
    """Bring the rolls of processes not yet filed into step, of some branches or of all.

    Branches that are new to a published cycle get their process. ``day`` as in ``bring_into_step``.
    """
    running = [each.id for each in unfiled_processes(session, branches, lock=Lock.MOVE)]
    bring_into_step(session, running, now=now, day=day)
    for cycle in session.scalars(select(Cycle).where(Cycle.status == CycleStatus.PUBLISHED)):
        open_processes(session, cycle, now=now)
    settle_where_rated(session, running)


def settle_where_rated(session: Session, process_ids: Sequence[int]) -> None:
    """Settle on which of their rolls the people who came to or left these are rated and counted."""
    if process_ids:
        session.flush()
        session.execute(_SETTLE, {"ids": list(process_ids)})


# ── once a day ────────────────────────────────────────────────────────────────────────────────────────────────────────

ROLLS = "rolls"


@granted("select, insert, update")
class DailyStep(Base):
    """The last local day for which a daily step was done (每日步骤)."""

    __tablename__ = "daily_step"

    name: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date]


personal(DailyStep, Area.SYSTEM, "每日步骤", other="name day")


def bring_rolls_to_today(session: Session, now: datetime) -> bool:
    """Bring rolls into step with what began or ended since this was last done.

    Posts, and punishments that take away the vote. Tells whether there was a new day. Any number of
    workers may call it in any tick: the first of a day does it, others wait for that one. After a
    gap all missed days are made up at once.
    """
    today = local_day(now)
    last = session.scalar(select(DailyStep.day).where(DailyStep.name == ROLLS))
    if last is not None and last >= today:
        return False
    session.execute(insert(DailyStep).values(name=ROLLS, day=date.min).on_conflict_do_nothing())
    row = session.scalars(select(DailyStep).where(DailyStep.name == ROLLS).with_for_update().execution_options(populate_existing=True)).one()
    if row.day >= today:
        return False
    began = and_(Appointment.starts_on > row.day, Appointment.starts_on <= today)
    ended = and_(Appointment.ends_on >= row.day, Appointment.ends_on < today)
    of_posts = select(Appointment.branch_id).where(Appointment.branch_id.is_not(None), or_(began, ended))
    over = and_(Punishment.until >= row.day, Punishment.until < today)
    of_punished = select(Person.branch_id).join(Punishment, Punishment.person_id == Person.id).where(Person.branch_id.is_not(None), over)
    rolls_follow(session, now=now, branches=[each for each in session.scalars(of_posts.union(of_punished)) if each is not None])
    row.day = today
    session.flush()
    return True
