"""Bodies that pass (示例): from the examples of the fields, or one that was tried where these do not go together.

``TRIED`` has the bodies of the README and those of acts whose fields exclude or need one another.
A test sends them all (``tests/api/frame/test_examples.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from workflow.foundation.errors import Words
from workflow.foundation.fields import Body, Clock, Day, Line, LongText, Moment, StaffNo, Truth
from workflow.rules.acts import AnyAct

Example = tuple[Words, Mapping[str, Any]]

TRIED: Mapping[str, Mapping[str, Example]] = {
    "record_talk": {
        "short": (Words("最少要写的", "the least"), {"held_on": "2024-12-16", "talker": "0101001", "partner": "0101020"}),
        "another": (Words("另一次", "another one"), {"held_on": "2024-12-16", "talker": "0101002", "partner": "0101021"}),
    },
    "waive": {
        "one": (
            Words("一名党员", "one member"),
            {"requirement": "members_nobody_talked_with", "subjects": ["0101022"], "reason": "在境外访学，返校后补谈"},
        )
    },
    "move": {
        "advance": (Words("进入下一环节", "on to the next stage"), {"trigger": "advance"}),
        "return": (
            Words("党办退回", "back, by the office"),
            {"trigger": "return", "to": "talks", "reason": "请补充意见建议", "due_on": "2030-01-10"},
        ),
    },
}
"""By act. What stands here goes before what the fields say."""


def examples(act: AnyAct) -> dict[str, Any]:
    """The examples of what an act is sent, by name."""
    if act.sends is None:
        return {}
    tried = {name: {"summary": str(words), "description": words.en, "value": dict(value)} for name, (words, value) in TRIED.get(act.name, {}).items()}
    return tried or {"example": {"summary": act.zh, "description": act.en, "value": example_of(act.sends)}}


def example_of(body: Body) -> dict[str, Any]:
    """A body made of the examples of its fields. A change sends one field alone."""
    given = {field.data_key or name: _value(field) for name, field in body.load_fields.items() if field.required or "example" in field.metadata}
    return dict(list(given.items())[-1:]) if body.partial else given


def _value(field: fields.Field[Any]) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    if isinstance(field, fields.List):
        return [_value(field.inner)]
    if isinstance(field, fields.Nested):
        inner = field.schema
        assert isinstance(inner, Body)  # noqa: S101  (all schemas of ours are)
        return example_of(inner)
    if isinstance(field, fields.Enum):
        return field.metadata["enum"][0]
    if isinstance(field, fields.Dict):
        return {}
    return next((value for cls, value in BY_TYPE if isinstance(field, cls)), 1)


BY_TYPE: tuple[tuple[type[fields.Field[Any]], Any], ...] = (
    (Day, "2024-12-19"),
    (Clock, "14:30"),
    (Moment, "2024-12-19T14:30:00+08:00"),
    (StaffNo, "20160001"),
    (Truth, True),
    (Line, "一行文字"),
    (LongText, "一段文字，不少于十个字。"),
)
"""Where a required field has no example: one that its type takes. The first that fits."""
