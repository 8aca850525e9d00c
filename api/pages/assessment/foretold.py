"""Foretelling of the assessment's grave acts (办理之前): what will happen, and to how many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.assessment.activities import SHEET
from api.assessment.decisions import ONE
from api.frame.address import CYCLE
from api.pages.frame.visit import Foretell, Visit
from workflow.foundation.vocabulary import Presence
from workflow.rules.acts import Address


def _confirming(visit: Visit, address: Address) -> list[str]:
    row: Any = visit.body_if_any(ONE, address)
    if row is None:
        return []
    counts: dict[str, int] = {}
    for each in row["results"].values():
        counts[each["word"]] = counts.get(each["word"], 0) + 1
    told = "、".join(f"{word} {count} 个" for word, count in counts.items())
    return [
        f"{row['number']} 对 {len(row['results'])} 个支部的决定成为最终决定：{told}。",
        "确认以后不能撤回，只能由以后的决定更正。公布以前支部看不到结果。",
    ]


def _publishing(visit: Visit, address: Address) -> list[str]:
    row: Any = visit.body_if_any(f"{CYCLE}/decision", address)
    if row is None:
        return []
    named = "、".join(each["name"] for each in row["excellent"]) or "无"
    return [
        f"{len(row['results'])} 个支部的书记、副书记收到本支部考核结果的信，支部党员可以看到本支部的结果。",
        f"优秀党支部名单对全校公布：{named}。",
        "公布以后不能收回。",
    ]


def _sheet(visit: Visit, address: Address) -> list[str]:
    row: Any = visit.body(SHEET, address)
    if not row["applicable"]:
        return []
    told = "、".join(f"{each.zh} {row['summary'].get(each.value, 0)} 人" for each in Presence)
    return [f"写入 {row['summary']['expected']} 人的出勤：{told}。", "这次活动原来的出勤由这张表代替。全部写入，或者全部不写。"]


FORETOLD: Mapping[str, Foretell] = {
    "confirm_decision": _confirming,
    "publish_decision": _publishing,
    "apply_attendance": _sheet,
    "reject_decision": lambda visit, address: ["这份决定退回党委办公室重新登记，理由写给他们；没有支部受影响。"],
    "withdraw_decision": lambda visit, address: ["这份决定不再等党委确认，可以重新登记；没有支部受影响。"],
    "withdraw_activity": lambda visit, address: ["这次活动和它的出勤不再计入各支部的汇总；变更记录里还能看到。"],
}
