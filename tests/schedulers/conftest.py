"""Worker processes, and the mail server that holds their letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.running.workers import HoldingServer, Worker, holding_server, workers_of


@pytest.fixture
def holding() -> Iterator[HoldingServer]:
    with holding_server() as server:
        yield server


@pytest.fixture
def start(tmp_path: Path, holding: HoldingServer, database_url: str) -> Iterator[Callable[..., Worker]]:
    """``start(lease_seconds="2")`` starts one more worker."""
    with workers_of(tmp_path, database_url, holding.url) as one_more:
        yield one_more
