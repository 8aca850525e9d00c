"""Gate, checklist, to-dos and exceptions always agree, for any acts of a branch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.orm import Session

from tests.support.builders import NOW, READING, TODAY, a_school, person
from tests.support.records.assessment import ON_SITE, REPORTED, a_duty_report, an_assessment, arranged, facts
from tests.support.records.evidence import a_follow_up, a_waiver, excused, lacking, leaves, said, stand_at
from tests.support.situations import EVERYBODY, SUBSTANCE, a_study, a_talk
from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, Kind, Post, ReportMode, Role, Severity, Stage, Waivable
from workflow.machine.asked import REQUIREMENTS, requirements_of
from workflow.machine.gate import Unmet, blocking, blocking_together, checklist, exceptions, todos, unmet
from workflow.rules.evidence import reject
from workflow.rules.requirement import Requirement
from workflow.year.cycle import Participant, Process
from workflow.year.finding import process_of
from workflow.year.roll import roll

# ── all of them say the same ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Story:
    """The acts of a branch, in any order and number."""

    present: frozenset[str]
    titles: frozenset[str]
    talks: frozenset[tuple[str, str, bool, bool]]
    """Talker, partner, focus talk with all its texts or not, taken back or not."""
    excused: str | None
    left: str | None
    waived: bool
    stage: Stage
    mode: ReportMode | None
    on_site: frozenset[str]
    """The fields of the on-site session that are set, if there is one."""
    report: frozenset[str] | None
    """The contents of the duty report."""
    submitted: bool
    told: bool
    """True if the year's main work is told."""
    assessed: Stage
    """The stage of the assessment."""


STORIES = st.builds(
    Story,
    present=st.frozensets(st.sampled_from(EVERYBODY)),
    titles=st.frozensets(st.sampled_from(READING)),
    talks=st.frozensets(
        st.tuples(st.sampled_from(EVERYBODY[:3]), st.sampled_from(EVERYBODY), st.booleans(), st.booleans()).filter(lambda t: t[0] != t[1]), max_size=7
    ),
    excused=st.sampled_from([None, "李四", "王五"]),
    left=st.sampled_from([None, "钱七", "孙八"]),
    waived=st.booleans(),
    stage=st.sampled_from([Stage.STUDY, Stage.TALKS]),
    mode=st.sampled_from([None, *ReportMode]),
    on_site=st.frozensets(st.sampled_from(sorted(ON_SITE))),
    report=st.none() | st.frozensets(st.sampled_from(sorted(REPORTED))),
    submitted=st.booleans(),
    told=st.booleans(),
    assessed=st.sampled_from(WORKING_STAGES[Kind.ASSESSMENT]),
)


def lived(session: Session, process: Process, story: Story) -> None:
    a_study(session, process, sorted(story.present), titles=sorted(story.titles))
    for talker, partner, whole, taken_back in sorted(story.talks):
        texts: dict[str, Any] = {**SUBSTANCE, "focus": True, "focus_reason": "新入职"} if whole else {}
        talk = a_talk(session, process, talker, partner, **texts)
        if taken_back:
            reject(talk, by="office", now=NOW, reason="内容雷同")
        elif whole and partner == "王五":
            a_follow_up(session, process, talk, by=talker)
    if story.excused:
        excused(session, process, story.excused)
    if story.waived:
        for each in requirements_of(Kind.APPRAISAL, story.stage):
            if each.waivable is not Waivable.NO and (open_ := lacking(session, process, each.name)):
                a_waiver(session, process, each.name, open_[0])
    assessed(session, story)
    if story.left:
        leaves(session, story.left)
    stand_at(session, process, story.stage)


def assessed(session: Session, story: Story) -> None:
    """Do the acts for the assessment of the same branch."""
    process = an_assessment(session)
    if story.mode is not None:
        on_site = {name: value for name, value in ON_SITE.items() if name in story.on_site}
        arranged(session, process, story.mode, **({"on_site": on_site} if story.mode is ReportMode.ON_SITE else {}))
    if story.report is not None:
        a_duty_report(session, process, {clause: "" if clause == "C2" else REPORTED[clause] for clause in story.report}, submitted=story.submitted)
    if story.told:
        facts(session, process)
    stand_at(session, process, story.assessed)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=STORIES)
