"""The walk of the year, step by step; letters and history are recorded too."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, text

from tests.net.matrix import look, places_of, try_every_change
from tests.net.recording import Recorder
from tests.net.year import appraisals, assessments, people, years
from tests.net.year.school import NUMBERS
from tests.net.year.steps import Walk, a_walk
from tests.support.builders import an_office
from workflow.foundation.database import transaction

TABLES = ("letter", "history")
"""Tables whose rows are recorded as they are: letters with their texts, and the history of changes.
"""


def recorded(engine: Engine) -> Recorder:
    """Walk the year on an empty database, and return all answers."""
    with a_walk(engine) as walk:
        _begun(walk)
        _asked(walk, "begun")
        _half(walk)
        _asked(walk, "middle")
        _whole(walk)
        _asked(walk, "end")
        _refused(walk)
        for name in TABLES:
            walk.house.recorder.table(name, rows(engine, name))
        return walk.house.recorder


def filled(walk: Walk) -> None:
    """Walk the year without asking each role, and leave it open."""
    _begun(walk)
    _half(walk)
    _whole(walk)


def _begun(walk: Walk) -> None:
    """Walk from an empty database to a published year."""
    with transaction(walk.house.engine, actor="cli") as session:
        an_office(session)
    people.outside(walk)
    people.roster(walk)
    people.accounts(walk)
    people.invitations(walk)
    people.throttled(walk)
    people.calendar(walk)
    years.opened(walk)
    walk.tick()
    people.posts(walk)
    people.substitutes(walk)
    people.rolls(walk)
    people.refused_bodies(walk)
    years.polled(walk)


def _half(walk: Walk) -> None:
    """Walk to the middle of the year.

    Then every kind of record exists, branches are in different stages, the committee has decided.
    """
    appraisals.studies(walk)
    walk.at(2024, 12, 23, 1, 30)
    walk.tick()
    appraisals.talks(walk)
    appraisals.there_to(walk, "talks")
    years.changed(walk)
    appraisals.self_reviews(walk)
    appraisals.ratings(walk)
    appraisals.rectification(walk)
    appraisals.small_to(walk, "self_review")
    walk.at(2024, 12, 30, 1, 30)
    walk.tick()
    people.second_roster(walk)
    appraisals.moved(walk)
    assessments.arranged(walk)
    assessments.activities(walk)
    assessments.reports(walk)
    walk.at(2025, 1, 7, 1, 30)
    walk.tick()
    assessments.proposed(walk)
    assessments.decided(walk)
    years.polled(walk)


def _whole(walk: Walk) -> None:
    """Walk to the end of the year."""
    walk.at(2025, 1, 13, 1, 30)
    walk.mail.answers["RCPT"] = ["550 no such mailbox"]
    walk.mail.answers["DATA"] = ["451 later"]
    walk.tick()
    appraisals.reports(walk)
    assessments.confirmed(walk)
    assessments.published(walk)
    appraisals.there_to(walk, "filed")
    walk.at(2025, 1, 24, 1, 30)
    walk.tick()
    walk.at(2025, 1, 27, 1, 30)
    walk.tick()
    appraisals.slow_to_filed(walk)
    appraisals.small_to(walk, "report")
    appraisals.accepted(walk)
    years.changed(walk)
    years.polled(walk)
    walk.at(2025, 2, 10, 1, 30)
    walk.tick()


def _asked(walk: Walk, moment: str) -> None:
    """Ask every GET route at this moment."""
    recorder = walk.house.recorder
    recorder.moment = moment
    look(walk.house, recorder, places_of(walk.house, others(walk), NUMBERS["王五"]))
    recorder.moment = f"after {moment}"


def _refused(walk: Walk) -> None:
    """Try every change; the last of them closes the year.

    Then ask for the refusals of a closed year.
    """
    recorder = walk.house.recorder
    recorder.moment = "every change"
    try_every_change(walk.house, recorder, places_of(walk.house, others(walk), NUMBERS["王五"]))
    recorder.moment = "closed"
    years.closed(walk)


def others(walk: Walk) -> dict[str, str | int]:
    """Collect the values of addresses that are no records of the branch."""
    names = ("import_id", "sheet_id", "token_id", "appointment_id", "substitute_id", "decision_id", "follow_up_id")
    return {"invitation_code": "no-such-link", **{name: walk.kept.get(name, 1) for name in names}}


def rows(engine: Engine, table: str) -> list[dict[str, Any]]:
    """Read all rows of a table as JSON."""
    with transaction(engine, actor=None) as session:
        statement = text(f"select to_jsonb(t) from {table} t order by id")  # noqa: S608
        return list(session.scalars(statement))
