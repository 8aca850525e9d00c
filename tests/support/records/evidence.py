"""Acts of a branch, in short: studies, talks, excuses, moves.

For each requirement there is a situation that lacks it and one that meets it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import combinations
from typing import Any

from sqlalchemy import Engine, create_engine, event, select, text, update
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tests.support.builders import NOW, READING, STAFF_NO, TODAY, a_branch, a_cycle, a_school, an_office, caller, person
from tests.support.records import assessment, assessment_activities, assessment_summary, rating, rectification, report, self_review
from tests.support.situations import EVERYBODY, SUBSTANCE, Situation, a_study, a_talk, nothing, on_roll
from workflow.appraisal.study.sessions import StudyMakeUp, StudySession, record_make_up
from workflow.appraisal.talks.follow_ups import record_follow_up
from workflow.appraisal.talks.talks import Talk, TalkFollowUp
from workflow.foundation.vocabulary import Coverage, Kind, PunishmentKind, Role, Stage, Trigger, local_day
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import Unmet, unmet
from workflow.machine.process import MOVES, move
from workflow.machine.rolls import rolls_follow
from workflow.machine.waivers import waive
from workflow.people.organisation import Punishment
from workflow.rules.requirement import Requirement, Waiver
from workflow.year.amendments import Additions, Amendment, amend_plan
from workflow.year.cycle import Participant, Process, StageChange
from workflow.year.deadlines import change_processes
from workflow.year.finding import Lock, process_of
from workflow.year.opening import publish
from workflow.year.roll import amend_roll, confirm_excuse, roll


def a_small_branch(session: Session, *, coverage: Coverage = Coverage.DEFAULT) -> Process:
    """Make a branch without a committee: 张三 its secretary, 王五 and 孙八, in a published 2024."""
    an_office(session)
    a_branch(session, members=("张三", "王五", "孙八"), committee=("张三",))
    publish(session, a_cycle(session, coverage=coverage), now=NOW)
    return process_of(session, 2024, "D0101")


def a_make_up(session: Session, process: Process, study: StudySession, name: str) -> StudyMakeUp:
    """Record a member's later study of missed titles."""
    return record_make_up(session, process, study, {"staff_no": STAFF_NO[name], "made_up_on": TODAY}, by=caller(session, "张三"), now=NOW)


def a_follow_up(session: Session, process: Process, talk: Talk, *, by: str = "张三") -> TalkFollowUp:
    """Record help that was promised in a talk."""
    return record_follow_up(session, process, talk, {"due_on": date(2025, 1, 10), "what": "联系工会帮助"}, by=caller(session, by), now=NOW)


ADDED = "中国共产党党员教育管理工作条例"


def an_amendment(
    session: Session, process: Process, titles: Sequence[str] = (ADDED,), *, number: str = "校党发〔2024〕9号", **adds: Any
) -> Amendment:
    """Add titles to the plan of a year, or what else is given."""
    what = Additions(titles, **adds)
    return amend_plan(session, process.cycle, what, number=number, issued_on=TODAY, reason="市委组织部要求增加", by="office", now=NOW)


def an_added_title(session: Session, process: Process, *, read: bool = True) -> None:
    """Let a branch leave the study, and an amendment add a title that it has read or not."""
    if read:
        a_study(session, process, titles=(*READING, ADDED))
    stand_at(session, process, Stage.TALKS)
    if ADDED not in process.cycle.plan["rules"]["required_reading"]:
        an_amendment(session, process)


def all_talks(session: Session, process: Process) -> None:
    """Record a talk of every pair with a leader; the secretary's are focus talks."""
    line = [row for row in roll(session, process.id) if row.left_on is None]
    for one, other in combinations(line, 2):
        if one.leads or other.leads:
            talker, partner = (one, other) if one.leads else (other, one)
            focus: dict[str, Any] = {"focus": True, "focus_reason": "新任职"} if talker.name == "张三" else {}
            a_talk(session, process, talker.name, partner.name, **focus)


def all_evidence(session: Session, process: Process) -> None:
    """Record all that a branch needs to come to its last stage."""
    a_study(session, process, [row.name for row in roll(session, process.id) if row.left_on is None])
    all_talks(session, process)
    all_after_the_talks(session, process)


