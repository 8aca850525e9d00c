"""Letters with a link (邀请信): an invitation to set a first password, or a forgotten one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workflow.mail.letters import Addressed

INVITED = "invitation"
PASSWORD_FORGOTTEN = "password"  # noqa: S105  (the kind of a letter)
SECRET = (INVITED, PASSWORD_FORGOTTEN)
"""The kinds whose text holds a link that opens an account.

The text is blanked as soon as the letter is sent, or will not be.
"""


@dataclass(frozen=True, kw_only=True)
class Invited(Addressed):
    """A letter with a link by which a new person sets their password.

    ``expires_at`` is in the school's time.
    """

    template = "invitation"
    staff_no: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class PasswordForgotten(Invited):
    """A letter with the same link, for a person who has forgotten their password."""

    template = "password"
