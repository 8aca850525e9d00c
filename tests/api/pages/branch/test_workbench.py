"""The workbench (工作台): each thing that is missing has the way to supply it."""

from __future__ import annotations

import re

from tests.api.pages.branch.conftest import Browsers, stand_at
from tests.support.servers import Cast, House
from workflow.foundation.vocabulary import Stage


def test_a_missing_pair_opens_the_form_and_comes_back(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.TALKS)
    browser, path = as_(cast.secretary), f"/2024/{cast.code}"
    page = browser.get(path).get_data(as_text=True)
    link = re.search(rf'href="({path}/talks/new\?talker=[^"]*{cast.deputy}[^"]*)"', page)
    assert link
    sent = browser.fill(link[1].replace("&amp;", "&"), held_on="2024-12-19")
    assert sent.headers["Location"] == f"{path}?done=record_talk"
    after = browser.get(path).get_data(as_text=True)
    assert link[1] not in after
    assert "登记了谈心谈话" in after


def test_the_missing_focus_talk_is_led_by_the_secretary(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.TALKS)
    page = as_(cast.secretary).get(f"/2024/{cast.code}").get_data(as_text=True)
    assert f"talks/new?talker={cast.secretary}&amp;next" in page
    assert f"talks/new?partner={cast.member}&amp;next" in page


def test_a_missing_title_is_ticked_in_the_form(house: House, cast: Cast, as_: Browsers) -> None:
    browser, path = as_(cast.secretary), f"/2024/{cast.code}"
    page = browser.get(path).get_data(as_text=True)
    title = house.as_(cast.secretary).get("/cycles/2024").body["rules"]["required_reading"][0]
    link = next(link for link, name in re.findall(r'<li><a href="([^"]*)">([^<]*)</a></li>', page) if name == f"《{title}》")
    form = browser.form(link.replace("&amp;", "&"))
    assert form["titles"] == ["", title, ""]
    sent = browser.fill(link.replace("&amp;", "&"), held_on="2024-12-19", titles=["", title, "支部自选材料\n另一份"])
    assert sent.status_code == 303, sent.get_data(as_text=True)
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/study-sessions").body["items"]
    assert kept["titles"] == [title, "支部自选材料", "另一份"]
    # A member who missed the reading is ticked as present.
    missed = next(link for link, _ in re.findall(r'<li><a href="([^"]*)">([^<]*)</a></li>', page) if f"present={cast.member}" in link)
    assert browser.form(missed.replace("&amp;", "&"))["present"] == ["", cast.member]


def test_the_ratings_that_are_missing_lead_to_their_table(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.RATING)
    page = as_(cast.secretary).get(f"/2024/{cast.code}").get_data(as_text=True)
    assert f'href="/2024/{cast.code}/ratings">打开评定意见表' in page
    assert "/ratings/new" not in page


def test_what_can_be_done_ahead_is_folded(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.TALKS)
    page = as_(cast.secretary).get(f"/2024/{cast.code}").get_data(as_text=True)
    assert "可以先做的" in page
    rows = house.as_(cast.secretary).get(f"{cast.path}/requirements?stage=self_review").body["items"]
    unmet = [row for row in rows if row["state"] == "unmet" and row["severity"] != "sign"]
    assert f"可以先做的（{len(unmet)}）" in page
    # Who does not lead the branch is not told to do it.
    assert "可以先做的" not in as_(cast.organiser).get(f"/2024/{cast.code}").get_data(as_text=True)
