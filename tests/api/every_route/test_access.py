"""Access: every route for every role, and the readers of each field of a talk."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from api import ROUTES
from api.frame.routes import Route
from tests.support.servers import Cast
from tests.support.world import BRANCH_ROLES, ELSEWHERE, EVERYBODY, SCHOOL, World, address, ask
from workflow.foundation.vocabulary import Role
from workflow.people.access import ACCESS, JUDGED, Action


def expected(route: Route, who: str) -> int:
    """Give the status of an answer before the content of the request is read.

    422 stands for "let in", because each request carries an unknown parameter.
    """
    if route.action is None:
        return 422
    if who == "nobody":
        return 401
    roles = {Role(who)} if who in SCHOOL else BRANCH_ROLES["secretary"] if who == ELSEWHERE else BRANCH_ROLES[who]
    if not roles & ACCESS[route.action].keys():
        return 403
    if "session_id" in route.rule:
        return 422 if who == "office" else 404
    return 404 if who == ELSEWHERE and (route.of_branch or "substitute_id" in route.rule) else 422


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.rule}")
def test_every_route_answers_every_role_as_the_table_says(world: World, route: Route) -> None:
    before = unchanging(world)
    path = address(route, world.here, world.ids)
    answers = {who: ask(world, route, who, path, query="?unknown=1") for who in EVERYBODY}
    assert {who: status for who, (status, _) in answers.items()} == {who: expected(route, who) for who in EVERYBODY}
    for status, body in answers.values():
        assert {"type", "title", "status", "detail", "instance", "request_id"} <= body.keys(), body
        assert body["status"] == status
    assert unchanging(world) == before


def unchanging(world: World) -> dict[str, int]:
    """Count the rows of each table but of tries, which are counted before anything else."""
    return {table: count for table, count in world.house.state().items() if table != "attempt"}


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


OF_THE_COMMITTEE = {Action.MOVE_ASSESSMENT, Action.CONFIRM_DECISION, Action.MOVE, Action.WRITE_APPOINTMENTS, *JUDGED}
"""Acts of the school committee itself, and those it does where nobody of the office may.

It decides the result of an assessment; it judges what the office's own branches hand in.
"""


def test_the_auditor_changes_nothing_and_the_committee_only_judges() -> None:
    for route in ROUTES:
        if route.method != "GET" and route.action not in (None, Action.WRITE_SELF):
            assert Role.AUDITOR not in ACCESS[route.action], route.name
            assert (Role.COMMITTEE in ACCESS[route.action]) == (route.action in OF_THE_COMMITTEE), route.name


OF_ACCOUNTS = {Action.READ_ACCOUNTS, Action.WRITE_ACCOUNTS, Action.PRINT_SLIPS, Action.WRITE_TOKENS}
OF_ROLES = {Action.READ_APPOINTMENTS, Action.WRITE_APPOINTMENTS}
"""The roles of the school that the administrator gives (``tests/api/people/test_roles.py``)."""


def test_the_administrator_reads_and_writes_accounts_and_roles_alone() -> None:
    for action, roles in ACCESS.items():
        if Role.ADMINISTRATOR in roles and Role.MEMBER not in roles:
            assert action in OF_ACCOUNTS | OF_ROLES


# ── what is not yours answers like what does not exist ────────────────────────────────────────────────────────────────


def told(answer: tuple[int, dict[str, Any]], *numbers: str) -> str:
    """Write an answer without the parts that differ: its id, its address, the 学工号 in question."""
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
    "StudySessionSchema": {"form": "讨论"},
    "MakeUpSchema": {"staff_no": "w5", "on": "2024-12-19"},
    "TalkSchema": {"place": "会议室"},
    "SelfReviewSchema": {"submitted": True},
    "MeetingSchema": {"place": "会议室"},
    "TallySchema": {},
    "FollowUpSchema": {"due_on": "2025-01-10", "what": "帮助"},
    "DoneSchema": {"on": "2024-12-19"},
    "RecordMakeUpInBulk": {"items": [{"staff_no": "w5", "on": "2024-12-19"}]},
    "ReasonSchema": {"reason": "有误"},
    "ProblemSchema": {"text": "质量不高"},
    "MeasureSchema": {"text": "完善制度"},
    "ProgressSchema": {"state": "doing"},
    "CommentSchema": {"text": "建议明确到人"},
    "CommitmentSchema": {"text": "每周自学一次"},
    "PublicationSchema": {"place": "公示栏"},
    "FilingSchema": {"to": "学院党委"},
    "HelpPlanSchema": {"first_step": "谈心"},
    "ReviewSchema": {"on": "2024-12-19"},
    "DispositionCaseSchema": {"facts": "无故缺席"},
    "ClosingSchema": {"on": "2024-12-19", "result": "转好"},
    "StepSchema": {"step": "talk", "on": "2024-12-19"},
}
"""Bodies for each route of a record."""


@pytest.mark.parametrize("route", [route for route in OF_BRANCH if "record_id" in route.rule], ids=lambda route: f"{route.method} {route.rule}")
def test_a_record_of_another_branch_answers_like_one_that_does_not_exist(world: World, route: Route) -> None:
    body = BODIES[type(route.body).__name__] if route.body is not None else None
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
