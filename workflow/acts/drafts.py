"""Keeping a draft as an act (保存草稿): by whom it was typed, and for nobody else."""

from __future__ import annotations

from dataclasses import dataclass

from workflow.foundation.errors import NotFound
from workflow.foundation.fields import Body, ByName, Line, LongText, Sent, about
from workflow.people.access import Action
from workflow.people.drafts import Draft, draft_of, drop_draft, keep_draft
from workflow.rules.acts import Act, AnyAct, Call


class DraftSchema(Body):
    """The values typed into a form, by the names of its fields."""

    typed = ByName(
        at_most=1000,
        keys=Line(at_most=60),
        values=LongText(at_most=30_000, blank=True),
        required=True,
        **about("填写的内容", "what was typed", "按表单的栏目名", "by the names of the form's fields", example={"aspects.A1": "信念坚定"}),
    )


def the_draft(call: Call[object], act: str, on: str) -> Draft:
    """Find the own draft that an address names. Raises NotFound."""
    found = draft_of(call.session, call.by.person_id, act, on)
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True)
class FormPlace:
    """A form that keeps a draft, with the draft, if there is one (一份表单)."""

    act: str
    about: str
    draft: Draft | None


def _place(call: Call[object], act: str, on: str) -> FormPlace:
    return FormPlace(act, on, draft_of(call.session, call.by.person_id, act, on, held=True))


def _keep(call: Call[FormPlace], sent: Sent) -> Draft:
    place = call.on
    return keep_draft(
        call.session,
        place.draft,
        sent["typed"],
        person_id=call.by.person_id,
        act=place.act,
        about=place.about,
        seen=call.version_seen,
    )


def _drop(call: Call[Draft], sent: Sent) -> None:
    drop_draft(call.session, call.by.person_id, call.on.act, call.on.about)


KEEP_DRAFT: Act[FormPlace, Draft] = Act(
    "keep_draft", "保存草稿", "keep a draft", Action.KEEP_DRAFTS, _keep, on=_place, sends=DraftSchema(), wants_version=True
)
DROP_DRAFT: Act[Draft, None] = Act("drop_draft", "删除草稿", "delete a draft", Action.KEEP_DRAFTS, _drop, on=the_draft)
ACTS: tuple[AnyAct, ...] = (KEEP_DRAFT, DROP_DRAFT)
