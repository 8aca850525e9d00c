"""``zhibu worker --dry-run --at``: each letter that would be sent, its recipient and its reason.

Nothing is written and nothing is sent.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.builders import NOW, a_school, person
from tests.support.servers import state_of
from workflow.foundation.database import transaction
from workflow.reminders import queue_due

pytestmark = pytest.mark.slow


def dry_run(database_url: str, project: Path, at: str, **more: str) -> list[list[str]]:
    """Run the command; give its lines, split at their tabs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
    ours = {"ZHIBU_DATABASE_URL": database_url, "ZHIBU_BASE_URL": "https://zhibu.example.edu.cn", "ZHIBU_SECRET_KEY": "a secret of the tests' own"}
    command = [sys.executable, "-m", "cli", "worker", "--dry-run", "--at", at]
    done = subprocess.run(command, cwd=project, env={**kept, **ours, **more}, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_the_dry_run_tells_who_would_be_told_what_and_why_and_writes_nothing(engine: Engine, database_url: str, project: Path) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        person(session, "赵六").email = None
    queue_due(partial(transaction, engine, actor="worker"), NOW, base_url="https://zhibu.example.edu.cn")
    with transaction(engine, actor=None) as session:
        before = state_of(session)
    assert dry_run(database_url, project, "2024-12-20T10:00") == [
        ["种类", "收信人", "党支部", "期限", "为什么", "状态"],
        ["due-3", "z3 张三", "D0101党支部", "2024-12-25", "期限前3天（遇休息日，提前至12月20日）", "待发"],
        ["due-3", "z6 赵六", "D0201党支部", "2024-12-25", "期限前3天（遇休息日，提前至12月20日）", "没有邮箱"],
        ["digest", "office 党委办公室", "全校", "2024-12-16", "每周汇总", "待发"],
    ]
    assert dry_run(database_url, project, "2024-12-20T10:00", ZHIBU_LANG="en")[:3] == [
        ["kind", "recipient", "branch", "deadline", "why", "state"],
        ["due-3", "z3 张三", "D0101党支部", "2024-12-25", "3 days before the deadline (brought forward to 2024-12-20, a day off)", "pending"],
        ["due-3", "z6 赵六", "D0201党支部", "2024-12-25", "3 days before the deadline (brought forward to 2024-12-20, a day off)", "no address"],
    ]
    assert [line[4:] for line in dry_run(database_url, project, "2024-12-25T08:30")[1:3]] == [
        ["期限当天", "未写信"],
        ["期限当天", "未写信，没有邮箱"],
    ]
    assert dry_run(database_url, project, "2024-12-25T08:29")[1:] == []
    with transaction(engine, actor=None) as session:
        assert state_of(session) == before
