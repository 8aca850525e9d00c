"""The web edge (网络接口): parse, call one verb, answer. No rule here."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, Response, current_app, g
from flask import request as http
from structlog.contextvars import bind_contextvars, clear_contextvars
from werkzeug.middleware.proxy_fix import ProxyFix

from api import pages
from api.appraisal import aftercare, commitments, form, meetings, ratings, rectification, study, talks
from api.assessment import activities, assessments, decisions, duty_reports, facts, summaries
from api.branch import branch, excuses
from api.branch.process import routes_of
from api.frame import errors, manual
from api.frame.address import BASE
from api.frame.base import handler, note_session
from api.frame.openapi import document
from api.frame.routes import FORM_BYTES, Route, Service, service
from api.frame.wire import JSON
from api.people import accounts, changes, drafts, invitations, people, session
from api.school import calendar, cycles, definition, progress, roster
from api.server.arrival import Arrival
from api.server.metrics import METHODS, PROBE_SECONDS, Metrics
from workflow.foundation.database import Engine, NoConnectionFree
from workflow.foundation.errors import Busy
from workflow.foundation.settings import Settings
from workflow.foundation.vocabulary import utc_now
from workflow.foundation.waits.places import Places, within
from workflow.machine.kinds import KINDS
from workflow.readings.readiness import readiness

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger("zhibu.api")

ROUTES: tuple[Route, ...] = (
    *session.routes,
    *session.me,
    *drafts.routes,
    *accounts.routes,
    *accounts.tokens,
    *accounts.posts,
    *changes.routes,
    *people.routes,
    *invitations.routes,
    *invitations.substitutes,
    *definition.routes,
    *cycles.routes,
    *progress.routes,
    *(route for kind in KINDS.values() for route in routes_of(kind)),
    *branch.routes,
    *branch.reasons,
    *branch.rolls,
    *excuses.routes,
    *study.routes,
    *talks.routes,
    *meetings.routes,
    *ratings.routes,
    *aftercare.routes,
    *aftercare.cases,
    *rectification.routes,
    *commitments.routes,
    *commitments.commitments,
    *form.routes,
    *assessments.routes,
    *duty_reports.routes,
    *facts.routes,
    *decisions.routes,
    *activities.routes,
    *summaries.proposal,
    *summaries.routes,
    *roster.routes,
    *calendar.routes,
)

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
"""The form of a request's name that our proxy may choose."""


def create_app(
    engine: Engine,
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    newest_migration: str | None = None,
    at_once: int | None = None,
    patience_seconds: float = 35,
) -> Flask:
    """Make the WSGI application of one school, ready at ``newest_migration`` (None: at any).

    ``at_once`` requests use the database at the same time (None: any number); one that is older
    than ``patience_seconds`` waits for it no longer. Raises SettingsInvalid when a setting is
    missing.
    """
    settings.required("secret_key", "base_url")
    app = Flask(__name__, static_folder=None)
    app.json = JSON(app)
    app.config["MAX_CONTENT_LENGTH"] = settings.upload_bytes + FORM_BYTES
    app.url_map.strict_slashes = False
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=1, x_host=0)  # type: ignore[method-assign]
    app.wsgi_app = Bounded(app.wsgi_app, patience_seconds, Places(at_once) if at_once else None)  # type: ignore[method-assign]
    app.extensions["zhibu"] = Service(engine, settings, clock)
    errors.register(app)
    app.register_error_handler(NoConnectionFree, _no_connection_free)
    for route in ROUTES:
        app.add_url_rule(BASE + route.rule, endpoint=route.name, view_func=handler(route), methods=[route.method])
    specification = _specification()
    app.add_url_rule(f"{BASE}/openapi.json", endpoint="openapi", view_func=lambda: specification)
    asking = {route.name for route in ROUTES} | pages.register(app, ROUTES)
    app.add_url_rule("/healthz", endpoint="healthz", view_func=lambda: {"status": "ok"})
    app.add_url_rule("/readyz", endpoint="readyz", view_func=lambda: _readiness(engine, newest_migration))
    app.extensions["zhibu-metrics"] = Metrics(app, engine, settings)
    manual.register(app, specification)
    app.before_request(_begin)
    if newest_migration is not None:
        app.before_request(Arrival(engine, newest_migration, frozenset(asking)))
    app.after_request(note_session)
    app.after_request(_end)
    app.teardown_request(lambda _: clear_contextvars())
    return app


class Bounded:
    """An application whose requests wait for the database in their turn, and not for ever."""

    def __init__(self, application: WSGIApplication, seconds: float, places: Places | None) -> None:
        self.application, self.seconds, self.places = application, seconds, places

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with within(self.seconds, self.places):
            return self.application(environ, start_response)


@cache
def _specification() -> dict[str, Any]:
    """Describe the routes, once in a process.

    It takes longer than the rest of making an application.
    """
    return document(ROUTES)


def _begin() -> None:
    given = http.headers.get("X-Request-ID", "")
    # The name that the proxy gave it, so that its log and ours can be read together;
    # text from any other sender does not get into the log.
    g.request_id = given if service().settings.trusted_proxies and REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    g.began = time.perf_counter()
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id", "")
    response.headers.extend(HEADERS)
    # The rule, not the path: paths carry 学工号.
    rule = http.url_rule.rule if http.url_rule is not None else None
    took = time.perf_counter() - g.get("began", time.perf_counter())
    current_app.extensions["zhibu-metrics"].count(method=http.method, rule=rule, status=response.status_code, seconds=took)
    method = http.method if http.method in METHODS else "other"
    log.info("request", request_id=g.get("request_id"), method=method, rule=rule, status=response.status_code, ms=round(took * 1000, 1))
    return response


def _no_connection_free(_: NoConnectionFree) -> Response:
    """Refuse a request when no connection to the database is free.

    The refusal comes after the pool's own wait, so that no request hangs.
    """
    log.warning("no-connection-free")
    return errors.refused(Busy())


def _readiness(engine: Engine, newest_migration: str | None) -> tuple[dict[str, Any], int]:
    """Answer whether this service is ready, 503 where it is not."""
    with within(PROBE_SECONDS):
        found = readiness(engine, newest_migration)
    return asdict(found), 200 if found.ready else 503
