"""情况表 (the form) as data: its rows on members, meetings, and help or disposition.

The plan: 将《2024年度民主评议情况表》交党委办公室。 The headings of the paper are those that party
offices use; here are the rows below them, which stand beside the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.tallies import LEVELS, MARKS, CommitteeItem, Tally, TallyOfMember, banded, sees_counts
from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan
from workflow.appraisal.rating.quota import more_excellent_than_the_quota
from workflow.appraisal.rating.ratings import Rating, of_member
from workflow.appraisal.rectification.publications import Publication, RectificationFiling
from workflow.appraisal.report.figures import Figures, figures_of
from workflow.appraisal.self_review.self_reviews import SelfReview
from workflow.appraisal.study.sessions import StudySession
from workflow.foundation.vocabulary import Level, MeetingForm, MeetingPurpose, TallySubject
from workflow.people.access import Caller
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Participant, Process


@dataclass(frozen=True)
class MemberLine:
    """One member (党员名册): their own level, the votes, the rating."""

    person: Participant
    self_level: Level | None
    votes: dict[str, int] | None
    rating: Rating | None

    @property
    def remark(self) -> str | None:
        """The reason why there is no level."""
        excused = self.person.excused_reason if self.person.excused_confirmed_by else None
        return (self.rating.not_rated_reason if self.rating else None) or excused


@dataclass(frozen=True)
class AbsentLine:
    """A member who was not at a meeting (缺席), with the reason."""

    name: str
    reason: str | None


@dataclass(frozen=True)
class MeetingLine:
    """One life meeting (组织生活会): numbers due and present, the absent, the cadres present."""

    form: MeetingForm
    group: str | None
    held_on: date
    due: int
    present: int
    absent: Sequence[AbsentLine]
    cadres: Sequence[str]


@dataclass(frozen=True)
class AftercareLine:
    """One member with a help plan or a disposition (教育帮扶、处置)."""

    staff_no: str
    name: str
    level: Level
    facts: str | None
    """主要表现: the facts of a case, or the opinion on a member rated 基本合格."""
    measure: str | None
    responsible: str | None
    """The name of the helper, or of the person who answers for the case."""
    due_on: date | None
    """The day of the next review, or the last day of a correction."""


Votes = Mapping[str, int] | Mapping[str, str]
"""The votes by level or mark: numbers, or bands."""


@dataclass(frozen=True)
class FormPaper:
    """The rows of the form. Records that were taken back are not among them."""

    members: Sequence[MemberLine]
    people: Mapping[str, Participant]
    """The whole roll by 学工号: a meeting or a help plan may name somebody who has left since."""
    studies: Sequence[StudySession]
    meetings: Sequence[Meeting]
    help_plans: Sequence[HelpPlan]
    cases: Sequence[DispositionCase]
    publications: Sequence[Publication]
    filings: Sequence[RectificationFiling]
    comments: Sequence[str]
    """The texts about the committee that were on the ballots."""
    valid: int
    """Valid ballots on the members."""
    over_quota_reason: str | None

    def due_at(self, meeting: Meeting) -> int:
        """Count the members who should attend a meeting (应到).

        Of a group meeting those it lists; of a committee meeting the committee of that day; of a
        general meeting all who belonged to the branch that day and were not excused.
        """
        if meeting.form is MeetingForm.GROUP:
            return len(meeting.attendance)
        day = meeting.held_on
        then = [row for row in self.people.values() if (row.left_on or date.max) > day >= (row.joined_on or date.min)]
        if meeting.form is MeetingForm.COMMITTEE:
            return sum(row.leads for row in then)
        return sum(row.excused_confirmed_by is None for row in then)

    @property
    def meeting_lines(self) -> Sequence[MeetingLine]:
        """The meetings as rows of the form, with people by their names."""
        people = self.people

        def name(staff_no: str) -> str:
            return people[staff_no].name if staff_no in people else staff_no

        return [
            MeetingLine(
                form=row.form,
                group=row.group_name,
                held_on=row.held_on,
                due=self.due_at(row),
                present=len(row.present),
                absent=[AbsentLine(name(each.staff_no), each.reason) for each in row.attendance if not each.present],
                cadres=[name(staff_no) for staff_no in row.present if staff_no in people and people[staff_no].cadre],
            )
            for row in self.meetings
        ]

    @property
    def aftercare(self) -> Sequence[AftercareLine]:
        """A line for each member of the roll who is rated 基本合格 or 不合格."""
        plans, cases = {row.staff_no: row for row in self.help_plans}, {row.staff_no: row for row in self.cases}
        found = []
        for line in self.members:
            rating, who = line.rating, line.person
            if rating is not None and rating.level is Level.BASIC:
                plan = plans.get(who.staff_no)
                told = (rating.opinion, plan.first_step, self._name(plan.helper), plan.review_on) if plan else (rating.opinion, None, None, None)
                found.append(AftercareLine(who.staff_no, who.name, Level.BASIC, *told))
            elif rating is not None and rating.level is Level.UNQUALIFIED:
                case = cases.get(who.staff_no)
                decided = case.decided if case else None
                measure, until = (decided.measure.zh, decided.until) if decided and decided.measure else (None, None)
                answers = self._name(case.responsible) if case else None
                found.append(AftercareLine(who.staff_no, who.name, Level.UNQUALIFIED, case.facts if case else None, measure, answers, until))
        return found

    def _name(self, staff_no: str | None) -> str | None:
        return self.people[staff_no].name if staff_no is not None and staff_no in self.people else None


@dataclass(frozen=True)
class FormReading:
    """The form of one branch as one reader sees it (情况表)."""

    figures: Figures
    paper: FormPaper
    exact: bool
    """True if the reader sees how many votes each got; else they see bands."""

    @property
    def marks(self) -> Mapping[str, Votes]:
        """The votes on the committee by item (评议项目)."""
        return marks_of(self.figures, exact=self.exact)

    def votes_on(self, line: MemberLine) -> Votes | None:
        """Find the votes on one member, if they were on the ballot."""
        return line.votes if self.exact or line.votes is None else banded(line.votes, self.paper.valid)


def marks_of(figures: Figures, *, exact: bool = True) -> Mapping[str, Votes]:
    """Group the votes on committees by item.

    Readers who must not see numbers get bands.
    """
    numbers = figures.numbers
    counted = {item.value: {mark: numbers[f"{item.value}_{mark}"] for mark in MARKS} for item in CommitteeItem}
    return counted if exact else {item: banded(votes, numbers["committee_valid"]) for item, votes in counted.items()}


def form_for(session: Session, process: Process, reader: Caller) -> FormReading:
    """Read the form of one branch for one reader.

    The smaller of its two ballots says whether they see numbers.
    """
    figures, paper = figures_of(session, process.id), paper_of(session, process)
    return FormReading(figures, paper, sees_counts(reader, process, min(paper.valid, figures.numbers["committee_valid"])))


def paper_of(session: Session, process: Process) -> FormPaper:
    """Read the rows of one branch's form."""
    lines = _lines(session, process)
    tallies = {
        row.subject: row for row in session.scalars(select(Tally).where(Tally.process_id == process.id, Tally.counts, Tally.counted_at.is_not(None)))
    }
    of_committee, of_members = (tallies.get(subject) for subject in (TallySubject.COMMITTEE, TallySubject.MEMBERS))
    life = and_(Meeting.process_id == process.id, Meeting.counts, Meeting.purpose == MeetingPurpose.LIFE)
    reason = select(Waiver.reason).where(Waiver.process_id == process.id, Waiver.requirement == more_excellent_than_the_quota.name, Waiver.stands)
    return FormPaper(
        members=[line for line in lines if line.person.rated_here],
        people={line.person.staff_no: line.person for line in lines},
        studies=session.scalars(
            select(StudySession).where(StudySession.process_id == process.id, StudySession.counts).order_by(StudySession.held_on)
        ).all(),
        meetings=session.scalars(select(Meeting).where(life).order_by(Meeting.held_on, Meeting.id)).all(),
        help_plans=session.scalars(select(HelpPlan).where(HelpPlan.process_id == process.id, HelpPlan.counts).order_by(HelpPlan.staff_no)).all(),
        cases=session.scalars(
            select(DispositionCase).where(DispositionCase.process_id == process.id, DispositionCase.counts).order_by(DispositionCase.staff_no)
        ).all(),
        publications=session.scalars(
            select(Publication).where(Publication.process_id == process.id, Publication.counts).order_by(Publication.id)
        ).all(),
        filings=session.scalars(
            select(RectificationFiling)
            .where(RectificationFiling.process_id == process.id, RectificationFiling.counts)
            .order_by(RectificationFiling.id)
        ).all(),
        comments=of_committee.comments if of_committee else (),
        valid=of_members.valid if of_members else 0,
        over_quota_reason=session.scalar(reason.order_by(Waiver.id.desc()).limit(1)),
    )


def _lines(session: Session, process: Process) -> list[MemberLine]:
    """Read a line for everybody who is or was on the roll."""
    rows = session.execute(
        select(Participant, SelfReview.level, TallyOfMember, Rating)
        .outerjoin(
            SelfReview,
            and_(
                SelfReview.process_id == Participant.process_id,
                SelfReview.staff_no == Participant.staff_no,
                SelfReview.counts,
                SelfReview.submitted,
            ),
        )
        .outerjoin(
            Tally,
            and_(Tally.process_id == Participant.process_id, Tally.subject == TallySubject.MEMBERS, Tally.counts, Tally.counted_at.is_not(None)),
        )
        .outerjoin(TallyOfMember, and_(TallyOfMember.tally_id == Tally.id, TallyOfMember.staff_no == Participant.staff_no))
        .outerjoin(Rating, of_member())
        .where(Participant.process_id == process.id)
        .order_by(Participant.staff_no.collate("C"))
    )
    return [
        MemberLine(person, level, None if votes is None else {name: getattr(votes, name) for name in LEVELS}, rating)
        for person, level, votes, rating in rows
    ]
