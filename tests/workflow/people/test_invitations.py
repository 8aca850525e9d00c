"""Invitations (邀请): a link sets a password once, and only the newest link.

Its code is in the letter and nowhere else.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session
from syrupy.assertion import SnapshotAssertion

from cli import main
from commands.language import program
from tests.support.builders import NOW, a_school, caller, person
from tests.support.servers import kept_in
from workflow.foundation.database import transaction
from workflow.foundation.errors import Conflict, Invalid, NotFound, Unauthenticated
from workflow.foundation.history import History
from workflow.foundation.vocabulary import LetterState
from workflow.mail.letters import Rendered, render
from workflow.mail.links import Invited, PasswordForgotten
from workflow.mail.outbox import Letter
from workflow.people.accounts import Invitation, Token, WebSession, account_of, digest, disable, enable, issue_token, open_account
from workflow.people.callers import caller_by_secret
from workflow.people.invitations import Desk, accept_invitation, forget_password, invite, invite_branch, open_invitation
from workflow.people.organisation import branch_by_code
from workflow.people.sessions import sign_in

DESK = Desk(now=NOW, base_url="https://zhibu.example.edu.cn", hours=72)
PASSWORD = "一个很长的密码 12"


@pytest.fixture(autouse=True)
def branch(session: Session) -> None:
    a_school(session)


def letters(session: Session) -> list[Letter]:
    return list(session.scalars(select(Letter).where(Letter.process_id.is_(None)).order_by(Letter.id)))


def code_in(letter: Letter) -> str:
    [code] = set(re.findall(r"https://zhibu\.example\.edu\.cn/invitations/([\w-]+)", letter.text + letter.html))
    return str(code)


def invited_code(session: Session, staff_no: str = "w5") -> str:
    invite(session, staff_no, desk=DESK)
    return code_in(letters(session)[-1])


def accept(session: Session, code: str, password: str = PASSWORD, now: datetime = NOW) -> None:
    accept_invitation(session, open_invitation(session, code, now=now), password, now=now)


def signs_in(session: Session, staff_no: str = "w5", password: str = PASSWORD) -> bool:
    try:
        sign_in(session, staff_no=staff_no, password=password, now=NOW, hours=8)
    except Unauthenticated:
        return False
    return True


# ── one link, once ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_sets_a_password_and_is_spent(session: Session) -> None:
    code = invited_code(session)
    assert len(code) >= 43, "256 bits"
    assert not signs_in(session)
    accept(session, code)
    assert signs_in(session)
    with pytest.raises(NotFound):
        accept(session, code, "another long password")
    assert not signs_in(session, password="another long password")


def test_a_newer_link_replaces_the_older_one(session: Session) -> None:
    older, newer = invited_code(session), invited_code(session)
    assert older != newer
    with pytest.raises(NotFound):
        accept(session, older)
    accept(session, newer)
    assert len(letters(session)) == 2


def test_a_link_expires(session: Session) -> None:
    code = invited_code(session)
    open_invitation(session, code, now=NOW + timedelta(hours=72) - timedelta(seconds=1))
    with pytest.raises(NotFound):
        open_invitation(session, code, now=NOW + timedelta(hours=72))


def test_whatever_is_wrong_with_a_link_it_is_told_alike(session: Session) -> None:
    spent, replaced, expired, disabled = (invited_code(session, who) for who in ("w5", "s8", "l4", "q7"))
    accept(session, spent)
    invited_code(session, "s8")
    session.scalars(select(Invitation).where(Invitation.hash == digest(expired))).one().expires_at = NOW + timedelta(seconds=1)
    account_of(session, "q7").disabled_at = NOW
    session.flush()
    told = set()
    for code in (spent, replaced, expired, disabled, "", "x", "密码", spent[:-1], digest(spent)):
        with pytest.raises(NotFound) as refused:
            open_invitation(session, code, now=NOW + timedelta(seconds=1) if code == expired else NOW)
        told.add(refused.value.detail)
    assert len(told) == 1


def test_a_short_password_does_not_spend_the_link(session: Session) -> None:
    code = invited_code(session)
    with pytest.raises(Invalid), session.begin_nested():
        accept(session, code, "short")
    accept(session, code)


def test_of_two_who_open_it_at_once_one_is_let_in(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        code = invited_code(session)

    def one(number: int) -> str | None:
        password = f"the password of {number}"
        try:
            with transaction(engine, actor="w5") as session:
                accept(session, code, password)
        except NotFound:
            return None
        return password

    with ThreadPoolExecutor(4) as pool:
        [won] = [password for password in pool.map(one, range(4)) if password]
    with transaction(engine, actor="cli") as session:
        assert signs_in(session, password=won)


def test_two_who_invite_the_same_one_at_once_leave_one_link_open(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)

    def one(_: int) -> None:
        with transaction(engine, actor="administrator") as session:
            invite(session, "w5", desk=DESK)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    with transaction(engine, actor=None) as session:
        opened = []
        for letter in letters(session):
            if not letter.text:
                continue  # replaced before it was sent: its link is blanked
            try:
                opened.append(open_invitation(session, code_in(letter), now=NOW))
            except NotFound:
                continue
    assert len(letters(session)) == 4
    assert [letter.state for letter in letters(session) if letter.text] == [LetterState.PENDING]
    assert len(opened) == 1


# ── what a new password ends ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_password_ends_sign_ins_and_older_links_but_no_token(session: Session) -> None:
    who = person(session, "王五")
    open_account(session, who, now=NOW, password="the first password")
    signed_in = sign_in(session, staff_no="w5", password="the first password", now=NOW, hours=8)
    token = issue_token(session, who, name="月报", now=NOW, expires_at=NOW + timedelta(days=1))
    other = sign_in_of_another(session)
    accept(session, invited_code(session))
    with pytest.raises(Unauthenticated):
        caller_by_secret(session, WebSession, signed_in.secret, NOW)
    assert not signs_in(session, password="the first password")
    assert caller_by_secret(session, Token, token.secret, NOW).staff_no == "w5"
    assert caller_by_secret(session, WebSession, other, NOW).staff_no == "l4"
    code = invited_code(session)
    open_account(session, who, now=NOW, password="set by the administrator")
    with pytest.raises(NotFound):
        open_invitation(session, code, now=NOW)


def test_a_sign_in_with_the_old_password_does_not_slip_past_a_new_one(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        open_account(session, person(session, "王五"), now=NOW, password="the first password")

    def late() -> bool:
        with transaction(engine, actor="anonymous") as session:
            return signs_in(session, password="the first password")

    with ThreadPoolExecutor(1) as pool:
        with transaction(engine, actor="cli") as session:
            open_account(session, person(session, "王五"), now=NOW, password=PASSWORD)
            signing_in = pool.submit(late)
            while not session.scalar(text("select count(*) from pg_locks where not granted")) and not signing_in.done():
                time.sleep(0.01)
        assert signing_in.result() is False


def sign_in_of_another(session: Session) -> str:
    open_account(session, person(session, "李四"), now=NOW, password=PASSWORD)
    return sign_in(session, staff_no="l4", password=PASSWORD, now=NOW, hours=8).secret


def test_disabling_ends_everything_for_good_and_enabling_brings_the_password_back(session: Session) -> None:
    who, by = person(session, "王五"), caller(session, "administrator")
    account = open_account(session, who, now=NOW, password=PASSWORD)
    signed_in = sign_in(session, staff_no="w5", password=PASSWORD, now=NOW, hours=8)
    token = issue_token(session, who, name="月报", now=NOW, expires_at=NOW + timedelta(days=1))
    code = invited_code(session)
    disable(session, account, by=by, now=NOW)
    session.flush()
    assert not signs_in(session)
    with pytest.raises(Conflict):
        invite(session, "w5", desk=DESK)
    with pytest.raises(Conflict):
        issue_token(session, who, name="月报", now=NOW, expires_at=NOW + timedelta(days=1))
    written = len(letters(session))
    forget_password(session, "w5", desk=DESK)
    assert len(letters(session)) == written
    enable(session, account)
    for kind, secret in ((WebSession, signed_in.secret), (Token, token.secret)):
        with pytest.raises(Unauthenticated):
            caller_by_secret(session, kind, secret, NOW)
    with pytest.raises(NotFound):
        open_invitation(session, code, now=NOW)
    assert signs_in(session)


def test_nobody_disables_himself(session: Session) -> None:
    with pytest.raises(Conflict):
        disable(session, account_of(session, "administrator"), by=caller(session, "administrator"), now=NOW)


# ── to whom letters go ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_branch_is_invited_but_for_who_has_a_password_or_no_address(session: Session) -> None:
    open_account(session, person(session, "张三"), now=NOW, password=PASSWORD)
    person(session, "孙八").email = None
    account_of(session, "q7").disabled_at = NOW
    session.flush()
    done = invite_branch(session, branch_by_code(session, "D0101"), desk=DESK)
    assert (done.letters, [each.staff_no for each in done.no_address]) == (2, ["s8"])
    assert sorted((letter.recipient_name, letter.address) for letter in letters(session)) == [
        ("李四", "l4@school.example"),
        ("王五", "w5@school.example"),
    ]
    accept(session, code_in(next(letter for letter in letters(session) if letter.recipient_name == "王五")))
    assert signs_in(session, "w5")
    assert invite_branch(session, branch_by_code(session, "D0101"), desk=DESK).letters == 1


def test_who_has_no_address_is_told_so_and_no_link_is_made(session: Session) -> None:
    person(session, "王五").email = None
    session.flush()
    with pytest.raises(Conflict, match="没有登记邮箱"):
        invite(session, "w5", desk=DESK)
    forget_password(session, "w5", desk=DESK)
    assert letters(session) == []
    assert session.scalars(select(Invitation)).all() == []
    with pytest.raises(NotFound):
        invite(session, "nobody", desk=DESK)


def test_who_forgot_his_password_gets_a_link_too_and_keeps_the_password_until_he_uses_it(session: Session) -> None:
    open_account(session, person(session, "王五"), now=NOW, password=PASSWORD)
    forget_password(session, "w5", desk=DESK)
    forget_password(session, "nobody", desk=DESK)
    [letter] = letters(session)
    assert letter.kind == "password"
    assert signs_in(session)
    accept(session, code_in(letter), "a new long password")
    assert not signs_in(session)
    assert signs_in(session, password="a new long password")


def test_the_code_stands_in_the_letter_until_it_is_used_and_in_no_other_table(session: Session) -> None:
    code = invited_code(session)
    assert kept_in(session, code) == {"letter"}
    accept(session, code)
    assert kept_in(session, code) | kept_in(session, PASSWORD) == set()
    assert digest(code) not in str(session.scalars(text("select concat(old, new) from history")).all())


def test_the_command_line_invites_one_or_a_branch(engine: Engine, database_url: str) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        person(session, "王五").email = None
    environment = {"ZHIBU_DATABASE_URL": database_url.replace("+psycopg", ""), "ZHIBU_BASE_URL": DESK.base_url}

    def invited_by(*words: str) -> tuple[int, str]:
        done = CliRunner(env=environment).invoke(main, ["account", "invite", *words])
        return done.exit_code, done.stdout

    assert invited_by("--branch", "D0101") == (
        0,
        f"邀请信 4 封，待发。\n没有邮箱：w5 王五\n没有邮箱的可以打印纸条：{program()} account slips --branch D0101\n",
    )
    assert invited_by("--staff-no", "l4") == (0, "邀请信 1 封，待发。\n")
    refused = ((), ("--branch", "D0101", "--staff-no", "l4"), ("--staff-no", "w5"), ("--branch", "X"))
    assert [invited_by(*words)[0] for words in refused] == [2, 2, 1, 1]
    with transaction(engine, actor=None) as session:
        written = letters(session)
        assert len(written) == 5
        assert {each.actor for each in session.scalars(select(History).where(History.what == "invitation"))} == {"cli"}


# ── the letters ───────────────────────────────────────────────────────────────────────────────────────────────────────

LETTER = Invited(
    recipient="王五",
    staff_no="w5",
    link="https://zhibu.example.edu.cn/invitations/CODE",
    expires_at=datetime(2024, 12, 23, 10, 0, tzinfo=UTC),
    today=date(2024, 12, 20),
)


def test_an_invitation_as_it_is_read(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(LETTER)) == snapshot


def test_the_answer_to_a_forgotten_password_as_it_is_read(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(PasswordForgotten(**vars(LETTER)))) == snapshot


def _as_read(letter: Rendered) -> str:
    return f"{letter.subject}\n{'─' * 40}\n{letter.text}{'─' * 40}\n{letter.html}"
