"""The pages below ``/docs`` (接口文档): a first walk, every operation, every refusal.

Scripts and styles are files: none is inline.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from flask import Flask, Response, send_from_directory
from jinja2 import Environment, FileSystemLoader

from api.frame.address import BASE
from api.frame.manual.problems import told
from api.frame.manual.start import steps

HERE = Path(__file__).parent
DIST = Path(str(files("flask_swagger_ui"))) / "dist"


@cache
def _pages() -> Environment:
    return Environment(loader=FileSystemLoader(HERE / "pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def problems() -> str:
    """Render the page of refusals: the meaning of each and its remedy."""
    return _pages().get_template("problems.html").render(rows=told())


def start(document: Mapping[str, Any]) -> str:
    """Render the page to begin with."""
    return _pages().get_template("start.html").render(steps=steps(document), base=BASE)


def operations() -> str:
    """Render the page of every operation, by noun."""
    return _pages().get_template("operations.html").render(base=BASE)


def register(app: Flask, document: Mapping[str, Any]) -> None:
    """Add the pages, their script and style, and Swagger's own files."""

    @cache
    def begun() -> str:
        return start(document)

    for name, page in (("docs", operations), ("docs/start", begun), ("docs/problems", cache(problems))):
        app.add_url_rule(f"/{name}", endpoint=name, view_func=lambda page=page: Response(page(), mimetype="text/html"))
    for name in ("docs.css", "docs.js"):
        app.add_url_rule(f"/docs/{name}", endpoint=name, view_func=lambda name=name: send_from_directory(HERE / "pages", name))
    app.add_url_rule("/docs/dist/<path:name>", endpoint="docs-dist", view_func=lambda name: send_from_directory(DIST, name))
