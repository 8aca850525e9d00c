"""The page 从这里开始 (start): a short walk, with calls and bodies taken from the document itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflow.foundation.errors import Words


@dataclass(frozen=True)
class WalkStep:
    """One step of the walk, with the call that does it."""

    title: Words
    text: Words
    call: str


class CallWriter:
    """A writer of a document's calls as curl."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        paths: Mapping[str, Mapping[str, Any]] = document["paths"]
        self._common = document["components"]
        self._base = document["servers"][0]["url"]
        self._operations = {each["operationId"]: (method, path, each) for path, item in paths.items() for method, each in item.items()}
        self._year = self.body("open_year")["plan"]

    def body(self, operation: str, example: str | None = None) -> Any:
        """Find an example of an operation's body: the first one, unless it is named."""
        content = self._operations[operation][2]["requestBody"]["content"]["application/json"]["examples"]
        return content[example or next(iter(content))]["value"]

    def curl(self, operation: str, example: str | None = None, *, query: str = "", show: bool = False, token: bool = True, **headers: str) -> str:
        """Write an operation as a command; ``show`` prints the headers of the answer too."""
        method, path, described = self._operations[operation]
        address = f"$SERVER{self._base}{self._filled(path)}{query}"
        lines = [f"curl {'-i ' if show else ''}" + (f'"{address}"' if query else address)]
        if token:
            lines.append('-H "Authorization: Bearer $TOKEN"')
        lines += [f"-H '{name.replace('_', '-')}: {value}'" for name, value in headers.items()]
        if "requestBody" in described:
            lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(self.body(operation, example), ensure_ascii=False)}'"]
        elif method != "get":
            lines.insert(1, f"-X {method.upper()}")
        return " \\\n  ".join(lines)

    def _filled(self, path: str) -> str:
        examples = {name: each["example"] for name, each in self._common["parameters"].items() if "example" in each}
        return path.format(**{**examples, "year": self._year})


def steps(document: Mapping[str, Any]) -> list[WalkStep]:
    """List the steps of the walk in order."""
    call = CallWriter(document)
    return [
        WalkStep(
            Words("登录", "Sign in"),
            Words(
                "程序用令牌：管理员发放，只显示一次，放在 Authorization 里。网页用密码登录，改动时把答复里的 csrf_token 放进 X-CSRF-Token。",
                "Programs use a token, which the administrator makes and which is shown once. "
                "Pages sign in with a password and send csrf_token as X-CSRF-Token with every change.",
            ),
            call.curl("issue_token") + "\n\n" + call.curl("sign_in", token=False, show=True),
        ),
        WalkStep(
            Words("看看我是谁、缺什么", "See who you are and what is missing"),
            Words("待办列出所有支部和年度里等您办的事。", "The to-dos list what waits for you in all branches and years."),
            call.curl("who_am_i") + "\n\n" + call.curl("my_todos"),
        ),
        WalkStep(
            Words("登记一条记录", "Record something"),
            Words(
                "带上 Idempotency-Key：没有收到答复就原样重发，不会登记两次。答复 201，地址在 Location 里。",
                "Send an Idempotency-Key: without an answer send the same again, and nothing is recorded twice. 201, with the address in Location.",
            ),
            call.curl("record_talk", show=True, Idempotency_Key="talk-1"),
        ),
        WalkStep(
            Words("进入下一环节", "Move on to the next stage"),
            Words(
                "先读支部所在环节，把 ETag 原样（连引号）放进 If-Match。缺东西时 409，unmet 列出全部所缺，逐一列出姓名；此后有变化则 412。",
                "Read where the branch stands and send its ETag, quotes included, as If-Match. "
                "409 lists everything that is missing in unmet; 412 means that it has changed since.",
            ),
            call.curl("read_process", show=True) + "\n\n" + call.curl("move_appraisal", "advance", If_Match='"1"'),
        ),
        WalkStep(
            Words("轮询全校进度", "Poll the whole school"),
            Words(
                "每秒问一次也可以：带 If-None-Match，没有变化就是 304。有变化时用 cursor 问 changed_since，只得到变了的支部；下次用答复里的 next。",
                "Once a second is fine: with If-None-Match an unchanged answer is 304. Otherwise ask with changed_since=cursor for the branches "
                "that changed; next is what to ask with the next time.",
            ),
            call.curl("read_progress", show=True, If_None_Match='"…"') + "\n\n" + call.curl("list_branches", query="?changed_since=…"),
        ),
        WalkStep(
            Words("出错时", "When it is refused"),
            Words(
                "一律 application/problem+json。按 type 区分；给人看的是 detail，字段的错误在 errors，"
                "报告问题时说 request_id。429 和 503 等 Retry-After 的秒数再发。",
                "Always application/problem+json. Tell refusals apart by type, show detail to people, find faults by field in errors, report "
                "request_id. After 429 and 503 wait as many seconds as Retry-After says.",
            ),
            call.curl("who_am_i", token=False, show=True, Accept_Language="en"),
        ),
    ]
