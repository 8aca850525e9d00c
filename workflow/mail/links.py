"""Letters with a link (邀请信): an invitation to set a first password, and the answer to a forgotten one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workflow.mail.letters import Addressed

INVITED = "invitation"
PASSWORD_FORGOTTEN = "password"  # noqa: S105  (the kind of a letter)
SECRET = (INVITED, PASSWORD_FORGOTTEN)
"""Kinds whose text holds a link that opens an account: it is blanked as soon as the letter is sent, or will not be."""


@dataclass(frozen=True, kw_only=True)
class Invited(Addressed):
    """A link by which somebody new sets their password. ``expires_at`` is in the school's time."""

    template = "invitation"
    staff_no: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class PasswordForgotten(Invited):
    """The same link for somebody who has forgotten their password."""

    template = "password"
