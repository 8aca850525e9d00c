"""The page on running a school, followed word for word on a PostgreSQL of its own.

Its blocks run as they stand, but for the places of the machine, the year, and what it says to
replace. Blocks marked for root change the machine: of these the ``install`` lines run in a folder,
and of the others it is checked that they can.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

import run
from tests.support.mail_server import free_port, mail_server
from tests.support.rosters import a_school_roster
from tests.system.test_running import answers, environment, running
from workflow.foundation.database import OLDEST_POSTGRESQL
from workflow.foundation.embedded import embedded_postgres
from workflow.foundation.vocabulary import SCHOOL_ZONE

PAGES = ("running.md", "running.en.md")
ROOT_MARK = re.compile(r"# (以 root 执行|as root)\n")
BLOCK = re.compile(r"(?ms)^```(sql|sh)\n(.*?)^```$")
OF_ROOT = {"useradd", "install", "git", "cd", "python3", "cp", "systemctl", "nginx", "psql", "set", ".", "deploy/restore.sh", ".venv/bin/zhibu"}
ROLE_PASSWORD = "a password of the tests"
TODAY = datetime.now(SCHOOL_ZONE).date()
MOVED = TODAY.year - 2026 + (TODAY.isoformat()[5:] > "12-10")
"""The page's example is the season of 2026: in later years it would be over."""


def blocks(page: str, section: int) -> list[tuple[str, str]]:
    """Give the language and the text of each block of a section."""
    whole = (Path(run.__file__).parent / "docs" / page).read_text(encoding="utf-8")
    part = re.split(r"(?m)^## \d\. ", whole)[section]
    return [(language, text) for language, text in BLOCK.findall(part)]


def moved(text: str) -> str:
    return re.sub(r"\b202[67]\b", lambda year: str(int(year[0]) + MOVED), text)


# ── quick: what the pages say of themselves ───────────────────────────────────────────────────────


@pytest.mark.parametrize("page", PAGES)
def test_blocks_for_root_are_marked_and_can_be_run(page: str, project: Path) -> None:
    every = [text for section in range(1, 7) for language, text in blocks(page, section) if language == "sh"]
    marked = [text for text in every if ROOT_MARK.match(text)]
    assert len(marked) == 3
    for text in every:
        subprocess.run(["bash", "-n"], input=text.replace("…", "URL"), text=True, check=True)
        words = [
            shlex.split(part, comments=True) for line in text.replace("\\\n", " ").splitlines() for part in re.split(r"&&|;", line) if part.strip()
        ]
        first = {each[0] for each in words if each}
        if text in marked:
            assert first <= OF_ROOT
            named = [word for each in words for word in each if word.startswith("deploy/")]
            assert [each for each in named if not (project / each).exists()] == []
        else:
            assert not first & {"useradd", "systemctl", "nginx", "cp"}, "changes the machine without the mark"


def test_readme_and_running_agree_on_what_is_needed(project: Path) -> None:
    pages = {name: (project / name).read_text(encoding="utf-8") for name in ("README.md", "docs/running.md", "docs/running.en.md")}
    for name, text in pages.items():
        assert set(re.findall(r"PostgreSQL (\d+)(?= 或更新| and a| or newer)", text)) <= {str(OLDEST_POSTGRESQL)}, name
        assert set(re.findall(r"Python (\d+\.\d+)", text)) <= {".".join(map(str, run.OLDEST))}, name
    assert "PostgreSQL 16" in pages["docs/running.md"]


