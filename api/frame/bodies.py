"""Contents of requests (请求内容): read within their route's limit, before a transaction is opened.

A fault is kept and told in its turn: who may not ask at all is told that first.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any

from flask import request as http
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, default_stream_factory

from api.frame.errors import TooLarge, UnsupportedMediaType
from api.frame.routes import FORM_BYTES, OPEN_BYTES, Route, service
from api.frame.uploads import sent_workbook
from api.frame.wire import read_json
from workflow.foundation.errors import Refusal, Words
from workflow.foundation.fields.loading import load

AT_ONCE = 64 * 1024
"""The bytes that are read, and thrown away, at a time."""
MOST_VALUES = 20_000
"""The most values in one content: each of them costs many times its bytes."""
MOST_PARTS = 10
"""The most parts of a form around a file."""


@dataclass(frozen=True)
class Content:
    """The content of a request, read by the schema of its act, or why it is not taken."""

    value: Any = None
    digest: str | None = None
    """SHA-256 of what was sent; None if that was too much."""
    turned_away: Refusal | None = None
    """The refusal of content that was not looked at: too large, or of another type."""
    fault: Refusal | None = None

    def must_be_taken(self) -> None:
        """Raise TooLarge or UnsupportedMediaType, if it was not looked at."""
        if self.turned_away is not None:
            raise _afresh(self.turned_away)

    def read(self) -> Any:
        """Return the content as its act takes it. Raises Malformed, Invalid, TooLarge."""
        if self.fault is not None:
            raise _afresh(self.fault)
        return self.value


def _afresh(refusal: Refusal) -> Refusal:
    """Make an equal refusal without the places that it has passed.

    Through them a refusal that is kept, and then raised, would hold on to itself and to all that
    was sent.
    """
    fresh = type(refusal).__new__(type(refusal), *refusal.args)
    vars(fresh).update(vars(refusal))
    return fresh


def sends_much() -> bool:
    """Tell whether more is sent than a stranger may send, or nobody knows how much."""
    if http.content_length is None:
        return "chunked" in http.headers.get("Transfer-Encoding", "").lower()
    return http.content_length > OPEN_BYTES


def content_of(route: Route) -> Content:
    """Read what was sent to a route."""
    return _uploaded(route) if route.upload else _written(route)


def throw_away() -> None:
    """Read the rest of what was sent, as far as any route would, and keep none of it.

    A sender who is cut off while sending would not hear the answer.
    """
    with suppress(RequestEntityTooLarge):
        while http.stream.read(AT_ONCE):
            pass


def _written(route: Route) -> Content:
    act, at_most = route.act, route.at_most_bytes or 0
    sent = _bytes(at_most)
    if sent is None:
        throw_away()
        return Content(turned_away=too_large(at_most))
    digest = sha256(sent).hexdigest()
    if act is None or act.sends is None:
        return Content({}, digest)
    nothing = not sent and route.body_optional
    if not nothing and http.mimetype != "application/json":
        return Content(digest=digest, turned_away=UnsupportedMediaType(Words("请以 application/json 提交", "send application/json")))
    if sent.count(b",") >= MOST_VALUES:
        zh, en = f"内容超过 {MOST_VALUES} 项，请分几次提交", f"more than {MOST_VALUES} values; please send several requests"
        return Content(digest=digest, turned_away=TooLarge(Words(zh, en)))
    try:
        return Content(load(act.sends, {} if nothing else read_json(sent)), digest)
    except Refusal as fault:
        return Content(digest=digest, fault=_afresh(fault))


def _bytes(at_most: int) -> bytes | None:
    """Read what was sent; None if it is more, of which no more than that is kept."""
    if http.content_length is not None and http.content_length > at_most:
        return None
    sent = bytearray()
    while len(sent) <= at_most and (part := http.stream.read(min(AT_ONCE, at_most + 1 - len(sent)))):
        sent += part
    return bytes(sent) if len(sent) <= at_most else None


def _uploaded(route: Route) -> Content:
    assert route.act is not None  # noqa: S101  (a reading takes no file)
    assert route.act.uploads is not None  # noqa: S101
    if http.mimetype != "multipart/form-data":
        zh, en = "请以 multipart/form-data 上传文件", "send multipart/form-data"
        return Content(digest=sha256().hexdigest(), turned_away=UnsupportedMediaType(Words(zh, en)))
    most = service().settings.upload_bytes
    # Closed with the block: a form that turns out to be too large would leave them open.
    with ExitStack() as opened:

        def opening(total_content_length: int | None, content_type: str | None, filename: str | None, content_length: int | None = None) -> IO[bytes]:
            return opened.enter_context(default_stream_factory(total_content_length, content_type, filename, content_length))

        try:
            _, _, sent = FormDataParser(opening, max_form_memory_size=FORM_BYTES, max_form_parts=MOST_PARTS).parse(
                http.stream, http.mimetype, http.content_length, http.mimetype_params
            )
        except RequestEntityTooLarge:
            return Content(turned_away=too_large(most))
        # The boundary of a multipart body differs each time: the files count, not the body.
        digest = sha256()
        for name, file in sorted(sent.items()):
            digest.update(f"{name} {file.filename} ".encode())
            digest.update(file.read())
            file.seek(0)
        try:
            return Content(sent_workbook(route.act.uploads, sent.get("file"), most), digest.hexdigest())
        except Refusal as fault:
            return Content(digest=digest.hexdigest(), fault=_afresh(fault))


def too_large(at_most: int) -> TooLarge:
    """Make the refusal of more than so many bytes."""
    size = f"{at_most // 1024 // 1024} MiB" if at_most >= 1024 * 1024 else f"{at_most // 1024} KiB"
    return TooLarge(Words(f"内容超过 {size}", f"more than {size}"))
