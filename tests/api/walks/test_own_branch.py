"""Nobody decides on their own (回避): every act of office and committee, tried in the own branch.

An act that is declared later must be decided here too: it is refused in the own branch, or stands
in ``OPEN`` with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from sqlalchemy import update

from api import ROUTES
from api.frame.openapi.examples import example_of
from api.frame.routes import Route
from tests.support.builders import NOW, person
from tests.support.records.evidence import stand_at
from tests.support.servers import Cast
from tests.support.world import World, address
from workflow.acts import ACTS
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Kind, Post, Role, Stage, Trigger
from workflow.machine.process import MOVES
from workflow.people.access import ACCESS, JUDGED, OFFICE_FIRST
from workflow.people.organisation import Appointment
from workflow.roster.posts import appoint
from workflow.rules.acts import AnyAct
from workflow.year.cycle import StageChange
from workflow.year.finding import process_of

REASON = "材料不实"

OPEN: Mapping[str, str] = {
    **dict.fromkeys(
        ("open_year", "reread_year", "drop_year", "change_deadlines", "publish_year", "amend_plan", "close_year", "reopen_year"),
        "for all branches alike",
    ),
    **dict.fromkeys(("set_day", "forget_day"), "the calendar is one for all"),
    **dict.fromkeys(("preview_roster", "apply_roster"), "one sheet of the whole school, shown before it is written"),
    **dict.fromkeys(
        ("record_activity", "amend_activity", "withdraw_activity", "preview_attendance", "apply_attendance"),
        "one activity of the whole school; a sheet shows what it changes, branch by branch",
    ),
    **dict.fromkeys(
        ("enter_decision", "publish_decision", "withdraw_decision", "confirm_decision", "reject_decision"),
        "the committee has decided on all branches together; who entered it does not confirm it",
    ),
    "advance_many": "the way of all branches together; what it stands on is proposed by others",
    **dict.fromkeys(
        ("add_person", "amend_person", "move_person", "leave", "renumber"),
        "it notes what happened elsewhere, and the history says who did; the office alone may",
    ),
    **dict.fromkeys(("punish", "withdraw_punishment"), "of others it notes what was decided elsewhere; their own: refused below"),
    **dict.fromkeys(("appoint", "end_appointment"), "it notes an election, for nobody by themselves (docs/0035)"),
    **dict.fromkeys(("name_substitute", "end_substitute"), "it decides on nothing that was handed in; nobody names themselves"),
    **dict.fromkeys(("withdraw_excuse", "write_facts"), "the branch's own word: somebody else confirms it"),
    "record_comment": "a comment decides nothing",
    **dict.fromkeys(("sign_out", "end_session", "change_password"), "it is about one's own account"),
    **dict.fromkeys(("keep_draft", "drop_draft"), "a draft is nobody else's, and decides nothing"),
    **dict.fromkeys(("invite", "invite_branch"), "the administrator's; a letter goes to its person alone"),
}
"""The acts that office and committee do for their own branch as for any other, and why."""

TRIED_APART = {"change_roll_line", "change_roll_line_in_bulk", "move", "move_in_bulk", "print_slips", "print_slip"}
"""Acts of which a part is refused, or that name the branch in their content: tested apart."""


def of_the_school(act: AnyAct) -> bool:
    """Tell whether office or committee may do an act at all."""
    return act.action is not None and bool({Role.OFFICE, Role.COMMITTEE} & ACCESS[act.action].keys())


@pytest.fixture(scope="module")
def clerks(built: World) -> tuple[str, str]:
    """A clerk of the office and one of the committee, each with a post in the branch."""
    cast = built.there
    for staff_no, role in ((cast.publicist, Role.OFFICE), (cast.deputy, Role.COMMITTEE)):
        give(built, staff_no, role)
        built.house.as_(staff_no)
    return cast.publicist, cast.deputy


def give(world: World, staff_no: str, role: Role) -> None:
    with transaction(world.house.engine, actor="cli") as session:
        appoint(session, {"staff_no": staff_no, "role": role, "starts_on": date(2024, 1, 1)}, now=NOW)


def test_every_act_of_office_and_committee_is_refused_in_the_own_branch_or_open_for_a_reason() -> None:
    refused = {act.name for act in ACTS if act.action in JUDGED}
    assert (refused | TRIED_APART) & OPEN.keys() == set()
    assert {act.name for act in ACTS if of_the_school(act)} - OPEN.keys() == refused | TRIED_APART
    assert {act.name for act in ACTS} >= OPEN.keys() | TRIED_APART


def asked(world: World, route: Route, who: str, body: Any) -> tuple[int, str]:
    """Send a body that passes to an address in the branch of the clerks."""
    path = address(route, world.there, world.elsewhere)
    answer = world.house.as_(who)(route.method, path, body, seen=1)
    return answer.status, str((answer.body or {}).get("detail"))


ENDS = {"why": "temporary", "reason": "临时支部"}
INSTEAD: Mapping[tuple[str, Kind | None], dict[str, Any]] = {
    ("end", Kind.APPRAISAL): ENDS,
    ("end", Kind.ASSESSMENT): ENDS,
    ("extend", Kind.ASSESSMENT): {"stage": "collecting", "due_on": "2025-02-10", "reason": "书记出差"},
}
"""Bodies in place of the examples, where their fields exclude one another."""


def body_of(act: AnyAct, cast: Cast) -> Any:
    """Make a body that passes; items of many name the branch and its member."""
    if act.sends is None:
        return {}
    body = INSTEAD.get((act.name, act.kind)) or example_of(act.sends)
    if "items" in body:
        here = {"code": cast.code, "staff_no": cast.newcomer}
        body["items"] = [{**item, **{name: value for name, value in here.items() if name in item}} for item in body["items"]]
    return body


def test_no_decision_is_made_by_somebody_with_a_post_in_the_branch_and_others_make_it(world: World, clerks: tuple[str, str]) -> None:
    clerk, of_committee = clerks
    routes = [route for route in ROUTES if route.act is not None and route.act.action in JUDGED]
    # Leaving the year comes last: nothing is decided on a branch that is out of it.
    routes.sort(key=lambda route: route.rule.endswith(("/end", "/resume")))
    before = world.house.state()
    wrong = {}
    for route in routes:
        assert route.act is not None
        told = {who: asked(world, route, who, body_of(route.act, world.there)) for who in (clerk, of_committee)}
        if any(status != 403 or f"您在{world.there.code}党支部任职" not in detail for status, detail in told.values()):
            wrong[route.rule] = told
    assert wrong == {}
    assert world.house.state() == before
    may = {route.rule: asked(world, route, other_than(route), body_of(route.act, world.there)) for route in routes if route.act}
    assert {rule: told for rule, told in may.items() if told[0] in (401, 403, 404, 422)} == {}


def other_than(route: Route) -> str:
    """Name the one who may: the committee, where it is not for another of the office first."""
    return "office" if route.action in OFFICE_FIRST else "committee"


def test_the_committee_proposes_only_where_everybody_of_the_office_has_a_post_in_the_branch(world: World, clerks: tuple[str, str]) -> None:
    paths = [(verb, f"/cycles/2024/assessments/{world.there.code}{below}") for verb, below in (("PUT", "/proposal"), ("PATCH", ""))]
    committee = world.house.as_("committee")
    told = [committee(verb, path, {}, seen=99) for verb, path in paths]
    assert {(answer.status, answer.body["detail"].partition("；")[0]) for answer in told} == {(403, "由党委办公室办理")}
    others = (Appointment.role == Role.OFFICE, Appointment.ends_on.is_(None))
    with transaction(world.house.engine, actor="cli") as session:
        kept = person(session, clerks[0]).id
        session.execute(update(Appointment).where(*others, Appointment.person_id != kept).values(ends_on=date(2024, 12, 19)))
    assert [committee(verb, path, {}, seen=99).status for verb, path in paths] == [412, 412]
    with transaction(world.house.engine, actor="cli") as session:
        session.execute(update(Appointment).where(Appointment.role == Role.OFFICE).values(ends_on=None))


JUDGING = sorted({(kind, move.trigger) for kind, moves in MOVES.items() for move in moves if move.judges})
MOVE = {Kind.APPRAISAL: "branches", Kind.ASSESSMENT: "assessments"}


@pytest.mark.parametrize(("kind", "trigger"), JUDGING)
def test_no_move_that_judges_is_made_by_somebody_with_a_post_in_the_branch(
    world: World, clerks: tuple[str, str], kind: Kind, trigger: Trigger
) -> None:
    to = next(move.target for move in MOVES[kind] if move.trigger is trigger)
    body = {"trigger": trigger, **({} if trigger is Trigger.ACCEPT else {"to": to, "reason": REASON, "due_on": "2025-02-01"})}
    path = f"/cycles/2024/{MOVE[kind]}/{world.there.code}/moves"
    told = {who: world.house.as_(who).post(path, body, seen=99).status for who in (*clerks, "office", "committee")}
    assert told == {clerks[0]: 403, clerks[1]: 403, "office": 412, "committee": 412}
    if kind is Kind.APPRAISAL:
        items = {"items": [{"code": world.there.code, "version": 99, **body}]}
        bulk_told = {who: world.house.as_(who).post("/cycles/2024/moves/bulk", items).status for who in told}
        assert bulk_told == told


def test_nobody_rates_in_their_branch_who_is_on_two_rolls(world: World, clerks: tuple[str, str]) -> None:
    line = f"{world.there.path}/roll/{world.there.newcomer}"
    many = {"items": [{"staff_no": world.there.newcomer, "version": 1, "rated_here": True}]}
    for who in clerks[:1]:
        assert world.house.as_(who).patch(line, {"rated_here": True}, seen=1).status == 403
        assert world.house.as_(who).post(f"{world.there.path}/roll/bulk", many).status == 403
    assert world.house.as_("office").patch(line, {"rated_here": True}, seen=1).status == 200


def test_no_slips_of_the_own_branch(world: World, clerks: tuple[str, str]) -> None:
    clerk, cast = world.house.as_(clerks[0]), world.there
    for path, body in (("/accounts/slips", {"branch": cast.code}), (f"/accounts/{cast.newcomer}/slip", {})):
        told = clerk.post(path, body)
        assert (told.status, told.body["detail"].partition("，")[0]) == (403, f"您在{cast.code}党支部任职")
        assert world.house.as_("office").post(path, body).status == world.house.as_("administrator").post(path, body).status != 403


# ── what is about themselves, what they entered ───────────────────────────────────────────────────────────────────────


def test_a_plain_member_of_the_office_decides_nothing_about_themselves(world: World) -> None:
    house, cast = world.house, world.house.a_branch()
    give(world, cast.member, Role.OFFICE)
    secretary, clerk = house.as_(cast.secretary), house.as_(cast.member)
    line = f"{cast.path}/roll/{cast.member}"
    assert secretary.patch(line, {"excused_kind": "ill", "excused_reason": "住院"}, seen=secretary.get(line).etag).status == 200
    reason = {"requirement": "members_nobody_talked_with", "subjects": [cast.member], "reason": "长期在外"}
    waiver = secretary.post(f"{cast.path}/waivers", reason).body["id"]
    review = secretary.post(f"{cast.path}/self-reviews", {"staff_no": cast.member, "submitted": True}).body["id"]
    punished = house.as_("office").post(f"/people/{cast.member}/punishments", {"kind": "warning", "on": "2024-12-19"}).body["id"]
    tried = {
        f"{line}/confirm": {},
        f"{line}/refuse": {"reason": REASON},
        f"{cast.path}/waivers/{waiver}/approve": {},
        f"{cast.path}/waivers/{waiver}/reject": {"reason": REASON},
        f"{cast.path}/self-reviews/{review}/reject": {"reason": REASON},
        f"/people/{cast.member}/punishments": {"kind": "warning", "on": "2024-12-19"},
        f"/people/{cast.member}/punishments/{punished}/withdraw": {"reason": "登记有误"},
    }
    before = house.state()
    told = {path: clerk.post(path, body) for path, body in tried.items()}
    assert {(answer.status, answer.body["detail"]) for answer in told.values()} == {(403, "这是您本人的事，请他人办理")}
    rated = clerk.patch(line, {"rated_here": True}, seen=2)
    assert (rated.status, rated.body["detail"]) == (403, "这是您本人的事，请他人办理")
    many = clerk.post("/cycles/2024/excuses/bulk", {"items": [{"code": cast.code, "staff_no": cast.member}]})
    assert (many.status, house.state()) == (403, before)
    assert {house.as_("office").post(path, body).status for path, body in tried.items()} <= {200, 201, 409}


def test_whoever_filed_for_the_branch_and_is_in_the_office_now_neither_accepts_nor_returns_it(world: World) -> None:
    house, cast = world.house, world.house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        process = stand_at(session, process_of(session, 2024, cast.code), Stage.FILED)
        filed = {"trigger": Trigger.FILE, "source": Stage.REPORT, "target": Stage.FILED, "round": 1, "version": 1, "made_by": cast.deputy}
        session.add(StageChange(process_id=process.id, **filed, due_on=None, reason=None, late=False, made_at=NOW))
        session.execute(update(Appointment).where(Appointment.person_id == person(session, cast.deputy).id).values(ends_on=date(2024, 12, 1)))
    give(world, cast.deputy, Role.OFFICE)
    for trigger, more in ((Trigger.RETURN, {"to": "report", "reason": REASON, "due_on": "2025-02-01"}), (Trigger.ACCEPT, {})):
        seen = house.as_("office").get(cast.path).etag
        told = house.as_(cast.deputy).post(f"{cast.path}/moves", {"trigger": trigger, **more}, seen=seen)
        assert (told.status, told.body["detail"]) == (403, "这是您自己登记的，请他人办理")
    allowed = {
        who: {each["trigger"] for each in house.as_(who).get(f"{cast.path}/next").body["items"] if each["allowed"]} for who in (cast.deputy, "office")
    }
    assert allowed == {cast.deputy: set(), "office": {"accept", "return"}}
    assert house.as_("office").post(f"{cast.path}/moves", {"trigger": "accept"}, seen=seen).status == 201


@pytest.mark.parametrize("verb", ["confirm", "refuse"])
def test_an_excuse_that_the_office_entered_another_decides_on(world: World, verb: str) -> None:
    house, cast = world.house, world.house.a_branch()
    office, line = house.as_("office"), f"{cast.path}/roll/{cast.newcomer}"
    assert office.patch(line, {"excused_kind": "ill", "excused_reason": "住院"}, seen=office.get(line).etag).status == 200
    body = {"reason": REASON} if verb == "refuse" else {}
    told = office.post(f"{line}/{verb}", body)
    assert (told.status, told.body["detail"]) == (403, "这是您自己登记的，请他人办理")
    assert house.as_("committee").post(f"{line}/{verb}", body).status == 200


def test_what_somebody_entered_as_secretary_they_do_not_reject_later_and_a_plain_member_does(world: World) -> None:
    house, cast = world.house, world.house.a_branch()
    made = house.as_(cast.deputy).post(f"{cast.path}/study-sessions", {"held_on": "2024-12-19", "titles": []}).body["id"]
    with transaction(house.engine, actor="cli") as session:
        session.execute(update(Appointment).where(Appointment.person_id == person(session, cast.deputy).id).values(ends_on=date(2024, 12, 1)))
        leader = {"staff_no": cast.member, "branch": cast.code, "post": Post.GROUP_LEADER, "starts_on": date(2024, 1, 1)}
        appoint(session, leader, now=NOW)
    for who in (cast.deputy, cast.member):
        give(world, who, Role.OFFICE)
    told = house.as_(cast.deputy).post(f"{cast.path}/study-sessions/{made}/reject", {"reason": REASON})
    assert (told.status, told.body["detail"]) == (403, "这是您自己登记的，请他人办理")
    assert house.as_(cast.member).post(f"{cast.path}/study-sessions/{made}/reject", {"reason": REASON}).status == 200
