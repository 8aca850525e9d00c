"""Security notices (安全通知): letters that tell people of what opens the system to somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from workflow.foundation.vocabulary import Role
from workflow.mail.letters import Addressed

ROLE_GIVEN, TOKEN_MADE, PASSWORD_SET = "role-given", "token-made", "password-set"
PASSWORD_CHANGED = "password-changed"  # noqa: S105  (the kind of a letter)


@dataclass(frozen=True, kw_only=True)
class RoleGiven(Addressed):
    """A letter to the holders of a role of the school: somebody else has it now (任职告知)."""

    template = "role_given"
    name: str
    staff_no: str
    role: Role
    starts_on: date
    by: str
    """The person who gave it."""


@dataclass(frozen=True, kw_only=True)
class TokenMade(Addressed):
    """A letter to a person: somebody has made a token in their name (令牌告知)."""

    template = "token_made"
    name: str
    """The use of the token."""
    expires_on: date
    by: str


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(Addressed):
    """A letter to a person whose password was changed by someone who is signed in (改密码告知)."""

    template = "password_changed"
    at: datetime
    """The time of the change, in the school's time."""


@dataclass(frozen=True, kw_only=True)
class PasswordSet(Addressed):
    """A letter to a person: somebody else has set their password (密码告知)."""

    template = "password_set"
    by: str
