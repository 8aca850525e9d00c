"""Invitations and slips as acts (邀请、纸条): by mail for a person or a branch, or on paper."""

from __future__ import annotations

from typing import Any

from workflow.acts.people import desk, the_account
from workflow.foundation.database import act_as
from workflow.foundation.errors import Forbidden, Invalid, NotFound, Words
from workflow.foundation.fields import Body, Line, Sent, about
from workflow.people.access import Action
from workflow.people.accounts import Account, Invitation, account_of
from workflow.people.invitations import BranchSlips, invite, invite_branch, print_slip, print_slips
from workflow.people.organisation import Branch, branch_by_code
from workflow.rules.acts import Act, AnyAct, Call, Done


class BranchSchema(Body):
    """A branch."""

    branch = Line(required=True, at_most=32, **about("党支部", "branch", "党支部代码", "the code of the branch", example="D0101"))


def _named_branch(call: Call[object], code: str) -> Branch:
    """Find the branch that was named. Raises Invalid at that field for an unknown one."""
    try:
        return branch_by_code(call.session, code)
    except NotFound as missing:
        raise Invalid({"branch": missing.detail}) from None


INVITE: Act[Account, Invitation] = Act(
    "invite",
    "发邀请信",
    "mail a link to set a password",
    Action.WRITE_ACCOUNTS,
    lambda call, sent: invite(call.session, call.on.person.staff_no, desk=desk(call)),
    on=the_account,
)


def _invite_branch(call: Call[object], sent: Sent) -> Done:
    """Mail everyone of a branch who has no password. The rows are the people without an address."""
    done = invite_branch(call.session, _named_branch(call, sent["branch"]), desk=desk(call))
    return Done(done.no_address, {"letters": done.letters})


INVITE_BRANCH: Act[Any, Done] = Act(
    "invite_branch", "给全支部发邀请信", "mail a whole branch a link", Action.WRITE_ACCOUNTS, _invite_branch, sends=BranchSchema()
)

ON_PAPER = "打印首次登录纸条"
"""The reason that the history has of an invitation on paper; one by mail has none."""


def _must_not_be_their_branch(call: Call[object], branch: Branch | None) -> None:
    """Raise Forbidden for slips of a branch where they have a post: a slip opens an account."""
    if branch is not None and call.caller is not None and call.caller.has_post_in(branch.code):
        zh = f"您在{branch.name}任职，本支部的纸条请系统管理员或党委办公室其他同志打印"
        raise Forbidden(Words(zh, "you have a post in this branch: the administrator or another of the office prints its slips"))


def _print_slips(call: Call[object], sent: Sent) -> BranchSlips:
    branch = _named_branch(call, sent["branch"])
    _must_not_be_their_branch(call, branch)
    act_as(call.session, actor=call.actor, reason=ON_PAPER)
    return print_slips(call.session, branch, desk=desk(call))


# Secret, so nothing is kept for a repetition: who asks again gets new codes, and the first end.
PRINT_SLIPS: Act[Any, BranchSlips] = Act(
    "print_slips",
    ON_PAPER,
    "make paper slips for a branch's people without an address",
    Action.PRINT_SLIPS,
    _print_slips,
    sends=BranchSchema(),
    secret=True,
)


def _print_slip(call: Call[Account], sent: Sent) -> BranchSlips:
    _must_not_be_their_branch(call, call.on.person.branch)
    act_as(call.session, actor=call.actor, reason=ON_PAPER)
    return print_slip(call.session, account_of(call.session, call.on.person.staff_no, for_update=True), desk=desk(call))


PRINT_SLIP: Act[Account, BranchSlips] = Act(
    "print_slip",
    "补打一张纸条",
    "make a paper slip for one person without an address",
    Action.PRINT_SLIPS,
    _print_slip,
    on=the_account,
    secret=True,
)


ACTS: tuple[AnyAct, ...] = (INVITE, INVITE_BRANCH, PRINT_SLIPS, PRINT_SLIP)
