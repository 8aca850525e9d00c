"""Letters with a link (邀请信): an invitation to set a first password, and the answer to a forgotten one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from workflow.mail.letters import Rendered, _environment, _one_line

INVITED = "invitation"
PASSWORD_FORGOTTEN = "password"  # noqa: S105  (the kind of a letter)


@dataclass(frozen=True)
class Invited:
    """A link by which the recipient sets his password. ``expires_at`` is in the school's time."""

    recipient: str
    staff_no: str
    link: str
    expires_at: datetime
    today: date


def invited(letter: Invited) -> Rendered:
    """The letter that brings somebody in."""
    return _rendered("invitation", letter)


def password_forgotten(letter: Invited) -> Rendered:
    """The letter to somebody who said that he forgot his password."""
    return _rendered("password", letter)


def _rendered(name: str, letter: Invited) -> Rendered:
    subject, text, html = (_environment.get_template(f"{name}.{part}").render(letter=letter) for part in ("subject.txt", "txt", "html"))
    return Rendered(_one_line(subject), text.strip() + "\n", html.strip() + "\n")
