"""The fifth stage in short acts: problems, measures, commitments, publications, filings.

There is a situation for each requirement.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, TODAY, caller, person
from workflow.appraisal.ledger import Commitment, CommitmentProgress, Measure, MeasureComment, MeasureProgress, Problem
from workflow.appraisal.rectification.commitments import COMMITMENTS, record_keeping
from workflow.appraisal.rectification.handover import hand_over
from workflow.appraisal.rectification.measures import MEASURES, record_comment, record_progress
from workflow.appraisal.rectification.problems import PROBLEMS
from workflow.appraisal.rectification.publications import FILINGS, PUBLICATIONS, Publication, RectificationFiling, confirm_receipt
from workflow.foundation.vocabulary import Kind, MeasureState, Post, ProblemSource, Role, Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import todos
from workflow.people.organisation import Appointment
from workflow.roster.posts import appoint, end_appointment
from workflow.rules.evidence import Evidence, reject, withdraw
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.roll import roll, secretaries

DUE_ON = date(2025, 6, 30)
_Recorded = Callable[[Session, Process], object]


def _secretary(session: Session, process: Process) -> str:
    return secretaries(session, [process.id])[process.id].staff_no


def a_problem(session: Session, process: Process, text: str = "“三会一课”质量不高", **fields: Any) -> Problem:
    """Record a problem of the committee that came up in its meeting."""
    body = {"source": ProblemSource.MEETING, "whose": "committee", "text": text, **fields}
    return PROBLEMS.record(session, process, body, by=caller(session, _secretary(session, process)), now=NOW)


def a_measure(session: Session, process: Process, *problems: Problem, owner: str | None = None, **fields: Any) -> Measure:
    """Record a measure against these problems; the secretary owns it unless ``owner`` is given."""
    body = {"problems": [row.id for row in problems], "text": "完善“三会一课”制度", "due_on": DUE_ON, "past_due_ok": True, **fields}
    body |= {} if owner is None else {"owner": STAFF_NO.get(owner, owner)}
    stated = {name: value for name, value in body.items() if value is not None}
    return MEASURES.record(session, process, stated, by=caller(session, _secretary(session, process)), now=NOW)


def a_commitment(session: Session, process: Process, name: str, *, by: str | None = None, **fields: Any) -> Commitment:
    """Record a commitment of a member, by themselves or by another."""
    body = {"staff_no": STAFF_NO.get(name, name), "problem": "学习不够深入", "text": "每周自学一次", "due_on": DUE_ON, "past_due_ok": True, **fields}
    stated = {field: value for field, value in body.items() if value is not None}
    return COMMITMENTS.record(session, process, stated, by=caller(session, by or name), now=NOW)


def a_publication(session: Session, process: Process, **fields: Any) -> Publication:
    """Record a publication of the measures on the notice board for a week."""
    body = {"place": "学院公示栏", "from_on": date(2024, 12, 20), "to_on": date(2024, 12, 27), **fields}
    stated = {name: value for name, value in body.items() if value is not None}
    return PUBLICATIONS.record(session, process, stated, by=caller(session, _secretary(session, process)), now=NOW)


def a_filing(session: Session, process: Process, **fields: Any) -> RectificationFiling:
    """Record that the measures were sent up to the faculty's party committee."""
    body = {"sent_to": "计算机学院党委", "sent_on": TODAY, **fields}
    return FILINGS.record(session, process, body, by=caller(session, _secretary(session, process)), now=NOW)


def progress(
    session: Session, process: Process, measure: Measure, state: MeasureState, evidence: str | None = None, *, by: str = "张三", now: datetime = NOW
) -> MeasureProgress:
    """Note the progress of a measure."""
    body = {"state": state, **({} if evidence is None else {"evidence": evidence})}
    return record_progress(session, process, measure, body, by=caller(session, by), now=now)


def keeping(
    session: Session, process: Process, row: Commitment, state: MeasureState, evidence: str | None = None, *, by: str = "张三", now: datetime = NOW
) -> CommitmentProgress:
    """Note how far a commitment is kept."""
    body = {"state": state, **({} if evidence is None else {"evidence": evidence})}
    return record_keeping(session, process, row, body, by=caller(session, by), now=now)


def a_comment(session: Session, process: Process, measure: Measure, *, by: str = "李四", now: datetime = NOW) -> MeasureComment:
    """Comment on a measure."""
    return record_comment(session, process, measure, {"text": "建议明确到人"}, by=caller(session, by), now=now)


def received(session: Session, process: Process) -> RectificationFiling:
    """Make a filing that the office has confirmed."""
    row = a_filing(session, process)
    confirm_receipt(session, row, by=caller(session, "office"), now=NOW)
    return row


def all_commitments(session: Session, process: Process) -> None:
    """Record a commitment of everybody who is still on the roll."""
    for row in roll(session, process.id):
        if row.left_on is None:
            a_commitment(session, process, row.staff_no)


