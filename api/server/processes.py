"""Server processes of gunicorn (服务进程): a master, workers that answer, and what ends them.

Nothing here knows of the school. gunicorn does not import on Windows, nor does this file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from socket import SHUT_RD, SHUT_RDWR
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from api.server.metrics import counted_together, forget_process

HEAD_SECONDS, REQUEST_SECONDS = 10, 120
"""The time for the head of a request, and for all of it with its answer.

A caller who takes longer holds a thread from the others, and is cut off. A proxy is never so slow.
"""
IDLE_SECONDS = 5
"""The time a connection stays open between two requests.

Longer than the proxy keeps it (deploy/nginx.conf, docs/0042): of two who share a connection, only
the one who sends may end it.
"""
BACKLOG = 2048


def was_given_sockets() -> bool:
    """Tell whether systemd, or whoever started this process, holds the listening socket."""
    return os.environ.get("LISTEN_PID") == str(os.getpid())


class OurLogger(Logger):  # type: ignore[misc]
    """gunicorn's own events, written like all others."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.setLevel("NOTSET")
        self.error_log.propagate = True


class OurWorker(ThreadWorker):  # type: ignore[misc]
    """A worker that leaves nobody waiting when it ends, and waits for nobody too long."""

    takes_the_rest = True
    """False where the socket stays open without us: who waits there is the next one's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heads: dict[TConn, float] = {}
        self.requests: dict[TConn, float] = {}

    def is_parent_alive(self) -> bool:
        """Stop as after a SIGTERM when the master is gone: another one may take the port."""
        self.alive: bool = self.alive and super().is_parent_alive()
        return self.alive

    def set_accept_enabled(self, enabled: bool) -> None:
        """Close the listeners as soon as it is told to stop.

        New callers would otherwise get in while it finishes its last request, and wait in vain.
        Callers who are connected already, but not accepted yet, are taken along.
        """
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        for listener in self.sockets:
            for _ in range(BACKLOG if self.takes_the_rest else 0):
                before = self.nr_conns
                self.accept(listener)
                if self.nr_conns == before:
                    break
            listener.close()

    def handle(self, conn: TConn) -> object:
        now = time.monotonic()
        self.heads[conn], self.requests[conn] = now + HEAD_SECONDS, now + REQUEST_SECONDS
        try:
            return super().handle(conn)
        finally:
            self.heads.pop(conn, None)
            self.requests.pop(conn, None)

    def handle_request(self, req: object, conn: TConn) -> object:
        self.heads.pop(conn, None)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Cut off callers whose time is over; gunicorn calls this once a second."""
        super().murder_pending()
        now = time.monotonic()
        for waits, how in ((self.heads, SHUT_RD), (self.requests, SHUT_RDWR)):
            for conn in [each for each, until in list(waits.items()) if until < now]:
                waits.pop(conn, None)
                try:
                    conn.sock.shutdown(how)
                except OSError:
                    continue  # It has ended meanwhile.


class Processes(BaseApplication):  # type: ignore[misc]
    """gunicorn without a configuration file.

    The engine is made in each worker, after the fork.
    """

    def __init__(self, application: Callable[[], Flask], *, host: str, port: int, workers: int, threads: int, grace_seconds: int) -> None:
        self.make = application
        self.options: dict[str, Any] = {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "backlog": BACKLOG,
            "workers": workers,
            "worker_class": OurWorker,
            "threads": threads,
            "timeout": 60,
            "graceful_timeout": grace_seconds,
            "keepalive": IDLE_SECONDS,
            "preload_app": False,
            "control_socket_disable": True,
            # Headers that say how a request came are the application's to judge: it knows
            # how many proxies are ours. gunicorn would believe any local caller.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "secure_scheme_headers": {},
            "accesslog": None,
            "logger_class": OurLogger,
            "child_exit": lambda _, worker: forget_process(worker.pid),
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self.make()


def serve_by_processes(application: Callable[[], Flask], *, host: str, port: int, workers: int, threads: int, grace_seconds: int) -> None:
    """Serve until SIGTERM or SIGINT, at the socket that was given (systemd) or at host and port."""
    OurWorker.takes_the_rest = not was_given_sockets()
    with counted_together():
        Processes(application, host=host, port=port, workers=workers, threads=threads, grace_seconds=grace_seconds).run()
