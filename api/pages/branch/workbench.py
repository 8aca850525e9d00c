"""The workbench (工作台): where a branch stands, what it lacks by name, and the way to supply it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from api.frame.address import BRANCH, CYCLE
from api.pages.branch.history import recent
from api.pages.branch.place import BranchPlace
from api.pages.frame.addresses import OF_BRANCH, Deed
from api.pages.frame.visit import Elsewhere, PageRoute, Shown, Visit, site
from workflow.foundation.vocabulary import MAIN, STAGES, WORKING_STAGES, Severity, Stage, Trigger
from workflow.people.access import Action

NAMES_SHOWN = 12
"""The names that a card shows before it counts the others."""
SENTENCES_SHOWN = 6
TABLES = {"ratings": "打开评定意见表", "quota": "打开评定意见表", "tallies": "打开计票单", "meetings": "打开会议记录", "form": "打开情况表"}
"""Pages on which what is missing is supplied as a whole."""
PAGES_OF_STAGES: Mapping[Stage, Sequence[tuple[str, str]]] = {
    Stage.STUDY: [("study", "集中学习")],
    Stage.TALKS: [("talks", "谈话对照表")],
    Stage.SELF_REVIEW: [("self-reviews", "个人自评"), ("meetings", "会议记录"), ("tallies", "计票单")],
    Stage.RATING: [("ratings", "评定意见"), ("meetings", "会议记录"), ("help-plans", "教育帮扶"), ("disposition-cases", "组织处置")],
    Stage.RECTIFICATION: [("rectification", "问题、措施、承诺"), ("measures", "整改措施"), ("measures/last-year", "上年度整改")],
    Stage.REPORT: [("form", "情况表"), ("archive", "归档材料")],
}
"""The pages of what each stage asks for."""


@dataclass(frozen=True)
class StageStep:
    """One step of the stage bar: its day and its state."""

    stage: Stage
    state: str
    day: date | None


@dataclass(frozen=True)
class Card:
    """One requirement that is not met: what is missing, and the page that supplies it."""

    message: str
    sentence: str
    count: int
    people: Sequence[tuple[str, str]]
    """Each missing person or thing: its name, and the form with it filled in."""
    more: int
    button: tuple[str, str] | None
    reason: str | None
    """The page on which a reason is given instead, where the clause allows one."""
    whole: tuple[str, str] | None
    """The page of all such records, where the button opens the form of one."""


def workbench(visit: Visit, year: int, code: str) -> Shown | Elsewhere:
    """Show where a branch stands and all that blocks its next stage."""
    if not visit.may(Action.READ_PROCESS, code) and code in visit.call.by.branches:
        # A member without a post: letters about the branch lead to what is theirs.
        return Elsewhere("/me")
    answer = visit.read(BRANCH, {"year": year, "code": code})
    process: Any = answer.body
    ahead = visit.body(f"{BRANCH}/next", {"year": year, "code": code})
    cycle = visit.body(CYCLE, {"year": year})
    stage = Stage(process["stage"])
    forward = next((item for item in ahead["items"] if item["trigger"] in (Trigger.ADVANCE, Trigger.FILE)), None)
    waits = visit.may(Action.MOVE, code)
    place = BranchPlace(visit, year, code)
    values = {
        "process": process,
        "year": year,
        "code": code,
        "version": answer.version,
        "steps": steps_of(process, cycle),
        "stage": stage,
        "forward": forward,
        "cards": [card_of(visit, each, place) for each in forward["unmet"]] if forward else [],
        "signs": forward["signs"] if forward else [],
        "others": [item for item in ahead["items"] if item is not forward and item["allowed"]],
        "returned": ahead["returned"],
        "reasons": ahead["reasons"],
        "hint": ahead["hint"],
        "leads": waits,
        "ahead": _ahead(visit, stage, year, code) if waits else None,
        "recent": recent(place, SENTENCES_SHOWN),
        "stage_pages": PAGES_OF_STAGES,
        "left": None if process["due_on"] is None else (process["due_on"] - visit.call.today).days,
    }
    return Shown("workbench.html", process["branch"]["name"], values)


def steps_of(process: Mapping[str, Any], cycle: Mapping[str, Any]) -> list[StageStep]:
    """Return the six steps, each as past, present or to come."""
    order = STAGES[MAIN]
    stands = order.index(Stage(process["stage"]))
    steps = []
    for at, stage in enumerate(WORKING_STAGES[MAIN]):
        state = "past" if at < stands else "now" if at == stands else "later"
        held = cycle["days"].get(stage.value)
        steps.append(StageStep(stage, state, process["due_on"] if state == "now" else held["day"] if held else None))
    return steps


def card_of(visit: Visit, unmet: Mapping[str, Any], here: BranchPlace) -> Card:
    """Turn an unmet requirement into a card: names, and the form that supplies it."""
    deed, place = supplying(visit, unmet, here.code)
    address = f"{place}/new" if deed else place
    people = [(subject["name"], _prefilled(deed, address, subject["id"], here)) for subject in unmet["subjects"] if subject["id"]]
    waives = unmet["waivable"] != "no" and visit.may(Action.WAIVE, here.code)
    reason = f"{here.path}/reasons/new?{urlencode({'requirement': unmet['requirement']})}" if waives else None
    noun = unmet["link"].rstrip("/").rpartition("/")[2]
    button = (f"{address}?{urlencode({'next': here.path})}", deed.act.zh) if deed else (address, TABLES.get(noun, "去办理"))
    whole = (place, "打开谈话对照表" if noun == "talks" else "看全部记录") if deed else None
    more = max(0, len(people) - NAMES_SHOWN)
    return Card(unmet["message"], unmet["sentence"], unmet["count"], people[:NAMES_SHOWN], more, button, reason, whole)


def supplying(visit: Visit, unmet: Mapping[str, Any], code: str) -> tuple[Deed | None, str]:
    """Find the act that makes the record that is missing, and the page of its list."""
    place: str = unmet["link"]
    noun = place.rstrip("/").rpartition("/")[2]
    if noun in TABLES:
        return None, place.removesuffix("/quota")
    deed = next((deed for deed in site().deeds.values() if deed.rule == f"{OF_BRANCH}/{noun}/new"), None)
    able = deed is not None and deed.act.action is not None and visit.may(deed.act.action, code)
    return (deed if able else None), place


def _prefilled(deed: Deed | None, address: str, subject: str, place: BranchPlace) -> str:
    """Return the form's address with the missing person, pair or title filled in.

    Of a record that lacks something, the record's own page.
    """
    if subject.isdigit() and subject not in place.names:
        return f"{address.removesuffix('/new')}/{subject}"
    if deed is None or deed.act.sends is None:
        return address
    fields = deed.act.sends.load_fields
    filled_in: dict[str, str] = {}
    if ":" in subject and {"talker", "partner"} <= set(fields):
        filled_in = dict(zip(("talker", "partner"), subject.split(":", 1), strict=True))
    elif subject in place.names:
        # A leader leads the talk that is missing from them; anybody else is its partner.
        sides = ("talker", "partner") if subject in place.leaders else ("partner",)
        found = [name for name in ("staff_no", *sides, "present") if name in fields]
        filled_in = dict.fromkeys(found[:1], subject)
    elif "titles" in fields:
        filled_in = {"titles": subject}
    return f"{address}?{urlencode({**filled_in, 'next': place.path})}"


def _ahead(visit: Visit, stage: Stage, year: int, code: str) -> dict[str, Any] | None:
    """Return what the next stage asks for and lacks: its records may be made ahead."""
    order = WORKING_STAGES[MAIN]
    if stage not in order or stage is order[-1]:
        return None
    after = order[order.index(stage) + 1]
    rows = visit.body(f"{BRANCH}/requirements", {"year": year, "code": code}, {"stage": after.value})["items"]
    unmet = [row for row in rows if row["state"] == "unmet" and row["severity"] is not Severity.SIGN]
    return {"stage": after, "rows": unmet} if unmet else None


def stage_page(visit: Visit, year: int, code: str, stage: str) -> Shown:
    """Show the whole checklist of one stage: met, unmet and waived, signs included."""
    process = visit.body(BRANCH, {"year": year, "code": code})
    rows = visit.body(f"{BRANCH}/requirements", {"year": year, "code": code}, {"stage": stage})["items"]
    trail = [(f"/{year}/{code}", process["branch"]["name"])]
    values = {"rows": rows, "stage": Stage(stage), "year": year, "code": code, "blocks": (Severity.HARD, Severity.SOFT)}
    return Shown("checklist.html", f"{Stage(stage).zh}的要求", values, trail=trail)


PAGES = (
    PageRoute(OF_BRANCH, workbench),
    PageRoute(f"{OF_BRANCH}/stages/<any({','.join(each.value for each in WORKING_STAGES[MAIN])}):stage>", stage_page),
)
