"""The rectification (整改): each measure is seen to answer a problem; the form and its archive."""

from __future__ import annotations

import re

from tests.api.pages.branch.conftest import Browsers, stand_at
from tests.support.servers import Cast, House
from workflow.foundation.vocabulary import Stage


def row_with(page: str, words: str) -> str:
    """Return the row of the table that holds these words."""
    return next(row for row in page.split('<div class="answer')[1:] if words in row)


def test_a_measure_stands_beside_the_problem_that_it_answers(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.RECTIFICATION)
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/rectification"
    for text in ("学习不够深入", "联系群众不够"):
        sent = browser.fill(f"/2024/{cast.code}/problems/new?next={path}", source="meeting", about="committee", text=text)
        assert sent.headers["Location"] == f"{path}?done=record_problem"
    page = browser.get(path).get_data(as_text=True)
    form = re.search(r'href="([^"]*/measures/new[^"]*)"', row_with(page, "学习不够深入"))
    assert form
    sent = browser.fill(form[1].replace("&amp;", "&"), text="每月集中学习一次", due_on="2025-06-30")
    assert sent.status_code == 303, sent.get_data(as_text=True)
    page = browser.get(path).get_data(as_text=True)
    assert "每月集中学习一次" in row_with(page, "学习不够深入")
    assert "每月集中学习一次" not in row_with(page, "联系群众不够")
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/measures").body["items"]
    problems = {row["id"]: row["text"] for row in house.as_(cast.secretary).get(f"{cast.path}/problems").body["items"]}
    assert [problems[number] for number in kept["problems"]] == ["学习不够深入"]


def test_a_commitment_answers_a_problem_of_the_ledger(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.RECTIFICATION)
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/rectification"
    made = house.as_(cast.secretary).post(f"{cast.path}/problems", {"source": "talk", "about": cast.member, "text": "自学不够"})
    page = browser.get(path).get_data(as_text=True)
    form = re.search(r'href="([^"]*/commitments/new[^"]*)"', row_with(page, "自学不够"))
    assert form
    assert browser.fill(form[1].replace("&amp;", "&"), text="每周自学一次", due_on="2025-06-30").status_code == 303
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/commitments").body["items"]
    assert (kept["staff_no"], kept["problem"]) == (cast.member, made.body["id"])
    after = browser.get(path).get_data(as_text=True)
    assert "每周自学一次" in row_with(after, "自学不够")
    assert f"commitments/new?staff_no={cast.newcomer}&amp;" in after
    assert f"commitments/new?staff_no={cast.member}&amp;next" not in after


def test_publication_and_filing_are_told_with_their_receipt(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.RECTIFICATION)
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/rectification"
    assert browser.fill(f"/2024/{cast.code}/publications/new?next={path}", **{"place": "学院公示栏", "from": "2024-12-19"}).status_code == 303
    assert browser.fill(f"/2024/{cast.code}/rectification-filings/new?next={path}", to="学院党委", sent_on="2024-12-19").status_code == 303
    page = browser.get(path).get_data(as_text=True)
    assert "学院公示栏" in page
    assert "等回执" in page


def test_the_form_shows_what_the_api_computes_and_takes_its_writer(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.REPORT)
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/form"
    body = house.as_(cast.secretary).get(f"{cast.path}/form").body
    page = browser.get(path).get_data(as_text=True)
    assert body["title"] in page
    assert f"<dt>党员总数</dt><dd>{body['basics']['total']}</dd>" in page
    assert all(each["text"] in page for each in body["checks"])
    assert "还没有写填表人" in page
    sent = browser.fill(f"{path}/edit?next={path}", prepared_by="王五", phone="8888 0101")
    assert sent.headers["Location"] == f"{path}?done=write_form"
    assert house.as_(cast.secretary).get(f"{cast.path}/form").body["prepared_by"] == "王五"
    after = browser.get(path).get_data(as_text=True)
    assert "填表人：王五" in after
    # What stands in the way of filing is told here too.
    assert "办完以上" in after


def test_the_archive_tells_each_paper(house: House, cast: Cast, as_: Browsers) -> None:
    body = house.as_(cast.secretary).get(f"{cast.path}/archive").body
    page = as_(cast.secretary).get(f"/2024/{cast.code}/archive").get_data(as_text=True)
    assert all(row["name"] in page for row in body["items"])
    assert f"还缺 {sum(not row['present'] for row in body['items'])} 项" in page


def test_last_years_measures_are_read(house: House, cast: Cast, as_: Browsers) -> None:
    text = house.as_(cast.secretary).get(f"{cast.path}/measures/last-year").body["text"]
    assert text in as_(cast.secretary).get(f"/2024/{cast.code}/measures/last-year").get_data(as_text=True)


def test_the_papers_of_another_branch_are_not_there(house: House, cast: Cast, as_: Browsers) -> None:
    other = house.a_branch()
    for noun in ("rectification", "form", "archive", "measures/last-year"):
        assert as_(other.secretary).get(f"/2024/{cast.code}/{noun}").status_code == 404
        assert as_(cast.member).get(f"/2024/{cast.code}/{noun}").status_code == 404
