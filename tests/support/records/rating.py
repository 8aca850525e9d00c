"""The fourth stage in short acts: a ballot, ratings, feedback, the deciding meeting, aftercare.

For each requirement there is a situation that lacks it and one that meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, TODAY, a_branch, a_cycle, an_office, caller
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.recording import MEETINGS, confirm_minutes
from workflow.appraisal.meetings.tallies import Tally, members_on_ballot
from workflow.appraisal.meetings.tellers import TALLIES
from workflow.appraisal.rating.aftercare import Disposition, DispositionCase, DispositionStep, HelpPlan, Step
from workflow.appraisal.rating.aftercare_help import HELP_PLANS
from workflow.appraisal.rating.aftercare_procedure import CASES, record_step
from workflow.appraisal.rating.ratings import RATINGS, Rating, acknowledge, give_feedback, members_tally
from workflow.foundation.vocabulary import ABSTAIN, FeedbackWay, Level, MeetingForm, MeetingPurpose, Post, Standing, TallySubject
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Participant, Process
from workflow.year.finding import process_of
from workflow.year.opening import publish
from workflow.year.roll import roll

EXCELLENT, QUALIFIED, BASIC, UNQUALIFIED = Level
DECIDED_ON = date(2024, 12, 19)
FACTS = "两次无故不参加组织安排的支教任务，谈话后仍未改正"
PROPOSED_ON = date(2024, 12, 19)


def a_branch_of(session: Session, members: int, *, probationary: Sequence[str] = ()) -> Process:
    """Make a branch of so many members: 张三 its secretary, the others called 党员1, 党员2 …

    From seven members on there is a committee of three.
    """
    an_office(session)
    others = [f"党员{number}" for number in range(1, members)]
    for number, name in enumerate(others, 1):
        STAFF_NO.setdefault(name, f"m{number:02d}")
    a_branch(session, members=("张三", *others), committee=("张三", *others[:2]) if members >= 7 else ("张三",), probationary=probationary)
    publish(session, a_cycle(session), now=NOW)
    return process_of(session, 2024, "D0101")


def present_of(session: Session, process: Process) -> list[Participant]:
    return [row for row in roll(session, process.id) if row.left_on is None]


def a_counted_ballot(
    session: Session, process: Process, votes: Mapping[str, Mapping[str, int]] | None = None, *, voters: int | None = None, now: datetime = NOW
) -> Tally:
    """Enter the ballot on the members by two tellers.

    Everybody votes 合格 and abstains on themselves, unless ``votes`` gives other numbers by name.
    """
    line = present_of(session, process)
    valid = sum(row.voting for row in line) if voters is None else voters
    counts = {row.staff_no: {"qualified": valid - 1, ABSTAIN: 1, **_cleared(votes, row.name)} for row in members_on_ballot(line).values()}
    body = {"subject": TallySubject.MEMBERS, "issued": valid, "returned": valid, "valid": valid, "void": 0, "counts": counts}
    tellers = [row.staff_no for row in line if row.standing is Standing.FULL and row.post is not Post.SECRETARY][:2]
    return [TALLIES.record(session, process, body, by=caller(session, teller), now=now) for teller in tellers][-1]


def _cleared(votes: Mapping[str, Mapping[str, int]] | None, name: str) -> Mapping[str, int]:
    given = (votes or {}).get(name)
    return {} if given is None else {"qualified": 0, ABSTAIN: 0, **given}


def secretary_of(session: Session, process: Process) -> str:
    return next(row.staff_no for row in present_of(session, process) if row.post is Post.SECRETARY)


def a_rating(session: Session, process: Process, name: str, level: Level | None = QUALIFIED, *, told: bool = False, **fields: Any) -> Rating:
    """Rate a member, with feedback if ``told``."""
    by = caller(session, secretary_of(session, process))
    body = {"staff_no": STAFF_NO.get(name, name), "level": level, "opinion": "履行职责较好", **fields}
    row = RATINGS.record(session, process, {key: value for key, value in body.items() if value is not None}, by=by, now=NOW)
    if told:
        a_feedback(session, process, row)
    return row


def ratings(session: Session, process: Process, levels: Mapping[str, Level], **fields: Any) -> dict[str, Rating]:
    """Rate several members, by name."""
    return {name: a_rating(session, process, name, level, **fields) for name, level in levels.items()}


def amended(session: Session, process: Process, row: Rating, *, hours: int = 0, **fields: Any) -> Rating:
    by = caller(session, secretary_of(session, process))
    RATINGS.amend(session, process, row, fields, seen=row.version, by=by, now=NOW + timedelta(hours=hours))
    return row


def a_feedback(session: Session, process: Process, row: Rating) -> Rating:
    """Tell a member the opinion on them."""
    by = caller(session, secretary_of(session, process))
    give_feedback(session, process, row, {"given_on": TODAY, "way": FeedbackWay.FACE}, by=by, now=NOW)
    return row


def acknowledged(session: Session, row: Rating, remark: str | None = None) -> Rating:
    acknowledge(session, row, remark=remark, by=caller(session, row.staff_no), now=NOW)
    return row


def a_decision(
    session: Session,
    process: Process,
    *,
    form: MeetingForm = MeetingForm.GENERAL,
    present: Sequence[str] | None = None,
    yes: int | None = None,
    confirmed: bool = True,
    **fields: Any,
) -> Meeting:
    """Record a deciding meeting of everybody, or of those in ``present``.

    All agreed, unless ``yes`` gives the number of those who did.
    """
    line = {row.staff_no: row for row in present_of(session, process)}
    there = sorted(line) if present is None else [STAFF_NO.get(name, name) for name in present]
    voters = [each for each in there if (line[each].leads if form is MeetingForm.COMMITTEE else line[each].voting)]
    secretary = secretary_of(session, process)
    body = {
        "purpose": MeetingPurpose.DECIDING,
        "form": form,
        "held_on": DECIDED_ON,
        "place": "会议室",
        "chair": secretary,
        "recorder": next(each for each in line if each != secretary),
        "present": there,
        "vote": {"yes": len(voters) if yes is None else yes, "no": 0, "abstain": 0},
        "minutes": "逐人提出评定意见并表决",
        **fields,
    }
    row = MEETINGS.record(session, process, {key: value for key, value in body.items() if value is not None}, by=caller(session, secretary), now=NOW)
    for who in (row.chair, row.recorder) if confirmed else ():
        assert who is not None
        confirm_minutes(session, process, row, by=caller(session, who), now=NOW)
    return row


def a_help_plan(session: Session, process: Process, name: str, **fields: Any) -> HelpPlan:
    """Make a complete help plan by the secretary, without ``fields`` that are None."""
    secretary = secretary_of(session, process)
    body = {"staff_no": STAFF_NO.get(name, name), "helper": secretary, "first_step": "每月谈心一次", "review_on": date(2025, 3, 31), **fields}
    return HELP_PLANS.record(session, process, _given(body), by=caller(session, secretary), now=NOW)


def a_case(session: Session, process: Process, name: str, **fields: Any) -> DispositionCase:
    """Open a disposition case with its sign and facts, without ``fields`` that are None."""
    body = {"staff_no": STAFF_NO.get(name, name), "signs": [1], "facts": FACTS, "proposed_on": PROPOSED_ON, **fields}
    return CASES.record(session, process, _given(body), by=caller(session, secretary_of(session, process)), now=NOW)


def a_step(session: Session, process: Process, case: DispositionCase, step: Step, on: date = TODAY, **fields: Any) -> DispositionStep:
    """Record one step of a disposition case by the secretary."""
    body = {"step": step, "taken_on": on, **fields}
    return record_step(session, process, case, body, by=caller(session, secretary_of(session, process)), now=NOW)


def steps_up_to(session: Session, process: Process, case: DispositionCase, last: Step, on: date = TODAY, **fields: Any) -> None:
    """Record every step that is left up to this one, each whole; ``fields`` are the decision's."""
    others = [row.staff_no for row in present_of(session, process) if row.staff_no != case.staff_no]
    voted = {"vote": {"yes": len(others), "no": 0, "abstain": 1}, "statement": "接受处理", "measure": Disposition.CORRECTION, **fields}
    whole: dict[Step, dict[str, Any]] = {
        Step.TALK: {"talkers": others[:2]},
        Step.GENERAL_MEETING: voted,
        Step.APPROVAL: {"number": "校党组〔2024〕3号"},
    }
    order = list(Step)
    for step in order[: order.index(last) + 1]:
        if step not in case.taken:
            a_step(session, process, case, step, on, **whole.get(step, {}))


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}


