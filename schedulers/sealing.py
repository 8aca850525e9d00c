"""Sealing by the worker (封印): twice a minute, whatever mail and reminders do.

Rows that stand when a round begins are sealed in it, or in the next one if changes are under way:
at most a minute after their commit.
"""

from __future__ import annotations

from threading import Event

import structlog
from sqlalchemy import Engine

from schedulers.delivery import WORKER
from workflow.foundation.database import in_short, transaction
from workflow.foundation.seals.keys import SealKeys, seal_keys
from workflow.foundation.seals.sealing import HistorySeal, seal
from workflow.foundation.seals.witness import Seen, Witness
from workflow.foundation.settings import Settings

SEAL_SECONDS = 25.0
"""The time from one round to the next; a round waits 15 s for older changes at most."""

log = structlog.get_logger()


def seal_and_go_on(engine: Engine, settings: Settings, stop: Event) -> None:
    """Seal the rows that stand. A failure is logged: the next round makes up for it."""
    keys = seal_keys(settings)
    if keys is None:
        log.warning("history-not-sealed", why="no key")
        return
    try:
        _seal(engine, settings, keys, stop)
    except Exception as error:
        log.error("sealing-failed", **in_short(error))


def _seal(engine: Engine, settings: Settings, keys: SealKeys, stop: Event) -> None:
    sealed = seal(engine, keys, actor=WORKER, pause=stop.wait)
    if sealed is None:
        return
    # The log is a witness too: it is kept elsewhere.
    log.info("history-sealed", rows=sealed.rows, seal=str(Seen.of(sealed.last)))
    _witness(engine, settings, sealed.last)


def _witness(engine: Engine, settings: Settings, last: HistorySeal) -> None:
    try:
        with transaction(engine, actor=None) as session:
            witness = Witness.of(settings.data_dir, session)
            if witness.contradicts(session):
                log.error("seals-missing", seen=str(witness.seen()))
                return
        witness.keep(last)
    except (OSError, ValueError) as error:
        log.error("seal-not-witnessed", **in_short(error))
