"""The form (情况表) as the paper looks, with its checks and its filing; and the archive (归档)."""

from __future__ import annotations

from typing import Any

from api.frame.address import BRANCH
from api.pages.branch.place import BranchPlace
from api.pages.frame.addresses import OF_BRANCH
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.appraisal.meetings.tallies import MARKS, CommitteeItem
from workflow.foundation.vocabulary import ABSTAIN, Level, Mark, Trigger
from workflow.people.access import Action

BASICS = (
    ("total", "党员总数"),
    ("full", "正式党员"),
    ("probationary", "预备党员"),
    ("on_committee", "支部委员"),
    ("due", "应参加评议"),
    ("took_part", "实际参加"),
    ("excused", "经确认不参加"),
    ("studies", "集中学习（次）"),
    ("committee_talks", "支委之间谈话（次）"),
    ("member_talks", "支委与党员谈话（次）"),
    ("meetings", "组织生活会（次）"),
)
RECTIFIED = (("problems", "查摆问题"), ("measures", "整改措施"), ("commitments", "整改承诺"), ("publications", "公示"), ("filings", "报备"))
"""The numbers of parts one and six of the paper, with the paper's words."""


def form(visit: Visit, year: int, code: str) -> Shown:
    """Show the form as it will be printed, what does not add up, and the way to file it."""
    answer = visit.read(f"{BRANCH}/form", {"year": year, "code": code})
    place, body = BranchPlace(visit, year, code), answer.body
    ahead: Any = place.body("next") or {"items": []}
    filing = next((item for item in ahead["items"] if item["trigger"] is Trigger.FILE), None)
    values = {
        "form": body,
        "basics": BASICS,
        "rectified": RECTIFIED,
        "items": list(CommitteeItem),
        "marks": {name: "弃权" if name == ABSTAIN else Mark(name).zh for name in MARKS},
        "levels": list(Level),
        "fails": [each for each in _checks(body) if not each["holds"]],
        "filing": filing if visit.may(Action.MOVE, code) and place.leads else None,
        "version": visit.read(BRANCH, place.address).version if filing else None,
        "edits": visit.may(Action.EDIT_FORM, code) and place.leads,
        "at": place.path,
    }
    return Shown("branch/form.html", "情况表", values, trail=place.trail)


def _checks(body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body["checks"]
    return found


def archive(visit: Visit, year: int, code: str) -> Shown:
    """Show each paper of the archive as present or missing."""
    body = visit.body(f"{BRANCH}/archive", {"year": year, "code": code})
    place = BranchPlace(visit, year, code)
    lacking = [row for row in body["items"] if not row["present"]]
    values = {"rows": body["items"], "keep_until": body["keep_until"], "lacking": lacking, "at": place.path}
    return Shown("branch/archive.html", "归档材料", values, trail=place.trail)


PAGES = (PageRoute(f"{OF_BRANCH}/form", form), PageRoute(f"{OF_BRANCH}/archive", archive))
