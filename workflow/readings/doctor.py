"""The examination (体检): the findings of ``zhibu doctor``, one line each, with advice.

BROKEN keeps the service or its letters from working; a WARNING works and should not stay so. Mail
and database are ports: this room knows no SMTP and starts no server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy import Connection, select, text, union_all
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from workflow.foundation.calendar import unannounced
from workflow.foundation.database import APPLICATION_ROLE, engine_for, is_away
from workflow.foundation.embedded import EmbeddedUnavailable
from workflow.foundation.settings import PREFIX, Settings
from workflow.foundation.vocabulary import SCHOOL_ZONE, Word
from workflow.mail.aside import LetterAside
from workflow.mail.heartbeat import heartbeat
from workflow.mail.outbox import CONTENT, Letter
from workflow.people.organisation import Branch
from workflow.year.cycle import Process

OLDEST_POSTGRESQL = 16
SKEW_NOTICED, SKEW_BORNE = timedelta(seconds=2), timedelta(minutes=1)
SILENCE_BORNE = timedelta(minutes=10)
"""The longest time without a finished tick before a worker is taken for dead.

One tick sends for five minutes at most.
"""
LETTER_WAIT_BORNE = timedelta(hours=1)
LOCAL = {"localhost", "127.0.0.1", "::1"}
DIFFERENT_CHARACTERS = 8
MOST_TOLD = 5


class State(Word):
    """The state of an examined thing (体检结果)."""

    OK = "ok", "正常"
    WARNING = "warning", "提醒"
    BROKEN = "broken", "故障"


@dataclass(frozen=True)
class Finding:
    """One line: the thing that was examined, its state, and the finding or the advice."""

    what: str
    state: State
    said: str


class Logins(Protocol):
    """The database's logins; the application's is examined."""

    @property
    def application(self) -> str: ...


def ok(what: str, said: str) -> Finding:
    return Finding(what, State.OK, said)


def warning(what: str, said: str) -> Finding:
    return Finding(what, State.WARNING, said)


def broken(what: str, said: str) -> Finding:
    return Finding(what, State.BROKEN, said)


def examine(
    settings: Settings,
    opened: Callable[[], AbstractContextManager[Logins]],
    greet: Callable[[], None],
    *,
    clock: Callable[[], datetime],
    newest_migration: str | None,
) -> Iterator[Finding]:
    """Examine everything, however much of it is broken.

    ``opened`` gives the database's logins for as long as its block lasts (an embedded server runs
    only then); ``greet`` says hello to the mail server and raises when it does not answer.
    """
    try:
        with opened() as logins:
            yield from _database(logins.application, settings, clock, newest_migration)
    except EmbeddedUnavailable as unavailable:
        yield broken("数据库", str(unavailable))
    yield _secret(settings)
    yield _base_url(settings)
    yield from _mail(settings, greet)
    yield from _calendar(clock())


# ── the database ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _database(url: str, settings: Settings, clock: Callable[[], datetime], newest_migration: str | None) -> Iterator[Finding]:
    engine = engine_for(url, pool_size=1)
    try:
        with engine.connect() as connection:
            number = int(connection.scalar(text("show server_version_num")) or 0) // 10000
            if number < OLDEST_POSTGRESQL:
                yield broken("数据库", f"PostgreSQL {number} 太旧，请升级到 {OLDEST_POSTGRESQL} 或更新")
                return
            yield ok("数据库", f"PostgreSQL {number}，{'内置，适合演示和很小的单位' if settings.database_url is None else '已连接'}")
            yield _clock(connection, clock)
            yield _role(connection)
            migrated = _migrations(connection, newest_migration)
            yield migrated
            if migrated.state is State.OK:
                yield _worker(connection, clock())
                yield from _letters(connection)
    except DBAPIError as error:
        if not is_away(error):
            raise
        yield broken("数据库", f"连不上：请检查 {PREFIX}DATABASE_URL 的主机、端口、库名和口令，以及数据库服务是否在运行")
    finally:
        engine.dispose()


def _clock(connection: Connection, clock: Callable[[], datetime]) -> Finding:
    before = clock()
    there: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
    skew = max(before - there, there - clock(), timedelta())
    seconds = f"与数据库相差 {skew.total_seconds():.1f} 秒"
    if skew > SKEW_BORNE:
        return broken("时钟", f"{seconds}：提醒和期限会错，请在两台机器上开启时间同步（chrony 或 systemd-timesyncd）")
    if skew > SKEW_NOTICED:
        return warning("时钟", f"{seconds}，请在两台机器上开启时间同步（chrony 或 systemd-timesyncd）")
    return ok("时钟", seconds)


ROLE = text("""
    select current_user as name, r.rolsuper as super,
           exists (select from pg_class where relowner = r.oid and relkind = 'r' and relnamespace = 'public'::regnamespace) as owns,
           (select pg_has_role(r.oid, g.oid, 'usage') from pg_roles g where g.rolname = :group) as member
    from pg_roles r where r.rolname = current_user""")


def _role(connection: Connection) -> Finding:
    role = connection.execute(ROLE, {"group": APPLICATION_ROLE}).one()
    if role.super or role.owns:
        why = "是超级用户" if role.super else "拥有数据表"
        two = f"请给应用另建一个登录名写在 {PREFIX}DATABASE_URL，现在这个只留给 {PREFIX}OWNER_DATABASE_URL"
        return warning("角色", f"应用的登录名 {role.name} {why}，变更记录防不住它：{two}，再运行 zhibu migrate")
    if not role.member:
        return broken("角色", f"登录名 {role.name} 没有使用数据表的权限：请用 {PREFIX}OWNER_DATABASE_URL 运行 zhibu migrate")
    return ok("角色", f"应用的登录名 {role.name} 不拥有数据表")


def _migrations(connection: Connection, newest: str | None) -> Finding:
    try:
        with connection.begin_nested():
            present = connection.scalar(text("select version_num from alembic_version"))
    except ProgrammingError:
        present = None
    if present != newest:
        return broken("迁移", "数据库是空的，请运行 zhibu migrate" if present is None else "数据库与程序的版本不一致，请运行 zhibu migrate")
    return ok("迁移", f"已是最新（{present}）")


def _worker(connection: Connection, now: datetime) -> Finding:
    with Session(connection) as session:
        beat = heartbeat(session)
    if beat is None:
        return warning("后台", "zhibu worker 还没有运行过：提醒不会写，信不会发；请启动它")
    whole = beat.last_tick
    if whole is None or beat.failed is not None:
        since = "还没有一轮全部做完" if whole is None else f"上一次全部做完是 {_minutes(now - whole)} 分钟前"
        look = "请看 zhibu worker 的日志 tick-step-failed"
        return broken("后台", f"最近一轮有步骤没有做成（{beat.failed}），{since}：{look}")
    silent = _minutes(now - whole)
    if now - whole > SILENCE_BORNE:
        return broken("后台", f"zhibu worker 已 {silent} 分钟没有动静：请启动它，并看它的日志")
    if beat.oldest_unsent is not None and now - beat.oldest_unsent > LETTER_WAIT_BORNE:
        return warning("后台", f"在运行，但有一封信等了 {_minutes(now - beat.oldest_unsent)} 分钟还没发出：请看“邮件”一项和后台的日志")
    return ok("后台", "zhibu worker 在运行")


def _letters(connection: Connection) -> Iterator[Finding]:
    """Report the letters that are put aside: kind, branch, and the type of the error."""
    aside = select(LetterAside.key, LetterAside.kind, LetterAside.error, LetterAside.process_id)
    stuck = select(Letter.key, Letter.kind, Letter.error, Letter.process_id).where(
        Letter.next_at.is_not(None),
        Letter.error.startswith(CONTENT),
    )
    both = union_all(aside, stuck).subquery()
    of_branch = (
        select(both.c.key, both.c.kind, both.c.error, Branch.code)
        .outerjoin(Process, Process.id == both.c.process_id)
        .outerjoin(Branch, Branch.id == Process.branch_id)
        .order_by(both.c.key)
    )
    found = connection.execute(of_branch).all()
    if found:
        told = [f"{row.code or '全校'} {row.kind} {row.error}（{row.key}）" for row in found[:MOST_TOLD]]
        more = "等" if len(found) > MOST_TOLD else ""
        mend = f"请查名册上的姓名、年度方案和 {PREFIX}MAIL_FROM，改好后一小时内自动再写，其余的信照发"
        yield warning("信件", f"{len(found)} 封信写不成，已搁置：{'；'.join(told)}{more}。{mend}")


def _minutes(time: timedelta) -> int:
    return int(time.total_seconds() // 60)


# ── the settings ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _secret(settings: Settings) -> Finding:
    if settings.secret_key is None:
        return broken("密钥", f"缺少 {PREFIX}SECRET_KEY：请用 openssl rand -base64 32 生成一个")
    if len(set(settings.secret_key.get_secret_value())) < DIFFERENT_CHARACTERS:
        return warning("密钥", f"{PREFIX}SECRET_KEY 太容易猜：请用 openssl rand -base64 32 生成一个")
    return ok("密钥", "已设置")


def _base_url(settings: Settings) -> Finding:
    if settings.base_url is None:
        return broken("地址", f"缺少 {PREFIX}BASE_URL：信里的链接要用它，如 https://zhibu.example.edu.cn")
    parts = urlsplit(settings.base_url)
    if parts.hostname in LOCAL:
        return warning("地址", f"{settings.base_url} 只有本机打得开：请把 {PREFIX}BASE_URL 设为大家访问的地址")
    if parts.scheme != "https":
        return warning("地址", f"{settings.base_url} 不加密，口令会被旁听：请在反向代理上启用 HTTPS（见 docs/running.md）")
    return ok("地址", settings.base_url)


def _mail(settings: Settings, greet: Callable[[], None]) -> Iterator[Finding]:
    if settings.smtp_url is None:
        yield broken("邮件", f"缺少 {PREFIX}SMTP_URL：如 smtp://mail.example.edu.cn:25")
        return
    try:
        greet()
    except Exception as error:
        yield broken("邮件", f"邮件服务器没有应答（{str(error) or type(error).__name__}）：请检查 {PREFIX}SMTP_URL 的主机、端口、账号和防火墙")
        return
    if settings.mail_from.endswith("@localhost"):
        yield warning("邮件", f"邮件服务器有应答，但发件人是 {settings.mail_from}：请把 {PREFIX}MAIL_FROM 设为学校的邮箱")
        return
    yield ok("邮件", "邮件服务器有应答")


def _calendar(now: datetime) -> Iterator[Finding]:
    for year in (this := now.astimezone(SCHOOL_ZONE).year, this + 1):
        unknown = unannounced(year)
        if unknown is None:
            yield ok("日历", f"{year}年的放假调休安排已知")
        else:
            yield warning("日历", f"{unknown.zh}；公布后请升级本程序")
