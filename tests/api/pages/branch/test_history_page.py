"""The history (历史) as sentences: who did what to whom, and what stays untold."""

from __future__ import annotations

import re

from tests.api.pages.branch.conftest import Browsers, stand_at
from tests.support.servers import Cast, House
from workflow.foundation.vocabulary import Stage


def sentences(page: str) -> list[str]:
    """Return the sentences of the page, the newest first."""
    return [re.sub(r"<[^>]+>", " ", each).strip() for each in re.findall(r"</time><span>(.*?)</span></li>", page, re.DOTALL)]


def test_a_talk_is_told_with_both_and_its_correction_by_fields(house: House, cast: Cast, as_: Browsers) -> None:
    secretary = house.as_(cast.secretary)
    made = secretary.post(f"{cast.path}/talks", {"held_on": "2024-12-19", "talker": cast.secretary, "partner": cast.member, "affirmed": "学习认真"})
    assert secretary.patch(f"{cast.path}/talks/{made.body['id']}", {"place": "图书馆"}, seen=1).status == 200
    assert secretary.post(f"{cast.path}/talks/{made.body['id']}/withdraw", {"reason": "登记错了"}).status == 200
    page = as_(cast.secretary).get(f"/2024/{cast.code}/history").get_data(as_text=True)
    pair = f"{cast.secretary}—{cast.member}"
    assert sentences(page)[:3] == [
        f"{cast.secretary} 撤回了谈心谈话：{pair} 登记错了",
        f"{cast.secretary} 更正了谈心谈话：{pair}（地点）",
        f"{cast.secretary} 登记了谈心谈话：{pair}",
    ]
    assert "学习认真" not in page


def test_the_same_act_on_many_is_one_sentence(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.RECTIFICATION)
    for who in (cast.member, cast.newcomer):
        made = house.as_(cast.secretary).post(f"{cast.path}/commitments", {"staff_no": who, "text": "每周自学", "due_on": "2025-06-30"})
        assert made.status == 201
    page = as_(cast.secretary).get(f"/2024/{cast.code}/history").get_data(as_text=True)
    assert sentences(page)[0] == f"{cast.secretary} 登记了整改承诺：{cast.member}、{cast.newcomer}"


def test_the_api_lists_the_newest_first_on_demand(house: House, cast: Cast) -> None:
    secretary = house.as_(cast.secretary)
    assert secretary.post(f"{cast.path}/talks", {"held_on": "2024-12-19", "talker": cast.secretary, "partner": cast.member}).status == 201
    forward = [row["id"] for row in secretary.get(f"{cast.path}/history?limit=200").body["items"]]
    first = secretary.get(f"{cast.path}/history?newest=true&limit=2").body
    rest = secretary.get(f"{cast.path}/history?newest=true&limit=200&after={first['next']}").body
    assert [row["id"] for row in (*first["items"], *rest["items"])] == forward[::-1]


def test_the_history_of_another_branch_is_not_there(house: House, cast: Cast, as_: Browsers) -> None:
    other = house.a_branch()
    assert as_(other.secretary).get(f"/2024/{cast.code}/history").status_code == 404
