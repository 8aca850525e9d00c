"""The own matters (我的事项): cards, forms that ask no name, what is done, what the branch shows."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support.builders import NOW
from tests.support.records.evidence import stand_at
from tests.support.running.browsing import Visitor, visitor
from tests.support.servers import Cast, House
from tests.support.years.self_review_bodies import a_branch_that_has_studied, a_meeting
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.finding import process_of

Look = Callable[[str], Visitor]


@pytest.fixture
def cast(house: House) -> Cast:
    house.clock.now = NOW
    return house.a_branch()


@pytest.fixture
def as_(house: House) -> Look:
    return lambda who: visitor(house.engine, house.app, who)


def bring_to(house: House, cast: Cast, stage: Stage) -> None:
    with transaction(house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, cast.code), stage)


def own(browser: Visitor) -> str:
    return browser.get("/me").get_data(as_text=True)


def button(page: str, title: str) -> str:
    """Return the address of the button on the card with a title."""
    found = re.search(rf"<h2>{title}</h2>.*?href=\"([^\"]+)\"", page, re.S)
    assert found is not None, page
    return found[1].replace("&amp;", "&")


def number_of(address: str) -> str:
    """Return the number of the record in the address of its form."""
    return address.partition("?")[0].split("/")[-2]


def test_a_member_writes_their_self_review_from_the_card_and_is_not_asked_who_they_are(house: House, cast: Cast, as_: Look) -> None:
    bring_to(house, cast, Stage.SELF_REVIEW)
    browser = as_(cast.member)
    page = own(browser)
    assert "还有 1 件事要办" in page
    assert "对照 6 个方面" in page
    at = button(page, "写自评")
    form = browser.get(at).get_data(as_text=True)
    assert "理想信念" in form
    assert "是否具有坚定的共产主义理想" in form
    assert re.search(r'<input type="hidden" name="staff_no" value="' + cast.member, form)
    assert "自评党员的学工号" not in form
    sent = browser.fill(at, aspects__A1="信念坚定，仍有不足", submitted="false")
    assert (sent.status_code, sent.headers["Location"]) == (303, "/me?done=record_self_review")
    page = own(browser)
    assert "已写 1 / 6 个方面，还没有提交" in page
    at = button(page, "写自评")
    again = browser.form(at)
    assert again["aspects.A1"] == ["信念坚定，仍有不足"]
    sent = browser.fill(at, aspects__A2="落实到本职工作", submitted="true")
    assert sent.headers["Location"] == "/me?done=amend_self_review"
    page = own(browser)
    assert "个人自评，已提交" in page
    assert "还有 1 件事要办" in page
    assert browser.fill(button(page, "补全自评"), **{f"aspects__A{number}": "能够做到" for number in range(3, 7)}).status_code == 303
    assert "现在没有要办的事" in own(browser)
    shown = browser.get(f"/2024/{cast.code}/self-reviews/{number_of(at)}").get_data(as_text=True)
    assert "<dt>理想信念</dt>" in shown
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/self-reviews").body["items"]
    assert (kept["staff_no"], kept["submitted"], sorted(kept["aspects"])) == (cast.member, True, ["A1", "A2", "A3", "A4", "A5", "A6"])


def test_a_secretary_still_chooses_whose_paper_it_is(house: House, cast: Cast, as_: Look) -> None:
    bring_to(house, cast, Stage.SELF_REVIEW)
    browser = as_(cast.secretary)
    asked = browser.get(f"/2024/{cast.code}/self-reviews/new").get_data(as_text=True)
    assert "自评党员的学工号" in asked
    mine = browser.get(button(own(browser), "写自评")).get_data(as_text=True)
    assert "自评党员的学工号" not in mine
    rating = browser.get(f"/2024/{cast.code}/ratings/new?staff_no={cast.secretary}").get_data(as_text=True)
    assert "评定谁" in rating, "that is written of others too"


def test_a_recorder_reads_the_minutes_where_they_confirm_them(house: House, as_: Look) -> None:
    cast = a_branch_that_has_studied(house)
    bring_to(house, cast, Stage.SELF_REVIEW)
    assert house.as_(cast.secretary).post(f"{cast.path}/meetings", {**a_meeting(cast), "minutes": "逐项进行，发言踊跃"}).status == 201
    browser = as_(cast.member)
    page = own(browser)
    assert "2024年12月19日组织生活会，您是记录人" in page
    at = button(page, "确认会议记录")
    assert "逐项进行，发言踊跃" in browser.get(at).get_data(as_text=True)
    assert browser.fill(at).headers["Location"] == "/me?done=confirm_minutes"
    assert "确认会议记录</h2>" not in own(browser)


def test_a_member_promises_and_is_told_so(house: House, cast: Cast, as_: Look) -> None:
    bring_to(house, cast, Stage.RECTIFICATION)
    browser = as_(cast.member)
    sent = browser.fill(button(own(browser), "作出整改承诺"), problem="学习不够深入", text="每周自学一次", due_on="2025-06-30")
    assert sent.status_code == 303
    page = own(browser)
    assert "整改承诺：每周自学一次（2025年6月30日前）" in page
    assert "<h2>作出整改承诺</h2>" not in page


def test_measures_of_the_branch_take_comments_once_they_are_published(house: House, cast: Cast, as_: Look) -> None:
    bring_to(house, cast, Stage.RECTIFICATION)
    secretary = house.as_(cast.secretary)
    made = secretary.post(f"{cast.path}/measures", {"text": "完善三会一课制度", "owner": cast.secretary, "due_on": "2025-06-30"})
    browser = as_(cast.member)
    assert "完善三会一课制度" not in own(browser)
    notice = {"place": "学院公示栏", "from": "2024-12-19", "to": "2024-12-26"}
    assert secretary.post(f"{cast.path}/publications", notice).status == 201
    page = own(browser)
    assert "完善三会一课制度" in page
    at = f"/2024/{cast.code}/measures/{made.body['id']}/comments/new"
    assert f"{at}?next=/me" in page
    assert browser.fill(f"{at}?next=/me", text="建议每月公布一次").status_code == 303


def test_what_waits_for_a_post_is_counted_apart_with_the_way_to_its_desk(house: House, cast: Cast, as_: Look) -> None:
    page = own(as_(cast.secretary))
    assert re.search(r"职务上还有 \d+ 项要办", page)
    assert f'href="/2024/{cast.code}"' in page
    assert "职务上" not in own(as_(cast.member))
