"""Who may what: every route × every role, and who reads which field of a talk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import ROUTES
from api.frame.base import Route
from tests.api.conftest import Client
from tests.support.records.assessment import a_decision, a_duty_report, an_assessment, facts
from tests.support.records.rating import a_counted_ballot
from tests.support.rosters import a_roster
from tests.support.servers import YEAR, Cast, House, a_house
from tests.support.years.assessment_year import attendance_sheet
from tests.support.years.assessment_year import upload as upload_sheet
from tests.support.years.branch_year import ok
from workflow.appraisal.talks.talks import PRIVATE, TEXTS
from workflow.assessment.decision import Decision
from workflow.assessment.proposals import propose
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Level, Role
from workflow.mail.links import INVITED
from workflow.mail.outbox import Letter
from workflow.people.access import ACCESS, Action
from workflow.year.cycle import process_of

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


@pytest.fixture(scope="module")
def world(superuser: str, template: str) -> Iterator[World]:
    with a_house(superuser, template) as house:
        here, there = house.a_branch(), house.a_branch()
        made = World(house, here, there, _records(house, here), _records(house, there))
        for who in EVERYBODY[:-1]:
            client_of(made, who)
        yield made


def _records(house: House, cast: Cast) -> dict[str, Any]:
    secretary, office, administrator = house.as_(cast.secretary), house.as_("office"), house.as_("administrator")

    def made(client: Any, path: str, body: dict[str, Any]) -> int:
        answer = client.post(path, body)
        assert answer.status == 201, answer.body
        return int(answer.body["id"])

    talk = made(secretary, f"{cast.path}/talks", {"held_on": "2024-12-19", "talker": cast.organiser, "partner": cast.member})
    measure = made(secretary, f"{cast.path}/measures", {"text": "完善制度", "owner": cast.member})
    with transaction(house.engine, actor="cli") as session:
        a_counted_ballot(session, process_of(session, 2024, cast.code))
    with transaction(house.engine, actor="cli") as session:
        assessment = an_assessment(session, cast.code)
        a_duty_report(session, assessment)
        facts(session, assessment)
        propose(session, assessment, None, {"result": Level.QUALIFIED}, seen=None)
        waits = latest(session) or a_decision(session, assessment)
        session.flush()
        decision = waits.id
    made(secretary, f"{cast.path}/ratings", {"staff_no": cast.member, "level": "qualified"})
    assert secretary.post(f"{cast.path}/ratings/{cast.member}/feedback", {"given_on": "2024-12-19", "way": "face"}).status == 200
    upload = office.http.post(
        "/api/v1/roster-imports",
        data={"file": (BytesIO(a_roster()), "roster.xlsx")},
        headers={"Authorization": f"Bearer {office.token}"},
    )
    activity = made(office, f"{YEAR}/activities", {"kind": "study", "name": f"{cast.code} 的主题党日", "held_on": "2024-10-10"})
    sheet = upload_sheet(office, f"{YEAR}/activities/{activity}/attendance-imports", attendance_sheet([{"学工号": cast.member, "出勤情况": "出勤"}]))
    return {
        "activities": activity,
        "sheet_id": ok(sheet)["id"],
        "talks": talk,
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
        "disposition-cases": made(secretary, f"{cast.path}/disposition-cases", {"staff_no": cast.member, "proposed_on": "2024-12-19"}),
        "waivers": made(secretary, f"{cast.path}/waivers", {"requirement": "members_who_have_not_studied", "reason": "外出"}),
        "token_id": made(administrator, "/tokens", {"staff_no": cast.member, "name": "程序"}),
        "appointment_id": office.get("/appointments").body["items"][0]["id"],
        "import_id": int(upload.get_json()["id"]),
        "substitute_id": made(secretary, "/substitutes", {"substitute": cast.newcomer, "starts_on": "2025-06-01", "ends_on": "2025-06-07"}),
        "invitation_code": an_invitation(house, cast.member),
        "decision_id": decision,
    }


def latest(session: Session) -> Decision | None:
    """The decision of the year: there is one for all branches."""
    return session.scalar(select(Decision))


def an_invitation(house: House, staff_no: str) -> str:
    """The code of the link that somebody was sent."""
    assert house.as_("administrator").post(f"/accounts/{staff_no}/invitation").status == 200
    with transaction(house.engine, actor=None) as session:
        text = session.scalars(select(Letter.text).where(Letter.kind == INVITED).order_by(Letter.id.desc()).limit(1)).one()
    return str(re.findall(r"/invitations/(\S+)", text)[0])


def address(route: Route, cast: Cast, ids: dict[str, Any], staff_no: str | None = None) -> str:
    """A route with everything filled in that stands in its address."""
    kind = next((name for name in ids if f"/{name}/" in route.rule), "")
    values = {**ids, "year": 2024, "day": "2025-01-26", "code": cast.code, "staff_no": staff_no or cast.member, "record_id": ids.get(kind, 1)}
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda found: str(values[found[1]]), route.rule)


def client_of(world: World, who: str) -> Client:
    """Somebody of EVERYBODY but nobody, signed in."""
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


def expected(route: Route, who: str) -> int:
    """The status before anything of the request is looked at; 422 stands for "let in": each request carries an unknown parameter."""
    if route.action is None:
        return 422
    if who == "nobody":
        return 401
    roles = {Role(who)} if who in SCHOOL else BRANCH_ROLES["secretary"] if who == ELSEWHERE else BRANCH_ROLES[who]
    if not roles & ACCESS[route.action].keys():
        return 403
    return 404 if who == ELSEWHERE and (route.of_branch or "substitute_id" in route.rule) else 422


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.rule}")
def test_every_route_answers_every_role_as_the_table_says(world: World, route: Route) -> None:
    before = world.house.state()
    path = address(route, world.here, world.ids)
    answers = {who: ask(world, route, who, path, query="?unknown=1") for who in EVERYBODY}
    assert {who: status for who, (status, _) in answers.items()} == {who: expected(route, who) for who in EVERYBODY}
    for status, body in answers.values():
        assert {"type", "title", "status", "detail", "instance", "request_id"} <= body.keys(), body
        assert body["status"] == status
    assert world.house.state() == before


def test_every_route_names_an_action_of_the_table_and_every_action_has_a_route() -> None:
    named = {route.action for route in ROUTES if route.action is not None}
    assert named == set(Action) == set(ACCESS)
    assert {f"{route.method} {route.rule}" for route in ROUTES if route.action is None} == {
        "POST /session",
        "POST /session/forgotten",
        "POST /invitations/<invitation_code>",
    }


def test_no_route_is_declared_twice() -> None:
    names = [(route.method, re.sub(r"<[^>]+>", "<>", route.rule)) for route in ROUTES]
    assert len(names) == len(set(names))


OF_THE_COMMITTEE = {Action.MOVE_ASSESSMENT, Action.CONFIRM_DECISION}
"""What the school committee does itself: it decides what the assessment of a branch comes to."""


def test_the_auditor_changes_nothing_and_the_committee_nothing_but_the_assessments() -> None:
    for route in ROUTES:
        if route.method != "GET" and route.action not in (None, Action.READ_SELF):
            assert Role.AUDITOR not in ACCESS[route.action], route.name
            assert (Role.COMMITTEE in ACCESS[route.action]) == (route.action in OF_THE_COMMITTEE), route.name


def test_the_administrator_reads_and_writes_accounts_alone() -> None:
    for action, roles in ACCESS.items():
        if Role.ADMINISTRATOR in roles and Role.MEMBER not in roles:
            assert action in (Action.READ_ACCOUNTS, Action.WRITE_ACCOUNTS, Action.WRITE_TOKENS)


# ── what is not yours answers like what does not exist ────────────────────────────────────────────────────────────────


def told(answer: tuple[int, dict[str, Any]], *numbers: str) -> str:
    """An answer without what tells requests apart: its id, its address, and the 学工号 that was asked for."""
    status, body = answer
    text = json.dumps([status, {name: value for name, value in body.items() if name not in ("request_id", "instance")}], ensure_ascii=False)
    return re.sub("|".join(map(re.escape, numbers)), "…", text) if numbers else text


OF_BRANCH = [route for route in ROUTES if route.of_branch]


@pytest.mark.parametrize("route", OF_BRANCH, ids=lambda route: f"{route.method} {route.rule}")
def test_another_branch_answers_like_one_that_does_not_exist(world: World, route: Route) -> None:
    for who in BRANCH_ROLES:
        another = ask(world, route, who, address(route, world.there, world.elsewhere))
        no_such = ask(world, route, who, address(route, Cast("X999"), world.elsewhere, staff_no=world.there.member))
        assert told(another) == told(no_such)
        assert another[0] in (403, 404)


BODIES: dict[str, dict[str, Any]] = {
    "StudySessionBody": {"form": "讨论"},
    "MakeUpBody": {"staff_no": "w5", "on": "2024-12-19"},
    "TalkBody": {"place": "会议室"},
    "SelfReviewBody": {"submitted": True},
    "MeetingBody": {"place": "会议室"},
    "TallyBody": {},
    "FollowUpBody": {"due_on": "2025-01-10", "what": "帮助"},
    "DoneBody": {"on": "2024-12-19"},
    "ReasonBody": {"reason": "有误"},
    "ProblemBody": {"text": "质量不高"},
    "MeasureBody": {"text": "完善制度"},
    "ProgressBody": {"state": "doing"},
    "CommentBody": {"text": "建议明确到人"},
    "CommitmentBody": {"text": "每周自学一次"},
    "PublicationBody": {"place": "公示栏"},
    "FilingBody": {"to": "学院党委"},
    "HelpPlanBody": {"first_step": "谈心"},
    "ReviewBody": {"on": "2024-12-19"},
    "DispositionCaseBody": {"facts": "无故缺席"},
    "StepBody": {"step": "talk", "on": "2024-12-19"},
}
"""What each route of a record takes."""


@pytest.mark.parametrize("route", [route for route in OF_BRANCH if "record_id" in route.rule], ids=lambda route: f"{route.method} {route.rule}")
def test_a_record_of_another_branch_answers_like_one_that_does_not_exist(world: World, route: Route) -> None:
    body = BODIES[route.body.__name__] if route.body is not None else None
    there = address(route, world.here, world.elsewhere)
    nowhere = address(route, world.here, dict.fromkeys(world.elsewhere, 10**12))
    who = (*BRANCH_ROLES, "office")
    another = {each: ask(world, route, each, there, body=body) for each in who}
    no_such = {each: ask(world, route, each, nowhere, body=body) for each in who}
    assert {each: told(another[each]) for each in who} == {each: told(no_such[each]) for each in who}
    assert {another[each][0] for each in who} <= {403, 404}


def test_a_line_of_another_roll_answers_like_one_that_does_not_exist(world: World) -> None:
    secretary = world.house.as_(world.here.secretary)
    another, no_such = (secretary.get(f"{world.here.path}/roll/{number}") for number in (world.there.member, "nobody-at-all"))
    assert another.status == no_such.status == 404
    assert told((404, another.body), world.there.member) == told((404, no_such.body), "nobody-at-all")


# ── field readers ─────────────────────────────────────────────────────────────────────────────────────────────────────

NONE, WHAT_WAS_SAID, ALL = frozenset[str](), frozenset(TEXTS), frozenset((*TEXTS, *PRIVATE, "follow_up"))


@dataclass(frozen=True)
class Talks:
    """Four talks of one branch, each of whose texts names its talk and field."""

    house: House
    cast: Cast
    ids: dict[str, int]
    """From "talker–partner" to the record's id."""


