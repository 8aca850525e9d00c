"""Telling people (告知): the letter of an act to each leader of the branches it was done to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from workflow.foundation.vocabulary import MAIN, WORKING_STAGES, Role, Stage, local_day
from workflow.mail import letters
from workflow.mail.outbox import NewLetter, enqueue
from workflow.people.organisation import Person, holders_of
from workflow.people.recipients import gone_among
from workflow.year.amendments import Amendment
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.deadlines import days_that_hold
from workflow.year.finding import Lock, processes_of
from workflow.year.roll import leaders


def tell_leaders(
    session: Session,
    processes: Sequence[Process],
    kind: str,
    letter: Callable[..., letters.Addressed],
    *,
    now: datetime,
    base_url: str,
    record: int | Mapping[int, int] | None = None,
    edition: int | None = None,
    due: bool = False,
    says: Callable[[Process], dict[str, object]] = lambda process: {},
) -> int:
    """Queue a letter to secretary and deputy of each branch; without one, to the office.

    Return how many go out: not those to people without an address, or who are gone.

    ``says`` gives further words of the letter, ``due`` binds it to the process's day. ``record`` is
    of all processes, or by the process's id; ``edition`` grows if a record is told of again, by
    default it is the process's round.
    """
    by_id = {process.id: process for process in processes}
    today = local_day(now)
    records = record if isinstance(record, Mapping) else dict.fromkeys(by_id, record)
    queued = [
        NewLetter(
            kind=kind,
            recipient_id=reader.id,
            recipient_name=reader.name,
            address=reader.email,
            words=letters.render(letter(recipient=reader.name, instead=instead, **_common(process, today, base_url), **says(process))),
            process_id=process.id,
            cycle_id=process.cycle_id,
            round=edition or process.round,
            due_on=process.due_on if due else None,
            record=records.get(process_id),
            version=process.version,
            gone=gone,
        )
        for process_id, reader, instead, gone in _readers(session, list(by_id), today)
        for process in [by_id[process_id]]
    ]
    enqueue(session, queued, now)
    return sum(bool(each.address) and not each.gone for each in queued)


def _readers(session: Session, process_ids: Sequence[int], today: date) -> Iterator[tuple[int, Person, bool, bool]]:
    """Give the readers of each process.

    And whether they read in the place of its leaders, and whether they are gone.
    """
    led = leaders(session, process_ids)
    gone = gone_among(session, {person.id for _, person in led}, today)
    yield from ((process_id, person, False, person.id in gone) for process_id, person in led)
    reached = {process_id for process_id, person in led if person.id not in gone}
    if leaderless := [process_id for process_id in process_ids if process_id not in reached]:
        office = holders_of(session, Role.OFFICE, today)
        gone = gone_among(session, {person.id for person in office}, today)
        yield from ((process_id, person, True, person.id in gone) for process_id in leaderless for person in office)


def tell_year_published(session: Session, cycle: Cycle, *, now: datetime, base_url: str) -> None:
    """Tell secretary and deputy of each branch the plan's title, and the six days as they hold."""
    tell_leaders(
        session,
        processes_of(session, cycle, MAIN, lock=Lock.NONE),
        letters.YEAR_PUBLISHED,
        letters.YearPublished,
        now=now,
        base_url=base_url,
        record=cycle.id,
        edition=cycle.version,
        says=lambda process: {"title": cycle.title, "days": days_that_hold(cycle, process.kind)},
    )


def tell_year_amended(session: Session, row: Amendment, *, now: datetime, base_url: str) -> int:
    """Tell secretary and deputy of each branch not accepted yet what an amendment adds.

    Return how many letters go out.
    """
    days = [(stage, date.fromisoformat(row.deadlines[stage.value])) for stage in WORKING_STAGES[MAIN] if stage.value in row.deadlines]
    says = {"number": row.number, "reason": row.reason, "titles": row.required_reading, "days": days, "texts": bool(row.texts)}
    return tell_leaders(
        session,
        [each for each in processes_of(session, row.cycle, MAIN, lock=Lock.NONE) if each.stage in (*WORKING_STAGES[MAIN], Stage.FILED)],
        letters.YEAR_AMENDED,
        letters.YearAmended,
        now=now,
        base_url=base_url,
        record=row.id,
        edition=1,
        says=lambda process: says,
    )


def tell_excuse_decided(session: Session, process: Process, row: Participant, *, now: datetime, base_url: str) -> None:
    """Tell secretary and deputy that the office has confirmed or refused an excuse, never whose."""
    confirmed = row.excused_confirmed_by is not None
    tell_leaders(
        session,
        [process],
        letters.EXCUSE_CONFIRMED if confirmed else letters.EXCUSE_REFUSED,
        letters.ExcuseDecided,
        now=now,
        base_url=base_url,
        record=row.person_id,
        edition=row.version,
        says=lambda process: {"kind": process.kind, "confirmed": confirmed},
    )


def process_link(base_url: str, process: Process) -> str:
    """Return the page of one process, for the link in a letter."""
    return f"{letters.kind_link(base_url, process.kind, process.cycle.year)}/{process.branch.code}"


def _common(process: Process, today: date, base_url: str) -> dict[str, object]:
    return {"today": today, "link": process_link(base_url, process), "branch": process.branch_name, "year": process.cycle.year}
