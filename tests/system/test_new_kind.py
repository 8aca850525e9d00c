"""A new kind of process (流程种类) needs a package, words, and a line in the list.

Everything else is made from its declaration.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

import migrations
from tests.support.running.postgres import url_of

pytestmark = pytest.mark.slow

WORDS = (
    ('    ASSESSMENT = "assessment", "党委考核支部", "assessments"\n', '    TOY = "toy", "试用流程", "toys"\n'),
    ('    PUBLISHED = "published", "已公布"\n', '    BEGUN = "begun", "开始"\n    CHECKED = "checked", "核对"\n    OVER = "over", "结束"\n'),
    ("\nSTAGES: dict[Kind, tuple[Stage, ...]] = {\n", "    Kind.TOY: (Stage.BEGUN, Stage.CHECKED, Stage.OVER),\n"),
    ("\nENDED = {", "Kind.TOY: (Stage.OVER,), "),
)
"""Words that a new kind adds to the vocabulary, each after an existing line."""
LISTED = (
    ("from workflow import appraisal, assessment", "from workflow import appraisal, assessment, toy"),
    ("(appraisal.KIND, assessment.KIND)", "(appraisal.KIND, assessment.KIND, toy.KIND)"),
)
HERE = Path(__file__).with_name("a_toy_kind")


@pytest.fixture
def enlarged(project: Path, tmp_path: Path) -> Path:
    """A copy of the project with one kind more."""
    leave = shutil.ignore_patterns(".*", "__pycache__", "recorded.jsonl.xz", "docs", "benchmarks")
    copy = tmp_path / "enlarged"
    shutil.copytree(project, copy, ignore=leave)
    vocabulary, kinds = copy / "workflow/foundation/vocabulary.py", copy / "workflow/machine/kinds.py"
    words = vocabulary.read_text(encoding="utf-8")
    for after, added in WORDS:
        assert words.count(after) == 1, after
        words = words.replace(after, after + added)
    vocabulary.write_text(words, encoding="utf-8")
    listed = kinds.read_text(encoding="utf-8")
    for before, now in LISTED:
        assert listed.count(before) == 1, before
        listed = listed.replace(before, now)
    kinds.write_text(listed, encoding="utf-8")
    (copy / "workflow/toy").mkdir()
    shutil.copy(HERE / "package.txt", copy / "workflow/toy/__init__.py")
    shutil.copy(HERE / "year.txt", copy / "year_of_a_toy.py")
    return copy


def test_a_toy_kind_of_three_stages_moves_asks_tells_and_is_remembered(enlarged: Path, superuser: str, database_url: str) -> None:
    database = make_url(database_url).database or ""
    with create_engine(make_url(superuser).set(database=database), poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("drop schema public cascade"))
        connection.execute(text(f"create schema public authorization {migrations.OWNER_ROLE}"))
        connection.execute(text("grant usage on schema public to public"))
    owner = url_of(superuser, database, migrations.OWNER_ROLE)
    done = subprocess.run(
        [sys.executable, "year_of_a_toy.py", owner, database_url], cwd=enlarged, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_kind_is_named_by_its_own_package_alone(project: Path) -> None:
    """The vocabulary declares it.

    Other code that must speak of a kind reads it from the package or from the list.
    """
    own = {"appraisal", "assessment", "foundation"}
    named = re.compile(r"(?<!\w)Kind\.[A-Z]")
    files = [path for top in ("workflow", "api", "schedulers") for path in sorted((project / top).rglob("*.py"))]
    found = [str(path.relative_to(project)) for path in files if named.search(path.read_text(encoding="utf-8"))]
    assert [path for path in found if path.split("/")[0] != "workflow" or path.split("/")[1] not in own] == []
