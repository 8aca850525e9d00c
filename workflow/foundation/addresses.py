"""Addresses of servers (服务器的地址): a database's URL, read as PostgreSQL's own programs read it.

Nothing is asked of a network here.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from sqlalchemy import URL

from workflow.foundation.errors import Words

PLACEHOLDER = "换成"
"""The word that marks what is to be replaced in the shipped examples."""
STILL_THE_EXAMPLES = Words("还是样例里的那一行：请把“换成…”改为自己的口令", "it is still the example's: please put your own password there")
DRIVER = "postgresql+psycopg"
SCHEMES = {"postgresql", "postgres", DRIVER}
LOOK_FOR, PRIMARY = "target_session_attrs", "read-write"
CERTIFICATE_CHECKED = "verify-full"
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", CERTIFICATE_CHECKED),
    LOOK_FOR: ("any", PRIMARY, "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
}
"""The values of parameters that libpq would refuse only when it connects (PostgreSQL, 34.1.2)."""
ROOTS, ROOTS_BY_DEFAULT = "sslrootcert", Path("~/.postgresql/root.crt")


def database_address(value: str) -> str:
    """Read a database's URL as libpq does, and write it in SQLAlchemy's form.

    ``pg_dump`` and ``psql`` read the same variable, so one grammar holds for all: several hosts
    (``h1:5432,h2:5433``), Unix sockets, encryption. Of several servers the one that takes changes
    is looked for, unless the URL says otherwise. Raises ValueError with Words.
    """
    scheme, _, rest = value.partition("://")
    if scheme not in SCHEMES or not rest:
        raise ValueError(_SHAPE)
    if PLACEHOLDER in unquote(rest):
        raise ValueError(STILL_THE_EXAMPLES)
    _must_know_parameters(rest)
    try:
        given = conninfo_to_dict(f"postgresql://{rest}")
    except psycopg.ProgrammingError:
        raise ValueError(_ENCODED) from None
    parts = {name: str(part) for name, part in given.items()}
    _must_be_possible(parts)
    user, password, database = (parts.pop(name, None) for name in ("user", "password", "dbname"))
    if not database:
        raise ValueError(_NO_NAME)
    host, port = parts.pop("host", ""), parts.pop("port", "")
    if "," in host:
        parts = {LOOK_FOR: PRIMARY, **parts}
    places = {"host": host, "port": port if port.strip(",") else ""}
    single = not host.startswith("/") and "," not in f"{host}{port}"
    url = URL.create(DRIVER, username=user, password=password, database=database, query=parts)
    if single:
        url = url.set(host=host or None, port=int(port) if port else None)
    else:
        url = url.update_query_dict({name: place for name, place in places.items() if place})
    return url.render_as_string(hide_password=False)


def is_of_this_machine(host: str | None) -> bool:
    """Tell whether nothing that is sent to this host leaves the machine: loopback, Unix sockets."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


_NO_NAME = Words("缺库名，应以 /库名 结尾", "the name of the database is missing: it should end with /database")
_SHAPE = Words("应形如 postgresql://用户:密码@主机:端口/库名", "it should look like postgresql://user:password@host:port/database")
_ENCODED = Words(
    f"{_SHAPE.zh}，密码里的 @ / : ? % 写成 %40 %2F %3A %3F %25",
    f"{_SHAPE.en}, with @ / : ? % of a password as %40 %2F %3A %3F %25",
)


def _must_know_parameters(rest: str) -> None:
    query = rest.partition("?")[2]
    if "@" in query:  # no query: a password with a question mark, of which nothing is told
        raise ValueError(_ENCODED)
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} | {"ssl"}
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ValueError(Words(f"不认识的参数 {name}", f"unknown parameter {name}"))


def _must_be_possible(parts: Mapping[str, str]) -> None:
    """Refuse what libpq would refuse when it connects, as if the database were away."""
    for name, choices in CHOICES.items():
        if parts.get(name, choices[0]) not in choices:
            zh, en = f"参数 {name} 应为 {'、'.join(choices)} 之一", f"the parameter {name} should be one of {', '.join(choices)}"
            raise ValueError(Words(zh, en))
    hosts, ports = parts.get("host", "").split(","), parts.get("port", "").split(",")
    if any("@" in host[1:] for host in hosts) or not all(map(_is_port, ports)):
        raise ValueError(_ENCODED)
    if len(ports) not in (1, len(hosts)):
        raise ValueError(Words("主机和端口的个数不一致", "the numbers of hosts and ports differ"))
    if parts.get("sslmode", "").startswith("verify-") and parts.get(ROOTS) != "system":
        _must_be_readable(Path(parts.get(ROOTS) or ROOTS_BY_DEFAULT).expanduser())


def _is_port(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdigit() and 0 < int(text) < 65536)


def _must_be_readable(roots: Path) -> None:
    try:
        roots.open("rb").close()
    except OSError:
        zh = f"读不了数据库证书的签发者 {roots}：请放在那里，或用 {ROOTS}=文件 指明"
        en = f"the file {roots}, of whoever issued the database's certificate, cannot be read: please put it there, or name it with {ROOTS}="
        raise ValueError(Words(zh, en)) from None
