"""Invitations, slips, passwords and substitutes (邀请、纸条、委托代办)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from typing_extensions import TypedDict

from api.frame.address import NUMBER, location
from api.frame.errors import language
from api.frame.lists import Page, after_of, listed, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import BranchShape, PersonShape, page_of
from api.frame.words import said
from workflow.acts.invitations import INVITE, INVITE_BRANCH, PRINT_SLIP, PRINT_SLIPS
from workflow.acts.people import END_SUBSTITUTE, NAME_SUBSTITUTE
from workflow.acts.sign_in import FORGET_PASSWORD, SET_PASSWORD
from workflow.foundation.errors import Words
from workflow.foundation.fields import Sent
from workflow.people.access import Action
from workflow.people.accounts import Invitation
from workflow.people.guard.throttle import TooManyTries
from workflow.people.invitations import BranchSlips
from workflow.people.organisation import Person
from workflow.people.substitutes import SUBSTITUTE, Substitute, branches_within, substitutes_after
from workflow.rules.acts import Call, Done

routes = Routes(tag=Tag("invitations", "邀请与密码", "invitations and passwords"))
substitutes = Routes(tag=Tag("substitutes", "委托代办", "substitutes for people with a post"))


class InvitationShape(TypedDict):
    """An invitation without its code, which goes to the mailbox alone (邀请)."""

    staff_no: str
    name: str
    expires_at: datetime


class BranchInvitedShape(TypedDict):
    """Invitations of a whole branch (全支部邀请)."""

    letters: int
    no_address: list[PersonShape]


class SlipShape(TypedDict):
    """A slip of paper with a code, shown once (纸条)."""

    staff_no: str
    name: str
    code: Annotated[str, said("一次性代码，只显示这一次；大小写和连字符不论", "one-time code, shown this once; capitals and dashes do not matter")]
    link: Annotated[str, said("使用代码的页面", "page where the code is used")]
    expires_at: datetime


class BranchSlipsShape(TypedDict):
    """The slips of a branch, by staff number (全支部纸条)."""

    branch: BranchShape
    slips: list[SlipShape]


class MessageShape(TypedDict):
    """A sentence for the person who asks (提示)."""

    message: str


def known_shape(person: Person) -> PersonShape:
    return {"staff_no": person.staff_no, "name": person.name}


# ── getting in ────────────────────────────────────────────────────────────────────────────────────────────────────────


@routes.post("/accounts/<staff_no>/invitation", INVITE, answers=InvitationShape)
def invite_one(call: Call[object], made: Invitation) -> object:
    """Mail somebody a one-time link to set a password. It replaces the one before."""
    return {**known_shape(made.person), "expires_at": made.expires_at}


@routes.post("/accounts/invitations", INVITE_BRANCH, answers=BranchInvitedShape)
def invite_many(call: Call[object], done: Done) -> object:
    """Mail a link to everyone of a branch without a password.

    The answer names the people who have no address.
    """
    return {"letters": done.facts["letters"], "no_address": [known_shape(person) for person in done.rows]}


@routes.post("/accounts/slips", PRINT_SLIPS, answers=BranchSlipsShape)
def print_slips(call: Call[object], made: BranchSlips) -> object:
    """Make paper slips for a branch's people with neither password nor address.

    Their codes are in this answer alone. A new slip ends the person's earlier slip or link.
    """
    return _slips_shape(made)


@routes.post("/accounts/<staff_no>/slip", PRINT_SLIP, answers=BranchSlipsShape)
def print_one_slip(call: Call[object], made: BranchSlips) -> object:
    """Make one member's slip anew: lost, or the password forgotten.

    For whoever has no address. The slips of others stay.
    """
    return _slips_shape(made)


def _slips_shape(made: BranchSlips) -> BranchSlipsShape:
    slips: list[SlipShape] = [
        {**known_shape(each.person), "code": each.code, "link": each.link, "expires_at": each.expires_at} for each in made.slips
    ]
    return {"branch": {"code": made.branch.code, "name": made.branch.name, "unit": made.branch.unit_name}, "slips": slips}


@routes.post("/invitations/<invitation_code>", SET_PASSWORD, answers=PersonShape)
def set_password_by_link(call: Call[object], person: Person) -> object:
    """Set a password with the code of a letter or of a slip, once."""
    return known_shape(person)


ON_ITS_WAY = Words(
    "如果该学工号有账号并登记了邮箱，重新设置密码的邮件很快就到",
    "if there is such an account with an address, a letter with a link is on its way",
)


@routes.post("/session/forgotten", FORGET_PASSWORD, answers=MessageShape, refuses=(TooManyTries,))
def forgotten_password(call: Call[object], _: None) -> object:
    """Ask for a link to set a new password.

    The answer does not tell whether there is such an account.
    """
    return {"message": ON_ITS_WAY.speak(language())}


# ── substitutes ───────────────────────────────────────────────────────────────────────────────────────────────────────


@substitutes.get("/substitutes", action=Action.READ_SUBSTITUTES, answers=page_of(SUBSTITUTE), query=Page(), zh="列出委托代办")
def list_substitutes(call: Call[object], query: Sent) -> object:
    """List substitutes of the own branch, or of all for the school."""
    branches = branches_within(call.by, call.by_roles)
    rows = substitutes_after(call.session, after_of(query, 0, number), query["limit"] + 1, branches=branches)
    return listed(rows, query, SUBSTITUTE.shown, lambda row: row.id)


@substitutes.post("/substitutes", NAME_SUBSTITUTE, status=201)
def create_substitute(call: Call[object], row: Substitute) -> object:
    """Name a substitute between two days.

    A secretary or deputy names their own, the office anyone's.
    """
    return Answer(SUBSTITUTE.shown(row), location=location("/substitutes"))


@substitutes.post(f"/substitutes/<{NUMBER}:substitute_id>/end", END_SUBSTITUTE)
def finish_substitute(call: Call[object], row: Substitute) -> object:
    """End a substitution at once, or with an earlier last day."""
    return SUBSTITUTE.shown(row)
