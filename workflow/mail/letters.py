"""Letters (信件): the words of what the product mails, in the language of an office.

A letter names the recipient's own duty and a link: never other people, levels, or what was said in a talk. It is made of plain values, so
that the same values give the same letter; the message around it is built when it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from workflow.vocabulary import Kind, Stage, Trigger

REMINDER = "due-"
"""What the kind of every reminder of a deadline begins with; its days before the deadline follow."""
REMINDER_DAYS = (7, 3, 1, 0)
RETURNED = "returned"

OFFICE = "党委办公室"
_WEEKDAYS = "一二三四五六日"
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+", re.ASCII)


def reminder_kind(days_before: int) -> str:
    """``due-7``, ``due-3``, ``due-1``, ``due-0``."""
    return f"{REMINDER}{days_before}"


def branch_link(base_url: str, year: int, code: str) -> str:
    """Where a letter sends its reader: the page of the branch."""
    return f"{base_url}/cycles/{year}/branches/{code}"


@dataclass(frozen=True)
class Rendered:
    """A letter as it is read: its subject, and its body as plain text and as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Duty:
    """How much of one clause is still missing: the plan's own sentence and a count, never whose."""

    clause: str
    sentence: str
    count: int


@dataclass(frozen=True)
class Reminder:
    """A deadline comes near (到期提醒). ``leads`` is whether the recipient answers for the whole branch, else the duties are his own."""

    recipient: str
    branch: str
    year: int
    stage: Stage
    due_on: date
    today: date
    leads: bool
    duties: Sequence[Duty]
    link: str
    kind: Kind = Kind.APPRAISAL
    remark: str | None = None
    """For instance that the year's days off are not announced yet."""

    @property
    def days_left(self) -> int:
        return (self.due_on - self.today).days

    @property
    def next_move(self) -> Trigger:
        return Trigger.FILE if self.stage is Stage.REPORT else Trigger.ADVANCE


@dataclass(frozen=True)
class Returned:
    """The office has returned the branch to an earlier stage (退回). ``due_on`` is the day it now has, if any."""

    recipient: str
    branch: str
    year: int
    stage: Stage
    round: int
    reason: str
    due_on: date | None
    today: date
    link: str
    kind: Kind = Kind.APPRAISAL


def reminder(letter: Reminder) -> Rendered:
    """The letter that a deadline comes near."""
    return _render("reminder", letter)


def returned(letter: Returned) -> Rendered:
    """The letter that the office has returned a branch."""
    return _render("returned", letter)


def message(*, sender: str, recipient: str, address: str, words: Rendered, message_id: str, written_at: datetime) -> EmailMessage:
    """One message to one recipient, as it goes to the mail server; sent again it is the same to the byte but for its boundary.

    The Message-ID is the row's, in the sender's domain. Raises ValueError for an address that is none.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError("not an address")
    name, plain = parseaddr(sender)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(name or OFFICE, addr_spec=plain)
    mail["To"] = Address(_one_line(recipient), addr_spec=address)
    mail["Subject"] = words.subject
    mail["Date"] = written_at
    mail["Message-ID"] = f"<{message_id}@{plain.rpartition('@')[2]}>"
    # So that no holiday notice answers a machine.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(words.text, cte="base64")
    mail.add_alternative(words.html, subtype="html", cte="base64")
    return mail


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


def _render(name: str, letter: Reminder | Returned) -> Rendered:
    subject, text, html = (_environment.get_template(f"{name}.{part}").render(letter=letter) for part in ("subject.txt", "txt", "html"))
    return Rendered(_one_line(subject), text.strip() + "\n", html.strip() + "\n")


def _one_line(text: str) -> str:
    # A line break would end the header.
    return " ".join(text.split())
