"""Examples of bodies that pass (示例).

They are made from the examples of the fields, or tried by hand where these do not go together:
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

_ADVANCE: Example = (Words("进入下一环节", "on to the next stage"), {"trigger": "advance"})
_TALLY = {
    "subject": "committee",
    "issued": 12,
    "returned": 12,
    "valid": 11,
    "void": 1,
    "counts": {"work": {"good": 11}, "style": {"good": 9, "fair": 2}, "overall": {"good": 10, "abstain": 1}},
}

TRIED: Mapping[str, Mapping[str, Example]] = {
    "sign_in": {"demo": (Words("演示里的书记", "the secretary of the demo"), {"staff_no": "0101001", "password": "zhibu-demo-2024"})},
    "set_password": {"phrase": (Words("10 个字符以上", "10 characters or more"), {"password": "梧桐树下的图书馆2024"})},
    "change_password": {"phrase": (Words("换一个长一些的", "a longer one"), {"old": "zhibu-demo-2024", "new": "梧桐树下的旧图书馆 2025"})},
    "appoint": {
        "branch": (
            Words("支部职务", "a post in a branch"),
            {"staff_no": "20160005", "branch": "D0101", "post": "deputy", "title": "副书记", "starts_on": "2024-09-01"},
        ),
        "school": (Words("学校职务", "an office of the school"), {"staff_no": "20160005", "role": "auditor", "starts_on": "2024-09-01"}),
    },
    "move_appraisal": {
        "advance": _ADVANCE,
        "return": (
            Words("党委办公室退回", "back, by the office"),
            {"trigger": "return", "to": "talks", "reason": "请补充意见建议", "due_on": "2030-01-10"},
        ),
    },
    "move_assessment": {"advance": _ADVANCE},
    "end_appraisal": {
        "merged": (Words("并入其他支部", "merged into another"), {"why": "merged", "into": "D0201", "reason": "党员不足三名，经党委同意并入"}),
    },
    "end_assessment": {
        "other": (Words("今年不考核", "not assessed this year"), {"why": "other", "reason": "年中成立，经党委同意今年不考核"}),
    },
    "extend_assessment": {
        "collecting": (Words("述职延期", "more time to report"), {"stage": "collecting", "due_on": "2025-02-10", "reason": "书记出差"})
    },
    "waive": {
        "one": (
            Words("一名党员", "one member"),
            {"requirement": "members_nobody_talked_with", "subjects": ["0101022"], "reason": "在境外访学，返校后补谈"},
        )
    },
    "record_talk": {
        "short": (Words("最少要写的", "the least"), {"held_on": "2024-12-16", "talker": "0101001", "partner": "0101020"}),
        "another": (Words("另一次", "another one"), {"held_on": "2024-12-16", "talker": "0101002", "partner": "0101021"}),
    },
    "record_meeting": {
        "life": (
            Words("组织生活会", "the life meeting"),
            {
                "purpose": "life",
                "form": "general",
                "held_on": "2024-12-19",
                "started_at": "14:30",
                "place": "党员活动室",
                "chair": "20160001",
                "recorder": "20160002",
                "agenda": ["自我检查"],
                "present": ["20160001", "20160002"],
                "absent": [{"staff_no": "20160005", "reason": "住院"}],
                "criticisms": [{"speaker": "20160001", "about": "20160002", "matter": "主题党日两次迟到", "improve": "提前安排工作"}],
                "minutes": "逐项进行，见记录",
            },
        )
    },
    "record_tally": {"committee": (Words("对支委会", "on the committee"), _TALLY)},
    "amend_tally": {"committee": (Words("对支委会", "on the committee"), _TALLY)},
    "record_step": {
        "talk": (
            Words("两名正式党员同本人谈话", "the talk by two full members"),
            {"step": "talk", "on": "2024-12-20", "talkers": ["20160001", "20160002"], "why_without": "前两步已在系统外办理"},
        )
    },
    "amend_step": {"note": (Words("补写情况", "a note"), {"note": "已报学院党委"})},
    "record_rating": {
        "level": (Words("确定等次", "a level"), {"staff_no": "20160005", "level": "qualified", "opinion": "履行职责较好"}),
        "none": (Words("不评定", "no level"), {"staff_no": "20160005", "not_rated_reason": "预备党员"}),
    },
    "record_rating_in_bulk": {
        "two": (
            Words("两名党员", "two members"),
            {"items": [{"staff_no": each, "level": "qualified", "opinion": "履行职责较好"} for each in ("0101020", "0101021")]},
        )
    },
}
"""Examples by operation. They replace those made from the fields."""


def examples(act: AnyAct, operation: str) -> dict[str, Any]:
    """Give the examples of an act's body, by name."""
    if act.sends is None:
        return {}
    tried = TRIED.get(operation) or {"example": (Words(act.zh, act.en), example_of(act.sends))}
    return {name: {"summary": words.zh, "description": words.en, "value": dict(value)} for name, (words, value) in tried.items()}


def example_of(body: Body) -> dict[str, Any]:
    """Make a body from the examples of its fields. A change sends one field alone."""
    given = {field.data_key or name: _value(field) for name, field in body.load_fields.items() if field.required or "example" in field.metadata}
    return dict(list(given.items())[-1:]) if body.partial is True else given


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
"""Values for required fields without an example, by type; the first that fits is taken."""
