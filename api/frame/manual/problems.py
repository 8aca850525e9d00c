"""The page of refusals (错误说明), to which the ``type`` of a problem points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from api.frame.errors import BEYOND, STATUS, status_of
from workflow.foundation.errors import Refusal, Words

ADVICE: Mapping[str, Words] = {
    "malformed": Words("检查引号、逗号和括号；同一个键不能写两次", "Check quotes, commas and braces; give no key twice."),
    "unauthenticated": Words(
        "登录，或在 Authorization 里带上令牌；令牌可能过期或已作废", "Sign in, or send a token; the one you have may have expired or been revoked."
    ),
    "forbidden": Words("换有这个权限的人办；接口文档写明谁可以办", "Ask somebody whose role may do it; each operation says which."),
    "csrf": Words("重新登录，改动时带上答复里的 csrf_token", "Sign in again and send csrf_token as X-CSRF-Token."),
    "not-found": Words(
        "核对地址里的年度、支部代码和编号；不属于您的也这样答复", "Check year, branch code and number; what is not yours is answered alike."
    ),
    "http-405": Words("核对方法；可用的方法在 Allow 里", "Check the method; Allow names those that work."),
    "conflict": Words("看 detail：现在的状态不允许", "Read detail: the present state does not allow it."),
    "exists": Words("已有一份：改用更正（PATCH）", "Correct it with PATCH."),
    "move-not-possible": Words("先看现在能做哪些动作（/next）", "Ask /next which moves lead away from here."),
    "request-in-progress": Words("稍等再用同一个 Idempotency-Key 重发", "Wait, then send it again with the same Idempotency-Key."),
    "requirements-unmet": Words(
        "逐项补齐 unmet；可以说明理由的，登记理由（/waivers）", "Do what each row of unmet asks, or give a reason (/waivers) where it may be waived."
    ),
    "stage-closed": Words("请党委办公室退回，或由书记返回前面环节，再补充", "Have it returned by the office, or step back, then add it."),
    "tally-first": Words("先由两名计票人录入对党员的测评", "Have two tellers enter the ballot on the members first."),
    "tally-mismatch": Words(
        "两人一起核对选票，改正后由第二人重录；第二次仍不一致的，先由第一人重新录入",
        "Check the ballots together, correct, and have the second teller enter again; after the second time the first teller enters anew.",
    ),
    "stale": Words("重新读取，看 changed，再用新的 ETag 提交", "Read it again, look at changed, and send the new ETag."),
    "too-large": Words("减小文件或分几次提交", "Send a smaller file, or several."),
    "unsupported-media-type": Words(
        "JSON 用 application/json，文件用 multipart/form-data", "Send application/json, or multipart/form-data for a file."
    ),
    "invalid": Words("按 errors 逐项改正；键就是字段", "Correct each field that errors names."),
    "plan-invalid": Words("按 detail 改方案文件里的键", "Correct the keys of the plan file that detail names."),
    "precondition-required": Words("先 GET，把 ETag 放进 If-Match", "GET it first, and send its ETag as If-Match."),
    "too-many-tries": Words("等 Retry-After 所说的秒数", "Wait as many seconds as Retry-After says."),
    "internal": Words("把 request_id 告诉管理员，日志里可查", "Give request_id to the administrator; the log has it."),
    "busy": Words(
        "等 Retry-After 所说的秒数再发；带 Idempotency-Key 重发不会办两次", "Try again after Retry-After; with Idempotency-Key nothing is done twice."
    ),
    "database-away": Words(
        "等 Retry-After 所说的秒数再发；长时间不恢复请告诉管理员", "Try again after Retry-After; tell the administrator if it does not come back."
    ),
    "database-unwritable": Words(
        "什么都没有改变；请管理员运行 zhibu doctor，恢复写入后再发",
        "Nothing was changed; have the administrator run zhibu doctor, and try again when it can be written to.",
    ),
    "database-behind": Words(
        "什么都没有改变；请管理员运行 zhibu migrate，再发",
        "Nothing was changed; have the administrator run zhibu migrate, and try again.",
    ),
}
"""Advice on each refusal, by slug."""


@dataclass(frozen=True)
class Told:
    """One kind of refusal as the page shows it."""

    status: int
    phrase: str
    slug: str
    title: Words
    meaning: str
    """The English meaning, from the class's docstring."""
    advice: Words


def told() -> list[Told]:
    """List every refusal of the API by status. Those of the command line have none."""
    classes: dict[str, list[type[Refusal]]] = {}
    for each in _refusals(Refusal):
        classes.setdefault(each.slug, []).append(each)
    rows = [(status_of(of[0]), slug, of[0].title, " ".join(dict.fromkeys(map(_said, of)))) for slug, of in classes.items()]
    rows += [(status, slug, words, words.en[0].upper() + words.en[1:] + ".") for slug, (status, words) in BEYOND.items()]
    return [Told(status, HTTPStatus(status).phrase, slug, title, meaning, ADVICE[slug]) for status, slug, title, meaning in sorted(rows)]


def _said(refusal: type[Refusal]) -> str:
    return " ".join((refusal.__doc__ or "").replace("``", "").split())


def _refusals(cls: type[Refusal]) -> Iterator[type[Refusal]]:
    for each in cls.__subclasses__():
        if any(kind in STATUS for kind in each.__mro__):
            yield each
        yield from _refusals(each)
