"""Telling people (告知): the letter of an act to each leader of the branches it was done to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from workflow.foundation.vocabulary import local_day
from workflow.mail import letters
from workflow.mail.outbox import NewLetter, enqueue
from workflow.year.cycle import Process
from workflow.year.roll import leaders


def tell_leaders(
    session: Session,
    processes: Sequence[Process],
    kind: str,
    letter: Callable[..., letters.Addressed],
    *,
    now: datetime,
    base_url: str,
    record: int | None = None,
    due: bool = False,
    says: Callable[[Process], dict[str, object]] = lambda process: {},
) -> None:
    """Queue a letter to secretary and deputy of each branch.

    ``says`` gives further words of the letter, ``due`` binds it to the process's day.
    """
    by_id = {process.id: process for process in processes}
    today = local_day(now)
    enqueue(
        session,
        [
            NewLetter(
                kind=kind,
                recipient_id=leader.id,
                recipient_name=leader.name,
                address=leader.email,
                words=letters.render(letter(recipient=leader.name, **_common(process, today, base_url), **says(process))),
                process_id=process.id,
                cycle_id=process.cycle_id,
                round=process.round,
                due_on=process.due_on if due else None,
                record=record,
            )
            for process_id, leader in leaders(session, list(by_id))
            for process in [by_id[process_id]]
        ],
        now,
    )


def process_link(base_url: str, process: Process) -> str:
    """Return the page of one process, for the link in a letter."""
    return f"{letters.kind_link(base_url, process.kind, process.cycle.year)}/{process.branch.code}"


def _common(process: Process, today: date, base_url: str) -> dict[str, object]:
    return {"today": today, "link": process_link(base_url, process), "branch": process.branch_name, "year": process.cycle.year}
