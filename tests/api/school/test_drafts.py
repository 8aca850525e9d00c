"""Drafts over HTTP: a plan read again from its file, a year opened by mistake and dropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.builders import DEADLINES, a_branch
from tests.support.servers import House
from tests.support.years.branch_year import an_empty_house, ok
from workflow.foundation.database import transaction
from workflow.year.plan_files import find_plan

DAYS = {stage.value: day.isoformat() for stage, day in DEADLINES.items()}
PLAN = find_plan("2024", None)[1]
YEAR = "/cycles/2024"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give the school's own plan of 2024, called 本校."""
    (tmp_path / "plans").mkdir()
    path = tmp_path / "plans" / "ours.toml"
    path.write_text(PLAN, encoding="utf-8")
    return path


@pytest.fixture
def house(superuser: str, template: str, file: Path) -> Iterator[House]:
    with an_empty_house(superuser, template, data_dir=file.parents[1]) as made:
        with transaction(made.engine, actor="cli") as session:
            a_branch(session)
        yield made


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


@pytest.fixture
def draft(office: Client) -> Any:
    return ok(office.post("/cycles", {"plan": "ours", "deadlines": DAYS}))


def test_a_draft_is_read_again_from_the_file_it_was_opened_from(office: Client, draft: Any, file: Path) -> None:
    file.write_text(PLAN.replace("《中国共产党纪律处分条例》", "《新条例》").replace('coverage = "default"', 'coverage = "strict"'), encoding="utf-8")
    again = ok(office.post(f"{YEAR}/reread"), 200)
    assert (draft["rules"]["coverage"], again["rules"]["coverage"]) == ("default", "strict")
    assert "《新条例》" in again["clauses"]["E3"]
    assert again["deadlines"] == draft["deadlines"]
    assert again["version"] == draft["version"] + 1
    assert office.get(YEAR).body == again


def test_a_plan_with_faults_or_of_another_year_leaves_the_draft_as_it_is(office: Client, draft: Any, file: Path) -> None:
    file.write_text(PLAN.replace("coverage =", "covers ="), encoding="utf-8")
    refused = office.post(f"{YEAR}/reread")
    assert (refused.status, "coverage" in refused.body["detail"]) == (422, True)
    file.write_text(PLAN.replace("year = 2024", "year = 2025"), encoding="utf-8")
    refused = office.post(f"{YEAR}/reread")
    assert (refused.status, refused.body["detail"]) == (422, "plan：方案 ours 现在写的是2025年度，不是2024年度")
    file.unlink()
    refused = office.post(f"{YEAR}/reread")
    assert (refused.status, list(refused.body["errors"])) == (422, ["plan"])
    assert office.get(YEAR).body == draft


def test_a_published_year_is_neither_read_again_nor_dropped(office: Client, draft: Any, file: Path) -> None:
    published = ok(office.post(f"{YEAR}/publish"), 200)
    file.write_text(PLAN.replace('coverage = "default"', 'coverage = "strict"'), encoding="utf-8")
    refused = office.post(f"{YEAR}/reread")
    assert (refused.status, refused.body["detail"]) == (409, "2024年度已发布，方案不能重新读取；要补充内容，请发补充通知")
    refused = office("DELETE", YEAR)
    assert (refused.status, refused.body["detail"]) == (409, "2024年度已发布，不能删除")
    assert office.get(YEAR).body == published


def test_a_draft_is_mended_in_its_file_not_by_an_amendment(office: Client, draft: Any) -> None:
    notice = {"number": "校党发〔2024〕9号", "issued_on": "2024-12-20", "reason": "补充", "texts": {"K2": "可以视频谈话"}}
    refused = office.post(f"{YEAR}/amendments", notice)
    assert (refused.status, refused.body["detail"]) == (409, "2024年度还是草稿：请直接改方案文件，再重新读取")
    assert office.get(YEAR).body == draft


def test_a_dropped_draft_is_gone_and_the_year_can_be_opened_anew(office: Client, draft: Any) -> None:
    assert office("DELETE", YEAR).status == 204
    assert office.get(YEAR).status == 404
    assert office.get("/cycles").body["items"] == []
    assert ok(office.post("/cycles", {"plan": "2024", "deadlines": DAYS}))["status"] == "draft"


def test_a_draft_with_something_recorded_in_it_is_not_dropped(office: Client, draft: Any) -> None:
    ok(office.post(f"{YEAR}/activities", {"kind": "study", "name": "主题党日", "held_on": "2024-10-10"}))
    refused = office("DELETE", YEAR)
    assert (refused.status, refused.body["detail"]) == (409, "2024年度已经有登记的内容（如集中活动），不能删除")
    assert office.get(YEAR).body == draft
