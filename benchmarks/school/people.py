"""Branches, people, processes and rolls of the large school (党支部、党员、流程、名册)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from benchmarks.school.copying import NULL, copy
from benchmarks.school.plan import (
    MEMBER_PLACE,
    PERSON_BASE,
    Branch,
    Days,
    Scale,
    branches,
    digest,
    name_of,
    secret_of,
)

POSTS = {
    1: ("secretary", "书记"),
    2: ("committee_member", "组织委员"),
    3: ("committee_member", "宣传委员"),
}
NOW = datetime.now(UTC).isoformat()
_PROBATIONARY = 11
"""Every eleventh is a probationary member."""


def load_people(connection: Connection[Any], scale: Scale, days: Days, cycle: int) -> None:
    """Write the people of the school, and for each branch both kinds of process with the roll."""
    every = list(branches(scale))
    copy(
        connection,
        "branch",
        "id code name unit_code unit_name has_committee",
        (f"{b.number}\t{b.code}\t{_named(b)}\t{b.has_committee}\n" for b in every),
    )
    copy(
        connection,
        "person",
        "id staff_no name email branch_id standing cadre",
        (
            f"{b.person(k)}\t{b.staff_no(k)}\t{name_of(b.person(k))}\tm{b.staff_no(k)}@school.example"
            f"\t{b.number}\t{_standing(k)}\tf\n"
            for b in every
            for k in b.places
        ),
    )
    copy(
        connection,
        "account",
        "person_id created_at",
        (f"{b.person(k)}\t{NOW}\n" for b in every for k in b.places),
    )
    copy(
        connection,
        "appointment",
        "person_id branch_id post title on_committee starts_on id",
        (
            f"{b.person(k)}\t{b.number}\t{POSTS[k][0]}\t{POSTS[k][1]}\t{b.has_committee}"
            f"\t{days.today - timedelta(days=300)}\t{PERSON_BASE + b.number * 3 + k}\n"
            for b in every
            for k in b.leaders
        ),
    )
    copy(connection, "token", "person_id name hash created_at expires_at id", _tokens(every))
    copy(
        connection,
        "process",
        "id cycle_id branch_id kind stage round version entered_at due_on late"
        " branch_name unit_code unit_name",
        _processes(every, days, cycle),
    )
    copy(
        connection,
        "participant",
        "process_id person_id staff_no name standing post title on_committee leads cadre voting"
        " rated_here version",
        _rolls(every, scale),
    )


def _standing(place: int) -> str:
    return "probationary" if place % _PROBATIONARY == 0 else "full"


def _tokens(every: list[Branch]) -> Iterator[str]:
    ends = (datetime.now(UTC) + timedelta(days=300)).isoformat()
    number = PERSON_BASE
    for branch in every:
        for place in (1, MEMBER_PLACE):
            number += 1
            secret = digest(secret_of(branch.staff_no(place)))
            yield f"{branch.person(place)}\tbench\t{secret}\t{NOW}\t{ends}\t{number}\n"


def _named(b: Branch) -> str:
    return f"第{b.number}党支部\tU{b.number % 100}\t第{b.number % 100}学院党委"


def _processes(every: list[Branch], days: Days, cycle: int) -> Iterator[str]:
    for b in every:
        yield (
            f"{b.process}\t{cycle}\t{b.number}\tappraisal\t{b.stage}\t1\t1\t{NOW}"
            f"\t{days.deadline}\tf\t{_named(b)}\n"
        )
    for b in every:
        number = len(every) + b.number
        yield (
            f"{number}\t{cycle}\t{b.number}\tassessment\tcollecting\t1\t1\t{NOW}\t{NULL}\tf"
            f"\t{_named(b)}\n"
        )


def _rolls(every: list[Branch], scale: Scale) -> Iterator[str]:
    for ahead in (0, scale.branches):
        for b in every:
            for k in b.places:
                leads = k in b.leaders
                post, title = POSTS[k] if leads else (NULL, NULL)
                yield (
                    f"{b.process + ahead}\t{b.person(k)}\t{b.staff_no(k)}\t{name_of(b.person(k))}"
                    f"\t{_standing(k)}\t{post}\t{title}\t{leads and b.has_committee}\t{leads}\tf"
                    f"\t{_standing(k) == 'full'}\tt\t1\n"
                )