def all_rectification(session: Session, process: Process) -> None:
    """Record all that a branch needs to leave its fifth stage."""
    a_measure(session, process, a_problem(session, process))
    all_commitments(session, process)
    a_publication(session, process)
    a_filing(session, process)


def secretary_resigns(session: Session, process: Process) -> Participant:
    """Let the secretary of a branch resign, and the next member of its roll follow."""
    (held,) = session.scalars(
        select(Appointment).where(Appointment.post == Post.SECRETARY, Appointment.ends_on.is_(None), Appointment.branch_id == process.branch_id)
    )
    end_appointment(session, held.id, ends_on=TODAY - timedelta(days=1), now=NOW)
    follows = next(row for row in roll(session, process.id) if row.person_id != held.person_id)
    body = {"staff_no": follows.staff_no, "branch": process.branch.code, "post": Post.SECRETARY, "starts_on": TODAY}
    appoint(session, body, now=NOW)
    return follows


def the_year_after(session: Session, process: Process, year: int = 2025) -> Process:
    """Make the appraisal of the same branch in a later year."""
    return another_year(session, process, year)


def another_year(session: Session, process: Process, year: int) -> Process:
    """Make the appraisal of the same branch in another year, without a roll."""
    before = process.cycle
    cycle = Cycle(year=year, title="", theme="", plan=before.plan, deadlines=before.deadlines, changed_at=NOW, published_at=NOW, closed_at=None)
    cycle.status = before.status
    session.add(cycle)
    session.flush()
    another = Process(
        cycle_id=cycle.id,
        branch_id=process.branch_id,
        kind=Kind.APPRAISAL,
        stage=Stage.STUDY,
        entered_at=NOW,
        branch_name=process.branch_name,
        unit_code=process.unit_code,
        unit_name=process.unit_name,
        round_due_on=None,
        due_on=None,
    )
    session.add(another)
    session.flush()
    return another


def whole(session: Session, process: Process, **fields: Any) -> Measure:
    """Record a measure against a problem of its own."""
    return a_measure(session, process, a_problem(session, process), **fields)


def by_withdrawal(row: Evidence) -> None:
    withdraw(row, by="z3", now=NOW, reason="重复")


def by_rejection(row: Evidence) -> None:
    reject(row, by="office", now=NOW, reason="不实")


TakeBack = Callable[[Evidence], None]
taken_back = pytest.mark.parametrize("take_back", [by_withdrawal, by_rejection])


def ids(*rows: Evidence) -> list[str]:
    """Give the numbers as ``lacking`` does: as text, in the order of text."""
    return sorted(str(row.id) for row in rows)


def actors(session: Session, name: str) -> set[int | None]:
    """Find the people who must act on the rows of a requirement."""
    rows = BY_NAME[name].query().subquery()
    return set(session.scalars(select(rows.c.person_id)))


def mine(session: Session, who: str, name: str, *, school: Collection[Role] = ()) -> list[str]:
    return [s.id for row in todos(session, person(session, who).id, today=TODAY, school=school) if row.requirement.name == name for s in row.open]


# ── a situation that has each requirement, and one that lacks it ──────────────────────────────────────────────────────


def _nothing(session: Session, process: Process) -> None:
    """Leave a new branch as it is."""


def _closed(evidence: str | None) -> _Recorded:
    return lambda session, process: progress(session, process, a_measure(session, process), MeasureState.CLOSED, evidence)


def _kept(evidence: str | None) -> _Recorded:
    return lambda session, process: keeping(session, process, a_commitment(session, process, "王五"), MeasureState.CLOSED, evidence)


def _shown_and_changed(show: Callable[..., Evidence], *, again: bool = False) -> _Recorded:
    """Publish a measure or send it up, change it an hour later, and perhaps do it again then."""

    def done(session: Session, process: Process) -> None:
        measure = whole(session, process)
        show(session, process)
        later = NOW + timedelta(hours=1)
        MEASURES.amend(session, process, measure, {"text": "每月召开支委会"}, seen=1, by=caller(session, _secretary(session, process)), now=later)
        if again:
            show(session, process).recorded_at = later

    return done


def _many(number: int) -> _Recorded:
    return lambda session, process: [a_measure(session, process) for _ in range(number)]