PAIRS = {
    "organiser–member": ("organiser", "member"),
    "organiser–secretary": ("organiser", "secretary"),
    "organiser–deputy": ("organiser", "deputy"),
    "secretary–newcomer": ("secretary", "newcomer"),
}

READS: dict[str, dict[str, frozenset[str] | None]] = {
    # None: this reader does not know that there was such a talk
    "organiser–member": {"organiser": ALL, "member": WHAT_WAS_SAID, "secretary": ALL, "deputy": ALL, "newcomer": None},
    "organiser–secretary": {"organiser": ALL, "secretary": WHAT_WAS_SAID, "deputy": WHAT_WAS_SAID, "member": None, "newcomer": None},
    "organiser–deputy": {"organiser": ALL, "secretary": ALL, "deputy": WHAT_WAS_SAID, "member": None, "newcomer": None},
    "secretary–newcomer": {"organiser": NONE, "secretary": ALL, "deputy": ALL, "member": None, "newcomer": WHAT_WAS_SAID},
}
READERS = ("organiser", "secretary", "deputy", "publicist", "member", "newcomer", "office", "committee", "auditor")


def who_is(cast: Cast, reader: str) -> str:
    return str(getattr(cast, reader)) if reader not in SCHOOL else reader


def a_talk(talks_of: Cast, pair: str) -> dict[str, Any]:
    talker, partner = PAIRS[pair]
    texts = {name: f"<{pair}:{name}>" for name in (*TEXTS, *PRIVATE)}
    return {"held_on": "2024-12-19", "talker": getattr(talks_of, talker), "partner": getattr(talks_of, partner), "focus": True, **texts}


