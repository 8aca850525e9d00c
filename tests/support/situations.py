"""A situation: acts of a branch by which a requirement is met, and acts by which it is not.

Acts that most situations begin with are here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, READING, STAFF_NO, caller
from workflow.appraisal.study.sessions import SESSIONS, StudySession
from workflow.appraisal.talks.talks import TALKS, Talk
from workflow.foundation.vocabulary import Coverage, TalkWay
from workflow.year.cycle import Participant, Process

EVERYBODY = ("张三", "李四", "钱七", "王五", "孙八")
HELD_ON = date(2024, 12, 18)


SUBSTANCE = {
    "opinions_branch": "多开展主题党日",
    "opinions_committee": "多到教研室走走",
    "affirmed": "教学认真",
    "shortcomings": "发言偏少",
    "exchange": "坦诚交流",
    "private_notes": "近来照顾老人，压力较大",
}
"""Texts for every field of a talk (K3, K4, K5)."""


@dataclass(frozen=True)
class Situation:
    """Acts of a new branch by which a requirement is met, and acts by which it is not."""

    met: Callable[[Session, Process], object]
    unmet: Callable[[Session, Process], object]
    coverage: Coverage = Coverage.DEFAULT


def nothing(session: Session, process: Process) -> None:
    """Leave a new branch as it is."""


def a_study(
    session: Session,
    process: Process,
    present: Sequence[str] = EVERYBODY,
    *,
    titles: Sequence[str] = READING,
    exchange: str | None = "围绕两个文件交流了体会",
    by: str = "张三",
) -> StudySession:
    """Record a session of study that these people attended."""
    body = {"held_on": HELD_ON, "titles": list(titles), "present": [STAFF_NO.get(name, name) for name in present], "exchange": exchange}
    return SESSIONS.record(session, process, body, by=caller(session, by), now=NOW)


def on_roll(session: Session, process: Process, name: str) -> Participant:
    return session.scalars(
        select(Participant).where(Participant.process_id == process.id, Participant.name == name).execution_options(populate_existing=True)
    ).one()


def a_talk(session: Session, process: Process, talker: str, partner: str, *, by: str | None = None, **fields: Any) -> Talk:
    """Record a talk of ``talker`` with ``partner``, by the talker or by another."""
    body = {"held_on": HELD_ON, "talker": STAFF_NO[talker], "partner": STAFF_NO[partner], "way": TalkWay.FACE, **fields}
    return TALKS.record(session, process, body, by=caller(session, by or talker), now=NOW)
