"""The README tells what the code does: its generated blocks are fresh, and its commands run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workflow.diagram import generated_blocks, with_fresh_blocks


@pytest.fixture
def readme(project: Path) -> str:
    return (project / "README.md").read_text(encoding="utf-8")


def test_what_the_readme_says_of_stages_and_requirements_is_the_codes_own(readme: str) -> None:
    assert set(re.findall(r"<!-- generated: (\w+) -->", readme)) == set(generated_blocks())
    assert with_fresh_blocks(readme) == readme, "run `python3 run.py readme README.md`"


def test_every_page_of_docs_is_listed_and_has_its_three_parts(project: Path) -> None:
    listed = (project / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (project / "docs").glob("0*.md"):
        assert page.name in listed
        text = page.read_text(encoding="utf-8")
        assert all(f"## {part}" in text for part in ("Context", "Decision", "Cost"))
