"""The ``zhibu`` commands (命令行): all of them by name, each imported only when it is run.

So ``--help``, a typo and a usage error are quick. Errors are one line, and exit code 1.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from commands.language import program, say
from workflow.foundation.errors import Words


@dataclass(frozen=True)
class _Where:
    """The module of a command, its name there, and its help in the list of all."""

    module: str
    name: str
    help: Words
    hidden: bool = False


COMMANDS = {
    "demo": _Where(
        "commands.demo",
        "demo",
        Words(
            "演示：内置数据库、一所示范学校、接口、后台和本地邮箱，全在一个进程里。",
            "Run a demo: embedded database, a school, API, worker and a local mailbox, all in one process.",
        ),
    ),
    "test": _Where(
        "commands.source",
        "test",
        Words("全部检查（在源码目录里），后面的词交给 pytest。", "Run every check (in the source directory); words go to pytest."),
    ),
    "migrate": _Where(
        "commands.service", "migrate", Words("建立或升级数据库（首次使用先运行它）。", "Create or upgrade the database; run it first.")
    ),
    "account": _Where("commands.people", "account", Words("账号。", "Accounts.")),
    "token": _Where("commands.people", "token", Words("程序用的令牌。", "Tokens for programs.")),
    "roster": _Where("commands.years", "roster", Words("名册。", "The roster.")),
    "plan": _Where("commands.years", "plan", Words("方案文件。", "Plan files.")),
    "cycle": _Where("commands.years", "cycle", Words("年度。", "The year.")),
    "serve": _Where("commands.service", "serve", Words("启动网页和接口服务，放在反向代理后面。", "Serve pages and API, behind a reverse proxy.")),
    "worker": _Where("commands.service", "worker", Words("后台工作：到点提醒、发送邮件。", "Write reminders when they are due, and send mail.")),
    "doctor": _Where(
        "commands.service",
        "doctor",
        Words(
            "系统检查：数据库、角色、迁移、时钟、密钥、地址、邮件、日历、后台，一项一行，并说明怎么办。",
            "Examine the installation: database, role, migrations, clock, secret key, address, mail, calendar, worker, a line each with what to do.",
        ),
    ),
    "verify": _Where(
        "commands.history",
        "verify",
        Words(
            "核对变更记录：有没有被改动、删除、添加、调换，指明第一处，并以 1 退出。",
            "Verify the history. The first row that was edited, deleted, added or moved is named, and the exit code is 1.",
        ),
    ),
    "bench": _Where(
        "commands.source",
        "bench",
        Words("测量：各条路径与它的下限在同一轮里交替运行。", "Measure each path against its floor. The two take turns in every round."),
    ),
    "docs": _Where(
        "commands.source",
        "docs",
        Words("重写文档里由代码生成的段落。", "Rewrite the blocks of the documents that are made from the code."),
        hidden=True,
    ),
}
"""Every command, in the order in which a school meets them."""


class _Later(MutableMapping[str, click.Command]):
    """The commands by name; looking one up imports it."""

    def __getitem__(self, name: str) -> click.Command:
        place = COMMANDS[name]
        command: click.Command = getattr(import_module(place.module), place.name)
        command.help, command.hidden = say(place.help), place.hidden
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS

    def __setitem__(self, name: str, command: click.Command) -> None:
        raise NotImplementedError("a command is a line of COMMANDS")

    def __delitem__(self, name: str) -> None:
        raise NotImplementedError("a command is a line of COMMANDS")


class _Commands(click.Group):
    """The group of all commands: lists them without importing one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(say(Words("命令", "Commands"))):
            formatter.write_dl([(name, say(place.help)) for name, place in COMMANDS.items() if not place.hidden])

    def make_context(self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any) -> click.Context:
        return super().make_context(program(), args, parent, **extra)


@click.group(
    cls=_Commands,
    commands=_Later(),
    help=say(
        Words(
            "zhibu：党建考核暨组织生活会的工作流服务。python3 run.py 后面不写命令，就是演示（demo）。",
            "zhibu: workflow service for the yearly Party-building appraisal of school branches. "
            "python3 run.py without a command is the demo (demo).",
        )
    ),
)
@click.version_option(package_name="zhibu", message="zhibu %(version)s")
def main() -> None:
    """Prepare a command. Each reads its settings from ``ZHIBU_*`` variables."""
    # As an exception it passes through all code that must close something: otherwise an embedded
    # PostgreSQL would stay up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


if __name__ == "__main__":
    main()
