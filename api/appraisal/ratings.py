"""Ratings, their feedback and acknowledgement, the quota, the patterns (评定)."""

from __future__ import annotations

from dataclasses import asdict

from typing_extensions import TypedDict

from api.frame.address import BRANCH
from api.frame.records import every, single, tag_of
from api.frame.routes import Routes
from api.frame.shapes import Items, PersonShape, whole_of
from workflow.appraisal.rating.patterns import patterns_seen
from workflow.appraisal.rating.quota import quota_of
from workflow.appraisal.rating.ratings import ACKNOWLEDGE, GIVE_FEEDBACK, GIVE_FEEDBACK_TO_MANY, RATE_MANY, RATINGS, Rating, TallyFirst
from workflow.foundation.vocabulary import Level
from workflow.people.access import Action
from workflow.rules.acts import Call, Done

routes = Routes(tag=tag_of(RATINGS))


@routes.post(f"{single(RATINGS)}/feedback", GIVE_FEEDBACK, answers=RATINGS.schema)
def tell_member(call: Call[object], row: Rating) -> object:
    """Note on which day and how the member was told their rating."""
    return RATINGS.seen_by(call)(row)


@routes.post(f"{every(RATINGS)}/bulk", RATE_MANY, answers=whole_of(RATINGS.schema), refuses=(TallyFirst,))
def rate_many(call: Call[object], done: Done) -> object:
    """Record many ratings at once, all or none. Each fault is named by its index."""
    return {"items": [*map(RATINGS.seen_by(call), done.rows)]}


@routes.post(f"{every(RATINGS)}/feedback/bulk", GIVE_FEEDBACK_TO_MANY, answers=whole_of(RATINGS.schema))
def tell_many(call: Call[object], done: Done) -> object:
    """Note how many members were told their rating, as at one meeting, all or none."""
    return {"items": [*map(RATINGS.seen_by(call), done.rows)]}


@routes.post(f"{single(RATINGS)}/acknowledge", ACKNOWLEDGE, answers=RATINGS.schema)
def acknowledge_rating(call: Call[object], row: Rating) -> object:
    """Confirm as the member that you were told the rating. It never closes."""
    return RATINGS.seen_by(call)(row)


# ── the quota and the patterns ────────────────────────────────────────────────────────────────────────────────────────


class QuotaShape(TypedDict):
    """The quota of the year and how many are excellent (优秀名额)."""

    ratio: str
    base: str
    base_count: int
    rounding: str
    at_least_one: bool
    never: bool
    allowed: int
    at_last: int
    """The number that is allowed once all who wait for a rating have one."""
    excellent: int
    over: int
    """The number of excellent members above the quota."""
    approved: int | None
    """The highest number that a reason covers, of reasons in force with the approval they need."""


@routes.get(f"{BRANCH}/ratings/quota", action=Action.READ_PROCESS, answers=QuotaShape, zh="优秀名额")
def read_quota(call: Call[object]) -> object:
    """Compare how many are excellent with the quota of the year."""
    quota = quota_of(call.session, call.process)
    return {**asdict(quota), "over": quota.over}


class ConcernedShape(PersonShape):
    """Somebody in a pattern, with their level and the levels that most voted for (情形里的人)."""

    level: Level
    most: list[Level]


class PatternShape(TypedDict):
    """A pattern that may look like 好人主义 or 平衡照顾, with its people (评定情形)."""

    pattern: str
    name: str
    people: list[ConcernedShape]


@routes.get(f"{BRANCH}/ratings/patterns", action=Action.READ_PATTERNS, answers=Items[PatternShape], zh="评定情形")
def read_patterns(call: Call[object]) -> object:
    """List patterns in the ratings, for secretary and deputy alone."""
    found = patterns_seen(call)
    return {"items": [{"pattern": each, "name": each.zh, "people": [asdict(one) for one in people]} for each, people in found]}
