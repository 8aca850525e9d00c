"""The form, its archive, and the school's totals (情况表、归档目录、全校汇总)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from typing_extensions import TypedDict

from api.frame.address import BRANCH, CYCLE
from api.frame.changes import NoticeShape, notice_shapes
from api.frame.errors import language
from api.frame.routes import Routes
from api.frame.shapes import BranchShape, PersonShape, UnmetShape, branch_shape, person_shape, unmet_shape
from api.frame.single import single_routes
from workflow.appraisal.report.checklist import archive_of, kept_until
from workflow.appraisal.report.figures import CHECKS, Figures, excused_for, totals_of
from workflow.appraisal.report.form import FORM, Form
from workflow.appraisal.report.rows import AftercareLine, FormReading, MeetingLine, MemberLine, Votes, form_for, marks_of
from workflow.foundation.vocabulary import ExcuseKind, Level, Stage, Standing
from workflow.machine.gate import signs
from workflow.people.access import Action
from workflow.rules.acts import Call
from workflow.year.cycle import Cycle
from workflow.year.finding import cycle_by_year
from workflow.year.roll import secretaries


class CheckedShape(TypedDict):
    """Sums that must agree, with the result of the check (核对项)."""

    name: str
    text: str
    holds: bool


class LevelsShape(TypedDict):
    """Part 3 of the form: results of the rating (三、评定结果)."""

    excellent: int
    qualified: int
    basic: int
    unqualified: int
    none: int
    total: int


class BasicsShape(TypedDict):
    """Part 1 of the form: basics (一、基本情况)."""

    total: int
    full: int
    probationary: int
    due: int
    took_part: int
    excused: int
    excused_by_kind: dict[ExcuseKind, int]
    on_committee: int
    studies: int
    committee_talks: int
    member_talks: int
    meetings: int


class CommitteeShape(TypedDict):
    """Part 2 of the form: appraisal of the committee (二、对支部委员会的评议).

    Readers in small branches see bands.
    """

    issued: int
    returned: int
    valid: int
    void: int
    marks: dict[str, dict[str, Any]]


class RectifiedShape(TypedDict):
    """Part 6 of the form: rectification (六、整改)."""

    problems: int
    measures: int
    commitments: int
    publications: int
    filings: int


class SumsShape(TypedDict):
    """Numbers that a branch's form and the school's share (合计)."""

    basics: BasicsShape
    committee: CommitteeShape
    levels: LevelsShape
    fed_back: int
    quota_allowed: int
    rectification: RectifiedShape
    checks: list[CheckedShape]


class TotalsShape(SumsShape):
    """The school's form: the sum of the branches' (全校汇总表)."""

    cycle: int
    title: str
    branches: int
    amendments: list[NoticeShape]


class StudyLine(TypedDict):
    """One study session on the form (学习一次)."""

    held_on: date
    titles: list[str]


class MemberLineShape(TypedDict):
    """Part 4 of the form: one member (四、党员名册一行)."""

    staff_no: str
    name: str
    standing: Standing
    title: str | None
    self_level: Level | None
    votes: dict[str, Any] | None
    level: Level | None
    opinion: str | None
    fed_back_on: date | None
    remark: str | None


PublishedLine = TypedDict("PublishedLine", {"place": str | None, "from": date, "to": date | None})
PublishedLine.__doc__ = "One publication on the form (公示一次)."


class FormShape(SumsShape):
    """The form of one branch (情况表)."""

    cycle: int
    title: str
    recipient: str
    branch: BranchShape
    secretary: PersonShape | None
    stage: Stage
    round: int
    late: bool
    due_on: date | None
    studies: list[StudyLine]
    meetings: Sequence[MeetingLine]
    comments: list[str]
    over_quota_reason: str | None
    members: list[MemberLineShape]
    aftercare: Sequence[AftercareLine]
    published: list[PublishedLine]
    sent_on: list[date]
    prepared_by: str | None
    phone: str | None
    remark: str | None
    signs: list[UnmetShape]
    amendments: list[NoticeShape]
    version: int


class PaperShape(TypedDict):
    """A paper of the archive (归档材料)."""

    paper: str
    name: str
    present: bool
    have: int
    need: int


class ArchiveShape(TypedDict):
    """The papers of one branch, and until when they are kept (归档材料)."""

    items: list[PaperShape]
    keep_until: date | None


def sums_shape(figures: Figures, marks: Mapping[str, Votes]) -> SumsShape:
    number = figures.numbers
    return {
        "basics": {
            "total": number["total"],
            "full": number["full"],
            "probationary": number["probationary"],
            "due": number["due"],
            "took_part": number["members_returned"],
            "excused": number["excused"],
            "excused_by_kind": {kind: number[excused_for(kind)] for kind in ExcuseKind},
            "on_committee": number["on_committee"],
            "studies": number["studies"],
            "committee_talks": number["committee_talks"],
            "member_talks": number["member_talks"],
            "meetings": number["meetings"],
        },
        "committee": {
            "issued": number["committee_issued"],
            "returned": number["committee_returned"],
            "valid": number["committee_valid"],
            "void": number["committee_void"],
            "marks": {item: dict(votes) for item, votes in marks.items()},
        },
        "levels": {
            "excellent": number["excellent"],
            "qualified": number["qualified"],
            "basic": number["basic"],
            "unqualified": number["unqualified"],
            "none": number["none"],
            "total": number["total"],
        },
        "fed_back": number["fed_back"],
        "quota_allowed": number["allowed"],
        "rectification": {
            "problems": number["problems"],
            "measures": number["measures"],
            "commitments": number["commitments"],
            "publications": number["publications"],
            "filings": number["filings"],
        },
        "checks": [{"name": each.name, "text": each.zh, "holds": figures.checks[each.name]} for each in CHECKS],
    }


def _member_line(reading: FormReading, line: MemberLine) -> MemberLineShape:
    person, rating, votes = line.person, line.rating, reading.votes_on(line)
    return {
        "staff_no": person.staff_no,
        "name": person.name,
        "standing": person.standing,
        "title": person.title,
        "self_level": line.self_level,
        "votes": None if votes is None else dict(votes),
        "level": rating.level if rating else None,
        "opinion": rating.opinion if rating else None,
        "fed_back_on": rating.feedback_on if rating else None,
        "remark": line.remark,
    }


def _form(call: Call[object], written: Form) -> FormShape:
    """Compute the form from the records, with every check and every sign.

    Its ETag is of its written part.
    """
    process, session = call.process, call.session
    reading = form_for(session, process, call.by)
    paper, plan = reading.paper, process.cycle.plan["form"]
    return {
        "cycle": process.cycle.year,
        "title": plan["title"],
        "recipient": plan["recipient"],
        "branch": branch_shape(process),
        "secretary": person_shape(secretaries(session, [process.id]).get(process.id)),
        "stage": process.stage,
        "round": process.round,
        "late": process.late,
        "due_on": process.due_on,
        **sums_shape(reading.figures, reading.marks),
        "studies": [{"held_on": row.held_on, "titles": row.titles} for row in paper.studies],
        "meetings": paper.meeting_lines,
        "comments": list(paper.comments),
        "over_quota_reason": paper.over_quota_reason,
        "members": [_member_line(reading, line) for line in paper.members],
        "aftercare": paper.aftercare,
        "published": [{"place": row.place, "from": row.from_on, "to": row.to_on} for row in paper.publications],
        "sent_on": [row.sent_on for row in paper.filings],
        "prepared_by": written.prepared_by,
        "phone": written.phone,
        "remark": written.remark,
        "signs": [unmet_shape(each, language()) for each in signs(session, process, today=call.today)],
        "amendments": notice_shapes(session, process.cycle_id),
        "version": written.version,
    }


routes: Routes = single_routes(FORM, shown=_form, answers=FormShape)


@routes.get(f"{BRANCH}/archive", action=Action.READ_PROCESS, answers=ArchiveShape, zh="归档材料")
def read_archive(call: Call[object]) -> object:
    """List each paper of the archive as present or missing."""
    papers = archive_of(call.session, call.process)
    items = [{"paper": each.paper, "name": each.name, "present": each.present, "have": each.have, "need": each.need} for each in papers]
    return {"items": items, "keep_until": kept_until(call.process)}


def _year(call: Call[object], year: int) -> Cycle:
    return cycle_by_year(call.session, year)


@routes.get(f"{CYCLE}/totals", action=Action.READ_SCHOOL, answers=TotalsShape, find=_year, zh="全校汇总表")
def read_totals(call: Call[object], cycle: Cycle) -> object:
    """Read the school's form: the sum of the branches' forms."""
    branches, figures = totals_of(call.session, cycle)
    named = {"cycle": cycle.year, "title": cycle.plan["form"]["title"], "branches": branches}
    return {**named, "amendments": notice_shapes(call.session, cycle.id), **sums_shape(figures, marks_of(figures))}
