"""More records of one branch, of every kind: recorded, corrected, taken back and rejected.

A kind that does not allow one of these steps leaves it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.api.conftest import Client
from tests.net.year.school import NUMBERS
from tests.net.year.steps import EN, WHY, Walk
from tests.support.years.branch_year import BranchYear, ok

Body = Mapping[str, Any]


def spare(walk: Walk, branch: BranchYear, kind: str, body: Body, changes: Body, *, by: str, key: str = "id") -> None:
    """Record one, correct it and take it back; record another, and let the office reject it."""
    client, path = walk.by(by), f"{branch.path}/{kind}"
    walk.both(client, "POST", path, {**body, "nothing_of_ours": 1})
    made = ok(client.post(path, body))
    one = f"{path}/{made[key]}"
    _corrected(walk, client, one, changes)
    walk.both(client, "POST", f"{one}/withdraw", {})
    ok(client.post(f"{one}/withdraw", WHY), 200)
    walk.both(client, "POST", f"{one}/withdraw", WHY)
    other = ok(client.post(path, body))
    one = f"{path}/{other[key]}"
    walk.both(client, "POST", f"{one}/reject", WHY)
    ok(walk.office.post(f"{one}/reject", {"reason": "材料不全"}), 200)
    walk.both(walk.office, "POST", f"{one}/reject", {"reason": "材料不全"})
    walk.both(client, "PATCH", one, changes, seen=client.get(one).headers.get("ETag"))


def _corrected(walk: Walk, client: Client, one: str, changes: Body) -> None:
    """Correct a record: without its tag, with a stale one, with its own, and with nothing."""
    first = client.get(one).etag
    walk.both(client, "PATCH", one, changes)
    ok(client.patch(one, changes, seen=first), 200)
    walk.both(client, "PATCH", one, changes, seen=first)
    client.patch(one, changes, seen="*")
    client.patch(one, changes, seen='W/"2"')
    again = client.get(one)
    ok(client.patch(one, {}, seen=again.etag), 200)
    client("PATCH", one, {"nothing_of_ours": 1}, seen=again.etag, **EN)


def repeated(walk: Walk, branch: BranchYear, kind: str, body: Body) -> None:
    """Send a POST twice with one key, then another body, then once more as somebody else."""
    client, path, key = walk.by("张三"), f"{branch.path}/{kind}", {"Idempotency-Key": f"{kind}-1"}
    made = ok(client.post(path, body, **key))
    client.post(path, body, **key)
    client.post(path, {**body, "text": "别的"}, **key)
    client.post(path, {**body, "text": "别的"}, **key, **EN)
    ok(client.post(f"{path}/{made['id']}/withdraw", WHY), 200)


def of_study(walk: Walk, branch: BranchYear) -> None:
    """Record study sessions beside the one that counts."""
    body = {"held_on": "2024-12-10", "form": "领学", "titles": ["党章"], "present": [NUMBERS["张三"], NUMBERS["王五"]]}
    spare(walk, branch, "study-sessions", body, {"exchange": "补记交流情况", "form": "讨论"}, by="张三")
    walk.both(walk.by("张三"), "POST", f"{branch.path}/study-sessions", {**body, "held_on": "2025-12-10"})


def of_talks(walk: Walk, branch: BranchYear) -> None:
    """Record talks with texts and private notes, and promised help."""
    body = {
        "held_on": "2024-12-11",
        "talker": NUMBERS["钱七"],
        "partner": NUMBERS["王五"],
        "way": "phone",
        "place": "办公室",
        "opinions_branch": "<意见>",
        "affirmed": "<肯定>",
        "shortcomings": "<不足>",
        "private_notes": "<思想状况>",
    }
    spare(walk, branch, "talks", body, {"place": "会议室", "private_notes": "<改记思想状况>"}, by="钱七")
    path = f"{branch.path}/talks"
    walk.both(walk.by("钱七"), "POST", path, {**body, "talker": NUMBERS["张三"]})
    walk.both(walk.by("钱七"), "POST", path, {**body, "partner": NUMBERS["钱七"]})
    for talker, partner in (("钱七", "王五"), ("钱七", "张三"), ("张三", "冯二")):
        made = ok(walk.by(talker).post(path, {**body, "talker": NUMBERS[talker], "partner": NUMBERS[partner], "focus": True}))
        promise = {"due_on": "2025-01-10", "what": f"<帮助{partner}>"}
        walk.both(walk.by("王五"), "POST", f"{path}/{made['id']}/follow-ups", promise)
        followed = ok(walk.by(talker).post(f"{path}/{made['id']}/follow-ups", promise))
        walk.kept["follow_up_id"] = walk.kept.get("follow_up_id", followed["id"])
        if partner == "冯二":
            done = f"{path}/{made['id']}/follow-ups/{followed['id']}/done"
            walk.both(walk.by(talker), "POST", done, {"on": "2024-12-01"})
            ok(walk.by(talker).post(done, {"on": "2024-12-20"}), 200)
    for who in ("张三", "李四", "钱七", "王五", "冯二", "office"):
        walk.by(who).get(f"{path}?limit=200")


def of_self_reviews(walk: Walk, branch: BranchYear) -> None:
    """Write one's own draft: corrected, submitted, taken back, written again and rejected."""
    number = NUMBERS["王五"]
    body = {"staff_no": number, "aspects": {"A1": "<初稿>"}, "level": "qualified"}
    path, member = f"{branch.path}/self-reviews", walk.by("王五")
    draft = ok(member.post(path, body))
    for who in ("王五", "孙八", "张三", "office"):
        walk.by(who).get(f"{path}/{draft['id']}")
    walk.both(member, "POST", path, body)
    one = f"{path}/{draft['id']}"
    ok(member.patch(one, {"aspects": {"A1": "<改稿>", "A2": "<二>"}, "submitted": True}, seen=member.get(one).etag), 200)
    ok(member.post(f"{one}/withdraw", WHY), 200)
    again = ok(member.post(path, {**body, "submitted": True}))
    ok(walk.office.post(f"{path}/{again['id']}/reject", {"reason": "没有对照检查"}), 200)
    walk.both(walk.by("孙八"), "POST", path, body)
    walk.both(walk.by("冯二"), "POST", path, {"staff_no": NUMBERS["冯二"], "level": "excellent", "submitted": True})


