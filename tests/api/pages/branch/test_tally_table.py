"""The tally as a table (计票单): two tellers, their differences, and no number of the other's."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.api.pages.branch.conftest import Browsers, stand_at
from tests.support.servers import Cast, House
from tests.support.years.branch_year import BranchYear
from workflow.foundation.vocabulary import Stage


@pytest.fixture
def year(house: House, cast: Cast) -> BranchYear:
    stand_at(house, cast, Stage.SELF_REVIEW)
    return BranchYear(house, cast.code, {})


def typed(year: BranchYear, subject: str) -> dict[str, str]:
    """Return the ballot as the cells of the table."""
    body: dict[str, Any] = year.ballot(subject)
    cells = {name: str(body[name]) for name in ("issued", "returned", "valid", "void")}
    comments = body["counts"].pop("comments", None)
    cells |= {f"counts.{line}.{name}": str(votes) for line, each in body["counts"].items() for name, votes in each.items()}
    return cells if comments is None else {**cells, "counts.comments": "\n".join(comments)}


@pytest.mark.parametrize("subject", ["committee", "members"])
def test_two_tellers_type_the_same_table_and_it_is_counted(house: House, cast: Cast, year: BranchYear, as_: Browsers, subject: str) -> None:
    path = f"/2024/{cast.code}/tallies/new?subject={subject}"
    for teller in year.tellers():
        sent = as_(teller).fill(path, **typed(year, subject))
        assert sent.status_code == 303, sent.get_data(as_text=True)
    (kept,) = house.as_("office").get(f"{cast.path}/tallies").body["items"]
    assert kept["counted_at"] is not None
    found = {line: votes if line == "comments" else {name: n for name, n in votes.items() if n} for line, votes in kept["counts"].items()}
    assert found == year.ballot(subject)["counts"]


def test_the_second_teller_learns_which_lines_differ_and_no_number(cast: Cast, year: BranchYear, as_: Browsers) -> None:
    first, second = year.tellers()
    cells, path = typed(year, "members"), f"/2024/{cast.code}/tallies/new?subject=members"
    many = {name: str(int(votes) + 700) if name in ("issued", "returned", "valid") else votes for name, votes in cells.items()}
    many |= {name: str(int(votes) + 700) for name, votes in cells.items() if name.endswith(".qualified")}
    assert as_(first).fill(path, **many).status_code == 303
    refused = as_(second).fill(path, **cells)
    page = refused.get_data(as_text=True)
    assert refused.status_code == 409
    assert "与另一名计票人的不一致" in page
    assert not re.search(r"\b70\d\b", page.partition("<main")[2])
    # What the second typed is all there.
    assert f'name="counts.{cast.member}.qualified" value="{cells[f"counts.{cast.member}.qualified"]}"' in page
    listed = as_(second).get(f"/2024/{cast.code}/tallies").get_data(as_text=True)
    assert "等第二名计票人" not in listed


def test_members_without_a_post_count_and_read_their_own_entry(house: House, cast: Cast, year: BranchYear, as_: Browsers) -> None:
    listed, path = f"/2024/{cast.code}/tallies", f"/2024/{cast.code}/tallies/new?subject=committee"
    assert as_(cast.member).fill(path, **typed(year, "committee")).status_code == 303
    assert "等第二名计票人" in as_(cast.member).get(listed).get_data(as_text=True)
    assert "等第二名计票人" not in as_(cast.newcomer).get(listed).get_data(as_text=True)
    assert as_(cast.newcomer).fill(path, **typed(year, "committee")).status_code == 303
    (kept,) = house.as_("office").get(f"{cast.path}/tallies").body["items"]
    assert kept["tellers"] == [cast.member, cast.newcomer]


def test_the_difference_of_each_row_is_named(cast: Cast, year: BranchYear, as_: Browsers) -> None:
    cells = typed(year, "members")
    cells[f"counts.{cast.member}.qualified"] = "1"
    refused = as_(year.tellers()[0]).fill(f"/2024/{cast.code}/tallies/new?subject=members", **cells)
    page = refused.get_data(as_text=True)
    assert refused.status_code == 422
    (row,) = re.findall(rf'<tr class="bad">.*?counts\.{cast.member}\.qualified.*?</tr>', page, re.DOTALL)
    assert re.search(r"<output>\d+，少 \d+ 票</output>", row)
    assert "应等于有效票" in row


def test_the_secretary_is_told_that_they_are_no_teller(house: House, cast: Cast, year: BranchYear, as_: Browsers) -> None:
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/tallies/new?subject=committee"
    assert "书记不担任计票人" in browser.get(path).get_data(as_text=True)
    before = house.state()
    refused = browser.fill(path, **typed(year, "committee"))
    assert refused.status_code == 403
    assert "书记不担任计票人" in refused.get_data(as_text=True)
    assert house.state() == before


def test_a_first_teller_corrects_their_own_entry(house: House, cast: Cast, year: BranchYear, as_: Browsers) -> None:
    browser, cells = as_(year.tellers()[0]), typed(year, "committee")
    assert browser.fill(f"/2024/{cast.code}/tallies/new?subject=committee", **cells).status_code == 303
    (kept,) = house.as_(year.tellers()[0]).get(f"{cast.path}/tallies").body["items"]
    sent = browser.fill(f"/2024/{cast.code}/tallies/{kept['id']}/edit", **{"counts.comments": "多听意见\n早些通知"})
    assert sent.status_code == 303, sent.get_data(as_text=True)
    (kept,) = house.as_(year.tellers()[0]).get(f"{cast.path}/tallies").body["items"]
    assert kept["counts"]["comments"] == ["多听意见", "早些通知"]
    assert kept["counts"]["work"] == year.ballot("committee")["counts"]["work"] | dict.fromkeys(("fair", "poor", "abstain"), 0)


def test_the_tallies_of_another_branch_are_not_there(house: House, cast: Cast, as_: Browsers) -> None:
    other = house.a_branch()
    assert as_(other.secretary).get(f"/2024/{cast.code}/tallies").status_code == 404
    assert as_(other.secretary).get(f"/2024/{cast.code}/tallies/new?subject=committee").status_code == 404