def all_after_the_talks(session: Session, process: Process) -> None:
    """Record all that the later stages ask for."""
    self_review.all_self_review(session, process)
    rating.all_rating(session, process)
    rectification.all_rectification(session, process)
    report.a_form(session, process)


def excused(session: Session, process: Process, name: str, *, confirmed: bool = True) -> Participant:
    """Let the branch excuse a member, and the office confirm it unless ``confirmed`` is false."""
    row = on_roll(session, process, name)
    amend_roll(session, process, row, {"excused_reason": "长期病休"}, seen=row.version, by=caller(session, "张三"))
    if confirmed:
        confirm_excuse(session, process, row, by=caller(session, "office"))
    return row


def leaves(session: Session, name: str, *, on: date | None = None) -> None:
    """Transfer a member out, today or ``on`` a day before, and let the rolls follow."""
    person(session, name).branch_id = None
    session.flush()
    rolls_follow(session, now=NOW)
    if on is not None:
        session.execute(update(Participant).where(Participant.person_id == person(session, name).id).values(left_on=on))


def under_probation(session: Session, name: str) -> None:
    """Put a member under 留党察看, which takes their vote, and let the rolls follow."""
    day = local_day(NOW) - timedelta(days=100)
    session.add(Punishment(person_id=person(session, name).id, kind=PunishmentKind.PROBATION, given_on=day, recorded_by="office", recorded_at=NOW))
    session.flush()
    rolls_follow(session, now=NOW)


def stand_at(session: Session, process: Process, stage: Stage) -> Process:
    """Put a process into a stage, even if requirements are not met."""
    change_processes(session, [process], {"stage": stage})
    return process


def a_waiver(session: Session, process: Process, requirement: str, *subjects: str, reason: str = "外出访学") -> Waiver:
    """Let the branch give a reason for what is missing."""
    body = {"requirement": requirement, "reason": reason, **({"subjects": list(subjects)} if subjects else {})}
    return waive(session, process, body, by="z3", now=NOW)


def lacking(session: Session, process: Process, requirement: str) -> list[str]:
    """List the subjects that a requirement misses in a process and that no waiver covers."""
    return [subject.id for each in unmet(session, process, [BY_NAME[requirement]], today=TODAY) for subject in each.open]


