"""The ``zhibu`` commands (命令行): the one place that knows both edges.

Errors are one line in Chinese, and exit code 1.
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
from commands.frame import database, school, told_plainly
from commands.people import account, token
from commands.years import cycle, plan, roster
from schedulers.catcher import mail_catcher
from schedulers.delivery import Courier
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.logs import configure_logs
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import SCHOOL_ZONE, utc_now
from workflow.readings import doctor as examination

LOG_LEVEL = click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING"], case_sensitive=False),
    default="INFO",
    show_default=True,
    help="日志的详细程度；日志里没有个人信息",
)


@click.group(help="zhibu：党建考核暨组织生活会的工作流服务。")
def main() -> None:
    """Prepare a command. Each reads its settings from ``ZHIBU_*`` variables."""
    # As an exception it passes through all code that must close something: otherwise an embedded
    # PostgreSQL would stay up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


@main.command(help="建立或升级数据库（首次使用先运行它）。")
@told_plainly
def migrate() -> None:
    settings = read_settings()
    with database(settings) as urls:
        migrations.migrate(urls.owner, urls.application)
    click.echo("数据库已是最新版本。")


@main.command(help="启动网页和接口服务。")
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址")
@click.option("--port", default=8000, show_default=True, help="监听端口")
@click.option("--workers", default=2, show_default=True, help="工作进程数")
@LOG_LEVEL
@told_plainly
def serve(host: str, port: int, workers: int, log_level: str) -> None:
    # Other commands need no web server.
    from api.server.serving import serve_forever  # noqa: PLC0415

    configure_logs(level=log_level)
    settings = read_settings()
    settings.required("secret_key", "base_url")
    with school(settings) as engine:
        click.echo(f"服务地址 http://{host}:{port}")
        url = engine.url.render_as_string(hide_password=False)
        serve_forever(url, settings, host=host, port=port, workers=workers, newest_migration=_newest_migration())


def _newest_migration() -> str | None:
    return ScriptDirectory.from_config(migrations.configuration("")).get_current_head()


@main.command(help="体检：数据库、角色、迁移、时钟、密钥、地址、邮件、日历、后台，一项一行，并说明怎么办。")
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
        click.echo(f"{each.state.zh}\t{each.what}\t{each.said}")
    if any(each.state is examination.State.BROKEN for each in findings):
        raise SystemExit(1)


@main.command(help="后台工作：到点提醒、发送邮件。")
@click.option("--dry-run", is_flag=True, help="只列出会提醒谁、为什么，不写也不发")
@click.option("--at", "moment", default=None, help="配合 --dry-run：假定的时间，如 2025-01-23T09:00")
@LOG_LEVEL
@told_plainly
def worker(dry_run: bool, moment: str | None, log_level: str) -> None:
    from schedulers.worker import run_worker  # noqa: PLC0415
    from workflow.mail.outbox import fates  # noqa: PLC0415
    from workflow.reminders import letters_due  # noqa: PLC0415

    configure_logs(level=log_level)
    settings = read_settings()
    if dry_run:
        settings.required("base_url")
        with school(settings) as engine, transaction(engine, actor=None) as session:
            due = letters_due(session, _moment(moment), base_url=settings.base_url or "")
            fate = fates(session, [letter.key for letter in due])
            click.echo("种类\t收信人\t党支部\t期限\t为什么\t状态")
            for letter in due:
                state = fate[letter.key].zh if letter.key in fate else "未写信" if (letter.address or "").strip() else "未写信，没有邮箱"
                who, where = f"{letter.staff_no} {letter.recipient_name}", letter.branch or "全校"
                click.echo("\t".join((letter.kind, who, where, str(letter.due_on), letter.reason, state)))
        return
    if moment is not None:
        raise click.UsageError("--at 只能配合 --dry-run")
    settings.required("secret_key", "base_url", "smtp_url")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with school(settings) as engine:
        run_worker(engine, settings, stop)


def _moment(text: str | None) -> datetime:
    if text is None:
        return utc_now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError("--at 应形如 2025-01-23T09:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=SCHOOL_ZONE)).astimezone(UTC)


@main.command(help="演示：内置数据库、一所示范学校、网页、后台和本地邮箱，全在一个进程里。")
@click.option("--port", default=8000, show_default=True, help="监听端口")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=None, help="数据目录，默认 ZHIBU_DATA_DIR 或 ./zhibu-data")
@click.option("--accounts-file", type=click.Path(path_type=Path, dir_okay=False), default=None, help="账号和令牌写入的 JSON 文件")
@told_plainly
def demo(port: int, data_dir: Path | None, accounts_file: Path | None) -> None:
    from api.server.demo import kept_secret, must_be_free, run_demo  # noqa: PLC0415
    from schedulers.worker import run_worker  # noqa: PLC0415

    configure_logs(readable=True)
    settings = read_settings()
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    must_be_free(port)
    with mail_catcher(settings.data_dir / "mail", click.echo) as smtp_url, database(settings) as urls:
        settings = settings.model_copy(
            update={"smtp_url": smtp_url, "base_url": f"http://127.0.0.1:{port}", "secret_key": kept_secret(settings.data_dir)}
        )
        migrations.migrate(urls.owner, urls.application)
        engine = engine_for(urls.application)
        try:
            accounts = accounts_file or settings.data_dir / "accounts.json"
            run_demo(engine, settings, run_worker, port=port, accounts_file=accounts, newest_migration=_newest_migration())
        finally:
            engine.dispose()
    click.echo("演示已停止，数据保留在数据目录里。")


@main.command(help="测量：各条路径与它的下限在同一轮里交替运行。")
@click.option("--only", default="", metavar="名称,…", help="只测这几条路径，用逗号分开")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，而不是表")
@click.option("--rounds", type=click.IntRange(1), default=None, help="每条路径的轮数，默认各有各的")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=None, help="保留数据库的目录，再测时不必重建；默认用临时目录")
def bench(only: str, as_json: bool, rounds: int | None, data_dir: Path | None) -> None:
    try:
        # The bench is no part of an installed service.
        from benchmarks.command import measured  # noqa: PLC0415
        from benchmarks.frame.errors import BenchFailed  # noqa: PLC0415
    except ModuleNotFoundError:
        raise click.ClickException("测量只能在源码目录里运行") from None
    try:
        click.echo(measured(only, as_json=as_json, rounds=rounds, data_dir=data_dir))
    except BenchFailed as failure:
        raise click.ClickException(str(failure)) from None


@main.command(hidden=True, help="重写文档里由代码生成的段落。")
def docs() -> None:
    from handbook import refresh  # noqa: PLC0415  (a tool of developers, not in the wheel)

    for page in refresh():
        click.echo(page.name)


for _group in (account, token, roster, cycle, plan):
    main.add_command(_group)


if __name__ == "__main__":
    main()
