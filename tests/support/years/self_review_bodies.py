"""Bodies of the third stage over HTTP: a whole self-review, meeting and tally of a branch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.conftest import Client, Reply
from tests.support.builders import READING
from tests.support.servers import Cast, House

COLLECTIONS = ("self-reviews", "meetings", "tallies")
ITEMS = ("work", "style", "overall")
VOTES = {"good": 0, "fairly_good": 0, "fair": 0, "poor": 0, "abstain": 0}


def a_branch_that_has_studied(house: House) -> Cast:
    cast = house.a_branch()
    body = {"held_on": "2024-12-18", "titles": list(READING), "present": cast.everybody, "exchange": "交流了体会"}
    assert house.as_(cast.secretary).post(f"{cast.path}/study-sessions", body).status == 201
    return cast


def a_review(branch: Cast) -> dict[str, Any]:
    aspects = {f"A{number}": f"对照检查第{number}方面" for number in range(1, 7)}
    return {"staff_no": branch.member, "aspects": aspects, "level": "qualified", "submitted": True}


def a_meeting(branch: Cast) -> dict[str, Any]:
    return {
        "purpose": "life",
        "form": "group",
        "group": "第一党小组",
        "held_on": "2024-12-19",
        "place": "党员活动室",
        "chair": branch.secretary,
        "recorder": branch.member,
        "agenda": ["自我检查", "党性分析", "批评和自我批评"],
        "present": sorted((branch.secretary, branch.organiser, branch.member)),
        "absent": [{"staff_no": branch.newcomer, "reason": "出差"}],
        "criticisms": [
            {"speaker": speaker, "about": branch.organiser, "matter": "主题党日两次迟到", "shown": "没有带头", "improve": "提前到会"}
            for speaker in (branch.secretary, branch.organiser)
        ],
        "duty_report": "代表支委会述职",
        "rectification_report": "上年度无整改事项",
        "vote": {"yes": 2, "no": 0, "abstain": 1},
        "minutes": "逐项进行",
    }


def a_tally(branch: Cast) -> dict[str, Any]:
    counts = {item: {**VOTES, "good": 5, "abstain": 1} for item in ITEMS}
    return {"subject": "committee", "issued": 6, "returned": 6, "valid": 6, "void": 0, "counts": {**counts, "comments": ["多听意见"]}}


BODIES: dict[str, Callable[[Cast], dict[str, Any]]] = {"self-reviews": a_review, "meetings": a_meeting, "tallies": a_tally}


def sent(client: Client, branch: Cast, name: str, **changes: Any) -> Reply:
    return client.post(f"{branch.path}/{name}", {**BODIES[name](branch), **changes})


def made(client: Client, branch: Cast, name: str, **changes: Any) -> str:
    answer = sent(client, branch, name, **changes)
    assert answer.status == 201, answer.body
    return f"{branch.path}/{name}/{answer.body['id']}"


def slug(answer: Reply) -> str:
    return str(answer.body["type"]).rpartition("#")[2]
