"""Serving the API (网络服务): gunicorn where it runs, waitress elsewhere and in the demo."""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask

from api import create_app
from workflow.database import engine_for
from workflow.settings import Settings


def serve_forever(database_url: str, settings: Settings, *, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished."""
    if sys.platform == "win32":
        from waitress import serve  # noqa: PLC0415

        serve(create_app(engine_for(database_url), settings), host=host, port=port, threads=8, ident=None)
        return
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415  (it does not import on Windows)

    class Application(BaseApplication):  # type: ignore[misc]
        """gunicorn without a configuration file. The engine is made in each worker, after the fork."""

        def load_config(self) -> None:
            options: dict[str, Any] = {
                "bind": f"{host}:{port}",
                "workers": workers,
                "worker_class": "gthread",
                "threads": 8,
                "timeout": 60,
                "graceful_timeout": 30,
                "preload_app": False,
                "control_socket_disable": True,
                "accesslog": None,
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return create_app(engine_for(database_url), settings)

    Application().run()
