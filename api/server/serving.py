"""Serving the API (网络服务): gunicorn where it runs, waitress elsewhere and in the demo.

Both finish the requests that they have taken.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from flask import Flask

from api import create_app
from api.server.listening import must_be_free
from workflow.foundation.database import engine_for
from workflow.foundation.settings import Settings

GRACE_SECONDS = 30
"""The time that requests in flight get when the service is told to stop."""
LEAVING_SECONDS = 5
"""The time that a service before this one has to leave its address."""
THREADS, AT_ONCE = 8, 6
"""The threads of a process, and how many of them may use the database at the same time.

The others tell everybody else to come again, and answer those who ask nothing of it.
"""


def serve_forever(database_url: str, settings: Settings, *, host: str, port: int, workers: int, newest_migration: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished.

    Logs go to the place that ``configure_logs`` has set.
    """

    def application() -> Flask:
        return create_app(engine_for(database_url), settings, newest_migration=newest_migration, at_once=AT_ONCE)

    serve_application(application, host=host, port=port, workers=workers)


def serve_application(application: Callable[[], Flask], *, host: str, port: int, workers: int) -> None:
    """Serve any application as the product is served; the benchmark does so with its floor."""
    if sys.platform == "win32":
        serve_in_this_process(application(), host=host, port=port)
        return
    # It does not import on Windows.
    from api.server.processes import serve_by_processes, was_given_sockets  # noqa: PLC0415

    if not was_given_sockets():
        must_be_free(port, host, patience_seconds=LEAVING_SECONDS)
    serve_by_processes(application, host=host, port=port, workers=workers, threads=THREADS, grace_seconds=GRACE_SECONDS)


def serve_in_this_process(app: Flask, *, host: str, port: int, threads: int = THREADS) -> None:
    """Serve by threads of this process until SystemExit or KeyboardInterrupt.

    A signal's handler raises either. Then new connections are refused and requests in flight are
    finished, within ``GRACE_SECONDS``. waitress alone would wait five seconds, let new connections
    hang, and send nothing meanwhile.
    """
    from waitress.server import create_server  # noqa: PLC0415

    server = create_server(app, host=host, port=port, threads=threads, ident=None)

    def run(seconds: float, count: int | None = None) -> None:
        server.asyncore.loop(timeout=seconds, map=server._map, use_poll=server.adj.asyncore_use_poll, count=count)

    try:
        run(server.adj.asyncore_loop_timeout)
    except (SystemExit, KeyboardInterrupt):
        server.del_channel()
        server.socket.close()
        give_up = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < give_up and any(each.requests or each.total_outbufs_len for each in server.active_channels.values()):
            run(0.05, 1)
    finally:
        server.task_dispatcher.shutdown(timeout=1)
        server.asyncore.close_all(server._map)
