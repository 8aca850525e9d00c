"""The worker: one tick queues and delivers, leaves a heartbeat, and survives every failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.pool import NullPool
from structlog.testing import capture_logs

from schedulers.worker import run_worker, tick
from tests.support.builders import NOW, a_school, person
from tests.support.letters.reminding import told_of
from tests.support.mail_server import MailServer, free_port, mail_server
from workflow.foundation.database import DATABASE_NOW, SKEW_BORNE, engine_for, transaction
from workflow.foundation.errors import SettingsInvalid
from workflow.foundation.idempotency import KeptOutcome
from workflow.foundation.settings import Settings
from workflow.foundation.vocabulary import LetterState
from workflow.mail.heartbeat import WorkerHeartbeat, heartbeat
from workflow.mail.items import letters_of
from workflow.mail.letters import Rendered
from workflow.mail.outbox import NewLetter, enqueue
from workflow.readings.progress import ProgressCount

EVERYBODY = ["office@school.example", "z3@school.example", "z6@school.example"]
"""The recipients of letters at NOW: both secretaries, and the office for its week."""
SOON = 20
"""The most seconds that a test waits for an event."""


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def settings(server: MailServer) -> Settings:
    return Settings(smtp_url=server.url, mail_from="zhibu@school.example", base_url="https://zhibu.example.edu.cn", tick_seconds=0.05)


@pytest.fixture
def school(engine: Engine) -> Engine:
    """Two branches whose first stage is due on 25 December 2024.

    At NOW, five days before, the secretaries' second letter is due.
    """
    with transaction(engine, actor="cli") as session:
        a_school(session)
    return engine


def database_time(engine: Engine) -> datetime:
    with transaction(engine, actor=None) as session:
        return session.scalars(select(DATABASE_NOW)).one()


def sign_of_life(engine: Engine) -> WorkerHeartbeat:
    with transaction(engine, actor="cli") as session:
        found = heartbeat(session)
    assert found is not None
    return found


def test_a_tick_writes_the_letters_that_are_due_and_sends_them(school: Engine, settings: Settings, server: MailServer) -> None:
    tick(school, settings, NOW)
    assert sorted(server.recipients) == EVERYBODY
    with transaction(school, actor="cli") as session:
        assert {(item.kind, item.state) for item in told_of(session)} == {("due-3", LetterState.SENT), ("digest", LetterState.SENT)}


def test_a_second_tick_sends_nothing_twice(school: Engine, settings: Settings, server: MailServer) -> None:
    tick(school, settings, NOW)
    tick(school, settings, NOW + timedelta(minutes=1))
    assert len(server.received) == len(EVERYBODY)


def test_two_workers_at_the_same_moment_send_each_letter_once(school: Engine, settings: Settings, server: MailServer) -> None:
    with ThreadPoolExecutor(2) as workers:
        for done in [workers.submit(tick, school, settings, NOW) for _ in range(2)]:
            done.result()
    assert sorted(server.recipients) == EVERYBODY


def test_a_clock_that_jumps_back_and_forth_sends_each_letter_once(school: Engine, settings: Settings, server: MailServer) -> None:
    for days in (0, 4, 0, 5, 4, 0, 5):
        tick(school, settings, NOW + timedelta(days=days))
    with transaction(school, actor="cli") as session:
        written = [letter.message_id for letter in letters_of(session)]
    # The digests of two weeks, and 赵六's and 张三's letters three and one day before and on the day.
    assert len(written) == 2 + 2 * 3
    assert sorted(message["Message-ID"].partition("@")[0].lstrip("<") for message in server.received) == sorted(written)


def test_reminders_that_a_wrong_clock_made_moot_are_sent_when_they_are_due(school: Engine, settings: Settings, server: MailServer) -> None:
    ahead = NOW + timedelta(days=4)
    tick(school, settings.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{free_port()}"}), ahead)
    tick(school, settings, NOW)
    assert sorted(server.recipients) == EVERYBODY
    tick(school, settings, ahead)
    assert sorted(server.recipients) == sorted([*EVERYBODY, "z3@school.example", "z6@school.example"])


def test_a_tick_leaves_a_heartbeat(school: Engine, settings: Settings) -> None:
    with transaction(school, actor="cli") as session:
        assert heartbeat(session) is None
    began = database_time(school)
    tick(school, settings, NOW)
    first = sign_of_life(school).last_tick
    assert first is not None
    assert began < first < database_time(school)
    assert sign_of_life(school).oldest_unsent is None
    # However far back the machine's own clock went meanwhile.
    tick(school, settings, NOW - timedelta(days=1))
    assert first < (sign_of_life(school).last_tick or NOW) < database_time(school)


def test_the_heartbeat_tells_since_when_the_oldest_letter_waits(school: Engine, settings: Settings) -> None:
    away = settings.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{free_port()}"})
    tick(school, away, NOW)
    tick(school, away, NOW + timedelta(minutes=5))
    assert sign_of_life(school).oldest_unsent == NOW


# ── steps that fail ───────────────────────────────────────────────────────────────────────────────


ALL = {"reminders", "delivery", "outcomes", "counts", "heartbeat"}
NO_CYCLE = "insert into progress_delta (cycle_id, kind, stage, due_on, again, late, n) values (0, 'appraisal', 'study', 'infinity', false, false, 1)"
"""A change that belongs to no year cannot be folded."""


@pytest.mark.parametrize(
    ("fault", "failed", "undone"),
    [
        ("revoke select on calendar_override from zhibu_app", "derive", {"reminders"}),
        ("revoke select on measure from zhibu_app", "derive", set()),
        ("revoke delete on kept_outcome from zhibu_app", "forget", {"outcomes"}),
        (NO_CYCLE, "fold", {"counts"}),
        ("revoke update on worker_heartbeat from zhibu_app", "beat", {"heartbeat"}),
    ],
    ids=["derive", "derive in part", "forget", "fold", "beat"],
)
def test_a_step_that_fails_stops_no_other(
    school: Engine,
    owner_url: str,
    settings: Settings,
    server: MailServer,
    fault: str,
    failed: str,
    undone: set[str],
) -> None:
    something_for_each_step(school)
    as_owner(owner_url, fault)
    with capture_logs() as logs:
        tick(school, settings, NOW)
    assert what_was_done(school, server) == ALL - undone
    [line] = [line for line in logs if line["event"] == "tick-step-failed"]
    assert line["step"] == failed
    assert "school.example" not in str(line)
    if failed != "beat":
        assert (sign_of_life(school).failed or "").startswith(f"{failed} ")


def test_mail_that_cannot_be_sent_at_all_stops_nothing_else(
    school: Engine,
    settings: Settings,
    server: MailServer,
) -> None:
    something_for_each_step(school)
    tick(school, settings.model_copy(update={"smtp_url": "smtp://127.0.0.1:99999"}), NOW)
    assert what_was_done(school, server) == {"outcomes", "counts", "heartbeat"}
    assert (sign_of_life(school).failed, sign_of_life(school).oldest_unsent) == (
        "deliver ValueError",
        NOW,
    )


def test_a_tick_of_which_a_step_failed_does_not_look_healthy(school: Engine, owner_url: str, settings: Settings) -> None:
    as_owner(owner_url, "revoke select on measure from zhibu_app")
    tick(school, settings, NOW)
    assert sign_of_life(school).last_tick is None
    as_owner(owner_url, "grant select on measure to zhibu_app")
    tick(school, settings, NOW + timedelta(minutes=1))
    whole = sign_of_life(school)
    assert (whole.last_tick is not None, whole.failed) == (True, None)
    as_owner(owner_url, "revoke select on measure from zhibu_app")
    tick(school, settings, NOW + timedelta(minutes=2))
    assert sign_of_life(school).last_tick == whole.last_tick
    assert sign_of_life(school).failed == "derive ProgrammingError"


def as_owner(owner_url: str, statement: str) -> None:
    engine = create_engine(owner_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(statement))


def something_for_each_step(school: Engine) -> None:
    """Give each step of a tick something to do; reminders are due without it.

    A letter to 王五 waits, and an outcome has been kept too long.
    """
    with transaction(school, actor="cli") as session:
        to = person(session, "王五")
        words = Rendered("一封信", "您好。\n", "<p>您好。</p>\n")
        enqueue(session, [NewLetter("returned", to.id, to.name, to.email, words)], NOW)
        request = {"person_id": to.id, "route": "POST /", "key": "k", "sent": ""}
        session.add(KeptOutcome(**request, rows=[["talk", 1]], facts=None, version=1, at=NOW - timedelta(days=8)))


def what_was_done(school: Engine, server: MailServer) -> set[str]:
    with transaction(school, actor=None) as session:
        done = {
            "reminders": set(EVERYBODY) <= set(server.recipients),
            "delivery": "w5@school.example" in server.recipients,
            "outcomes": session.scalar(select(KeptOutcome.key)) is None,
            "counts": session.scalar(select(ProgressCount.n)) is not None,
            "heartbeat": heartbeat(session) is not None,
        }
    return {name for name, is_done in done.items() if is_done}


# ── the loop ──────────────────────────────────────────────────────────────────────────────────────


def test_the_worker_ticks_at_once_and_stops_when_told(school: Engine, settings: Settings) -> None:
    stop = Event()
    began = datetime.now(UTC)
    worker = Thread(target=run_worker, args=(school, settings.model_copy(update={"tick_seconds": 3600}), stop))
    worker.start()
    try:
        assert _until(lambda: _has_ticked(school))
    finally:
        stop.set()
        worker.join(SOON)
    assert not worker.is_alive()
    assert (sign_of_life(school).last_tick or NOW) >= began


def test_a_tick_that_lasts_longer_than_the_pause_is_no_warning(
    school: Engine, settings: Settings, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.slow_seconds = 0.2
    worker = Thread(target=run_worker, args=(school, settings, stop := Event()))
    something_for_each_step(school)
    worker.start()
    try:
        assert _until(lambda: _has_ticked(school))
    finally:
        stop.set()
        worker.join(SOON)
    assert "w5@school.example" in server.recipients
    assert caplog.messages == []


def test_the_worker_outlives_a_database_that_is_away_and_logs_no_text(settings: Settings) -> None:
    nowhere = engine_for(f"postgresql+psycopg://zhibu_app@127.0.0.1:{free_port()}/zhibu")
    stop = Event()
    with capture_logs() as logs:
        worker = Thread(target=run_worker, args=(nowhere, settings, stop))
        worker.start()
        assert _until(lambda: sum(entry["event"] == "tick-failed" for entry in logs) >= 2)
        stop.set()
        worker.join(SOON)
    assert not worker.is_alive()
    failed = next(entry for entry in logs if entry["event"] == "tick-failed")
    assert failed == {"event": "tick-failed", "log_level": "error", "error": "OperationalError", "sqlstate": None}


@pytest.mark.parametrize("ahead", [SKEW_BORNE + timedelta(seconds=5), -SKEW_BORNE - timedelta(seconds=5), timedelta(days=8)], ids=str)
def test_a_worker_whose_clock_is_wrong_does_nothing_and_says_so(school: Engine, settings: Settings, server: MailServer, ahead: timedelta) -> None:
    something_for_each_step(school)
    stop = Event()
    with capture_logs() as logs:
        worker = Thread(target=run_worker, args=(school, settings, stop), kwargs={"clock": lambda: datetime.now(UTC) + ahead})
        worker.start()
        try:
            assert _until(lambda: any(entry["event"] == "clocks-differ" for entry in logs))
        finally:
            stop.set()
            worker.join(SOON)
    assert not worker.is_alive()
    assert what_was_done(school, server) == set()
    refused = next(entry for entry in logs if entry["event"] == "clocks-differ")
    assert refused["seconds_from_database"] == pytest.approx(abs(ahead.total_seconds()), abs=1)
    assert "zhibu doctor" in refused["advice"]
    # Seals are of the database's time alone; these settings have no key for them.
    assert {entry["event"] for entry in logs} == {"worker-started", "clocks-differ", "history-not-sealed", "worker-stopped"}


def test_a_worker_goes_on_by_itself_once_its_clock_is_off_by_no_more_than_is_borne(school: Engine, settings: Settings) -> None:
    stop, set_right = Event(), Event()

    def clock() -> datetime:
        return datetime.now(UTC) + SKEW_BORNE + timedelta(seconds=-5 if set_right.is_set() else 5)

    worker = Thread(target=run_worker, args=(school, settings, stop), kwargs={"clock": clock})
    try:
        with capture_logs() as logs:
            worker.start()
            assert _until(lambda: sum(entry["event"] == "clocks-differ" for entry in logs) > 1)
            assert not _has_ticked(school)
        set_right.set()
        assert _until(lambda: _has_ticked(school))
    finally:
        stop.set()
        worker.join(SOON)


@pytest.mark.parametrize("missing", ["smtp_url", "base_url"])
def test_a_worker_without_what_it_needs_does_not_start(engine: Engine, settings: Settings, missing: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"ZHIBU_{missing.upper()}"):
        run_worker(engine, settings.model_copy(update={missing: None}), Event())


def _has_ticked(engine: Engine) -> bool:
    with transaction(engine, actor="cli") as session:
        return heartbeat(session) is not None


def _until(holds: Callable[[], bool]) -> bool:
    """Tell whether it becomes true before ``SOON`` is over."""
    give_up = time.monotonic() + SOON
    while not holds():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True
