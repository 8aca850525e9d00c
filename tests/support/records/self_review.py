"""The third stage in short acts: self-reviews, meetings, tallies.

For each of its requirements there is a situation that lacks it and one that meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, caller
from tests.support.situations import Situation, a_study, nothing, on_roll
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.recording import MEETINGS, confirm_minutes
from workflow.appraisal.meetings.tallies import CommitteeItem, Tally, members_on_ballot
from workflow.appraisal.meetings.tellers import TALLIES
from workflow.appraisal.self_review.self_reviews import ASPECTS, SELF_REVIEWS, SelfReview
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose, Post, Standing, TallySubject
from workflow.rules.evidence import withdraw
from workflow.year.cycle import Participant, Process
from workflow.year.roll import roll

MET_ON = date(2024, 12, 19)
ANSWERED = {aspect: f"对照{aspect}检查，能够按规定做到，完成支部分配的任务，学习还不够深入，仍有不足" for aspect in ASPECTS}
CRITICISM = {"matter": "主题党日两次迟到", "shown": "作为支委没有带头遵守时间", "improve": "今后提前十分钟到会"}


def a_self_review(session: Session, process: Process, name: str, *, by: str | None = None, submitted: bool = True, **fields: Any) -> SelfReview:
    """Record a member's self-review."""
    body = {"staff_no": STAFF_NO.get(name, name), "aspects": ANSWERED, "submitted": submitted, **fields}
    return SELF_REVIEWS.record(session, process, body, by=caller(session, by or name), now=NOW)


def a_meeting(
    session: Session,
    process: Process,
    purpose: MeetingPurpose = MeetingPurpose.LIFE,
    *,
    form: MeetingForm = MeetingForm.GENERAL,
    present: Sequence[str] | None = None,
    confirmed: bool = True,
    by: str = "张三",
    **fields: Any,
) -> Meeting:
    """Record a meeting with complete minutes.

    The secretary takes the chair, and the next member on the roll writes the minutes.
    """
    there = [row.staff_no for row in present_of(session, process)]
    secretary = next(row.staff_no for row in present_of(session, process) if row.post is Post.SECRETARY)
    body = {
        "purpose": purpose,
        "form": form,
        "held_on": MET_ON,
        "place": "党员活动室",
        "chair": secretary,
        "recorder": next(staff_no for staff_no in there if staff_no != secretary),
        "present": there if present is None else [STAFF_NO.get(name, name) for name in present],
        "minutes": "逐项进行，见记录",
        **fields,
    }
    row = MEETINGS.record(session, process, {name: value for name, value in body.items() if value is not None}, by=caller(session, by), now=NOW)
    if confirmed:
        confirmed_by_both(session, process, row)
    return row


def confirmed_by_both(session: Session, process: Process, row: Meeting) -> None:
    for staff_no in (row.chair, row.recorder):
        assert staff_no is not None
        confirm_minutes(session, process, row, by=caller(session, staff_no), now=NOW)


def a_life_meeting(session: Session, process: Process, **fields: Any) -> Meeting:
    """Record a self-review meeting that is the general meeting too.

    The secretary reports and criticises themselves.
    """
    secretary = next(row.staff_no for row in present_of(session, process) if row.post is Post.SECRETARY)
    given = {
        "duty_report": "代表支委会述职",
        "rectification_report": "上年度无整改事项",
        "criticisms": [{"speaker": secretary, "about": secretary, **CRITICISM}],
        **fields,
    }
    return a_meeting(session, process, **given)


def present_of(session: Session, process: Process) -> list[Participant]:
    return [row for row in roll(session, process.id) if row.left_on is None]


def tellers_of(session: Session, process: Process) -> tuple[str, str]:
    """Find two full members other than the secretary."""
    one, other, *_ = (row.staff_no for row in present_of(session, process) if row.standing is Standing.FULL and row.post is not Post.SECRETARY)
    return one, other


