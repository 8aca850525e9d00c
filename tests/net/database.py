"""Fresh databases for the net: a temporary one, or one that a data directory keeps."""

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
    """Open the database of a data directory, migrated and made if missing, as the demo does."""
    with embedded_postgres(data_dir) as superuser:
        owner, application = migrations.prepare_embedded(superuser)
        migrations.migrate(owner, application)
        engine = engine_for(application)
        try:
            yield engine
        finally:
            engine.dispose()


def quiet() -> None:
    """Log errors alone, because each request would be logged otherwise."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
