"""Serving the API (网络服务): gunicorn where it runs, waitress elsewhere and in the demo.

Both finish the requests that they have taken.
"""

from __future__ import annotations

import errno
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from flask import Flask

from api import create_app
from api.server.metrics import counted_together, forget_process
from workflow.foundation.database import engine_for
from workflow.foundation.errors import Conflict, Words
from workflow.foundation.settings import Settings

GRACE_SECONDS = 30
"""The time that requests in flight get when the service is told to stop."""
THREADS, AT_ONCE = 8, 6
"""The threads of a process, and how many of them may use the database at the same time.

The others tell everybody else to come again, and answer those who ask nothing of it.
"""


def must_be_free(host: str, port: int) -> None:
    """Raise Conflict for an address that is in use, or none of this machine."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(_NOT_FREE.get(error.errno or 0, _NO_ADDRESS).format(host=host, port=port)) from None


_NOT_FREE = {
    errno.EADDRINUSE: Words("端口 {port} 已被占用，请用 --port 换一个", "port {port} is in use; please choose another with --port"),
    errno.EACCES: Words(
        "没有权限监听端口 {port}，请用 --port 换一个 1024 以上的", "port {port} is for root alone; please choose one above 1024 with --port"
    ),
}
_NO_ADDRESS = Words("本机没有地址 {host}，请检查 --host", "this machine has no address {host}; please check --host")


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
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415  (it does not import on Windows)
    from gunicorn.glogging import Logger  # noqa: PLC0415
    from gunicorn.workers.gthread import ThreadWorker  # noqa: PLC0415

    class OurLogger(Logger):  # type: ignore[misc]
        """gunicorn's own events, written like all others."""

        def setup(self, cfg: object) -> None:
            super().setup(cfg)
            self.error_log.handlers.clear()
            self.error_log.setLevel("NOTSET")
            self.error_log.propagate = True

    class OurWorker(ThreadWorker):  # type: ignore[misc]
        """A worker that closes its listeners as soon as it is told to stop.

        New callers would otherwise get in while it finishes its last request, and wait in vain.
        """

        def set_accept_enabled(self, enabled: bool) -> None:
            super().set_accept_enabled(enabled)
            if not self.alive:
                for listener in self.sockets:
                    listener.close()

    class Application(BaseApplication):  # type: ignore[misc]
        """gunicorn without a configuration file.

        The engine is made in each worker, after the fork.
        """

        def load_config(self) -> None:
            options: dict[str, Any] = {
                "bind": f"{host}:{port}",
                "workers": workers,
                "worker_class": OurWorker,
                "threads": THREADS,
                "timeout": 60,
                "graceful_timeout": GRACE_SECONDS,
                "preload_app": False,
                "control_socket_disable": True,
                "accesslog": None,
                "logger_class": OurLogger,
                "child_exit": lambda _, worker: forget_process(worker.pid),
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return application()

    with counted_together():
        Application().run()


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
