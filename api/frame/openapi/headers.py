"""Headers and parts of addresses (请求头、响应头、路径参数), each a component described once."""

from __future__ import annotations

import re
from collections.abc import Mapping

from api.frame.base import CSRF_HEADER, KEY_HEADER
from api.frame.openapi.schemas import Described
from api.frame.routes import Route
from api.frame.words import both
from workflow.foundation.errors import Words
from workflow.foundation.idempotency import LONGEST_KEY

TEXT: Described = {"type": "string"}
TAG: Described = {"type": "string", "examples": ['"3"']}

REQUEST: Mapping[str, Described] = {
    "Accept-Language": {
        "description": both(Words("说明文字的语言：默认中文，en 为英文", "language of messages: Chinese, or en for English")),
        "schema": {**TEXT, "examples": ["zh-CN", "en"]},
    },
    KEY_HEADER: {
        "description": both(
            Words(
                "同一请求的记号：带着它重发，不会办两次，七天内答复相同",
                "marks equal requests: sent again with it, nothing is done twice and the answer is the same, for seven days",
            )
        ),
        "schema": {**TEXT, "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]+$", "examples": ["7d9f0c3e-talk-1"]},
    },
    "If-Match": {
        "description": both(
            Words("读到的 ETag，带引号：此后有变化则 412，不带则 428", "the ETag that was read, in quotes: 412 if it changed since, 428 without it")
        ),
        "schema": TAG,
    },
    "If-None-Match": {
        "description": both(Words("上一次的 ETag：没有变化则 304", "the ETag of the last answer: 304 if nothing has changed")),
        "schema": {**TEXT, "examples": ['"8f14e45fceea167a5a36dedd4bea2543"']},
    },
    CSRF_HEADER: {
        "description": both(
            Words(
                "用 Cookie 登录的页面改动时必带，登录时得到；用令牌的程序不用",
                "csrf_token of the sign-in, with each change of a page; not for tokens",
            )
        ),
        "schema": {**TEXT, "examples": ["5f2d…"]},
    },
}

RESPONSE: Mapping[str, Described] = {
    "ETag": {"description": both(Words("版本；改动时作为 If-Match", "version, for If-Match of a change")), "schema": TAG},
    "Location": {"description": both(Words("新记录的地址", "address of what was made")), "schema": {**TEXT, "examples": ["/api/v1/me"]}},
    "Retry-After": {"description": both(Words("过几秒再试", "seconds to wait before trying again")), "schema": {"type": "integer", "minimum": 1}},
    "Idempotent-Replayed": {
        "description": both(Words("true：这是以前同一请求的结果", "true: it was done before by an equal request")),
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {"description": both(Words("登录方式", "how to sign in")), "schema": {"type": "string", "examples": ["Bearer"]}},
}

PATH: Mapping[str, tuple[Words, object]] = {
    "year": (Words("年度", "year"), 2025),
    "code": (Words("党支部代码", "code of the branch"), "D0101"),
    "staff_no": (Words("学工号", "staff number"), "0101020"),
    "record_id": (Words("记录编号", "number of the record"), 12),
    "token_id": (Words("令牌编号", "number of the token"), 12),
    "session_id": (Words("登录编号", "number of the session"), 12),
    "punishment_id": (Words("处分编号", "number of the punishment"), 12),
    "appointment_id": (Words("任职编号", "number of the post"), 12),
    "substitute_id": (Words("委托代办编号", "number of the substitution"), 12),
    "invitation_code": (Words("信里链接末尾的一段，或纸条上的代码", "last part of the link in the letter, or the code on the slip"), "kX2…"),
    "follow_up_id": (Words("帮助事项编号", "number of the promised help"), 12),
    "step": (Words("处置步骤", "step of the disposition"), "talk"),
    "import_id": (Words("名册导入编号", "number of the import"), 12),
    "sheet_id": (Words("出勤表编号", "number of the attendance sheet"), 12),
    "decision_id": (Words("决定编号", "number of the decision"), 12),
    "day": (Words("日期", "day"), "2025-01-26"),
    "act": (Words("办理事项", "name of the act"), "record_self_review"),
    "on": (Words("表单地址的各部分，用连字符连接", "the parts of the form's address, joined by hyphens"), "2025-D0101"),
}
"""Names in addresses, each with an example."""


def names_in(rule: str) -> list[tuple[str, str]]:
    """Find the names in an address, each with its converter."""
    return [(name, kind) for kind, name in re.findall(r"<(?:([^:<>]+):)?([^<>]+)>", rule)]


def _in_path(converter: str) -> Described:
    if found := re.fullmatch(r"int\(max=(\d+)\)", converter):
        return {"type": "integer", "minimum": 0, "maximum": int(found[1])}
    return {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,32}$"}


def of_address(name: str, converter: str) -> Described:
    """Describe the parameter component of a name in addresses."""
    words, example = PATH[name]
    return {"in": "path", "name": name, "required": True, "description": both(words), "schema": _in_path(converter), "example": example}


def wanted(route: Route) -> list[str]:
    """Name the request headers that a route reads."""
    found = ["If-Match"] if route.if_match else []
    if route.repeatable:
        found.append(KEY_HEADER)
    if route.polled:
        found.append("If-None-Match")
    if route.method != "GET" and route.action is not None:
        found.append(CSRF_HEADER)
    return [*found, "Accept-Language"]
