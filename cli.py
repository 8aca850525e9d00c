"""The ``zhibu`` commands (命令行): the one place that knows both edges.

Errors are one line, and exit code 1.
"""

from __future__ import annotations

import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import click
from alembic.script import ScriptDirectory

import migrations
from commands.frame import WAITS, database, is_there, named, say, school, tell, told_plainly
from commands.history import verify
from commands.people import account, token
from commands.years import cycle, plan, roster
from schedulers.catcher import mail_catcher
from schedulers.courier import Courier
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.errors import Words
from workflow.foundation.logs import configure_logs
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import SCHOOL_ZONE, utc_now
from workflow.readings import doctor as examination
from workflow.readings.findings import State

PORT = say(Words("监听端口", "the port to listen on"))
LOG_LEVEL = click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING"], case_sensitive=False),
    default="INFO",
    show_default=True,
    help=say(Words("日志的详细程度；日志里没有个人信息", "how much is logged; a log holds no personal data")),
)


@click.group(
    help=say(
        Words(
            "zhibu：党建考核暨组织生活会的工作流服务。",
            "zhibu: workflow service for the yearly Party-building appraisal of school branches.",
        )
    )
)
def main() -> None:
    """Prepare a command. Each reads its settings from ``ZHIBU_*`` variables."""
    # As an exception it passes through all code that must close something: otherwise an embedded
    # PostgreSQL would stay up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


@main.command(help=say(Words("建立或升级数据库（首次使用先运行它）。", "Create or upgrade the database; run it first.")))
@told_plainly
def migrate() -> None:
    settings = read_settings()
    with database(settings) as urls:
        migrations.migrate(urls.owner, urls.application)
    tell(Words("数据库已是最新版本。", "The database is up to date."))


@main.command(
    short_help=say(Words("启动网页和接口服务。", "Serve the API.")),
    help=say(
        Words(
            "启动网页和接口服务。前面要有反向代理（deploy/nginx.conf）：慢的请求由它接着，HTTPS 由它负责。"
            "systemd 交来端口的（deploy/zhibu-web.socket）用那个端口，重启不拒绝请求。",
            "Serve the API. It belongs behind a reverse proxy (deploy/nginx.conf), which bears slow callers and does HTTPS. "
            "A port that systemd hands over (deploy/zhibu-web.socket) is taken: a restart then refuses nobody.",
        )
    ),
)
@click.option("--host", default="127.0.0.1", show_default=True, help=say(Words("监听地址", "the address to listen on")))
@click.option("--port", default=8000, show_default=True, help=PORT)
@click.option("--workers", default=2, show_default=True, help=say(Words("工作进程数", "how many worker processes")))
@LOG_LEVEL
@told_plainly
def serve(host: str, port: int, workers: int, log_level: str) -> None:
    # Other commands need no web server.
    from api.server.serving import serve_forever  # noqa: PLC0415

    configure_logs(level=log_level)
    settings = read_settings()
    settings.required("secret_key", "base_url")
    with database(settings) as urls:
        there = is_there(urls.application)
        tell(Words(f"服务地址 http://{host}:{port}", f"Serving at http://{host}:{port}"))
        if not there:
            tell(WAITS, err=True)
        serve_forever(urls.application, settings, host=host, port=port, workers=workers, newest_migration=_newest_migration())


def _newest_migration() -> str | None:
    return ScriptDirectory.from_config(migrations.configuration("")).get_current_head()


@main.command(
    help=say(
        Words(
            "系统检查：数据库、角色、迁移、时钟、密钥、地址、邮件、日历、后台，一项一行，并说明怎么办。",
            "Examine the installation. Database, role, migrations, clock, secret key, address, mail, calendar, worker: a line each, with what to do.",
        )
    )
)
@told_plainly
def doctor() -> None:
    settings = read_settings()

    def greet() -> None:
        with Courier(settings.smtp_url or "", settings.mail_from) as courier:
            courier.server = courier._connect()
            courier.server.noop()

    newest = _newest_migration()
    findings = list(examination.examine(settings, lambda: database(settings), greet, clock=utc_now, newest_migration=newest))
    for each in findings:
        click.echo("\t".join(say(words) for words in (named(each.state), each.what, each.said)))
    if any(each.state is State.BROKEN for each in findings):
        raise SystemExit(1)