def all_rating(session: Session, process: Process) -> None:
    """Record all that the fourth stage asks for, for everybody on the roll, after the ballot.

    One member gets 优秀 if the quota allows one.
    """
    those = list(members_on_ballot(present_of(session, process)))
    for number, staff_no in enumerate(those):
        best = {"level": EXCELLENT, "reason": "承担了全部支教任务"} if number == 0 and len(those) >= 4 else {"level": QUALIFIED}
        a_rating(session, process, staff_no, told=True, **best)
    a_decision(session, process)


# ── situations ────────────────────────────────────────────────────────────────────────────────────────────────────────

Act = Callable[[Session, Process], object]
CAST = ("张三", "李四", "钱七", "王五", "孙八")
FOUR_AND_ONE = {**dict.fromkeys(CAST, QUALIFIED), "张三": EXCELLENT}


def _after(*acts: Act) -> Act:
    """Do one act after another, once the ballot is counted."""

    def done(session: Session, process: Process) -> None:
        for act in (a_counted_ballot, *acts):
            act(session, process)

    return done


def _rated(levels: Mapping[str, Level], **fields: Any) -> Act:
    return lambda session, process: ratings(session, process, levels, **fields)


def _one(level: Level) -> Act:
    return _rated({"王五": level})


def _never(session: Session, process: Process) -> None:
    """Let the plan say 不得超过 instead of 一般不超过."""
    rules = process.cycle.plan["rules"]
    process.cycle.plan = {**process.cycle.plan, "rules": {**rules, "quota": {**rules["quota"], "never": True}}}