def a_ballot(session: Session, process: Process, subject: TallySubject, levels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Make the result of a ballot in which everybody voted alike.

    It is 合格 for each unless ``levels`` gives another, and 好 for the committee.
    """
    voters = sum(row.voting for row in present_of(session, process))
    numbers = {"subject": subject, "issued": voters, "returned": voters, "valid": voters, "void": 0}
    if subject is TallySubject.COMMITTEE:
        return {**numbers, "counts": {**{item.value: {"good": voters} for item in CommitteeItem}, "comments": ["多听意见"]}}
    ballot = members_on_ballot(present_of(session, process))
    return {**numbers, "counts": {no: {(levels or {}).get(row.name, "qualified"): voters - 1, "abstain": 1} for no, row in ballot.items()}}


def a_tally(session: Session, process: Process, subject: TallySubject, *, tellers: int = 2, levels: Mapping[str, str] | None = None) -> Tally:
    """Enter the result of a ballot, by one teller or by two."""
    body = a_ballot(session, process, subject, levels)
    rows = [TALLIES.record(session, process, body, by=caller(session, who), now=NOW) for who in tellers_of(session, process)[:tellers]]
    return rows[-1]


def tallies(session: Session, process: Process) -> None:
    for subject in TallySubject:
        a_tally(session, process, subject)


def all_self_review(session: Session, process: Process) -> None:
    """Record all that the third stage asks for, for everybody on the roll."""
    for row in present_of(session, process):
        if row.excused_confirmed_by is None:
            a_self_review(session, process, row.staff_no)
    a_life_meeting(session, process)
    tallies(session, process)


# ── situations ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _after_study(what: Callable[[Session, Process], object]) -> Callable[[Session, Process], object]:
    def done(session: Session, process: Process) -> None:
        a_study(session, process)
        what(session, process)

    return done


def _one_life_meeting(**fields: Any) -> Callable[[Session, Process], object]:
    return _after_study(lambda session, process: a_life_meeting(session, process, **fields))


def _a_cadre(session: Session, process: Process) -> None:
    on_roll(session, process, "王五").cadre = True


def _with_a_cadre(*present: str) -> Callable[[Session, Process], object]:
    def done(session: Session, process: Process) -> None:
        _a_cadre(session, process)
        a_study(session, process)
        a_life_meeting(session, process, present=present)

    return done


def _studied_too_late(session: Session, process: Process) -> None:
    study = a_study(session, process)
    a_life_meeting(session, process)
    withdraw(study, by="z3", now=NOW, reason="日期写错")


def _two_self_reviews_short_of(aspect: str) -> Callable[[Session, Process], object]:
    answered = {name: text for name, text in ANSWERED.items() if name != aspect}
    return lambda session, process: a_self_review(session, process, "王五", aspects=answered)


def _more_ballots(session: Session, process: Process) -> None:
    body = {**a_ballot(session, process, TallySubject.MEMBERS), "issued": 6}
    for who in tellers_of(session, process):
        TALLIES.record(session, process, body, by=caller(session, who), now=NOW)


def _few_ballots(session: Session, process: Process) -> None:
    ballot = {**a_ballot(session, process, TallySubject.COMMITTEE), "returned": 2, "valid": 2}
    ballot["counts"] = {item.value: {"good": 2} for item in CommitteeItem}
    for who in tellers_of(session, process):
        TALLIES.record(session, process, ballot, by=caller(session, who), now=NOW)


def _without_a_committee(session: Session, process: Process) -> None:
    for row in present_of(session, process):
        row.on_committee = False
    a_life_meeting(session, process, form=MeetingForm.COMMITTEE)


def _in_groups(*groups: Sequence[str]) -> Callable[[Session, Process], object]:
    def done(session: Session, process: Process) -> None:
        for number, there in enumerate(groups, 1):
            chair, recorder, *_ = (STAFF_NO[name] for name in there)
            a_meeting(session, process, form=MeetingForm.GROUP, group_name=f"第{number}党小组", present=there, chair=chair, recorder=recorder)

    return _after_study(done)


def _amended(**fields: Any) -> Callable[[Session, Process], object]:
    def done(session: Session, process: Process) -> None:
        a_study(session, process)
        row = a_life_meeting(session, process)
        MEETINGS.amend(session, process, row, fields, seen=row.version, by=caller(session, "张三"), now=NOW)

    return done


_one_self_review = Situation(
    met=lambda session, process: a_self_review(session, process, "王五"),
    unmet=nothing,
)


def _asked_also(aspect: str, act: Callable[[Session, Process], object]) -> Callable[[Session, Process], object]:
    """Do something in a year whose plan has one aspect more."""

    def done(session: Session, process: Process) -> object:
        rules = process.cycle.plan["rules"]
        more = {"id": aspect, "title": "联系群众", "text": "是否经常听取群众意见"}
        process.cycle.plan = {**process.cycle.plan, "rules": {**rules, "aspects": [*rules["aspects"], more]}}
        return act(session, process)

    return done


SITUATIONS: dict[str, Situation] = {
    "members_without_a_self_review": Situation(met=_after_study(all_self_review), unmet=nothing),
    "meetings_before_their_study": Situation(met=_one_life_meeting(), unmet=_studied_too_late),
    "no_self_review_meeting": Situation(met=_one_life_meeting(), unmet=nothing),
    "members_in_no_group_meeting": Situation(met=_in_groups(("张三", "李四", "王五"), ("钱七", "孙八")), unmet=_in_groups(("张三", "李四", "王五"))),
    "committee_meetings_without_a_committee": Situation(met=_one_life_meeting(form=MeetingForm.COMMITTEE), unmet=_after_study(_without_a_committee)),
    "general_meetings_below_half": Situation(
        met=_one_life_meeting(present=("张三", "李四", "王五")), unmet=_one_life_meeting(present=("张三", "李四"))
    ),
    "no_report_to_the_general_meeting": Situation(met=_one_life_meeting(), unmet=_one_life_meeting(duty_report=None)),
    "no_report_on_last_years_measures": Situation(met=_one_life_meeting(), unmet=_one_life_meeting(form=MeetingForm.COMMITTEE)),
    "incomplete_minutes": Situation(met=_one_life_meeting(), unmet=_one_life_meeting(minutes=None)),
    "unconfirmed_minutes": Situation(met=_one_life_meeting(), unmet=_amended(place="会议室")),
    "no_tally_of_the_committee": Situation(met=tallies, unmet=lambda session, process: a_tally(session, process, TallySubject.COMMITTEE, tellers=1)),
    "no_tally_of_the_members": Situation(met=tallies, unmet=lambda session, process: a_tally(session, process, TallySubject.MEMBERS, tellers=1)),
    "no_criticism": Situation(met=_one_life_meeting(), unmet=_one_life_meeting(criticisms=[])),
    "cadres_absent": Situation(met=_with_a_cadre("张三", "王五"), unmet=_with_a_cadre("张三", "李四")),
    "meetings_with_another_theme": Situation(met=_one_life_meeting(), unmet=_one_life_meeting(theme="另一主题")),
    "meetings_without_the_agenda": Situation(met=_one_life_meeting(), unmet=_one_life_meeting(agenda=["自我检查"])),
    "vague_criticisms": Situation(
        met=_one_life_meeting(), unmet=_one_life_meeting(criticisms=[{"speaker": "z3", "about": "l4", "matter": "不够好"}])
    ),
    "more_ballots_than_voters": Situation(met=tallies, unmet=_more_ballots),
    "ballots_to_enter": Situation(met=tallies, unmet=lambda session, process: a_tally(session, process, TallySubject.COMMITTEE)),
    "ballots_below_half": Situation(met=tallies, unmet=_few_ballots),
    **{
        f"self_reviews_without_{aspect.lower()}": Situation(
            met=lambda session, process: a_self_review(session, process, "王五"), unmet=_two_self_reviews_short_of(aspect)
        )
        for aspect in ASPECTS
    },
    "self_reviews_without_other_aspects": Situation(
        met=_asked_also("A8", lambda session, process: a_self_review(session, process, "王五", aspects={**ANSWERED, "A8": "带头参加"})),
        unmet=_asked_also("A8", lambda session, process: a_self_review(session, process, "王五")),
    ),
}

MANY = """
alter table self_review disable trigger user; alter table meeting disable trigger user; alter table meeting_attendance disable trigger user;
alter table meeting_criticism disable trigger user; alter table tally disable trigger user; alter table tally_of_member disable trigger user;
alter table tally_of_item disable trigger user;
insert into self_review (process_id, staff_no, aspects, level, submitted, version, recorded_by, recorded_at)
    select r.process_id, r.staff_no, case when r.person_id % 25 = 0 then '{"A1": "有"}' else
        '{"A1": "有", "A2": "有", "A3": "有", "A4": "有", "A5": "有", "A6": "有"}' end::jsonb, 'qualified',
        r.person_id % 30 <> 0, 1, r.staff_no, now()
    from participant r where r.person_id % 20 <> 0;
insert into meeting (process_id, purpose, form, held_on, place, chair, recorder, theme, agenda,
        duty_report, rectification_report, minutes, guests, vote_yes, vote_no, vote_abstain,
        chair_confirmed_at, recorder_confirmed_at, version, recorded_by, recorded_at)
    select p.id, w.purpose, 'general', '2024-12-19', '会议室', b.code || '-1', b.code || '-2',
        case when p.id % 40 = 0 then '另一主题' else c.theme end, c.plan -> 'rules' -> 'agenda',
        case when p.id % 20 <> 1 then '述职' end, case when p.id % 20 <> 2 then '上年度无整改事项' end, case when p.id % 20 <> 3 then '记录' end,
        '[]', w.vote, 0 * w.vote, 0 * w.vote, now(), case when p.id % 20 <> 4 then now() end, 1, b.code || '-1', now()
    from process p join branch b on b.id = p.branch_id join cycle c on c.id = p.cycle_id,
        (values ('life', null), ('report', null), ('deciding', 6)) w (purpose, vote)
    where b.code like 'B%' and p.id % 20 <> 0;
insert into meeting_attendance (meeting_id, staff_no, process_id, present)
    select m.id, r.staff_no, r.process_id, (r.person_id + m.id) % 7 <> 0
    from meeting m join participant r on r.process_id = m.process_id where m.recorded_by like 'B%';
insert into meeting_criticism (meeting_id, process_id, number, speaker, about, matter, shown, improve)
    select m.id, m.process_id, n, m.chair, m.recorder, '会前准备不充分', '发言没有联系具体工作', case when m.id % 15 <> 0 then '提前准备' end
    from meeting m, generate_series(1, 3) n where m.recorded_by like 'B%' and m.purpose = 'life' and m.id % 20 <> 0;
insert into tally (process_id, subject, issued, returned, valid, void, comments, counted_by, counted_at, version, recorded_by, recorded_at)
    select p.id, w.subject, 6, 6, 6, 0, '[]', case when p.id % 20 <> 5 then b.code || '-4' end, case when p.id % 20 <> 5 then now() end,
        1, b.code || '-3', now()
    from process p join branch b on b.id = p.branch_id, (values ('committee'), ('members')) w (subject) where b.code like 'B%' and p.id % 20 <> 6;
insert into tally_of_member (tally_id, staff_no, process_id, excellent, qualified, basic, unqualified, abstain)
    select t.id, r.staff_no, r.process_id, 0, 5, 0, 0, 1
    from tally t join participant r on r.process_id = t.process_id where t.subject = 'members' and t.recorded_by like 'B%';
insert into tally_of_item (tally_id, item, process_id, good, fairly_good, fair, poor, abstain)
    select t.id, w.item, t.process_id, 6, 0, 0, 0, 0
    from tally t, (values ('work'), ('style'), ('overall')) w (item) where t.subject = 'committee' and t.recorded_by like 'B%';
"""
"""The records of 10,000 branches in this stage, a twentieth of them missing."""