SITUATIONS: dict[str, tuple[_Recorded, _Recorded]] = {
    "no_measure_of_the_committee": (whole, _nothing),
    "measures_without_a_problem": (whole, a_measure),
    "measures_not_to_the_point": (whole, lambda session, process: a_measure(session, process, due_on=None)),
    "more_measures_than_the_plan_allows": (_many(10), _many(11)),
    "measures_without_an_owner_on_the_roll": (whole, lambda session, process: setattr(whole(session, process), "owner", None)),
    "members_without_a_commitment": (all_commitments, _nothing),
    "commitments_not_to_the_point": (all_commitments, lambda session, process: a_commitment(session, process, "王五", due_on=None)),
    "measures_not_published": (a_publication, lambda session, process: a_publication(session, process, to_on=None)),
    "measures_not_sent_up": (a_filing, _nothing),
    "filings_without_a_receipt": (received, a_filing),
    "measures_changed_since_published": (_shown_and_changed(a_publication, again=True), _shown_and_changed(a_publication)),
    "measures_changed_since_sent_up": (_shown_and_changed(a_filing, again=True), _shown_and_changed(a_filing)),
    "measures_of_a_former_secretary": (
        lambda session, process: [whole(session, process), secretary_resigns(session, process), hand_over(session, process, now=NOW)],
        lambda session, process: [whole(session, process), secretary_resigns(session, process)],
    ),
    "commitments_overdue": (
        lambda session, process: a_commitment(session, process, "王五", due_on=TODAY),
        lambda session, process: a_commitment(session, process, "王五", due_on=TODAY - timedelta(days=1)),
    ),
    "commitments_closed_without_evidence": (_kept("照片"), _kept(None)),
    "problems_without_a_measure": (whole, a_problem),
    "measures_overdue": (whole, lambda session, process: a_measure(session, process, due_on=date(2024, 12, 19))),
    "measures_still_open": (
        lambda session, process: progress(session, process, whole(session, process, due_on=TODAY), MeasureState.DONE),
        lambda session, process: whole(session, process, due_on=TODAY),
    ),
    "measures_closed_without_evidence": (_closed("会议记录"), _closed(None)),
    "comments_not_taken_up": (
        lambda session, process: [
            a_comment(session, process, measure := whole(session, process)),
            progress(session, process, measure, MeasureState.DOING),
        ],
        lambda session, process: a_comment(session, process, whole(session, process)),
    ),
}
"""Situations by the requirement's name: one that meets it, and one that lacks it."""


# ── a large school ────────────────────────────────────────────────────────────────────────────────────────────────────

MANY = """
alter table problem disable trigger user; alter table measure disable trigger user;
alter table measure_problem disable trigger user; alter table measure_progress disable trigger user;
alter table measure_comment disable trigger user; alter table commitment disable trigger user;
alter table publication disable trigger user; alter table rectification_filing disable trigger user;
insert into problem (process_id, source, about, text, version, recorded_by, recorded_at)
    select p.id, 'meeting', case when n = 1 then b.code || '-2' end, '问题' || n, 1, 'z3', now()
    from process p join branch b on b.id = p.branch_id, generate_series(1, 4) n where b.code like 'B%';
insert into measure (process_id, text, owner, due_on, state, version, recorded_by, recorded_at, as_secretary, changed_at)
    select p.id, '措施' || n, b.code || '-' || n, case when (p.id + n) % 20 <> 0 then date '2025-03-01' + (p.id % 200)::int end,
        case p.id % 4 when 0 then 'open' when 1 then 'doing' when 2 then 'done' else 'closed' end, 1, 'z3', now(), n = 1, now()
    from process p join branch b on b.id = p.branch_id, generate_series(1, 3) n where b.code like 'B%' and (p.id + n) % 20 <> 1;
insert into measure_problem (measure_id, problem_id, process_id)
    select m.id, q.id, m.process_id from measure m join problem q on q.process_id = m.process_id where (m.id + q.id) % 20 <> 0;
insert into measure_progress (measure_id, process_id, state, evidence, recorded_by, recorded_at)
    select id, process_id, state, case when id % 20 <> 0 then '会议记录' end, 'z3', now() from measure where state <> 'open';
insert into measure_comment (measure_id, process_id, text, recorded_by, recorded_at)
    select id, process_id, '建议明确到人', 'z3', now() + case when id % 20 = 0 then interval '1 hour' else interval '-1 hour' end
    from measure where id % 3 = 0;
insert into commitment (process_id, staff_no, problem_id, problem_text, text, due_on, version, recorded_by, recorded_at, state)
    select r.process_id, r.staff_no, q.id, case when q.id is null then '学习不够' end, '每周自学', '2025-06-30', 1, r.staff_no, now(), 'open'
    from participant r left join problem q on q.process_id = r.process_id and q.about = r.staff_no where r.person_id % 20 <> 0;
insert into publication (process_id, place, from_on, to_on, version, recorded_by, recorded_at)
    select id, '公示栏', '2025-01-10', '2025-01-17', 1, 'z3', now() from process where id % 20 <> 0;
insert into rectification_filing (process_id, sent_to, sent_on, version, recorded_by, recorded_at)
    select id, '学院党委', '2025-01-10', 1, 'z3', now() from process where id % 20 <> 1;
"""
"""The records of 10,000 branches in this stage, a twentieth of them missing.

To be run after the branches and their rolls, before ``analyze``. Each statement ends with a
semicolon at the end of a line.
"""
