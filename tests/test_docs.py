"""The documents name only existing things: paths, links, commands and decisions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli import main
from handbook import heading_of, pages

ROOT = Path(__file__).parents[1]
EVERY_PAGE = [*pages(ROOT), ROOT / "benchmarks" / "README.md"]
PATHS_ARE_HELD = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/architecture.md",
    "docs/running.md",
    "docs/running.en.md",
)
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
FILE = re.compile(r"\.(py|md|toml|lock|sh|conf|service|example)$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")
COMMAND = re.compile(r"(?:\.venv/bin/zhibu|zhibu|python3 run\.py) (.*)")


# ── paths ─────────────────────────────────────────────────────────────────────────────────────────


def paths_in(text: str) -> list[str]:
    """List the texts in code marks that look like a path of the project."""
    code = [each for each in CODE.findall(text) if PATH.fullmatch(each)]
    return [each for each in code if "/" in each or FILE.search(each)]


@pytest.mark.parametrize("page", PATHS_ARE_HELD)
def test_every_path_that_a_page_names_is_in_the_tree(page: str) -> None:
    named = paths_in((ROOT / page).read_text(encoding="utf-8"))
    gone = [each for each in named if not (ROOT / each).exists()]
    assert set(gone) <= NOT_OF_THE_TREE


NOT_OF_THE_TREE = {
    "./zhibu-data",
    "workflow/plans/YEAR.toml",
    "plans/YEAR.toml",
    "YYYYMMDD_what.py",
    "application/problem+json",
}
"""Files that a reader makes; and a media type."""


def test_a_path_that_is_not_there_would_be_found() -> None:
    text = "see `workflow/gone.py`, `gone.md` and `docs/`, not `Kind`, `a b/c.py` or `/metrics`"
    assert paths_in(text) == ["workflow/gone.py", "gone.md", "docs/"]


def test_every_page_of_docs_that_the_code_names_is_there() -> None:
    named: dict[str, str] = {}
    folders = [each for each in ROOT.iterdir() if each.is_dir() and not each.name.startswith(".")]
    code = [path for folder in folders for path in folder.rglob("*.py")]
    for path in (*code, *ROOT.glob("*.py"), *ROOT.glob("deploy/*")):
        pages = re.findall(r"docs/[\w.-]+\.md", path.read_text(encoding="utf-8"))
        named.update(dict.fromkeys(pages, path.name))
    assert "docs/running.md" in named
    assert {page: path for page, path in named.items() if not (ROOT / page).exists()} == {}


# ── links ─────────────────────────────────────────────────────────────────────────────────────────


def slug(heading: str) -> str:
    """Make the anchor of a heading as the forges do."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(each) for each in re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))}


def links() -> Iterator[tuple[Path, str]]:
    for page in EVERY_PAGE:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            yield page, target


def test_every_link_leads_to_a_file_and_a_heading_that_are_there() -> None:
    inside = [(page, target) for page, target in links() if "://" not in target]
    assert len(inside) > 50
    for page, target in inside:
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name}: {target}"


def test_the_anchor_of_a_heading_is_that_of_the_forges() -> None:
    assert slug("1. 数据库和两个登录名") == "1-数据库和两个登录名"
    assert slug("Where to touch for …") == "where-to-touch-for-"


def test_every_page_of_docs_is_reached_from_their_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {target for page, target in links() if page == index}
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - linked == {"README.md"}


# ── decisions ─────────────────────────────────────────────────────────────────────────────────────


DECISIONS = sorted((ROOT / "docs").glob("0*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name[:4])
def test_a_decision_has_a_heading_and_its_three_parts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    title, _, status = heading_of(text)
    assert title.isascii(), "titles are English"
    assert re.match(r"(accepted|superseded by \[)", status)
    assert all(f"## {part}" in text for part in ("Context", "Decision", "Cost"))


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


# ── commands ──────────────────────────────────────────────────────────────────────────────────────


def commands() -> Iterator[tuple[str, list[str]]]:
    """Give the words after ``zhibu`` or ``run.py`` in blocks of commands and in code marks."""
    for page in EVERY_PAGE:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        shells = [block for language, block in FENCED.findall(text) if language in ("", "sh")]
        lines = [each for block in shells for each in re.split(r"\n| && ", block)]
        for line in (*lines, *CODE.findall(FENCED.sub("", text))):
            if found := COMMAND.fullmatch(line.strip()):
                yield page.name, shlex.split(found[1], comments=True)


def test_every_command_that_a_page_shows_is_known_with_its_options() -> None:
    shown = [(page, words) for page, words in commands() if words[:1] not in (["test"], ["命令"], ["COMMAND"])]
    assert len(shown) > 8
    for page, words in shown:
        command: click.Command = main
        rest = list(words)
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            found = command.get_command(click.Context(command), rest.pop(0))
            assert found is not None, f"{page}: {words}"
            command = found
        known = {option for each in command.params for option in each.opts} | {"--help"}
        given = {each.partition("=")[0] for each in rest if each.startswith("--")}
        assert given <= known, f"{page}: {words}"


# ── one page in two languages ─────────────────────────────────────────────────────────────────────


def shape(text: str) -> list[str]:
    """Give the level of each heading and the commands of each block, in order, without remarks."""
    blocks = FENCED.split(text)
    found = []
    for prose, language, block in zip(blocks[::3], [*blocks[1::3], ""], [*blocks[2::3], ""], strict=True):
        found += re.findall(r"(?m)^(#+) ", prose)
        lines = [re.sub(r"(^|\s+)#.*", "", line) for line in block.splitlines()]
        found += [language, *filter(None, lines)]
    return found


def names(text: str) -> set[str]:
    """Give what stands in code marks and belongs to no language: settings, addresses, options."""
    return {each for each in CODE.findall(FENCED.sub("", text)) if each.isascii()}


def test_the_running_page_has_the_same_headings_commands_and_names_in_both_languages() -> None:
    chinese, english = ((ROOT / "docs" / each).read_text("utf-8") for each in ("running.md", "running.en.md"))
    assert len(shape(chinese)) > 30
    assert shape(chinese) == shape(english)
    assert names(chinese) ^ names(english) <= SAID_IN_ONE


SAID_IN_ONE = {".venv/bin/zhibu COMMAND", "python3 run.py COMMAND"}
"""In Chinese they are a word of that language: 命令."""


def test_a_page_that_lacks_a_heading_a_command_or_a_setting_would_be_found() -> None:
    text = "# A\n\n`ZHIBU_LANG`\n\n```sh\n# remark\nzhibu doctor   # look\nzhibu migrate\n```\n\n## B\n"
    assert shape(text) == ["#", "sh", "zhibu doctor", "zhibu migrate", "##", ""]
    assert names(text) == {"ZHIBU_LANG"}


def test_each_running_page_links_the_other_at_its_top() -> None:
    for page, other in (("running.md", "running.en.md"), ("running.en.md", "running.md")):
        top = (ROOT / "docs" / page).read_text("utf-8").partition("\n## ")[0]
        assert f"]({other})" in top
