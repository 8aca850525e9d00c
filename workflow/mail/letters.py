"""Letters (通知邮件): the words of all mail from the product, in the language of an office.

A letter names the recipient's own duty and a link: never other people, levels, or what was said in
a talk. It is made of plain values, so that the same values give the same letter; the message around
it, with the office's name and telephone, is built when it is sent (``message.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from workflow.foundation.vocabulary import MAIN, Kind, Stage, Trigger

REMINDER, OVERDUE = "due-", "overdue-"
OF_A_DEADLINE = (REMINDER, OVERDUE)
"""The beginnings of kinds that a move makes moot; the days before or after the day follow."""
REMINDERS = "reminders"
"""The letter of a person and a day, whose items are of the kinds of the reminders."""
RETURNED, ACCEPTED = "returned", "accepted"
WAIVER_APPROVED, WAIVER_REJECTED = "waiver-approved", "waiver-rejected"
EXCUSE_CONFIRMED, EXCUSE_REFUSED = "excuse-confirmed", "excuse-refused"
DECISION_ENTERED, PUBLISHED = "decision-entered", "published"
YEAR_PUBLISHED, YEAR_AMENDED = "year-published", "year-amended"

_WEEKDAYS = "一二三四五六日"


def reminder_kind(days_before: int) -> str:
    """Name the kind of a reminder.

    ``due-7``, ``due-3``, ``due-1``, ``due-0``; ``overdue-1`` and so on once the day is over.
    """
    return f"{REMINDER}{days_before}" if days_before >= 0 else f"{OVERDUE}{-days_before}"


def school_link(base_url: str, year: int) -> str:
    """Return the link for letters to the office: the overview of the year."""
    return f"{base_url}/{year}/"


def kind_link(base_url: str, kind: Kind, year: int) -> str:
    """Return the link for a reader of all processes of a kind."""
    return f"{base_url}/{year}" if kind is MAIN else f"{base_url}/{year}/{kind.address}"


@dataclass(frozen=True)
class Rendered:
    """A letter as it is read: its subject, and its body as plain text and as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Duty:
    """A duty: one requirement that is not met, in the words of its refusal without names."""

    said: str
    branches: int | None = None
    """The number of branches that it is missing of, in a letter on many."""


@dataclass(frozen=True, kw_only=True)
class Addressed:
    """The content of every letter: its recipient, its day, and a link."""

    template: ClassVar[str]
    """The name of its three template files in ``templates``."""
    recipient: str
    today: date
    link: str
    instead: bool = False
    """True if the office gets it: the branch has no secretary or deputy who could read it."""

    @property
    def leads_somewhere(self) -> bool:
        """True if the link has an address: a command may be run where none is set."""
        return "://" in self.link


@dataclass(frozen=True, kw_only=True)
class OfADay(Addressed):
    """A letter whose day follows from the calendar."""

    remark: str | None = None
    """A remark, for instance that the year's days off are not announced yet."""


@dataclass(frozen=True, kw_only=True)
class OfADueDay(OfADay):
    """A letter that counts the days to a day, or since it."""

    due_on: date

    @property
    def days_left(self) -> int:
        return (self.due_on - self.today).days


@dataclass(frozen=True, kw_only=True)
class Counted(OfADueDay):
    """A letter that counts its reader's duties in a branch by a day, and says no more of them."""

    branch: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Reminder(OfADueDay):
    """A letter about a deadline that comes near (到期提醒), or is over (逾期).

    ``leads`` is true if the recipient answers for the whole branch; else the duties are their own.
    """

    template = "reminder"
    branch: str
    year: int
    stage: Stage
    leads: bool
    duties: Sequence[Duty]
    kind: Kind = MAIN

    @property
    def next_move(self) -> Trigger:
        return Trigger.FILE if self.stage is Stage.REPORT else Trigger.ADVANCE


@dataclass(frozen=True, kw_only=True)
class OfficeReminder(OfADueDay):
    """A letter about a day of the office's own that comes near or is over (党办的期限).

    It has the number of branches in each stage, and the office's own duties by clause.
    """

    template = "office_reminder"
    year: int
    by_stage: Sequence[tuple[Stage, int]]
    duties: Sequence[Duty]
    kind: Kind

    @property
    def branches(self) -> int:
        return sum(count for _, count in self.by_stage)


@dataclass(frozen=True, kw_only=True)
class Returned(Addressed):
    """A letter about material that the office has returned to an earlier stage (退回修改).

    ``due_on`` is the branch's new day, if any; ``filed`` is true if it was filed before.
    """

    template = "returned"
    branch: str
    year: int
    stage: Stage
    reason: str
    due_on: date | None
    filed: bool
    kind: Kind = MAIN

    @property
    def material(self) -> str:
        if self.kind is not MAIN:
            return "述职考核材料"
        return "《情况表》及有关材料" if self.filed else f"“{self.stage.zh}”环节的材料"


@dataclass(frozen=True, kw_only=True)
class Accepted(Addressed):
    """A letter about what a branch has filed and the office has accepted (已接收)."""

    template = "accepted"
    branch: str
    year: int
    kind: Kind = MAIN


