"""``zhibu plan``: all faults at once, and the differences between two plans."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from handbook import plan_key_table
from workflow.machine.asked import CLAUSES
from workflow.year.plan import Plan, Rules
from workflow.year.plan_changes import plan_changes
from workflow.year.plan_files import find_plan, read_plan
from workflow.year.plan_values import Part

OF_2024 = find_plan("2024", None)[1]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plan", *map(str, arguments)])


@pytest.fixture
def next_year(tmp_path: Path) -> Path:
    """Make a plan of 2025 without K7, with one sign more and another ratio."""
    text = OF_2024.replace("year = 2024", "year = 2025").replace('ratio = "1/4"', 'ratio = "1/3"')
    text = re.sub(r"^K7 = .*\n", "", text, flags=re.MULTILINE)
    text = text.replace('    "逃避推脱组织安排的任务",\n', '    "逃避推脱组织安排的任务",\n    "长期不参加组织生活",\n')
    file = tmp_path / "2025.toml"
    file.write_text(f'{text}\n[not_asked]\nK7 = "方案没有这一句"\n', encoding="utf-8")
    return file


def test_a_plan_without_a_fault_is_told_with_what_it_does_not_ask(next_year: Path) -> None:
    told = run("check", next_year)
    assert (told.exit_code, told.output.splitlines()[1:]) == (0, ["条款 74 条；不要求 1 条（K7）", "没有错误。"])


def test_a_file_that_is_called_after_another_year_is_told(next_year: Path) -> None:
    wrong = next_year.rename(next_year.with_name("2031.toml"))
    year = re.search(r"(?m)^year = (\d+)", wrong.read_text(encoding="utf-8"))
    assert year is not None
    assert f"请核对：文件名是 2031，方案里的年度是 {year[1]}，会开成{year[1]}年度。" in run("check", wrong).output.splitlines()


def test_a_stage_that_is_passed_through_is_named(tmp_path: Path) -> None:
    dropped = "\n".join(f'K{number} = "不要求"' for number in range(1, 8))
    file = tmp_path / "p.toml"
    file.write_text(f"{OF_2024}\n[not_asked]\n{dropped}\n", encoding="utf-8")
    assert "跳过的环节：谈心谈话\n" in run("check", file).output


def test_every_fault_has_its_line_and_the_command_fails(next_year: Path) -> None:
    text = next_year.read_text(encoding="utf-8").replace('rounding = "down"', 'rounding = "off"\nspeed = 3').replace('K7 = "方案', 'P1 = "方案')
    next_year.write_text(text, encoding="utf-8")
    told = run("check", next_year)
    assert told.exit_code == 1
    assert [line.partition("：")[0] for line in told.output.splitlines()] == [
        "quota.rounding",
        "quota.speed",
        "clauses.K7",
        "not_asked.P1",
        "错误",
    ]


def test_the_difference_of_two_plans_is_told_key_by_key(next_year: Path) -> None:
    told = run("diff", "2024", next_year)
    assert (told.exit_code, sorted(told.output.splitlines())) == (
        0,
        sorted(
            [
                "改  year：2024 → 2025",
                "改  quota.ratio：1/4 → 1/3",
                "增  warning_signs.signs[长期不参加组织生活]：长期不参加组织生活",
                "删  clauses.K7：表达组织关怀，做好心理疏导，针对思想实际给予帮助和引导。",
                "增  not_asked.K7：方案没有这一句",
                "共 5 处不同。",
            ]
        ),
    )
    assert run("diff", "2024", "2024").output == "两份方案相同。\n"


def test_an_entry_that_stands_elsewhere_in_its_list_is_no_difference() -> None:
    plan = read_plan(OF_2024, CLAUSES, name="2024.toml")
    assert plan_changes(plan, plan.model_copy(update={"aspects": plan.aspects[::-1], "agenda": plan.agenda[::-1]})) == []


def test_a_plan_that_is_not_there_is_told_with_those_that_are() -> None:
    told = run("check", "2031")
    assert (told.exit_code, told.output) == (1, "错误：没有这个方案；现有方案：2024\n")


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

SHOWN_WHOLE = {"year", "title", "guiding_text", "theme", "basis", "notice", "form", "stages", "clauses", "not_asked"}
"""Keys that ``GET /cycles/YEAR`` shows whole, with all that is below them."""
SHOWN_AS_WORDS = {"levels", "marks", "committee_items", "meeting_forms", "activity_kinds", "reading_cards", "summary_aspects", "branch_results"}
"""Keys of words that fill messages and pages: below them, each value is one word."""


def keys_of(part: type[Part]) -> list[str]:
    rows = plan_key_table(part).splitlines()[2:]
    return [row.split("`")[1] for row in rows]


def test_every_key_says_what_it_does() -> None:
    described = {key.partition("[")[0].partition(".")[0] for key in keys_of(Plan)}
    assert described == set(Plan.model_fields)
    lacking = [f"{part.__name__}.{name}" for part in _parts(Plan) for name, field in part.model_fields.items() if not _said(field)]
    assert lacking == []


def _parts(part: type[Part]) -> list[type[Part]]:
    return [part, *(below for each in Part.__subclasses__() for below in [each, *each.__subclasses__()] if below is not part)]


def _said(field: object) -> bool:
    annotation = str(getattr(field, "annotation", ""))
    return getattr(field, "description", None) is not None or "plan." in annotation


def test_every_rule_of_a_plan_is_read_by_the_product(project: Path) -> None:
    code = "".join(
        file.read_text(encoding="utf-8")
        for folder in ("workflow", "api")
        for file in (project / folder).rglob("*.py")
        if file.name not in ("plan.py", "plan_changes.py")
    )
    unread = []
    for key in keys_of(Plan):
        top, _, rest = key.replace("[]", "").partition(".")
        name = rest.rpartition(".")[2] or top
        if top in SHOWN_WHOLE | SHOWN_AS_WORDS and rest:
            continue
        if not re.search(rf'["\.]{name}\b|\b{name}_of\b', code):
            unread.append(key)
    assert set(unread) - {"reading_cards"} == set()
    assert set(Rules.model_fields) | SHOWN_WHOLE == set(Plan.model_fields)
