"""Commands for accounts, paper slips and tokens (账号、纸条、令牌)."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import timedelta
from getpass import getpass
from pathlib import Path
from typing import Any

import click

from commands.frame import acting, done, told_plainly
from commands.language import named, say, tell
from workflow.acts import invitations, people
from workflow.foundation.errors import Words
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import SCHOOL_ROLES, Role, utc_now
from workflow.people import slips
from workflow.people.organisation import person_by_staff_no
from workflow.roster.people import AMEND_PERSON
from workflow.year.finding import newest_title

STAFF_NO = say(Words("学工号", "staff or student number"))


@click.group()
def account() -> None: ...


@account.command(
    "create",
    help=say(
        Words(
            "建立学校职务的账号。密码用 --password-stdin 给；不给就先没有密码。",
            "Open an account for a post of the school. Give a password with --password-stdin; without it there is none yet.",
        )
    ),
)
@click.option("--staff-no", required=True, help=STAFF_NO)
@click.option("--name", required=True, help=say(Words("姓名", "the person's name")))
@click.option("--role", required=True, type=click.Choice([role.value for role in SCHOOL_ROLES]), help=say(Words("职务", "their post")))
@click.option("--email", default=None, help=say(Words("邮箱", "their mail address")))
@click.option("--password-stdin", is_flag=True, help=say(Words("从标准输入读密码", "read the password from standard input")))
@told_plainly
def account_create(staff_no: str, name: str, role: str, email: str | None, password_stdin: bool) -> None:
    password = _typed(from_stdin=True) if password_stdin else None
    with acting() as call:
        done(call, people.OPEN_ACCOUNT, {"staff_no": staff_no, "name": name, "role": role, "email": email, "password": password})
    post = named(Role(role))
    zh, en = f"已建立账号：{name}（{post}）", f"Opened an account: {name} ({post.en})"
    if not password:
        set_one = f"zhibu account password --staff-no {staff_no}"
        zh, en = f"{zh}。还没有密码，请用 {set_one} 设置", f"{en}. It has no password yet; please set one with {set_one}"
    tell(Words(f"{zh}。", f"{en}."))


@account.command(
    "password",
    help=say(
        Words(
            "设置一个人的密码，并退出其全部登录；本人会收到告知信。",
            "Set somebody's password and end all their sign-ins. They are told by a letter.",
        )
    ),
)
@click.option("--staff-no", required=True, help=STAFF_NO)
@click.option("--password-stdin", is_flag=True, help=say(Words("从标准输入读密码，不在终端里问", "read it from standard input")))
@told_plainly
def account_password(staff_no: str, password_stdin: bool) -> None:
    password = _typed(from_stdin=password_stdin)
    with acting() as call:
        opened = done(call, people.OPEN_ACCOUNT, {"staff_no": staff_no, "password": password})
        name = opened.person.name
    tell(Words(f"已设置{name}的密码，以前的登录都已退出。", f"Set the password of {name}; earlier sign-ins have ended."))


def _typed(*, from_stdin: bool) -> str:
    """Read a password: a line of standard input, or typed twice into the terminal, unseen."""
    if from_stdin:
        try:
            return sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.ClickException(say(Words("密码应为 UTF-8 编码的文字", "the password should be text in UTF-8"))) from None
    if not sys.stdin.isatty():
        raise click.UsageError(say(Words("这里没有终端可以问，请用 --password-stdin", "there is no terminal to ask in; please use --password-stdin")))
    asked = say(Words("新密码（至少 10 个字符）：", "new password (at least 10 characters): "))
    typed, again = (getpass(each) for each in (asked, say(Words("再输入一次：", "once more: "))))
    if typed != again:
        raise click.ClickException(say(Words("两次输入的不一样", "the two are not the same")))
    return typed


@account.command(
    "address",
    help=say(
        Words(
            "修改一个人的邮箱。担任学校职务的人，邮箱不由名册和党委办公室改动，在这里改。",
            "Change somebody's mail address. Of people with a role of the school neither roster nor office changes it: it is changed here.",
        )
    ),
)
@click.option("--staff-no", required=True, help=STAFF_NO)
@click.option("--email", required=True, help=say(Words("邮箱", "their mail address")))
@told_plainly
def account_address(staff_no: str, email: str) -> None:
    with acting() as call:
        person = person_by_staff_no(call.session, staff_no)
        done(replace(call, version_seen=person.version), AMEND_PERSON, {"email": email}, staff_no=staff_no)
        name = person.name
    tell(Words(f"已修改{name}的邮箱。", f"Changed the address of {name}."))


@account.command(
    "invite",
    help=say(
        Words(
            "寄出设置密码的一次性链接：给一个人，或给一个支部里还没有密码的每个人。没有邮箱的打印纸条：account slips。",
            "Send one-time links that set a password. To one person, or to all of a branch who have none yet. "
            "For those without an address print slips: account slips.",
        )
    ),
)
@click.option("--branch", "code", default=None, help=say(Words("党支部编码", "the code of the branch")))
@click.option("--staff-no", default=None, help=STAFF_NO)
@told_plainly
def account_invite(code: str | None, staff_no: str | None) -> None:
    if (code is None) == (staff_no is None):
        raise click.UsageError(say(Words("--branch 与 --staff-no 填一项", "give either --branch or --staff-no")))
    read_settings(needed=("base_url",))
    with acting() as call:
        if staff_no is not None:
            done(call, invitations.INVITE, {}, staff_no=staff_no)
            tell(Words("邀请信 1 封，待发。", "1 invitation waits to be sent."))
            return
        came = done(call, invitations.INVITE_BRANCH, {"branch": code})
    count = came.facts["letters"]
    tell(Words(f"邀请信 {count} 封，待发。", f"{count} invitation{'' if count == 1 else 's'} to be sent."))
    for person in came.rows:
        tell(Words(f"没有邮箱：{person.staff_no} {person.name}", f"no mail address: {person.staff_no} {person.name}"))
    if came.rows:
        print_them = f"zhibu account slips --branch {code}"
        tell(Words(f"没有邮箱的可以打印纸条：{print_them}", f"Slips can be printed for people without an address: {print_them}"))


@account.command(
    "slips",
    help=say(
        Words(
            "打印首次登录纸条。给一个支部里没有密码也没有邮箱的每个人一张，上有一次性代码；再打印一次，以前的作废。",
            "Print slips with one-time codes. For all of a branch who have neither password nor address; printing again ends earlier slips.",
        )
    ),
)
@click.option("--branch", "code", default=None, help=say(Words("党支部编码", "the code of the branch")))
@click.option(
    "--staff-no",
    default=None,
    help=say(Words("只给这一个人：丢了纸条，或忘了密码", "for this person alone, who lost theirs or forgot a password")),
)
@click.option(
    "--html",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help=say(Words("写成 A4 打印页；不填则打印文字", "write a page for A4 instead of printing text")),
)
@told_plainly
def account_slips(code: str | None, staff_no: str | None, file: Path | None) -> None:
    if (code is None) == (staff_no is None):
        raise click.UsageError(say(Words("--branch 与 --staff-no 填一项", "give either --branch or --staff-no")))
    settings = read_settings(needed=("base_url",))
    with acting() as call:
        if staff_no is not None:
            made = done(call, invitations.PRINT_SLIP, {}, staff_no=staff_no)
        else:
            made = done(call, invitations.PRINT_SLIPS, {"branch": code})
        title = newest_title(call.session)
        if file is not None:
            # Before the commit: if it cannot be written, the earlier slips go on.
            _write_for_the_owner(file, slips.page(made, title=title, contact=settings.contact))
    if file is None:
        click.echo(slips.sheet(made, title=title, contact=settings.contact), nl=False)
        return
    count = len(made.slips)
    zh = f"纸条 {count} 张，已写入 {file}。打印后请删除这个文件。"
    tell(Words(zh, f"{count} slip{'' if count == 1 else 's'} written to {file}. Please delete this file once it is printed."))


def _write_for_the_owner(file: Path, content: str) -> None:
    """Write a file that only its owner can read: it holds codes."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as page:
            page.write(content)
    except OSError as error:
        raise click.ClickException(say(Words(f"{file} 写不进去：{error.strerror}", f"{file} cannot be written: {error.strerror}"))) from None


@click.group()
def token() -> None: ...


@token.command("create", help=say(Words("发一个令牌，只显示这一次。", "Issue a token; it is shown this once.")))
@click.option("--staff-no", required=True, help=STAFF_NO)
@click.option("--name", default=say(Words("命令行", "command line")), show_default=True, help=say(Words("令牌的用途", "what the token is for")))
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=None,
    help=say(Words("有效天数，默认 ZHIBU_TOKEN_DAYS", "days that it holds, default: ZHIBU_TOKEN_DAYS")),
)
@told_plainly
def token_create(staff_no: str, name: str, days: int | None) -> None:
    asked: dict[str, Any] = {"staff_no": staff_no, "name": name}
    if days is not None:
        asked["expires_at"] = (utc_now() + timedelta(days=days)).isoformat()
    with acting() as call:
        issued = done(call, people.ISSUE_TOKEN, asked).issued
    click.echo(issued.secret)
