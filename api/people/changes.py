"""Changes of people and of what opens the system (人员和账号的变更)."""

from __future__ import annotations

from api.frame.changes import HistoryShape, history_shape
from api.frame.lists import Page, after_of, listed, number
from api.frame.routes import Routes, Tag
from api.frame.shapes import Listed
from workflow.foundation.fields import Line, Sent, about, one_of
from workflow.foundation.vocabulary import Changed
from workflow.people.access import Action
from workflow.people.changes import Change, changes_before
from workflow.rules.acts import Call

routes = Routes(tag=Tag("changes", "人员和账号的变更", "changes of people and accounts"))


class HistoryQuery(Page):
    """The changes that are asked for."""

    what = one_of(Changed, **about("事项", "what", "账号、任职、令牌等，不填为全部", "all if left out", example="token"))
    who = Line(at_most=64, **about("学工号", "who", "谁改的，或者改的是谁", "who made it, or whom it concerns", example="20160001"))


class PersonChangeShape(HistoryShape):
    """A change, and the person whom it concerns (一次变更)."""

    staff_no: str | None
    name: str | None


def _shape(change: Change) -> PersonChangeShape:
    return {**history_shape(change.row), "staff_no": change.staff_no, "name": change.name}


@routes.get("/history", action=Action.READ_HISTORY, answers=Listed[PersonChangeShape], query=HistoryQuery(), zh="列出人员和账号的变更")
def list_changes(call: Call[object], query: Sent) -> object:
    """List changes of people, accounts, tokens, posts, invitations and substitutes, newest first.

    Secrets are left out. What belongs to a branch's year is in that branch's history.
    """
    before = after_of(query, None, number)
    rows = changes_before(call.session, before, query["limit"] + 1, what=query.get("what"), who=query.get("who"))
    return listed(rows, query, _shape, lambda each: each.row.id)
