"""Every kind of letter, for two branches at once: each tells its own recipient and branch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from html import unescape
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

import workflow.mail
from tests.support.builders import NOW, STAFF_NO, a_school
from tests.support.letters.aftercare_told import AFTERCARE
from tests.support.letters.notices import NOTICES
from tests.support.letters.reminding import BASE, at
from tests.support.letters.told import CASES as OF_STAGES
from tests.support.letters.told import HERE, OF_SCHOOL, THERE, Told
from workflow.foundation.vocabulary import Level
from workflow.mail import letters, links, notices
from workflow.mail.letters import REMINDERS, Rendered
from workflow.mail.outbox import Letter
from workflow.people.invitations import open_invitation
from workflow.reminders import SOURCES, letters_due
from workflow.reminders.due import Due
from workflow.year.cycle import Process
from workflow.year.finding import Lock, process_of

CASES = (*OF_STAGES, *AFTERCARE, *NOTICES)

TEMPLATES = {
    "accepted",
    "case_still",
    "commitment_due",
    "correction_over",
    "decision_entered",
    "digest",
    "excuse_decided",
    "follow_up_due",
    "help_due",
    "invitation",
    "measure_due",
    "office_reminder",
    "password",
    "password_changed",
    "password_set",
    "published",
    "reminder",
    "reminders",
    "returned",
    "role_given",
    "token_made",
    "waiver_decided",
    "year_amended",
    "year_published",
}
"""Templates of letters: a new one needs its case in ``tests.support.letters``."""


DERIVED = tuple(kind for source in SOURCES for kind in source.kinds)


def test_each_letter_says_its_own_branch_link_and_day_and_no_others(session: Session) -> None:
    a_school(session)
    wrong: list[str] = []
    for case in CASES:
        with session.begin_nested() as attempt:
            case.happens(session, *(_held(session, code) for code in ("D0101", "D0201")))
            wrong += _wrong(session, case.letters)
            attempt.rollback()
        session.expire_all()
    assert wrong == []


def _held(session: Session, code: str) -> Process:
    return process_of(session, 2024, code, lock=Lock.MOVE)


def _wrong(session: Session, expected: Sequence[Told]) -> Iterator[str]:
    kinds = {each.kind for each in expected}
    rows = session.scalars(select(Letter).where(Letter.kind.in_(kinds)))
    found: dict[tuple[str, str], Letter | Due] = {(row.kind, row.recipient_name): row for row in rows}
    for day in {each.written_on for each in expected if each.kind.startswith(DERIVED)}:
        due = letters_due(session, at(str(day)), base_url=BASE)
        found |= {(each.kind, each.recipient_name): each for each in due if each.kind in kinds}
    if found.keys() != {(each.kind, each.recipient) for each in expected}:
        yield f"{sorted(kinds)} went to {sorted(found)}"
    for each in expected:
        if (row := found.get((each.kind, each.recipient))) is not None:
            faults = _faults(session, row, each)
            yield from (f"{each.kind} to {each.recipient}: {fault}" for fault in faults)


def _faults(session: Session, letter: Letter | Due, told: Told) -> Iterator[str]:
    row = letter.words if isinstance(letter, Due) else Rendered(letter.subject, letter.text, letter.html)
    words = f"{row.subject}\n{row.text}"
    if told.branch and not (told.branch in row.subject and told.branch in row.text):
        yield "does not name its branch"
    yield from (f"names {name}" for name in {HERE, THERE} - {told.branch} if name in words)
    yield from (f"does not say {part}" for part in told.says if part not in words)
    yield from (f"says {part}" for part in told.silent if part in words)
    if tuple(_duties(row.text)) != tuple(told.duties) and told.duties:
        yield f"asks {_duties(row.text)}"
    if f"\n{_as_written(told.written_on)}\n" not in row.text:
        yield "is not of its day"
    yield from (f"names {name}" for name in STAFF_NO if name != told.recipient and name in words)
    # The plan's own sentences speak of levels: 合格党员标准.
    own = "\n".join(line for line in words.splitlines() if "合格党员标准" not in line)
    yield from (f"tells {level.zh}" for level in Level if level.zh in own.replace(OF_SCHOOL, ""))
    yield from (f"has a code: {code}" for code in re.findall(r"【|[A-Z]\d\b", re.sub(r"https?://\S+", "", words)) if code)
    yield from _faults_of_link(session, row, letter.recipient_id, told)
    if _plain(row.html) != _without_blanks(row.text):
        yield "says something else in HTML"


def _faults_of_link(session: Session, row: Rendered, recipient_id: int, told: Told) -> Iterator[str]:
    addresses = re.findall(r"https?://[^\s\"<]+", f"{row.text} {row.html}")
    if len(addresses) != 3 or len(set(addresses)) != 1:
        yield f"leads to {addresses}"
    link = addresses[0].removeprefix(BASE)
    if told.link == "/invitations/" and link.startswith(told.link):
        code = link.removeprefix(told.link)
        if open_invitation(session, code, now=NOW).person_id != recipient_id:
            yield "opens another account"
    elif link != told.link:
        yield f"leads to {link}"


def _as_written(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日（星期{'一二三四五六日'[day.weekday()]}）"


def _duties(text: str) -> list[str]:
    return re.findall(r"^\d+\. (.*)$", text, flags=re.MULTILINE)


def _plain(html: str) -> str:
    """Read HTML as text, without its title, numbers of items and colons of tables."""
    body = re.sub(r"<title>.*?</title>", "", html, flags=re.DOTALL)
    return _without_blanks(unescape(re.sub(r"<[^>]+>", "", body)))


def _without_blanks(text: str) -> str:
    return re.sub(r"\s|：|^\d+\. ", "", text, flags=re.MULTILINE)


def test_no_kind_of_letter_is_left_out() -> None:
    kinds = {
        value
        for module in (letters, links, notices)
        for name, value in vars(module).items()
        if name.isupper() and type(value) is str and re.fullmatch(r"[a-z-]+", value)
    }
    kinds |= {kind for source in SOURCES for kind in source.kinds}
    tried = {each.kind for case in CASES for each in case.letters}
    assert {kind for kind in kinds if not any(each.startswith(kind) for each in tried)} == {REMINDERS}, "tried in test_letters"
    assert {kind for kind in tried if not any(kind.startswith(each) for each in kinds)} == set()
    folder = Path(workflow.mail.__file__ or "").parent / "templates"
    written = {path.name.partition(".")[0] for path in folder.glob("*.subject.txt")}
    assert written == TEMPLATES
