"""Days that bite (期限): inherited ones over HTTP, and days that are over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.api.conftest import Client, Reply
from tests.support.builders import DEADLINES, NOW
from tests.support.servers import YEAR, Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import WORKING_STAGES, Kind, Stage
from workflow.year.deadlines import change_deadlines
from workflow.year.finding import cycle_by_year

OVER = "2024-12-19"
"""The day before the tests' own."""
BEFORE_THE_REPORT = WORKING_STAGES[Kind.APPRAISAL][:-1]
NOT_ADDED = "请注明“期限已过也照办”（past_due_ok）"


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> Iterator[None]:
    house.clock.now = NOW
    yield
    house.clock.now = NOW


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


def change(office: Client, **body: Any) -> Reply:
    return office.patch(YEAR, body, seen=office.get(YEAR).etag)


def typed(office: Client, days: Mapping[Stage, date | None]) -> None:
    """Store days as the office typed them: over HTTP a day can be moved, not taken back."""
    with transaction(office.http.application.extensions["zhibu"].engine, actor="cli") as session:
        cycle = cycle_by_year(session, 2024)
        change_deadlines(session, cycle, days, seen=cycle.version, now=NOW)


def refused(answer: Reply, field: str) -> bool:
    return answer.status == 422 and list(answer.body["errors"]) == [field] and NOT_ADDED in answer.body["errors"][field][0]


def test_with_the_days_of_the_report_alone_a_branch_in_study_is_overdue_on_27_january(house: House, office: Client, branch: Cast) -> None:
    typed(office, dict.fromkeys(BEFORE_THE_REPORT))
    try:
        days = office.get(YEAR).body["days"]
        assert [days["study"], days["report"]] == [{"day": "2025-01-26", "typed_for": "report"}] * 2
        assert office.get(branch.path).body["due_on"] == "2025-01-26"
        overdue = f"{YEAR}/branches?overdue=true&q={branch.code}"
        house.clock.now = datetime(2025, 1, 26, 15, 59, tzinfo=UTC)
        assert office.get(overdue).body["items"] == []
        house.clock.now = datetime(2025, 1, 26, 16, 0, tzinfo=UTC)
        assert [each["stage"] for each in office.get(overdue).body["items"]] == ["study"]
        assert office.get(f"{YEAR}/progress", **{"Cache-Control": "no-cache"}).body["overdue"] > 0
    finally:
        typed(office, {stage: DEADLINES[stage] for stage in BEFORE_THE_REPORT})


def test_a_day_that_is_over_is_refused_in_a_new_year(office: Client) -> None:
    body = {"plan": "2024", "deadlines": {"study": OVER, "report": "2025-01-26"}}
    assert refused(office.post("/cycles", body), "deadlines.study")
    assert office.post("/cycles", {**body, "past_due_ok": True}).body["type"].endswith("exists")


def test_a_day_that_is_over_is_refused_in_a_changed_year(office: Client) -> None:
    before = office.get(YEAR)
    assert refused(change(office, deadlines={"study": OVER}), "deadlines.study")
    assert office.get(YEAR).body == before.body
    assert change(office, deadlines={"study": OVER}, past_due_ok=True).body["deadlines"]["study"] == OVER
    # A day that stays as it is was not written now.
    assert change(office, deadlines={"study": OVER, "talks": "2025-01-02"}).status == 200
    days = {stage: before.body["deadlines"][stage] for stage in ("study", "talks")}
    assert change(office, deadlines=days).status == 200


def test_a_day_that_is_over_is_refused_in_a_return_and_an_extension(office: Client, branch: Cast) -> None:
    extension = {"stage": "study", "due_on": OVER, "reason": "考试周"}
    assert refused(office.post(f"{branch.path}/extensions", extension), "due_on")
    move = {"trigger": "return", "to": "study", "reason": "没有学完", "due_on": OVER}
    assert refused(office.post(f"{branch.path}/moves", move, seen=1), "due_on")


def test_an_extension_beyond_the_reports_day_names_it(office: Client, branch: Cast) -> None:
    answer = office.post(f"{branch.path}/extensions", {"stage": "study", "due_on": "2025-02-10", "reason": "寒假"})
    assert (answer.status, answer.body["errors"]) == (422, {"due_on": ["不能晚于“报送”的期限 2025-01-26，请先延长“报送”"]})
