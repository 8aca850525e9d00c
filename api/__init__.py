"""The web edge (网络接口): parse, call one verb, answer. No rule here."""

from __future__ import annotations

import time
import uuid
from datetime import datetime
from typing import Any

import structlog
from flask import Flask, Response, g, redirect, request
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response as AnyResponse

from api import accounts, branch, cycles, docs, errors, roster, school, session, study, talks
from api.address import BASE
from api.base import JSON, Route, Service, handler
from api.openapi import document
from workflow.database import is_away, transaction
from workflow.mail.outbox import heartbeat
from workflow.settings import Settings

log = structlog.get_logger("zhibu.api")

ROUTES: tuple[Route, ...] = (
    *session.routes,
    *accounts.routes,
    *cycles.routes,
    *school.routes,
    *branch.routes,
    *study.routes,
    *talks.routes,
    *roster.routes,
)

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(engine: Engine, settings: Settings, *, clock: Any = None) -> Flask:
    """The WSGI application of one school. Raises SettingsInvalid when a setting that serving needs is missing."""
    settings.required("secret_key", "base_url")
    app = Flask(__name__, static_folder=None)
    app.json = JSON(app)
    app.config["MAX_CONTENT_LENGTH"] = settings.upload_bytes + 64 * 1024
    app.url_map.strict_slashes = False
    app.extensions["zhibu"] = Service(engine, settings, **({"clock": clock} if clock is not None else {}))
    errors.register(app)
    for route in ROUTES:
        app.add_url_rule(BASE + route.rule, endpoint=route.name, view_func=handler(route), methods=[route.method])
    specification = document(ROUTES)
    app.add_url_rule(f"{BASE}/openapi.json", endpoint="openapi", view_func=lambda: specification)
    # Until there are pages, what letters link to leads to the description of the API.
    for place in ("/", "/cycles/<path:rest>"):
        app.add_url_rule(place, endpoint=place, view_func=lambda rest="": redirect("/docs"))
    app.add_url_rule("/healthz", endpoint="healthz", view_func=lambda: {"status": "ok"})
    app.add_url_rule("/readyz", endpoint="readyz", view_func=lambda: _readiness(engine))
    docs.register(app)
    app.before_request(_begin)
    app.after_request(_end)
    return app


def _begin() -> None:
    g.request_id = uuid.uuid4().hex
    g.began = time.perf_counter()


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id", "")
    response.headers.extend(HEADERS)
    # The rule, not the path: paths carry 学工号.
    rule = request.url_rule.rule if request.url_rule is not None else None
    took = round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000, 1)
    log.info("request", request_id=g.get("request_id"), method=request.method, rule=rule, status=response.status_code, ms=took)
    return response


def _readiness(engine: Engine) -> tuple[dict[str, Any], int] | AnyResponse:
    """Whether the database answers, its migrations are complete, and when the worker last finished a tick."""
    try:
        with transaction(engine, actor=None) as opened:
            present = opened.scalar(text("select version_num from alembic_version"))
            beat = heartbeat(opened)
    except DBAPIError as error:
        if not is_away(error):
            raise
        return {"database": "away", "migrations": None, "worker": None}, 503
    worker: dict[str, datetime | None] = {"last_tick": beat.last_tick if beat else None, "oldest_unsent": beat.oldest_unsent if beat else None}
    return {"database": "ok", "migrations": present, "worker": worker}, 200
