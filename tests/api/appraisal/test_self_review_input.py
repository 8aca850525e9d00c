"""The self-review stage (组织生活会·述职评议) over HTTP: invalid input, repetitions at once, lists."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests.api.conftest import Client, Reply
from tests.support.servers import Cast, House
from tests.support.years.self_review_bodies import COLLECTIONS, ITEMS, a_branch_that_has_studied, made, sent, slug


@pytest.fixture
def branch(house: House) -> Cast:
    return a_branch_that_has_studied(house)


@pytest.fixture
def secretary(house: House, branch: Cast) -> Client:
    return house.as_(branch.secretary)


@pytest.fixture
def member(house: House, branch: Cast) -> Client:
    return house.as_(branch.member)


LONG = "长" * 100_000
WRONG: dict[str, list[tuple[dict[str, Any], list[str]]]] = {
    "self-reviews": [
        ({"aspects": {"A1": LONG, "A2": ["x"], "A3": "\0"}}, ["aspects.A1", "aspects.A2", "aspects.A3"]),
        ({"aspects": {"A9": "无", "A7": "无"}}, ["aspects.A7", "aspects.A9"]),
        ({"aspects": {"A1\0": "无", "A-very-long": "无"}}, ["aspects.A-very-long", "aspects.A1\0"]),
        ({"aspects": [["A1", "无"]]}, ["aspects"]),
        ({"level": "perfect"}, ["level"]),
        ({"level": {"qualified": True}}, ["level"]),
        ({"submitted": "true"}, ["submitted"]),
        ({"staff_no": "z6"}, ["staff_no"]),
        ({"staff_no": None}, ["staff_no"]),
    ],
    "meetings": [
        ({"minutes": LONG, "duty_report": LONG, "place": "一\n二"}, ["duty_report", "minutes", "place"]),
        ({"purpose": "party", "form": "online"}, ["form", "purpose"]),
        ({"held_on": "2024-12-17"}, ["held_on"]),
        ({"held_on": "2024-12-21"}, ["held_on"]),
        ({"form": "general"}, ["group"]),
        ({"recorder": None, "chair": "z6"}, ["chair"]),
        ({"present": [["z3"]], "absent": ["z3"]}, ["absent.0", "present.0"]),
        ({"absent": [{"reason": "出差"}]}, ["absent.0.staff_no"]),
        ({"criticisms": [{"speaker": "z3", "about": "z3", "matter": LONG, "blame": 1}]}, ["criticisms.0.blame", "criticisms.0.matter"]),
        ({"vote": {"yes": -1, "no": 2**63, "abstain": 0.5}}, ["vote.abstain", "vote.no", "vote.yes"]),
        ({"vote": {"yes": 4}}, ["vote"]),
        ({"vote": [3, 0, 0]}, ["vote"]),
    ],
    "tallies": [
        ({"subject": "everybody"}, ["subject"]),
        ({"issued": -1, "returned": 2**63, "valid": "6", "void": 0.5}, ["issued", "returned", "valid", "void"]),
        ({"issued": 5}, ["returned"]),
        ({"counts": None}, ["counts"]),
        ({"counts": [6]}, ["counts"]),
        (
            {"counts": {"work": {"good": -1}, "style": {"best": 6}, "overall": {"good": {"n": 6}}}},
            ["counts.overall.good", "counts.style.best", "counts.work.good"],
        ),
        ({"counts": {item: {"good": 6} for item in ITEMS} | {"comments": [LONG]}}, ["counts.comments.0"]),
        ({"subject": "members", "counts": {"nobody": {"qualified": 6}}}, ["counts"]),
        ({"subject": "members", "counts": {"z 3": {}, "z3": None}}, ["counts.z 3"]),
    ],
}


@pytest.mark.parametrize(("name", "changes", "fields"), [(name, *case) for name, cases in WRONG.items() for case in cases])
def test_what_nobody_should_send_is_refused_at_its_field_and_changes_nothing(
    house: House, branch: Cast, member: Client, secretary: Client, name: str, changes: dict[str, Any], fields: list[str]
) -> None:
    client, before = secretary if name == "meetings" else member, house.state()
    answer = sent(client, branch, name, **changes)
    assert answer.status == 422, answer.body
    assert sorted(answer.body["errors"]) == fields
    assert house.state() == before


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("tallies", b'{"subject": "committee", "issued": NaN}'),
        ("tallies", b'{"subject": "committee", "counts": {"work": 1, "work": 2}}'),
        ("self-reviews", b'{"aspects": ' + b'{"A1":' * 50_000 + b"1" + b"}" * 50_001),
        ("meetings", b'{"vote": {"yes": Infinity}}'),
    ],
)
def test_what_is_no_json_is_refused(house: House, branch: Cast, secretary: Client, name: str, body: bytes) -> None:
    before = house.state()
    headers = {"Authorization": f"Bearer {secretary.token}", "Content-Type": "application/json"}
    assert house.app.test_client().post(f"/api/v1{branch.path}/{name}", data=body, headers=headers).status_code == 400
    assert house.state() == before


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"absent": [{}]}, ["absent.0.staff_no"]),
        ({"criticisms": [{"matter": "迟到"}]}, ["criticisms.0.about", "criticisms.0.speaker"]),
        ({"vote": {"no": 1}}, ["vote.yes"]),
        ({"present": []}, []),
        ({"vote": {"yes": 3}}, []),
        ({"recorder": None, "absent": None}, []),
    ],
)
def test_a_change_sends_what_is_inside_whole(branch: Cast, secretary: Client, change: dict[str, Any], fields: list[str]) -> None:
    answer = secretary.patch(made(secretary, branch, "meetings"), change, seen=1)
    assert answer.status == (422 if fields else 200), answer.body
    assert sorted(answer.body.get("errors", {})) == fields


# ── twice at once, and lists ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["self-reviews", "tallies"])
def test_the_same_record_twice_at_once_is_made_once(house: House, branch: Cast, member: Client, name: str) -> None:
    barrier = Barrier(2)

    def send(_: int) -> Reply:
        client = Client(house.app.test_client(), member.token)
        barrier.wait()
        return sent(client, branch, name)

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(send, range(2)), key=lambda answer: answer.status)
    assert [answer.status for answer in answers] == [201, 409]
    assert slug(answers[1]) == "exists"
    assert len(member.get(f"{branch.path}/{name}").body["items"]) == 1


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_list_comes_page_by_page_with_what_was_taken_back(branch: Cast, member: Client, secretary: Client, name: str) -> None:
    client = secretary if name == "meetings" else member
    for _ in range(3):
        client.post(f"{made(client, branch, name)}/withdraw", {"reason": "重录"})
    whole = client.get(f"{branch.path}/{name}").body["items"]
    first = client.get(f"{branch.path}/{name}?limit=2").body
    rest = client.get(f"{branch.path}/{name}?limit=2&after={first['next']}").body
    assert (first["items"] + rest["items"], rest["next"]) == (whole, None)
    assert len(whole) == 3
    assert list(client.get(f"{branch.path}/{name}?stage=1").body["errors"]) == ["stage"]
