"""情况表的数字 (the figures of the form): every number of the 情况表, and checks that they agree.

The plan: 将《2024年度民主评议情况表》交党委办公室。

All are computed from the records: one row of numbers for each process. A branch's form, the gate
before filing and the school's totals all read it, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased
from sqlalchemy.sql.selectable import LateralFromClause

from workflow.appraisal.ledger import Commitment, Measure, Problem
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.tallies import LEVELS, MARKS, CommitteeItem, Tally, TallyOfItem, TallyOfMember
from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan
from workflow.appraisal.rating.quota import levels_given, more_excellent_than_the_quota
from workflow.appraisal.rating.ratings import Rating, of_member
from workflow.appraisal.rectification.publications import Publication, RectificationFiling
from workflow.appraisal.self_review.self_reviews import SelfReview
from workflow.appraisal.study.sessions import StudySession
from workflow.appraisal.talks.talks import Talk
from workflow.foundation.vocabulary import ExcuseKind, Kind, Level, MeasureState, MeetingPurpose, Standing, TallySubject
from workflow.rules.evidence import Evidence
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Cycle, Participant, Process

Condition = ColumnElement[bool] | InstrumentedAttribute[bool]

BALLOT = ("issued", "returned", "valid", "void")


def excused_for(kind: ExcuseKind) -> str:
    """Name the number of people who are excused for such a reason (未参加原因)."""
    return f"excused_{kind.value}"


def _on_roll() -> LateralFromClause:
    """Count the roll by standing, post, rating and the like, in one pass over it.

    Those rated here: each person of a year is counted on one roll, once.
    """
    full, excused = Participant.standing == Standing.FULL, Participant.excused_confirmed_by.is_not(None)
    due, left = and_(full, ~excused), Participant.left_on.is_not(None)
    counted = {
        "total": true(),
        "full": full,
        "probationary": ~full,
        "due": due,
        "excused": excused,
        **{excused_for(kind): and_(excused, Participant.excused_kind == kind) for kind in ExcuseKind},
        "on_committee": Participant.on_committee,
        "none": and_(Rating.level.is_(None), or_(~due, Rating.not_rated_reason.is_not(None))),
        "fed_back": and_(Rating.level.is_not(None), Rating.feedback_on.is_not(None)),
        "basic_helped": and_(Rating.level == Level.BASIC, or_(has(HelpPlan), left)),
        "unqualified_cased": and_(Rating.level == Level.UNQUALIFIED, or_(has(DispositionCase), left)),
        "rated_off_ballot": and_(Rating.level.is_not(None), ~_on_ballot()),
    }
    return (
        select(*(func.count().filter(which).label(name) for name, which in counted.items()))
        .select_from(Participant)
        .outerjoin(Rating, of_member())
        .where(Participant.process_id == Process.id, Participant.rated_here)
        .correlate(Process)
        .lateral("on_roll")
    )


def has(model: type[HelpPlan] | type[DispositionCase] | type[SelfReview] | type[Commitment], *which: Condition) -> ColumnElement[bool]:
    """Ask whether this line of the roll has such a record that counts."""
    return (
        select(model.id)
        .where(model.process_id == Participant.process_id, model.staff_no == Participant.staff_no, model.counts, *which)
        .correlate(Participant)
        .exists()
    )


def _on_ballot() -> ColumnElement[bool]:
    return (
        select(TallyOfMember.staff_no)
        .join(Tally, Tally.id == TallyOfMember.tally_id)
        .where(
            TallyOfMember.process_id == Participant.process_id,
            TallyOfMember.staff_no == Participant.staff_no,
            Tally.counts,
            Tally.counted_at.is_not(None),
        )
        .correlate(Participant)
        .exists()
    )


def _ballot(subject: TallySubject) -> LateralFromClause:
    """Select the counted ballot: its four numbers, and the number of wrong rows.

    A wrong row is one whose votes do not add up to the valid ballots.
    """
    lines = TallyOfMember if subject is TallySubject.MEMBERS else TallyOfItem
    votes = sum((getattr(lines, name) for name in (LEVELS if subject is TallySubject.MEMBERS else MARKS)), literal(0))
    off = select(func.count()).where(lines.tally_id == Tally.id, votes != Tally.valid).correlate(Tally).scalar_subquery()
    return (
        select(*(func.sum(getattr(Tally, name)).label(f"{subject.value}_{name}") for name in BALLOT), func.sum(off).label(f"{subject.value}_off"))
        .where(Tally.process_id == Process.id, Tally.subject == subject, Tally.counts, Tally.counted_at.is_not(None))
        .correlate(Process)
        .lateral(f"{subject.value}_ballot")
    )


def _marks() -> LateralFromClause:
    """Select the marks for the committee: a column for each item and mark, ``work_good``."""
    return (
        select(
            *(
                func.sum(getattr(TallyOfItem, mark)).filter(TallyOfItem.item == item).label(f"{item.value}_{mark}")
                for item in CommitteeItem
                for mark in MARKS
            )
        )
        .join(Tally, Tally.id == TallyOfItem.tally_id)
        .where(Tally.process_id == Process.id, Tally.counts, Tally.counted_at.is_not(None))
        .correlate(Process)
        .lateral("marks")
    )


def records(model: type[Evidence], *which: Condition) -> ColumnElement[int]:
    """Count the records of a process that count."""
    return select(func.count()).where(model.process_id == Process.id, model.counts, *which).correlate(Process).scalar_subquery()


def _talks(*, in_committee: bool) -> ColumnElement[int]:
    """Count the talks inside the committee, or all others."""
    one, other = aliased(Participant), aliased(Participant)
    both = and_(one.on_committee, other.on_committee)
    return (
        select(func.count())
        .select_from(Talk)
        .join(one, and_(one.process_id == Talk.process_id, one.staff_no == Talk.talker))
        .join(other, and_(other.process_id == Talk.process_id, other.staff_no == Talk.partner))
        .where(Talk.process_id == Process.id, Talk.counts, both if in_committee else ~both)
        .correlate(Process)
        .scalar_subquery()
    )


@cache
def figures() -> Subquery:
    """Select a row of numbers for each process."""
    on_roll, marks, given = _on_roll(), _marks(), levels_given()
    ballots = [_ballot(subject) for subject in TallySubject]
    approved = (
        select(Waiver.id)
        .where(
            Waiver.process_id == Process.id,
            Waiver.requirement == more_excellent_than_the_quota.name,
            Waiver.stands,
            Waiver.covers[""].as_integer() >= given.c.excellent,
        )
        .correlate(Process, given)
        .exists()
    )
    zero = [func.coalesce(column, 0).label(column.name) for part in (on_roll, marks, *ballots) for column in part.c]
    return (
        select(
            Process.id.label("process_id"),
            Process.cycle_id.label("cycle_id"),
            Process.ended_at.is_not(None).label("ended"),
            *zero,
            *(given.c[name] for name in (*(level.value for level in Level), "rated", "base_count", "allowed")),
            approved.label("over_approved"),
            records(StudySession).label("studies"),
            _talks(in_committee=True).label("committee_talks"),
            _talks(in_committee=False).label("member_talks"),
            records(Meeting, Meeting.purpose == MeetingPurpose.LIFE).label("meetings"),
            records(Problem).label("problems"),
            records(Measure).label("measures"),
            records(Measure, or_(Measure.state == MeasureState.DONE, Measure.state == MeasureState.CLOSED)).label("measures_done"),
            records(Commitment).label("commitments"),
            records(Publication).label("publications"),
            records(RectificationFiling).label("filings"),
        )
        .select_from(Process)
        .join(given, given.c.process_id == Process.id)
        .join(on_roll, true())
        .join(marks, true())
        .join(ballots[0], true())
        .join(ballots[1], true())
        .where(Process.kind == Kind.APPRAISAL)
        .subquery("figures")
    )


# ── the checks ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Check:
    """A check that sums agree (核对). ``holds`` takes a row of ``figures``."""

    name: str
    zh: str
    holds: Callable[[Any], ColumnElement[bool]]


CHECKS: Sequence[Check] = (
    Check("levels_make_the_total", "各等次与不评定等次合计等于党员总数", lambda f: _levels(f) + f.none == f.total),
    Check("rated_were_on_the_ballot", "评定等次的党员都在民主测评票上", lambda f: f.rated_off_ballot == 0),
    Check("votes_make_the_valid_ballots", "每名党员的票数与弃权合计等于有效票", lambda f: f.members_off == 0),
    Check("marks_make_the_valid_ballots", "对支部委员会各项的票数与弃权合计等于有效票", lambda f: f.committee_off == 0),
    Check("excellent_within_the_quota", "优秀不超过限额，或者超出部分已按规定说明", lambda f: or_(f.excellent <= f.allowed, f.over_approved)),
    Check("each_basic_is_helped", "基本合格的党员都有教育帮扶计划", lambda f: f.basic_helped == f.basic),
    Check("each_unqualified_has_a_case", "不合格的党员都有组织处置事项", lambda f: f.unqualified_cased == f.unqualified),
)


def _levels(f: Any) -> ColumnElement[int]:
    return f.excellent + f.qualified + f.basic + f.unqualified  # type: ignore[no-any-return]


def checked(f: object) -> tuple[array[object], array[object], array[object]]:
    """List names, Chinese names and outcomes of all checks over a row, for ``unnest``."""
    columns: list[list[Any]] = [[literal(each.name) for each in CHECKS], [literal(each.zh) for each in CHECKS], [each.holds(f) for each in CHECKS]]
    names, words, outcomes = map(array, columns)
    return names, words, outcomes


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Figures:
    """The numbers of one branch, or of a whole school, and the outcome of each check."""

    numbers: Mapping[str, int]
    checks: Mapping[str, bool]


NO_NUMBERS = ("process_id", "cycle_id", "ended", "over_approved")


def _numbers() -> list[ColumnElement[int]]:
    return [column for column in figures().c if column.name not in NO_NUMBERS]


def _read(session: Session, statement: Select[*tuple[object, ...]]) -> Figures:
    row = dict(session.execute(statement).mappings().one())
    outcomes = {each.name: bool(row.pop(f"check_{each.name}")) for each in CHECKS}
    return Figures({name: int(number) for name, number in row.items()}, outcomes)


def figures_of(session: Session, process_id: int) -> Figures:
    """Read the numbers of one branch."""
    f = figures()
    outcomes = [each.holds(f.c).label(f"check_{each.name}") for each in CHECKS]
    return _read(session, select(*_numbers(), *outcomes).where(f.c.process_id == process_id))


def totals_of(session: Session, cycle: Cycle) -> tuple[int, Figures]:
    """Read the number of branches that take part in a cycle, and the sums of their numbers.

    One statement reads them all, so that they are of one moment. A check of the school holds when
    it holds in every branch.
    """
    f = figures()
    sums = [func.coalesce(func.sum(column), 0).label(column.name) for column in _numbers()]
    outcomes = [func.coalesce(func.bool_and(each.holds(f.c)), true()).label(f"check_{each.name}") for each in CHECKS]
    read = _read(session, select(func.count().label("branches"), *sums, *outcomes).where(f.c.cycle_id == cycle.id, ~f.c.ended))
    numbers = dict(read.numbers)
    return numbers.pop("branches"), Figures(numbers, read.checks)
