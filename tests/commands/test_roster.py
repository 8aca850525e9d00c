"""The command that imports a roster: what it prints, and what must be said before it stores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

import cli
from tests.support.imports import of_branch, rows_without
from tests.support.rosters import a_roster, a_workbook, school_branches
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.vocabulary import local_day, utc_now
from workflow.people.organisation import Person

SCHOOL = school_branches(2, 40)
ONE_BRANCH = a_workbook(*of_branch("D0101", SCHOOL))
GONE = SCHOOL[1].members[10:13]

Import = Callable[..., Result]


@pytest.fixture
def importing(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """Import a workbook by the command, in Chinese, into a school of two branches."""
    monkeypatch.setenv("ZHIBU_LANG", "zh")

    def run(content: bytes, *words: str) -> Result:
        file = tmp_path / "名册.xlsx"
        file.write_bytes(content)
        environment = {"ZHIBU_DATABASE_URL": database_url.replace("+psycopg", ""), "ZHIBU_DATA_DIR": str(tmp_path)}
        return CliRunner(env=environment).invoke(cli.main, ["roster", "import", str(file), *words])

    assert run(a_roster(SCHOOL), "--apply").exit_code == 0
    return run


@pytest.fixture
def members(database_url: str) -> Callable[[], int]:
    def count() -> int:
        engine = engine_for(database_url)
        with transaction(engine, actor=None) as session:
            number = session.scalar(select(func.count()).where(Person.branch_id.is_not(None)))
        engine.dispose()
        return number or 0

    return count


def test_a_file_of_one_branch_is_stored_only_as_such_or_with_the_number(importing: Import, members: Callable[[], int]) -> None:
    for words in ((), ("--apply",)):
        refused = importing(ONE_BRANCH, *words)
        assert refused.exit_code == 1
        assert "错误\t党员学工号\t现有 40 名党员中有 20 名不在表中（50%）" in refused.output
        assert "确已离开的加 --gone 20；表中只有部分支部的，用 --only-branch 指明" in refused.output
    assert members() == 40
    assert "没有变化" in importing(ONE_BRANCH, "--only-branch", "D0101").output
    stored = importing(ONE_BRANCH, "--apply", "--only-branch", "D0101")
    assert (stored.exit_code, "没有变化" in stored.output, "不在名册上了" in stored.output, "错误" in stored.output) == (0, True, False, False)
    assert members() == 40
    assert importing(ONE_BRANCH, "--apply", "--gone", "19").exit_code == 1
    assert members() == 40
    assert importing(ONE_BRANCH, "--apply", "--gone", "20").exit_code == 0
    assert members() == 20


def test_posts_and_people_are_printed_by_name(importing: Import) -> None:
    secretary = SCHOOL[0].members[0]
    printed = importing(rows_without(SCHOOL, *GONE, secretary), "--gone", "4").output.splitlines()
    assert [line for line in printed if line.startswith(("新任", "结束"))] == [f"结束：{secretary} D0101 书记，至 {yesterday()}"]
    assert [line for line in printed if line.startswith("不在名册上了")][1:] == [f"不在名册上了：{name}（D0102）" for name in GONE]


def yesterday() -> str:
    return str(local_day(utc_now()) - timedelta(days=1))


def test_an_unknown_branch_is_named(importing: Import) -> None:
    refused = importing(ONE_BRANCH, "--apply", "--only-branch", "D0999")
    assert (refused.exit_code, "D0999" in refused.output) == (1, True)


def test_a_roster_that_changes_nothing_says_so_and_one_that_does_says_what_was_done(importing: Import) -> None:
    same = "没有变化：名册与系统里的一致。"
    assert [importing(a_roster(SCHOOL), *words).output.splitlines()[-1] for words in ((), ("--apply",))] == [same, same]
    fewer = rows_without(SCHOOL, GONE[0])
    assert importing(fewer, "--gone", "1").output.splitlines()[-1] == "核对完毕，没有写入；加 --apply 写入。"
    assert importing(fewer, "--gone", "1", "--apply").output.splitlines()[-1] == "已写入。"
