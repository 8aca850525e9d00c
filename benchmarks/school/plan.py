"""How the school is made up (学校的构成): sizes, days, numbers and names of everybody in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

YEAR = 2024
"""The year of the packaged plan; its days are moved to lie around today."""
OFFICE = "office"
PERSON_BASE = 1000
"""Numbers below are left to the officers that commands create."""
ZONE = ZoneInfo("Asia/Shanghai")
TEN = 10
"""Reminders go from nine in the morning."""


@dataclass(frozen=True)
class Scale:
    """How large a run is."""

    branches: int = 10_000
    members: int = 22
    million: int = 1_000_000
    connections: int = 16
    seconds: float = 3.0
    """Of one slice of moves; slices of polls and records are two thirds of it."""
    letters: int = 400
    """In one slice of mail."""
    roster_branches: int = 1_150
    roster_members: int = 25_200


@dataclass(frozen=True)
class Days:
    """The days of the year, around today."""

    today: date = field(default_factory=lambda: datetime.now(ZONE).date())

    @property
    def held_on(self) -> date:
        """When talks and meetings were held."""
        return self.today - timedelta(days=10)

    @property
    def deadline(self) -> date:
        """The day of every stage: far enough that no reminder is due."""
        return self.today + timedelta(days=60)

    @property
    def follow_up(self) -> date:
        """When help that was promised is due: within the horizon of reminders, not near."""
        return self.today + timedelta(days=45)

    def at_ten(self, days_ahead: int = 0) -> datetime:
        """Ten in the morning of a day, as the school's clock says it."""
        day = self.today + timedelta(days=days_ahead)
        return datetime(day.year, day.month, day.day, TEN, tzinfo=ZONE).astimezone(UTC)

    @property
    def when_due(self) -> datetime:
        """Three days before the deadline: every branch is to be reminded."""
        return self.at_ten((self.deadline - self.today).days - 3)


MOVERS = 60
_STAGES = (
    (MOVERS, "talks"),
    (70, "talks"),
    (78, "study"),
    (86, "self_review"),
    (92, "rating"),
    (96, "rectification"),
    (100, "report"),
)
"""Up to which hundredth of the branches stands where."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of the school, by its number from 1."""

    number: int
    members: int

    @property
    def code(self) -> str:
        """Its natural key."""
        return f"B{self.number:05d}"

    @property
    def process(self) -> int:
        """The number of its appraisal."""
        return self.number

    @property
    def moves(self) -> bool:
        """Whether nothing is missing, so that it can be moved to and fro."""
        return self.number % 100 < MOVERS

    @property
    def stage(self) -> str:
        """Where its appraisal stands."""
        return next(stage for share, stage in _STAGES if self.number % 100 < share)

    @property
    def has_committee(self) -> bool:
        """Two of three have one."""
        return self.number % 3 != 0

    @property
    def leaders(self) -> range:
        """The places of those who lead: the committee of three, or the secretary alone."""
        return range(1, min(3, self.members) + 1) if self.has_committee else range(1, 2)

    @property
    def places(self) -> range:
        """The places of its people, the secretary's first."""
        return range(1, self.members + 1)

    def staff_no(self, place: int) -> str:
        """The 学工号 of somebody in it."""
        return f"{self.number:05d}{place:02d}"

    def person(self, place: int) -> int:
        """The number of a person."""
        return PERSON_BASE + (self.number - 1) * self.members + place

    def token(self, place: int) -> str:
        """The header by which somebody of the branch signs in."""
        return f"Bearer {secret_of(self.staff_no(place))}"


def branches(scale: Scale) -> Iterator[Branch]:
    """Give every branch in order of its code."""
    return (Branch(number, scale.members) for number in range(1, scale.branches + 1))


def secret_of(staff_no: str) -> str:
    """Make the token of a person."""
    return f"zb_bench_{staff_no}"


def digest(secret: str) -> str:
    """Make what the database keeps of a token."""
    return sha256(secret.encode()).hexdigest()


OFFICE_TOKEN = f"Bearer {secret_of(OFFICE)}"
MEMBER_PLACE = 5
"""Of whom, beside the secretary, tokens are made."""

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹"
GIVEN = "建文志国秀晓雪思海春华明芳军兰平红伟宁涛"


def name_of(number: int) -> str:
    """Make up a name."""
    first, second = GIVEN[number // 30 % len(GIVEN)], GIVEN[number // 600 % len(GIVEN)]
    return f"{SURNAMES[number % len(SURNAMES)]}{first}{second}"
