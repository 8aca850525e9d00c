"""Running the demo (演示): the web server in this thread, the worker in another, so that nothing outlives the one process."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
from pydantic import SecretStr

from api import create_app
from api.server.serving import serve_in_this_process
from workflow import demo as demo_school
from workflow.foundation.database import Engine
from workflow.foundation.settings import Settings
from workflow.foundation.vocabulary import Role, utc_now

Worker = Callable[[Engine, Settings, threading.Event], None]
"""Ticks until the event is set."""


def must_be_free(port: int) -> None:
    """Raises ClickException when somebody listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise click.ClickException(f"端口 {port} 已被占用，请用 --port 换一个") from None


def kept_secret(data_dir: Path) -> SecretStr:
    """The demo's secret key, the same at every start, so that sign-ins survive one."""
    path = data_dir / "secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return SecretStr(path.read_text())


def run_demo(engine: Engine, settings: Settings, run_worker: Worker, *, port: int, accounts_file: Path, newest_migration: str | None) -> None:
    """Build the school if there is none, write the accounts file, and serve and tick until told to stop."""
    now = utc_now()
    if not demo_school.is_there(engine):
        with click.progressbar(
            demo_school.build(engine, now=now, base_url=settings.base_url or ""), length=len(demo_school.SKETCHES) + 2, label="建立示范学校"
        ) as steps:
            for _ in steps:
                pass
    accounts = demo_school.issue_accounts(engine, now=now)
    _write_whole(accounts_file, json.dumps([asdict(each) for each in accounts], ensure_ascii=False, indent=1))
    click.echo(_welcome(settings, accounts, accounts_file))
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(engine, settings, stop), name="worker")
    worker.start()
    try:
        serve_in_this_process(create_app(engine, settings, newest_migration=newest_migration), host="127.0.0.1", port=port)
    finally:
        stop.set()
        worker.join()


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _welcome(settings: Settings, accounts: list[demo_school.DemoAccount], accounts_file: Path) -> str:
    base, first = settings.base_url, demo_school.FIRST
    rows = [
        f"  {each.role:<17} {each.staff_no:<10} {each.branch or '-':<6} {each.name}{f'（{each.post.zh}）' if each.post else ''}" for each in accounts
    ]
    token = next(each.token for each in accounts if each.role is Role.SECRETARY and each.branch == first)
    return "\n".join(
        (
            f"\n服务地址   {base}（接口文档 {base}/docs）",
            f"账号文件   {accounts_file}（口令都是 {demo_school.PASSWORD}，令牌在文件里）",
            f"收到的信   {settings.data_dir / 'mail'}",
            "",
            "  角色              学工号      支部    姓名",
            *rows,
            "",
            "用 curl 试一试（书记看本支部还缺什么）：",
            f"  TOKEN={token}",
            f'  curl -s -H "Authorization: Bearer $TOKEN" {base}/api/v1/cycles/{demo_school.YEAR}/branches/{first}/next',
            "",
            "按 Ctrl-C 停止。",
        )
    )
