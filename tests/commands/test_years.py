"""``zhibu cycle``: a year is opened, read again, dropped, closed, reopened by commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from cli import main
from tests.support.builders import a_branch
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import CycleStatus
from workflow.year.finding import cycle_by_year
from workflow.year.plan_files import find_plan

PLAN = find_plan("2024", None)[1]


@pytest.fixture
def folder(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a data directory with the school's own plan, on a fresh database."""
    monkeypatch.setenv("ZHIBU_DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("ZHIBU_DATA_DIR", str(tmp_path))
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "ours.toml").write_text(PLAN, encoding="utf-8")
    return tmp_path


def cycle(*words: str) -> str:
    """Run ``zhibu cycle``; give the last line, with its exit code in front if it failed."""
    told = CliRunner().invoke(main, ["cycle", *words], catch_exceptions=False)
    return f"{told.exit_code or ''}{told.output.strip()}"


def opened(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_branch(session)
    assert cycle("open", "--plan", "ours", "--deadline", "report=2025-01-26", "--past-due-ok").splitlines()[-1].startswith("已建立2024年度（草稿）")


def test_a_draft_is_read_again_and_dropped(folder: Path, engine: Engine) -> None:
    opened(engine)
    (folder / "plans" / "ours.toml").write_text(PLAN.replace("XX学校2024年度", "滨江学院2024年度"), encoding="utf-8")
    assert cycle("reread", "2024").startswith("已重新读取方案：滨江学院2024年度")
    assert cycle("drop", "2024") == "已删除2024年度的草稿。"
    assert cycle("drop", "2024") == "1错误：没有2024年度"


def test_a_plan_is_amended_after_a_preview(folder: Path, engine: Engine) -> None:
    opened(engine)
    cycle("publish", "2024")
    notice = ("amend", "2024", "--number", "校党发〔2024〕9号", "--issued-on", "2024-12-10", "--reason", "市委组织部要求", "--add", "党章")
    reach = "涉及 1 个支部：须学习 1 个，只作提示 0 个；期限改变 0 个流程，随即发信 1 封。\n"
    assert cycle(*notice, "--text", "K2=可以视频谈话", "--preview") == f"{reach}只是预览，没有写入。"
    assert cycle(*notice, "--text", "K2=可以视频谈话") == f"{reach}已写入。"
    assert cycle(*notice, "--text", "K2=可以视频谈话").startswith("1错误：required_reading.add.0：《党章》已经是必读文件")
    assert "“报送”现在是 2025-01-26" in cycle(*notice[:-2], "--deadline", "report=2025-01-20")
    with transaction(engine, actor=None) as session:
        plan = cycle_by_year(session, 2024).plan
        assert plan["rules"]["required_reading"][-1] == "党章"
        assert plan["clauses"]["K2"].endswith("（校党发〔2024〕9号补充：可以视频谈话）")


def test_a_year_is_closed_with_a_reason_and_reopened(folder: Path, engine: Engine) -> None:
    opened(engine)
    cycle("publish", "2024")
    assert "1 个支部不是“已接收”：D0101党支部（集中学习）" in cycle("close", "2024")
    assert "须写明理由" in cycle("close", "2024", "--leave-open")
    assert cycle("close", "2024", "--leave-open", "--reason", "不再进行") == "2024年度已办结；下一年度发布以前，可以用 cycle reopen 重新启动。"
    assert cycle("reopen", "2024", "--reason", "补正") == "2024年度已重新启动。"
    with transaction(engine, actor=None) as session:
        found = cycle_by_year(session, 2024)
        assert (found.status, found.status_reason) == (CycleStatus.PUBLISHED, "补正")
