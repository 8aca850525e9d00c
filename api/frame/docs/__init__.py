"""The page at ``/docs`` (接口文档): Swagger's files from their wheel, without inline script."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from flask import Flask, Response, send_from_directory
from markupsafe import escape

from api.frame.address import BASE
from api.frame.errors import STATUS, status_of
from workflow.foundation.errors import Refusal

DIST = Path(str(files("flask_swagger_ui"))) / "dist"

PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>zhibu 接口文档</title>
<link rel="stylesheet" href="/docs/dist/swagger-ui.css"><link rel="icon" href="data:,"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/dist/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
START = f'SwaggerUIBundle({{ url: "{BASE}/openapi.json", dom_id: "#swagger-ui", deepLinking: true }});\n'


def problems() -> str:
    """What each refusal means, from the classes themselves: where the ``type`` of a problem points to."""
    rows = "".join(
        f"<dt id='{escape(each.slug)}'>{status_of(each)} {escape(each.slug)}</dt>"
        f"<dd>{escape(each.title.zh)} · {escape(each.title.en)}<br>{escape((each.__doc__ or '').strip())}</dd>\n"
        for each in sorted(_refusals(Refusal), key=lambda each: (status_of(each), each.slug))
    )
    head = "<meta charset='utf-8'><title>zhibu 错误说明</title><link rel='icon' href='data:,'>"
    return f"<!doctype html><html lang='zh-CN'><head>{head}</head><body><h1>错误说明 · Problems</h1><dl>{rows}</dl></body></html>\n"


def _refusals(cls: type[Refusal]) -> Iterator[type[Refusal]]:
    """Every refusal that is told over the web; those of the command line have no status."""
    for each in cls.__subclasses__():
        if any(kind in STATUS for kind in each.__mro__):
            yield each
        yield from _refusals(each)


def register(app: Flask) -> None:
    """Add the page, its script and Swagger's own files."""
    app.add_url_rule("/docs/problems", endpoint="docs-problems", view_func=lambda: Response(problems(), mimetype="text/html"))
    app.add_url_rule("/docs", endpoint="docs", view_func=lambda: Response(PAGE, mimetype="text/html"))
    app.add_url_rule("/docs/start.js", endpoint="docs-start", view_func=lambda: Response(START, mimetype="text/javascript"))
    app.add_url_rule("/docs/dist/<path:name>", endpoint="docs-dist", view_func=lambda name: send_from_directory(DIST, name))
