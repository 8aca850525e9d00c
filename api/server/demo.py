"""Running the demo (演示): the web server in this thread, the worker in another.

Nothing outlives the one process.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
from pydantic import SecretStr

from api import create_app
from api.server.serving import AT_ONCE, serve_in_this_process
from workflow import demo as demo_school
from workflow.foundation.database import Engine
from workflow.foundation.errors import Words
from workflow.foundation.settings import Settings
from workflow.foundation.system_account import is_root
from workflow.foundation.vocabulary import Role, utc_now

Worker = Callable[[Engine, Settings, threading.Event], None]
"""A function that ticks until the event is set."""
Say = Callable[[Words], str]
"""A function that chooses the operator's language."""


def close_folder(data_dir: Path) -> None:
    """Make the data directory, open to nobody else: tokens and letters with links lie in it.

    One that was made before is closed too, if it is empty or a demo's; any other is left alone.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (data_dir / "secret").exists() or not any(data_dir.iterdir()):
        # Root's PostgreSQL runs under another account, which has to pass through.
        data_dir.chmod(data_dir.stat().st_mode & (0o711 if is_root() else 0o700))


def kept_secret(data_dir: Path) -> SecretStr:
    """Read the demo's secret key, or make it once: sign-ins survive a restart."""
    path = data_dir / "secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return SecretStr(path.read_text())


def run_demo(
    engine: Engine, settings: Settings, run_worker: Worker, *, port: int, accounts_file: Path, newest_migration: str | None, say: Say
) -> None:
    """Build the school if there is none and write the accounts file.

    Then serve and tick until a signal to stop.
    """
    now = utc_now()
    if not demo_school.is_there(engine):
        with click.progressbar(
            demo_school.build(engine, now=now, base_url=settings.base_url or ""),
            length=len(demo_school.SKETCHES) + 2,
            label=say(Words("建立示范学校", "making the school")),
        ) as steps:
            for _ in steps:
                pass
    accounts = demo_school.issue_accounts(engine, now=now)
    _write_whole(accounts_file, json.dumps([asdict(each) for each in accounts], ensure_ascii=False, indent=1))
    click.echo(say(_welcome(settings, accounts, accounts_file, demo_school.year_of(engine))))
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(engine, settings, stop), name="worker")
    worker.start()
    try:
        serve_in_this_process(create_app(engine, settings, newest_migration=newest_migration, at_once=AT_ONCE), host="127.0.0.1", port=port)
    finally:
        stop.set()
        worker.join()


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _welcome(settings: Settings, accounts: list[demo_school.DemoAccount], accounts_file: Path, year: int) -> Words:
    base, first = settings.base_url, demo_school.FIRST
    mails = settings.data_dir / "mail"
    rows = [(f"  {each.role:<17} {each.staff_no:<10} {each.branch or '-':<6} {each.name}", each.post) for each in accounts]
    token = next(each.token for each in accounts if each.role is Role.SECRETARY and each.branch == first)
    curl = f'  curl -s -H "Authorization: Bearer $TOKEN" {base}/api/v1/cycles/{year}/branches/{first}/next'
    zh = (
        f"\n服务地址   {base}（接口文档 {base}/docs）",
        f"账号文件   {accounts_file}（密码都是 {demo_school.PASSWORD}，令牌在文件里）",
        f"收到的信   {mails}",
        "",
        "  角色              学工号      支部    姓名",
        *(f"{row}{f'（{post.zh}）' if post else ''}" for row, post in rows),
        "",
        "用 curl 试一试（书记看本支部还缺什么）：",
        f"  TOKEN={token}",
        curl,
        "",
        "按 Ctrl-C 停止。",
    )
    en = (
        f"\naddress    {base} (API documents: {base}/docs)",
        f"accounts   {accounts_file} (every password is {demo_school.PASSWORD}; the tokens are in the file)",
        f"mailbox    {mails}",
        "",
        "  role              number     branch name",
        *(f"{row}{f' ({post.value})' if post else ''}" for row, post in rows),
        "",
        "Try it with curl (a secretary asks what the branch still lacks):",
        f"  TOKEN={token}",
        curl,
        "",
        "Stop with Ctrl-C.",
    )
    return Words("\n".join(zh), "\n".join(en))