@dataclass(frozen=True, kw_only=True)
class YearPublished(Addressed):
    """A letter at the beginning of a year (年度发布): the plan's title, and each stage's day."""

    template = "year_published"
    branch: str
    year: int
    title: str
    days: Sequence[tuple[Stage, date]]
    kind: Kind = MAIN


@dataclass(frozen=True, kw_only=True)
class YearAmended(Addressed):
    """A letter about an amendment (补充通知): its number, what it adds, and why."""

    template = "year_amended"
    branch: str
    year: int
    number: str
    reason: str
    titles: Sequence[str]
    days: Sequence[tuple[Stage, date]]
    texts: bool
    """True if it adds words to the plan's own."""
    kind: Kind = MAIN


@dataclass(frozen=True, kw_only=True)
class ExcuseDecided(Addressed):
    """A letter about an excuse that the office has confirmed or refused, never whose.

    (不参加已确认、已退回.)
    """

    template = "excuse_decided"
    branch: str
    year: int
    confirmed: bool
    kind: Kind = MAIN

    @property
    def decision(self) -> str:
        return "已确认" if self.confirmed else "已退回"


@dataclass(frozen=True, kw_only=True)
class WaiverDecided(Addressed):
    """A letter about the office's approval or refusal of a waiver (情况说明的批复).

    A refusal has its reason. Never the people whom the waiver covers.
    """

    template = "waiver_decided"
    branch: str
    year: int
    stage: Stage
    sentence: str
    refused_because: str | None
    kind: Kind = MAIN

    @property
    def decision(self) -> str:
        return "已同意" if self.refused_because is None else "未予同意"


@dataclass(frozen=True, kw_only=True)
class DecisionEntered(Addressed):
    """A letter about an entered decision of the committee, which waits to be confirmed (决定待确认).

    Never what was decided.
    """

    template = "decision_entered"
    year: int
    number: str
    held_on: date


@dataclass(frozen=True, kw_only=True)
class Published(Addressed):
    """A letter about the published decision of the committee on the branches (考核结果公布).

    It says that there is a result, never which.
    """

    template = "published"
    branch: str
    year: int


@dataclass(frozen=True, kw_only=True)
class FollowUpDue(Counted):
    """A letter on due help, promised in a talk (后续帮助到期): how much, never to whom or what."""

    template = "follow_up_due"


@dataclass(frozen=True, kw_only=True)
class MeasureDue(Counted):
    """A letter about the day of the recipient's measures (整改到期、逾期): how many, never their words."""

    template = "measure_due"


@dataclass(frozen=True, kw_only=True)
class Gathered(Addressed):
    """A letter of several reminders to one person on one day (当日提醒)."""

    template = "reminders"
    items: Sequence[Rendered]


class CommitmentDue(Counted):
    """A letter about the day of the recipient's commitments (承诺到期、逾期), never their words."""

    template = "commitment_due"


@dataclass(frozen=True, kw_only=True)
class HelpDue(Counted):
    """A letter about the day on which help is reviewed (帮扶回访), never whom it is for."""

    template = "help_due"


@dataclass(frozen=True, kw_only=True)
class CaseStill(Counted):
    """A letter about matters of procedure that stand still (停滞): how many, never about whom."""

    template = "case_still"


@dataclass(frozen=True, kw_only=True)
class CorrectionOver(Counted):
    """A letter about the end of a term (期满) after which the branch must judge, never about whom."""

    template = "correction_over"


@dataclass(frozen=True, kw_only=True)
class Digest(OfADay):
    """A letter on the office's week (每周汇总).

    It has the number of branches in each stage, as the overview counts them on that day.
    """

    template = "digest"
    year: int
    branches: int
    by_stage: Sequence[tuple[Stage, int]]
    overdue: int
    due_soon: int
    returned: int
    kind: Kind = MAIN
    assessed: Sequence[tuple[Stage, int]] = ()
    """The stages of the committee's assessment with their numbers of branches.

    None in a year that assesses nobody.
    """


def _chinese_day(day: date) -> str:
    """2025年1月26日（星期日）"""
    return f"{day.year}年{day.month}月{day.day}日（星期{_WEEKDAYS[day.weekday()]}）"


_environment = Environment(
    loader=PackageLoader("workflow.mail"),
    undefined=StrictUndefined,
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["day"] = _chinese_day
_environment.filters["here"] = lambda letter: f"{'' if letter.instead else '您所在的'}{letter.branch}"


def render(letter: Addressed) -> Rendered:
    """Write a letter in its template's words."""
    return _rendered(letter, frame="letter")


def render_item(letter: Addressed) -> Rendered:
    """Write a letter as one item of another: without greeting and signature."""
    return _rendered(letter, frame="item")


def _rendered(letter: Addressed, *, frame: str) -> Rendered:
    subject, text, html = (_environment.get_template(f"{letter.template}.{part}") for part in ("subject.txt", "txt", "html"))
    title = one_line(subject.render(letter=letter))
    given = {"letter": letter, "frame": frame, "subject": title}
    return Rendered(title, text.render(given).strip() + "\n", html.render(given).strip() + "\n")


def one_line(text: str) -> str:
    """Join the lines of a text: a line break would end a header."""
    return " ".join(text.split())
