"""The assessment of one branch (一个支部的考核): report, facts, summary, proposal and moves."""

from __future__ import annotations

from typing import Any

from api.frame.address import ASSESSMENT, CYCLE
from api.pages.assessment.overview import results_of, trail_of
from api.pages.frame.addresses import OF_ASSESSMENT
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.assessment import KIND
from workflow.assessment.facts import DEVELOPMENT, THREE_MEETINGS
from workflow.foundation.vocabulary import STAGES, Stage, Trigger
from workflow.people.access import Action, Scope

GOES_ON = (Trigger.ADVANCE, Trigger.DECIDE, Trigger.PUBLISH)


def assessment(visit: Visit, year: int, code: str) -> Shown:
    """Show where the assessment of a branch stands; to its plain members, the published result."""
    here: dict[str, str | int] = {"year": year, "code": code}
    answer = visit.read(ASSESSMENT, here)
    body: Any = answer.body
    if "stage" not in body:
        return Shown("assessment_result.html", "考核结果", {"body": body, "year": year})
    stage, ahead = Stage(body["stage"]), visit.body(f"{ASSESSMENT}/next", here)
    cycle = visit.body(CYCLE, {"year": year})
    forward = next((item for item in ahead["items"] if item["trigger"] in GOES_ON), None)
    order = STAGES[KIND.kind]
    office = visit.may(Action.ASSESS, code)
    values = {
        "body": body,
        "year": year,
        "code": code,
        "version": answer.version,
        "stage": stage,
        "steps": [(each, "past" if order.index(each) < order.index(stage) else "now" if each is stage else "later") for each in order],
        "sheet": visit.body(f"{ASSESSMENT}/summary", here),
        "forward": forward,
        "unmet": forward["unmet"] if forward else [],
        "back": [item for item in ahead["items"] if item["trigger"] in (Trigger.RETURN, Trigger.STEP_BACK)],
        "returned": ahead["returned"],
        "moves": visit.may(Action.MOVE_ASSESSMENT, code),
        "assesses": office,
        "reports": _as_secretary(visit, Action.WRITE_DUTY_REPORT, code),
        "states": _as_secretary(visit, Action.STATE_FACTS, code),
        "checks": visit.may(Action.CONFIRM_FACTS, code),
        "rejects": visit.may(Action.REJECT_EVIDENCE, code),
        "at": f"/{year}/assessments/{code}",
        "meetings": THREE_MEETINGS,
        "development": DEVELOPMENT,
        "results": dict(results_of(cycle)),
        "kinds": cycle["rules"]["activity_kinds"],
    }
    trail = trail_of(year) if visit.may(Action.READ_SCHOOL) else [(f"/{year}/{code}", body["branch"]["name"])]
    return Shown("assessment.html", f"{body['branch']['name']}的考核", values, trail=trail)


def _as_secretary(visit: Visit, action: Action, code: str) -> bool:
    """Tell whether this visitor does something here as one of the branch."""
    return visit.may(action, code) and Scope.BRANCH in visit.call.by.may(action, code).values()


PAGES = (PageRoute(OF_ASSESSMENT, assessment),)
