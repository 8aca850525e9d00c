"""The worker (值守进程): ticks, and at each tick queues the letters that are due and delivers what waits.

APScheduler only says when. What is due is derived anew at every tick and the truth is in the tables, so that any number of workers,
restarts and jumps of the clock give each letter once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event

import structlog
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from schedulers.delivery import WORKER, deliver
from workflow.database import sqlstate, transaction
from workflow.idempotency import forget_old_answers
from workflow.mail.outbox import beat
from workflow.progress import fold
from workflow.reminders import queue_due
from workflow.settings import Settings

log = structlog.get_logger()


def run_worker(engine: Engine, settings: Settings, stop: Event, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Tick at once and then every ``tick_seconds``, until ``stop`` is set and the tick that runs has ended. Raises SettingsInvalid.

    ``clock`` says when it is that letters are due; the ticks themselves come by the machine's own clock.
    """
    settings.required("smtp_url", "base_url")
    scheduler = BackgroundScheduler(jobstores={"default": MemoryJobStore()}, timezone=UTC)
    scheduler.add_job(
        _tick_and_go_on,
        "interval",
        args=(engine, settings, stop, clock),
        seconds=settings.tick_seconds,
        next_run_time=datetime.now(UTC),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.start()
    log.info("worker-started", tick_seconds=settings.tick_seconds)
    try:
        stop.wait()
    finally:
        stop.set()
        scheduler.shutdown(wait=True)
        log.info("worker-stopped")


def tick(engine: Engine, settings: Settings, now: datetime, stop: Event | None = None) -> None:
    """Queue what is due at ``now``, deliver what waits, and leave a heartbeat."""
    queued = queue_due(partial(transaction, engine, actor=WORKER), now, base_url=settings.base_url or "")
    if queued:
        log.info("letters-queued", count=queued)
    deliver(
        engine,
        smtp_url=settings.smtp_url or "",
        sender=settings.mail_from,
        now=now,
        stop=stop,
        lease=timedelta(seconds=settings.lease_seconds),
        timeout=timedelta(seconds=settings.smtp_timeout_seconds),
    )
    with transaction(engine, actor=WORKER) as session:
        beat(session, now)
        forget_old_answers(session, now)
        fold(session)


def _tick_and_go_on(engine: Engine, settings: Settings, stop: Event, clock: Callable[[], datetime]) -> None:
    try:
        tick(engine, settings, clock(), stop)
    except Exception as error:
        # Not the error's own words: a statement that failed is quoted in them with all its texts.
        log.error("tick-failed", error=type(error).__name__, sqlstate=sqlstate(error) if isinstance(error, DBAPIError) else None)
