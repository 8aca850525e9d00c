"""The form, its archive, and the school's totals (情况表、归档目录、全校汇总)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from typing_extensions import TypedDict

from api.appraisal.tallies import banded
from api.frame.address import BRANCH, CYCLE
from api.frame.base import Answer, Request, Routes
from api.frame.errors import language
from api.frame.shapes import BranchShape, Items, PersonShape, UnmetShape, branch_shape, person_shape, unmet_shape
from workflow.appraisal.meetings.tallies import MARKS, CommitteeItem, sees_counts
from workflow.appraisal.report.checklist import archive_of
from workflow.appraisal.report.figures import CHECKS, Figures, figures_of, totals_of
from workflow.appraisal.report.form import FormBody, fill_form, form_of
from workflow.appraisal.report.rows import FormPaper, MemberLine, paper_of
from workflow.foundation.vocabulary import Level, MeetingForm, Stage, Standing
from workflow.machine.gate import signs
from workflow.people.access import Action
from workflow.year.cycle import Cycle, Lock, cycle_by_year, secretaries

routes = Routes()


class CheckedShape(TypedDict):
    """Sums that must agree, and whether they do."""

    name: str
    text: str
    holds: bool


class LevelsShape(TypedDict):
    """三、评定结果."""

    excellent: int
    qualified: int
    basic: int
    unqualified: int
    none: int
    total: int


class BasicsShape(TypedDict):
    """一、基本情况."""

    total: int
    full: int
    probationary: int
    due: int
    took_part: int
    excused: int
    on_committee: int
    studies: int
    committee_talks: int
    member_talks: int
    meetings: int


class CommitteeShape(TypedDict):
    """二、对支部委员会的评议: of small branches their own readers see bands instead of votes."""

    issued: int
    returned: int
    valid: int
    void: int
    marks: dict[str, dict[str, Any]]


class RectifiedShape(TypedDict):
    """六、整改."""

    problems: int
    measures: int
    commitments: int
    publications: int
    filings: int


class SumsShape(TypedDict):
    """The numbers that a branch's form and the school's share."""

    basics: BasicsShape
    committee: CommitteeShape
    levels: LevelsShape
    fed_back: int
    quota_allowed: int
    rectification: RectifiedShape
    checks: list[CheckedShape]


class TotalsShape(SumsShape):
    """The school's form: the sum of the branches'."""

    cycle: int
    title: str
    branches: int


class StudyLine(TypedDict):
    held_on: date
    titles: list[str]


class AbsentLine(TypedDict):
    name: str
    reason: str | None


class MeetingLine(TypedDict):
    form: MeetingForm
    group: str | None
    held_on: date
    due: int
    present: int
    absent: list[AbsentLine]
    cadres: list[str]


class MemberLineShape(TypedDict):
    """四、党员名册: one row of it."""

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


class AftercareLine(TypedDict):
    """五、教育帮扶、处置: one row of it."""

    staff_no: str
    name: str
    level: Level
    facts: str | None
    measure: str | None
    responsible: str | None
    due_on: date | None


PublishedLine = TypedDict("PublishedLine", {"place": str | None, "from": date, "to": date | None})


class FormShape(SumsShape):
    """The form of one branch."""

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
    meetings: list[MeetingLine]
    comments: list[str]
    over_quota_reason: str | None
    members: list[MemberLineShape]
    aftercare: list[AftercareLine]
    published: list[PublishedLine]
    sent_on: list[date]
    prepared_by: str | None
    phone: str | None
    remark: str | None
    signs: list[UnmetShape]
    version: int


class PaperShape(TypedDict):
    """One paper of the archive."""

    paper: str
    name: str
    present: bool
    have: int
    need: int


def sums_shape(figures: Figures, *, exact: bool = True) -> SumsShape:
    number = figures.numbers
    marks: Mapping[str, dict[str, int]] = {item.value: {mark: number[f"{item.value}_{mark}"] for mark in MARKS} for item in CommitteeItem}
    return {
        "basics": {
            "total": number["total"],
            "full": number["full"],
            "probationary": number["probationary"],
            "due": number["due"],
            "took_part": number["members_returned"],
            "excused": number["excused"],
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
            "marks": {item: dict(votes) if exact else dict(banded(votes, number["committee_valid"])) for item, votes in marks.items()},
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


def _member_line(line: MemberLine, valid: int, *, exact: bool) -> MemberLineShape:
    person, rating = line.person, line.rating
    votes: dict[str, Any] | None = line.votes if exact or line.votes is None else dict(banded(line.votes, valid))
    return {
        "staff_no": person.staff_no,
        "name": person.name,
        "standing": person.standing,
        "title": person.title,
        "self_level": line.self_level,
        "votes": votes,
        "level": rating.level if rating else None,
        "opinion": rating.opinion if rating else None,
        "fed_back_on": rating.feedback_on if rating else None,
        "remark": line.remark,
    }


def _aftercare(paper: FormPaper) -> list[AftercareLine]:
    lines = {line.person.staff_no: line for line in paper.members}
    plans, cases = {row.staff_no: row for row in paper.help_plans}, {row.staff_no: row for row in paper.cases}
    found: list[AftercareLine] = []
    for staff_no, line in lines.items():
        level = line.rating.level if line.rating else None
        if level not in (Level.BASIC, Level.UNQUALIFIED):
            continue
        plan, case = plans.get(staff_no), cases.get(staff_no)
        helper = paper.people.get(plan.helper) if plan and plan.helper else None
        found.append(
            {
                "staff_no": staff_no,
                "name": line.person.name,
                "level": level,
                "facts": case.facts if case else None,
                "measure": plan.first_step if plan else None,
                "responsible": helper.name if helper else None,
                "due_on": plan.review_on if plan else None,
            }
        )
    return found


def _meetings(paper: FormPaper) -> list[MeetingLine]:
    people = paper.people

    def name(staff_no: str) -> str:
        return people[staff_no].name if staff_no in people else staff_no

    return [
        {
            "form": row.form,
            "group": row.group_name,
            "held_on": row.held_on,
            "due": paper.due_at(row),
            "present": len(row.present),
            "absent": [{"name": name(each.staff_no), "reason": each.reason} for each in row.attendance if not each.present],
            "cadres": [name(staff_no) for staff_no in row.present if staff_no in people and people[staff_no].cadre],
        }
        for row in paper.meetings
    ]


def _form(request: Request) -> Answer:
    process, session = request.process, request.session
    figures, paper, written = figures_of(session, process.id), paper_of(session, process), form_of(session, process)
    exact = sees_counts(request.by, process, min(paper.valid, figures.numbers["committee_valid"]))
    plan = process.cycle.plan["form"]
    body: FormShape = {
        "cycle": process.cycle.year,
        "title": plan["title"],
        "recipient": plan["recipient"],
        "branch": branch_shape(process.branch),
        "secretary": person_shape(secretaries(session, [process.id]).get(process.id)),
        "stage": process.stage,
        "round": process.round,
        "late": process.late,
        "due_on": process.due_on,
        **sums_shape(figures, exact=exact),
        "studies": [{"held_on": row.held_on, "titles": row.titles} for row in paper.studies],
        "meetings": _meetings(paper),
        "comments": list(paper.comments),
        "over_quota_reason": paper.over_quota_reason,
        "members": [_member_line(line, paper.valid, exact=exact) for line in paper.members],
        "aftercare": _aftercare(paper),
        "published": [{"place": row.place, "from": row.from_on, "to": row.to_on} for row in paper.publications],
        "sent_on": [row.sent_on for row in paper.filings],
        "prepared_by": written.prepared_by if written else None,
        "phone": written.phone if written else None,
        "remark": written.remark if written else None,
        "signs": [unmet_shape(each, language()) for each in signs(session, process, today=request.today)],
        "version": written.version if written else 0,
    }
    return Answer(body, version=body["version"])


@routes.get(f"{BRANCH}/form", action=Action.READ_PROCESS, answers=FormShape)
def read_form(request: Request) -> Any:
    """The form, computed from the records, with every check and every sign. Its ETag is of its written part."""
    return _form(request)


@routes.patch(f"{BRANCH}/form", action=Action.EDIT_FORM, lock=Lock.EVIDENCE, body=FormBody, answers=FormShape)
def write_form(request: Request, body: dict[str, Any]) -> Any:
    """Write who prepared the form, his phone, a remark."""
    fill_form(request.session, request.process, body, seen=request.seen)
    return _form(request)


@routes.get(f"{BRANCH}/archive", action=Action.READ_PROCESS, answers=Items[PaperShape])
def read_archive(request: Request) -> Any:
    """Each paper that the branch keeps, as present or missing."""
    papers = archive_of(request.session, request.process)
    return {"items": [{"paper": each.paper, "name": each.name, "present": each.present, "have": each.have, "need": each.need} for each in papers]}


def _year(request: Request, year: int) -> Cycle:
    return cycle_by_year(request.session, year)


@routes.get(f"{CYCLE}/totals", action=Action.READ_SCHOOL, answers=TotalsShape, find=_year)
def read_totals(request: Request, cycle: Cycle) -> Any:
    """The school's form: the sum of the branches' forms."""
    branches, figures = totals_of(request.session, cycle)
    return {"cycle": cycle.year, "title": cycle.plan["form"]["title"], "branches": branches, **sums_shape(figures)}
