"""Running the demo (演示): the web server in this thread, the worker in another.

Nothing outlives the one process.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

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
KEPT_ACCOUNTS = "accounts.json"


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


def prepare_demo(engine: Engine, settings: Settings, *, accounts_file: Path | None) -> Words:
    """Build the school if there is none, and write the accounts. Returns the welcome.

    The accounts stand in the data directory, with the tokens of the last start that are still good,
    and in ``accounts_file`` too if one is named.
    """
    now = utc_now()
    if not demo_school.is_there(engine):
        for _ in demo_school.build(engine, now=now, base_url=settings.base_url or ""):
            pass
    kept = settings.data_dir / KEPT_ACCOUNTS
    accounts = demo_school.issue_accounts(engine, now=now, kept=_kept_tokens(kept))
    written = json.dumps([asdict(each) for each in accounts], ensure_ascii=False, indent=1)
    for path in {kept, accounts_file or kept}:
        _write_whole(path, written)
    return _welcome(settings, accounts, accounts_file or kept, demo_school.year_of(engine))


def run_demo(engine: Engine, settings: Settings, run_worker: Worker, *, host: str, port: int, newest_migration: str | None) -> None:
    """Serve and tick until a signal to stop."""
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(engine, settings, stop), name="worker")
    worker.start()
    app = create_app(engine, settings, newest_migration=newest_migration, at_once=AT_ONCE)
    app.extensions["zhibu-demo"] = partial(_shows, settings.data_dir / KEPT_ACCOUNTS)
    try:
        serve_in_this_process(app, host=host, port=port)
    finally:
        stop.set()
        worker.join()


def _shows(accounts_file: Path, role: str) -> tuple[str, str]:
    """Return number and password of the account that shows a role; of a branch, the tour's."""
    accounts = json.loads(accounts_file.read_text(encoding="utf-8"))
    shown = [each for each in accounts if each["role"] == role]
    account = next((each for each in shown if each["branch"] == demo_school.FIRST), shown[0])
    return account["staff_no"], demo_school.PASSWORD


def _kept_tokens(path: Path) -> dict[str, str]:
    """Read the tokens of the last start by staff number; none from a file that is not ours."""
    try:
        return {str(each["staff_no"]): str(each["token"]) for each in json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _welcome(settings: Settings, accounts: list[demo_school.DemoAccount], accounts_file: Path, year: int) -> Words:
    """Write the box of six lines: a terminal shows it whole, with what was printed before it."""
    base, mails = settings.base_url, settings.data_dir / "mail"
    # The first of each role; the file has them all.
    one_each = {each.role: each for each in reversed(accounts)}
    roles = [one_each[each] for each in Role if each in one_each]
    secretary = one_each.get(Role.SECRETARY, accounts[0])
    curl = f'curl -s -H "Authorization: Bearer {secretary.token}" {base}/api/v1/cycles/{year}/branches/{secretary.branch}/next'
    zh = (
        f"服务地址   {base}（接口文档 {base}/docs）",
        f"账号       {'、'.join(f'{each.staff_no} {each.role.zh}' for each in roles)}；密码都是 {demo_school.PASSWORD}",
        f"账号文件   {accounts_file}（全部账号和令牌；令牌重启后不变）",
        f"收到的信   {mails}",
        f"试一试     {curl}",
        "按 Ctrl-C 停止。",
    )
    en = (
        f"address    {base} (API documents: {base}/docs)",
        f"accounts   {', '.join(f'{each.staff_no} {each.role}' for each in roles)}; every password is {demo_school.PASSWORD}",
        f"in a file  {accounts_file} (all accounts and tokens; tokens stay the same)",
        f"mailbox    {mails}",
        f"try it     {curl}",
        "Stop with Ctrl-C.",
    )
    return Words("\n".join(zh), "\n".join(en))
