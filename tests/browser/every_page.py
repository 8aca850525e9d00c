"""Every page of the product (全部页面): its address in a school that has a record of every sort."""

from __future__ import annotations

from collections.abc import Iterator

from werkzeug.routing import Rule

from api.frame.address import SHORTER
from api.pages import PAGES
from tests.support.running.browsing import Visitor, visitor
from tests.support.servers import House
from tests.support.world import World, records

ROLES = (None, "member", "secretary", "office", "committee", "administrator")
"""Those who look: a derived page is shown to the first who may see it, a desk to each of them."""
LONGER = {short: whole for whole, short in SHORTER.items()}
NO_SUCH_PAGE = "/no/such/page"


def a_full_world(house: House) -> World:
    """Make two branches with a record of every sort."""
    here, there = house.a_branch(), house.a_branch()
    return World(house, here, there, records(house, here), records(house, there))


def visitors_of(world: World) -> dict[str | None, Visitor]:
    """Sign in one person for each role."""
    return {role: visitor(world.house.engine, world.house.app, who(world, role)) for role in ROLES}


def who(world: World, role: str | None) -> str | None:
    """Return the 学工号 or the name of somebody with a role."""
    return getattr(world.here, role) if role in ("member", "secretary") else role


def every_page(world: World) -> Iterator[tuple[str | None, str]]:
    """Find a role and an address for each page that is there for somebody."""
    looking = visitors_of(world)
    own = {page.rule for page in PAGES}
    for rule in world.house.app.url_map.iter_rules():
        if not rule.endpoint.startswith("page ") or "GET" not in (rule.methods or ()):
            continue
        address = _filled(rule, world)
        seen = [role for role, browser in looking.items() if browser.get(address).status_code == 200]
        yield from ((role, address) for role in (seen if rule.rule in own else seen[:1]))
    yield None, NO_SUCH_PAGE


def _filled(rule: Rule, world: World) -> str:
    """Fill the names of a rule with what there is in the school."""
    values = {**world.ids, "year": 2024, "day": "2025-01-26", "code": world.here.code, "staff_no": world.here.member, "stage": "self_review"}
    parts: list[str] = []
    for part in rule.rule.split("/"):
        name = part.rpartition(":")[2].strip("<>")
        known = world.ids.get(LONGER.get(parts[-1], parts[-1]), 1) if name == "record_id" else values.get(name, 1)
        parts.append(str(known) if part.startswith("<") else part)
    return "/".join(parts)
