"""The constant view (常量视图): the floor of a reading, served by the product's own server.

``python -m benchmarks.processes.constant PORT FOLDER`` answers ``/view/NAME`` with the content of
the file FOLDER/NAME.json, written anew by Flask for each request, and ``/bytes/NAME`` with the same
bytes without Flask.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from api.server.serving import serve_application
from flask import Flask, Response, jsonify


def application(folder: Path) -> Flask:
    """Make an application of nothing but constants."""
    app = Flask("constant", static_folder=None)
    texts = {each.stem: each.read_bytes() for each in folder.glob("*.json")}
    bodies = {name: json.loads(text) for name, text in texts.items()}
    inner = app.wsgi_app

    @app.get("/view/<name>")
    def view(name: str) -> Response:
        return jsonify(bodies[name])

    def bytes_first(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        kind, _, name = environ["PATH_INFO"].strip("/").partition("/")
        if kind != "bytes":
            return inner(environ, start)
        text = texts[name]
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
        start("200 OK", headers)
        return [text]

    app.wsgi_app = bytes_first  # type: ignore[assignment,method-assign]
    return app


def main(port: str, folder: str) -> None:
    """Serve until stopped, with as many workers as the product."""
    serve_application(
        lambda: application(Path(folder)), host="127.0.0.1", port=int(port), workers=2
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
