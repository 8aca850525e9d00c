"""Pages × roles: what the API shows somebody the page shows, and what it refuses is not there."""

from __future__ import annotations

import re

import pytest

from api import ROUTES
from api.pages.frame.addresses import Deed, deeds_of, filled, page_of, readings_of
from api.pages.records import schema_of
from tests.support.running.browsing import Visitor, visitor, written
from tests.support.servers import Cast
from tests.support.world import ELSEWHERE, EVERYBODY, SCHOOL, World, address, client_of

READINGS = readings_of(ROUTES)
DEEDS = deeds_of(ROUTES, READINGS)


def names_of(rule: str, cast: Cast, world: World) -> dict[str, str]:
    """Return a value for each name in a rule."""
    route = next(route for route in ROUTES if route.rule == rule)
    values = re.findall(r"[^/]+", address(route, cast, world.ids))
    return {part.rpartition(":")[2].strip("<>"): value for part, value in zip(re.findall(r"[^/]+", rule), values, strict=True) if "<" in part}


def as_(world: World, who: str) -> Visitor:
    if who == "nobody":
        return visitor(world.house.engine, world.house.app, None)
    name = who if who in SCHOOL else world.there.secretary if who == ELSEWHERE else getattr(world.here, who)
    return visitor(world.house.engine, world.house.app, name)


@pytest.fixture(scope="module")
def visitors(world: World) -> dict[str, Visitor]:
    return {who: as_(world, who) for who in EVERYBODY}


def test_a_page_shows_a_record_to_whom_the_api_shows_it(world: World, visitors: dict[str, Visitor]) -> None:
    wrong = {}
    for route in READINGS.values():
        if schema_of(route) is None:
            continue
        page = filled(page_of(route.rule), names_of(route.rule, world.here, world))
        for who, browser in visitors.items():
            found = browser.get(page).status_code
            api = 401 if who == "nobody" else client_of(world, who).get(address(route, world.here, world.ids)).status
            expected = {200: 200, 401: 303}.get(api, 404)
            if found != expected:
                wrong[f"{who} {page}"] = (api, found)
    assert wrong == {}


def test_an_act_has_its_page_for_whom_may_do_it_and_for_nobody_else(world: World, visitors: dict[str, Visitor]) -> None:
    """Ask for the form of every act. Whether there is something to do it to, is seen on sending."""
    wrong, shown = {}, dict.fromkeys(EVERYBODY, 0)
    for deed in DEEDS:
        page = filled(deed.rule, names_of(deed.route.rule, world.here, world))
        for who, browser in visitors.items():
            found = browser.get(page).status_code
            allowed = who != "nobody" and lets_in(deed, who, world)
            if found not in ({303} if who == "nobody" else {200, 404} if allowed else {404}):
                wrong[f"{who} {page}"] = found
            shown[who] += found == 200
    assert wrong == {}
    assert {who: count > 0 for who, count in shown.items()} == {who: who != "nobody" for who in EVERYBODY}
    assert shown["secretary"] > 60
    assert shown["office"] > 40


def lets_in(deed: Deed, who: str, world: World) -> bool:
    """Tell whether the API lets somebody in to an act, by asking with an unknown parameter."""
    path = f"/api/v1{address(deed.route, world.here, world.ids)}?unknown=1"
    headers = {"Authorization": f"Bearer {client_of(world, who).token}", "If-Match": '"1"'}
    answer = world.house.app.test_client().open(path, method=deed.route.method, json={}, headers=headers)
    return answer.status_code not in (403, 404)


def test_a_form_that_may_not_be_sent_changes_nothing(world: World, visitors: dict[str, Visitor]) -> None:
    """Send every form as everybody without the token that proves it ours."""
    before = written(world.house)
    for deed in DEEDS:
        page = filled(deed.rule, names_of(deed.route.rule, world.here, world))
        for who in ("office", "secretary", "nobody"):
            assert visitors[who].send(page, {}).status_code in (303, 403), (who, page)
    assert written(world.house) == before
