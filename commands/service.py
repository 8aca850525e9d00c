"""Commands that set a school's service up, run and examine it (安装、运行、检查)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import migrations
from commands.frame import APPLICATION_URL, OWNER_URL, WAITS, Urls, database, is_there, reaching, school, told_plainly
from commands.language import named, say, tell
from migrations import Migrated
from schedulers.courier import Courier
from workflow.foundation.advice.reaching import NotReached
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.errors import EmbeddedUnavailable, Words
from workflow.foundation.logs import configure_logs
from workflow.foundation.settings import Settings, read_settings
from workflow.foundation.vocabulary import SCHOOL_ZONE, utc_now
from workflow.readings import doctor as examination
from workflow.readings.findings import State

PORT = click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help=say(Words("监听端口", "the port to listen on")))
LOG_LEVEL = click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING"], case_sensitive=False),
    default="INFO",
    show_default=True,
    help=say(Words("日志的详细程度；日志里没有个人信息", "how much is logged; a log holds no personal data")),
)


@click.command()
@told_plainly
def migrate() -> None:
    settings = read_settings()
    owner = OWNER_URL if settings.owner_database_url else APPLICATION_URL
    with database(settings) as urls:
        _must_answer({owner: urls.owner, APPLICATION_URL: urls.application})
        with reaching(urls.owner, owner):
            made = migrations.migrate(urls.owner, urls.application)
        if not _is_current(urls.application):
            zh = f"{OWNER_URL} 的库已迁移，{APPLICATION_URL} 的库却没有：两处应是同一台主机、同一个库"
            en = f"the database of {OWNER_URL} is migrated, that of {APPLICATION_URL} is not: both should name one host and one database"
            raise click.ClickException(say(Words(zh, en)))
    tell(_said(made))


def _must_answer(urls: Mapping[str, str]) -> None:
    """Refuse, before anything is changed, if a database is not reached or is too old."""
    faults, dialects = [], []
    for variable, url in urls.items():
        engine = create_engine(url, poolclass=NullPool)
        try:
            with reaching(url, variable), engine.connect():
                dialects.append(engine.dialect)
        except NotReached as refused:
            faults.append(refused.detail)
    if faults:
        raise NotReached(Words("；".join(faults), "; ".join(each.en for each in faults)))
    for dialect in dialects:
        migrations.must_be_served(dialect)


def _is_current(url: str) -> bool:
    engine = engine_for(url, pool_size=1)
    try:
        with reaching(url, APPLICATION_URL):
            return migrations.is_current(engine)
    finally:
        engine.dispose()


def _said(made: Migrated) -> Words:
    if made.before is None:
        zh = f"数据库已建立：{made.tables} 张表，版本 {made.after}。"
        return Words(zh, f"The database is made: {made.tables} tables, version {made.after}.")
    if made.steps == 0:
        return Words(f"数据库已是最新版本（{made.after}）。", f"The database is up to date ({made.after}).")
    zh = f"数据库已升级 {made.steps} 步：{made.before} → {made.after}。"
    return Words(zh, f"The database is upgraded by {made.steps} step(s): {made.before} → {made.after}.")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help=say(Words("监听地址", "the address to listen on")))
@PORT
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help=say(Words("工作进程数", "how many worker processes")))
@LOG_LEVEL
@told_plainly
def serve(host: str, port: int, workers: int, log_level: str) -> None:
    # Other commands need no web server.
    from api.server.serving import serve_forever  # noqa: PLC0415

    configure_logs(level=log_level)
    settings = read_settings(needed=("secret_key", "base_url"))
    with database(settings) as urls:
        there = is_there(urls.application)
        tell(Words(f"服务地址 http://{host}:{port}", f"Serving at http://{host}:{port}"))
        if not there:
            tell(WAITS, err=True)
        serve_forever(urls.application, settings, host=host, port=port, workers=workers, newest_migration=newest_migration())


def newest_migration() -> str | None:
    """Return the version that this program needs."""
    return ScriptDirectory.from_config(migrations.configuration("")).get_current_head()


@click.command()
@told_plainly
def doctor() -> None:
    settings = read_settings()

    def greet() -> None:
        with Courier(settings.smtp_url or "", settings.mail_from) as courier:
            courier.server = courier._connect()
            courier.server.noop()

    newest = newest_migration()
    findings = list(examination.examine(settings, lambda: _present(settings), greet, clock=utc_now, newest_migration=newest))
    for each in findings:
        click.echo("\t".join(say(words) for words in (named(each.state), each.what, each.said)))
    if any(each.state is State.BROKEN for each in findings):
        raise SystemExit(1)


@contextmanager
def _present(settings: Settings) -> Iterator[Urls]:
    """Give the database if there is one: to examine is not to make one."""
    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        zh = f"还没有设 {APPLICATION_URL}，数据目录 {settings.data_dir} 里也没有内置数据库：请设好再运行 zhibu migrate"
        en = f"{APPLICATION_URL} is not set, and {settings.data_dir} holds no embedded database: please set it, then run zhibu migrate"
        raise EmbeddedUnavailable(Words(zh, en))
    with database(settings) as urls:
        yield urls


@click.command()
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
    if moment is not None and not dry_run:
        raise click.UsageError(say(Words("--at 只能配合 --dry-run", "--at goes with --dry-run alone")))
    settings = read_settings(needed=("base_url",) if dry_run else ("secret_key", "base_url", "smtp_url"))
    if dry_run:
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
