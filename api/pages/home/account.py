"""The own account (我的账号): as whom somebody acts, where they are signed in, their password."""

from __future__ import annotations

from api.pages.frame.look import ROLE_WORDS
from api.pages.frame.visit import PageRoute, Shown, Visit, site
from workflow.foundation.vocabulary import Role

SESSIONS, PASSWORD = "/me/sessions", "/me/password"


def account(visit: Visit) -> Shown:
    """Show roles, branches and, as far as the API lists them, the sign-ins that are not over."""
    by = visit.call.by
    held = [(code, [ROLE_WORDS[role] for role in Role if role in roles], by.stands_for.get(code)) for code, roles in sorted(by.branches.items())]
    values = {
        "school": [ROLE_WORDS[role] for role in Role if role in by.school],
        "branches": held,
        "sessions": visit.items(SESSIONS) if SESSIONS in site().readings else None,
        "changes_password": _form_of_password() is not None,
    }
    return Shown("account.html", "我的账号", values)


def _form_of_password() -> str | None:
    return next((f"{deed.rule}?next={SESSIONS}" for deed in site().deeds.values() if deed.route.rule == PASSWORD), None)


PAGES = (PageRoute(SESSIONS, account),)
