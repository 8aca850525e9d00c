"""Numbers for the monitoring of a school (监控指标): ``/metrics`` in the format of Prometheus.

Rules, stages and states, no names. Several server processes write their counts into the files of
one folder; the process that is asked adds them all up. Rows of the tables are counted at the moment
of the request, so each process gives the same answer.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from flask import Flask, Response
from flask import request as http

from workflow.foundation.database import DatabaseFault, Engine, NoConnectionFree, transaction
from workflow.foundation.errors import Busy, Forbidden, Words
from workflow.foundation.settings import PREFIX, Settings, is_within, networks_of
from workflow.foundation.vocabulary import LetterState
from workflow.foundation.waits.places import within
from workflow.readings.numbers import SchoolNumbers, numbers_of

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PREFIX_OF_FOLDERS = "zhibu-metrics-"
PROBE_SECONDS = 5
"""The longest wait for the database of those who only ask whether all is well."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@contextmanager
def counted_together() -> Iterator[None]:
    """Let the server processes that start inside the block count together, from zero.

    Their folder is deleted with the block, and those that a killed service has left are deleted
    before. ``PROMETHEUS_MULTIPROC_DIR`` names another folder, whose old counts are wiped.
    """
    owner, named = os.getpid(), os.environ.get(FOLDER)
    if not named:
        _delete_left_behind()
    folder = Path(named or tempfile.mkdtemp(prefix=PREFIX_OF_FOLDERS))
    folder.mkdir(parents=True, exist_ok=True)
    _wipe(folder)
    os.environ[FOLDER] = str(folder)
    # Held by whoever counts here: workers get it by the fork, and outlive a killed master.
    held = (folder / "held").open("w")
    _try_to_hold(held)
    try:
        yield
    finally:
        # A forked worker leaves through here as well.
        if os.getpid() == owner:
            held.close()
            _wipe(folder)
            if not named:
                shutil.rmtree(folder, ignore_errors=True)
                del os.environ[FOLDER]


def _delete_left_behind() -> None:
    """Delete folders of services that were killed: nobody holds them any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX_OF_FOLDERS}*"):
        # No such file: one that is being made, or another user's.
        with suppress(OSError), (folder / "held").open("r+") as held:
            if _try_to_hold(held):
                shutil.rmtree(folder, ignore_errors=True)


def _try_to_hold(file: IO[str]) -> bool:
    """Take a file's lock for as long as this process or a fork of it has it open."""
    from fcntl import LOCK_EX, LOCK_NB, flock  # noqa: PLC0415  (not on Windows, where nobody forks)

    try:
        flock(file, LOCK_EX | LOCK_NB)
    except OSError:
        return False
    return True


def _wipe(folder: Path) -> None:
    for old in folder.glob("*.db"):
        old.unlink(missing_ok=True)


def forget_process(pid: int) -> None:
    """Forget the live numbers of a server process that has ended; its counts stay."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


class Metrics:
    """The counts of one server process."""

    def __init__(self, app: Flask, engine: Engine, settings: Settings) -> None:
        # Imported here and not at the top: at its import the library decides
        # whether it counts alone or together with others.
        from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415

        self.engine = engine
        self.allowed, self.behind = networks_of(settings.metrics_from), settings.trusted_proxies
        self.alone = CollectorRegistry()
        self.requests = Counter("zhibu_http_requests", "Requests answered", ("method", "rule", "status"), registry=self.alone)
        self.seconds = Histogram("zhibu_http_request_seconds", "Time to an answer", ("method", "rule"), registry=self.alone, buckets=SECONDS)
        # Strict: what a proxy closes by this name must not open by another one.
        app.add_url_rule("/metrics", endpoint="metrics", view_func=self.answer, strict_slashes=True)

    def count(self, *, method: str, rule: str | None, status: int, seconds: float) -> None:
        """Count one request, by its rule and never by its path.

        Unknown methods are counted as one: a caller must not be able to make up labels.
        """
        method = method if method in METHODS else "other"
        self.requests.labels(method, rule or "", str(status)).inc()
        self.seconds.labels(method, rule or "").observe(seconds)

    def _must_be_allowed(self) -> None:
        """Raise Forbidden unless it is asked from one of the allowed addresses.

        Without a proxy of ours a forwarded request comes from nobody knows where.
        """
        forwarded = not self.behind and ("X-Forwarded-For" in http.headers or "Forwarded" in http.headers)
        if forwarded or not is_within(http.remote_addr or "", self.allowed):
            zh, en = f"这个地址不能读监控指标，见设置 {PREFIX}METRICS_FROM", f"not from this address: see the setting {PREFIX}METRICS_FROM"
            raise Forbidden(Words(zh, en))

    def answer(self) -> Response:
        self._must_be_allowed()
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415

        return Response(generate_latest(self._everybodys()) + generate_latest(_Given(self._of_the_school())), content_type=CONTENT_TYPE_LATEST)

    def _everybodys(self) -> CollectorRegistry:
        if FOLDER not in os.environ:
            return self.alone
        from prometheus_client import CollectorRegistry  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return together

    def _of_the_school(self) -> list[Metric]:
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

        try:
            with within(PROBE_SECONDS), transaction(self.engine, actor=None) as session:
                found = list(_counted(numbers_of(session)))
        except (Busy, DatabaseFault, NoConnectionFree):
            return [GaugeMetricFamily("zhibu_database_up", "Whether the database answers", value=0)]
        return [GaugeMetricFamily("zhibu_database_up", "Whether the database answers", value=1), *found]


class _Given:
    """Metrics that are counted already, in the form that the library asks for."""

    def __init__(self, metrics: list[Metric]) -> None:
        self.metrics = metrics

    def collect(self) -> list[Metric]:
        return self.metrics


def _counted(seen: SchoolNumbers) -> Iterator[Metric]:
    """Count letters by state, processes by stage, and seconds since the worker was last alive."""
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    letters = GaugeMetricFamily("zhibu_letters", "Letters by what became of them", labels=("state",))
    for state in LetterState:
        letters.add_metric((state.value,), seen.letters.get(state, 0))
    yield letters
    processes = GaugeMetricFamily("zhibu_processes", "Processes by stage", labels=("cycle", "kind", "stage"))
    for (year, kind, stage), count in seen.processes.items():
        processes.add_metric((str(year), kind.value, stage.value), count)
    yield processes
    waits = _age(seen.oldest_unsent, seen.now)
    yield GaugeMetricFamily("zhibu_oldest_unsent_letter_seconds", "Age of the oldest letter that is still to be sent", value=waits)
    if seen.last_tick is not None:
        since = _age(seen.last_tick, seen.now)
        yield GaugeMetricFamily("zhibu_worker_heartbeat_seconds", "Time since the worker ended its last tick", value=since)


def _age(moment: datetime | None, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0.0) if moment else 0.0