@main.command(help=say(Words("后台工作：到点提醒、发送邮件。", "Write reminders when they are due, and send mail.")))
@click.option(
    "--dry-run",
    is_flag=True,
    help=say(Words("只列出会提醒谁、为什么，不写也不发", "only list who would be reminded and why; nothing is written or sent")),
)
@click.option(
    "--at",
    "moment",
    default=None,
    help=say(Words("配合 --dry-run：假定的时间，如 2025-01-23T09:00", "with --dry-run: the time to assume, such as 2025-01-23T09:00")),
)
@LOG_LEVEL
@told_plainly
def worker(dry_run: bool, moment: str | None, log_level: str) -> None:
    from schedulers.worker import run_worker  # noqa: PLC0415
    from workflow.mail.items import told  # noqa: PLC0415
    from workflow.reminders import letters_due  # noqa: PLC0415

    configure_logs(level=log_level)
    settings = read_settings()
    if dry_run:
        settings.required("base_url")
        with school(settings) as engine, transaction(engine, actor=None) as session:
            due = letters_due(session, _moment(moment), base_url=settings.base_url or "")
            fate = told(session, [letter.key for letter in due])
            tell(Words("种类\t收信人\t党支部\t期限\t为什么\t状态", "kind\trecipient\tbranch\tdeadline\twhy\tstate"))
            for letter in due:
                unwritten = UNWRITTEN_GONE if letter.gone else UNWRITTEN if (letter.address or "").strip() else UNWRITTEN_NO_ADDRESS
                state = say(named(fate[letter.key]) if letter.key in fate else unwritten)
                who, where = f"{letter.staff_no} {letter.recipient_name}", letter.branch or say(WHOLE_SCHOOL)
                click.echo("\t".join((letter.kind, who, where, str(letter.due_on), say(letter.reason), state)))
        return
    if moment is not None:
        raise click.UsageError(say(Words("--at 只能配合 --dry-run", "--at goes with --dry-run alone")))
    settings.required("secret_key", "base_url", "smtp_url")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with school(settings, until=stop) as engine:
        run_worker(engine, settings, stop)


UNWRITTEN = Words("未写信", "not written")
UNWRITTEN_NO_ADDRESS = Words("未写信，没有邮箱", "not written, no mail address")
UNWRITTEN_GONE = Words("不写信，账号已停用或人已离校", "not written, the account is disabled or the person has left")
WHOLE_SCHOOL = Words("全校", "whole school")


def _moment(text: str | None) -> datetime:
    if text is None:
        return utc_now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(say(Words("--at 应形如 2025-01-23T09:00", "--at should look like 2025-01-23T09:00"))) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=SCHOOL_ZONE)).astimezone(UTC)


@main.command(
    help=say(
        Words(
            "演示：内置数据库、一所示范学校、网页、后台和本地邮箱，全在一个进程里。",
            "Run a demo. Embedded database, a school, API, worker and a local mailbox, all in one process.",
        )
    )
)
@click.option("--port", default=8000, show_default=True, help=PORT)
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
    help=say(Words("账号和令牌写入的 JSON 文件", "the JSON file that accounts and tokens are written to")),
)
@told_plainly
def demo(port: int, data_dir: Path | None, accounts_file: Path | None) -> None:
    from api.server.demo import close_folder, kept_secret, run_demo  # noqa: PLC0415
    from api.server.listening import must_be_free  # noqa: PLC0415
    from schedulers.worker import run_worker  # noqa: PLC0415

    configure_logs(readable=True)
    settings = read_settings()
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    close_folder(settings.data_dir)
    must_be_free(port)
    with mail_catcher(settings.data_dir / "mail", tell) as smtp_url, database(settings) as urls:
        settings = settings.model_copy(
            update={"smtp_url": smtp_url, "base_url": f"http://127.0.0.1:{port}", "secret_key": kept_secret(settings.data_dir)}
        )
        migrations.migrate(urls.owner, urls.application)
        engine = engine_for(urls.application)
        try:
            accounts = accounts_file or settings.data_dir / "accounts.json"
            run_demo(engine, settings, run_worker, port=port, accounts_file=accounts, newest_migration=_newest_migration(), say=say)
        finally:
            engine.dispose()
    tell(Words("演示已停止，数据保留在数据目录里。", "The demo has stopped; its data stays in the data directory."))


@main.command(
    help=say(
        Words(
            "测量：各条路径与它的下限在同一轮里交替运行。",
            "Measure each path against its floor. The two take turns in every round.",
        )
    )
)
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


@main.command(hidden=True, help=say(Words("重写文档里由代码生成的段落。", "Rewrite the blocks of the documents that are made from the code.")))
def docs() -> None:
    from handbook import refresh  # noqa: PLC0415  (a tool of developers, not in the wheel)

    for page in refresh():
        click.echo(page.name)


for _group in (account, token, roster, cycle, plan, verify):
    main.add_command(_group)


if __name__ == "__main__":
    main()