def _punished(session: Session, process: Process) -> None:
    next(row for row in roll(session, process.id) if row.name == "王五").punished_on = TODAY - timedelta(days=30)


def _told_and_acknowledged(session: Session, process: Process) -> None:
    acknowledged(session, a_rating(session, process, "王五", told=True))


def _decision(**fields: Any) -> Act:
    return lambda session, process: a_decision(session, process, **fields)


def _a_level_changed_later(session: Session, process: Process) -> None:
    row = a_rating(session, process, "王五")
    a_decision(session, process)
    amended(session, process, row, hours=1, level=EXCELLENT)


def _another_ballot(session: Session, process: Process) -> None:
    tally = members_tally(session, process.id)
    assert tally is not None
    withdraw(tally, by="z3", now=NOW, reason="选票有误，重新测评")
    session.flush()
    a_counted_ballot(session, process, now=NOW + timedelta(hours=1))


def _rejected(session: Session, process: Process) -> None:
    reject(a_help_plan(session, process, "王五"), by="office", now=NOW, reason="措施不具体")


def _facts_later(session: Session, process: Process) -> None:
    row = a_case(session, process, "王五", facts=None)
    CASES.amend(session, process, row, {"facts": FACTS}, seen=1, by=caller(session, "张三"), now=NOW)


def _helper_later(session: Session, process: Process) -> None:
    row = a_help_plan(session, process, "王五", helper=None)
    HELP_PLANS.amend(session, process, row, {"helper": "l4"}, seen=1, by=caller(session, "张三"), now=NOW)


def _talk_of_nobody(session: Session, process: Process) -> None:
    case = a_case(session, process, "王五")
    steps_up_to(session, process, case, Step.INVESTIGATION)
    a_step(session, process, case, Step.TALK)


