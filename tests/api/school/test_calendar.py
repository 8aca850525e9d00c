"""The working calendar over the API: everyone reads it, the office alone sets a day."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client
from workflow.foundation.calendar import Source


def all_days(client: Client, year: int) -> dict[str, dict[str, Any]]:
    """Read every day of a year, page by page."""
    found, after = [], ""
    while True:
        page = client.get(f"/calendar?year={year}&limit=200{after}").body
        found += page["items"]
        if page["next"] is None:
            return {item["day"]: item for item in found}
        after = f"&after={page['next']}"


def test_a_member_reads_each_day_of_the_year_and_why(sign_in: Any) -> None:
    days = all_days(sign_in("王五"), 2025)
    assert len(days) == 365
    assert days["2025-01-26"] == {"day": "2025-01-26", "working": True, "source": Source.OFFICIAL, "note": "春节调休上班"}
    assert days["2025-01-28"]["note"] == "春节"


def test_a_year_that_is_not_announced_says_so(office: Client) -> None:
    assert [office.get(f"/calendar?year={year}").body["known"] for year in (2025, 2031)] == [True, False]


def test_the_office_sets_a_day_sets_it_anew_and_takes_it_back(office: Client) -> None:
    first = office("PUT", "/calendar/2025-01-20", {"working": False, "note": "寒假"})
    assert (first.status, first.body) == (200, {"day": "2025-01-20", "working": False, "source": "office", "note": "寒假"})
    assert office("PUT", "/calendar/2025-01-20", {"working": False}).body["note"] is None
    assert all_days(office, 2025)["2025-01-20"]["source"] == "office"
    assert office("DELETE", "/calendar/2025-01-20").status == 204
    assert all_days(office, 2025)["2025-01-20"]["source"] == "weekend"
    assert office("DELETE", "/calendar/2025-01-20").status == 404


@pytest.mark.parametrize("who", ["张三", "王五", "auditor", "committee", "administrator"])
def test_nobody_else_sets_a_day(sign_in: Any, who: str) -> None:
    assert sign_in(who)("PUT", "/calendar/2025-01-20", {"working": False}).status == 403
    assert sign_in(who)("DELETE", "/calendar/2025-01-20").status == 403


@pytest.mark.parametrize("day", ["2025-02-30", "20250120", "2025-1-2", "3000-01-01", "1899-12-31", "２０２５-01-20", "today"])
def test_what_is_no_day_is_not_there(office: Client, day: str) -> None:
    assert office("PUT", f"/calendar/{day}", {"working": False}).status == 404
    assert office("DELETE", f"/calendar/{day}").status == 404


@pytest.mark.parametrize("body", [{}, {"working": 1}, {"working": "false"}, {"working": True, "note": "两\n行"}, {"working": True, "days": 3}])
def test_a_day_wants_true_or_false_and_one_line(office: Client, body: dict[str, Any]) -> None:
    assert office("PUT", "/calendar/2025-01-20", body).status == 422


@pytest.mark.parametrize("query", ["", "?year=1899", "?year=3000", "?year=x", "?year=2025&after=xyz", "?year=2025&month=1"])
def test_a_year_must_be_named_and_be_one(office: Client, query: str) -> None:
    assert office.get(f"/calendar{query}").status == 422
