"""The ratings as a table (评定意见): many saved at once, told at once, and acknowledged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.pages.branch.conftest import Browsers, stand_at
from tests.support.records.rating import a_counted_ballot
from tests.support.running.browsing import form_in
from tests.support.servers import Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.finding import process_of


@pytest.fixture
def branch(house: House, cast: Cast) -> Cast:
    with transaction(house.engine, actor="cli") as session:
        a_counted_ballot(session, process_of(session, 2024, cast.code), {cast.member: {"excellent": 5, "abstain": 1}})
    stand_at(house, cast, Stage.RATING)
    return cast


def row_of(form: dict[str, list[str]], who: str) -> str:
    """Return the place of a member's row: ``items.3``."""
    return next(name.removesuffix(".staff_no?") for name, values in form.items() if name.endswith(".staff_no?") and values == [who])


def ratings(house: House, branch: Cast) -> dict[str, Any]:
    return {row["staff_no"]: row for row in house.as_(branch.secretary).get(f"{branch.path}/ratings").body["items"]}


def test_the_rows_that_are_filled_in_are_saved_at_once(house: House, branch: Cast, as_: Browsers) -> None:
    browser, path = as_(branch.secretary), f"/2024/{branch.code}/ratings"
    page = browser.get(path).get_data(as_text=True)
    assert "优秀 三分之二以上" in page
    form = form_in(page, f"{path}/bulk")
    first, second = row_of(form, branch.member), row_of(form, branch.newcomer)
    typed = {f"{first}.level": "excellent", f"{first}.opinion": "履行职责较好", f"{second}.level": "qualified", f"{second}.opinion": "按时参加"}
    sent = browser.http.post(f"{path}/bulk", data={**form, **typed})
    assert (sent.status_code, sent.headers["Location"]) == (303, f"{path}?done=record_rating_in_bulk")
    found = ratings(house, branch)
    assert {who: (row["level"], row["opinion"]) for who, row in found.items()} == {
        branch.member: ("excellent", "履行职责较好"),
        branch.newcomer: ("qualified", "按时参加"),
    }
    after = browser.get(path).get_data(as_text=True)
    assert "优秀 <b data-excellent>1</b> / 1 名" in after
    assert "已评 2 / 6 名" in after


def test_a_wrong_row_is_told_in_its_row_and_nothing_is_saved(house: House, branch: Cast, as_: Browsers) -> None:
    browser, path = as_(branch.secretary), f"/2024/{branch.code}/ratings"
    form = form_in(browser.get(path).get_data(as_text=True), f"{path}/bulk")
    first, second = row_of(form, branch.deputy), row_of(form, branch.newcomer)
    typed = {f"{first}.level": "qualified", f"{second}.level": "qualified", f"{second}.not_rated_reason": "出国", f"{second}.opinion": "按时参加"}
    refused = browser.http.post(f"{path}/bulk", data={**form, **typed})
    page = refused.get_data(as_text=True)
    assert refused.status_code == 422
    assert page.count('<tr class="bad">') == 1
    assert "评定等次和不评定等次的原因只能填一项" in page
    again = form_in(page)
    assert again[f"{second}.opinion"] == ["按时参加"]
    assert again[f"{second}.level"] == ["qualified"]
    assert ratings(house, branch) == {}


def test_many_are_told_at_once_and_each_acknowledges(house: House, branch: Cast, as_: Browsers) -> None:
    secretary, path = house.as_(branch.secretary), f"/2024/{branch.code}/ratings"
    for who in (branch.member, branch.newcomer, branch.deputy):
        assert secretary.post(f"{branch.path}/ratings", {"staff_no": who, "level": "qualified", "opinion": "按时参加"}).status == 201
    browser = as_(branch.secretary)
    form = form_in(browser.get(path).get_data(as_text=True), f"{path}/feedback/bulk")
    told = {"items.0.staff_no": branch.member, "items.2.staff_no": branch.newcomer, "items.*.given_on": "2024-12-19", "items.*.way": "face"}
    sent = browser.http.post(f"{path}/feedback/bulk", data={**form, **told})
    assert sent.status_code == 303, sent.get_data(as_text=True)
    found = ratings(house, branch)
    assert {who for who, row in found.items() if row["feedback"]} == {branch.member, branch.newcomer}
    assert found[branch.member]["feedback"] == {"given_on": "2024-12-19", "way": "face"}
    member = as_(branch.member)
    assert "按时参加" in member.get(path).get_data(as_text=True)
    assert member.fill(f"{path}/{branch.member}/acknowledge?next={path}", remark="同意").status_code == 303
    assert "您已确认知悉" in member.get(path).get_data(as_text=True)
    assert "已知悉" in browser.get(path).get_data(as_text=True)


def test_nobody_ticked_is_refused_with_what_was_typed(branch: Cast, house: House, as_: Browsers) -> None:
    made = house.as_(branch.secretary).post(f"{branch.path}/ratings", {"staff_no": branch.member, "level": "qualified", "opinion": "按时参加"})
    assert made.status == 201
    browser, path = as_(branch.secretary), f"/2024/{branch.code}/ratings"
    form = form_in(browser.get(path).get_data(as_text=True), f"{path}/feedback/bulk")
    refused = browser.http.post(f"{path}/feedback/bulk", data={**form, "items.*.given_on": "2024-12-19", "items.*.way": "face"})
    assert refused.status_code == 422


def test_the_ratings_of_another_branch_are_not_there(house: House, branch: Cast, as_: Browsers) -> None:
    other = house.a_branch()
    assert as_(other.secretary).get(f"/2024/{branch.code}/ratings").status_code == 404
    assert as_(other.secretary).get(f"/2024/{branch.code}/ratings/bulk").status_code == 404
