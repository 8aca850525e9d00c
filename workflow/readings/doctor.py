"""The examination (系统检查): the findings of ``zhibu doctor``, one line each, with advice.

BROKEN keeps the service or its letters from working; a WARNING works and should not stay so. Mail
and database are ports: this room knows no SMTP and starts no server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy import Connection, and_, func, select, text, union_all
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from workflow.foundation.addresses import is_of_this_machine
from workflow.foundation.advice.reaching import not_reached
from workflow.foundation.calendar import unannounced
from workflow.foundation.database import (
    APPLICATION_ROLE,
    DATABASE_NOW,
    OLDEST_POSTGRESQL,
    SKEW_BORNE,
    SKEW_NOTICED,
    Meaning,
    engine_for,
    meaning_of,
    must_be_writable,
    passing_of,
    skew,
    sqlstate,
)
from workflow.foundation.errors import EmbeddedUnavailable, Words
from workflow.foundation.seals.keys import seal_keys
from workflow.foundation.seals.verification import recent, verify
from workflow.foundation.seals.witness import Witness
from workflow.foundation.settings import PREFIX, Settings
from workflow.foundation.vocabulary import SCHOOL_ZONE
from workflow.mail.aside import LetterAside
from workflow.mail.heartbeat import heartbeat
from workflow.mail.items import LetterItem
from workflow.mail.outbox import Letter
from workflow.mail.sending import CONTENT
from workflow.people.organisation import Branch
from workflow.readings.findings import Finding, State, broken, ok, warning
from workflow.readings.reaching import LENT, NO_PRIMARY, finds_no_primary, is_lent_by_transaction, server_of
from workflow.readings.transport import DATABASE, line_to_database, mail
from workflow.year.cycle import Process

SILENCE_BORNE = timedelta(minutes=10)
"""The longest time without a finished tick before a worker is taken for dead.