def rows_of(session: Session, process: Process, requirement: Requirement) -> list[tuple[str, int | None]]:
    """Give the subject and the person of each row of a requirement for a process."""
    rows = requirement.query().subquery()
    asked = select(rows.c.subject_id, rows.c.person_id).where(rows.c.process_id == process.id)
    # As the gate does it: some signs depend on the day, which the driver fills in.
    sql = str(asked.compile(dialect=psycopg.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]
    session.flush()
    found = session.connection().exec_driver_sql(sql, {"today": TODAY})
    return sorted((row.subject_id, row.person_id) for row in found)


@contextmanager
def statements(database: Engine) -> Iterator[list[str]]:
    """Collect the statements sent to the database inside the block, with single spaces."""
    sent: list[str] = []

    def listen(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        sent.append(" ".join(statement.split()))

    event.listen(database, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(database, "before_cursor_execute", listen)


def said(rows: Sequence[Unmet]) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """Give branch, requirement, open subjects and waived subjects of each row."""
    return [(row.at.branch_code, row.requirement.name, tuple(s.id for s in row.open), tuple(s.id for s in row.waived)) for row in rows]


# ── moving ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def again(session: Session) -> Process:
    """Read the process anew, locked for a move."""
    return process_of(session, 2024, "D0101", lock=Lock.MOVE)


def go(session: Session, trigger: Trigger, to: Stage | None = None, *, by: str | None = None, now: datetime = NOW, **more: Any) -> StageChange:
    """Make a move as a person who may make it."""
    process = again(session)
    who = next(each.who for each in MOVES[Kind.APPRAISAL] if each.trigger is trigger)
    if next(each for each in MOVES[Kind.APPRAISAL] if each.trigger is trigger).asks_reason:
        more = {"reason": "谈话记录不完整", **more}
    actor = by or ("office" if who is Role.OFFICE else "张三")
    return move(session, process, trigger, to=to, by=caller(session, actor), now=now, seen=process.version, **more)


def came_to(session: Session, stage: Stage, *, now: datetime = NOW) -> Process:
    """Move the process forward until it comes to a stage."""
    while (process := again(session)).stage is not stage:
        go(session, {Stage.REPORT: Trigger.FILE, Stage.FILED: Trigger.ACCEPT}.get(process.stage, Trigger.ADVANCE), now=now)
    return process


# ── a situation that lacks each requirement, and one that has it ──────────────────────────────────────────────────────


SITUATIONS: dict[str, Situation] = {
    **self_review.SITUATIONS,
    **report.SITUATIONS,
    "no_study_with_exchange": Situation(met=a_study, unmet=nothing),
    "required_titles_not_read": Situation(met=a_study, unmet=lambda session, process: a_study(session, process, titles=READING[:1])),
    "members_who_have_not_studied": Situation(met=a_study, unmet=lambda session, process: a_study(session, process, EVERYBODY[:4])),
    "added_titles_not_read": Situation(met=an_added_title, unmet=lambda session, process: an_added_title(session, process, read=False)),
    "members_without_added_reading": Situation(met=an_added_title, unmet=lambda session, process: an_added_title(session, process, read=False)),
    "committee_pairs_without_a_talk": Situation(met=all_talks, unmet=nothing),
    "members_nobody_talked_with": Situation(met=all_talks, unmet=nothing),
    "leaders_and_members_without_a_talk": Situation(met=all_talks, unmet=nothing, coverage=Coverage.STRICT),
    "secretary_without_a_focus_talk": Situation(met=all_talks, unmet=nothing),
    "talks_without_opinions": Situation(
        met=lambda session, process: a_talk(session, process, "张三", "王五", **SUBSTANCE),
        unmet=lambda session, process: a_talk(session, process, "张三", "王五"),
    ),
    "talks_without_substance": Situation(
        met=lambda session, process: a_talk(session, process, "张三", "王五", **SUBSTANCE),
        unmet=lambda session, process: a_talk(session, process, "张三", "王五"),
    ),
    "focus_talks_without_a_follow_up": Situation(
        met=lambda session, process: a_follow_up(session, process, a_talk(session, process, "张三", "王五", focus=True)),
        unmet=lambda session, process: a_talk(session, process, "张三", "王五", focus=True),
    ),
    **{name: Situation(met=met, unmet=unmet) for name, (met, unmet) in rectification.SITUATIONS.items()},
    **{name: Situation(met, unmet) for name, (met, unmet) in rating.SITUATIONS.items()},
    **assessment.SITUATIONS,
    **assessment_activities.SITUATIONS,
    **assessment_summary.SITUATIONS,
}
"""Situations by the requirement's name. A new requirement needs its line here."""

OF_ALL_BRANCHES = {
    "branch_without_a_result",
    "decision_without_a_quorum",
    "decision_without_its_vote",
    "no_excellent_branch",
    "more_excellent_branches_than_allowed",
    "decision_to_confirm",
    "activities_without_attendance",
    "inputs_missing",
    "members_on_no_roll",
    "members_on_two_rolls",
    "members_rated_nowhere",
    "members_rated_twice",
    "measures_of_a_former_secretary",
}
"""Requirements that read one act or activity of all branches, all rolls of a person, or
today's posts.

See the tests of the decision, activities and handing over.
"""


def in_situation(session: Session, name: str, *, met: bool) -> Process:
    """Make the school, and put 张三's branch into the situation of a requirement.

    Either the requirement is met or something is missing. Returns the process to which it applies.
    """
    situation = SITUATIONS[name]
    branch = a_school(session, coverage=situation.coverage).branch
    process = process_of(session, 2024, branch.code, kind=BY_NAME[name].kind)
    (situation.met if met else situation.unmet)(session, process)
    return process


# ── a large school ────────────────────────────────────────────────────────────────────────────────────────────────────

MANY = """
alter table branch disable trigger user; alter table person disable trigger user;
alter table process disable trigger user; alter table participant disable trigger user;
alter table study_session disable trigger user; alter table study_attendance disable trigger user;
alter table study_make_up disable trigger user; alter table talk disable trigger user;
alter table talk_follow_up disable trigger user; alter table waiver disable trigger user;
insert into branch (code, name, unit_code, unit_name, has_committee)
    select 'B' || n, '支部' || n, 'U' || n % 100, '党委' || n % 100, n % 3 <> 0 from generate_series(1, :branches) n;
insert into person (staff_no, name, branch_id, standing, cadre)
    select b.code || '-' || k, '党员' || k, b.id, 'full', false from branch b, generate_series(1, 6) k where b.code like 'B%';
insert into process (cycle_id, branch_id, kind, stage, round, version, entered_at, late, branch_name, unit_code, unit_name)
    select c.id, b.id, 'appraisal', case when b.id % 2 = 0 then 'study' else 'talks' end, 1, 1, now(), false, b.name, b.unit_code, b.unit_name
    from cycle c, branch b where b.code like 'B%';
insert into participant (process_id, person_id, staff_no, name, standing, post, on_committee, leads, cadre, voting, rated_here, version)
    select p.id, m.id, m.staff_no, m.name, 'full',
        case when m.staff_no = b.code || '-1' then 'secretary' when m.staff_no <= b.code || '-3' then 'committee_member' end,
        b.has_committee and m.staff_no <= b.code || '-3', m.staff_no <= b.code || case when b.has_committee then '-3' else '-1' end,
        false, true, true, 1
    from process p join branch b on b.id = p.branch_id join person m on m.branch_id = b.id where b.code like 'B%';
insert into study_session (process_id, held_on, titles, exchange, version, recorded_by, recorded_at)
    select p.id, '2024-12-18', c.plan -> 'rules' -> 'required_reading', '交流', 1, 'z3', now()
    from process p join cycle c on c.id = p.cycle_id, generate_series(1, 2);
insert into study_attendance (session_id, staff_no, process_id)
    select s.id, r.staff_no, s.process_id from study_session s join participant r on r.process_id = s.process_id where (r.person_id + s.id) % 20 <> 0;
insert into study_make_up (session_id, staff_no, process_id, made_up_on, recorded_by, recorded_at)
    select s.id, r.staff_no, s.process_id, '2024-12-20', 'z3', now()
    from study_session s join participant r on r.process_id = s.process_id where (r.person_id + s.id) % 40 = 0;
insert into talk (process_id, held_on, talker, partner, way, focus, focus_reason, no_opinions, version, recorded_by, recorded_at,
        talker_led, partner_led, with_secretary)
    select r.process_id, '2024-12-18', r.staff_no, o.staff_no, 'face', r.post = 'secretary', '新入职', false, 1, 'z3', now(),
        r.leads, o.leads, o.post is not distinct from 'secretary'
    from participant r join participant o on o.process_id = r.process_id and o.person_id > r.person_id and (r.post = 'secretary' or o.leads)
    where r.leads and (r.person_id + o.person_id) % 50 <> 0;
insert into talk_follow_up (talk_id, process_id, due_on, what, recorded_by, recorded_at)
    select id, process_id, '2025-01-10', '联系工会', 'z3', now() from talk where id % 3 = 0;
insert into waiver (process_id, requirement, covers, names, reason, needs_approval, version, recorded_by, recorded_at)
    select process_id, 'members_nobody_talked_with', jsonb_build_object(staff_no, 1), '{}', '出国', false, 1, 'z3', now()
    from participant where person_id % 50 = 0;
"""


MANY_ALL = f"{MANY}{self_review.MANY}{rating.MANY}{rectification.MANY}{report.MANY}{assessment.MANY}{assessment_summary.MANY}"
WHOLE = {"decision", "decision_attendee", "decision_result"}
"""Tables of one act over all branches: to check that it names enough, all of it is read."""
LARGE = frozenset(re.findall(r"alter table (\w+) disable", MANY_ALL)) - WHOLE
"""The tables that are large then: no gate reads the whole of one."""


def many_branches(owner_url: str, branches: int) -> None:
    """Add branches of six people with studies, talks and waivers, a twentieth of it missing.

    The one cycle keeps its other branches. No history is written.
    """
    engine = create_engine(owner_url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in f"{MANY_ALL}analyze;\n".split(";\n"):
            connection.execute(text(statement.replace(":branches", str(branches))))
