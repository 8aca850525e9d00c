"""The assessment at any moment: records that a branch may have or not, drawn by dice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY
from tests.support.records.assessment import REPORTED, a_duty_report, arranged, facts
from tests.support.records.assessment_summary import KINDS, a_proposal, an_activity, attended, checked_facts
from tests.support.records.evidence import lacking, stand_at
from workflow.assessment.facts import DEVELOPMENT, THREE_MEETINGS
from workflow.foundation.vocabulary import (
    Presence,
    ReportMode,
    Stage,
    Trigger,
)
from workflow.machine.waivers import approve, waive
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process, StageChange
from workflow.year.roll import roll

_RESULTS = ("excellent", "good", "qualified", "poor")


def some_activities(session: Session, processes: Sequence[Process], dice: Random) -> None:
    """Make two activities of each kind, and take two of all back.

    Each expected member came, was on leave or stayed away.
    """
    rows = [
        an_activity(session, processes[0], kind, name=f"{KINDS[kind]}{number}", held_on=date(2024, dice.randint(1, 12), 3))
        for kind in KINDS
        for number in range(2)
    ]
    for row in rows:
        for process in processes:
            line = roll(session, process.id)
            expected = dice.sample([each.staff_no for each in line], dice.randint(0, len(line)))
            attended(session, process, row, {staff_no: dice.choice(list(Presence)) for staff_no in expected})
    for how, row in zip((withdraw, reject), dice.sample(rows, 2), strict=True):
        how(row, by="office", now=NOW, reason="有误")


def some_report(session: Session, process: Process, dice: Random) -> None:
    """Make no report, or a draft, or one that was taken back, or a late one.

    A section may be missing or empty.
    """
    process.due_on = TODAY - timedelta(days=1) if dice.random() < 0.4 else None
    kind = dice.randrange(5)
    sections = {clause: dice.choice(("", text)) for clause, text in REPORTED.items() if dice.random() < 0.8}
    if kind:
        row = a_duty_report(session, process, submitted=kind > 1, sections=sections, rectification=dice.choice((None, "已整改")))
        if kind == 2:
            dice.choice((withdraw, reject))(row, by="office", now=NOW, reason="有误")
            a_duty_report(session, process, submitted=dice.random() < 0.5)
    if dice.random() < 0.8:
        arranged(session, process, mode=dice.choice([*ReportMode, None]), conduct=dice.choice((None, "较好")), extra=dice.choice((None, "获奖")))


def some_facts(session: Session, process: Process, dice: Random) -> None:
    if dice.random() < 0.2:
        return
    some = {
        group: {name: dice.randint(0, 14) for name in names if dice.random() < 0.7}
        for group, names in (("three_meetings", THREE_MEETINGS), ("development", DEVELOPMENT))
    }
    tell = dice.choice((facts, checked_facts))
    tell(session, process, main_work=dice.choice((None, "完成")), clean={"clean_issues": True}, **some)
    if dice.random() < 0.7:
        a_proposal(session, process, result=dice.choice([*_RESULTS, None]), reason=dice.choice((None, "工作扎实")))


def some_filing(session: Session, own: Process, dice: Random) -> None:
    """File once or twice or not at all, perhaps late; the filing may be on its way back."""
    for hours in range(dice.randint(0, 2)):
        change = {"source": Stage.REPORT, "target": Stage.FILED, "round": 1, "version": 2, "due_on": None, "reason": None, "late": False}
        session.add(StageChange(process_id=own.id, trigger=Trigger.FILE, made_by="z3", made_at=NOW + timedelta(hours=hours), **change))
    stand_at(session, own, dice.choice((Stage.REPORT, Stage.FILED, Stage.ACCEPTED)))
    own.round, own.late = dice.randint(1, 3), dice.random() < 0.5


def a_reason_for_more(session: Session, own: Process, dice: Random) -> None:
    """Waive a quota that is exceeded; the waiver is approved, waiting or rejected."""
    if lacking(session, own, "more_excellent_than_the_quota"):
        waiver = waive(session, own, {"requirement": "more_excellent_than_the_quota", "reason": "青年教师集中"}, by="office", now=NOW)
        if dice.random() < 0.7:
            approve(waiver, by="office", now=NOW)
        if dice.random() < 0.3:
            reject(waiver, by="office", now=NOW, reason="不同意")
