"""The documents agree with the code: generated blocks are fresh, and the README stays short."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import handbook
import run
from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, Kind

MOST_BYTES = 7000


@pytest.fixture
def readme(project: Path) -> str:
    return (project / "README.md").read_text(encoding="utf-8")


def test_every_generated_block_stands_on_one_page_and_is_the_codes_own(project: Path) -> None:
    made = handbook.blocks(project)
    texts = {page: page.read_text(encoding="utf-8") for page in handbook.pages(project)}
    marked = [re.findall(r"<!-- generated: (\w+) -->", text) for text in texts.values()]
    found = Counter(name for names in marked for name in names)
    assert found == Counter(dict.fromkeys(made, 1))
    fresh = {page: handbook.with_fresh_blocks(text, made) for page, text in texts.items()}
    stale = [page.name for page, text in texts.items() if fresh[page] != text]
    assert stale == [], "run `python3 run.py docs`"


def test_a_stale_block_is_rewritten_and_nothing_else(project: Path, tmp_path: Path) -> None:
    for name in ("README.md", "pyproject.toml"):
        (tmp_path / name).write_bytes((project / name).read_bytes())
    whole = (tmp_path / "README.md").read_text(encoding="utf-8")
    stale = whole.replace('talks["谈心谈话"]', 'talks["闲谈"]')
    assert stale != whole
    (tmp_path / "README.md").write_text(stale, encoding="utf-8")
    assert handbook.refresh(tmp_path) == [tmp_path / "README.md"]
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == whole
    assert handbook.refresh(tmp_path) == []


def test_the_readme_is_short(readme: str) -> None:
    assert len(readme.encode()) <= MOST_BYTES


def test_the_readme_draws_the_six_stages_in_their_order(readme: str) -> None:
    drawn = re.findall(r'(\w+)\["([^"]+)"\]', readme)
    assert drawn == [(stage.value, stage.zh) for stage in STAGES[Kind.APPRAISAL]]
    assert len(WORKING_STAGES[Kind.APPRAISAL]) == 6


def test_the_readme_names_checks_that_are_run(readme: str) -> None:
    shown = re.findall(r"(?m)^== (.+) ==$", readme)
    assert len(shown) > 1
    assert set(shown) <= {" ".join(check) for check in run.TIERS[""]}


def test_the_glossary_has_a_chinese_term_for_each_vocabulary_and_each_record() -> None:
    listed: list[type] = [*handbook.vocabularies(), *handbook.records()]
    assert len(listed) > 50
    assert [each.__name__ for each in listed if not handbook.chinese(each.__doc__)] == []


@pytest.mark.parametrize(
    ("docstring", "term"),
    [
        ("One talk between two people (一次谈心谈话).", "一次谈心谈话"),
        ("谈心谈话 (talks), the second stage.\n\nMore (别的).", "谈心谈话"),
        ("A letter, wrapped\n    over lines (通知邮件).", "通知邮件"),
        ("Nothing Chinese (at all).", ""),
        (None, ""),
    ],
)
def test_a_term_stands_in_brackets_or_comes_first(docstring: str | None, term: str) -> None:
    assert handbook.chinese(docstring) == term
