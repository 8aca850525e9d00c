"""The page at ``/docs`` (接口文档): Swagger's files from their wheel, without inline script."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from flask import Flask, Response, send_from_directory

from api.address import BASE

DIST = Path(str(files("flask_swagger_ui"))) / "dist"

PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>zhibu 接口文档</title>
<link rel="stylesheet" href="/docs/dist/swagger-ui.css"><link rel="icon" href="data:,"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/dist/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
START = f'SwaggerUIBundle({{ url: "{BASE}/openapi.json", dom_id: "#swagger-ui", deepLinking: true }});\n'


def register(app: Flask) -> None:
    """Add the page, its script and Swagger's own files."""
    app.add_url_rule("/docs", endpoint="docs", view_func=lambda: Response(PAGE, mimetype="text/html"))
    app.add_url_rule("/docs/start.js", endpoint="docs.start".replace(".", "-"), view_func=lambda: Response(START, mimetype="text/javascript"))
    app.add_url_rule("/docs/dist/<path:name>", endpoint="docs-dist", view_func=lambda name: send_from_directory(DIST, name))
