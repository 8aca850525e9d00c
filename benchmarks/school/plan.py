"""The make-up of the school (学校的构成): sizes, days, numbers and names of its people."""

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
    """The size of a run."""

    branches: int = 10_000
    members: int = 22
    million: int = 1_000_000
    connections: int = 16
    seconds: float = 3.0
    """Seconds of one slice of moves; slices of polls and records are two thirds of it."""
    letters: int = 400
    """Letters in one slice of mail."""
    roster_branches: int = 1_150
    roster_members: int = 25_200


@dataclass(frozen=True)
class Days:
    """The days of the year, around today."""

    today: date = field(default_factory=lambda: datetime.now(ZONE).date())

    @property
    def held_on(self) -> date:
        """The day of talks and meetings."""
        return self.today - timedelta(days=10)

    @property
    def deadline(self) -> date:
        """The day of every stage: far enough that no reminder is due."""
        return self.today + timedelta(days=60)

    @property
    def follow_up(self) -> date:
        """The day on which promised help is due: within the horizon of reminders, but not near."""
        return self.today + timedelta(days=45)

    def at_ten(self, days_ahead: int = 0) -> datetime:
        """Give ten in the morning of a day by the school's clock."""
        day = self.today + timedelta(days=days_ahead)
        return datetime(day.year, day.month, day.day, TEN, tzinfo=ZONE).astimezone(UTC)

    @property
    def when_due(self) -> datetime:
        """The moment three days before the deadline: every branch is to be reminded."""
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
"""Stages of the branches: the hundredth up to which they are at this stage."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of the school, by its number from 1."""

    number: int
    members: int

    @property
    def code(self) -> str:
        """The natural key of the branch."""
        return f"B{self.number:05d}"

    @property
    def process(self) -> int:
        """The number of its appraisal."""
        return self.number

    @property
    def moves(self) -> bool:
        """True if nothing is missing, so that the branch can be moved to and fro."""
        return self.number % 100 < MOVERS

    @property
    def stage(self) -> str:
        """The stage of its appraisal."""
        return next(stage for share, stage in _STAGES if self.number % 100 < share)

    @property
    def has_committee(self) -> bool:
        """True for two branches of three."""
        return self.number % 3 != 0

    @property
    def leaders(self) -> range:
        """The places of the leaders: the committee of three, or the secretary alone."""
        return range(1, min(3, self.members) + 1) if self.has_committee else range(1, 2)

    @property
    def places(self) -> range:
        """The places of its people, the secretary's first."""
        return range(1, self.members + 1)

    def staff_no(self, place: int) -> str:
        """Give the 学工号 of the member at this place."""
        return f"{self.number:05d}{place:02d}"

    def person(self, place: int) -> int:
        """Give the number of the person at this place."""
        return PERSON_BASE + (self.number - 1) * self.members + place

    def token(self, place: int) -> str:
        """Give the header by which the member at this place signs in."""
        return f"Bearer {secret_of(self.staff_no(place))}"


def branches(scale: Scale) -> Iterator[Branch]:
    """Give every branch in order of its code."""
    return (Branch(number, scale.members) for number in range(1, scale.branches + 1))


def secret_of(staff_no: str) -> str:
    """Make the token of a person."""
    return f"zb_bench_{staff_no}"


def digest(secret: str) -> str:
    """Make the digest of a token that the database keeps."""
    return sha256(secret.encode()).hexdigest()


OFFICE_TOKEN = f"Bearer {secret_of(OFFICE)}"
MEMBER_PLACE = 5
"""The place of the member who has a token, as the secretary has."""

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹"
GIVEN = "建文志国秀晓雪思海春华明芳军兰平红伟宁涛"


def name_of(number: int) -> str:
    """Make up a name."""
    first, second = GIVEN[number // 30 % len(GIVEN)], GIVEN[number // 600 % len(GIVEN)]
    return f"{SURNAMES[number % len(SURNAMES)]}{first}{second}"
