"""Texts that show nothing, lines that turn around, and titles as people type them, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.builders import READING
from tests.support.servers import Cast, House

DISCIPLINE, WORK_RULES = READING


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def secretary(house: House, branch: Cast) -> Client:
    return house.as_(branch.secretary)


def a_study(branch: Cast, **fields: Any) -> dict[str, Any]:
    return {"held_on": "2024-12-19", "titles": list(READING), "present": branch.everybody, "exchange": "交流了体会", **fields}


NOTHING = {
    "zero-width": "\u200b\u200d\ufeff",
    "direction": "\u200e",
    "soft hyphen": "\u00ad",
    "Hangul filler": "\u3164",
    "half-width filler": "\uffa0",
    "Braille blank": "\u2800",
    "wide blanks": "\u3000\u2003",
    "tags": "\U000e0061\U000e007f",
    "joiner": "\u034f",
    "selector": "\ufe0f",
}


@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING)
def test_a_text_that_shows_nothing_is_empty(branch: Cast, secretary: Client, nothing: str) -> None:
    path = f"{branch.path}/study-sessions"
    for field in ("exchange", "form"):
        refused = secretary.post(path, a_study(branch, **{field: nothing}))
        assert (refused.status, refused.body["errors"]) == (422, {field: ["必须填写"]})
    assert secretary.post(path, a_study(branch, exchange=f"有{nothing}")).status == 201


@pytest.mark.parametrize("shown", ["无", "—", "1", "🙂", "𠮷", "ئۇ"])
def test_whatever_shows_is_a_text(branch: Cast, secretary: Client, shown: str) -> None:
    assert secretary.post(f"{branch.path}/study-sessions", a_study(branch, exchange=shown, form=shown)).status == 201


def test_minutes_that_show_nothing_are_no_minutes(branch: Cast, secretary: Client) -> None:
    body = {"purpose": "life", "form": "general", "held_on": "2024-12-19", "place": "\u200b", "minutes": "\u3164"}
    refused = secretary.post(f"{branch.path}/meetings", body)
    assert refused.status == 422
    assert refused.body["errors"] == {"place": ["必须填写"], "minutes": ["必须填写"]}


@pytest.mark.parametrize("control", ["\u202e", "\u202a", "\u2066", "\u2069", "\u200f", "\u061c"])
def test_a_line_does_not_turn_around(branch: Cast, secretary: Client, control: str) -> None:
    refused = secretary.post(f"{branch.path}/study-sessions", a_study(branch, form=f"书记{control}领学"))
    assert refused.status == 422
    assert refused.body["errors"] == {"form": ["含有改变文字方向的控制符，请删去后重新填写"]}
    titles = secretary.post(f"{branch.path}/study-sessions", a_study(branch, titles=[f"章{control}程"]))
    assert titles.body["errors"] == {"titles.0": ["含有改变文字方向的控制符，请删去后重新填写"]}


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\n", "\r"])
def test_a_line_is_one_line(branch: Cast, secretary: Client, separator: str) -> None:
    refused = secretary.post(f"{branch.path}/study-sessions", a_study(branch, form=f"领学{separator}讨论"))
    assert (refused.status, refused.body["errors"]) == (422, {"form": ["只能写一行"]})


# ── required titles ───────────────────────────────────────────────────────────────────────────────────────────────────


def lacking(client: Client, branch: Cast) -> set[str]:
    rows = client.get(f"{branch.path}/requirements?stage=study").body["items"]
    return {subject["id"] for row in rows if row["requirement"] == "required_titles_not_read" for subject in row["subjects"]}


@pytest.mark.parametrize(
    "typed",
    [
        "中国共产党支部工作条例(试行)",
        "《中国共产党支部工作条例(试行)》",
        "中国共产党支部工作条例 （试行）",
        "〈中国共产党支部工作条例（试行)〉",
        "中国共产党\u3000支部工作条例(试行 )",
    ],
)
def test_a_title_is_the_required_one_however_its_brackets_are_typed(branch: Cast, secretary: Client, typed: str) -> None:
    made = secretary.post(f"{branch.path}/study-sessions", a_study(branch, titles=[DISCIPLINE, typed]))
    assert (made.status, made.body["similar_titles"]) == (201, [])
    assert lacking(secretary, branch) == set()
    rows = secretary.get(f"{branch.path}/requirements?stage=study").body["items"]
    assert next(row["state"] for row in rows if row["requirement"] == "members_who_have_not_studied") == "met"


@pytest.mark.parametrize("typed", ["中国共产党支部工作条例", "支部工作条例", "中国共产党支部工作条列（试行）"])
def test_a_near_miss_is_answered_with_the_title_meant(branch: Cast, secretary: Client, typed: str) -> None:
    path = f"{branch.path}/study-sessions"
    made = secretary.post(path, a_study(branch, titles=[DISCIPLINE, typed]))
    similar = [{"title": typed, "required_title": WORK_RULES}]
    assert (made.status, made.body["similar_titles"]) == (201, similar)
    assert lacking(secretary, branch) == {WORK_RULES}
    assert secretary.get(path).body["items"][0]["similar_titles"] == similar
    mended = secretary.patch(f"{path}/{made.body['id']}", {"titles": [DISCIPLINE, WORK_RULES]}, seen=1)
    assert mended.body["similar_titles"] == []
    assert lacking(secretary, branch) == set()


@pytest.mark.parametrize(
    "titles",
    [[*READING, "中国共产党支部工作条例"], [*READING, "中国共产党章程"], [DISCIPLINE, "中国共产党章程"], [DISCIPLINE, "习近平关于党的建设论述摘编"]],
)
def test_another_title_is_taken_for_none(branch: Cast, secretary: Client, titles: list[str]) -> None:
    assert secretary.post(f"{branch.path}/study-sessions", a_study(branch, titles=titles)).body["similar_titles"] == []