SITUATIONS: dict[str, tuple[Act, Act]] = {
    "no_deciding_decision": (_decision(), _decision(yes=2)),
    "incomplete_deciding_minutes": (_decision(), _decision(minutes=None)),
    "unconfirmed_deciding_minutes": (_decision(), _decision(confirmed=False)),
    "levels_changed_after_the_decision": (_after(_one(QUALIFIED), _decision()), _after(_a_level_changed_later)),
    "levels_before_the_ballot": (_after(_one(QUALIFIED)), _after(_one(QUALIFIED), _another_ballot)),
    "members_without_a_rating": (_after(_rated(FOUR_AND_ONE)), _after(_one(QUALIFIED))),
    "ratings_not_fed_back": (_after(_rated({"王五": QUALIFIED}, told=True)), _after(_rated({"王五": QUALIFIED, "孙八": BASIC}))),
    "feedback_not_acknowledged": (_after(_told_and_acknowledged), _after(_rated({"王五": QUALIFIED}, told=True))),
    "more_excellent_than_the_quota": (_after(_rated(FOUR_AND_ONE)), _after(_rated({**FOUR_AND_ONE, "王五": EXCELLENT}))),
    "more_excellent_than_is_ever_allowed": (
        _after(_never, _rated(FOUR_AND_ONE)),
        _after(_never, _rated({**FOUR_AND_ONE, "王五": EXCELLENT})),
    ),
    "patterns_without_a_reason": (_after(_rated(FOUR_AND_ONE, reason="表现突出")), _after(_rated(dict.fromkeys(CAST, QUALIFIED)))),
    "excellent_though_punished": (_after(_one(EXCELLENT)), _after(_one(EXCELLENT), _punished)),
    "cases_without_facts": (
        _after(_one(UNQUALIFIED), _facts_later),
        _after(_one(UNQUALIFIED), lambda session, process: a_case(session, process, "王五", facts=None)),
    ),
    "basic_without_a_help_plan": (_after(_one(BASIC), _helper_later), _after(_one(BASIC), _rejected)),
    "help_waits_for_a_review": (
        lambda session, process: a_help_plan(session, process, "王五", review_on=TODAY),
        lambda session, process: a_help_plan(session, process, "王五", review_on=TODAY - timedelta(days=1)),
    ),
    "cases_standing_still": (
        lambda session, process: a_case(session, process, "王五", proposed_on=TODAY - timedelta(days=30)),
        lambda session, process: a_case(session, process, "王五", proposed_on=TODAY - timedelta(days=31)),
    ),
    "cases_to_press": (
        lambda session, process: a_case(session, process, "王五", proposed_on=TODAY - timedelta(days=30)),
        lambda session, process: a_case(session, process, "王五", proposed_on=TODAY - timedelta(days=31)),
    ),
    "steps_that_lack_something": (
        lambda session, process: steps_up_to(session, process, a_case(session, process, "王五"), Step.TOLD),
        _talk_of_nobody,
    ),
    "steps_without_the_one_before": (
        lambda session, process: steps_up_to(session, process, a_case(session, process, "王五"), Step.TOLD),
        lambda session, process: a_step(session, process, a_case(session, process, "王五"), Step.TOLD, why_without="本人出国"),
    ),
    "unqualified_without_a_case": (
        _after(_one(UNQUALIFIED), lambda session, process: a_case(session, process, "王五")),
        _after(_one(UNQUALIFIED)),
    ),
}
"""Situations by the requirement's name: one that meets it, and one that lacks it."""

MANY = """
alter table rating disable trigger user; alter table help_plan disable trigger user; alter table help_plan_review disable trigger user;
alter table disposition_case disable trigger user; alter table disposition_step disable trigger user;
insert into rating (process_id, staff_no, level, level_set_at, opinion, reason, feedback_on, feedback_way, acknowledged_at,
        version, recorded_by, recorded_at)
    select r.process_id, r.staff_no, l.level, now(), case when r.person_id % 40 <> 3 then '履行职责较好' end,
        case when l.level <> 'qualified' and r.person_id % 60 <> 0 then '表现突出' end,
        case when r.person_id % 20 <> 1 then date '2024-12-20' end, case when r.person_id % 20 <> 1 then 'face' end,
        case when r.person_id % 20 not in (1, 2) then now() end, 1, 'z3', now()
    from participant r, lateral (select case
        when r.person_id % 60 = 4 then 'unqualified' when r.person_id % 30 = 5 then 'basic' when r.person_id % 6 = 0 then 'excellent'
        else 'qualified' end) l (level)
    where r.person_id % 20 <> 7;
insert into help_plan (process_id, staff_no, helper, first_step, review_on, version, recorded_by, recorded_at)
    select g.process_id, g.staff_no, h.staff_no, case when g.id % 20 <> 0 then '每月谈心一次' end, '2025-03-31', 1, 'z3', now()
    from rating g join participant h on h.process_id = g.process_id and h.post = 'secretary' and h.staff_no <> g.staff_no
    where g.level = 'basic' and g.id % 20 <> 1;
insert into help_plan_review (plan_id, process_id, reviewed_on, recorded_by, recorded_at)
    select id, process_id, '2024-12-20', 'z3', now() from help_plan where id % 2 = 0;
insert into disposition_case (process_id, staff_no, signs, facts, proposed_on, version, recorded_by, recorded_at)
    select process_id, staff_no, case when id % 20 <> 2 then '[1, 3]' else '[]' end::jsonb, case when id % 20 <> 3 then '无故缺席' end,
        '2024-12-19', 1, 'z3', now()
    from rating where level = 'unqualified' and id % 20 <> 4;
insert into disposition_step (case_id, process_id, step, taken_on, recorded_by, recorded_at)
    select id, process_id, 'superior_filing', '2024-12-20', 'z3', now() from disposition_case where id % 2 = 0;
"""
"""The records of 10,000 branches in this stage, a twentieth of them missing.

Meetings and ballots are those of the third stage.
"""
