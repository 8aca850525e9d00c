"""The season of the demo (示范学校的年度): the days of its script, moved to its first start.

The script tells one winter, and the demo starts in the middle of it. So what is due is due soon,
and what is late is late by days. The year is decided once, when the school is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from workflow.foundation.vocabulary import SCHOOL_ZONE, local_day
from workflow.year.plan import Plan

STARTS = date(2025, 1, 16)
"""The day of the script on which the demo starts: the day after the rating was due."""
SCRIPTED_YEAR = 2024
REPORTED_BY = date(2025, 1, 26)


@dataclass(frozen=True)
class Season:
    """The season that holds the first start of a demo."""

    first_start: date

    @classmethod
    def around(cls, now: datetime) -> Season:
        return cls(local_day(now))

    @property
    def year(self) -> int:
        """The year that is appraised: reports of a year's first months are of the one before."""
        report = self.day(REPORTED_BY)
        return report.year - (report.month <= 8)

    def day(self, scripted: date) -> date:
        """Move a day of the script."""
        return scripted + (self.first_start - STARTS)

    def at(self, scripted: date, hour: int = 10) -> datetime:
        """Move a day of the script, and say an hour of it."""
        return datetime.combine(self.day(scripted), time(hour), SCHOOL_ZONE).astimezone(UTC)

    def plan(self, plan: Plan) -> Plan:
        """Give the plan this year; its sentences stay as they are."""
        old, new = f"{SCRIPTED_YEAR}年度", f"{self.year}年度"
        form = plan.form.model_copy(update={"title": plan.form.title.replace(old, new)})
        return plan.model_copy(update={"year": self.year, "title": plan.title.replace(old, new), "form": form})