def of_meetings(walk: Walk, branch: BranchYear) -> None:
    """Write minutes that are corrected, confirmed, taken back and rejected."""
    body = {
        "purpose": "report",
        "form": "general",
        "held_on": "2024-12-17",
        "chair": NUMBERS["张三"],
        "recorder": NUMBERS["钱七"],
        "present": [NUMBERS["张三"], NUMBERS["钱七"], NUMBERS["王五"]],
        "absent": [{"staff_no": NUMBERS["孙八"], "reason": "出差"}],
        "criticisms": [{"speaker": NUMBERS["钱七"], "about": NUMBERS["张三"], "matter": "迟到", "shown": "带头不够", "improve": "提前到会"}],
        "minutes": "逐项进行",
    }
    spare(walk, branch, "meetings", body, {"place": "第二会议室"}, by="张三")
    made = ok(walk.by("张三").post(f"{branch.path}/meetings", body))
    walk.both(walk.by("王五"), "POST", f"{branch.path}/meetings/{made['id']}/confirm", {})
    branch.confirm(made)
    walk.both(walk.by("钱七"), "POST", f"{branch.path}/meetings/{made['id']}/confirm", {})
    ok(walk.by("张三").post(f"{branch.path}/meetings/{made['id']}/withdraw", WHY), 200)


def of_tallies(walk: Walk, branch: BranchYear) -> None:
    """Enter the counts of two tellers: one does not add up, two differ.

    One is corrected, taken back and rejected.
    """
    first, second = (walk.house.as_(each) for each in branch.tellers())
    body, path = branch.ballot("committee"), f"{branch.path}/tallies"
    walk.both(first, "POST", path, {**body, "returned": body["issued"] + 1})
    walk.both(walk.by("张三"), "POST", path, body)
    walk.both(first, "POST", path, {**body, "counts": {**body["counts"], "work": {"good": 1}}})
    made = ok(first.post(path, body))
    other = {**body, "counts": {**body["counts"], "overall": {"good": body["valid"]}}}
    walk.both(second, "POST", path, other)
    one = f"{path}/{made['id']}"
    ok(first.patch(one, {"counts": {**body["counts"], "comments": ["多听意见", "多下基层"]}}, seen=first.get(one).etag), 200)
    for who in (first, second, walk.by("张三"), walk.office):
        who.get(one)
    ok(first.post(f"{one}/withdraw", WHY), 200)
    for teller in (first, second):
        made = ok(teller.post(path, body))
    walk.both(second, "POST", path, body)
    ok(walk.office.post(f"{path}/{made['id']}/reject", {"reason": "选票没有封存"}), 200)


