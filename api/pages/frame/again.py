"""Signing in again in place (重新登录): a session ended while somebody was writing.

What they typed comes back in the same answer that asks for the password, and then in their form.
Nothing is done by it: they look at it and send it themselves.
"""

from __future__ import annotations

from flask import Response
from flask import request as http

from api.frame.base import call_of
from api.frame.errors import CsrfMissing, status_of
from api.frame.routes import Answer, service
from api.pages.frame.guard import from_elsewhere, must_be_ours
from api.pages.frame.look import rendered
from api.pages.frame.opening import done_by_anybody
from api.pages.frame.serving import signed_in, visitor
from api.pages.frame.visit import Shown
from workflow.foundation.database import transaction
from workflow.foundation.errors import Refusal, Unauthenticated

WHO, PASSWORD = "_by", "_password"
"""Fields of a form: the account that opened it; the password that opens it again."""
NOT_AGAIN = ("_csrf", PASSWORD)


def has_ended() -> bool:
    """Tell whether a form came from a page of ours whose session is over."""
    if from_elsewhere() or not http.form.get(WHO):
        return False
    with transaction(service().engine, actor=None) as session:
        try:
            signed_in(call_of(session))
        except Unauthenticated:
            return True
    return False


def ask(refusal: Refusal | None = None) -> Response:
    """Ask for the password, with all that was typed kept on the page."""
    typed = [(name, text) for name, texts in http.form.lists() if name not in NOT_AGAIN for text in texts]
    said = "" if refusal is None else "密码不对" if isinstance(refusal, Unauthenticated) else refusal.detail.zh
    values = {"typed": typed, "staff_no": http.form.get(WHO, ""), "refusal": said}
    status = 401 if refusal is None else status_of(type(refusal))
    with transaction(service().engine, actor=None) as session:
        return rendered(visitor(session, anybody=True, cookie=""), Shown("again.html", "重新登录", values, status=status))


def enter_again() -> Answer:
    """Sign in with the password of the account that was writing; return the API's answer.

    Raises CsrfMissing, Unauthenticated, TooManyTries.
    """
    must_be_ours("")
    answer = done_by_anybody("sign_in", {}, {"staff_no": http.form.get(WHO, ""), "password": http.form.get(PASSWORD, "")})
    if not answer.session:
        raise CsrfMissing
    return answer
