"""Commands of the source directory (源码目录里的命令): checks, measurements, documents."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from commands.language import ROOT, say
from workflow.foundation.errors import Words


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def test(words: tuple[str, ...]) -> None:
    if not (start := ROOT / "run.py").exists():
        raise click.ClickException(say(Words("检查只能在源码目录里运行", "the checks run in the source directory alone")))
    # It installs the tools of the checks first.
    os.execv(sys.executable, [sys.executable, str(start), "test", *words])  # noqa: S606


@click.command()
@click.option(
    "--only",
    default="",
    metavar=say(Words("名称,…", "NAME,…")),
    help=say(Words("只测这几条路径，用逗号分开", "measure these paths alone, with commas between them")),
)
@click.option("--json", "as_json", is_flag=True, help=say(Words("输出 JSON，而不是表", "print JSON, not a table")))
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=None,
    help=say(Words("每条路径的轮数，默认各有各的", "how many rounds each path runs, by default its own number")),
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help=say(
        Words(
            "保留数据库的目录，再测时不必重建；默认用临时目录",
            "a directory that keeps the database for another run; by default a temporary one",
        )
    ),
)
def bench(only: str, as_json: bool, rounds: int | None, data_dir: Path | None) -> None:
    try:
        # The bench is no part of an installed service.
        from benchmarks.command import measured  # noqa: PLC0415
        from benchmarks.frame.errors import BenchFailed  # noqa: PLC0415
    except ModuleNotFoundError:
        raise click.ClickException(say(Words("测量只能在源码目录里运行", "the bench runs in the source directory alone"))) from None
    try:
        click.echo(measured(only, as_json=as_json, rounds=rounds, data_dir=data_dir))
    except BenchFailed as failure:
        raise click.ClickException(str(failure)) from None


@click.command()
def docs() -> None:
    from handbook import refresh  # noqa: PLC0415  (a tool of developers, not in the wheel)

    for page in refresh():
        click.echo(page.name)
