"""The ``zhibu`` commands (命令行): the one place that knows both edges. Errors are one line in Chinese, and exit code 1."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

import migrations
from schedulers.catcher import mail_catcher
from schedulers.delivery import Courier
from workflow.acts import people, years
from workflow.foundation.database import engine_for, is_away, transaction
from workflow.foundation.embedded import EmbeddedUnavailable, embedded_postgres
from workflow.foundation.errors import Refusal
from workflow.foundation.logs import configure_logs
from workflow.foundation.settings import Settings, read_settings
from workflow.foundation.vocabulary import MAIN, SCHOOL_ROLES, SCHOOL_ZONE, Role, utc_now
from workflow.readings import doctor as examination
from workflow.roster import imports
from workflow.rules.acts import Act, Call, find, perform
from workflow.workbooks.imports import Upload
from workflow.year.cycle import Lock, processes_of
from workflow.year.deadlines import STAGES_WITH_A_DAY

ACTOR = "cli"
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Urls:
    """The two logins of one school's database."""

    owner: str
    application: str


@contextmanager
def database(settings: Settings) -> Iterator[Urls]:
    """The database that the settings name, or else the embedded one of the data directory for as long as the block lasts."""
    if settings.database_url is not None:
        yield Urls(settings.owner_database_url or settings.database_url, settings.database_url)
        return
    with embedded_postgres(settings.data_dir) as superuser:
        yield Urls(*migrations.prepare_embedded(superuser))


@contextmanager
def acting() -> Iterator[Call[object]]:
    """A transaction in which the command line acts on the school of the settings."""
    settings = read_settings()
    with school(settings) as engine, transaction(engine, actor=ACTOR) as session:
        yield Call(session, utc_now(), settings)


def done(call: Call[object], act: Act[T, U], sent: Any, **address: Any) -> U:
    """Do an act as every edge does, but that whoever may run the command may do it."""
    return perform(find(call, act, address), act, sent)


@contextmanager
def school(settings: Settings) -> Iterator[Engine]:
    """The engine of a school whose migrations are complete."""
    with database(settings) as urls:
        engine = engine_for(urls.application)
        try:
            if not migrations.is_current(engine):
                raise click.ClickException("数据库还没有迁移到当前版本，请先运行 zhibu migrate")
            yield engine
        finally:
            engine.dispose()


def told_plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """A refusal is told in one line, not as a traceback."""

    @wraps(command)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except Refusal as refusal:
            raise click.ClickException(refusal.detail.zh) from None
        except EmbeddedUnavailable as unavailable:
            raise click.ClickException(str(unavailable)) from None
        except DBAPIError as error:
            if is_away(error):
                raise click.ClickException("数据库连不上，请检查 ZHIBU_DATABASE_URL 和数据库服务") from None
            raise

    return told


LOG_LEVEL = click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING"], case_sensitive=False),
    default="INFO",
    show_default=True,
    help="日志的详细程度；日志里没有个人信息",
)


@click.group(help="zhibu：党建考核暨组织生活会的工作流服务。")
def main() -> None:
    """Every command reads its settings from ``ZHIBU_*`` variables."""
    # As an exception it passes through what must be closed: an embedded PostgreSQL would else stay up.
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
    from api.server.serving import serve_forever  # noqa: PLC0415  (a web server is not for the other commands)

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


@main.group(help="账号。")
def account() -> None: ...


@account.command("create", help="建立学校职务的账号。口令从标准输入读，或交互输入。")
@click.option("--staff-no", required=True, help="学工号")
@click.option("--name", required=True, help="姓名")
@click.option("--role", required=True, type=click.Choice([role.value for role in SCHOOL_ROLES]), help="职务")
@click.option("--email", default=None, help="邮箱")
@click.option("--password-stdin", is_flag=True, help="从标准输入读口令")
@told_plainly
def account_create(staff_no: str, name: str, role: str, email: str | None, password_stdin: bool) -> None:
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with acting() as call:
        done(call, people.OPEN_ACCOUNT, {"staff_no": staff_no, "name": name, "role": role, "email": email, "password": password})
    click.echo(f"已建立账号：{name}（{Role(role).zh}）" + ("" if password else "。还没有口令，可用 token create 取得令牌。"))


@account.command("invite", help="寄出设置口令的一次性链接：给一个人，或给一个支部里还没有口令的每个人。")
@click.option("--branch", "code", default=None, help="党支部编码")
@click.option("--staff-no", default=None, help="学工号")
@told_plainly
def account_invite(code: str | None, staff_no: str | None) -> None:
    if (code is None) == (staff_no is None):
        raise click.UsageError("--branch 与 --staff-no 填一项")
    read_settings().required("base_url")
    with acting() as call:
        if staff_no is not None:
            done(call, people.INVITE, {}, staff_no=staff_no)
            click.echo("邀请信 1 封，待发。")
            return
        came = done(call, people.INVITE_BRANCH, {"branch": code})
    click.echo(f"邀请信 {came.facts['letters']} 封，待发。")
    for person in came.rows:
        click.echo(f"没有邮箱：{person.staff_no} {person.name}")


