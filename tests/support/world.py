"""Two branches of one service with a record of every sort, and every kind of caller."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.frame.routes import Route
from tests.api.conftest import Client
from tests.support.builders import NOW
from tests.support.records.assessment import a_decision, a_duty_report, an_assessment, facts
from tests.support.records.assessment_summary import a_proposal
from tests.support.records.rating import a_counted_ballot
from tests.support.rosters import a_roster
from tests.support.servers import YEAR, Cast, House
from tests.support.years.assessment_year import attendance_sheet
from tests.support.years.assessment_year import upload as upload_sheet
from tests.support.years.branch_year import ok
from workflow.assessment.decision import Decision
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Role
from workflow.mail.links import INVITED
from workflow.mail.outbox import Letter
from workflow.people.accounts import WebSession
from workflow.people.organisation import person_by_staff_no
from workflow.year.finding import process_of

BRANCH_ROLES = {
    "secretary": {Role.SECRETARY, Role.COMMITTEE_MEMBER, Role.MEMBER},
    "deputy": {Role.SECRETARY, Role.COMMITTEE_MEMBER, Role.MEMBER},
    "organiser": {Role.COMMITTEE_MEMBER, Role.MEMBER},
    "member": {Role.MEMBER},
}
SCHOOL = ("office", "committee", "auditor", "administrator")
ELSEWHERE = "the other branch's secretary"
EVERYBODY = (*SCHOOL, *BRANCH_ROLES, ELSEWHERE, "nobody")


A_TALLY = {"subject": "committee", **dict.fromkeys(("issued", "returned", "valid"), 6), "void": 0}
A_TALLY["counts"] = {item: {"good": 6} for item in ("work", "style", "overall")}


@dataclass(frozen=True)
class World:
    """A branch with a record of every kind, and another one."""

    house: House
    here: Cast
    there: Cast
    ids: dict[str, Any]
    elsewhere: dict[str, Any]


def records(house: House, cast: Cast) -> dict[str, Any]:
    secretary, office, administrator = house.as_(cast.secretary), house.as_("office"), house.as_("administrator")

    def made(client: Any, path: str, body: dict[str, Any]) -> int:
        answer = client.post(path, body)
        assert answer.status == 201, answer.body
        return int(answer.body["id"])

    talk = made(secretary, f"{cast.path}/talks", {"held_on": "2024-12-19", "talker": cast.organiser, "partner": cast.member})
    measure = made(secretary, f"{cast.path}/measures", {"text": "完善制度", "owner": cast.member})
    decision = a_decision_that_waits(house, cast)
    punished = made(office, f"/people/{cast.member}/punishments", {"kind": "warning", "on": "2024-12-19"})
    made(secretary, f"{cast.path}/ratings", {"staff_no": cast.member, "level": "qualified"})
    assert secretary.post(f"{cast.path}/ratings/{cast.member}/feedback", {"given_on": "2024-12-19", "way": "face"}).status == 200
    upload = office.http.post(
        "/api/v1/roster-imports",
        data={"file": (BytesIO(a_roster()), "roster.xlsx")},
        headers={"Authorization": f"Bearer {office.token}"},
    )
    activity = made(office, f"{YEAR}/activities", {"kind": "study", "name": f"{cast.code} 的主题党日", "held_on": "2024-10-10"})
    sheet = upload_sheet(office, f"{YEAR}/activities/{activity}/attendance-imports", attendance_sheet([{"学工号": cast.member, "出勤情况": "出勤"}]))
    notice = {"number": f"校党发〔2024〕{cast.code}号", "issued_on": "2024-12-19", "reason": "补充要求", "texts": {"K2": "可以视频谈话"}}
    case = made(secretary, f"{cast.path}/disposition-cases", {"staff_no": cast.member, "proposed_on": "2024-12-19"})
    return {
        "amendments": made(office, f"{YEAR}/amendments", notice),
        "activities": activity,
        "sheet_id": ok(sheet)["id"],
        "talks": talk,
        "step": a_step_of(secretary, cast, case),
        "follow_up_id": made(secretary, f"{cast.path}/talks/{talk}/follow-ups", {"due_on": "2025-01-10", "what": "帮助"}),
        "study-sessions": made(secretary, f"{cast.path}/study-sessions", {"held_on": "2024-12-19"}),
        "self-reviews": made(secretary, f"{cast.path}/self-reviews", {"staff_no": cast.member, "submitted": True}),
        "meetings": made(
            secretary,
            f"{cast.path}/meetings",
            {"purpose": "report", "form": "general", "held_on": "2024-12-19", "chair": cast.secretary, "recorder": cast.member},
        ),
        "tallies": max(made(house.as_(teller), f"{cast.path}/tallies", A_TALLY) for teller in (cast.member, cast.organiser)),
        "problems": made(secretary, f"{cast.path}/problems", {"source": "meeting", "about": "committee", "text": "质量不高"}),
        "measures": measure,
        "commitments": made(secretary, f"{cast.path}/commitments", {"staff_no": cast.member, "text": "每周自学一次"}),
        "publications": made(secretary, f"{cast.path}/publications", {"from": "2024-12-19"}),
        "rectification-filings": made(secretary, f"{cast.path}/rectification-filings", {"to": "学院党委", "sent_on": "2024-12-19"}),
        "help-plans": made(secretary, f"{cast.path}/help-plans", {"staff_no": cast.member}),
        "disposition-cases": case,
        "waivers": made(secretary, f"{cast.path}/waivers", {"requirement": "members_who_have_not_studied", "reason": "外出"}),
        "token_id": made(administrator, "/tokens", {"staff_no": cast.member, "name": "程序"}),
        "session_id": a_browser_session(house, "office"),
        "appointment_id": office.get("/appointments").body["items"][0]["id"],
        "punishment_id": punished,
        "import_id": int(upload.get_json()["id"]),
        "substitute_id": made(secretary, "/substitutes", {"substitute": cast.newcomer, "starts_on": "2025-06-01", "ends_on": "2025-06-07"}),
        "invitation_code": an_invitation(house, cast.member),
        "act": "record_self_review",
        "on": a_draft(house, cast),
        "decision_id": decision,
    }


def a_decision_that_waits(house: House, cast: Cast) -> int:
    """Enter the decision on a branch that was rated and proposed; give its number."""
    with transaction(house.engine, actor="cli") as session:
        a_counted_ballot(session, process_of(session, 2024, cast.code))
    with transaction(house.engine, actor="cli") as session:
        assessment = an_assessment(session, cast.code)
        a_duty_report(session, assessment)
        facts(session, assessment)
        a_proposal(session, assessment, result="qualified", reason=None)
        waits = latest(session) or a_decision(session, assessment)
        session.flush()
        return waits.id


def a_step_of(secretary: Client, cast: Cast, case: int) -> str:
    """Record the only step of a case; give its name."""
    step = {"step": "superior_filing", "on": "2024-12-19", "why_without": "补录"}
    ok(secretary.post(f"{cast.path}/disposition-cases/{case}/steps", step))
    return step["step"]


def a_draft(house: House, cast: Cast) -> str:
    """Keep a draft of each of the branch; give the name that they all have."""
    on = "2024"
    for who in (cast.secretary, cast.deputy, cast.organiser, cast.member):
        ok(house.as_(who)("PUT", f"/me/drafts/record_self_review/{on}", {"typed": {"aspects.A1": "信念坚定"}}, seen=0), 200)
    return on


def latest(session: Session) -> Decision | None:
    """Find the decision of the year: there is one for all branches."""
    return session.scalar(select(Decision))


def a_browser_session(house: House, staff_no: str) -> int:
    """Let somebody be signed in with a browser; give the number of the session."""
    with transaction(house.engine, actor="cli") as session:
        row = WebSession(
            person_id=person_by_staff_no(session, staff_no).id,
            hash=uuid4().hex,
            created_at=NOW,
            expires_at=NOW + timedelta(days=400),
            revoked_at=None,
        )
        session.add(row)
        session.flush()
        return row.id


def an_invitation(house: House, staff_no: str) -> str:
    """Invite a person, and find the code of the link in their letter."""
    assert house.as_("administrator").post(f"/accounts/{staff_no}/invitation").status == 200
    with transaction(house.engine, actor=None) as session:
        text = session.scalars(select(Letter.text).where(Letter.kind == INVITED).order_by(Letter.id.desc()).limit(1)).one()
    return str(re.findall(r"/invitations/(\S+)", text)[0])


def address(route: Route, cast: Cast, ids: dict[str, Any], staff_no: str | None = None) -> str:
    """Fill in all values in the address of a route."""
    kind = next((name for name in ids if f"/{name}/" in route.rule), "")
    values = {**ids, "year": 2024, "day": "2025-01-26", "code": cast.code, "staff_no": staff_no or cast.member, "record_id": ids.get(kind, 1)}
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda found: str(values[found[1]]), route.rule)


def client_of(world: World, who: str) -> Client:
    """Give the signed-in client of one of EVERYBODY except nobody."""
    if who in SCHOOL:
        return world.house.as_(who)
    return world.house.as_(world.there.secretary if who == ELSEWHERE else getattr(world.here, who))


def ask(world: World, route: Route, who: str, path: str, *, query: str = "", body: Any = None) -> tuple[int, dict[str, Any]]:
    """Ask with a body, a type and an If-Match that the route may want."""
    token = "" if who == "nobody" else client_of(world, who).token
    sent: dict[str, Any] = {"data": {"file": (BytesIO(b""), "x.xlsx")}} if route.upload else {"json": {} if body is None else body}
    headers = {"If-Match": '"1"', **({"Authorization": f"Bearer {token}"} if token else {})}
    answer = world.house.app.test_client().open(f"/api/v1{path}{query}", method=route.method, headers=headers, **sent)
    return answer.status_code, answer.get_json(silent=True) or {}
