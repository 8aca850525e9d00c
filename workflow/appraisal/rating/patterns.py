"""评定的提示 (patterns of the ratings): ratings that ask for a reason, and signs for the office.

The plan: 不搞好人主义，不搞平衡照顾……真正评议出群众一致公认的先进，处置不合格党员，确保民主评议党员
不走过场。

The patterns: all alike, last year's names in turn, better than the ballot. A level below the ballot
is none: with a quota of a quarter most members stand below theirs (docs/0030). No pattern says that
a rating is wrong: D4 asks the branch for one reason. The rows name nobody, since committee and
office read them too; only secretary and deputy see which members are concerned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, and_, case, cast, func, literal, select, union_all
from sqlalchemy.orm import Session, aliased

from workflow.appraisal.meetings.tallies import Tally, TallyOfMember, sees_counts
from workflow.appraisal.rating.quota import levels_given
from workflow.appraisal.rating.ratings import Rating, members_tally, of_member, of_members, rated
from workflow.foundation.vocabulary import Level, Role, Severity, Stage, Waivable, Word
from workflow.rules.acts import Call
from workflow.rules.requirement import TODAY, Missing, missing, requirement
from workflow.year.cycle import Cycle, Participant, Process


class Pattern(Word):
    """The patterns that may look like 好人主义 or 平衡照顾 (评定的规律; D4)."""

    SAME = "same", "全部评为同一等次"
    ROTATED = "rotated", "与上年度优秀名单全部轮换"
    FAR = "far", "等次高于民主测评中多数人的意见"
    PASSED_OVER = "passed_over", "优秀票更多的党员没有评为优秀"


_asked = partial(requirement, stage=Stage.RATING, severity=Severity.SIGN, todo_for=Role.SECRETARY, link="ratings/patterns")
_settings = Cycle.plan["rules"]["settings"]


@_asked(
    "D4",
    severity=Severity.SOFT,
    waivable=Waivable.WHOLE,
    zh="评定结果有需要说明理由的情形：{names}",
    en="the ratings show what asks for a reason: {names}",
)
def patterns_without_a_reason() -> Missing:
    """不搞好人主义，不搞平衡照顾。"""
    found = union_all(_same(), _rotated(), *(_counted(each) for each in _BESIDE_THE_BALLOT)).subquery("found").c
    name = case(*((found.pattern == each, each.zh) for each in Pattern))
    return missing(found.process_id, subject=found.pattern, name=name, amount=found.people)


_Line = Row[Any]


def _pattern(which: Pattern, process_id: Any, people: Any) -> Any:
    return select(process_id.label("process_id"), literal(which.value).label("pattern"), cast(people, Integer).label("people"))


def _same() -> Any:
    """Select processes with three or more ratings of people who are still there, all alike.

    All 合格 does not count where the quota lets nobody be excellent: nothing else is left.
    """
    given = levels_given().c
    nothing_else = and_(given.qualified == given.rated, given.allowed == 0)
    return _pattern(Pattern.SAME, given.process_id, given.rated_and_here).where(given.rated_and_here >= 3, given.levels == 1, ~nothing_else)


def _rotated() -> Any:
    """Select processes with at least two excellent last year and this, nobody twice."""
    given, last = levels_given().c, aliased(Rating, name="last")
    before = _last_year(given.process_id)
    excellent = (last.process_id == before, last.counts, last.level == Level.EXCELLENT)
    then = select(func.count()).where(*excellent).correlate(*_of(given)).scalar_subquery()
    again = (
        select(last.id)
        .join(Rating, and_(Rating.staff_no == last.staff_no, Rating.process_id == given.process_id, Rating.counts))
        .where(*excellent, Rating.level == Level.EXCELLENT)
        .correlate(*_of(given))
        .exists()
    )
    return _pattern(Pattern.ROTATED, given.process_id, given.excellent).where(given.excellent >= 2, then >= 2, ~again)


def _of(given: Any) -> tuple[Any, ...]:
    return (given.process_id.table,)


def _last_year(process_id: Any) -> Any:
    """Select the process of the same branch in the latest earlier year."""
    this, its, other, years = aliased(Process, name="this"), aliased(Cycle, name="its"), aliased(Process, name="other"), aliased(Cycle, name="years")
    return (
        select(other.id)
        .select_from(this)
        .join(its, its.id == this.cycle_id)
        .join(other, and_(other.branch_id == this.branch_id, other.kind == this.kind))
        .join(years, and_(years.id == other.cycle_id, years.year < its.year))
        .where(this.id == process_id)
        .order_by(years.year.desc())
        .limit(1)
        .correlate(process_id.table)
        .scalar_subquery()
    )


def _counted(which: Pattern) -> Any:
    """Count the members of each process whose level is in such a pattern."""
    people = _above_the_ballot(which, Rating.staff_no).subquery(which.value)
    return _pattern(which, people.c.process_id, func.count()).group_by(people.c.process_id)


def _above_the_ballot(which: Pattern, *columns: Any) -> Any:
    """Select the members rated better than the ballot in this way, without their own reason."""
    return (
        select(Rating.process_id, *columns)
        .join(Participant, and_(of_member(), Participant.left_on.is_(None)))
        .join(TallyOfMember, and_(TallyOfMember.process_id == Rating.process_id, TallyOfMember.staff_no == Rating.staff_no))
        .join(Tally, and_(Tally.id == TallyOfMember.tally_id, of_members()))
        .join(Process, Process.id == Rating.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(_settings["reason_when_far_from_tally"].as_boolean(), Rating.reason.is_(None), _BESIDE_THE_BALLOT[which]())
    )


def _few() -> ColumnElement[bool]:
    """Ask whether so few voted that the branch reads bands: no pattern tells more than they do."""
    few: ColumnElement[bool] = Tally.valid < _settings["bands_below"].as_integer()
    return few


def _majority_was_for_less() -> ColumnElement[bool]:
    """Ask whether more than half of the votes are for levels below the one given.

    Abstentions are no votes. Where few voted: whether the bands show one such level 过半数.
    """
    votes = [getattr(TallyOfMember, level.value) for level in Level]
    below = {level: votes[place:] for place, level in enumerate(Level, 1) if votes[place:]}
    total = case(*((Rating.level == level, sum(lower, start=literal(0))) for level, lower in below.items()), else_=0)
    most = case(*((Rating.level == level, func.greatest(*lower)) for level, lower in below.items()), else_=0)
    return case((_few(), most * 2 > Tally.valid), else_=total * 2 > sum(votes, start=literal(0)))


def _another_has_more_votes() -> ColumnElement[bool]:
    """Ask whether an 优秀 member has fewer 优秀 votes than somebody at another level.

    Where few voted: whether the bands show it. A reason on either of the two explains it.
    """
    other, ballot, line = aliased(Rating, name="other"), aliased(TallyOfMember, name="others_votes"), aliased(Participant, name="others_line")
    passed_over = (
        select(other.id)
        .join(line, and_(line.process_id == other.process_id, line.staff_no == other.staff_no, line.left_on.is_(None)))
        .join(ballot, and_(ballot.tally_id == TallyOfMember.tally_id, ballot.staff_no == other.staff_no))
        .where(other.process_id == Rating.process_id, other.counts, other.level != Level.EXCELLENT, other.reason.is_(None))
        .where(_order(ballot.excellent) > _order(TallyOfMember.excellent))
        .correlate(Rating, TallyOfMember, Tally, Cycle)
        .exists()
    )
    return and_(Rating.level == Level.EXCELLENT, passed_over)


def _order(votes: Any) -> ColumnElement[int]:
    """Order members by their 优秀 votes, or by the band of these where few voted."""
    band = case((votes * 3 >= Tally.valid * 2, 2), (votes * 2 > Tally.valid, 1), else_=0)
    return case((_few(), band), else_=votes)


_BESIDE_THE_BALLOT: dict[Pattern, Callable[[], ColumnElement[bool]]] = {
    Pattern.FAR: _majority_was_for_less,
    Pattern.PASSED_OVER: _another_has_more_votes,
}


# ── who is concerned ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Concerned:
    """A member in a pattern (有关党员).

    They have the level they were given, and the levels that got most votes.
    """

    staff_no: str
    name: str
    level: Level
    most: Sequence[Level]


def patterns_of(session: Session, process: Process) -> list[tuple[Pattern, list[Concerned]]]:
    """List the patterns of a branch with their people, for secretary and deputy alone."""
    rows = patterns_without_a_reason.query().subquery()
    shown = set(session.scalars(select(rows.c.subject_id).where(rows.c.process_id == process.id)))
    if not shown:
        return []
    people = session.execute(
        select(Participant.staff_no, Participant.name, Rating.level, *(getattr(TallyOfMember, level.value) for level in Level))
        .join(Rating, of_member())
        .outerjoin(Tally, and_(Tally.process_id == Participant.process_id, of_members()))
        .outerjoin(TallyOfMember, and_(TallyOfMember.tally_id == Tally.id, TallyOfMember.staff_no == Participant.staff_no))
        .where(Participant.process_id == process.id, Participant.left_on.is_(None), Rating.level.is_not(None))
        .order_by(Participant.staff_no)
    ).all()
    above = union_all(*(_above_the_ballot(each, Rating.staff_no, literal(each.value)) for each in _BESIDE_THE_BALLOT)).subquery()
    of_branch = select(*above.c[1:]).where(above.c.process_id == process.id)
    beside = {(staff_no, Pattern(which)) for staff_no, which in session.execute(of_branch)}

    def concerns(which: Pattern, row: _Line) -> bool:
        if which is Pattern.ROTATED:
            return row.level is Level.EXCELLENT
        return which is Pattern.SAME or (row.staff_no, which) in beside

    return [(each, [_concerned(row) for row in people if concerns(each, row)]) for each in Pattern if each.value in shown]


def patterns_seen(call: Call[object]) -> list[tuple[Pattern, list[Concerned]]]:
    """List the patterns as this reader sees them.

    Where so few voted that only bands are told, the levels with most votes are left out.
    """
    found, tally = patterns_of(call.session, call.process), members_tally(call.session, call.process.id)
    if tally is not None and sees_counts(call.by, call.process, tally.valid):
        return found
    return [(each, [replace(one, most=()) for one in people]) for each, people in found]


def _most(row: _Line) -> list[Level]:
    votes = {level: getattr(row, level.value) for level in Level}
    return [level for level in Level if votes[level] is not None and votes[level] == max(votes.values())]


def _concerned(row: _Line) -> Concerned:
    return Concerned(row.staff_no, row.name, row.level, _most(row))


# ── signs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@_asked(
    "Q3",
    link="ratings",
    zh="{count} 名受过处分的党员被评为“{excellent}”：{names}",
    en="{count} members punished of late are rated excellent: {names}",
)
def excellent_though_punished() -> Missing:
    """真正评议出群众一致公认的先进，处置不合格党员，确保民主评议党员不走过场。"""
    since = TODAY - func.make_interval(0, _settings["punished_within_months"].as_integer())
    return (
        rated(Rating.level == Level.EXCELLENT)
        .join(Process, Process.id == Participant.process_id)
        .join(Cycle, Cycle.id == Process.cycle_id)
        .where(Participant.punished_on >= since)
    )


REQUIREMENTS = (patterns_without_a_reason, excellent_though_punished)
