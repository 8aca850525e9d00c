"""The files of ``deploy/`` as a school puts them up: nginx, TLS, the service behind it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import B
from tests.support.builders import a_school
from tests.support.mail_server import free_port
from tests.support.running.deployed import NAME, NEIGHBOUR, STRANGER, Front, Web, a_front, a_token, a_web, debian, settings
from tests.support.running.postgres import a_clone
from workflow.foundation.database import engine_for, transaction

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
MIB = 1024 * 1024
NUMBERS = b"zhibu_http_requests"


@dataclass(frozen=True)
class Deployed:
    """A school behind nginx, with the tokens of its people."""

    web: Web
    front: Front
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def deployed(superuser: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    project, folder = Path(__file__).parents[2], tmp_path_factory.mktemp("deployed")
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            a_school(session)
            tokens = {who: a_token(session, who) for who in ("张三", "office")}
        engine.dispose()
        with a_web(project, folder, settings(url, folder)) as web, a_front(project, folder, web.port) as front:
            yield Deployed(web, front, tokens)


# ── the numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────

SPELLINGS = (
    "/metrics",
    "/metrics/",
    "/metrics?x=1",
    "/metrics%2f",
    "/metrics%2F",
    "//metrics",
    "/./metrics",
    "/x/../metrics",
    "/x/..%2fmetrics",
    "/%6detrics",
    "/%2fmetrics",
    "/%252fmetrics",
    "/metrics;x",
    "/metrics%00",
    "/Metrics",
    "/METRICS",
    "/\\metrics",
    "/metrics#x",
    f"https://{NAME}/metrics",
    "/api/v1/../../metrics",
    "/healthz/../metrics",
)


@pytest.mark.parametrize("path", SPELLINGS)
def test_a_stranger_reads_no_numbers_in_any_spelling(deployed: Deployed, path: str) -> None:
    claims = ("", "X-Forwarded-For: 127.0.0.1\r\n", "Forwarded: for=127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n")
    for source, claimed in product((NEIGHBOUR, STRANGER), claims):
        asked = f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\n{claimed}Connection: close\r\n\r\n"
        answer = deployed.front.say(asked.encode(), source=source)
        assert int(answer.split()[1]) in (308, 400, 403, 404), answer[:200]
        assert NUMBERS not in answer


def test_those_who_watch_read_the_numbers_and_the_service_closes_them_by_itself(deployed: Deployed) -> None:
    with deployed.front.client() as client:
        assert NUMBERS in client.get("/metrics").content
    # Past nginx, on the machine itself: the service judges alone.
    for source, status in (("127.0.0.1", 200), (STRANGER, 403)):
        with httpx.Client(transport=httpx.HTTPTransport(local_address=source)) as client:
            answer = client.get(f"{deployed.web.address}/metrics")
        assert (answer.status_code, NUMBERS in answer.content) == (status, status == 200)


# ── what passes through ───────────────────────────────────────────────────────────────────────────────────────────────


def test_tags_stay_strong_and_a_weak_one_is_told_as_such(deployed: Deployed) -> None:
    """A school's nginx compresses JSON, and a compressed answer would have a weak tag."""
    path = f"/api/v1{B}/roll/w5"
    with deployed.front.client(deployed.tokens["张三"]) as client:
        seen = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert seen.status_code == 200, seen.text
        tag = seen.headers["ETag"]
        assert (tag[0], tag[-1], "Content-Encoding" in seen.headers) == ('"', '"', False)
        for worn in (f"W/{tag}", tag.strip('"')):
            refused = client.patch(path, json={"excused_reason": "外出"}, headers={"If-Match": worn})
            assert (refused.status_code, "If-Match" in refused.json()["detail"]) == (412, True), refused.text
        assert client.patch(path, json={"excused_reason": "外出"}, headers={"If-Match": tag}).status_code == 200


