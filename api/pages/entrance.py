"""The entrance (登录): signing in and out, a forgotten password, an invitation, the demo's cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import current_app
from flask import request as http

from api.frame.base import call_of
from api.frame.errors import status_of
from api.frame.routes import service
from api.pages.frame.guard import safe_place
from api.pages.frame.opening import ROUTES, done_by_anybody
from api.pages.frame.serving import signed_in
from api.pages.frame.visit import Elsewhere, PageRoute, Shown, Visit
from api.people import invitations
from workflow.foundation.database import transaction
from workflow.foundation.errors import NotFound, Refusal, Unauthenticated
from workflow.rules.acts import perform

Enter = Callable[[str], tuple[str, str]]
"""Of the demo: finds number and password of the account that shows a role."""
LOOPBACK = ("127.0.0.1", "::1")


# ── signing in and out ────────────────────────────────────────────────────────────────────────────────────────────────


def sign_in_page(visit: Visit) -> Shown | Elsewhere:
    """Show the sign-in; who is signed in goes on."""
    wanted = safe_place(http.args.get("next"))
    return Elsewhere(wanted) if visit.signed_in else _sign_in(wanted)


def _sign_in(wanted: str, refusal: Refusal | None = None, staff_no: str = "") -> Shown:
    values = {"wanted": wanted, "refusal": _words(refusal), "staff_no": staff_no, "cards": CARDS if _is_demo() else ()}
    return Shown("sign_in.html", "登录", values, status=200 if refusal is None else status_of(type(refusal)))


def take_sign_in() -> Shown | Elsewhere:
    """Sign in with number and password, and go on to where one wanted to go."""
    wanted, staff_no = safe_place(http.form.get("next")), http.form.get("staff_no", "").strip()
    try:
        answer = done_by_anybody("sign_in", {}, {"staff_no": staff_no, "password": http.form.get("password", "")})
    except Refusal as refusal:
        return _sign_in(wanted, refusal, staff_no)
    return Elsewhere(wanted, session=answer.session, mark=answer.mark)


def take_sign_out() -> Elsewhere:
    """Sign out. A session that has ended already is out."""
    route = ROUTES["sign_out"]
    assert route.act is not None  # noqa: S101
    try:
        with transaction(service().engine, actor=lambda opened: signed_in(call_of(opened)).by.staff_no) as opened:
            perform(signed_in(call_of(opened)), route.act, None)
    except Unauthenticated:
        pass
    return Elsewhere("/sign-in", session="")


def _words(refusal: Refusal | None) -> str:
    if refusal is None:
        return ""
    return "学工号或密码不对" if isinstance(refusal, Unauthenticated) else refusal.detail.zh


# ── a forgotten password, an invitation ───────────────────────────────────────────────────────────────────────────────


def forgotten_page(visit: Visit) -> Shown:
    """Show the form that asks for a link to set a new password."""
    return Shown("forgotten.html", "忘记密码", {"said": "", "refusal": "", "staff_no": ""})


def take_forgotten() -> Shown:
    """Send the link, if there is such an account; the answer is the same in any case."""
    staff_no = http.form.get("staff_no", "").strip()
    try:
        done_by_anybody("forget_password", {}, {"staff_no": staff_no})
    except Refusal as refusal:
        values = {"said": "", "refusal": refusal.detail.zh, "staff_no": staff_no}
        return Shown("forgotten.html", "忘记密码", values, status=status_of(type(refusal)))
    return Shown("forgotten.html", "忘记密码", {"said": invitations.ON_ITS_WAY.zh, "refusal": "", "staff_no": staff_no})


def invitation_page(visit: Visit, invitation_code: str) -> Shown:
    """Show the form that sets a password by a link or a slip."""
    return Shown("invitation.html", "设置密码", {"refusal": "", "gone": False})


def take_invitation(invitation_code: str) -> Shown | Elsewhere:
    """Set the password, and sign in with it."""
    password = http.form.get("password", "")
    if password != http.form.get("again", ""):
        return Shown("invitation.html", "设置密码", {"refusal": "两次填写的密码不一样", "gone": False}, status=422)
    try:
        person = done_by_anybody("set_password", {"invitation_code": invitation_code}, {"password": password}).body
    except NotFound:
        return Shown("invitation.html", "设置密码", {"refusal": "", "gone": True}, status=404)
    except Refusal as refusal:
        return Shown("invitation.html", "设置密码", {"refusal": refusal.detail.zh, "gone": False}, status=status_of(type(refusal)))
    assert isinstance(person, Mapping)  # noqa: S101
    try:
        answer = done_by_anybody("sign_in", {}, {"staff_no": person["staff_no"], "password": password})
    except Refusal:
        return Elsewhere("/sign-in")
    return Elsewhere("/", session=answer.session, mark=answer.mark)


# ── the demo's cards ──────────────────────────────────────────────────────────────────────────────────────────────────

CARDS = (("office", "党办"), ("secretary", "书记"), ("member", "党员"), ("committee", "党委"))


def _is_demo() -> bool:
    """Tell whether this is the demo, asked for on this machine."""
    host = http.host.rpartition(":")[0] or http.host
    return "zhibu-demo" in current_app.extensions and http.remote_addr in LOOPBACK and host in ("localhost", "[::1]", *LOOPBACK)


def enter_demo() -> Shown | Elsewhere:
    """Sign in as somebody of the demo school who shows a role. Raises NotFound anywhere else."""
    role = http.form.get("role", "")
    if not _is_demo() or role not in dict(CARDS):
        raise NotFound
    enter: Enter = current_app.extensions["zhibu-demo"]
    staff_no, password = enter(role)
    answer = done_by_anybody("sign_in", {}, {"staff_no": staff_no, "password": password})
    return Elsewhere("/", session=answer.session, mark=answer.mark)


def _to_sign_in(visit: Visit) -> Elsewhere:
    return Elsewhere("/sign-in")


def _no_page(visit: Visit) -> Shown:
    raise NotFound


PAGES = (
    PageRoute("/sign-in", sign_in_page, open=True, post=take_sign_in),
    PageRoute("/sign-out", _to_sign_in, post=take_sign_out),
    PageRoute("/forgotten", forgotten_page, open=True, post=take_forgotten),
    PageRoute("/invitations/<invitation_code>", invitation_page, open=True, post=take_invitation),
    PageRoute("/demo/enter", _no_page, open=True, post=enter_demo),
)