@pytest.fixture(scope="module")
def talks(world: World) -> Talks:
    house, cast = world.house, world.house.a_branch()
    ids = {}
    for pair, (talker, _) in PAIRS.items():
        by = house.as_(getattr(cast, talker))
        made = by.post(f"{cast.path}/talks", a_talk(cast, pair))
        assert made.status == 201, made.body
        ids[pair] = made.body["id"]
        followed = by.post(f"{cast.path}/talks/{ids[pair]}/follow-ups", {"due_on": "2025-01-10", "what": f"<{pair}:follow_up>"})
        assert followed.status == 201, followed.body
    return Talks(house, cast, ids)


def markers(answer: Any, pair: str = "") -> frozenset[str]:
    """Which texts of a talk stand anywhere in an answer."""
    text = json.dumps(answer.body, ensure_ascii=False)
    return frozenset(field for found, field in re.findall(r"<([^:<>]+):([^:<>]+)>", text) if pair in ("", found))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("pair", PAIRS)
def test_each_reader_sees_his_fields_of_a_talk_and_no_other(talks: Talks, pair: str, reader: str) -> None:
    client = talks.house.as_(who_is(talks.cast, reader))
    allowed = READS[pair].get(reader, NONE)
    one = client.get(f"{talks.cast.path}/talks/{talks.ids[pair]}")
    listed = client.get(f"{talks.cast.path}/talks")
    assert listed.status == 200
    if allowed is None:
        assert one.status == 404
        assert talks.ids[pair] not in [item["id"] for item in listed.body["items"]]
        return
    assert one.status == 200
    assert markers(one) == allowed
    assert next(item for item in listed.body["items"] if item["id"] == talks.ids[pair]) == one.body
    assert markers(listed, pair) == allowed


