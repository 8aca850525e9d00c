"""组织生活会的要求 (review meeting): the requirements for meetings and ballots of the third stage.

The plan: 党支部根据党员人数等实际情况，以党员大会、党支部委员会会议或者党小组会形式，召开组织生活
会，并组织开展民主评议党员。党支部书记代表党支部委员会向党员大会述职，党员对支部委员会的工作、作风等
进行评议。
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import ColumnElement, Date, ScalarSelect, and_, case, cast, exists, func, literal, or_, select, true
from sqlalchemy.orm import aliased

from workflow.appraisal.meetings.meetings import Meeting, MeetingAttendance, MeetingCriticism
from workflow.appraisal.meetings.minutes import a_meeting, meeting_name, minutes_incomplete, minutes_unconfirmed
from workflow.appraisal.meetings.tallies import Tally, must_be_entered_anew
from workflow.appraisal.study.sessions import StudySession, a_study
from workflow.foundation.vocabulary import SCHOOL_ZONE, MeetingForm, MeetingPurpose, Role, Severity, Stage, Standing, TallySubject, Waivable
from workflow.rules.requirement import Missing, blanks, in_a_former_branch, missing, present, requirement
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.roll import on_roll_on

LIFE, REPORT = MeetingPurpose.LIFE, MeetingPurpose.REPORT

_asked = partial(requirement, stage=Stage.SELF_REVIEW, severity=Severity.HARD, todo_for=Role.SECRETARY, link="meetings")


@_asked(
    "E1",
    link="study-sessions",
    zh="{count} 次组织生活会之前没有组织集中学习、相互交流：{names}",
    en="{count} self-review meetings were not preceded by a study session: {names}",
)
def meetings_before_their_study() -> Missing:
    """党支部召开组织生活会和开展民主评议党员前，要采取适当方式组织党员集中学习、相互交流。"""
    studied = a_study(StudySession.process_id == Meeting.process_id, StudySession.held_on <= Meeting.held_on).correlate(Meeting)
    return _meetings(LIFE).where(~studied)


@_asked("M1", zh="还没有召开组织生活会的记录", en="no self-review meeting is recorded")
def no_self_review_meeting() -> Missing:
    """党支部根据党员人数等实际情况，以党员大会、党支部委员会会议或者党小组会形式，召开组织生活会，并组织开展民主评议党员。"""
    return missing(Process.id).where(~_of_process(Meeting.purpose == LIFE))


@_asked(
    "M1",
    waivable=Waivable.PER_SUBJECT,
    zh="组织生活会分党小组召开，还有 {count} 名党员没有参加其中任何一次：{names}",
    en="the self-review meeting is held in groups, and {count} members were in none of them: {names}",
)
def members_in_no_group_meeting() -> Missing:
    """党支部根据党员人数等实际情况，以党员大会、党支部委员会会议或者党小组会形式，召开组织生活会，并组织开展民主评议党员。

    (Asked once a group has met and no general meeting was held instead. Somebody on leave goes to
    another sitting, or a reason is written for them.)
    """
    group = case((Participant.party_group.is_(None), ""), else_=func.concat("（", Participant.party_group, "）"))
    life = (Meeting.process_id == Participant.process_id, Meeting.purpose == LIFE)
    in_groups, together = (a_meeting(*life, Meeting.form == form).correlate(Participant) for form in (MeetingForm.GROUP, MeetingForm.GENERAL))
    return missing(Participant.process_id, subject=Participant.staff_no, name=func.concat(Participant.name, group)).where(
        *present(), in_groups, ~together, ~_in_a_group(Participant), ~in_a_former_branch(Participant, _at_a_life_meeting)
    )


@_asked(
    "M1",
    severity=Severity.SIGN,
    zh="本支部没有支部委员会，组织生活会却以支部委员会会议形式召开：{names}",
    en="the branch has no committee, yet its self-review meeting was a committee meeting: {names}",
)
def committee_meetings_without_a_committee() -> Missing:
    """党支部根据党员人数等实际情况，以党员大会、党支部委员会会议或者党小组会形式，召开组织生活会，并组织开展民主评议党员。"""
    committee = select(Participant.person_id).where(
        Participant.process_id == Meeting.process_id, Participant.on_committee, Participant.left_on.is_(None)
    )
    return _meetings(LIFE).where(Meeting.form == MeetingForm.COMMITTEE, ~committee.correlate(Meeting).exists())


@_asked(
    "M2",
    severity=Severity.SIGN,
    zh="{count} 次党员大会到会不足应到人数的一半：{names}",
    en="fewer than half of those due came to {count} general meetings: {names}",
)
def general_meetings_below_half() -> Missing:
    """党支部书记代表党支部委员会向党员大会述职

    (Of the self-review meeting and of the duty report. Due are all who belonged to the branch on
    that day and are not excused. Without any attendance the minutes are incomplete: Q4 says so.)
    """
    there = and_(MeetingAttendance.meeting_id == Meeting.id, MeetingAttendance.present)
    came = select(func.count()).select_from(MeetingAttendance).where(there).correlate(Meeting).scalar_subquery()
    that_day = (*on_roll_on(Meeting.held_on), Participant.excused_confirmed_by.is_(None))
    due = select(func.count()).select_from(Participant).where(Participant.process_id == Meeting.process_id, *that_day)
    due_then = due.correlate(Meeting).scalar_subquery()
    name = func.concat(meeting_name(), "（应到 ", due_then, " 人，实到 ", came, " 人）")
    return missing(Meeting.process_id, subject=Meeting.id, name=name).where(Meeting.counts, *_general(), came > 0, came * 2 < due_then)


@_asked("M2", zh="书记还没有代表支部委员会向党员大会述职", en="the secretary has not reported to a general meeting")
def no_report_to_the_general_meeting() -> Missing:
    """党支部书记代表党支部委员会向党员大会述职"""
    return missing(Process.id).where(~_of_process(*_general(), Meeting.duty_report.is_not(None)))


@_asked(
    "F9",
    zh="向党员大会述职时还没有报告上年度整改措施的落实情况",
    en="what became of last year's measures has not been reported to a general meeting",
)
def no_report_on_last_years_measures() -> Missing:
    """党支部书记是党支部委员会整改第一责任人，向上级党组织和党员大会述职时，应报告整改措施落实情况。"""
    return missing(Process.id).where(~_of_process(*_general(), Meeting.rectification_report.is_not(None)))


@_asked(
    "Q4",
    zh="{count} 次会议的记录不完整（地点、主持人、记录人、到会、记录内容）：{names}",
    en="the minutes of {count} meetings are incomplete: {names}",
)
def incomplete_minutes() -> Missing:
    """各支部要注意做好会议记录"""
    return minutes_incomplete(LIFE, REPORT)


@_asked(
    "Q4",
    todo_for=Role.MEMBER,
    zh="{count} 次会议的记录还没有经记录人和主持人确认：{names}",
    en="the minutes of {count} meetings are not confirmed by recorder and chair: {names}",
)
def unconfirmed_minutes() -> Missing:
    """各支部要注意做好会议记录"""
    return minutes_unconfirmed(LIFE, REPORT)


@_asked(
    "M3",
    link="tallies",
    zh="党员对支部委员会的评议还没有计票：由书记以外的两名正式党员先后录入，两次一致即为计票",
    en="the members' marks for the committee are not counted: two full members other than the secretary enter them",
)
def no_tally_of_the_committee() -> Missing:
    """党员对党支部委员会的工作、作风等进行评议。"""
    return missing(Process.id).where(~_counted(TallySubject.COMMITTEE))


@_asked(
    "D2",
    link="tallies",
    zh="对党员的民主测评还没有计票：由书记以外的两名正式党员先后录入，两次一致即为计票",
    en="the ballot on the members is not counted: two full members other than the secretary enter it",
)
def no_tally_of_the_members() -> Missing:
    """支部委员会会议或者党员大会根据民主测评情况，综合党员日常表现情况"""
    return missing(Process.id).where(~_counted(TallySubject.MEMBERS))


@_asked(
    "M4",
    severity=Severity.SOFT,
    waivable=Waivable.WHOLE,
    zh="组织生活会的记录里没有支委的批评和自我批评",
    en="the self-review meeting records no criticism by the committee",
)
def no_criticism() -> Missing:
    """党支部委员会开展批评和自我批评要联系具体人、具体事，直接点问题、摆表现"""
    speaker = and_(Participant.process_id == MeetingCriticism.process_id, Participant.staff_no == MeetingCriticism.speaker, Participant.leads)
    line = select(MeetingCriticism.id).join(Participant, speaker).where(MeetingCriticism.meeting_id == Meeting.id).correlate(Meeting).exists()
    return missing(Process.id).where(_of_process(Meeting.purpose == LIFE), ~_of_process(Meeting.purpose == LIFE, line))


@_asked(
    "M6",
    severity=Severity.SOFT,
    waivable=Waivable.WHOLE,
    zh="{count} 名党员领导干部没有参加组织生活会：{names}",
    en="{count} leading cadres did not attend the self-review meeting: {names}",
)
def cadres_absent() -> Missing:
    """党员领导干部参加所在党支部组织生活会。"""
    held = a_meeting(Meeting.process_id == Participant.process_id, Meeting.purpose == LIFE).correlate(Participant)
    return missing(Participant.process_id, subject=Participant.staff_no, name=Participant.name).where(
        *present(), Participant.cadre, held, ~_at_a_life_meeting(Participant)
    )


@_asked(
    "G1", severity=Severity.SIGN, zh="{count} 次组织生活会的主题与方案不同：{names}", en="{count} self-review meetings had another theme: {names}"
)
def meetings_with_another_theme() -> Missing:
    """以强化创新理论武装，树牢“四个意识”，坚定“四个自信”，坚决做到“两个维护”，勇于担当作为，以求真务实的作风坚决把党中央决策部署落到实处为主题"""
    return (
        _meetings(LIFE).join(Process, Process.id == Meeting.process_id).join(Cycle, Cycle.id == Process.cycle_id).where(Meeting.theme != Cycle.theme)
    )


@_asked(
    "G2",
    severity=Severity.SIGN,
    zh="{count} 次组织生活会的议程缺少方案规定的内容：{names}",
    en="the agenda of {count} self-review meetings lacks an item: {names}",
)
def meetings_without_the_agenda() -> Missing:
    """进行自我检查、党性分析，开展批评和自我批评。"""
    return (
        _meetings(LIFE)
        .join(Process, Process.id == Meeting.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(~Meeting.agenda.contains(Cycle.plan["rules"]["agenda"]))
    )


@_asked(
    "M5",
    severity=Severity.SIGN,
    zh="{count} 条批评没有写明具体事、表现或改进，或者写得很短：{names}",
    en="{count} lines of criticism leave out the matter, how it showed or what follows, or are very short: {names}",
)
def vague_criticisms() -> Missing:
    """不说空话套话，不搞一团和气。"""
    said = (MeetingCriticism.matter, MeetingCriticism.shown)
    length = func.char_length(func.concat(*said))
    short = length < Cycle.plan["rules"]["settings"]["criticism_characters_at_least"].as_integer()
    blank = or_(*(each.is_(None) for each in (*said, MeetingCriticism.improve)))
    # Names neither speaker nor person: only the chair is shown how often each was criticised.
    return (
        missing(Meeting.process_id, subject=MeetingCriticism.id, name=func.concat(meeting_name(), " 第", MeetingCriticism.number, "条"))
        .join(MeetingCriticism, MeetingCriticism.meeting_id == Meeting.id)
        .join(Process, Process.id == Meeting.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(Meeting.counts, Meeting.purpose == LIFE, or_(blank, short))
    )


@_asked(
    "Q2",
    severity=Severity.SIGN,
    link="tallies",
    zh="发出的测评票多于应参加测评的党员：{names}",
    en="more ballots were issued than there are voters: {names}",
)
def more_ballots_than_voters() -> Missing:
    """各支部要结合党员队伍现状，按照党员评议标准，坚持实事求是，客观公正，严格程序"""
    voters = _voters()
    name = func.concat(_ballot(), "（发出 ", Tally.issued, " 张，应参加 ", voters, " 人）")
    return _tallies(name=name, amount=Tally.issued - voters).where(Tally.issued > voters)


@_asked(
    "Q2",
    severity=Severity.SIGN,
    link="tallies",
    zh="测评的有效票不足应参加测评党员的一半：{names}",
    en="fewer than half of the voters cast a valid ballot: {names}",
)
def ballots_below_half() -> Missing:
    """各支部要结合党员队伍现状，按照党员评议标准，坚持实事求是，客观公正，严格程序"""
    voters = _voters()
    name = func.concat(_ballot(), "（有效 ", Tally.valid, " 张，应参加 ", voters, " 人）")
    return _tallies(name=name).where(Tally.valid * 2 < voters)


def _voters() -> ScalarSelect[int]:
    """Count the members who should fill a ballot (应参加测评的党员), by the roll of its day.

    A tally has no day of its own: it is entered when it is counted.
    """
    that_day = cast(func.timezone(SCHOOL_ZONE.key, Tally.recorded_at), Date)
    may = (Participant.excused_confirmed_by.is_(None), Participant.voting)
    return select(func.count()).where(Participant.process_id == Tally.process_id, *on_roll_on(that_day), *may).correlate(Tally).scalar_subquery()


def _ballot() -> ColumnElement[str]:
    return case(*((Tally.subject == each, each.zh) for each in TallySubject))


def _tallies(*, name: ColumnElement[str], amount: ColumnElement[int] | int = 1) -> Missing:
    return missing(Tally.process_id, subject=Tally.subject, name=name, amount=amount).where(Tally.counts, Tally.counted_at.is_not(None))


def _in_a_group(line: type[Participant]) -> ColumnElement[bool]:
    """Ask whether somebody was at a group meeting of their branch."""
    return _at_a_life_meeting(line, Meeting.form == MeetingForm.GROUP)


def _at_a_life_meeting(line: type[Participant], *which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Ask whether somebody was at a self-review meeting of their branch."""
    return a_meeting(
        Meeting.process_id == line.process_id,
        Meeting.purpose == LIFE,
        *which,
        MeetingAttendance.meeting_id == Meeting.id,
        MeetingAttendance.staff_no == line.staff_no,
        MeetingAttendance.present,
    ).correlate(line)


