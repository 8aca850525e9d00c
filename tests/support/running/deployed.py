"""A school as ``deploy/`` puts it up: nginx with the shipped file, a held socket, the processes."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy.orm import Session

from tests.support.builders import person
from tests.support.mail_server import free_port
from workflow.people.accounts import issue_token

NAME = "zhibu.example.edu.cn"
MARK = "# 换"
"""The mark on the lines of the shipped file that a school changes; nothing else is changed here."""
NEIGHBOUR, STRANGER = "127.0.0.2", "127.0.0.3"
"""Other addresses of this machine: the service tells the one its numbers, nginx neither."""
PATIENCE_SECONDS = 60
WITH_SOCKET = 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
"""Hand a socket over as systemd does: as descriptor 3, to the process that is named."""


def wait_until(true: Callable[[], object], log: Path, seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, log.read_text(encoding="utf-8", errors="replace")[-4000:]
        time.sleep(0.02)


def a_token(session: Session, name: str) -> str:
    """Sign somebody in for an hour of today."""
    now = datetime.now(UTC)
    return issue_token(session, person(session, name), name="test", now=now, expires_at=now + timedelta(hours=1)).secret


def debian(program: str, package: str) -> str:
    """Find a program; as root, install its package from Debian where it is missing."""
    if not shutil.which(program) and os.geteuid() == 0 and shutil.which("apt-get"):
        quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", package]):
            subprocess.run(["apt-get", *words], env=quietly, check=True, capture_output=True)
    found = shutil.which(program)
    assert found, f"this test needs {program}: apt-get install {package}"
    return found


# ── the service ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Web:
    """``zhibu serve``, started and stopped as its unit does, at a socket that stays open."""

    project: Path
    log: Path
    environ: Mapping[str, str]
    listener: socket.socket | None
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, ready: bool = True) -> None:
        command = [sys.executable, "-m", "cli", "serve", "--port", str(self.port)]
        given: tuple[int, ...] = ()
        if self.listener is not None:
            given = (self.listener.fileno(),)
            command = ["bash", "-c", WITH_SOCKET, str(given[0]), *command]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=self.project, env=dict(self.environ), stdout=output, stderr=output, pass_fds=given, start_new_session=True
            )
        if ready:
            wait_until(self.is_ready, self.log)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8", errors="replace")[-4000:]
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.address}/readyz", timeout=30).status_code == 200
        return False

    def stop(self) -> None:
        """Send SIGTERM to the master alone, and wait until all have ended."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_SECONDS)

    def restart(self) -> None:
        """Do what ``systemctl restart`` does: it does not wait until the new one is ready."""
        self.stop()
        self.start(ready=False)


def settings(database_url: str, folder: Path, **more: str) -> dict[str, str]:
    """Give the environment of a service behind one proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
    ours = {
        "ZHIBU_DATABASE_URL": database_url.replace("+psycopg", ""),
        "ZHIBU_SECRET_KEY": "the secret of a deployment",
        "ZHIBU_BASE_URL": f"https://{NAME}",
        "ZHIBU_DATA_DIR": str(folder),
        "ZHIBU_TRUSTED_PROXIES": "1",
        "ZHIBU_METRICS_FROM": f"127.0.0.1,{NEIGHBOUR}",
    }
    return {**kept, **ours, **more}


@contextmanager
def a_web(project: Path, folder: Path, environ: Mapping[str, str], *, held: bool = True) -> Iterator[Web]:
    """Hold a listening socket, as systemd does for a socket unit, and start the service at it.

    Without ``held`` the service listens by itself.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048) if held else None
    port = listener.getsockname()[1] if listener else free_port()
    web = Web(project, folder / "web.log", environ, listener, port)
    try:
        web.start()
        yield web
    finally:
        web.stop()
        if listener is not None:
            listener.close()


# ── nginx ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Front:
    """nginx in front of a service: its two ports, and the trust in its certificate."""

    plain: int
    secure: int
    trust: ssl.SSLContext
    folder: Path

    def client(self, token: str | None = None, *, source: str | None = None) -> httpx.Client:
        """Give a client that asks by the school's name, from another address if one is named."""
        headers = {"Host": NAME, **({"Authorization": f"Bearer {token}"} if token else {})}
        transport = httpx.HTTPTransport(verify=self.trust, local_address=source)
        client = httpx.Client(base_url=f"https://127.0.0.1:{self.secure}", transport=transport, headers=headers, timeout=PATIENCE_SECONDS)
        client.event_hooks = {"request": [_by_name]}
        return client

    def say(self, sent: bytes, *, source: str = "127.0.0.1") -> bytes:
        """Send bytes as they are over TLS, and read to the end of the answer."""
        with closing(self.connect(source)) as line:
            line.sendall(sent)
            return b"".join(iter(lambda: line.recv(65536), b""))

    def connect(self, source: str = "127.0.0.1") -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.secure), timeout=PATIENCE_SECONDS, source_address=(source, 0))
        return self.trust.wrap_socket(plain, server_hostname=NAME)


def _by_name(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = NAME


def a_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of the school's name, signed by itself."""
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    words = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    command = [debian("openssl", "openssl"), "req", *words, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def made_ones_own(shipped: str, own: Mapping[str, str]) -> str:
    """Change the shipped file where it says so, on the marked lines alone."""
    lines = shipped.splitlines()
    for old, new in own.items():
        marked = [number for number, line in enumerate(lines) if MARK in line and old in line]
        assert marked, f"no line with {old} is marked with {MARK}"
        for number in marked:
            lines[number] = lines[number].replace(old, new)
    return "\n".join(lines)


AROUND = """
daemon off;
user {user};
pid {folder}/nginx.pid;
error_log {folder}/around.log warn;
events {{ worker_connections 768; }}
http {{
    # As a school's own nginx.conf may have it.
    gzip on;
    gzip_types application/json application/problem+json;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/zhibu.conf;
}}
"""


@contextmanager
def a_front(project: Path, folder: Path, upstream: int) -> Iterator[Front]:
    """Run nginx with the shipped file in front of a service."""
    nginx, (certificate, key) = debian("nginx", "nginx"), a_certificate(folder)
    plain, secure = free_port(), free_port()
    own = {
        "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{secure} ssl;",
        "/etc/ssl/zhibu/fullchain.pem": str(certificate),
        "/etc/ssl/zhibu/privkey.pem": str(key),
        "/var/log/nginx/zhibu.log": str(folder / "nginx.log"),
    }
    shipped = (project / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    (folder / "zhibu.conf").write_text(made_ones_own(shipped, own), encoding="utf-8")
    user = "root" if os.geteuid() == 0 else "nobody"
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user), encoding="utf-8")
    command = [nginx, "-c", str(folder / "nginx.conf"), "-e", str(folder / "around.log")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    front = Front(plain, secure, ssl.create_default_context(cafile=str(certificate)), folder)

    def answers() -> bool:
        assert process.poll() is None, (folder / "around.log").read_text(encoding="utf-8")
        with suppress(OSError), socket.create_connection(("127.0.0.1", secure), timeout=1):
            return True
        return False

    try:
        wait_until(answers, folder / "around.log")
        yield front
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
