"""The command that sets a password: of an account that was made without one, or of any other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, select

from cli import main
from commands.language import program
from tests.support.builders import a_school, person
from workflow.foundation.database import transaction
from workflow.foundation.errors import Unauthenticated
from workflow.foundation.vocabulary import utc_now
from workflow.mail.outbox import Letter
from workflow.people.accounts import WebSession, account_of, open_account
from workflow.people.sessions import sign_in

PASSWORD, OTHER = "梧桐树下的图书馆2024", "another one of them 2024"
Account = Callable[..., Result]


@pytest.fixture
def account(database_url: str, engine: Engine) -> Account:
    with transaction(engine, actor="cli") as session:
        a_school(session)

    def run(*words: str, said: str | bytes = "") -> Result:
        environment = {"ZHIBU_DATABASE_URL": database_url.replace("+psycopg", "")}
        return CliRunner(env=environment).invoke(main, ["account", *words], input=said)

    return run


def signs_in(engine: Engine, staff_no: str, password: str) -> str | None:
    with transaction(engine, actor=staff_no) as session:
        try:
            return sign_in(session, staff_no=staff_no, password=password, now=utc_now(), hours=1).secret
        except Unauthenticated:
            return None


def test_an_account_without_a_password_is_told_the_command_and_gets_one_by_it(account: Account, engine: Engine) -> None:
    made = account("create", "--staff-no", "777", "--name", "张主任", "--role", "auditor").output
    assert made == f"已建立账号：张主任（督导人员）。还没有密码，请用 {program()} account password --staff-no 777 设置。\n"
    done = account("password", "--staff-no", "777", "--password-stdin", said=f"{PASSWORD}\n")
    assert (done.exit_code, done.output) == (0, "已设置张主任的密码，以前的登录都已退出。\n")
    assert signs_in(engine, "777", PASSWORD)


def test_another_password_ends_the_sign_ins_and_is_told_to_the_person(account: Account, engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        open_account(session, person(session, "王五"), now=utc_now() - timedelta(days=1), password=PASSWORD)
        staff_no = person(session, "王五").staff_no
    assert signs_in(engine, staff_no, PASSWORD)
    assert account("password", "--staff-no", staff_no, "--password-stdin", said=OTHER).exit_code == 0
    assert (signs_in(engine, staff_no, PASSWORD), bool(signs_in(engine, staff_no, OTHER))) == (None, True)
    with transaction(engine, actor=None) as session:
        ended = session.scalars(select(WebSession.revoked_at).where(WebSession.person_id == person(session, "王五").id).order_by(WebSession.id)).all()
        assert [each is None for each in ended] == [False, True]
        [letter] = session.scalars(select(Letter).where(Letter.kind == "password-set")).all()
        assert letter.recipient_name == "王五"
        assert OTHER not in letter.text


@pytest.mark.parametrize(
    ("staff_no", "said", "told"),
    [
        ("w5", "short", "password：密码须为 10 至 128 个字符"),
        ("w5", "", "password：必须填写"),
        ("w5", b"\xff\xfe\n", "密码应为 UTF-8 编码的文字"),
        ("nobody-here", PASSWORD, "staff_no：没有学工号为 nobody-here 的人员"),
    ],
)
def test_what_is_no_password_or_nobodys_is_refused(account: Account, staff_no: str, said: str | bytes, told: str) -> None:
    refused = account("password", "--staff-no", staff_no, "--password-stdin", said=said)
    assert (refused.exit_code, refused.output) == (1, f"错误：{told}\n")


def test_without_a_terminal_the_option_is_named(account: Account) -> None:
    assert "请用 --password-stdin" in account("password", "--staff-no", "w5").output


def test_a_disabled_account_is_not_given_one(account: Account, engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        open_account(session, person(session, "王五"), now=utc_now())
        account_of(session, "w5").disabled_at = utc_now()
    assert account("password", "--staff-no", "w5", "--password-stdin", said=PASSWORD).output == "错误：王五 的账号已停用\n"
