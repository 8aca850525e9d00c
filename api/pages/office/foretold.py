"""Foretelling of grave acts (办理之前): what will happen, and to how many, on their pages.

Numbers are those of the API at this moment; nothing is changed by asking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import request as http

from api.frame.address import BRANCH, CYCLE
from api.pages.frame.visit import Foretell, Visit
from api.school.roster import ONE as IMPORT
from workflow.foundation.vocabulary import MAIN, WORKING_STAGES, Post, Stage, Trigger
from workflow.rules.acts import Address

NAMES_SHOWN = 10


def named(names: Sequence[str]) -> str:
    """Write a few names, and the number of the others."""
    more = len(names) - NAMES_SHOWN
    return "、".join(names[:NAMES_SHOWN]) + (f"等 {len(names)} 个" if more > 0 else "")


def _publishing(visit: Visit, address: Address) -> list[str]:
    posts = [row for row in visit.whole("/appointments") if row["branch"] and row["ends_on"] is None]
    led = {row["branch"] for row in posts if row["post"] == Post.SECRETARY}
    without = sorted({row["branch"] for row in posts} - led)
    days = visit.body(CYCLE, address)["days"]
    open_days = [Stage(stage).zh for stage in WORKING_STAGES[MAIN] if days[stage]["day"] is None]
    told = [
        "名册上的每个支部都开始这一年度，名册按今天的人员定下，以后随转入、转出改动。",
        f"有书记的支部 {len(led)} 个，书记、副书记会收到写明期限的信。",
        "方案从此不再改，只能发补充通知；期限可以调整。",
    ]
    if without:
        told.append(f"还没有书记的支部：{named(without)}。可以先任命，也可以发布以后任命。")
    if open_days:
        told.append(f"没有期限、也就不提醒的环节：{'、'.join(open_days)}。")
    return told


def _closing(visit: Visit, address: Address) -> list[str]:
    rows = [row for row in visit.whole(f"{CYCLE}/branches", address) if row["ended"] is None]
    open_ones = [row["branch"]["name"] for row in rows if row["stage"] != Stage.ACCEPTED]
    told = [
        f"{len(rows)} 个支部中已接收 {len(rows) - len(open_ones)} 个。",
        "办结以后各支部不再办理本年度的事，提醒停止；可以重新启动，直到下一年度发布。",
    ]
    if open_ones:
        told.append(f"还没有接收的 {len(open_ones)} 个支部：{named(open_ones)}。要照样办结，请在下面勾选并写明理由。")
    return told


def _reopening(visit: Visit, address: Address) -> list[str]:
    return ["各支部可以从原来的环节接着办理，提醒恢复；下一年度发布以后就不能再启动。"]


def _dropping(visit: Visit, address: Address) -> list[str]:
    return ["这份草稿和填好的期限会删掉，方案文件还在，可以重新建立。没有支部受影响。"]


def _days(visit: Visit, address: Address) -> list[str]:
    if visit.body(CYCLE, address)["published_at"] is None:
        return []
    rows = [row for row in visit.whole(f"{CYCLE}/branches", address) if row["ended"] is None]
    working = sum(row["stage"] in WORKING_STAGES[MAIN] for row in rows)
    return [f"还在办理的 {working} 个支部按新的期限；单独延过期的，取较晚的一天。还没有发出的提醒按新的期限重算。"]


def _amending(visit: Visit, address: Address) -> list[str]:
    counts = visit.body(f"{CYCLE}/progress", address)["by_stage"]
    studying, ended = counts[Stage.STUDY], sum(counts.values()) - counts[Stage.STUDY]
    return [
        f"新增必读文件的：还在集中学习的 {studying} 个支部要学，已经过了的 {ended} 个只作提示，退回学习的也要学。",
        "调整期限的：还没有完成那个环节的支部按新的期限。",
        "全校书记、副书记收到信；补充通知发出以后不能收回，可以再发一份。",
    ]


def _applying(visit: Visit, address: Address) -> list[str]:
    row = visit.body(IMPORT, address)
    told = row["summary"]
    if not row["applicable"] and not told.get("gone"):
        return []
    lines = [f"写入 {told['branches']} 个支部、{told['members']} 名党员。"]
    counts = (
        ("new_branches", "新增支部 {} 个"),
        ("new_members", "新来 {} 人，各开一个没有密码的账号"),
        ("moved", "转到别的支部 {} 人"),
        ("gone", "不在表中、将离开名册 {} 人"),
        ("posts_given", "新任职务 {} 个"),
        ("posts_ended", "结束职务 {} 个"),
    )
    for name, words in counts:
        value = told.get(name) or 0
        if number := len(value) if isinstance(value, list) else value:
            lines.append(words.format(number) + "。")
    lines.append("还没有报送的支部，名册随之改动。全部写入，或者全部不写。")
    return lines


def _moving(visit: Visit, address: Address) -> list[str]:
    """Tell what a move does, where the address or the form names it."""
    trigger = http.values.get("trigger", "")
    if trigger not in _MOVES or "code" not in address:
        return []
    process = visit.body_if_any(BRANCH, address)
    if process is None:
        return []
    return [each.format(name=process["branch"]["name"], round=process["round"] + 1) for each in _MOVES[trigger]]


_MOVES: Mapping[str, Sequence[str]] = {
    Trigger.ACCEPT: ("{name}的材料从此不再改动，书记、副书记会收到信；需要时可以重新启动。",),
    Trigger.RETURN: ("{name}从所选环节重新办起，是第 {round} 轮；书记、副书记会收到信，理由写在他们的工作台上。",),
    Trigger.REOPEN: ("{name}已接收的材料重新打开，从所选环节办起，是第 {round} 轮；书记、副书记会收到信。",),
    Trigger.WITHDRAW: ("{name}的报送撤回，回到“报送”，改好以后重新报送。",),
    Trigger.STEP_BACK: ("{name}回到所选环节，那个环节的记录可以再改；以后的环节要重新进入。",),
}


def _said(*lines: str) -> Foretell:
    return lambda visit, address: lines


FORETOLD: Mapping[str, Foretell] = {
    "publish_year": _publishing,
    "close_year": _closing,
    "reopen_year": _reopening,
    "drop_year": _dropping,
    "change_deadlines": _days,
    "amend_plan": _amending,
    "apply_roster": _applying,
    "move": _moving,
    "end_appointment": _said("从结束的次日起，这个人不再有这个职务的权限；已经登记的内容不变。"),
    "disable_account": _said("这个人现有的登录立即失效，不能再登录；名册和登记的内容不变，可以恢复账号。"),
    "revoke_token": _said("用这个令牌的程序立即不能再访问。"),
    "print_slips": _said(
        "给这个支部里没有密码、也没有邮箱的人各生成一个一次性代码，七天有效。",
        "以前打印的纸条随之作废；代码只显示这一次，请当场打印。",
    ),
    "print_slip": _said("给这个人生成一个一次性代码，七天有效；以前的纸条作废。代码只显示这一次，请当场打印。"),
    "end": _said("这个支部不再计入本年度的进度和汇总，提醒停止，已有的记录留存；可以恢复。"),
    "leave": _said("从这一天起，这个人不在支部名册的应到人数里，职务一并结束。"),
    "renumber": _said("以前的学工号不能再登录，所有记录随新的学工号。"),
    "end_substitute": _said("从结束的次日起，受托人不再代为办理；代办过的事照常有效。"),
}
