"""Results of branches in the plan's own words, and the vote of the committee, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from tests.api.conftest import Client, Reply
from tests.support.servers import YEAR, Cast, House

WORDS = {"excellent": "优秀", "good": "良好", "qualified": "合格", "poor": "较差", "none": "不定等次"}


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def office(house: House) -> Iterator[Client]:
    """The office; a decision that it entered and that still waits is withdrawn."""
    client = house.as_("office")
    yield client
    for row in client.get(f"{YEAR}/decisions").body["items"]:
        if row["confirmed_at"] is None and row["withdrawn"] is None:
            client.post(f"{YEAR}/decisions/{row['id']}/withdraw", {"reason": "试填"})


def enter(client: Client, branch: Cast, result: str, *, reason: str | None = None, **fields: Any) -> Reply:
    came = {"attendees": ["office", "committee"], "due": 3}
    given = {"result": result, **({"reason": reason} if reason else {})}
    body = {"held_on": "2024-12-19", "number": f"{branch.code}号", **came, "results": {branch.code: given}, **fields}
    return client.post(f"{YEAR}/decision", body)


@pytest.mark.parametrize("result", WORDS)
def test_a_decision_takes_the_results_of_the_plan_and_answers_their_words(office: Client, branch: Cast, result: str) -> None:
    made = enter(office, branch, result, reason="新成立")
    assert made.status == 201, made.body
    one = made.body["results"][branch.code]
    assert (one["result"], one["word"], one["reason"]) == (result, WORDS[result], "新成立")
    assert [each["code"] for each in made.body["excellent"]] == ([branch.code] if result == "excellent" else [])


@pytest.mark.parametrize("result", ["basic", "unqualified", "优秀", "best"])
def test_the_levels_of_members_are_no_results_of_a_branch(office: Client, branch: Cast, result: str) -> None:
    refused = enter(office, branch, result)
    assert refused.status == 422
    (message,) = refused.body["errors"][f"results.{branch.code}.result"]
    assert message == "本年度方案的考核等次为 excellent（优秀）、good（良好）、qualified（合格）、poor（较差）、none（不定等次） 之一"


def test_no_result_has_its_reason(office: Client, branch: Cast) -> None:
    refused = enter(office, branch, "none")
    assert (refused.status, refused.body["errors"]) == (422, {f"results.{branch.code}.reason": ["不定等次的，须写明理由"]})
    assert enter(office, branch, "none", reason="今年九月成立").status == 201


def test_a_result_of_before_keeps_its_word(house: House, office: Client, branch: Cast) -> None:
    made = enter(office, branch, "qualified")
    with house.engine.begin() as connection:
        connection.execute(text("select set_config('zhibu.actor', 'cli', true)"))
        connection.execute(text("update decision_result set result = 'basic' where decision_id = :id"), {"id": made.body["id"]})
    one = office.get(f"{YEAR}/decisions/{made.body['id']}").body["results"][branch.code]
    assert (one["result"], one["word"]) == ("basic", "基本合格")


def test_the_year_tells_its_results(office: Client) -> None:
    assert {each["key"]: each["word"] for each in office.get(YEAR).body["rules"]["branch_results"]} == WORDS


# ── the vote ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_decision_records_its_vote(office: Client, branch: Cast) -> None:
    made = enter(office, branch, "good", vote={"yes": 1, "abstain": 1})
    assert (made.status, made.body["vote"]) == (201, {"yes": 1, "no": 0, "abstain": 1})
    assert office.get(f"{YEAR}/decision").body["vote"] == made.body["vote"]


def test_more_votes_than_people_are_refused(office: Client, branch: Cast) -> None:
    refused = enter(office, branch, "good", vote={"yes": 2, "no": 1})
    assert (refused.status, refused.body["errors"]) == (422, {"vote": ["赞成、反对、弃权合计 3 票，多于到会的 2 人（R5）"]})


@pytest.mark.parametrize(("vote", "state"), [(None, "unmet"), ({"yes": 2}, "met")])
def test_a_decision_without_its_vote_is_a_sign(office: Client, branch: Cast, vote: dict[str, int] | None, state: str) -> None:
    sent: dict[str, Any] = {"vote": vote} if vote else {}
    assert enter(office, branch, "good", **sent).status == 201
    rows = office.get(f"{YEAR}/assessments/{branch.code}/requirements?stage=proposed").body["items"]
    (row,) = [each for each in rows if each["requirement"] == "decision_without_its_vote"]
    assert (row["severity"], row["state"]) == ("sign", state)
