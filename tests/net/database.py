"""Fresh databases for the net: one of its own in a new folder, or one that a data directory keeps."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy import Engine

import migrations
from workflow.foundation.database import engine_for
from workflow.foundation.embedded import embedded_postgres


@contextmanager
def a_school(data_dir: Path) -> Iterator[Engine]:
    """The migrated database of a data directory, made when it is missing, as the demo does it."""
    with embedded_postgres(data_dir) as superuser:
        owner, application = migrations.prepare_embedded(superuser)
        migrations.migrate(owner, application)
        engine = engine_for(application)
        try:
            yield engine
        finally:
            engine.dispose()


def quiet() -> None:
    """Log errors alone: each request is logged otherwise."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
