"""Forms that keep a draft (草稿): where it is kept, and its end when the form is done."""

from __future__ import annotations

from typing import Any

from api.frame.address import BASE
from api.frame.base import csrf_token
from api.pages.frame.visit import Visit
from workflow.people.access import Action
from workflow.people.drafts import FORMS, ON, drop_draft
from workflow.rules.acts import Address, AnyAct, Call


def kept_as(address: Address) -> str:
    """Return the name of a form among those of its act: the parts of its address."""
    return "-".join(str(value) for value in address.values())


def draft_for(visit: Visit, act: AnyAct, address: Address) -> dict[str, Any] | None:
    """Return what a form needs to keep a draft; None for one that keeps none."""
    on = kept_as(address)
    if act.name not in FORMS or not ON.fullmatch(on) or not visit.may(Action.KEEP_DRAFTS):
        return None
    there = visit.body_if_any("/me/drafts/<act>/<on>", {"act": act.name, "on": on}) is not None
    return {"there": there, "address": f"{BASE}/me/drafts/{act.name}/{on}", "account": visit.call.by.staff_no, "csrf": csrf_token(visit.call.cookie)}


def done_with(call: Call[Any], act: AnyAct, address: Address) -> None:
    """Delete the draft of a form that is done, in the same transaction."""
    if act.name in FORMS:
        drop_draft(call.session, call.by.person_id, act.name, kept_as(address))
