"""Days of long ago (陈年日期), tried in every field of a day: refused, or told as a sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.api.every_route.test_limits import all_bodies, parts
from tests.support.servers import YEAR
from tests.support.world import World
from workflow.appraisal.report.days import records_outside_the_year
from workflow.foundation.fields import Day, Moment

ANCIENT = "1900-01-01"
TEXT = {"reason": "补登"}

SIGN: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "StudySessionSchema.held_on": ("POST", "study-sessions", {"titles": []}),
    "TalkSchema.held_on": ("POST", "talks", {"talker": "ORGANISER", "partner": "NEWCOMER"}),
    "MeetingSchema.held_on": ("POST", "meetings", {"purpose": "report", "form": "general"}),
    "DispositionCaseSchema.proposed_on": ("POST", "disposition-cases", {"staff_no": "NEWCOMER"}),
    "PublicationSchema.from": ("POST", "publications", {}),
    "FilingSchema.sent_on": ("POST", "rectification-filings", {"to": "学院党委"}),
    "FeedbackSchema.given_on": ("POST", "ratings/NEWCOMER/feedback", {"way": "face"}),
}
"""Evidence of the year: the row of its day outside the year is shown to branch and office (Q2)."""
BRANCH, SCHOOL = "{branch}", YEAR
REFUSED: Mapping[str, tuple[str, str, str, dict[str, Any]]] = {
    "MakeUpSchema.on": ("secretary", "POST", "{branch}/study-sessions/{study-sessions}/make-ups", {"staff_no": "NEWCOMER"}),
    "FollowUpSchema.due_on": ("secretary", "POST", "{branch}/talks/{talks}/follow-ups", {"what": "看望"}),
    "DoneSchema.on": ("secretary", "POST", "{branch}/talks/{talks}/follow-ups/{follow_up_id}/done", {}),
    "HelpPlanSchema.review_on": ("secretary", "POST", "{branch}/help-plans", {"staff_no": "NEWCOMER"}),
    "ReviewSchema.on": ("secretary", "POST", "{branch}/help-plans/{help-plans}/reviews", {}),
    "ReviewSchema.next_on": ("secretary", "POST", "{branch}/help-plans/{help-plans}/reviews", {"on": "2024-12-19"}),
    "ClosingSchema.on": ("secretary", "POST", "{branch}/help-plans/{help-plans}/end", {"result": "转好"}),
    "StepSchema.on": ("secretary", "POST", "{branch}/disposition-cases/{disposition-cases}/steps", {"step": "investigation", "why_without": "补录"}),
    "StepSchema.until": (
        "secretary",
        "POST",
        "{branch}/disposition-cases/{disposition-cases}/steps",
        {"step": "general_meeting", "on": "2024-12-19", "measure": "correction", "why_without": "补录"},
    ),
    "MeasureSchema.due_on": ("secretary", "POST", "{branch}/measures", {"text": "完善制度"}),
    "CommitmentSchema.due_on": ("secretary", "POST", "{branch}/commitments", {"staff_no": "NEWCOMER", "text": "每周自学"}),
    "PublicationSchema.to": ("secretary", "POST", "{branch}/publications", {"from": "2024-12-19"}),
    "SubstituteSchema.ends_on": ("secretary", "POST", "/substitutes", {"substitute": "NEWCOMER", "starts_on": "2024-12-20"}),
    "EndSubstituteSchema.ends_on": ("secretary", "POST", "/substitutes/{substitute_id}/end", {}),
    "MoveSchema.due_on": ("office", "POST", "{branch}/moves", {"trigger": "return", "to": "study", **TEXT}),
    "ExtensionSchema.due_on": ("office", "POST", "{branch}/extensions", {"stage": "report", **TEXT}),
    "AmendmentSchema.issued_on": ("office", "POST", f"{SCHOOL}/amendments", {"number": "旧文", **TEXT, "texts": {"K2": "补充"}}),
    "OnSiteSchema.held_on": ("office", "PATCH", f"{SCHOOL}/assessments/{{code}}", {"mode": "on_site"}),
    "DecisionSchema.held_on": ("office", "POST", f"{SCHOOL}/decision", {"number": "旧号", "results": {"CODE": {"result": "qualified"}}}),
    "ActivitySchema.held_on": ("office", "POST", f"{SCHOOL}/activities", {"kind": "study", "name": "旧活动"}),
    **{
        f"Deadlines.{stage}": ("office", "PATCH", SCHOOL, {})
        for stage in ("study", "talks", "self_review", "rating", "rectification", "report", "collecting", "summarised", "proposed")
    },
}
"""Days that are checked against another record, the year or today: 422 at that field."""
INSIDE = {"Deadlines": "deadlines", "OnSiteSchema": "on_site"}
SAME = {"MoveItem": "MoveSchema", "RecordMakeUpItem": "MakeUpSchema", "GiveFeedbackItem": "FeedbackSchema"}
"""Items of many, each done as the single act."""
OF_LONG_AGO: Mapping[str, str] = {
    "AppointmentSchema.starts_on": "a post may be held for decades",
    "EndSchema.ends_on": "not before the post began",
    "PersonMoveSchema.on": "it may be noted late; what somebody did since stays where it was done",
    "PersonLeaveSchema.on": "it may be noted late",
    "PunishmentSchema.on": "a punishment may be old; its end and its year are asked by day",
    "PunishmentSchema.until": "not before it was given",
    "SubstituteSchema.starts_on": "not before the post that is stood in for; the end is within a year",
    "TokenSchema.expires_at": "it is over at once",
}
"""Days that may be long past, and why."""


def test_every_field_of_a_day_is_refused_told_or_old_for_a_reason() -> None:
    declared = {
        f"{SAME.get(name, name)}.{path}"
        for name, body in all_bodies().items()
        for field, each in body().load_fields.items()
        for path, part in parts(each.data_key or field, each)
        if isinstance(part, Day | Moment)
    }
    assert SIGN.keys() | REFUSED.keys() | OF_LONG_AGO.keys() == declared


def filled(world: World, body: Any) -> Any:
    """Name the people and the branch in a body."""
    names = {"NEWCOMER": world.here.newcomer, "ORGANISER": world.here.organiser, "CODE": world.here.code}
    if isinstance(body, dict):
        return {names.get(key, key): filled(world, value) for key, value in body.items()}
    return names.get(body, body) if isinstance(body, str) else body


def test_a_day_that_is_checked_against_something_is_refused_when_it_is_ancient(world: World) -> None:
    made = world.house.as_(world.here.secretary).post(f"{world.here.path}/ratings", {"staff_no": world.here.newcomer, "level": "qualified"})
    assert made.status in (201, 409)
    wrong, before = {}, world.house.state()
    for field, (who, method, path, body) in REFUSED.items():
        schema, _, name = field.partition(".")
        inside = INSIDE.get(schema)
        sent = filled(world, body) | ({inside: {name: ANCIENT}} if inside else {name: ANCIENT})
        address = path.replace("{branch}", world.here.path).replace("{code}", world.here.code)
        for key, value in world.ids.items():
            address = address.replace(f"{{{key}}}", str(value))
        client = world.house.as_(who if who == "office" else world.here.secretary)
        answer = client(method, address, sent, seen=1)
        where = f"{inside}.{name}" if inside else name
        if answer.status != 422 or where not in answer.body["errors"]:
            wrong[field] = answer.status, (answer.body or {}).get("detail")
    assert wrong == {}
    after = world.house.state()
    assert {name for name, count in after.items() if count != before[name]} <= {"token", "history"}


def test_ancient_evidence_is_a_sign_with_its_day_for_branch_and_office(world: World) -> None:
    house, cast = world.house, world.here
    secretary, office = house.as_(cast.secretary), house.as_("office")
    secretary.post(f"{cast.path}/ratings", {"staff_no": cast.newcomer, "level": "qualified"})
    for field, (method, path, body) in SIGN.items():
        name = field.partition(".")[2]
        answer = secretary(method, f"{cast.path}/{path.replace('NEWCOMER', cast.newcomer)}", filled(world, body) | {name: ANCIENT})
        assert answer.status in (200, 201), (field, answer.body)
    asked = records_outside_the_year.name
    listed = office.get(f"{YEAR}/exceptions?limit=200&clause=Q2").body["items"]
    (told,) = [each for each in listed if each["requirement"] == asked and each["branch"]["code"] == cast.code]
    assert {each["id"].partition("/")[0] for each in told["subjects"] if each["name"].startswith(ANCIENT)} == {
        path.partition("/")[0] for _, path, _ in SIGN.values()
    }
    checklist = secretary.get(f"{cast.path}/requirements?stage=report").body["items"]
    assert [each["count"] for each in checklist if each["requirement"] == asked] == [told["count"]]
