"""Drafts of forms (草稿): kept as somebody types, shown to them alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from typing_extensions import TypedDict

from api.frame.routes import Answer, Routes, Tag
from api.frame.words import said
from workflow.acts.drafts import DROP_DRAFT, KEEP_DRAFT, the_draft
from workflow.people.access import Action
from workflow.people.drafts import Draft
from workflow.rules.acts import Call

routes = Routes(tag=Tag("drafts", "草稿", "drafts of forms"))
ONE = "/me/drafts/<act>/<on>"


class DraftShape(TypedDict):
    """A draft of a form (草稿)."""

    act: Annotated[str, said("办理事项", "name of the act")]
    on: Annotated[str, said("哪一份表单", "which form it is of")]
    typed: Annotated[dict[str, str], said("填写的内容，按栏目名", "what was typed, by the names of the fields")]
    saved_at: Annotated[datetime, said("保存时间", "moment at which it was kept")]


def _shown(row: Draft) -> Answer:
    body: DraftShape = {"act": row.act, "on": row.about, "typed": row.typed, "saved_at": row.saved_at}
    return Answer(body, version=row.version)


@routes.get(ONE, action=Action.KEEP_DRAFTS, find=the_draft, answers=DraftShape, zh="读自己的草稿")
def read_draft(call: Call[object], row: Draft) -> Answer:
    """Read the own draft of a form. Send its ETag as If-Match to write over it."""
    return _shown(row)


@routes.put(ONE, KEEP_DRAFT, answers=DraftShape)
def keep_draft(call: Call[object], row: Draft) -> Answer:
    """Keep what was typed into a form. ``on`` joins the parts of its address by hyphens.

    The first one names version 0. It is gone once the form is done on its page, or after 30 days.
    """
    return _shown(row)


@routes.delete(ONE, DROP_DRAFT, status=204)
def drop_draft(call: Call[object], _: None) -> None:
    """Delete the own draft of a form."""
