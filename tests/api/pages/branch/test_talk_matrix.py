"""The talk matrix (谈话对照表): each pair's cell, and the form it opens."""

from __future__ import annotations

import re

from tests.api.pages.branch.conftest import Browsers
from tests.support.servers import Cast, House


def cells(page: str) -> dict[str, str]:
    """Return the state of each cell by its words."""
    found = re.findall(r'<td class="(\w+)"><(?:a href="[^"]*" )?(?:span )?title="([^"：]+)：', page)
    return {names: state for state, names in found}


def test_a_pair_is_missing_until_its_talk_is_held(house: House, cast: Cast, as_: Browsers) -> None:
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/talks"
    page = browser.get(path).get_data(as_text=True)
    name = {row["staff_no"]: row["name"] for row in house.as_(cast.secretary).get(f"{cast.path}/roll").body["items"]}
    pair, member = f"{name[cast.secretary]}—{name[cast.deputy]}", f"{name[cast.secretary]}—{name[cast.member]}"
    assert cells(page)[pair] == "missing"
    assert cells(page)[member] == "any"
    form = re.search(rf'href="({path}/new\?talker={cast.secretary}&amp;partner={cast.deputy}[^"]*)"', page)
    assert form
    sent = browser.fill(form[1].replace("&amp;", "&"), held_on="2024-12-19")
    assert sent.headers["Location"] == f"{path}?done=record_talk"
    after = browser.get(path).get_data(as_text=True)
    assert cells(after)[pair] == "held"
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/talks").body["items"]
    assert (kept["talker"], kept["partner"]) == (cast.secretary, cast.deputy)
    assert f'href="{path}/{kept["id"]}"' in after


def test_a_reason_is_told_apart_from_a_talk(house: House, cast: Cast, as_: Browsers) -> None:
    given = {"requirement": "members_nobody_talked_with", "subjects": [cast.member], "reason": "在境外访学，返校后补谈"}
    assert house.as_(cast.secretary).post(f"{cast.path}/waivers", given).status == 201
    page = as_(cast.secretary).get(f"/2024/{cast.code}/talks").get_data(as_text=True)
    name = {row["staff_no"]: row["name"] for row in house.as_(cast.secretary).get(f"{cast.path}/roll").body["items"]}
    found = cells(page)
    assert found[f"{name[cast.secretary]}—{name[cast.member]}"] == "waived"
    assert found[f"{name[cast.secretary]}—{name[cast.newcomer]}"] == "any"


def test_a_committee_member_opens_the_talks_they_lead(cast: Cast, as_: Browsers) -> None:
    page = as_(cast.organiser).get(f"/2024/{cast.code}/talks").get_data(as_text=True)
    assert f"talker={cast.organiser}&amp;partner={cast.member}" in page
    assert f"talker={cast.secretary}&amp;" not in page


def test_a_member_sees_their_own_talks_and_no_matrix(house: House, cast: Cast, as_: Browsers) -> None:
    talk = {"held_on": "2024-12-19", "talker": cast.secretary, "partner": cast.member}
    assert house.as_(cast.secretary).post(f"{cast.path}/talks", talk).status == 201
    page = as_(cast.member).get(f"/2024/{cast.code}/talks")
    assert page.status_code == 200
    assert "data-grid" not in page.get_data(as_text=True)
    assert "谈话记录" in page.get_data(as_text=True)
    assert "谈话记录</h2>" not in as_(cast.newcomer).get(f"/2024/{cast.code}/talks").get_data(as_text=True)


def test_the_matrix_of_another_branch_is_not_there(house: House, cast: Cast, as_: Browsers) -> None:
    other = house.a_branch()
    assert as_(other.secretary).get(f"/2024/{cast.code}/talks").status_code == 404
