"""The meetings (会议记录): attendance as a list to tick, minutes under the headings of the agenda."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.frame.address import BRANCH
from api.pages.branch.place import BranchPlace, stands
from api.pages.frame.addresses import OF_BRANCH
from api.pages.frame.own_forms import Filling, OwnForm
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.foundation.vocabulary import MeetingPurpose
from workflow.people.access import Action
from workflow.rules.acts import Address

NUMERALS = "一二三四五六七八九十"
ABOUT = ("purpose", "form", "group", "held_on", "started_at", "ended_at", "place", "chair", "recorder", "theme", "agenda")
BESIDE = ("held_on", "started_at", "ended_at", "place", "chair", "recorder")
SAID = ("duty_report", "rectification_report", "criticisms", "vote", "guests")
"""The fields above the attendance, and those below the minutes."""
USUAL = {
    MeetingPurpose.LIFE: {"criticisms", "duty_report"},
    MeetingPurpose.REPORT: {"duty_report", "rectification_report"},
    MeetingPurpose.DECIDING: {"vote"},
}
"""The contents that a meeting of a purpose usually has; the others are folded."""


def meetings(visit: Visit, year: int, code: str) -> Shown:
    """Show the meetings of a branch: who came, and who has confirmed the minutes."""
    place = BranchPlace(visit, year, code)
    rows = visit.items(f"{BRANCH}/meetings", place.address)
    values = {
        "rows": sorted(rows, key=_when, reverse=True),
        "names": place.names,
        "at": f"{place.path}/meetings",
        "own_no": visit.call.by.staff_no,
        "purposes": list(MeetingPurpose) if visit.may(Action.RECORD_MEETING, code) else [],
        "stands": stands,
    }
    return Shown("branch/meetings.html", "会议记录", values, trail=place.trail)


def _when(row: Any) -> tuple[Any, int]:
    return row["held_on"], row["id"]


def meeting_form(visit: Visit, address: Address, filling: Filling) -> Mapping[str, Any]:
    """Give the attendance and the headings of the minutes."""
    place = BranchPlace(visit, address["year"], str(address["code"]))
    values = filling.values
    reasons = {each.get("staff_no"): each.get("reason") or "" for each in _items(values, "absent")}
    faults = {name: messages for name, messages in filling.errors.items() if name.split(".")[0] in ("present", "absent")}
    said = [filling.control(name) for name in SAID]
    usual = _usual(values) | {each.name for each in said if each.errors}
    return {
        "about": [filling.control(name) for name in ABOUT if name not in BESIDE],
        "beside": [filling.control(name) for name in BESIDE],
        "said": [each for each in said if each.name in usual],
        "folded": [each for each in said if each.name not in usual],
        "minutes": filling.control("minutes"),
        "headings": _headings(place, values) if not values.get("minutes") else [],
        "people": place.present,
        "present": {str(each) for each in values.get("present") or ()},
        "reasons": reasons,
        "faults": [message for messages in faults.values() for message in messages],
    }


def _usual(values: Mapping[str, Any]) -> set[str]:
    """Return the contents that stand open: usual for the purpose, or written already."""
    purpose = values.get("purpose")
    usual = USUAL.get(MeetingPurpose(purpose), set(SAID)) if purpose in set(MeetingPurpose) else set(SAID)
    return usual | {name for name in SAID if values.get(name)}


def _items(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [each for each in values.get(name) or () if isinstance(each, Mapping)]


def _headings(place: BranchPlace, values: Mapping[str, Any]) -> list[str]:
    """Return the agenda as numbered headings: the meeting's own, else the plan's."""
    agenda = [str(each) for each in values.get("agenda") or ()]
    if not agenda and values.get("purpose") in (None, "", MeetingPurpose.LIFE):
        agenda = list(place.cycle["rules"].get("agenda", []))
    return [f"{NUMERALS[at]}、{each}" for at, each in enumerate(agenda[: len(NUMERALS)])]


PAGES = (PageRoute(f"{OF_BRANCH}/meetings", meetings),)
_FORM = OwnForm("branch/meeting.html", meeting_form)
FORMS = {"record_meeting": _FORM, "amend_meeting": _FORM}
