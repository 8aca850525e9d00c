"""Logs (日志): one JSON line for each event, with the request's id and without personal data.

Events come from our code and from the libraries. Logs are configured once, by the command that
starts a process. A message of a library may hold anything: a path with a 学工号, a statement with a
talk in it. So of its sentences only the part that stands in its code is kept, and numbers; of an
exception only its type and the place where it was raised.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

FRAMES = 6
"""The number of innermost frames of a traceback that are logged."""
WITHHELD = "…"
QUIET = ("alembic", "apscheduler", "asyncio", "mail.log", "sqlalchemy", "transitions", "waitress")
"""Libraries that report everything they do: logged only from a warning up, or at DEBUG."""

READY_MADE = re.compile(r"[A-Za-z ,.-]*")


class _Withheld:
    def __str__(self) -> str:
        return WITHHELD

    __repr__ = __str__


def configure_logs(*, readable: bool = False, level: str = "INFO") -> None:
    """Make every logger of this process write to standard error.

    It writes JSON lines, or lines for people (the demo). At DEBUG the libraries report each
    statement and connection, without its values.
    """
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _exception_without_values,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    to_text: Processor = structlog.dev.ConsoleRenderer(colors=False, timestamp_key="time") if readable else _json()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, to_text],
            foreign_pre_chain=[_sentence_without_values, structlog.stdlib.add_logger_name, *before],
            pass_foreign_args=True,
            use_get_message=False,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "DEBUG" else logging.WARNING)
    sys.excepthook = _uncaught
    threading.excepthook = lambda gone: _uncaught(gone.exc_type, gone.exc_value, gone.exc_traceback)


def frames(trace: TracebackType | None) -> list[str]:
    """List the places of a traceback as ``file:line:function``, outermost first."""
    return [f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}" for frame in traceback.extract_tb(trace)[-FRAMES:]]


def _json() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _sentence_without_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    sentence, given = str(event["event"]).strip(), event.pop("positional_args", ())
    if not given:
        # The values are in the sentence already: keep the part before the first thing that may be a
        # value.
        event["event"] = re.match(READY_MADE, sentence).group().strip()  # type: ignore[union-attr]
        return event
    try:
        event["event"] = sentence % (
            {name: _number(value) for name, value in given.items()} if isinstance(given, Mapping) else tuple(map(_number, given))
        )
    except (TypeError, ValueError, KeyError):
        event["event"] = sentence
    return event


def _number(value: object) -> object:
    return value if isinstance(value, int | float) else _Withheld()


def _exception_without_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.pop("stack_info", None)
    told = event.pop("exc_info", None)
    if told is True:
        told = sys.exc_info()
    elif isinstance(told, BaseException):
        told = (type(told), told, told.__traceback__)
    if told and told[0] is not None:
        event["error"], event["where"] = told[0].__name__, frames(told[2])
    return event


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger("zhibu").error("uncaught", error=kind.__name__, where=frames(trace))