@pytest.mark.parametrize("reader", [*READERS, "administrator"])
def test_no_other_answer_carries_the_text_of_a_talk(talks: Talks, reader: str) -> None:
    client = talks.house.as_(who_is(talks.cast, reader))
    below = ("", "/next", "/requirements", "/requirements?stage=talks", "/history?limit=200", "/moves", "/waivers", "/roll", "/talks/coverage")
    for path in (
        *(talks.cast.path + each for each in below),
        *(YEAR + each for each in ("/progress", "/branches", "/exceptions?limit=200", "/letters")),
        *("/me", "/me/todos", "/process", YEAR),
    ):
        assert markers(client.get(path)) == NONE, path


def test_the_history_says_only_that_a_text_changed(talks: Talks) -> None:
    history = talks.house.as_("auditor").get(f"{talks.cast.path}/history?limit=200").body["items"]
    talk = next(row for row in history if row["what"] == "talk" and row["new"]["talker"] == talks.cast.organiser)
    assert {talk["new"][name] for name in (*TEXTS, *PRIVATE)} == {"changed"}
    assert not [row for row in history if row["what"] == "talk_follow_up"]


def test_that_there_is_a_follow_up_stands_in_the_history_of_who_reads_it(talks: Talks) -> None:
    seen = {
        who: [
            row["new"]["what"]
            for row in talks.house.as_(who_is(talks.cast, who)).get(f"{talks.cast.path}/history?limit=200").body["items"]
            if row["what"] == "talk_follow_up"
        ]
        for who in ("secretary", "organiser", "office")
    }
    assert set(seen["secretary"]) == {"changed"}
    assert set(seen["organiser"]) <= {"changed"}
    assert seen["office"] == []


def test_an_answer_to_a_change_shows_no_more_than_reading_does(talks: Talks) -> None:
    house, cast = talks.house, talks.house.a_branch()
    organiser, secretary, deputy, office = (house.as_(who_is(cast, each)) for each in ("organiser", "secretary", "deputy", "office"))
    body = a_talk(cast, "organiser–secretary")
    made = organiser.post(f"{cast.path}/talks", body)
    path = f"{cast.path}/talks/{made.body['id']}"
    assert markers(made) == frozenset((*TEXTS, *PRIVATE))
    assert markers(secretary.patch(path, {"place": "会议室"}, seen=1)) == WHAT_WAS_SAID
    assert markers(deputy.patch(path, {"place": "办公室"}, seen=2)) == WHAT_WAS_SAID
    assert markers(organiser.patch(path, {"place": "活动室"}, seen=3)) == frozenset((*TEXTS, *PRIVATE))
    rejected = office.post(f"{path}/reject", {"reason": "日期有误"})
    assert rejected.status == 200
    assert markers(rejected) == NONE


