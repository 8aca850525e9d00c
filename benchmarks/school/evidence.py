"""The evidence of the first three stages (佐证记录): study, talks, self-reviews, meetings, ballots.

Branches that are moved to and fro lack nothing; each of the others lacks something of its stage.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from psycopg import Connection

from benchmarks.school.copying import NULL, copy
from benchmarks.school.people import NOW
from benchmarks.school.plan import Branch, Days, Scale, branches

PURPOSES = ("life", "report", "deciding")
FOCUS_TALKS = 2
_ANSWER = "对照检查，做到了，仍有不足"
_ASPECTS = json.dumps({f"A{n}": _ANSWER for n in range(1, 7)}, ensure_ascii=False)
_NOTED = "\t".join(
    ("多开展主题党日", "多到教研室走走", "教学认真", "发言偏少", "坦诚交流", "照顾老人")
)
_NOTHING_NOTED = "\t".join([NULL] * 6)


@dataclass(frozen=True)
class Year:
    """The year of the evidence: the cycle, its days and the demands of its plan."""

    cycle: int
    branches: int
    days: Days
    theme: str
    reading: str
    """JSON, as the agenda is."""
    agenda: str


@dataclass(frozen=True)
class Kept:
    """A table, its columns, and the lines of one branch."""

    table: str
    columns: str
    lines: Callable[[Branch, Year], Iterator[str]]


RECORD = " version recorded_by recorded_at process_id"


def record(b: Branch, place: int = 1) -> str:
    """Give the values of ``RECORD``."""
    return f"1\t{b.staff_no(place)}\t{NOW}\t{b.process}"


def lacks(b: Branch, stage: str) -> bool:
    """Tell whether a branch is at this stage and lacks some of its evidence."""
    return b.stage == stage and not b.moves


def load(connection: Connection[Any], scale: Scale, year: Year, tables: tuple[Kept, ...]) -> None:
    """Write the evidence of every branch, table by table."""
    for kept in tables:
        lines = (line for branch in branches(scale) for line in kept.lines(branch, year))
        copy(connection, kept.table, kept.columns, lines)


def _study(b: Branch, year: Year) -> Iterator[str]:
    held_on = year.days.held_on
    yield f"{b.number}\t{held_on}\t{year.reading}\t围绕文件交流了体会\t{record(b)}\n"


def _studied(b: Branch, year: Year) -> Iterator[str]:
    for k in b.places:
        if not (lacks(b, "study") and k == b.members):
            yield f"{b.number}\t{b.staff_no(k)}\t{b.process}\n"


def _talks(b: Branch, year: Year) -> Iterator[str]:
    others = [k for k in b.places if k not in b.leaders]
    if lacks(b, "talks"):
        others.pop()
    pairs = [*combinations(b.leaders, 2), *((1, k) for k in others)]
    if b.has_committee:
        pairs += [(2, k) for k in others[::2]]
    noted = _NOTHING_NOTED if b.stage == "rating" else _NOTED
    for n, (talker, partner) in enumerate(pairs):
        focus = "t\t新入职" if n < FOCUS_TALKS else f"f\t{NULL}"
        yield (
            f"{year.days.held_on}\t{b.staff_no(talker)}\t{b.staff_no(partner)}\tface\t{focus}"
            f"\t{noted}\tf\tt\t{partner in b.leaders}\t{partner == 1}\t{record(b, talker)}\n"
        )


def _self_reviews(b: Branch, year: Year) -> Iterator[str]:
    for k in b.places:
        if not (lacks(b, "self_review") and k == b.members):
            yield f"{b.staff_no(k)}\t{_ASPECTS}\tqualified\tt\t{record(b, k)}\n"


def meetings_of(b: Branch) -> Iterator[tuple[int, str]]:
    """Number the meetings of a branch."""
    return enumerate(PURPOSES, (b.number - 1) * len(PURPOSES) + 1)


def _meetings(b: Branch, year: Year) -> Iterator[str]:
    chair, recorder = b.staff_no(1), b.staff_no(2)
    for number, purpose in meetings_of(b):
        vote = f"{b.members}\t0\t0" if purpose == "deciding" else f"{NULL}\t{NULL}\t{NULL}"
        yield (
            f"{number}\t{purpose}\tgeneral\t{year.days.held_on}\t党员活动室\t{chair}\t{recorder}"
            f"\t{year.theme}\t{year.agenda}\t代表支委会述职\t上年度无整改事项\t[]\t{vote}"
            f"\t逐项进行，见记录\t{NOW}\t{NOW}\t{record(b)}\n"
        )


def _attendance(b: Branch, year: Year) -> Iterator[str]:
    for number, _ in meetings_of(b):
        for k in b.places:
            yield f"{number}\t{b.staff_no(k)}\t{b.process}\t{(k + b.number) % 7 != 0}\n"


def _criticisms(b: Branch, year: Year) -> Iterator[str]:
    number, _ = next(meetings_of(b))
    for n in range(1, 4):
        yield (
            f"{number}\t{b.process}\t{n}\t{b.staff_no(n)}\t{b.staff_no(n)}\t会前准备不充分"
            f"\t发言没有联系具体工作\t提前准备\n"
        )


def _voters(b: Branch) -> int:
    """Count the full members: every eleventh is a probationary one."""
    return b.members - b.members // 11


def ballots_of(b: Branch) -> tuple[int, int]:
    """Number the ballot on the committee and the ballot on the members."""
    return b.number * 2 - 1, b.number * 2


def _tallies(b: Branch, year: Year) -> Iterator[str]:
    n = _voters(b)
    for number, subject in zip(ballots_of(b), ("committee", "members"), strict=True):
        tellers = f"{b.staff_no(4)}\t{NOW}"
        yield f"{number}\t{subject}\t{n}\t{n}\t{n}\t0\t[]\t{tellers}\t{record(b, 3)}\n"


def _of_members(b: Branch, year: Year) -> Iterator[str]:
    _, number = ballots_of(b)
    for k in b.places:
        yield f"{number}\t{b.staff_no(k)}\t{b.process}\t0\t{_voters(b) - 1}\t0\t0\t1\n"


def _of_items(b: Branch, year: Year) -> Iterator[str]:
    number, _ = ballots_of(b)
    for item in ("work", "style", "overall"):
        yield f"{number}\t{item}\t{b.process}\t{_voters(b)}\t0\t0\t0\t0\n"


BEFORE_RATING = (
    Kept("study_session", "id held_on titles exchange" + RECORD, _study),
    Kept("study_attendance", "session_id staff_no process_id", _studied),
    Kept(
        "talk",
        "held_on talker partner way focus focus_reason opinions_branch opinions_committee affirmed"
        " shortcomings exchange private_notes no_opinions talker_led partner_led with_secretary"
        + RECORD,
        _talks,
    ),
    Kept("self_review", "staff_no aspects level submitted" + RECORD, _self_reviews),
    Kept(
        "meeting",
        "id purpose form held_on place chair recorder theme agenda duty_report"
        " rectification_report guests vote_yes vote_no vote_abstain minutes chair_confirmed_at"
        " recorder_confirmed_at" + RECORD,
        _meetings,
    ),
    Kept("meeting_attendance", "meeting_id staff_no process_id present", _attendance),
    Kept(
        "meeting_criticism",
        "meeting_id process_id number speaker about matter shown improve",
        _criticisms,
    ),
    Kept(
        "tally",
        "id subject issued returned valid void comments counted_by counted_at" + RECORD,
        _tallies,
    ),
    Kept(
        "tally_of_member",
        "tally_id staff_no process_id excellent qualified basic unqualified abstain",
        _of_members,
    ),
    Kept("tally_of_item", "tally_id item process_id good fairly_good fair poor abstain", _of_items),
)