def test_what_is_too_large_is_told_as_a_problem_in_both_languages(deployed: Deployed) -> None:
    def parts(size: int) -> Iterator[bytes]:
        yield from [b" " * 65536] * (size // 65536)

    def sent(who: str, path: str, content: Any, **headers: str) -> httpx.Response:
        with deployed.front.client(deployed.tokens[who]) as client:
            return client.post(f"/api/v1{path}", content=content, headers={"Content-Type": "application/json", **headers})

    for content in (b" " * (MIB + 1), b" " * (12 * MIB), parts(2 * MIB), parts(12 * MIB)):
        refused = sent("张三", f"{B}/talks", content)
        assert (refused.status_code, refused.headers["Content-Type"]) == (413, "application/problem+json")
        assert refused.json()["title"] == "内容太大"
    assert sent("张三", f"{B}/talks", b" " * (2 * MIB), **{"Accept-Language": "en"}).json()["title"] == "too large"
    # As much as the service takes comes to the service.
    assert sent("张三", f"{B}/talks", b"{" + b" " * (MIB - 1)).status_code == 400
    for size, told in ((10 * MIB, (201, "application/json")), (12 * MIB, (413, "application/problem+json"))):
        with deployed.front.client(deployed.tokens["office"]) as client:
            answer = client.post("/api/v1/roster-imports", files={"file": ("名册.xlsx", b"x" * size)})
        assert (answer.status_code, answer.headers["Content-Type"]) == told, answer.text
    assert b"D0101" not in (deployed.front.folder / "nginx.log").read_bytes()


def test_a_foreign_host_comes_back_in_no_answer(deployed: Deployed) -> None:
    port = deployed.front.plain
    for path in ("/", "/docs", "//evil.example/x"):
        moved = httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Host": "evil.example"})
        assert (moved.status_code, moved.headers["Location"]) == (301, f"https://{NAME}{path}")
        for line in ("Host: evil.example", f"Host: {NAME}\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Prefix: /evil.example"):
            answer = deployed.front.say(f"GET {path} HTTP/1.1\r\n{line}\r\nConnection: close\r\n\r\n".encode())
            location = [each for each in answer.split(b"\r\n") if each.lower().startswith(b"location:")]
            assert not any(b"://evil" in each or b"evil.example/docs" in each for each in location), answer[:300]


def test_headers_about_the_way_are_believed_of_nginx_alone(deployed: Deployed) -> None:
    claimed = {
        "SCRIPT_NAME": "/healthz",
        "Script-Name": "/healthz",
        "PATH_INFO": "/nowhere",
        "X-Forwarded-Ssl": "off",
        "X-Forwarded-Protocol": "http",
    }
    with deployed.front.client() as client:
        answer = client.get("/healthz", headers={**claimed, "X-Request-ID": "of-the-caller"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["X-Request-ID"] != "of-the-caller"
    # The same from this machine, past nginx.
    near = httpx.get(f"{deployed.web.address}/healthz", headers=claimed)
    assert (near.status_code, near.json()) == (200, {"status": "ok"})


# ── slow callers ──────────────────────────────────────────────────────────────────────────────────────────────────────

HALF_A_HEAD = f"GET /healthz HTTP/1.1\r\nHost: {NAME}\r\nX-Slow: ".encode()
HALF_A_BODY = f"POST /api/v1/session HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode()
CALLERS = 40


@pytest.mark.parametrize("begun", [b"", HALF_A_HEAD, HALF_A_BODY], ids=["nothing", "head", "body"])
def test_forty_slow_callers_do_not_stop_the_service(deployed: Deployed, begun: bytes) -> None:
    with slow_callers(deployed.front, begun), deployed.front.client() as client:
        for _ in range(10):
            began = time.monotonic()
            assert client.get("/healthz").status_code == 200
            assert time.monotonic() - began < 2


@contextmanager
def slow_callers(front: Front, begun: bytes) -> Iterator[None]:
    lines = [front.connect() for _ in range(CALLERS)]
    try:
        for line in lines:
            line.sendall(begun)
        yield
    finally:
        for line in lines:
            line.close()


# ── a service that is not there ───────────────────────────────────────────────────────────────────────────────────────


def test_a_service_that_is_away_is_told_as_a_problem(project: Path, tmp_path: Path) -> None:
    with a_front(project, tmp_path, free_port()) as front, front.client() as client:
        answer = client.get(f"/api/v1{B}/roll/w5")
        told = answer.json()
        assert (answer.status_code, answer.headers["Content-Type"], answer.headers["Retry-After"]) == (502, "application/problem+json", "5")
        assert (told["title"], len(told["request_id"])) == ("服务没有应答", 32)
        assert client.get("/", headers={"Accept-Language": "en-GB"}).json()["title"] == "no answer"
    assert (tmp_path / "nginx.log").read_bytes() == b"", "its lines would have paths, and paths have 学工号"


# ── the units ─────────────────────────────────────────────────────────────────────────────────────────────────────────

UNITS = ("zhibu-web.socket", "zhibu-web.service", "zhibu-worker.service")


def test_systemd_takes_the_units_as_they_are(project: Path, tmp_path: Path) -> None:
    """Each line is known to systemd, and little is open to a service that was taken over."""
    analyze = debian("systemd-analyze", "systemd")
    units, program = tmp_path / "etc/systemd/system", tmp_path / "opt/zhibu/.venv/bin/zhibu"
    for folder in (units, program.parent, tmp_path / "usr/lib/systemd"):
        folder.mkdir(parents=True)
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS:
        shutil.copy(project / "deploy" / unit, units)
    said = subprocess.run([analyze, "verify", f"--root={tmp_path}", *UNITS], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    for unit in UNITS[1:]:
        command = [analyze, "security", "--offline=true", "--json=short", "--threshold=20", str(units / unit)]
        judged = subprocess.run(command, capture_output=True, text=True, check=False)
        worst = [each["name"] for each in json.loads(judged.stdout[judged.stdout.index("[") :]) if (each["exposure"] or "0") >= "0.3"]
        assert judged.returncode == 0, f"{unit}: {worst}"
