"""Old imports (旧表): what is shown first is applied once, and none that is older than the last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from api import ROUTES
from tests.api.conftest import Client
from tests.support.imports import upload as upload_roster
from tests.support.rosters import RosterBranch, a_roster
from tests.support.world import World
from tests.support.years.assessment_year import attendance_sheet, upload
from workflow.acts import ACTS

NEW = RosterBranch("E0901", "图书馆党支部", ("甲一", "甲二", "甲三", "甲四", "甲五"), {"甲一": "书记"})
ONLY = {"only_branches": [NEW.code]}


def rosters(world: World, office: Client) -> tuple[str, list[int]]:
    """Upload three rosters of one new branch, each with a member more."""
    grown = [RosterBranch(NEW.code, NEW.name, NEW.members[:count], NEW.posts) for count in (3, 4, 5)]
    return "/roster-imports", [int(upload_roster(office, a_roster([each])).body["id"]) for each in grown]


def sheets(world: World, office: Client) -> tuple[str, list[int]]:
    """Upload three attendance sheets of one activity."""
    made = office.post("/cycles/2024/activities", {"kind": "study", "name": "义务植树", "held_on": "2024-10-11"})
    path = f"/cycles/2024/activities/{made.body['id']}/attendance-imports"
    read = [upload(office, path, attendance_sheet([{"学工号": world.here.member, "出勤情况": each}])) for each in ("出勤", "缺勤", "请假")]
    return path, [int(each.body["id"]) for each in read]


Made = Callable[[World, Client], tuple[str, list[int]]]
IMPORTS: dict[str, tuple[Made, Any]] = {"preview_roster": (rosters, ONLY), "preview_attendance": (sheets, {})}
"""The acts that read a workbook first: how three are read, and what is sent to apply one."""


def test_every_workbook_that_is_read_first_is_walked_and_what_is_shown_first_otherwise_is_numbered() -> None:
    assert {act.name for act in ACTS if act.uploads is not None} == IMPORTS.keys()
    # A second amendment of one number is refused; an older one cannot move a day back.
    assert [route.act.name for route in ROUTES if route.preview and route.act] == ["amend_plan"]


@pytest.mark.parametrize("name", IMPORTS)
def test_one_is_applied_once_and_none_that_is_older_than_the_last(world: World, name: str) -> None:
    office = world.house.as_("office")
    make, body = IMPORTS[name]
    path, (first, second, third) = make(world, office)
    assert [office.post(f"{path}/{each}/apply", body).status for each in (first, third)] == [200, 200]
    before = world.house.state()
    for older in (first, second):
        refused = office.post(f"{path}/{older}/apply", body)
        assert refused.status == 409, refused.body
    assert "已经写入了更新的" in refused.body["detail"]
    assert office.post(f"{path}/{third}/apply", body).status in (200, 409)
    assert world.house.state() == before


def test_an_amendment_that_was_shown_is_written_once(world: World) -> None:
    office, path = world.house.as_("office"), "/cycles/2024/amendments"
    body = {"number": "校党发〔2024〕99号", "issued_on": "2024-12-19", "reason": "补充", "texts": {"K1": "可以视频谈话"}}
    before = world.house.state()
    assert office.post(f"{path}?preview=true", body).status == 200
    assert world.house.state() == before
    assert [office.post(path, body).status for _ in range(2)] == [201, 409]
