"""The commands of accounts: what stands on a sheet of slips, who may read it; weak passwords."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, select, text

import cli
from commands.language import program
from tests.support.builders import a_school
from tests.support.servers import kept_in
from workflow.foundation.database import transaction
from workflow.foundation.errors import NotFound
from workflow.foundation.vocabulary import local_day, utc_now
from workflow.people.accounts import SLIP_DAYS, Invitation
from workflow.people.invitations import open_invitation

BASE = "https://zhibu.example.edu.cn"
CODE = re.compile(r"(?<!/)\b(?:[2-9A-Z]{4}-){3}[2-9A-Z]{4}\b")
"""A code where it stands alone, not the one in an address."""
CUT = "沿此线裁开"

Account = Callable[..., Result]


@pytest.fixture
def account(database_url: str, engine: Engine, tmp_path: Path) -> Account:
    """Run ``zhibu account`` in a school whose 王五 and 孙八, of five in D0101, have no address."""
    with transaction(engine, actor="cli") as session:
        a_school(session)
        session.execute(text("update person set email = null where staff_no in ('w5', 's8')"))

    def run(*words: str, stdin: str | None = None, **environment: str | None) -> Result:
        settings = {"ZHIBU_DATABASE_URL": database_url.replace("+psycopg", ""), "ZHIBU_DATA_DIR": str(tmp_path), "ZHIBU_BASE_URL": BASE}
        return CliRunner(env={**settings, **environment}).invoke(cli.main, ["account", *words], input=stdin)

    return run


def test_an_account_is_not_opened_with_a_password_that_others_guess(account: Account, engine: Engine) -> None:
    words = ("create", "--staff-no", "20160001", "--name", "周一", "--role", "office", "--password-stdin")
    for password, why in (("2016000188", "学工号"), ("dangban2024", "太常见")):
        refused = account(*words, stdin=password)
        assert (refused.exit_code, why in refused.output) == (1, True), refused.output
    with transaction(engine, actor=None) as session:
        assert session.scalar(text("select count(*) from person where staff_no = '20160001'")) == 0
    assert account(*words, stdin="梧桐树下的图书馆 2024").exit_code == 0


def opens_for(engine: Engine, code: str) -> str | None:
    """Tell whose password a code would set."""
    with transaction(engine, actor=None) as session:
        try:
            return open_invitation(session, code, now=utc_now()).person.staff_no
        except NotFound:
            return None


def test_the_sheet_has_each_person_once_and_a_line_to_cut_along(account: Account, engine: Engine) -> None:
    began = local_day(utc_now())
    printed = account("slips", "--branch", "D0101", ZHIBU_CONTACT="党委办公室 0371-00000000")
    assert printed.exit_code == 0, printed.output
    of_each = printed.output.split(CUT)[:-1]
    assert [(sheet.count("孙八"), sheet.count("王五")) for sheet in of_each] == [(1, 0), (0, 1)]
    assert "张三" not in printed.output, "who has an address is invited by mail"
    for sheet, who in zip(of_each, ("s8", "w5"), strict=True):
        [code] = CODE.findall(sheet)
        assert opens_for(engine, code) == who
        said = ("首次登录纸条", "XX学校2024年度", "D0101党支部（D0101）", who, f"{BASE}/invitations/{code}", "党委办公室 0371-00000000")
        assert [each for each in said if each not in sheet] == []
        [ends] = re.findall(r"有效期至　(\d+)年(\d+)月(\d+)日\d\d:\d\d", sheet)
        assert began <= date(*map(int, ends)) - timedelta(days=SLIP_DAYS) <= local_day(utc_now())


def test_a_slip_for_one_leaves_the_others(account: Account, engine: Engine) -> None:
    first = CODE.findall(account("slips", "--branch", "D0101").output)
    (again,) = CODE.findall(account("slips", "--staff-no", "w5").output)
    assert [opens_for(engine, code) for code in (*first, again)] == ["s8", None, "w5"]
    for words in ((), ("--branch", "D0101", "--staff-no", "w5")):
        refused = account("slips", *words)
        assert (refused.exit_code, "--branch 与 --staff-no 填一项" in refused.output) == (2, True)


def test_the_page_is_whole_and_its_owner_alone_reads_it(account: Account, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "纸条.html"
    told = account("slips", "--branch", "D0101", "--html", str(file))
    assert (told.exit_code, told.output) == (0, f"纸条 2 张，已写入 {file}。打印后请删除这个文件。\n"), "and no code beside it"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = file.read_text(encoding="utf-8")
    of_each = re.findall(r'<section class="slip">(.*?)</section>', page, re.DOTALL)
    assert [re.findall(r'"name">(.*?)<', each) for each in of_each] == [["孙八"], ["王五"]]
    assert [opens_for(engine, code) for each in of_each for code in CODE.findall(each)] == ["s8", "w5"]
    assert [each for each in of_each if "首次登录纸条" not in each or f"{BASE}/invitations/" not in each] == []
    assert re.findall(r"""(?i)<(?:script|link|img|iframe)|@import|url\(|\bsrc=""", page) == [], "it needs no other file"
    assert ("size: A4" in page, "grid-template-columns: 1fr 1fr" in page, "break-inside: avoid" in page) == (True, True, True)


def test_whatever_a_name_holds_the_page_shows_it_as_text(account: Account, engine: Engine, tmp_path: Path) -> None:
    name, of_branch = "<script>alert('王五')</script>&amp;", 'D0101"><img src=x>'
    with transaction(engine, actor="cli") as session:
        session.execute(text("update person set name = :name where staff_no = 'w5'"), {"name": name})
        session.execute(text("update branch set name = :name where code = 'D0101'"), {"name": of_branch})
    assert account("slips", "--branch", "D0101", "--html", str(tmp_path / "a.html"), ZHIBU_CONTACT="<b>党办</b>").exit_code == 0
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert [each for each in ("<script", "<img", "<b>") if each in page] == []
    assert [each for each in (name, of_branch, "<b>党办</b>") if each not in unescape(page)] == []
    assert name in account("slips", "--branch", "D0101").output, "plain text is not escaped"


def test_a_page_that_cannot_be_written_leaves_the_earlier_slips(account: Account, engine: Engine, tmp_path: Path) -> None:
    codes = CODE.findall(account("slips", "--branch", "D0101").output)
    refused = account("slips", "--branch", "D0101", "--html", str(tmp_path / "nowhere" / "a.html"))
    assert (refused.exit_code, "写不进去" in refused.output) == (1, True)
    assert [opens_for(engine, code) for code in codes] == ["s8", "w5"]


def test_printed_again_the_earlier_codes_open_nothing(account: Account, engine: Engine) -> None:
    first, second = (CODE.findall(account("slips", "--branch", "D0101").output) for _ in range(2))
    assert [opens_for(engine, code) for code in first + second] == [None, None, "s8", "w5"]


def test_history_has_the_command_line_as_the_actor_and_no_code(account: Account, engine: Engine) -> None:
    codes = CODE.findall(account("slips", "--branch", "D0101").output)
    with transaction(engine, actor=None) as session:
        made = session.execute(text("select actor, reason, row_key from history where what = 'invitation' order by id")).all()
        assert [tuple(row)[:2] for row in made] == [("cli", "打印首次登录纸条")] * 2
        assert {row.row_key for row in made} == set(map(str, session.scalars(select(Invitation.id))))
        assert {table for code in codes for each in (code, code.replace("-", "")) for table in kept_in(session, each)} == set()


def test_with_nobody_to_print_for_it_says_why(account: Account, tmp_path: Path) -> None:
    for language, told in (
        ("zh", "错误：D0201党支部没有人需要纸条：3 人登记了邮箱，请发邀请信\n"),
        ("en", "Error: nobody of D0201党支部 needs a slip: 3 have an address and can be invited by mail\n"),
    ):
        refused = account("slips", "--branch", "D0201", "--html", str(tmp_path / "b.html"), ZHIBU_LANG=language)
        assert (refused.exit_code, refused.output) == (1, told)
    assert not (tmp_path / "b.html").exists()


def test_without_an_address_of_the_service_nothing_is_printed(account: Account) -> None:
    refused = account("slips", "--branch", "D0101", ZHIBU_BASE_URL=None)
    assert (refused.exit_code, refused.output) == (1, "错误：缺少设置 ZHIBU_BASE_URL，如 https://zhibu.example.edu.cn\n")


def test_whoever_invites_a_branch_is_told_of_the_slips(account: Account) -> None:
    told = account("invite", "--branch", "D0101").output.splitlines()
    assert sorted(told[1:3]) == ["没有邮箱：s8 孙八", "没有邮箱：w5 王五"]
    assert told[3:] == [f"没有邮箱的可以打印纸条：{program()} account slips --branch D0101"]
    assert "纸条" not in account("invite", "--branch", "D0201").output, "there everybody has an address"
