"""Commands for accounts and tokens (账号、令牌)."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import click

from commands.frame import acting, done, told_plainly
from workflow.acts import people
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import SCHOOL_ROLES, Role, utc_now


@click.group(help="账号。")
def account() -> None: ...


@account.command("create", help="建立学校职务的账号。口令从标准输入读，或交互输入。")
@click.option("--staff-no", required=True, help="学工号")
@click.option("--name", required=True, help="姓名")
@click.option("--role", required=True, type=click.Choice([role.value for role in SCHOOL_ROLES]), help="职务")
@click.option("--email", default=None, help="邮箱")
@click.option("--password-stdin", is_flag=True, help="从标准输入读口令")
@told_plainly
def account_create(staff_no: str, name: str, role: str, email: str | None, password_stdin: bool) -> None:
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with acting() as call:
        done(call, people.OPEN_ACCOUNT, {"staff_no": staff_no, "name": name, "role": role, "email": email, "password": password})
    click.echo(f"已建立账号：{name}（{Role(role).zh}）" + ("" if password else "。还没有口令，可用 token create 取得令牌。"))


@account.command("invite", help="寄出设置口令的一次性链接：给一个人，或给一个支部里还没有口令的每个人。")
@click.option("--branch", "code", default=None, help="党支部编码")
@click.option("--staff-no", default=None, help="学工号")
@told_plainly
def account_invite(code: str | None, staff_no: str | None) -> None:
    if (code is None) == (staff_no is None):
        raise click.UsageError("--branch 与 --staff-no 填一项")
    read_settings().required("base_url")
    with acting() as call:
        if staff_no is not None:
            done(call, people.INVITE, {}, staff_no=staff_no)
            click.echo("邀请信 1 封，待发。")
            return
        came = done(call, people.INVITE_BRANCH, {"branch": code})
    click.echo(f"邀请信 {came.facts['letters']} 封，待发。")
    for person in came.rows:
        click.echo(f"没有邮箱：{person.staff_no} {person.name}")


@click.group(help="程序用的令牌。")
def token() -> None: ...


@token.command("create", help="发一个令牌，只显示这一次。")
@click.option("--staff-no", required=True, help="学工号")
@click.option("--name", default="命令行", show_default=True, help="令牌的用途")
@click.option("--days", type=click.IntRange(1, 3650), default=None, help="有效天数，默认 ZHIBU_TOKEN_DAYS")
@told_plainly
def token_create(staff_no: str, name: str, days: int | None) -> None:
    asked: dict[str, Any] = {"staff_no": staff_no, "name": name}
    if days is not None:
        asked["expires_at"] = (utc_now() + timedelta(days=days)).isoformat()
    with acting() as call:
        issued = done(call, people.ISSUE_TOKEN, asked).issued
    click.echo(issued.secret)
