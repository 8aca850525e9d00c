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
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool
from structlog.testing import capture_logs

from tests.support.builders import a_school
from tests.support.records.evidence import a_follow_up, stand_at, statements
from tests.support.records.rectification import a_measure
from tests.support.reminding import BASE, at
from tests.support.situations import a_talk
from workflow import reminders
from workflow.foundation.database import sqlstate, transaction
from workflow.foundation.vocabulary import LetterState, Stage
from workflow.mail import letters
from workflow.mail.letters import PUBLISHED, RETURNED, Rendered
from workflow.mail.links import SECRET
from workflow.mail.outbox import Letter, NewLetter, enqueue, letters_of
from workflow.people.organisation import person_by_staff_no
from workflow.reminders import SOURCES, derive, queue_due
from workflow.reminders.due import ReminderSource
from workflow.year.cycle import Process, process_of
from workflow.year.deadlines import change_processes

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
        return [(letter.kind, letter.state) for letter in letters_of(session, limit=1000)]


def written(engine: Engine) -> set[str]:
    return {kind for kind, _ in ledger(engine)}


# ── once ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("moment", "letters"), [(THEN, True), (at("2025-01-09", "08:00"), False)])
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
        before_nine = derive(session, at("2025-01-10", "08:59"), base_url=BASE)
    assert {letter.kind for letter in derived.letters} == EVERYTHING
    assert {letter.reminder for letter in derived.letters} <= derived.reminders
    assert before_nine.letters == []
    assert {reminder.partition(":")[0] for reminder in before_nine.reminders} == EVERYTHING


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

    with once_before(school, "FOR SHARE", move):
        queue_due(begin_on(school), THEN, base_url=BASE)
    with transaction(school, actor=None) as session:
        process = process_of(session, 2024, "D0101")
        assert letters_of(session, process_ids=[process.id]) == []
        derived = derive(session, THEN, base_url=BASE)
        now_due = {letter.key for letter in derived.letters if letter.process_id == process.id}
    queue_due(begin_on(school), THEN, base_url=BASE)
    with transaction(school, actor=None) as session:
        found = letters_of(session, process_ids=[process.id])
    assert {letter.key for letter in found} == now_due
    assert {letter.state for letter in found} == {LetterState.PENDING}


def test_a_branch_cannot_move_between_the_last_look_and_its_letter(school: Engine) -> None:
    refused: list[str | None] = []

    def move() -> None:
        held = select(Process.id).with_for_update(nowait=True)
        with pytest.raises(OperationalError) as error, transaction(school, actor="cli") as session:
            session.execute(held)
        refused.append(sqlstate(error.value))

    with once_before(school, "INSERT INTO letter", move):
        queue_due(begin_on(school), THEN, base_url=BASE)
    assert refused == ["55P03"]


def test_a_letter_that_another_worker_queues_meanwhile_is_not_judged(school: Engine) -> None:
    def other_worker() -> None:
        with transaction(school, actor="worker") as session:
            process, to = process_of(session, 2024, "D0101"), person_by_staff_no(session, "z3")
            letter = NewLetter(
                kind="overdue-22",
                recipient_id=to.id,
                recipient_name=to.name,
                address=to.email,
                words=Rendered("一封信", "您好。\n", "<p>您好。</p>\n"),
                process_id=process.id,
                due_on=date(2024, 12, 25),
            )
            assert enqueue(session, [letter], THEN) == 1

    with once_before(school, "FROM calendar_override", other_worker):
        queue_due(begin_on(school), THEN, base_url=BASE)
    assert ("overdue-22", LetterState.PENDING) in ledger(school)
    queue_due(begin_on(school), THEN, base_url=BASE)
    assert ("overdue-22", LetterState.MOOT) in ledger(school)


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
    with pytest.raises(ExceptionGroup):
        queue_due(begin_on(school), at("2025-01-16"), base_url=BASE)
    states = dict(ledger(school))
    assert states["measure-due-1"] is LetterState.PENDING
    assert states["overdue-15"] is states["follow-up-1"] is LetterState.MOOT


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
