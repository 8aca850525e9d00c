"""The worker (值守进程): at each tick it queues the letters that are due and delivers waiting ones.

APScheduler only sets the time. Due letters are derived anew at every tick and the truth is in the
tables, so that any number of workers, restarts and jumps of the clock give each letter once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event

import structlog
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from schedulers.delivery import WORKER, deliver
from schedulers.sealing import SEAL_SECONDS, seal_and_go_on
from workflow.foundation.database import SKEW_BORNE, in_short, is_away, skew, transaction
from workflow.foundation.idempotency import forget_old_outcomes
from workflow.foundation.settings import Settings
from workflow.foundation.vocabulary import utc_now
from workflow.machine.rolls import bring_rolls_to_today
from workflow.mail.heartbeat import beat
from workflow.people.drafts import forget_old_drafts
from workflow.readings.progress import fold
from workflow.reminders import Begin
from workflow.reminders.writing import Reminders

ADVICE = "turn on time synchronisation (chrony, systemd-timesyncd); see zhibu doctor"

log = structlog.get_logger()


def run_worker(
    engine: Engine, settings: Settings, stop: Event, *, clock: Callable[[], datetime] = utc_now, skew_borne: timedelta = SKEW_BORNE
) -> None:
    """Tick at once and then every ``tick_seconds``, until ``stop`` is set.

    Returns when the last tick has ended. ``clock`` gives the time for which letters are due: while
    it is further than ``skew_borne`` from the database's, nothing is done. The ticks themselves
    come by the machine's own clock. Raises SettingsInvalid.
    """
    settings.required("smtp_url", "base_url")
    # A tick that lasts longer than the pause between two is well: no warning for each one left out.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    scheduler = BackgroundScheduler(jobstores={"default": MemoryJobStore()}, timezone=UTC)
    scheduler.add_job(
        _tick_and_go_on,
        "interval",
        args=(engine, settings, stop, clock, skew_borne),
        seconds=settings.tick_seconds,
        next_run_time=utc_now(),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.add_job(
        seal_and_go_on,
        "interval",
        args=(engine, settings, stop),
        seconds=SEAL_SECONDS,
        next_run_time=utc_now(),
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


def forget_what_is_old(session: Session) -> None:
    """Drop what is kept for a while alone: outcomes of requests, drafts of forms."""
    forget_old_outcomes(session)
    forget_old_drafts(session)


def tick(engine: Engine, settings: Settings, now: datetime, stop: Event | None = None) -> None:
    """Do all the work of the moment ``now``. A step that fails is logged and stops no other.

    1. follow: once a local day, bring rolls into step with posts that begin or end on it.
    2. derive: find which reminders are due, and queue them.
    3. deliver: write each waiting letter from what is true then, and hand it to the mail server.
    4. forget: drop the outcomes kept for repeated requests after a week, drafts after a month.
    5. fold: add the changes of branches to the counts of the dashboard.
    6. beat: write down that the tick has ended, and which of the steps failed.

    A letter that cannot be written or sent is put aside and is no failure of its step. While the
    database is away no step can be done: raises DBAPIError at once.
    """
    begin = partial(transaction, engine, actor=WORKER)
    reminders = Reminders(begin, base_url=settings.base_url or "")
    steps: dict[str, Callable[[], object]] = {
        "follow": partial(_in_one_transaction, begin, bring_rolls_to_today, now),
        "derive": partial(_derive, reminders, now),
        "deliver": partial(_deliver, engine, settings, reminders, now, stop),
        "forget": partial(_in_one_transaction, begin, forget_what_is_old),
        "fold": partial(_in_one_transaction, begin, fold),
    }
    failures = {name: _failure(name, step) for name, step in steps.items()}
    failed = ", ".join(f"{name} {error}" for name, error in failures.items() if error)
    _failure("beat", partial(_in_one_transaction, begin, beat, failed or None))


def _failure(name: str, step: Callable[[], object]) -> str | None:
    """Do a step and return the types of its errors, if any.

    Raises DBAPIError if there is no database.
    """
    try:
        step()
    except Exception as error:
        if is_away(error):
            raise
        log.error("tick-step-failed", step=name, **in_short(error))
        return "+".join(type(each).__name__ for each in getattr(error, "exceptions", [error]))
    return None


def _derive(reminders: Reminders, now: datetime) -> None:
    queued = reminders.queue(now)
    if queued:
        log.info("reminders-queued", count=queued)


def _deliver(engine: Engine, settings: Settings, reminders: Reminders, now: datetime, stop: Event | None) -> None:
    deliver(
        engine,
        smtp_url=settings.smtp_url or "",
        sender=settings.mail_from,
        contact=settings.contact,
        now=now,
        reminders=reminders,
        stop=stop,
        lease=timedelta(seconds=settings.lease_seconds),
        timeout=timedelta(seconds=settings.smtp_timeout_seconds),
    )


def _in_one_transaction(begin: Begin, act: Callable[..., object], *given: object) -> None:
    with begin() as session:
        act(session, *given)


def _tick_and_go_on(engine: Engine, settings: Settings, stop: Event, clock: Callable[[], datetime], skew_borne: timedelta) -> None:
    try:
        with transaction(engine, actor=None) as session:
            apart = skew(session, clock)
        if apart > skew_borne:
            log.error("clocks-differ", seconds_from_database=round(apart.total_seconds(), 1), done="nothing", advice=ADVICE)
            return
        tick(engine, settings, clock(), stop)
    except Exception as error:
        # Not the error's own words: a statement that failed is quoted in them with all its texts.
        log.error("tick-failed", **in_short(error))