# ── thorough: followed ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Machine:
    """A folder that stands for the machine; ``/opt/zhibu`` in it leads to this tree."""

    folder: Path
    project: Path

    def place(self, text: str) -> str:
        """Put the paths of a text into the folder, and leave owners and groups out."""
        text = re.sub(r" -[og] zhibu\b", "", text)
        return re.sub(r"(?<![\w.])(/opt/zhibu|/etc/zhibu|/var/lib/zhibu)", lambda path: f"{self.folder}{path[1]}", text)

    def run(self, text: str, said: str = "") -> str:
        """Run a block as it stands, with the settings that were read before."""
        before = "cd /opt/zhibu; set -a; . /etc/zhibu/zhibu.env; . /etc/zhibu/zhibu-owner.env; set +a\n"
        script = self.place(before + text if (self.folder / "etc/zhibu/zhibu.env").exists() else f"cd /opt/zhibu\n{text}")
        bare = {name: value for name, value in environment("").items() if not name.startswith("ZHIBU_")}
        done = subprocess.run(["bash", "-eu", "-c", script], env=bare, input=said, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def machine(tmp_path: Path, project: Path) -> Machine:
    tree = tmp_path / "opt" / "zhibu"
    tree.mkdir(parents=True)
    for each in (*(path for path in project.iterdir() if not path.name.startswith(".")), project / ".venv"):
        (tree / each.name).symlink_to(each)
    (tree / "名册.xlsx").write_bytes(a_school_roster(branches=3, members=60))
    return Machine(tmp_path, project)


@pytest.fixture
def administrator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a superuser on an empty server, of the oldest version that is served."""
    with embedded_postgres(tmp_path_factory.mktemp("server"), version=OLDEST_POSTGRESQL) as url:
        yield url


def edit(file: Path, **values: str) -> None:
    """Put values into a settings file, each in the quotes that the page tells of."""
    text = file.read_text(encoding="utf-8")
    for name, value in values.items():
        [line] = re.findall(f"(?m)^{name}=.*$", text)
        text = text.replace(line, f'{name}="{value}"')
    file.write_text(text, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.thorough
def test_a_school_is_set_up_by_the_page_word_for_word(machine: Machine, administrator: str, project: Path) -> None:
    # In either language: tests/test_docs.py holds that both have the same commands.
    page = PAGES[0]
    [(_, roles)] = blocks(page, 1)
    with psycopg.connect(administrator.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in roles.replace("'…'", f"'{ROLE_PASSWORD}'").split(";"):
            connection.execute(statement.encode())
    (_, prepare), (_, commands), (_, copy_plan), (_, year) = blocks(page, 2)
    machine.run("\n".join(line for line in prepare.splitlines() if line.startswith("install")))
    etc, where = machine.folder / "etc" / "zhibu", make_url(administrator).query
    place = f"/zhibu?host={where['host']}&port={where['port']}"
    password = ROLE_PASSWORD.replace(" ", "%20")
    port = free_port()
    with mail_server() as mail:
        edit(etc / "zhibu-owner.env", ZHIBU_OWNER_DATABASE_URL=f"postgresql://zhibu_owner:{password}@{place}")
        edit(
            etc / "zhibu.env",
            ZHIBU_DATABASE_URL=f"postgresql://zhibu_web:{password}@{place}",
            ZHIBU_SECRET_KEY="a secret of the tests' own",
            ZHIBU_SMTP_URL=mail.url,
            ZHIBU_DATA_DIR=str(machine.folder / "var/lib/zhibu"),
        )
        told = machine.run(commands, said="ten characters and more\n")
        assert [word in told for word in ("数据库已建立", "已建立账号：张主任", "核对完毕，没有写入", "已写入")] == [True] * 4, told
        assert "故障" not in told
    machine.run(moved(copy_plan))
    file = next((machine.folder / "var/lib/zhibu/plans").iterdir())
    file.write_text(file.read_text(encoding="utf-8").replace("year = 2024", f"year = {file.stem}"), encoding="utf-8")
    assert "没有错误" in machine.run(moved(".venv/bin/zhibu plan check 2026"))
    assert "3 个党支部开始" in machine.run(moved(year))
    environ = environment(f"postgresql://zhibu_web:{password}@{place}")
    with running(project, machine.folder / "log", environ, "serve", "--port", str(port), ready=port):
        assert answers(port)