@_asked(
    "Q2",
    severity=Severity.SIGN,
    todo_for=Role.MEMBER,
    link="tallies",
    zh="您担任计票人，还有测评结果待录入：{names}",
    en="you are a teller; results of these ballots wait for you: {names}",
)
def ballots_to_enter() -> Missing:
    """各支部要结合党员队伍现状，按照党员评议标准，坚持实事求是，客观公正，严格程序

    (Of the people who have counted a ballot of their branch this year, one that was taken back
    included. Before that nobody is a teller: the secretary's to-do says who may be.)
    """
    ballot = blanks({each.value: (each.zh, literal(True)) for each in TallySubject})
    standing = (Tally.process_id == Participant.process_id, Tally.subject == ballot.c.field, Tally.counts)
    counted, entered, mine = (
        select(Tally.id).where(*standing, *which).correlate(Participant, ballot).exists()
        for which in ((Tally.counted_at.is_not(None),), (), (Tally.recorded_by == Participant.staff_no, ~must_be_entered_anew()))
    )
    other = aliased(Tally)
    teller = (other.process_id == Participant.process_id, or_(other.recorded_by == Participant.staff_no, other.counted_by == Participant.staff_no))
    first = select(Tally.recorded_by).where(*standing).correlate(Participant, ballot).scalar_subquery()
    who = case((first == Participant.staff_no, "（两次不一致，须重新录入）"), (entered, "（另一名计票人已录入）"), else_="")
    name = func.concat(ballot.c.zh, who)
    return (
        missing(Participant.process_id, subject=ballot.c.field, name=name, person=Participant.person_id)
        .join(ballot, true())
        .where(Participant.left_on.is_(None), Participant.standing == Standing.FULL, exists().where(*teller).correlate(Participant), ~counted, ~mine)
    )


