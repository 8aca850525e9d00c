"""A branch walks through study and talks over HTTP: the product's main job, seen from outside."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import B, Client
from tests.support.builders import READING, STAFF_NO


def names(problem: dict[str, Any], clause: str) -> list[str]:
    return [subject["name"] for each in problem["unmet"] if each["clause"] == clause for subject in each["subjects"]]


def advance(client: Client) -> Any:
    version = client.get(B).body["version"]
    return client.post(f"{B}/moves", {"trigger": "advance"}, seen=version)


def test_a_branch_walks_from_study_to_self_review(secretary: Client, office: Client) -> None:
    refused = advance(secretary)
    assert refused.status == 409, refused.body
    assert names(refused.body, "E3") == [f"《{title}》" for title in sorted(READING)]
    assert sorted(names(refused.body, "E4")) == ["孙八", "张三", "李四", "王五", "钱七"]

    everybody = [STAFF_NO[name] for name in ("张三", "李四", "钱七", "王五", "孙八")]
    held = secretary.post(
        f"{B}/study-sessions", {"held_on": "2024-12-19", "titles": list(READING), "present": everybody, "exchange": "逐条交流了体会", "form": "领学"}
    )
    assert held.status == 201, held.body
    moved = advance(secretary)
    assert moved.status == 201, moved.body
    assert moved.body["stage"] == "talks"

    refused = advance(secretary)
    assert names(refused.body, "K2") == ["孙八", "王五"]
    assert len(names(refused.body, "K1")) == 3
    for talker, partner in (("张三", "王五"), ("张三", "孙八"), ("张三", "李四"), ("张三", "钱七"), ("李四", "钱七")):
        answer = secretary.post(
            f"{B}/talks",
            {"held_on": "2024-12-19", "talker": STAFF_NO[talker], "partner": STAFF_NO[partner], "focus": partner == "王五", "focus_reason": "新转入"},
        )
        assert answer.status == 201, answer.body
    moved = advance(secretary)
    assert moved.status == 201, moved.body
    assert moved.body["stage"] == "self_review"
    progress = office.get("/cycles/2024/progress").body
    assert progress["by_stage"]["self_review"] == 1
    assert progress["by_stage"]["study"] == 1