A tick sends for a minute, and then ends the letter in hand: a dozen waits of half a minute each.
"""
LETTER_WAIT_BORNE = timedelta(hours=1)
DIFFERENT_CHARACTERS = 8
MOST_TOLD = 5
ROWS_VERIFIED = 50_000
"""The number of newest rows of the history that are verified here; ``zhibu verify`` reads all."""
UNSEALED_BORNE = timedelta(minutes=5)

CLOCK = Words("时钟", "clock")
ROLE_OF_APPLICATION = Words("角色", "role")
MIGRATIONS = Words("迁移", "migrations")
WORKER = Words("后台", "worker")
LETTERS = Words("通知邮件", "letters")
HISTORY = Words("变更记录", "history")
SECRET = Words("密钥", "secret key")
ADDRESS = Words("地址", "address")
CONTACT = Words("联系方式", "contact")
CALENDAR = Words("日历", "calendar")


class Logins(Protocol):
    """The database's logins; the application's is examined."""

    @property
    def application(self) -> str: ...


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
        yield broken(DATABASE, unavailable.words)
    yield _secret(settings)
    yield _base_url(settings)
    yield from mail(settings, greet)
    yield _contact(settings)
    yield from _calendar(clock())


# ── the database ──────────────────────────────────────────────────────────────────────────────────────────────────────


EMBEDDED = Words("内置，适合演示和很小的单位", "embedded; good for a demo and a very small office")
CONNECTED = Words("已连接", "connected")


def _database(url: str, settings: Settings, clock: Callable[[], datetime], newest_migration: str | None) -> Iterator[Finding]:
    engine = engine_for(url, pool_size=1)
    try:
        if is_lent_by_transaction(engine):
            yield broken(DATABASE, LENT)
            return
        with engine.connect() as connection:
            number = int(connection.scalar(text("show server_version_num")) or 0) // 10000
            if number < OLDEST_POSTGRESQL:
                en = f"PostgreSQL {number} is too old; please upgrade to {OLDEST_POSTGRESQL} or newer"
                yield broken(DATABASE, Words(f"PostgreSQL {number} 太旧，请升级到 {OLDEST_POSTGRESQL} 或更新", en))
                return
            kind = EMBEDDED if settings.database_url is None else CONNECTED
            yield _writable(connection, number, kind)
            yield from line_to_database(connection)
            yield _clock(connection, clock)
            yield _role(connection)
            migrated = _migrations(connection, newest_migration)
            yield migrated
            if migrated.state is State.OK:
                yield _worker(connection)
                yield from _letters(connection)
                yield from _history(connection, settings)
    except DBAPIError as error:
        if (refused := not_reached(error, url, f"{PREFIX}DATABASE_URL") or passing_of(error)) is None:
            raise
        yield broken(DATABASE, NO_PRIMARY if finds_no_primary(error) else refused.detail)
    finally:
        engine.dispose()


def _writable(connection: Connection, number: int, kind: Words) -> Finding:
    """Report whether the database takes changes: a standby, a read-only or a full one does not."""
    standby, read_only = connection.execute(text("select pg_is_in_recovery(), current_setting('transaction_read_only')::bool")).one()
    if standby:
        server = server_of(connection)
        zh = f"{PREFIX}DATABASE_URL 指向备用的数据库（{server}，只读）：请改为主库的地址，或先把它提升为主库"
        en = f"{PREFIX}DATABASE_URL leads to a standby ({server}), which takes no changes: please name the primary, or promote this one"
        return broken(DATABASE, Words(zh, en))
    if read_only:
        zh = "数据库被设为只读：请查 default_transaction_read_only；云数据库磁盘将满时会自动这样设，请先扩容"
        en = "the database is set to read-only: see default_transaction_read_only; a cloud sets it when the disk is nearly full: extend it first"
        return broken(DATABASE, Words(zh, en))
    try:
        with connection.begin_nested():
            must_be_writable(connection)
    except DBAPIError as error:
        if meaning_of(error) is not Meaning.UNWRITABLE:
            raise
        zh = f"数据库写不进去（{sqlstate(error)}）：多半是磁盘已满，请腾出空间；temp_file_limit 不要小于 10MB"
        en = f"the database cannot write ({sqlstate(error)}): most likely its disk is full, please make room; keep temp_file_limit above 10MB"
        return broken(DATABASE, Words(zh, en))
    server = server_of(connection)
    return ok(DATABASE, Words(f"PostgreSQL {number}，{kind}，{server}", f"PostgreSQL {number}, {kind.en}, {server}"))


def _clock(connection: Connection, clock: Callable[[], datetime]) -> Finding:
    apart = skew(connection, clock)
    seconds = f"{apart.total_seconds():.1f}"
    zh, en = f"与数据库相差 {seconds} 秒", f"{seconds} s apart from the database"
    zh_advice = "请在两台机器上开启时间同步（chrony 或 systemd-timesyncd）"
    advice = "please turn on time synchronisation on both machines (chrony or systemd-timesyncd)"
    if apart > SKEW_BORNE:
        wrong = f"{en}: the worker does nothing, and deadlines are wrong; {advice}"
        return broken(CLOCK, Words(f"{zh}：后台停下不工作，期限也会算错，{zh_advice}", wrong))
    if apart > SKEW_NOTICED:
        return warning(CLOCK, Words(f"{zh}，{zh_advice}", f"{en}; {advice}"))
    return ok(CLOCK, Words(zh, en))


ROLE = text("""
    select current_user as name, r.rolsuper as super,
           exists (select from pg_class where relowner = r.oid and relkind = 'r' and relnamespace = 'public'::regnamespace) as owns,
           (select pg_has_role(r.oid, g.oid, 'usage') from pg_roles g where g.rolname = :group) as member
    from pg_roles r where r.rolname = current_user""")


def _role(connection: Connection) -> Finding:
    role = connection.execute(ROLE, {"group": APPLICATION_ROLE}).one()
    if role.super or role.owns:
        why = Words("是超级用户", "is a superuser") if role.super else Words("拥有数据表", "owns the tables")
        zh_two = f"请给应用另建一个登录名写在 {PREFIX}DATABASE_URL，现在这个只留给 {PREFIX}OWNER_DATABASE_URL"
        zh = f"应用的登录名 {role.name} {why}，变更记录防不住它：{zh_two}，再运行 zhibu migrate"
        two = f"please make another login for {PREFIX}DATABASE_URL, keep this one for {PREFIX}OWNER_DATABASE_URL alone"
        en = f"the application's login {role.name} {why.en}, so it could change the history: {two}, then run zhibu migrate"
        return warning(ROLE_OF_APPLICATION, Words(zh, en))
    if not role.member:
        zh = f"登录名 {role.name} 没有使用数据表的权限：请用 {PREFIX}OWNER_DATABASE_URL 运行 zhibu migrate"
        en = f"the login {role.name} may not use the tables: please run zhibu migrate with {PREFIX}OWNER_DATABASE_URL"
        return broken(ROLE_OF_APPLICATION, Words(zh, en))
    en = f"the application's login {role.name} does not own the tables"
    return ok(ROLE_OF_APPLICATION, Words(f"应用的登录名 {role.name} 不拥有数据表", en))


def _migrations(connection: Connection, newest: str | None) -> Finding:
    try:
        with connection.begin_nested():
            present = connection.scalar(text("select version_num from alembic_version"))
    except ProgrammingError:
        present = None
    if present != newest:
        empty = Words("数据库是空的，请运行 zhibu migrate", "the database is empty; please run zhibu migrate")
        other = Words("数据库与程序的版本不一致，请运行 zhibu migrate", "database and program differ in version; please run zhibu migrate")
        return broken(MIGRATIONS, empty if present is None else other)
    return ok(MIGRATIONS, Words(f"已是最新（{present}）", f"up to date ({present})"))


def _worker(connection: Connection) -> Finding:
    with Session(connection) as session:
        beat, now = heartbeat(session), session.scalars(select(DATABASE_NOW)).one()
    if beat is None:
        en = "zhibu worker has never run: no reminder is written and no letter is sent; please start it"
        return warning(WORKER, Words("zhibu worker 还没有运行过：提醒不会写，信不会发；请启动它", en))
    whole = beat.last_tick
    if whole is None or beat.failed is not None:
        since = Words("还没有一轮全部做完", "no round has been whole yet")
        if whole is not None:
            ago = _minutes(now - whole)
            since = Words(f"上一次全部做完是 {ago} 分钟前", f"the last whole one was {ago} minutes ago")
        zh = f"最近一轮有步骤没有做成（{beat.failed}），{since}：请看 zhibu worker 的日志 tick-step-failed"
        look = "please look for tick-step-failed in the log of zhibu worker"
        return broken(WORKER, Words(zh, f"a step of the last round failed ({beat.failed}), {since.en}: {look}"))
    silent = _minutes(now - whole)
    if now - whole > SILENCE_BORNE:
        en = f"nothing has been heard of zhibu worker for {silent} minutes: please start it, and read its log"
        return broken(WORKER, Words(f"zhibu worker 已 {silent} 分钟没有动静：请启动它，并看它的日志", en))
    if beat.oldest_unsent is not None and now - beat.oldest_unsent > LETTER_WAIT_BORNE:
        waits = _minutes(now - beat.oldest_unsent)
        en = f"runs, but a letter has been waiting for {waits} minutes: please see “mail” here and the worker's log"
        return warning(WORKER, Words(f"在运行，但有一封信等了 {waits} 分钟还没发出：请看“邮件”一项和后台的日志", en))
    return ok(WORKER, Words("zhibu worker 在运行", "zhibu worker runs"))


def _letters(connection: Connection) -> Iterator[Finding]:
    """Report the letters that are put aside: kind, branch, and the type of the error."""
    aside = select(LetterAside.key, LetterAside.kind, LetterAside.error, LetterAside.process_id)
    of_letter = and_(LetterItem.letter_id == Letter.id, ~LetterItem.left_out)
    names = ("key", "kind", "process_id")
    key, kind, process_id = (func.coalesce(getattr(LetterItem, name), getattr(Letter, name)).label(name) for name in names)
    stuck = (
        select(key, kind, Letter.error, process_id)
        .outerjoin_from(Letter, LetterItem, of_letter)
        .where(Letter.next_at.is_not(None), Letter.error.startswith(CONTENT))
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
        zh_told = "；".join(f"{row.code or '全校'} {row.kind} {row.error}（{row.key}）" for row in found[:MOST_TOLD])
        zh_more = "等" if len(found) > MOST_TOLD else ""
        zh_mend = f"请查名册上的姓名、年度方案和 {PREFIX}MAIL_FROM，改好后一小时内自动再写，其余的信照发"
        told = "; ".join(f"{row.code or 'whole school'} {row.kind} {row.error} ({row.key})" for row in found[:MOST_TOLD])
        more = " and more" if len(found) > MOST_TOLD else ""
        mend = f"please check names on the roster, the year's plan and {PREFIX}MAIL_FROM; once mended they are written again within an hour"
        zh = f"{len(found)} 封信写不成，已搁置：{zh_told}{zh_more}。{zh_mend}"
        en = f"{len(found)} letters cannot be written and are put aside: {told}{more}. All others are sent; {mend}"
        yield warning(LETTERS, Words(zh, en))


def _history(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Verify the newest rows of the history against their seals, if there is a key."""
    if (keys := seal_keys(settings)) is None:
        return
    with Session(connection) as session:
        report = verify(session, keys, after=recent(session, ROWS_VERIFIED))
        there = session.scalars(select(func.clock_timestamp())).one()
        try:
            fault = report.fault or Witness.of(settings.data_dir, session).contradicts(session)
        except (OSError, ValueError) as error:
            fault = Words(f"见证文件读不了（{error}）", f"the witness cannot be read ({error})")
    if fault:
        zh, en = f"{fault.zh}。请运行 zhibu verify，并看 docs/running.md", f"{fault.en}. Please run zhibu verify, and see docs/running.en.md"
        yield broken(HISTORY, Words(zh, en))
    elif report.oldest_unsealed is not None and there - report.oldest_unsealed > UNSEALED_BORNE:
        waits = _minutes(there - report.oldest_unsealed)
        zh = f"有变更 {waits} 分钟没有封印：zhibu worker 没有运行，或数据库里有事务一直没有结束"
        en = f"a change has waited {waits} minutes for its seal: zhibu worker does not run, or a transaction in the database never ends"
        yield warning(HISTORY, Words(zh, en))
    else:
        zh = f"最近 {report.rows} 行、{report.seals} 道封印没有改动（全部核对：zhibu verify）"
        yield ok(HISTORY, Words(zh, f"the last {report.rows} rows and {report.seals} seals are unchanged (all of them: zhibu verify)"))


