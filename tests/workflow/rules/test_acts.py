"""Acts: every possible act is declared once, with words for people.

Every edge reads the declaration.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from marshmallow import fields

from workflow.acts import ACTS, OF_KIND, OF_SCHOOL
from workflow.foundation.errors import Words
from workflow.foundation.fields import Body
from workflow.foundation.vocabulary import KIND_OF
from workflow.people.access import ACCESS
from workflow.year.finding import Lock


def test_no_two_acts_of_a_kind_share_a_name() -> None:
    for acts in (OF_SCHOOL, *OF_KIND.values()):
        assert [name for name, count in Counter(act.name for act in acts).items() if count > 1] == []


def test_each_act_is_listed_once_and_says_in_both_languages_what_it_is() -> None:
    assert len(set(map(id, ACTS))) == len(ACTS) > 100
    assert [act.name for act in ACTS if not (act.zh and act.en and act.name.isidentifier())] == []


def test_each_act_has_a_row_of_the_access_table_but_those_that_let_people_in() -> None:
    assert {act.name for act in ACTS if act.action is None} == {"sign_in", "forget_password", "set_password"}
    assert {act.action for act in ACTS if act.action is not None} <= ACCESS.keys()


def test_what_is_done_to_a_process_holds_it_and_closes_with_a_stage_of_its_own_kind() -> None:
    assert [act.name for act in ACTS if (act.lock is Lock.NONE) != (act.kind is None)] == []
    # In bulk an act on branches is one on their year, and still closed by their stages.
    kinds = {act.name: {KIND_OF[stage] for stage in act.closes} | ({act.kind} if act.kind else set()) for act in ACTS}
    assert [name for name, of in kinds.items() if len(of) > 1] == []


def all_bodies() -> dict[str, Body]:
    """Collect the schemas of all acts' bodies, with those inside."""
    found: dict[str, Body] = {}

    def add(body: Body) -> None:
        if type(body).__name__ not in found:
            found[type(body).__name__] = body
            for each in body.load_fields.values():
                for inner in (each, getattr(each, "inner", None), getattr(each, "value_field", None)):
                    if isinstance(inner, fields.Nested) and isinstance(inner.schema, Body):
                        add(inner.schema)

    for act in ACTS:
        if act.sends is not None:
            add(act.sends)
    return found


def test_each_field_says_what_it_is_in_both_languages() -> None:
    """A form, a paper and a client show the same words.

    They are a label, a sentence of help, and an example that could be typed.
    """
    said = {f"{name}.{field}": each.metadata for name, body in all_bodies().items() for field, each in body.load_fields.items()}
    assert len(said) > 100
    assert [name for name, metadata in said.items() if not isinstance(metadata.get("label"), Words)] == []
    assert [name for name, metadata in said.items() if not (metadata["label"].zh and metadata["label"].en)] == []
    assert [name for name, metadata in said.items() if name not in SAY_ENOUGH and not _helps(metadata)] == []


def _helps(metadata: Any) -> bool:
    secret = metadata["label"].en.endswith("password")
    return isinstance(metadata.get("help"), Words) and ("example" in metadata or secret)


SAY_ENOUGH: set[str] = set()
"""Fields whose label needs no more help."""
