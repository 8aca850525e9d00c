"""One derivation per tick: its cost, concurrent changes, and the effect of its failures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from importlib import import_module
from pkgutil import iter_modules

import pytest
from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool
from structlog.testing import capture_logs

from schedulers.delivery import deliver
from tests.support.builders import a_school
from tests.support.letters.reminding import BASE, at, told_of
from tests.support.mail_server import MailServer, mail_server
from tests.support.records.evidence import a_follow_up, stand_at, statements
from tests.support.records.rectification import a_measure
from tests.support.situations import a_talk
from workflow import reminders
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import LetterState, Stage
from workflow.mail import letters
from workflow.mail.items import letters_of
from workflow.mail.letters import PUBLISHED, RETURNED
from workflow.mail.links import SECRET
from workflow.mail.outbox import Letter
from workflow.reminders import SOURCES, derive, queue_due
from workflow.reminders.due import ReminderSource
from workflow.reminders.writing import Reminders
from workflow.year.deadlines import change_processes
from workflow.year.finding import process_of

DAY = date(2025, 1, 10)
"""A day for letters of every source.

The promised help and a measure are due; the first stage is overdue, and a week has begun.
"""
THEN = at("2025-01-09")
EVERYTHING = {"overdue-15", "follow-up-1", "measure-due-1", "digest"}


@pytest.fixture
def school(engine: Engine) -> Engine:
    """Two branches, and letters of every source at THEN."""
    with transaction(engine, actor="cli") as session:
        process = a_school(session)
        a_follow_up(session, process, a_talk(session, process, "李四", "王五"))
        a_measure(session, process, owner="王五", due_on=DAY)
    return engine


@pytest.fixture
def owner(owner_url: str, school: Engine) -> Iterator[Callable[[str], None]]:
    """Give a function that runs a statement as the owner of the tables."""
    engine = create_engine(owner_url, poolclass=NullPool)

    def run(statement: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement))

    yield run
    engine.dispose()


def begin_on(engine: Engine) -> reminders.Begin:
    return partial(transaction, engine, actor="worker")


def ledger(engine: Engine) -> list[tuple[str, LetterState]]:
    with transaction(engine, actor=None) as session:
        return [(each.kind, each.state) for each in told_of(session)]


def written(engine: Engine) -> set[str]:
    return {kind for kind, _ in ledger(engine)}


# ── once ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("moment", "letters"), [(THEN, True), (at("2025-01-09", "08:29"), False)])
def test_every_question_is_asked_once(school: Engine, moment: object, letters: bool) -> None:
    with statements(school) as sent:
        queued = queue_due(begin_on(school), moment, base_url=BASE)  # type: ignore[arg-type]
    assert bool(queued) is letters
    asked = Counter(statement for statement in sent if statement.startswith("SELECT"))
    assert [statement for statement, times in asked.items() if times > 1] == []
    for table in ("calendar_override", "talk_follow_up", "measure"):
        read = [statement for statement in asked if re.search(rf"FROM {table}\b", statement)]
        assert len(read) == 1, table
    days = [statement for statement in asked if "process.due_on < " in statement]
    assert len(days) == 1


def test_one_derivation_answers_what_is_due_and_what_is_told(school: Engine) -> None:
    with transaction(school, actor=None) as session:
        derived = derive(session, THEN, base_url=BASE)
        before = derive(session, at("2025-01-10", "08:29"), base_url=BASE)
    assert {letter.kind for letter in derived.letters} == EVERYTHING
    assert {letter.reminder for letter in derived.letters} <= derived.reminders
    assert before.letters == []
    assert {reminder.partition(":")[0] for reminder in before.reminders} == EVERYTHING


# ── beside others ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def once_before(engine: Engine, part: str, act: Callable[[], object]) -> Iterator[None]:
    """Do an act before the first statement that contains these words."""
    waiting = [act]

    def listen(conn: object, cursor: object, statement: str, *rest: object) -> None:
        if part in " ".join(statement.split()) and waiting:
            waiting.pop()()

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield
        assert waiting == []
    finally:
        event.remove(engine, "before_cursor_execute", listen)


@pytest.mark.parametrize(
    "values",
    [
        {"stage": Stage.TALKS},
        {"round": 2},
        {"round_due_on": date(2025, 3, 31)},
        {"stage": Stage.FILED},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_branch_that_moves_after_the_derivation_gets_no_letter_of_it(
    school: Engine,
    values: dict[str, object],
) -> None:
    def move() -> None:
        with transaction(school, actor="cli") as session:
            change_processes(session, [process_of(session, 2024, "D0101")], values)

    with mail_server() as server:
        with once_before(school, "UPDATE letter SET state", move):
            deliver_at(school, server)
        of_secretary = [message for message in server.received if message["To"].addresses[0].addr_spec == "z3@school.example"]
        assert [message["Subject"] for message in of_secretary if "集中学习" in str(message["Subject"])] == []
        assert "z6@school.example" in server.recipients
    with transaction(school, actor=None) as session:
        process = process_of(session, 2024, "D0101")
        assert {each.state for each in told_of(session, process) if each.kind.startswith("overdue-")} == {LetterState.MOOT}


def deliver_at(engine: Engine, server: MailServer) -> None:
    reminders = Reminders(begin_on(engine), base_url=BASE)
    reminders.queue(THEN)
    deliver(engine, smtp_url=server.url, sender="zhibu@school.example", now=THEN, reminders=reminders)


def test_two_workers_that_queue_at_once_queue_each_item_once(school: Engine) -> None:
    def other_worker() -> None:
        queue_due(begin_on(school), THEN, base_url=BASE)

    with once_before(school, "INSERT INTO letter ", other_worker):
        assert queue_due(begin_on(school), THEN, base_url=BASE) == 0
    kinds = Counter(kind for kind, _ in ledger(school))
    assert kinds == Counter(derived_kinds(school))
    with transaction(school, actor=None) as session:
        recipients = [letter.recipient_id for letter in letters_of(session)]
    assert len(recipients) == len(set(recipients))


def derived_kinds(engine: Engine) -> list[str]:
    with transaction(engine, actor=None) as session:
        return [each.kind for each in derive(session, THEN, base_url=BASE).letters]


# ── a source that fails ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "lost"),
    [
        ("measure", "measure-"),
        ("talk_follow_up", "follow-up-"),
        ("substitute", "overdue-"),
        ("progress_count", "digest"),
    ],
)
def test_a_source_that_fails_stops_no_other_and_is_told(
    school: Engine,
    owner: Callable[[str], None],
    table: str,
    lost: str,
) -> None:
    owner(f"revoke select on {table} from zhibu_app")  # noqa: S608
    with capture_logs() as logs, pytest.raises(ExceptionGroup) as failed:
        queue_due(begin_on(school), THEN, base_url=BASE)
    assert [type(error).__name__ for error in failed.value.exceptions] == ["ProgrammingError"]
    assert written(school) == {kind for kind in EVERYTHING if not kind.startswith(lost)}
    [line] = [line for line in logs if line["event"] == "not-derived"]
    assert (line["error"], line["sqlstate"]) == ("ProgrammingError", "42501")
    owner(f"grant select on {table} to zhibu_app")
    queue_due(begin_on(school), THEN, base_url=BASE)
    assert written(school) == EVERYTHING


def test_what_waits_of_a_source_that_fails_is_not_taken_for_overtaken(
    school: Engine,
    owner: Callable[[str], None],
) -> None:
    queue_due(begin_on(school), THEN, base_url=BASE)
    owner("revoke select on measure from zhibu_app")
    with mail_server() as server, pytest.raises(ExceptionGroup):
        deliver_at(school, server)
    owner("grant select on measure to zhibu_app")
    queue_due(begin_on(school), at("2025-01-09", "10:00"), base_url=BASE)
    assert dict(ledger(school))["measure-due-1"] is LetterState.PENDING


# ── a new source ──────────────────────────────────────────────────────────────────────────────────


def test_no_two_sources_claim_the_same_letters_nor_those_of_events() -> None:
    kinds = [kind for source in SOURCES for kind in source.kinds]
    declared = [said for name, said in vars(letters).items() if name.isupper() and isinstance(said, str) and re.fullmatch("[a-z-]+", said)]
    events = [*(kind for kind in declared if kind not in kinds), *SECRET]
    assert {RETURNED, PUBLISHED} < {*events}
    for kind in kinds:
        assert [other for other in [*kinds, *events] if other.startswith(kind)] == [kind]


def test_every_source_that_a_module_declares_is_derived() -> None:
    modules = [import_module(f"{reminders.__name__}.{found.name}") for found in iter_modules(reminders.__path__)]
    declared = {each for module in modules for each in vars(module).values() if isinstance(each, ReminderSource)}
    assert declared
    assert declared <= set(SOURCES)


def test_a_source_whose_letters_would_never_be_retired_is_refused(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = a_school(session)
    stand_at(session, process, Stage.TALKS)
    strange = replace(SOURCES[0], kinds=("deadline-",))
    monkeypatch.setattr(reminders, "SOURCES", (strange, *SOURCES[1:]))
    with capture_logs() as logs:
        derived = derive(session, at("2024-12-24"), base_url=BASE)
    assert [(line["kinds"], line["error"]) for line in logs] == [(("deadline-",), "ValueError")]
    assert {letter.kind for letter in derived.letters} == {"digest"}
    assert session.scalar(select(Letter.id)) is None
