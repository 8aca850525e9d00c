"""Real parts for all tests: a PostgreSQL, and databases on it.

A test that commits has a cloned database, a test that does not has a transaction that is rolled
back.
"""

from __future__ import annotations

import gc
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.orm import Session

import migrations
from commands.language import LOCALE
from tests.support.running.alone import Turns
from tests.support.running.both_versions import Sent
from tests.support.running.postgres import VERSIONS, a_clone, a_postgres, a_template, refused_by_another_version, url_of, version_of
from tests.support.servers import House, a_house
from workflow.foundation.database import act_as, engine_for
from workflow.foundation.vocabulary import SCHOOL_ZONE

TURNS, FOLDER = pytest.StashKey[Turns](), pytest.StashKey[TemporaryDirectory[str]]()
SLOW = 40
"""One slow test takes as long as this many quick ones."""


def pytest_addoption(parser: pytest.Parser) -> None:
    zhibu = parser.getgroup("zhibu")
    zhibu.addoption(
        "--postgres",
        help="18 or 16: the embedded server; 'server': the one of ZHIBU_TEST_DATABASE_URL",
    )
    zhibu.addoption(
        "--day",
        type=int,
        default=datetime.now(SCHOOL_ZONE).toordinal(),
        help="its parity says which of two workers has PostgreSQL 16",
    )
    zhibu.addoption(
        "--both-versions",
        action="store_true",
        help="plan by the other version what this one took, at the end",
    )
    zhibu.addoption("--fast", action="store_true", help="do not even read files whose tests are all slow")
    zhibu.addoption("--thorough", action="store_true", help="the tests of the long tier too")
    zhibu.addoption("--again", help="a file of commands that failed, shown at the end and added to")


# ── what runs, in which order, beside what ────────────────────────────────────────────────────────────────────────────


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files whose tests are all slow.

    Importing what they need takes longer than the fast tests run.
    """
    if not config.getoption("fast") or collection_path.suffix != ".py":
        return None
    return True if re.search(r"(?m)^pytestmark = .*mark\.slow", collection_path.read_text(encoding="utf-8")) else None


def pytest_configure(config: pytest.Config) -> None:
    # Commands and processes of the tests speak Chinese, whatever this machine speaks.
    for name in ("ZHIBU_LANG", *LOCALE):
        os.environ.pop(name, None)
    gc.set_threshold(50_000, 20, 100)
    if folder := getattr(config, "workerinput", {}).get("turns"):
        config.stash[TURNS] = turns = Turns(Path(folder))
        config.add_cleanup(turns.close)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker the folder in which the workers take their turns."""
    config = node.config
    if FOLDER not in config.stash:
        config.stash[FOLDER] = folder = TemporaryDirectory(prefix="zhibu-turns-")
        config.add_cleanup(folder.cleanup)
    node.workerinput["turns"] = config.stash[FOLDER].name


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat races in the long tier, because they show themselves by chance."""
    if metafunc.config.getoption("thorough") and metafunc.definition.get_closest_marker("race"):
        metafunc.fixturenames.append("turn")
        metafunc.parametrize("turn", range(3))


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from the imported modules.

    They stay to the end, and a run makes few reference cycles.
    """
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "superuser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.database)
    if not config.getoption("thorough"):
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    if TURNS in config.stash:
        # The long files first, so that no worker begins one at the end.
        weight = Counter[Path]()
        for item in items:
            weight[item.path] += SLOW if item.get_closest_marker("slow") else 1
        items.sort(key=lambda item: -weight[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with item.config.stash[TURNS].beside_others() if TURNS in item.config.stash else nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    judges_time = TURNS in item.config.stash and item.get_closest_marker("alone")
    with item.config.stash[TURNS].alone() if judges_time else nullcontext():
        return (yield)


# ── what is said of a failure ─────────────────────────────────────────────────────────────────────────────────────────


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("database"):
        item.user_properties.append(("postgres", version_of(item.config)))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List the commands to run again, of this run and of the earlier checks of run.py."""
    file = Path(config.getoption("again") or os.devnull)
    commands = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    options = ["--thorough"] if config.getoption("thorough") else []
    for report in (
        *terminalreporter.stats.get("failed", ()),
        *terminalreporter.stats.get("error", ()),
    ):
        version = [f"--postgres={value}" for name, value in getattr(report, "user_properties", ()) if name == "postgres"]
        commands.append(shlex.join([".venv/bin/pytest", *options, *version, report.nodeid]))
    if commands:
        terminalreporter.section("未通过，请重跑 / failed, to run again")
        terminalreporter.write_line("\n".join(dict.fromkeys(commands)))
    file.write_text("".join(f"{command}\n" for command in dict.fromkeys(commands)), encoding="utf-8")


# ── a PostgreSQL, and databases on it ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def postgres_version(request: pytest.FixtureRequest) -> str:
    """The version 16, 18, or ``server``."""
    return version_of(request.config)


@pytest.fixture(scope="session")
def superuser(request: pytest.FixtureRequest, postgres_version: str) -> Iterator[str]:
    """The URL of a superuser on the PostgreSQL of this worker."""
    sent = Sent()
    with a_postgres(postgres_version) as url:
        with sent.recorded():
            yield url
        if request.config.getoption("both_versions"):
            (other,) = {str(each) for each in VERSIONS} - {postgres_version}
            refused = refused_by_another_version(sent, url, other)
            assert refused == {}, f"PostgreSQL {other} does not plan what {postgres_version} took"


@pytest.fixture(scope="session")
def template(superuser: str) -> Iterator[str]:
    """A migrated database that others are cloned from."""
    with a_template(superuser) as name:
        yield name


@pytest.fixture
def database_url(superuser: str, template: str) -> Iterator[str]:
    """The application's URL of a fresh database, for tests that commit or start processes."""
    with a_clone(superuser, template) as url:
        yield url


@pytest.fixture
def owner_url(superuser: str, database_url: str) -> str:
    """The owner's URL of the same fresh database."""
    return url_of(superuser, make_url(database_url).database or "", migrations.OWNER_ROLE)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine of the application's role on a fresh database."""
    engine = engine_for(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def house(superuser: str, template: str) -> Iterator[House]:
    """A service in this process with the school of ``builders.a_school``.

    All tests of one file share it.
    """
    with a_house(superuser, template) as made:
        yield made


@pytest.fixture(scope="session")
def shared_engine(superuser: str, template: str) -> Iterator[Engine]:
    """An engine on one database for all tests that roll back."""
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        yield engine
        engine.dispose()


@pytest.fixture
def session(shared_engine: Engine) -> Iterator[Session]:
    """A transaction in which ``cli`` acts, rolled back at the end."""
    with shared_engine.connect() as connection, connection.begin() as outer:
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            act_as(session, actor="cli")
            yield session
        outer.rollback()


@pytest.fixture
def project() -> Path:
    """The folder of the project."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """True in the long tier."""
    return bool(request.config.getoption("thorough"))
