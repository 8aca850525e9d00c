"""Settings (设置): the ``ZHIBU_*`` variables.

A missing, malformed or misspelt one stops the start with one message naming it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails

from workflow.foundation.addresses import PLACEHOLDER, STILL_THE_EXAMPLES, database_address
from workflow.foundation.errors import SettingsInvalid, Words

PREFIX = "ZHIBU_"
LANGUAGES = ("zh", "en")
"""The languages that the command line speaks."""
MOST_TOKEN_DAYS = 2 * 365 + 1
"""The longest life of a token: two years."""
WAITS_IN_A_LEASE = 20
"""So many waits for the mail server fit into a lease: each step of a letter waits once or twice."""
UPLOAD_BYTES = 10 * 1024 * 1024
"""The largest file that a school takes, unless it sets its own limit."""


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
    session_hours: int = 12
    token_days: int = 365
    invitation_hours: int = 72
    """The number of hours in which the link in a letter can set a password."""
    trusted_proxies: int = 0
    """The number of our own proxies in front of the service.

    So many entries of ``X-Forwarded-For``, from its end, are believed.
    """
    metrics_from: str = "127.0.0.0/8,::1"
    """The addresses and networks that may read ``/metrics``, with commas between them."""
    tick_seconds: float = 30
    lease_seconds: float = 600
    """The time a letter belongs to one worker before another may take it.

    Twenty times the wait below, or a slow mail server keeps a letter longer than its worker may.
    """
    smtp_timeout_seconds: float = 30
    """The longest wait for each answer of the mail server."""
    upload_bytes: int = UPLOAD_BYTES
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
            parts = urlsplit(value)
            if PLACEHOLDER in value:
                raise ValueError(STILL_THE_EXAMPLES)
            if parts.scheme not in {"smtp", "smtps", "smtp+starttls"} or not parts.hostname:
                shape = "smtp://host:port, smtps://user:password@host:port or smtp+starttls://user:password@host:port"
                raise ValueError(
                    Words(
                        "应形如 smtp://主机:端口、smtps://用户:密码@主机:端口 或 smtp+starttls://用户:密码@主机:端口", f"it should look like {shape}"
                    )
                )
        return value

    @field_validator("base_url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(Words("应形如 https://zhibu.example.edu.cn", "it should look like https://zhibu.example.edu.cn"))
        return value.rstrip("/") if value else value

    @field_validator("secret_key")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError(Words("至少 16 个字符", "at least 16 characters"))
        if value is not None and PLACEHOLDER in value.get_secret_value():
            en = "it is still the example's, which everybody knows: please put the output of openssl rand -base64 32 there"
            raise ValueError(Words("还是样例里的那一行，谁都知道：请换成 openssl rand -base64 32 的输出", en))
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

    @field_validator("seal_key")
    @classmethod
    def _each_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(each.strip()) < 16 for each in value.get_secret_value().split(",")):
            raise ValueError(Words("每个至少 16 个字符，几个之间用逗号分开", "at least 16 characters each, with commas between them"))
        return value

    @field_validator("session_hours", "token_days", "invitation_hours", "tick_seconds", "lease_seconds", "smtp_timeout_seconds", "upload_bytes")
    @classmethod
    def _positive(cls, value: float) -> float:
        if value <= 0:
            raise ValueError(Words("应为正数", "it should be above zero"))
        return value

    @field_validator("token_days")
    @classmethod
    def _at_most_two_years(cls, value: int) -> int:
        if value > MOST_TOKEN_DAYS:
            raise ValueError(Words(f"至多 {MOST_TOKEN_DAYS} 天（两年）", f"it should be {MOST_TOKEN_DAYS} (two years) at most"))
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _count(cls, value: int) -> int:
        if value < 0:
            raise ValueError(Words("应为 0 或正整数", "it should be 0 or a positive whole number"))
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

        Raises SettingsInvalid naming the first one that is missing.
        """
        for name in names:
            if getattr(self, name) is None:
                variable = PREFIX + name.upper()
                raise SettingsInvalid(Words(f"缺少设置 {variable}", f"the setting {variable} is missing"))


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


def read_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read ``ZHIBU_*`` from the environment. Raises SettingsInvalid naming the variable."""
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in given:
        if name not in known:
            raise SettingsInvalid(Words(f"不认识的设置 {name}，请检查拼写", f"unknown setting {name}, please check its spelling"))
    values: dict[str, Any] = {name.removeprefix(PREFIX).lower(): value for name, value in given.items()}
    try:
        return Settings(**{**values, **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        variable = PREFIX + str(first["loc"][0]).upper()
        reason = _reason(first)
        raise SettingsInvalid(Words(f"设置 {variable} 有误：{reason}", f"the setting {variable} is wrong: {reason.en}")) from None


_REASONS = {
    "int_parsing": Words("应为整数", "it should be a whole number"),
    "float_parsing": Words("应为数字", "it should be a number"),
    "literal_error": Words("应为 zh 或 en", "it should be zh or en"),
}


def _reason(error: ErrorDetails) -> Words:
    """Say what is wrong with a value; ours are raised as Words, which pydantic keeps whole."""
    if error["type"] == "value_error":
        ours = error["ctx"]["error"].args[0]
        return ours if isinstance(ours, Words) else Words(str(ours), str(ours))
    return _REASONS.get(error["type"], Words(error["msg"], error["msg"]))