def of_ratings(walk: Walk, branch: BranchYear) -> None:
    """Give a rating, correct it, take it back, give it again, reject it.

    Help plans and disposition cases are recorded beside it.
    """
    number = NUMBERS["孙八"]
    body = {"staff_no": number, "level": "excellent", "opinion": "<意见>"}
    spare(walk, branch, "ratings", body, {"level": "qualified", "opinion": "<改意见>"}, by="张三", key="staff_no")
    plan = {"staff_no": number, "helper": NUMBERS["李四"], "first_step": "每月谈心一次", "review_on": "2025-03-31"}
    spare(walk, branch, "help-plans", plan, {"first_step": "每周谈心一次"}, by="张三")
    case = {"staff_no": number, "signs": [1, 3], "proposed_on": "2024-12-19", "facts": "<事实>"}
    spare(walk, branch, "disposition-cases", case, {"signs": [2]}, by="张三")
    made = ok(walk.by("张三").post(f"{branch.path}/help-plans", plan))
    review = {"on": "2024-12-20", "note": "已开始"}
    walk.both(walk.by("张三"), "POST", f"{branch.path}/help-plans/{made['id']}/reviews", {"note": "没有日期"})
    ok(walk.by("张三").post(f"{branch.path}/help-plans/{made['id']}/reviews", review))
    made = ok(walk.by("张三").post(f"{branch.path}/disposition-cases", case))
    for step, day in (("proposal", "2024-12-19"), ("talk", "2024-12-20")):
        ok(walk.by("张三").post(f"{branch.path}/disposition-cases/{made['id']}/steps", {"step": step, "on": day, "note": "<记录>"}))
    walk.both(walk.by("张三"), "POST", f"{branch.path}/disposition-cases/{made['id']}/steps", {"step": "fly", "on": "2024-12-20"})
    for below in ("quota", "patterns"):
        walk.office.get(f"{branch.path}/ratings/{below}")


def of_rectification(walk: Walk, branch: BranchYear) -> None:
    """Record problems, measures, commitments, publications and filings.

    Measures get progress and comments.
    """
    problem = {"source": "tally", "about": NUMBERS["李四"], "text": "深入群众不够"}
    spare(walk, branch, "problems", problem, {"text": "深入群众不够多"}, by="钱七")
    repeated(walk, branch, "problems", problem)
    measure = {"problems": [branch.problem()["id"]], "text": "每月到课题组一次", "owner": NUMBERS["王五"], "due_on": "2025-01-31"}
    spare(walk, branch, "measures", measure, {"due_on": "2025-02-28"}, by="张三")
    commitment = {"staff_no": NUMBERS["孙八"], "problem": "学习不够", "text": "<承诺>", "due_on": "2025-06-30"}
    spare(walk, branch, "commitments", commitment, {"text": "<改承诺>"}, by="孙八")
    publication = {"place": "公示栏", "from": "2024-12-10", "to": "2024-12-15"}
    spare(walk, branch, "publications", publication, {"to": "2024-12-16"}, by="张三")
    spare(walk, branch, "rectification-filings", {"to": "学院党委", "sent_on": "2024-12-18"}, {"sent_on": "2024-12-19"}, by="张三")
    made = ok(walk.by("张三").post(f"{branch.path}/measures", measure))
    one = f"{branch.path}/measures/{made['id']}"
    for state in ("doing", "done"):
        ok(walk.by("王五").post(f"{one}/progress", {"state": state, "evidence": "已去两次"}))
    walk.both(walk.by("王五"), "POST", f"{one}/progress", {"state": "closed"})
    ok(walk.by("张三").post(f"{one}/progress", {"state": "closed", "evidence": "已落实"}))
    walk.both(walk.by("孙八"), "POST", f"{one}/comments", {"text": "<建议>"})
    ok(walk.by("张三").post(f"{one}/comments", {"text": "<建议>"}))
    walk.office.get(f"{branch.path}/measures/last-year")