@pytest.mark.parametrize(
    "change",
    [{"partner": "member"}, {"talker": "secretary", "partner": "member"}, {"talker": "publicist", "partner": "member"}],
    ids=["another partner", "himself as talker", "other people"],
)
@pytest.mark.parametrize("who", ["secretary", "deputy"])
def test_naming_other_people_opens_no_private_notes(talks: Talks, who: str, change: dict[str, str]) -> None:
    """思想状况 of a talk with the secretary is for the talker alone, whatever becomes of the talk."""
    house, cast = talks.house, talks.house.a_branch()
    path = f"{cast.path}/talks/{house.as_(cast.organiser).post(f'{cast.path}/talks', a_talk(cast, 'organiser–secretary')).body['id']}"
    reader = house.as_(who_is(cast, who))
    changed = reader.patch(path, {name: who_is(cast, person) for name, person in change.items()}, seen=1)
    assert "private_notes" not in markers(changed)
    assert "private_notes" not in markers(reader.get(path))


def test_who_may_not_read_private_notes_does_not_write_them(talks: Talks) -> None:
    house, cast = talks.house, talks.house.a_branch()
    body = a_talk(cast, "organiser–secretary")
    path = f"{cast.path}/talks/{house.as_(cast.organiser).post(f'{cast.path}/talks', body).body['id']}"
    for who in ("secretary", "deputy"):
        assert house.as_(who_is(cast, who)).patch(path, {"private_notes": "改写"}, seen=1).status == 403
    assert house.as_(cast.organiser).get(path).body["private_notes"] == body["private_notes"]


def test_follow_ups_are_for_who_reads_them(talks: Talks) -> None:
    house, cast = talks.house, talks.house.a_branch()
    path = f"{cast.path}/talks/{house.as_(cast.organiser).post(f'{cast.path}/talks', a_talk(cast, 'organiser–secretary')).body['id']}"
    promise = {"due_on": "2025-01-10", "what": "帮助"}
    answers = {
        who: house.as_(who_is(cast, who)).post(f"{path}/follow-ups", promise).status for who in ("organiser", "secretary", "deputy", "publicist")
    }
    assert answers == {"organiser": 201, "secretary": 403, "deputy": 403, "publicist": 403}


def test_a_member_reads_the_names_of_the_roll_and_nothing_else_of_it(world: World) -> None:
    house, cast = world.house, world.here
    rows = house.as_(cast.member).get(f"{cast.path}/roll").body["items"]
    assert sorted(row["staff_no"] for row in rows) == sorted(cast.everybody)
    assert all(row.keys() == {"staff_no", "name"} for row in rows)
    one = house.as_(cast.member).get(f"{cast.path}/roll/{cast.secretary}").body
    assert one == {"staff_no": cast.secretary, "name": cast.secretary}
    for reader in (cast.organiser, cast.secretary, "office", "auditor", "committee"):
        whole = house.as_(reader).get(f"{cast.path}/roll/{cast.secretary}").body
        contract = {
            *("staff_no", "name", "standing", "post", "title", "on_committee", "leads", "cadre", "voting", "punished_on"),
            *("excused_reason", "excused_confirmed_by", "left_on"),
        }
        assert contract <= whole.keys()
        assert whole["post"] == "secretary"


def test_a_committee_member_records_his_own_talks_alone(world: World) -> None:
    house, cast = world.house, world.here
    before = house.state()
    refused = house.as_(cast.organiser).post(f"{cast.path}/talks", {"held_on": "2024-12-19", "talker": cast.publicist, "partner": cast.member})
    assert refused.status == 403
    assert house.state() == before
    assert (
        house.as_(cast.organiser).post(f"{cast.path}/talks", {"held_on": "2024-12-19", "talker": cast.organiser, "partner": cast.member}).status
        == 201
    )


def test_two_posts_give_the_union_of_what_they_allow(world: World) -> None:
    house, cast = world.house, world.house.a_branch()
    given = house.as_("office").post("/appointments", {"staff_no": cast.member, "role": "auditor", "starts_on": "2024-01-01"})
    assert given.status == 201, given.body
    both = house.as_(cast.member)
    assert both.get("/me").body["roles"] == ["auditor", "member"]
    assert both.get(f"{YEAR}/progress").status == 200
    assert both.get(world.there.path).status == 200
    assert "post" in both.get(f"{cast.path}/roll/{cast.secretary}").body
    house.as_("office").post(f"/appointments/{given.body['id']}/end", {"ends_on": "2024-12-19"})
    assert both.get(f"{YEAR}/progress").status == 403