def _minutes(time: timedelta) -> int:
    return int(time.total_seconds() // 60)


# ── the settings ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _secret(settings: Settings) -> Finding:
    if settings.secret_key is None:
        en = f"{PREFIX}SECRET_KEY is missing: please make one with openssl rand -base64 32"
        return broken(SECRET, Words(f"缺少 {PREFIX}SECRET_KEY：请用 openssl rand -base64 32 生成一个", en))
    if len(set(settings.secret_key.get_secret_value())) < DIFFERENT_CHARACTERS:
        en = f"{PREFIX}SECRET_KEY is too easy to guess: please make one with openssl rand -base64 32"
        return warning(SECRET, Words(f"{PREFIX}SECRET_KEY 太容易猜：请用 openssl rand -base64 32 生成一个", en))
    return ok(SECRET, Words("已设置", "set"))


def _base_url(settings: Settings) -> Finding:
    if settings.base_url is None:
        en = f"{PREFIX}BASE_URL is missing: links in letters need it, such as https://zhibu.example.edu.cn"
        return broken(ADDRESS, Words(f"缺少 {PREFIX}BASE_URL：信里的链接要用它，如 https://zhibu.example.edu.cn", en))
    parts = urlsplit(settings.base_url)
    if is_of_this_machine(parts.hostname):
        en = f"{settings.base_url} opens on this machine only: please set {PREFIX}BASE_URL to the address that people use"
        return warning(ADDRESS, Words(f"{settings.base_url} 只有本机打得开：请把 {PREFIX}BASE_URL 设为大家访问的地址", en))
    if parts.scheme != "https":
        en = f"{settings.base_url} is not encrypted, passwords can be overheard: please use HTTPS in the proxy (docs/running.en.md)"
        return warning(ADDRESS, Words(f"{settings.base_url} 不加密，密码会被旁听：请在反向代理上启用 HTTPS（见 docs/running.md）", en))
    return ok(ADDRESS, Words(settings.base_url, settings.base_url))


def _contact(settings: Settings) -> Finding:
    if not settings.contact:
        en = f"{PREFIX}CONTACT is missing: letters do not say whom to ask; please give the office's name and telephone"
        return warning(CONTACT, Words(f"缺少 {PREFIX}CONTACT：信末没有可以询问的电话，如 党委办公室 0371-00000000", en))
    return ok(CONTACT, Words(f"信末写明：{settings.contact}", "letters say whom to ask"))


def _calendar(now: datetime) -> Iterator[Finding]:
    for year in (this := now.astimezone(SCHOOL_ZONE).year, this + 1):
        unknown = unannounced(year)
        if unknown is None:
            yield ok(CALENDAR, Words(f"{year}年的放假调休安排已知", f"the public holidays of {year} are known"))
        else:
            en = f"{unknown.en}; please upgrade this program when they are"
            yield warning(CALENDAR, Words(f"{unknown.zh}；公布后请升级本程序", en))
