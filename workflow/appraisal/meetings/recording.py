"""登记会议 (recording): to record, correct and confirm a meeting and its minutes.

The plan: 各支部要注意做好会议记录。This file refuses what is not true of a meeting; the stages ask
for what the minutes still lack.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from workflow.appraisal.ledger import NOTHING_LAST_YEAR, last_year
from workflow.appraisal.meetings.meetings import STAGE, Meeting, MeetingAttendance, MeetingCriticism, MeetingSchema
from workflow.appraisal.study.sessions import StudySession, a_study
from workflow.foundation.database import act_as
from workflow.foundation.errors import Conflict, Forbidden, Invalid, Words
from workflow.foundation.fields import Sent
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose, Stage
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    Call,
)
from workflow.rules.evidence import must_be_open, must_end_after_it_began, must_have_happened, must_stand
from workflow.rules.records import Records
from workflow.year.cycle import Participant, Process
from workflow.year.roll import participants

_FOR_THE_CHAIR = frozenset({"criticised"})
_OF_CRITICISM = ("speaker", "about", "matter", "shown", "improve")


class Meetings(Records[Meeting]):
    """Meetings (会议记录): recorded by the branch's leaders, confirmed by recorder and chair."""

    name, zh, en = "meetings", "会议记录", "meeting"
    model, schema = Meeting, MeetingSchema()
    stages = (Stage.SELF_REVIEW, Stage.RATING)
    read, write = Action.READ_MEETINGS, Action.RECORD_MEETING

    def check(self, session: Session, process: Process, row: Meeting | None, sent: Sent, *, by: Caller, now: datetime) -> None:
        whole = {**_as_sent(row), **sent} if row else dict(sent)
        if _loses_its_group(sent):
            whole.pop("group_name", None)
        must_end_after_it_began(row, sent)
        _check(session, process, whole, now)

    def closes(self, row: Meeting | None, sent: Sent) -> Collection[Stage]:
        """Find the stages that close a meeting: both stages if its purpose changes."""
        purposes = [*([row.purpose] if row else []), *([sent["purpose"]] if "purpose" in sent else [])]
        return dict.fromkeys(STAGE[purpose] for purpose in purposes)

    def begin(self, session: Session, process: Process, sent: Sent) -> Mapping[str, object]:
        agenda = list(process.cycle.plan["rules"]["agenda"]) if sent["purpose"] is MeetingPurpose.LIFE else []
        return {"theme": process.cycle.theme, "agenda": agenda, "guests": []}

    def fill(self, session: Session, process: Process, row: Meeting, sent: Sent, *, by: Caller, now: datetime) -> None:
        """Write what was sent; both must confirm the minutes again."""
        if _loses_its_group(sent):
            row.group_name = None
        self.write_columns(row, sent)
        if "vote" in sent:
            row.vote_yes, row.vote_no, row.vote_abstain = (sent["vote"][name] for name in ("yes", "no", "abstain"))
        if not sent.keys().isdisjoint(("present", "absent")):
            _fill_attendance(process, row, sent)
        if "criticisms" in sent:
            row.criticisms = [
                MeetingCriticism(process_id=process.id, number=number, **{name: line.get(name) for name in _OF_CRITICISM})
                for number, line in enumerate(sent["criticisms"], 1)
            ]
        _nothing_last_year(session, process, row)
        row.chair_confirmed_at = row.recorder_confirmed_at = None

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Show a plain member only the meetings whose minutes they confirm."""
        return or_(Meeting.chair == reader.staff_no, Meeting.recorder == reader.staff_no) if reader.plain_member(branch_code) else true()

    def seen_by(self, call: Call[object]) -> Callable[[Meeting], dict[str, object]]:
        """Show meetings; only the chair sees how often each person was criticised (M5)."""
        return lambda row: self.schema.shown(row, without=frozenset() if call.by.staff_no == row.chair else _FOR_THE_CHAIR)


MEETINGS = Meetings()


def confirm_minutes(session: Session, process: Process, row: Meeting, *, by: Caller, now: datetime) -> None:
    """Confirm the minutes as their recorder or as their chair.

    Raises Forbidden, Conflict, StageClosed.
    """
    if by.staff_no not in (row.chair, row.recorder):
        raise Forbidden(Words("会议记录由记录人和主持人本人确认", "minutes are confirmed by their recorder and by their chair"))
    must_stand(row)
    must_be_open(process, row.stage)
    name = "chair_confirmed_at" if by.staff_no == row.chair else "recorder_confirmed_at"
    if getattr(row, name) is not None:
        raise Conflict(Words("您已经确认过", "you have confirmed it already"))
    # Nobody confirms in another's name, not even as a substitute.
    act_as(session, actor=by.staff_no)
    setattr(row, name, now)
    row.version += 1
    session.flush()


def _confirm(call: Call[Meeting], sent: Sent) -> Meeting:
    confirm_minutes(call.session, call.process, call.on, by=call.by, now=call.now)
    return call.on


CONFIRM: Act[Meeting, Meeting] = MEETINGS.act(
    "confirm_minutes", "确认会议记录", "confirm the minutes", _confirm, action=Action.CONFIRM_MINUTES, on=MEETINGS.held
)
ACTS = (*MEETINGS.acts, CONFIRM)


def _loses_its_group(sent: Sent) -> bool:
    """Tell whether a change turns the meeting into another form and names no group.

    Only a group meeting has a group.
    """
    return sent.get("form", MeetingForm.GROUP) is not MeetingForm.GROUP and "group_name" not in sent


def _nothing_last_year(session: Session, process: Process, row: Meeting) -> None:
    """Note in a duty report if last year left neither measures nor commitments (F9).

    If it left some, the secretary reports on them: a ready-made text that nobody has read would
    report nothing.
    """
    if row.duty_report is not None and row.rectification_report is None and last_year(session, process).nothing:
        row.rectification_report = NOTHING_LAST_YEAR


def _as_sent(row: Meeting) -> dict[str, object]:
    """Give the parts of a meeting that are checked together, as they would be sent."""
    kept = {
        **{name: getattr(row, name) for name in ("purpose", "form", "group_name", "held_on", "chair", "recorder")},
        "present": row.present,
        "absent": [{"staff_no": each.staff_no} for each in row.absent],
        "vote": asdict(row.vote) if row.vote else None,
    }
    return {name: value for name, value in kept.items() if value is not None}


def _fill_attendance(process: Process, row: Meeting, body: Sent) -> None:
    """Update the lines of attendance.

    A line that says the same stays, so that the history tells only what changed.
    """
    present = set(body["present"]) if "present" in body else set(row.present)
    reasons = {each.staff_no: each.reason for each in row.attendance if not each.present}
    if "absent" in body:
        reasons = {each["staff_no"]: each.get("reason") for each in body["absent"]}
    lines = {each.staff_no: each for each in row.attendance}
    for staff_no in present | reasons.keys():
        line = lines.get(staff_no) or MeetingAttendance(staff_no=staff_no, process_id=process.id)
        line.present, line.reason = staff_no in present, None if staff_no in present else reasons[staff_no]
        lines[staff_no] = line
    row.attendance = [lines[staff_no] for staff_no in sorted(present | reasons.keys())]


def _check(session: Session, process: Process, body: Sent, now: datetime) -> None:
    """Check a meeting against plan, roll and other records. Raises Invalid with every fault."""
    must_have_happened("held_on", body["held_on"], now)
    present, absent = body.get("present", ()), [each["staff_no"] for each in body.get("absent", ())]
    named = participants(
        session,
        process.id,
        {
            "present": present,
            "absent": absent,
            **{name: [body[name]] for name in ("chair", "recorder") if name in body},
            "criticisms": [line[name] for line in body.get("criticisms", ()) for name in ("speaker", "about")],
        },
    )
    errors: dict[str, Words] = {}
    forms = process.cycle.plan["rules"]["meeting_forms"]
    if body["purpose"] is MeetingPurpose.LIFE and body["form"] not in forms:
        errors["form"] = Words(f"本年度方案的组织生活会形式为 {'、'.join(forms.values())}（M1）", f"the plan allows {', '.join(forms)} (M1)")
    if body["purpose"] is MeetingPurpose.DECIDING and body["form"] is MeetingForm.GROUP:
        errors["form"] = Words("评定由支部委员会会议或者党员大会作出，不能由党小组会作出（D1）", "a group meeting cannot decide (D1)")
    if "group_name" in body and body["form"] is not MeetingForm.GROUP:
        errors["group"] = Words("只有党小组会才写明党小组", "only a group meeting names its group")
    if "chair" in body and body["chair"] == body.get("recorder"):
        errors["recorder"] = Words("主持人和记录人应为两人", "chair and recorder are two people")
    if twice := sorted(set(absent) & set(present)) or sorted({each for each in absent if absent.count(each) > 1}):
        errors["absent"] = Words(f"{'、'.join(named[each].name for each in twice)} 不能重复登记", f"{', '.join(twice)} stands there twice")
    if body["purpose"] is MeetingPurpose.DECIDING and (after := _last_life_meeting(session, process)) is not None and body["held_on"] < after:
        errors["held_on"] = Words(
            f"研究评定意见的会议不能早于 {after} 的组织生活会（D2）", f"the decision comes after the self-review meeting of {after} (D2)"
        )
    if "vote" in body and present and (fault := _vote_fault(body["form"], body["vote"], [named[each] for each in present])):
        errors["vote"] = fault
    if body["purpose"] is MeetingPurpose.LIFE and not _has_studied(session, process, body["held_on"]):
        errors["held_on"] = Words(
            f"{body['held_on']} 之前（含当天）没有记有相互交流的集中学习，不能召开组织生活会（E1）",
            f"no study session with its exchange of views on or before {body['held_on']} (E1)",
        )
    if errors:
        raise Invalid(errors)


def _vote_fault(form: MeetingForm, vote: Mapping[str, int], present: Sequence[Participant]) -> Words | None:
    """Find more votes than people present who may vote.

    In a committee meeting the committee may vote, else everybody with the right to.
    """
    may = [each for each in present if each.voting and (each.leads or form is not MeetingForm.COMMITTEE)]
    given = sum(vote.values())
    if given <= len(may):
        return None
    return Words(f"赞成、反对、弃权合计 {given} 票，多于到会有表决权的 {len(may)} 人（D1）", f"{given} votes by {len(may)} present who may vote (D1)")


def _last_life_meeting(session: Session, process: Process) -> date | None:
    return session.scalar(
        select(func.max(Meeting.held_on)).where(Meeting.process_id == process.id, Meeting.counts, Meeting.purpose == MeetingPurpose.LIFE)
    )


def _has_studied(session: Session, process: Process, day: date) -> bool:
    return bool(session.scalar(select(a_study(StudySession.process_id == process.id, StudySession.held_on <= day))))
