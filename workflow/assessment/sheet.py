"""考核汇总表 (the summary sheet): the committee's material on one branch, and what is missing.

The plan: 党办牵头汇总情况提出考核结果建议。围绕各支部完成主要工作、参加重要集中活动，重点从以下方面
汇总评价。

No score is made of it and no order: the committee weighs it. The members' appraisal of their
committee stands there as a reference (D9) and never mixes with the members' results (T0). A missing
part is named and never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from workflow.appraisal.meetings.tallies import CommitteeItem, band, banded, sees_counts
from workflow.assessment.facts import DEVELOPMENT, THREE_MEETINGS
from workflow.assessment.proposals import Proposal
from workflow.foundation.vocabulary import Mark, ReportMode
from workflow.people.access import Caller
from workflow.year.cycle import Participant, Process

# ── what stands on it ─────────────────────────────────────────────────────────────────────────────────────────────────


def rate(part: int, whole: int) -> float | None:
    """Compute a share in per cent with one decimal, a half rounded up.

    2 of 3 are 66.7. None of nothing.
    """
    return float((Decimal(part) * 100 / whole).quantize(Decimal("0.1"), ROUND_HALF_UP)) if whole else None


@dataclass(frozen=True)
class Section:
    """One of the contents that the committee assesses (C1 to C6), as the plan calls it.

    ``text`` is None where the report says nothing.
    """

    id: str
    title: str
    text: str | None


@dataclass(frozen=True)
class Reported:
    """述职: the secretary's way to report, and the report.

    A draft is the branch's own and does not stand here.
    """

    mode: ReportMode | None
    submitted_at: datetime | None
    """None if nothing is submitted, or if it was taken back."""
    late: bool
    sections: Sequence[Section]
    rectification: str | None
    """整改措施落实情况 (F9)."""


@dataclass(frozen=True)
class MeetingCount:
    """三会一课 of one form: how often the branch says that it was held, and how often expected.

    The expected number is a setting of the year; ``gap`` is how many are short of it. None is
    expected of a branch that has no committee or no groups to hold it.
    """

    held: int | None
    expected: int | None
    recorded: int | None
    """The number of this form in the records of the branch's own year.

    None for lessons, which are not recorded there.
    """

    @property
    def gap(self) -> int | None:
        return None if self.held is None or self.expected is None else max(self.expected - self.held, 0)


@dataclass(frozen=True)
class Attended:
    """出勤: the numbers of people expected, present, and on leave."""

    required: int
    attended: int
    on_leave: int

    @property
    def rate(self) -> float | None:
        """出勤率: people who came, of all who were expected, those on leave included."""
        return rate(self.attended, self.required)


@dataclass(frozen=True)
class ActivityLine:
    """One activity of the year, with the attendance of this branch."""

    id: int
    kind: str
    name: str
    held_on: date
    here: Attended


@dataclass(frozen=True)
class CommitteeAppraisal:
    """各支部对本支部委员会的评议结果: the counted ballot of the members on their committee."""

    issued: int
    returned: int
    valid: int
    void: int
    marks: Mapping[CommitteeItem, Mapping[str, int]]
    """The votes for each mark by item, and the abstentions."""

    @property
    def good(self) -> int:
        return self.marks[CommitteeItem.OVERALL][Mark.GOOD]

    @property
    def good_rate(self) -> float | None:
        """好率: the share of 好 for 总体评价 in the valid ballots."""
        return rate(self.good, self.valid)

    def seen_by(self, reader: Caller, process: Process) -> AppraisalReading:
        """Show it to a reader.

        Readers in a small branch see bands instead of its votes and instead of the rate.
        """
        exact = sees_counts(reader, process, self.valid)
        return AppraisalReading(
            issued=self.issued,
            returned=self.returned,
            valid=self.valid,
            void=self.void,
            marks={item.value: votes if exact else banded(votes, self.valid) for item, votes in self.marks.items()},
            good_rate=self.good_rate if exact else band(self.good, self.valid),
            bands=not exact,
        )


@dataclass(frozen=True)
class AppraisalReading:
    """The members' appraisal of their committee as one reader sees it: a reference."""

    issued: int
    returned: int
    valid: int
    void: int
    marks: Mapping[str, Mapping[str, Any]]
    good_rate: float | str | None
    bands: bool
    """True if votes and rate are told as bands."""


@dataclass(frozen=True)
class ExcellentShare:
    """优秀党员比例, beside the quota of the year (D5)."""

    rated: int
    excellent: int
    base_count: int
    """The base of the quota: the members rated, or all full members (a setting)."""
    allowed: int
    approved: int | None
    """The number that a standing reason covers; None without one."""

    @property
    def rate(self) -> float | None:
        return rate(self.excellent, self.base_count)


