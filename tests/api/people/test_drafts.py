"""Drafts of forms (草稿): one's own alone, whole, never written over unseen, gone after a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from schedulers.worker import forget_what_is_old
from tests.api.conftest import Client, Reply
from tests.support.servers import Cast, House
from workflow.acts import ACTS
from workflow.foundation.database import transaction
from workflow.foundation.history import History
from workflow.people.drafts import CHARACTERS, DRAFTS, FORMS, KEPT_FOR, Draft

TYPED = {"aspects.A1": "信念坚定\n  仍有不足", "level": ""}


@pytest.fixture
def cast(house: House) -> Cast:
    return house.a_branch()


def at(cast: Cast, act: str = "record_self_review") -> str:
    return f"/me/drafts/{act}/2024-{cast.code}"


def put(client: Client, cast: Cast, typed: dict[str, str], seen: int = 0) -> Reply:
    return client.put(at(cast), {"typed": typed}, seen=seen)


def age(house: House, by: timedelta) -> None:
    with transaction(house.engine, actor="cli") as session:
        session.execute(update(Draft).values(saved_at=Draft.saved_at - by))


def test_a_draft_is_kept_whole_and_read_by_nobody_else(house: House, cast: Cast) -> None:
    member, secretary = house.as_(cast.member), house.as_(cast.secretary)
    assert member.get(at(cast)).status == 404
    kept = put(member, cast, TYPED)
    assert (kept.status, kept.body["typed"], kept.etag) == (200, TYPED, '"1"')
    assert member.get(at(cast)).body == kept.body
    assert secretary.get(at(cast)).status == 404
    assert house.as_("office").get(at(cast)).status == 403
    assert put(member, cast, {"aspects.A1": "改过"}, seen=1).body["typed"] == {"aspects.A1": "改过"}
    assert member("DELETE", at(cast)).status == 204
    assert member.get(at(cast)).status == 404
    assert member("DELETE", at(cast)).status == 404


def test_another_device_is_not_written_over_unseen(house: House, cast: Cast) -> None:
    member = house.as_(cast.member)
    assert member.put(at(cast), {"typed": TYPED}).status == 428
    assert put(member, cast, TYPED).status == 200
    late = put(member, cast, {"aspects.A1": "另一台设备"}, seen=0)
    assert (late.status, late.body["version"]) == (412, 1)
    assert member.get(at(cast)).body["typed"] == TYPED


def test_only_forms_that_keep_one_have_a_draft_and_none_is_endless(house: House, cast: Cast) -> None:
    member = house.as_(cast.member)
    assert member.put(at(cast, "sign_in"), {"typed": TYPED}, seen=0).status == 404
    assert member.put("/me/drafts/record_self_review/2024.X", {"typed": TYPED}, seen=0).status == 404
    many = {f"aspects.A{number}": "字" * 20_000 for number in range(CHARACTERS // 20_000)}
    assert put(member, cast, many).status == 422
    assert {act.name for act in ACTS} >= FORMS


def test_nobody_fills_the_school_with_drafts(house: House, cast: Cast) -> None:
    member = house.as_(cast.newcomer)
    answers = [member.put(f"/me/drafts/amend_meeting/2024-{cast.code}-{number}", {"typed": {}}, seen=0).status for number in range(DRAFTS + 1)]
    assert answers == [200] * DRAFTS + [409]


def test_a_draft_is_no_record_and_leaves_no_trace(house: House, cast: Cast) -> None:
    def traces() -> int:
        with transaction(house.engine, actor=None) as session:
            return session.scalar(select(func.count()).select_from(History)) or 0

    member = house.as_(cast.member)
    before = traces()
    put(member, cast, TYPED)
    member("DELETE", at(cast))
    assert traces() == before


def test_an_old_draft_is_shown_no_more_and_forgotten_by_the_worker(house: House, cast: Cast) -> None:
    member = house.as_(cast.member)
    put(member, cast, TYPED)
    age(house, KEPT_FOR - timedelta(minutes=1))
    assert member.get(at(cast)).status == 200
    age(house, timedelta(minutes=2))
    assert member.get(at(cast)).status == 404
    assert put(member, cast, {"level": "qualified"}).status == 200, "the old one makes room"
    age(house, KEPT_FOR + timedelta(minutes=1))
    with transaction(house.engine, actor="worker") as session:
        forget_what_is_old(session)
        assert session.scalar(select(func.count()).select_from(Draft)) == 0
