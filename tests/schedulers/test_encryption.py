"""Letters and passwords on their way to the mail server: encrypted where it can be, or not sent.

The mail server is real; its certificate is its own.
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from sqlalchemy import Engine
from structlog.testing import capture_logs

from schedulers.courier import Outcome
from schedulers.delivery import deliver
from tests.support.mail_server import MailServer
from tests.support.running.workers import ledger, queue
from workflow.foundation.vocabulary import LetterState

ELSEWHERE = "0.0.0.0"  # noqa: S104  (a host that is not loopback, and reached without a network)


class TellingServer(MailServer):
    """Tells whether a letter came encrypted, and which password it heard."""

    def __init__(self) -> None:
        super().__init__()
        self.encrypted: list[bool] = []
        self.heard: list[tuple[bytes, bool]] = []

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        self.encrypted.append(session.ssl is not None)
        return await super().handle_MAIL(server, session, envelope, address, options)

    def sign_in(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.heard.append((given.password, session.ssl is not None))
        return AuthResult(success=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 that nobody knows; the file and its key."""
    folder = tmp_path_factory.mktemp("tls")
    file, key = folder / "cert.pem", folder / "key.pem"
    names = "subjectAltName=IP:127.0.0.1"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    made = ["-nodes", "-subj", "/CN=mail", "-addext", names, "-days", "2", "-out", str(file), "-keyout", str(key)]
    subprocess.run(["openssl", "req", "-x509", *curve, *made], check=True, capture_output=True)
    return file, key


def running(tls: ssl.SSLContext | None) -> Iterator[TellingServer]:
    server = TellingServer()
    controller = Controller(server, hostname="127.0.0.1", port=server.port, tls_context=tls, authenticator=server.sign_in, auth_require_tls=False)
    controller.start()
    server.encrypted.clear()
    yield server
    controller.stop()


@pytest.fixture
def offers(certificate: tuple[Path, Path]) -> Iterator[TellingServer]:
    """A server that offers STARTTLS."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    yield from running(tls)


@pytest.fixture
def stripped() -> Iterator[TellingServer]:
    """A server whose offer somebody on the way has taken out."""
    yield from running(None)


def send(engine: Engine, url: str, *, later: timedelta = timedelta()) -> dict[Outcome, int]:
    return deliver(engine, smtp_url=url, sender="zhibu@school.example", now=datetime.now(UTC) + later)


def error_of(engine: Engine) -> str:
    """Give the reason why the letter still waits."""
    [letter] = ledger(engine).values()
    assert letter.state is LetterState.PENDING
    return letter.error or ""


def test_what_is_offered_is_taken_also_without_a_password(engine: Engine, offers: TellingServer) -> None:
    queue(engine, "w5")
    assert send(engine, offers.url) == {Outcome.SENT: 1}
    assert offers.encrypted == [True]


def test_a_url_that_insists_sends_nothing_where_the_offer_was_taken_out(engine: Engine, stripped: TellingServer) -> None:
    queue(engine, "w5")
    with capture_logs() as logs:
        assert send(engine, f"smtp+starttls://zhibu:secret@127.0.0.1:{stripped.port}") == {}
    assert (stripped.encrypted, stripped.heard, stripped.received) == ([], [], [])
    assert error_of(engine) == "connect STARTTLS not offered"
    assert [each for each in logs if each["event"] == "mail-server-unavailable"] != []
    assert "school.example" not in str(logs)


def test_a_url_that_insists_checks_the_certificate(
    engine: Engine, offers: TellingServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(engine, "w5")
    url = f"smtp+starttls://zhibu:secret@127.0.0.1:{offers.port}"
    assert send(engine, url) == {}
    assert (error_of(engine), offers.heard) == ("connect SSLCertVerificationError", [])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert send(engine, url, later=timedelta(minutes=2)) == {Outcome.SENT: 1}
    assert (offers.encrypted, offers.heard) == ([True], [(b"secret", True)])


def test_a_password_never_leaves_the_machine_in_the_clear(engine: Engine, stripped: TellingServer) -> None:
    queue(engine, "w5")
    assert send(engine, f"smtp://zhibu:secret@{ELSEWHERE}:{stripped.port}") == {}
    assert (stripped.heard, stripped.received) == ([], [])
    assert error_of(engine) == "connect STARTTLS not offered"


@pytest.mark.parametrize("user", ["", "zhibu:secret@"])
def test_on_this_machine_nothing_is_insisted_upon(engine: Engine, stripped: TellingServer, user: str) -> None:
    queue(engine, "w5")
    assert send(engine, f"smtp://{user}127.0.0.1:{stripped.port}") == {Outcome.SENT: 1}
    assert (stripped.encrypted, stripped.heard) == ([False], [(b"secret", False)] if user else [])
