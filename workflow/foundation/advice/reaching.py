"""The reason why a database cannot be reached (数据库为什么连不上), in a sentence with what to do.

It is read from the words of libpq and of the server: before a sign-in is over neither gives a code.
A server speaks the language of its ``lc_messages``; English and Chinese are known here, and any
other words are passed on as they are.
"""

from __future__ import annotations

import re

from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from workflow.foundation.errors import Refusal, Words


class NotReached(Refusal):
    """A database that is not reached at the address of a setting."""

    slug = "database-not-reached"
    title = Words("数据库连不上", "The database cannot be reached")


CAUSES = {
    r"resolve host|translate host name|Name or service not known": Words(
        "没有 {host} 这台主机，请检查主机名", "there is no host {host}; please check its name"
    ),
    r"Connection refused": Words(
        "{host} 的 {port} 端口没有数据库应答，请检查主机和端口，以及数据库服务是否在运行",
        "no database answers on port {port} of {host}; please check host and port, and whether the server runs",
    ),
    r"No such file or directory": Words(
        "{host} 里没有 {port} 端口的数据库，请检查目录和端口，以及数据库服务是否在运行",
        "no database listens in {host} on port {port}; please check folder and port, and whether the server runs",
    ),
    r"on socket .* Permission denied": Words(
        "没有权限进入 {host}，请检查目录的权限，或改用 主机:端口", "no permission to enter {host}; please check the folder's mode, or use host:port"
    ),
    r"timeout|timed out|unreachable|No route": Words(
        "{host} 没有应答，请检查主机、端口和防火墙", "{host} does not answer; please check host, port and firewall"
    ),
    r"no password supplied": Words(
        "没有写口令，应形如 postgresql://用户:口令@主机:端口/库名",
        "there is no password; it should look like postgresql://user:password@host:port/database",
    ),
    r"not permitted to log in|不允许.*登录": Words(
        "{user} 是一个组，不能登录；应用用 zhibu_web 登录", "{user} is a group and may not sign in; the application signs in as zhibu_web"
    ),
    r"(password|Peer|Ident).* authentication failed|认证失败|(role|user) \"[^\"]*\" does not exist|角色.*不存在": Words(
        "用户名 {user} 或口令不对", "the user {user} or the password is wrong"
    ),
    r"database \"[^\"]*\" does not exist|数据库.*不存在": Words(
        "没有名为 {database} 的库，请检查库名，或由管理员建库", "there is no database called {database}; please check its name, or have it made"
    ),
    r"permission denied for database": Words(
        "{user} 不能使用库 {database}，请由管理员 grant connect", "{user} may not use the database {database}; have connect granted to it"
    ),
    r"pg_hba\.conf": Words(
        "服务器不让 {user} 从这台机器使用 {database}，请由管理员修改 pg_hba.conf",
        "the server does not let {user} in to {database} from this machine; have its pg_hba.conf changed",
    ),
    r"starting up|shutting down|recovery mode|正在启动|正在关闭": Words(
        "服务器正在启动或停止，请稍候再试", "the server is starting or stopping; please try again soon"
    ),
    r"too many (clients|connections)|connection slots": Words(
        "服务器的连接已满，请稍候再试，或调大 max_connections", "all connections of the server are in use; please try again, or raise max_connections"
    ),
    r"SSL|certificate|sslmode": Words(
        "加密连接没有建立（{said}），请检查 sslmode 和证书", "no encrypted connection ({said}); please check sslmode and certificates"
    ),
}
"""The causes by the words that tell them, in the order in which they are looked for."""
OTHER = Words("{said}；请检查主机、端口、库名、用户名和口令", "{said}; please check host, port, database, user and password")


def not_reached(error: DBAPIError, url: str, variable: str) -> NotReached | None:
    """Turn a failed connection into a refusal that names the setting and the cause.

    None for an error of a database that was reached.
    """
    if not isinstance(error, OperationalError | ProgrammingError) or getattr(error.orig, "sqlstate", None):
        return None
    words = " ".join(str(error.orig).split())
    said = re.sub(r"^connection (failed|is bad): (connection to \S+ .*? failed: )?", "", words)
    cause = next((cause for pattern, cause in CAUSES.items() if re.search(pattern, words)), OTHER)
    to = make_url(url)
    told = cause.format(said=said, user=to.username or "-", database=to.database or "", **_place(to))
    return NotReached(Words(f"{variable} 连不上数据库：{told}", f"{variable} does not lead to a database: {told.en}"))


def _place(url: URL) -> dict[str, str]:
    """Say where a URL leads; libpq's own places are in its query."""
    host, port = url.query.get("host"), url.query.get("port")
    return {"host": url.host or _joined(host) or "localhost", "port": str(url.port or _joined(port) or 5432)}


def _joined(value: str | tuple[str, ...] | None) -> str:
    return value if isinstance(value, str) else ",".join(value or ())