@main.group(help="程序用的令牌。")
def token() -> None: ...


@token.command("create", help="发一个令牌，只显示这一次。")
@click.option("--staff-no", required=True, help="学工号")
@click.option("--name", default="命令行", show_default=True, help="令牌的用途")
@click.option("--days", type=click.IntRange(1, 3650), default=None, help="有效天数，默认 ZHIBU_TOKEN_DAYS")
@told_plainly
def token_create(staff_no: str, name: str, days: int | None) -> None:
    asked: dict[str, Any] = {"staff_no": staff_no, "name": name}
    if days is not None:
        asked["expires_at"] = (utc_now() + timedelta(days=days)).isoformat()
    with acting() as call:
        issued = done(call, people.ISSUE_TOKEN, asked).issued
    click.echo(issued.secret)


@main.group(help="名册。")
def roster() -> None: ...


@roster.command("import", help="核对名册；加 --apply 才写入。")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--apply", "apply_it", is_flag=True, help="没有错误时写入")
@told_plainly
def roster_import(file: Path, apply_it: bool) -> None:
    if file.stat().st_size > (limit := read_settings().upload_bytes):
        raise click.ClickException(f"文件超过 {limit // 1024 // 1024} MB")
    with acting() as call:
        row = perform(call, imports.PREVIEW, Upload(file.name, file.read_bytes()))
        for problem in row.problems:
            place = "".join(
                part for part in (problem["sheet"] or "", f"第{problem['row']}行" if problem["row"] else "", problem["heading"] or "") if part
            )
            click.echo(f"{'错误' if problem['severity'] == 'error' else '提醒'}\t{place}\t{problem['message']}")
        if not row.applicable:
            click.echo("名册有错误，没有写入。", err=True)
            raise SystemExit(1)
        for line in _changes(row.summary):
            click.echo(line)
        if apply_it:
            done(call, imports.APPLY, {}, import_id=row.id)
    click.echo("已写入。" if apply_it else "核对完毕，没有写入；加 --apply 写入。")


def _changes(summary: dict[str, Any]) -> Iterator[str]:
    yield f"党支部 {summary['branches']} 个（新增 {len(summary['new_branches'])}，变更 {len(summary['changed_branches'])}）"
    yield f"党员 {summary['members']} 名（新增 {summary['new_members']}，变更 {summary['changed_members']}）"
    yield f"任职：新任 {summary['posts_given']}，结束 {summary['posts_ended']}"
    for moved in summary["moved"]:
        yield f"转移：{moved['name']} {moved['from']} → {moved['to']}"
    for gone in summary["gone"]:
        yield f"不在名册上了：{gone['name']}（{gone['from']}）"


@main.group(help="年度。")
def cycle() -> None: ...


@cycle.command("open", help="按方案建立年度（草稿）。")
@click.option("--plan", required=True, help="方案名，如 2024")
@click.option("--deadline", "deadlines", multiple=True, metavar="环节=日期", help="如 report=2025-01-26；报送的期限必须有")
@told_plainly
def cycle_open(plan: str, deadlines: tuple[str, ...]) -> None:
    days = dict(_deadline(each) for each in deadlines)
    with acting() as call:
        year = done(call, years.OPEN_YEAR, {"plan": plan, "deadlines": days}).year
    click.echo(f"已建立{year}年度（草稿）。核对后用 cycle publish {year} 发布。")


def _deadline(given: str) -> tuple[str, str]:
    stage, _, day = given.partition("=")
    stages = [stage.value for stage in STAGES_WITH_A_DAY]
    if stage not in stages:
        raise click.UsageError(f"--deadline {given}：环节应为 {'、'.join(stages)} 之一")
    try:
        return stage, date.fromisoformat(day).isoformat()
    except ValueError:
        raise click.UsageError(f"--deadline {given}：日期应形如 2025-01-26") from None


@cycle.command("publish", help="发布年度：方案从此不变，每个支部得到流程和名册。")
@click.argument("year", type=int)
@told_plainly
def cycle_publish(year: int) -> None:
    with acting() as call:
        published = done(call, years.PUBLISH_YEAR, {}, year=year)
        opened = len(processes_of(call.session, published, MAIN, lock=Lock.NONE))
    click.echo(f"{year}年度已发布，{opened} 个党支部开始。")


@main.command(help="测量：各条路径与它的下限在同一轮里交替运行。")
@click.option("--only", default="", metavar="名称,…", help="只测这几条路径，用逗号分开")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，而不是表")
@click.option("--rounds", type=click.IntRange(1), default=None, help="每条路径的轮数，默认各有各的")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=None, help="保留数据库的目录，再测时不必重建；默认用临时目录")
def bench(only: str, as_json: bool, rounds: int | None, data_dir: Path | None) -> None:
    try:
        from benchmarks.command import measured  # noqa: PLC0415  (the bench is no part of an installed service)
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


if __name__ == "__main__":
    main()