@dataclass(frozen=True)
class Rectified:
    """整改: the committee's measures, and how many are done or closed."""

    measures: int
    done: int

    @property
    def rate(self) -> float | None:
        return rate(self.done, self.measures)


@dataclass(frozen=True)
class Filing:
    """按时报送: the day by which the branch had to file its form in this round, and the filing."""

    due_on: date | None
    filed: bool
    """True if it is filed now: it may have been returned or taken back since."""
    filed_at: datetime | None
    """The moment at which it was filed last."""
    late: bool | None
    """True if it was filed late; None while it is not filed."""
    returned: int
    """The number of times the office sent it back, or opened it again."""


@dataclass(frozen=True)
class Lacking:
    """A part that a sheet lacks."""

    id: str
    name: str


@dataclass(frozen=True)
class Sheet:
    """The summary of one branch (党支部考核汇总)."""

    process: Process
    secretary: Participant | None
    members: int
    """The number of people on the roll of the branch's own year."""
    on_committee: int
    """The number of them that form a committee.

    Zero in a small branch, which has no committee's meetings to hold.
    """
    report: Reported
    main_work: str | None
    three_meetings: Mapping[str, MeetingCount]
    development: Mapping[str, int | None]
    clean_government: str | None
    clean_issues: bool | None
    facts_told: bool
    facts_checked: bool
    """True if the office has checked the account of the branch, as it stands."""
    attendance: Mapping[str, Attended]
    """The attendance by kind, for the kinds that the plan names."""
    activities: Sequence[ActivityLine]
    """All activities of the year, those without a rate included."""
    conduct: str | None
    extra: str | None
    committee_appraisal: CommitteeAppraisal | None
    """None until it is counted."""
    excellent: ExcellentShare
    rectified: Rectified
    filing: Filing
    proposal: Proposal | None
    """The proposal, only for readers of the school."""

    def inputs(self) -> dict[str, object]:
        """Give as plain JSON what the committee considers together (R6), for a decision to keep.

        These are the inputs that the plan names, and the proposal.
        """
        report, ballot, proposal = self.report, self.committee_appraisal, self.proposal
        return {
            "duty_report": {
                "mode": report.mode,
                "submitted_at": report.submitted_at.isoformat() if report.submitted_at else None,
                "late": report.late,
            },
            "attendance": {kind: asdict(here) | {"rate": here.rate} for kind, here in self.attendance.items()},
            "committee_appraisal": None if ballot is None else asdict(ballot) | {"good_rate": ballot.good_rate},
            "proposal": None if proposal is None else {"result": proposal.result, "reason": proposal.reason},
            "missing": [asdict(each) for each in self.missing],
        }

    @property
    def missing(self) -> Sequence[Lacking]:
        """The missing parts, in the order of the sheet."""
        return [Lacking(id_, name) for id_, name, lacks in _lacking(self) if lacks]


def _lacking(sheet: Sheet) -> Iterator[tuple[str, str, bool]]:
    report = sheet.report
    there = report.submitted_at is not None
    empty = [section.title for section in report.sections if not section.text]
    meetings = [THREE_MEETINGS[name] for name, each in sheet.three_meetings.items() if each.held is None and each.expected is not None]
    untold = [DEVELOPMENT[name] for name, number in sheet.development.items() if number is None]
    yield "secretary", "党支部书记", sheet.secretary is None
    yield "report_mode", "述职方式", report.mode is None
    yield "duty_report", INPUTS["duty_report"], not there
    yield "sections", f"述职报告的内容：{'、'.join(empty)}", there and bool(empty)
    yield "rectification_report", "述职报告中的整改措施落实情况", there and report.rectification is None
    yield "main_work", "完成主要工作情况", sheet.main_work is None
    yield "three_meetings", f"三会一课次数：{'、'.join(meetings)}", bool(meetings)
    yield "development", f"党员培养发展：{'、'.join(untold)}", bool(untold)
    yield "clean_government", "党风廉政建设情况", sheet.clean_government is None or sheet.clean_issues is None
    yield "facts_check", "党委办公室对年度情况的核对", sheet.facts_told and not sheet.facts_checked
    yield "activities", INPUTS["activities"], not any(line.here.required for line in sheet.activities)
    yield "conduct", "集中活动中的表现", sheet.conduct is None
    yield "committee_appraisal", INPUTS["committee_appraisal"], sheet.committee_appraisal is None
    yield "ratings", "对党员的评定", sheet.excellent.rated == 0
    yield "measures", "整改措施", sheet.rectified.measures == 0
    yield "form", "民主评议情况表（尚未报送）", not sheet.filing.filed


INPUTS = {
    "duty_report": "述职报告",
    "activities": "参加集中活动的出勤情况",
    "committee_appraisal": "党员对支部委员会的评议结果",
}
"""The inputs that the plan lets the committee consider together (R6).

述职、参加活动和各支部对本支部委员会的评议结果.
"""
