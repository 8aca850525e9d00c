"""The workbench (工作台): where a branch stands, what it lacks by name, and the way to supply it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from api.frame.address import BRANCH, CYCLE
from api.pages.frame.addresses import OF_BRANCH, Deed
from api.pages.frame.visit import Elsewhere, PageRoute, Shown, Visit, site
from workflow.foundation.vocabulary import MAIN, STAGES, WORKING_STAGES, Severity, Stage, Trigger
from workflow.people.access import Action

NAMES_SHOWN = 12
"""The names that a card shows before it counts the others."""


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
    values = {
        "process": process,
        "year": year,
        "code": code,
        "version": answer.version,
        "steps": steps_of(process, cycle),
        "stage": stage,
        "forward": forward,
        "cards": [card_of(visit, each, year, code) for each in forward["unmet"]] if forward else [],
        "signs": forward["signs"] if forward else [],
        "others": [item for item in ahead["items"] if item is not forward and item["allowed"]],
        "returned": ahead["returned"],
        "reasons": ahead["reasons"],
        "hint": ahead["hint"],
        "leads": waits,
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


def card_of(visit: Visit, unmet: Mapping[str, Any], year: int, code: str) -> Card:
    """Turn an unmet requirement into a card: names, and the form that supplies it."""
    deed, place = supplying(visit, unmet, code)
    address = f"{place}/new" if deed else place
    people = [(subject["name"], _prefilled(deed, address, subject["id"])) for subject in unmet["subjects"] if subject["id"]]
    waives = unmet["waivable"] != "no" and visit.may(Action.WAIVE, code)
    reason = f"/{year}/{code}/reasons/new?{urlencode({'requirement': unmet['requirement']})}" if waives else None
    button = (address, deed.act.zh if deed else "去办理")
    return Card(unmet["message"], unmet["sentence"], unmet["count"], people[:NAMES_SHOWN], max(0, len(people) - NAMES_SHOWN), button, reason)


def supplying(visit: Visit, unmet: Mapping[str, Any], code: str) -> tuple[Deed | None, str]:
    """Find the act that makes the record that is missing, and the page of its list."""
    place: str = unmet["link"]
    noun = place.rstrip("/").rpartition("/")[2]
    deed = next((deed for deed in site().deeds.values() if deed.rule == f"{OF_BRANCH}/{noun}/new"), None)
    able = deed is not None and deed.act.action is not None and visit.may(deed.act.action, code)
    return (deed if able else None), place


def _prefilled(deed: Deed | None, address: str, subject: str) -> str:
    """Return the form's address with the missing person or pair filled in."""
    if deed is None or deed.act.sends is None:
        return address
    fields = deed.act.sends.load_fields
    if ":" in subject and {"talker", "partner"} <= set(fields):
        talker, _, partner = subject.partition(":")
        return f"{address}?{urlencode({'talker': talker, 'partner': partner})}"
    name: str | None = next((name for name in ("staff_no", "partner") if name in fields), None)
    return address if name is None else f"{address}?{urlencode({name: subject})}"


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
