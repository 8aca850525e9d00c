"""Every way into the service that changes something is an act, and every act has its way in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from api import ROUTES
from tests.api.conftest import Client
from tests.support.servers import House, a_house
from workflow.acts import ACTS, OF_KIND, OF_SCHOOL
from workflow.foundation.database import transaction
from workflow.foundation.idempotency import KeptOutcome
from workflow.people.access import ACCESS

SAID = "只有当事人知道的一句话"


def test_each_route_that_changes_something_does_one_act_of_the_list_and_each_act_has_one_route() -> None:
    done = [route.act for route in ROUTES if route.method != "GET"]
    assert None not in done
    assert sorted(map(id, done)) == sorted(map(id, ACTS))


def test_a_route_takes_all_that_decides_of_its_act() -> None:
    for route in ROUTES:
        if route.act is not None:
            assert (route.action, route.kind, route.body) == (route.act.action, route.act.kind, route.act.sends), route.name
            assert ("<code>" in route.rule) == (route.act.kind is not None), route.name


def test_the_process_tells_each_kind_its_acts(superuser: str, template: str) -> None:
    with a_house(superuser, template) as house:
        told = house.as_("王五").get("/process").body
    for kind, acts in OF_KIND.items():
        assert [each["name"] for each in told["kinds"][kind.value]["acts"]] == [act.name for act in acts]
    assert [each["name"] for each in told["school"]["acts"]] == [act.name for act in OF_SCHOOL]
    by_name = {each["name"]: each for each in told["acts"]}
    talk = by_name["record_talk"]
    assert (talk["zh"], talk["stage"], talk["link"]) == ("登记谈心谈话", "talks", "talks")
    assert talk["who"] == sorted(ACCESS[next(act for act in ACTS if act.name == "record_talk").action])  # type: ignore[index]
    assert {"name": "held_on", "zh": "日期", "required": True}.items() <= next(each for each in talk["sends"] if each["name"] == "held_on").items()


# ── what is kept of an act that may be repeated ───────────────────────────────────────────────────────────────────────


def kept(house: House) -> list[KeptOutcome]:
    with transaction(house.engine, actor=None) as session:
        return list(session.scalars(select(KeptOutcome)))


def repeated(client: Client, path: str, body: Any) -> None:
    first, again = (client.post(path, body, **{"Idempotency-Key": path}) for _ in range(2))
    assert first.status in (200, 201), first.body
    assert (again.status, again.body, again.headers.get("Idempotent-Replayed")) == (first.status, first.body, "true")
    for name in ("ETag", "Location"):
        assert again.headers.get(name) == first.headers.get(name)


def test_of_a_repeated_act_the_outcome_is_kept_and_never_what_was_written(superuser: str, template: str) -> None:
    with a_house(superuser, template) as house:
        branch = house.a_branch()
        secretary, at = house.as_(branch.secretary), branch.path
        talk = {"held_on": "2024-12-19", "talker": branch.secretary, "partner": branch.member, "private_notes": SAID, "affirmed": SAID}
        repeated(secretary, f"{at}/talks", talk)
        repeated(secretary, f"{at}/problems", {"source": "meeting", "about": "committee", "text": SAID})
        repeated(secretary, f"{at}/waivers", {"requirement": "members_who_have_not_studied", "reason": SAID})
        repeated(house.as_("administrator"), "/accounts/invitations", {"branch": branch.code})
        rows = kept(house)
    assert len(rows) == 4
    assert [row.route for row in rows if SAID in str([row.rows, row.facts, row.route, row.sent])] == []
    assert {table for row in rows for table, *_ in row.rows} <= {"talk", "problem", "waiver", "person"}
    assert [row.facts for row in rows if row.route.endswith("invitations")] == [{"letters": 6}]


def test_a_repetition_shows_the_record_as_it_stands_under_the_version_of_then(superuser: str, template: str) -> None:
    """A change with that old version is refused, so the client learns of the change in between."""
    with a_house(superuser, template) as house:
        branch = house.a_branch()
        secretary = house.as_(branch.secretary)
        path, body = f"{branch.path}/problems", {"source": "meeting", "about": "committee", "text": "学习不深"}
        made = secretary.post(path, body, **{"Idempotency-Key": "p"})
        one = f"{path}/{made.body['id']}"
        assert secretary("PATCH", one, {"text": "学习不够深入"}, seen=1).status == 200
        again = secretary.post(path, body, **{"Idempotency-Key": "p"})
        assert (again.status, again.body["text"], again.headers["ETag"]) == (201, "学习不够深入", '"1"')
        assert secretary("PATCH", one, {"text": "别的"}, seen=1).status == 412
