"""Steps of a start (启动的步骤): one line each, with a sign of life while it works and its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from commands.language import say, tell
from workflow.foundation.errors import Words

BEAT_SECONDS = 2


@contextmanager
def step(title: Words) -> Iterator[None]:
    """Show a step on standard error: a dot every two seconds, then the seconds that it took."""
    began, over = time.monotonic(), threading.Event()
    click.echo(f"{say(title)} …", nl=False, err=True)

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            click.echo(".", nl=False, err=True)

    beating = threading.Thread(target=beat, name="beat")
    beating.start()
    try:
        yield
    except BaseException:
        click.echo(err=True)
        raise
    finally:
        over.set()
        beating.join()
    seconds = f"{time.monotonic() - began:.0f}"
    tell(Words(f" {seconds} 秒", f" {seconds} s"), err=True)
