"""Security notices (安全通知): a role of the school, a token, a password from another's hand."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from tests.support.builders import NOW, person
from tests.support.letters.reminding import BASE
from tests.support.letters.told import Case, Told
from workflow.foundation.vocabulary import Role
from workflow.people.accounts import Token, issue_token
from workflow.people.roles import create_officer, tell_password_set, tell_role_given, tell_token_made
from workflow.people.sessions import tell_password_changed
from workflow.year.cycle import Process


def an_auditor_is_named(session: Session, here: Process, there: Process) -> None:
    for number, name in (("g8", "新督导"), ("g9", "又一督导")):
        row = create_officer(session, staff_no=number, name=name, role=Role.AUDITOR, now=NOW, email=f"{number}@school.example")
        if number == "g9":
            tell_role_given(session, row, by=None, now=NOW, base_url=BASE)


def tokens_are_made(session: Session, here: Process, there: Process) -> None:
    for name, use in (("王五", "统计脚本"), ("吴十", "数据大屏")):
        issued = issue_token(session, person(session, name), name=use, now=NOW, expires_at=NOW + timedelta(days=10))
        tell_token_made(session, person(session, name), session.get_one(Token, issued.id), by=None, now=NOW, base_url=BASE)


def a_password_is_changed(session: Session, here: Process, there: Process) -> None:
    tell_password_changed(session, person(session, "王五"), now=NOW, base_url=BASE)


def a_password_is_set(session: Session, here: Process, there: Process) -> None:
    tell_password_set(session, person(session, "王五"), now=NOW, base_url=BASE)


NAMED = ("又一督导（学工号 g9）自2024年12月20日（星期五）起担任学校职务“督导人员”", "由系统命令行办理")
NOTICES = (
    Case(an_auditor_is_named, tuple(Told("role-given", who, None, "/", NAMED) for who in ("督导人员", "新督导", "又一督导"))),
    Case(a_password_is_changed, (Told("password-changed", "王五", None, "/", ("登录密码已于2024年12月20日（星期五）10:00更改",)),)),
    Case(
        tokens_are_made,
        (
            Told("token-made", "王五", None, "/", ("系统命令行以您的名义", "统计脚本", "2024年12月30日（星期一）"), ("数据大屏",)),
            Told("token-made", "吴十", None, "/", ("系统命令行以您的名义", "数据大屏", "2024年12月30日（星期一）"), ("统计脚本",)),
        ),
    ),
    Case(a_password_is_set, (Told("password-set", "王五", None, "/", ("系统命令行为您设置了新的登录密码",)),)),
)
