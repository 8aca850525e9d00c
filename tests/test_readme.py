"""Documents tell what the code does: their generated blocks are fresh, every page is listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from migrations.tables import METADATA
from workflow.diagram import generated_blocks, with_fresh_blocks

assert METADATA.tables, "a block tells of every table"
GENERATED = ("README.md", "docs/personal-data.md")


@pytest.mark.parametrize("name", GENERATED)
def test_what_a_document_says_of_the_code_is_the_codes_own(project: Path, name: str) -> None:
    document = (project / name).read_text(encoding="utf-8")
    assert with_fresh_blocks(document) == document, f"run `python3 run.py readme {name}`"


def test_every_block_that_the_code_makes_is_in_one_document(project: Path) -> None:
    documents = "".join((project / name).read_text(encoding="utf-8") for name in GENERATED)
    found = re.findall(r"<!-- generated: (\w+) -->", documents)
    assert sorted(found) == sorted(generated_blocks())


def test_every_page_of_docs_is_listed_and_has_its_three_parts(project: Path) -> None:
    listed = (project / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (project / "docs").glob("0*.md"):
        assert page.name in listed
        text = page.read_text(encoding="utf-8")
        assert all(f"## {part}" in text for part in ("Context", "Decision", "Cost"))