def test_gate_checklist_to_dos_and_exceptions_cannot_disagree(session: Session, story: Story) -> None:
    if session.scalar(select(Process.id)) is None:
        a_school(session)
    with session.begin_nested() as attempt:
        lived(session, process_of(session, 2024, "D0101"), story)
        _agree(session, [process_of(session, 2024, "D0101", kind=kind) for kind in Kind])
        attempt.rollback()


def _agree(session: Session, both: Sequence[Process]) -> None:
    """Compare all readings of the two processes of a branch, for each and for both together."""
    shown = {process.id: checklist(session, process, process.stage, today=TODAY) for process in both}
    for process in both:
        asked = shown[process.id]
        assert said(unmet(session, process, today=TODAY)) == said([row for row in asked if row.open or row.waived])
        assert said(blocking(session, process)) == said([row for row in asked if row.open and row.requirement.severity is not Severity.SIGN])
        assert blocking_together(session, {process.id: process.stage}, both).get(process.id, []) == blocking(session, process)
        mine = [row for row in exceptions(session, 2024, today=TODAY, unit=process.branch.unit_code) if row.process_id == process.id]
        assert said(mine) == said([row for row in unmet(session, process, _told_of(process), today=TODAY) if row.open])
    # The rows of each query alone, without the union, name the people who must act.
    line = {row.person_id: row for process in both for row in roll(session, process.id)}
    everybody: dict[int, set[tuple[str, str]]] = {number: set() for number in line}
    of_office: set[tuple[str, str]] = set()
    for process in both:
        open_ = {(row.requirement.name, subject.id) for row in unmet(session, process, _asked_now(process), today=TODAY) for subject in row.open}
        on_roll = [row for row in roll(session, process.id) if row.left_on is None]
        for each in _asked_now(process):
            rows = str(each.query().compile(dialect=psycopg.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]
            holders = {row.person_id for row in on_roll if _holds(row, each.todo_for)}
            here = {"process_id": process.id, "today": TODAY}
            for found in session.connection().exec_driver_sql(f"select * from ({rows}) m where process_id = %(process_id)s", here):  # noqa: S608
                if (each.name, found.subject_id) in open_:
                    for someone in holders if found.person_id is None else {found.person_id}:
                        everybody[someone].add((each.name, found.subject_id))
                    if each.todo_for is Role.OFFICE:
                        of_office.add((each.name, found.subject_id))
    ids = {process.id for process in both}
    for row in line.values():
        assert _told(todos(session, row.person_id, today=TODAY), ids) == (everybody[row.person_id] if row.left_on is None else set()), row.name
    assert _told(todos(session, person(session, "office").id, today=TODAY, school={Role.OFFICE}), ids) == of_office


def _asked_now(process: Process) -> list[Requirement]:
    """List the requirements of the to-dos in a process's stage."""
    order = STAGES[process.kind].index
    return [each for each in REQUIREMENTS[process.kind] if order(each.asked_from) <= order(process.stage) <= order(each.asked_until)]


def _told_of(process: Process) -> list[Requirement]:
    """List the requirements of the exceptions: those asked now, and signs of earlier stages."""
    order = STAGES[process.kind].index
    signs = [each for each in REQUIREMENTS[process.kind] if not each.blocks and order(each.asked_until) < order(process.stage)]
    now = _asked_now(process)
    return [each for each in REQUIREMENTS[process.kind] if each in now or each in signs]


def _told(items: Sequence[Unmet], ids: Collection[int]) -> set[tuple[str, str]]:
    return {(item.requirement.name, subject.id) for item in items if item.process_id in ids for subject in item.open}


def _holds(row: Participant, role: Role) -> bool:
    secretary = row.post in (Post.SECRETARY, Post.DEPUTY)
    return {Role.SECRETARY: secretary, Role.COMMITTEE_MEMBER: secretary or row.leads, Role.MEMBER: True, Role.OFFICE: False}[role]