def _meetings(purpose: MeetingPurpose) -> Missing:
    return missing(Meeting.process_id, subject=Meeting.id, name=meeting_name()).where(Meeting.counts, Meeting.purpose == purpose)


def _of_process(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    return a_meeting(Meeting.process_id == Process.id, *which).correlate(Process)


def _general() -> tuple[ColumnElement[bool], ...]:
    """Limit meetings to general ones of this stage: 述职 is always to the general meeting."""
    return Meeting.form == MeetingForm.GENERAL, or_(Meeting.purpose == LIFE, Meeting.purpose == REPORT)


def _counted(subject: TallySubject) -> ColumnElement[bool]:
    return (
        select(Tally.id)
        .where(Tally.process_id == Process.id, Tally.subject == subject, Tally.counts, Tally.counted_at.is_not(None))
        .correlate(Process)
        .exists()
    )


WAITING = (ballots_to_enter,)
REQUIREMENTS = (
    meetings_before_their_study,
    no_self_review_meeting,
    members_in_no_group_meeting,
    committee_meetings_without_a_committee,
    general_meetings_below_half,
    no_report_to_the_general_meeting,
    no_report_on_last_years_measures,
    incomplete_minutes,
    unconfirmed_minutes,
    no_tally_of_the_committee,
    no_tally_of_the_members,
    no_criticism,
    cadres_absent,
    meetings_with_another_theme,
    meetings_without_the_agenda,
    vague_criticisms,
    more_ballots_than_voters,
    ballots_below_half,
)
