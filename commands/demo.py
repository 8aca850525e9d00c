"""``zhibu demo`` (演示): one line while it starts, then the box with address, accounts and a curl.

It imports next to nothing itself, so that the line stands at once.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from commands.language import say, tell
from commands.steps import step
from workflow.foundation.errors import Words


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help=say(Words("监听端口", "the port to listen on")))
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help=say(Words("数据目录，默认 ZHIBU_DATA_DIR 或 ./zhibu-data", "the data directory, default: ZHIBU_DATA_DIR or ./zhibu-data")),
)
@click.option(
    "--accounts-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help=say(Words("账号和令牌另外写入的 JSON 文件", "another JSON file that accounts and tokens are written to")),
)
def demo(port: int, data_dir: Path | None, accounts_file: Path | None) -> None:
    with ExitStack() as until_the_end:
        with step(Words("启动数据库，准备示范学校", "Starting the database, preparing the school")):
            from commands.demonstration import started  # noqa: PLC0415

            demonstration = started(until_the_end, port=port, data_dir=data_dir, accounts_file=accounts_file)
        tell(demonstration.welcome)
        demonstration.run()
    tell(Words("演示已停止，数据保留在数据目录里。", "The demo has stopped; its data stays in the data directory."))
