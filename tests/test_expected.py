"""Roles, severities, waivers and the actions of routes agree with the written tables.

It reads ``tests/expected`` and the declarations, and needs no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from api import ROUTES
from api.frame.openapi import path_of
from api.frame.routes import Route
from workflow.foundation.vocabulary import SCHOOL_ROLES, Post, Role
from workflow.machine.asked import BY_NAME, HOLDERS
from workflow.people.access import ACCESS, ROLES_OF_POST, Scope
from workflow.rules.requirement import Requirement

TABLES = Path(__file__).parent / "expected"
NONE = "-"


def table(name: str) -> list[dict[str, str]]:
    """Read the rows of a written table, by the names in its first line."""
    lines = (TABLES / name).read_text(encoding="utf-8").splitlines()
    first, *rows = (line.split() for line in lines)
    return [dict(zip(first, row, strict=True)) for row in rows]


def test_each_requirement_weighs_asks_and_is_waived_as_it_is_written() -> None:
    rows = table("requirements.txt")
    written = {row["requirement"]: row for row in rows}
    assert written == {name: _as_written(each) for name, each in BY_NAME.items()}
    assert len(written) == len(rows), "a requirement stands in two lines"


def _as_written(each: Requirement) -> dict[str, str]:
    own_stage_alone = each.asked_from is each.stage is each.asked_until
    return {
        "requirement": each.name,
        "clause": each.clause,
        "stage": each.stage.value,
        "severity": each.severity.value,
        "todo_for": each.todo_for.value,
        "waivable": ":".join(filter(None, (each.waivable.value, each.approval_setting))),
        "asked": NONE if own_stage_alone else f"{each.asked_from}..{each.asked_until}",
    }


def test_each_role_reaches_as_far_as_it_is_written() -> None:
    written = {row.pop("action"): row for row in table("access.txt")}
    assert written == {action.value: _reach_of(roles) for action, roles in ACCESS.items()}


def _reach_of(roles: Mapping[Role, Scope]) -> dict[str, str]:
    return {role.value: roles[role].value if role in roles else NONE for role in Role}


def test_each_route_asks_for_the_action_that_is_written() -> None:
    written = {(row["method"], row["address"]): row["action"] for row in table("routes.txt")}
    declared = {(each.method, path_of(each.rule)): _action_of(each) for each in ROUTES}
    assert written == declared


def _action_of(route: Route) -> str:
    return NONE if route.action is None else route.action.value


def test_each_post_gives_the_roles_that_are_written() -> None:
    leading = (Role.SECRETARY, Role.COMMITTEE_MEMBER, Role.MEMBER)
    assert {
        Post.SECRETARY: leading,
        Post.DEPUTY: leading,
        Post.COMMITTEE_MEMBER: (Role.COMMITTEE_MEMBER, Role.MEMBER),
        Post.GROUP_LEADER: (Role.MEMBER,),
    } == ROLES_OF_POST


def test_every_role_that_must_act_stands_on_a_roll_or_in_the_school() -> None:
    assert {Role.SECRETARY, Role.COMMITTEE_MEMBER, Role.MEMBER} == set(HOLDERS)
    assert {each.todo_for for each in BY_NAME.values()} <= {*HOLDERS, *SCHOOL_ROLES}
