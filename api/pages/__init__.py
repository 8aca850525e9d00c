"""The pages (页面): what people work on, made of what the API answers and the acts that it does."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Response, redirect, send_from_directory

from api.frame.address import page_address
from api.frame.routes import Route
from api.pages import assessment, branch, entrance, home, office, records
from api.pages.frame import doing, serving
from api.pages.frame.addresses import deeds_of, readings_of
from api.pages.frame.look import STATIC, failed
from api.pages.frame.visit import PageRoute, Site

PAGES: tuple[PageRoute, ...] = (*entrance.PAGES, *home.PAGES, *branch.PAGES, *office.PAGES, *assessment.PAGES)


FORETOLD = {**office.FORETOLD, **assessment.FORETOLD}


def register(app: Flask, routes: Sequence[Route]) -> set[str]:
    """Put the pages beside the API: those of the desks, one for each record, one for each act.

    Returns Flask's names of those that ask the database.
    """
    readings = readings_of(routes)
    deeds = deeds_of(routes, readings)
    app.extensions["zhibu-pages"] = Site(readings, {deed.route.name: deed for deed in deeds}, branch.FORMS, FORETOLD)
    app.extensions["zhibu-failed"] = failed
    own = {page.rule for page in PAGES}
    for page in (*PAGES, *(page for page in records.pages_of(routes) if page.rule not in own)):
        methods = ["GET", "POST"] if page.post else ["GET"]
        app.add_url_rule(page.rule, endpoint=f"page {page.rule}", view_func=serving.handler(page), methods=methods)
    for deed in deeds:
        if deed.rule not in own:
            app.add_url_rule(deed.rule, endpoint=deed.endpoint, view_func=doing.handler(deed), methods=["GET", "POST"])
    app.add_url_rule("/static/<name>", endpoint="static", view_func=_static)
    # Letters of before carry the addresses of the API's things.
    app.add_url_rule("/cycles/<path:rest>", endpoint="old link", view_func=lambda rest: redirect(page_address(f"/cycles/{rest}"), 301))
    return {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("page ")}


def _static(name: str) -> Response:
    """Send a static file; its address changes with its content, so a browser may keep it."""
    response: Response = send_from_directory(STATIC, name, max_age=365 * 24 * 3600)
    return response
