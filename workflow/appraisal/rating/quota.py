"""优秀比例 (quota): how many members may be rated excellent.

The plan: 评定为“优秀”的党员比例一般不超过四分之一。

The quota is counted once for the meter, the gate and the form. The plan names neither base nor
rounding, and 一般 makes the quota soft: a higher number needs a written reason and, unless the
year's settings say otherwise, the office's approval. Both hold for that number and no greater one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Subquery, and_, case, cast, false, func, select, true
from sqlalchemy.orm import Session

from workflow.appraisal.rating.ratings import Rating, of_member
from workflow.foundation.vocabulary import Level, Role, Severity, Stage, Standing, Waivable
from workflow.rules.requirement import Missing, Waiver, missing, requirement
from workflow.year.cycle import Cycle, Participant, Process


def levels_given() -> Subquery:
    """Select a row for each process: the levels given, and the quota.

    Columns: how many of the roll are at each level, how many are rated and still to be rated, how
    many the quota lets be excellent of those rated, and once all are, and whether the plan never
    lets more be.
    """
    full = and_(Participant.standing == Standing.FULL, Participant.excused_confirmed_by.is_(None))
    roll = (
        select(
            *(func.count().filter(Rating.level == level).label(level.value) for level in Level),
            func.count(Rating.level).label("rated"),
            func.count(Rating.level).filter(Participant.left_on.is_(None)).label("rated_and_here"),
            func.count(func.distinct(Rating.level)).filter(Participant.left_on.is_(None)).label("levels"),
            func.count().filter(full).label("full"),
            func.count().filter(full, Participant.left_on.is_(None), Rating.id.is_(None)).label("to_rate"),
        )
        .select_from(Participant)
        .outerjoin(Rating, and_(Rating.process_id == Process.id, of_member()))
        .where(Participant.process_id == Process.id, Participant.rated_here)
        .correlate(Process)
        .lateral("roll")
    )
    rule = Cycle.plan["rules"]["quota"]
    at_least_one = func.coalesce(rule["at_least_one"].as_boolean(), false())
    by_rated = rule["base"].as_string() == "rated"
    base = case((by_rated, roll.c.rated), else_=roll.c.full)
    # While some are still to be rated they count as rated: else the first 优秀 would be over it.
    at_last = case((by_rated, roll.c.rated + roll.c.to_rate), else_=roll.c.full)

    def allowed(of: ColumnElement[int]) -> ColumnElement[int]:
        share = _share(of, rule["ratio"].as_string(), rule["rounding"].as_string())
        return case((and_(at_least_one, of > 0), func.greatest(share, 1)), else_=share)

    return (
        select(
            Process.id.label("process_id"),
            *roll.c,
            base.label("base_count"),
            allowed(base).label("allowed"),
            allowed(at_last).label("limit"),
            func.coalesce(rule["never"].as_boolean(), false()).label("never"),
        )
        .join(Cycle, Cycle.id == Process.cycle_id)
        .join(roll, true())
        .subquery("given")
    )


def _share(base: ColumnElement[int], ratio: ColumnElement[str], rounding: ColumnElement[str]) -> ColumnElement[int]:
    """Take a share of a number, as a whole number.

    A share of 1/4 of 7 people is 1 rounded down, 2 rounded up or to the nearest.
    """
    upper, lower = (cast(func.split_part(ratio, "/", place), Integer) for place in (1, 2))
    return case(
        (rounding == "up", (base * upper + lower - 1) // lower),
        (rounding == "nearest", (base * upper * 2 + lower) // (lower * 2)),
        else_=base * upper // lower,
    )


@requirement(
    "D5",
    stage=Stage.RATING,
    severity=Severity.SOFT,
    todo_for=Role.SECRETARY,
    waivable=Waivable.WHOLE_WITH_APPROVAL,
    approval_setting="over_quota_needs_approval",
    link="ratings/quota",
    zh="评定为“{excellent}”的党员超过限额：{names}",
    en="more members are rated excellent than the quota allows: {names}",
)
def more_excellent_than_the_quota() -> Missing:
    """评定为“优秀”的党员比例一般不超过四分之一。"""
    given = levels_given().c
    return _over(given).where(~given.never)


@requirement(
    "D5",
    stage=Stage.RATING,
    severity=Severity.HARD,
    todo_for=Role.SECRETARY,
    link="ratings/quota",
    zh="评定为“{excellent}”的党员超过限额，本年度方案规定不得超过：{names}",
    en="more members are rated excellent than the quota allows, and this year's plan never allows it: {names}",
)
def more_excellent_than_is_ever_allowed() -> Missing:
    """评定为“优秀”的党员比例一般不超过四分之一。

    (Only where the plan says 不得 instead of 一般: the setting ``never`` of its quota.)
    """
    given = levels_given().c
    return _over(given).where(given.never)


def _over(given: Any) -> Missing:
    name = func.concat("优秀 ", given.excellent, " 名，限额 ", given.limit, " 名")
    return missing(given.process_id, name=name, amount=given.excellent).where(given.excellent > given.limit)


def covered() -> ColumnElement[int | None]:
    """Select how many excellent members a standing reason of a process covers.

    Null without a standing reason.
    """
    return (
        select(func.max(cast(Waiver.covers[""].as_string(), BigInteger)))
        .where(Waiver.process_id == Process.id, Waiver.requirement == more_excellent_than_the_quota.name, Waiver.stands)
        .correlate(Process)
        .scalar_subquery()
    )


@dataclass(frozen=True)
class Quota:
    """The quota of a branch (优秀限额): the rule, the number it allows, the excellent members."""

    ratio: str
    base: str
    base_count: int
    rounding: str
    at_least_one: bool
    never: bool
    """True if no reason lets more be excellent."""
    allowed: int
    at_last: int
    """The number that is allowed once all who wait for a rating have one."""
    excellent: int
    approved: int | None
    """The number that a standing reason covers; None without one."""

    @property
    def over(self) -> int:
        return max(0, self.excellent - self.allowed)


def quota_of(session: Session, process: Process) -> Quota:
    """Find the quota of a branch, and how many are excellent."""
    given = levels_given()
    approved = covered().label("approved")
    statement = select(*given.c, approved).select_from(Process).join(given, given.c.process_id == Process.id).where(Process.id == process.id)
    row = session.execute(statement).one()
    rule = process.cycle.plan["rules"]["quota"]
    return Quota(
        ratio=rule["ratio"],
        base=rule["base"],
        base_count=row.base_count,
        rounding=rule["rounding"],
        at_least_one=rule.get("at_least_one", False),
        never=row.never,
        allowed=row.allowed,
        at_last=row.limit,
        excellent=row.excellent,
        approved=row.approved,
    )


REQUIREMENTS = (more_excellent_than_the_quota, more_excellent_than_is_ever_allowed)
