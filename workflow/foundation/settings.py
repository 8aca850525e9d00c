"""Settings (设置): the ``ZHIBU_*`` variables.

A missing, malformed or misspelt one stops the start with one message that names all of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails

from workflow.foundation.addresses import PLACEHOLDER, database_address
from workflow.foundation.errors import SettingsInvalid, Words

PREFIX = "ZHIBU_"
LEAST_KEY = 16
MOST_TOKEN_DAYS = 2 * 365 + 1
"""The longest life of a token: two years."""
MONTH_HOURS, DAY_SECONDS = 31 * 24, 24 * 3600
WAITS_IN_A_LEASE = 20
"""So many waits for the mail server fit into a lease: each step of a letter waits once or twice."""
UPLOAD_BYTES = 10 * 1024 * 1024
"""The largest file that a school takes, unless it sets its own limit."""
MOST_CHARACTERS = 200
"""The longest line at the end of letters."""
SENDER = re.compile(r"(?P<named>[^<>@,\r\n]+ <)?[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9.-]+(?(named)>)", re.ASCII)
"""One address, alone or behind a name: ``zhibu@example.edu.cn``, ``Office <zhibu@…>``."""


class Settings(BaseModel):
    """The settings of a school, set once. Units stand in the names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    database_url: str | None = None
    """The application's own login.

    Without it an embedded PostgreSQL starts in the data directory.
    """
    owner_database_url: str | None = None
    """The login that owns the tables, for ``migrate`` alone.

    Default: the same as ``database_url``.
    """
    test_database_url: str | None = None
    """A superuser on a real server that the tests may make databases on."""
    smtp_url: str | None = None
    """``smtps://[user:password@]host:port``: TLS from the first byte.

    ``smtp+starttls://`` insists on STARTTLS, ``smtp://`` takes it where it is offered.
    """
    mail_from: str = "zhibu@localhost"
    contact: str | None = None
    """The office's name and telephone, with which letters end: 党委办公室 0371-00000000."""
    secret_key: SecretStr | None = None
    seal_key: SecretStr | None = None
    """The keys of the seals of the history, with commas between: the first seals, all prove.

    Default: one that is derived from ``secret_key``.
    """
    base_url: str | None = None
    """The address where people reach the service, as the links in letters have it."""
    data_dir: Path = Path("zhibu-data")
    session_hours: Annotated[int, Field(gt=0, le=MONTH_HOURS)] = 12
    token_days: Annotated[int, Field(gt=0, le=MOST_TOKEN_DAYS)] = 365
    invitation_hours: Annotated[int, Field(gt=0, le=MONTH_HOURS)] = 72
    """The number of hours in which the link in a letter can set a password."""
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    """The number of our own proxies in front of the service.

    So many entries of ``X-Forwarded-For``, from its end, are believed.
    """
    metrics_from: str = "127.0.0.0/8,::1"
    """The addresses and networks that may read ``/metrics``, with commas between them."""
    tick_seconds: Annotated[float, Field(gt=0, le=3600)] = 30
    lease_seconds: Annotated[float, Field(gt=0, le=DAY_SECONDS)] = 600
    """The time a letter belongs to one worker before another may take it.

    Twenty times the wait below, or a slow mail server keeps a letter longer than its worker may.
    """
    smtp_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    """The longest wait for each answer of the mail server."""
    upload_bytes: Annotated[int, Field(gt=0, le=10 * UPLOAD_BYTES)] = UPLOAD_BYTES
    lang: Literal["zh", "en"] | None = None
    """The language of the command line; default: English in an English locale, else Chinese."""

    @field_validator("database_url", "owner_database_url", "test_database_url")
    @classmethod
    def _postgresql(cls, value: str | None) -> str | None:
        return database_address(value) if value is not None else None

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: str | None) -> str | None:
        if value is not None:
            parts = _parts(value)
            if parts is None or parts.scheme not in {"smtp", "smtps", "smtp+starttls"} or not parts.hostname:
                shape = "smtp://host:port, smtps://user:password@host:port or smtp+starttls://user:password@host:port"
                zh = "应形如 smtp://主机:端口、smtps://用户:密码@主机:端口 或 smtp+starttls://用户:密码@主机:端口"
                raise ValueError(Words(zh, f"it should look like {shape}"))
            _replaced(value)
            if parts.netloc.count("@") > 1 or parts.fragment:
                raise ValueError(ESCAPED)
            _port(parts.netloc.rpartition("@")[2])
        return value

    @field_validator("mail_from")
    @classmethod
    def _one_address(cls, value: str) -> str:
        if not SENDER.fullmatch(value):
            zh = "应为一个邮箱地址，如 zhibu@example.edu.cn"
            raise ValueError(Words(zh, "it should be one mail address such as zhibu@example.edu.cn"))
        return value

    @field_validator("contact")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        if value is not None and (len(value) > MOST_CHARACTERS or not value.isprintable()):
            raise ValueError(Words(f"应为一行文字，至多 {MOST_CHARACTERS} 个字", f"it should be one line of {MOST_CHARACTERS} characters at most"))
        return value

    @field_validator("base_url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        if value is not None:
            parts = _parts(value)
            other = parts is None or parts.query or parts.fragment or "@" in parts.netloc or not value.isprintable() or " " in value
            if other or parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(Words("应形如 https://zhibu.example.edu.cn", "it should look like https://zhibu.example.edu.cn"))
            _port(parts.netloc)
        return value.rstrip("/") if value else value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _not_here_by_accident(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ValueError(Words("是空的：请写一个目录，或删去这一行", "it is empty: please name a directory, or delete the line"))
        return value

    @field_validator("secret_key", "seal_key")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse keys that are short, or the example's; ``seal_key`` may have several."""
        if value is None:
            return None
        if PLACEHOLDER in value.get_secret_value():
            en = "it is still the example's, which everybody knows: please put the output of openssl rand -base64 32 there"
            raise ValueError(Words("还是样例里的那一行，谁都知道：请换成 openssl rand -base64 32 的输出", en))
        return value

    @field_validator("secret_key")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < LEAST_KEY:
            raise ValueError(Words(f"至少 {LEAST_KEY} 个字符", f"at least {LEAST_KEY} characters"))
        return value

    @field_validator("seal_key")
    @classmethod
    def _each_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(each.strip()) < LEAST_KEY for each in value.get_secret_value().split(",")):
            en = f"at least {LEAST_KEY} characters each, with commas between them"
            raise ValueError(Words(f"每个至少 {LEAST_KEY} 个字符，几个之间用逗号分开", en))
        return value

    @field_validator("metrics_from")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            networks_of(value)
        except ValueError:
            raise ValueError(
                Words("应为逗号分开的地址或网段，如 127.0.0.1,10.0.0.0/8", "it should be addresses or networks such as 127.0.0.1,10.0.0.0/8")
            ) from None
        return value

    @property
    def too_short_a_lease(self) -> Words | None:
        """Say what is wrong with a lease that a slow mail server outlasts; None if nothing."""
        least = WAITS_IN_A_LEASE * self.smtp_timeout_seconds
        if self.lease_seconds >= least:
            return None
        zh = f"{PREFIX}LEASE_SECONDS 是 {self.lease_seconds:g} 秒，应不少于 {PREFIX}SMTP_TIMEOUT_SECONDS 的 {WAITS_IN_A_LEASE} 倍（{least:g} 秒）"
        en = f"{PREFIX}LEASE_SECONDS is {self.lease_seconds:g}: it should be {least:g}, {WAITS_IN_A_LEASE} times {PREFIX}SMTP_TIMEOUT_SECONDS"
        return Words(f"{zh}，否则邮件服务器慢时同一封信可能发两次", f"{en}, or a letter may go twice when the mail server is slow")

    def required(self, *names: str) -> None:
        """Refuse to start without these settings.

        Raises SettingsInvalid naming each one that is missing.
        """
        _refuse(_missing(name for name in names if getattr(self, name) is None))


ESCAPED = Words(
    "口令里的 @ : / ? # % 要写成 %40 %3A %2F %3F %23 %25",
    "within the password @ : / ? # % are written %40 %3A %2F %3F %23 %25",
)


def _replaced(value: str) -> None:
    if PLACEHOLDER in value:
        raise ValueError(Words("还是样例里的那一行，请换成本校的", "it is still the example's line: please put your own there"))


def _parts(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:
        return None


def _port(place: str) -> None:
    """Raise ValueError for a port that is none; an IPv6 address stands in brackets."""
    number = place.rpartition("]")[2].rpartition(":")[2] if ":" in place.rpartition("]")[2] else ""
    if number and not (re.fullmatch("[0-9]{1,5}", number) and 0 < int(number) < 65536):
        zh, en = "端口应为 1 至 65535 的整数", "the port should be a number from 1 to 65535"
        raise ValueError(Words(f"{zh}，{ESCAPED}", f"{en}, {ESCAPED.en}"))


def networks_of(text: str) -> list[IPv4Network | IPv6Network]:
    """Read addresses and networks that stand in a list. Raises ValueError for anything else."""
    return [ip_network(each.strip()) for each in text.split(",") if each.strip()]


def is_within(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Tell whether an address lies in one of these networks; IPv4 in IPv6 counts as IPv4."""
    try:
        client = ip_address(address)
    except ValueError:
        return False
    client = getattr(client, "ipv4_mapped", None) or client
    return any(client in network for network in networks)


def read_settings(environ: Mapping[str, str] | None = None, *, needed: Iterable[str] = (), **overrides: Any) -> Settings:
    """Read ``ZHIBU_*`` from the environment.

    Raises SettingsInvalid naming every variable that is unknown, wrong, or needed and missing.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    known = {PREFIX + name.upper(): name for name in Settings.model_fields}
    faults = [_unknown(name, known) for name in given if name not in known]
    values: dict[str, Any] = {known[name]: value for name, value in given.items() if name in known}
    if values.get("owner_database_url") is not None:
        # Else the embedded database would be used, without a word.
        needed = [*needed, "database_url"]
    faults += _missing(name for name in needed if {**values, **overrides}.get(name) is None)
    try:
        settings = Settings(**{**values, **overrides})
    except ValidationError as error:
        for each in error.errors():
            variable, reason = PREFIX + str(each["loc"][0]).upper(), _reason(each)
            faults.append(Words(f"设置 {variable} 有误：{reason}", f"the setting {variable} is wrong: {reason.en}"))
        _refuse(faults)
        raise
    _refuse(faults)
    return settings


def _unknown(name: str, known: Iterable[str]) -> Words:
    near = get_close_matches(name, known, n=1)
    zh, en = f"，是不是 {near[0]}？" if near else "，请检查拼写", f", did you mean {near[0]}?" if near else ", please check its spelling"
    return Words(f"不认识的设置 {name}{zh}", f"unknown setting {name}{en}")


def _missing(names: Iterable[str]) -> Iterator[Words]:
    for name in names:
        variable, (zh, en) = PREFIX + name.upper(), EXAMPLES[name]
        yield Words(f"缺少设置 {variable}，{zh}", f"the setting {variable} is missing, {en}")


def _refuse(faults: Iterable[Words]) -> None:
    """Raise SettingsInvalid with all faults in one line, if there are any."""
    if found := list(faults):
        raise SettingsInvalid(Words("；".join(found), "; ".join(each.en for each in found)))


EXAMPLES = {
    "database_url": ("只有 ZHIBU_OWNER_DATABASE_URL", "there is only ZHIBU_OWNER_DATABASE_URL"),
    "secret_key": ("请用 openssl rand -base64 32 生成一个", "please make one with openssl rand -base64 32"),
    "base_url": ("如 https://zhibu.example.edu.cn", "such as https://zhibu.example.edu.cn"),
    "smtp_url": ("如 smtp://mail.example.edu.cn:25", "such as smtp://mail.example.edu.cn:25"),
}
"""The advice for each setting that a command cannot do without."""
_REASONS = {
    "int_parsing": Words("应为整数", "it should be a whole number"),
    "int_parsing_size": Words("应为整数", "it should be a whole number"),
    "float_parsing": Words("应为数字", "it should be a number"),
    "greater_than": Words("应为正数", "it should be above zero"),
    "greater_than_equal": Words("应为 0 或正整数", "it should be 0 or a positive whole number"),
    "less_than_equal": Words("至多 {le}", "it should be {le} at most"),
    "literal_error": Words("应为 zh 或 en", "it should be zh or en"),
}


def _reason(error: ErrorDetails) -> Words:
    """Say what is wrong with a value; ours are raised as Words, which pydantic keeps whole."""
    if error["type"] == "value_error":
        ours = error["ctx"]["error"].args[0]
        return ours if isinstance(ours, Words) else Words(str(ours), str(ours))
    return _REASONS[error["type"]].format(**error.get("ctx", {}))
