"""A client that openapi-python-client generates from the description.

It generates without a warning, its types have no fault, and its calls work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from api import ROUTES
from api.frame.openapi import document
from tests.support.builders import a_school
from tests.support.running.postgres import a_clone
from tests.support.servers import a_server, tokens_of
from workflow.foundation.database import engine_for, transaction

PROGRAM = '''
"""Record a talk, try to move on too early, and come again with the version that was read."""
import sys
from datetime import date

from zhibu_client import AuthenticatedClient
from zhibu_client.api.branches import move_appraisal, read_process
from zhibu_client.api.talks import list_talks, record_talk
from zhibu_client.models import MoveInput, RequirementsUnmetProblem, StaleProblem, Talk, TalkPage, Trigger

address, token = sys.argv[1:]
client = AuthenticatedClient(base_url=f"{address}/api/v1", token=token)
body = Talk(held_on=date(2024, 12, 16), talker="z3", partner="w5")
made = record_talk.sync(2024, "D0101", client=client, body=body, idempotency_key="once")
again = record_talk.sync_detailed(2024, "D0101", client=client, body=body, idempotency_key="once")
assert isinstance(made, Talk) and isinstance(again.parsed, Talk) and made.id == again.parsed.id
assert again.headers["Idempotent-Replayed"] == "true" and again.headers["Location"].endswith(f"/talks/{made.id}")
page = list_talks.sync(2024, "D0101", client=client, limit=1)
assert isinstance(page, TalkPage) and page.items[0].partner == "w5" and page.next_ is None
tag = read_process.sync_detailed(2024, "D0101", client=client).headers["ETag"]
advance = MoveInput(trigger=Trigger.ADVANCE)
refused = move_appraisal.sync(2024, "D0101", client=client, body=advance, if_match=tag)
assert isinstance(refused, RequirementsUnmetProblem) and refused.unmet[0].subjects
stale = move_appraisal.sync(2024, "D0101", client=client, body=advance, if_match='"0"')
assert isinstance(stale, StaleProblem) and stale.version == 1
print(refused.detail)
'''


def run(*words: str | Path, **variables: str) -> str:
    """Run a module of this environment. What it printed, or a failure that shows it."""
    done = subprocess.run([sys.executable, *words], env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.thorough
@pytest.mark.slow
def test_a_generated_client_has_its_types_and_works(superuser: str, template: str, tmp_path: Path) -> None:
    described, options, client = tmp_path / "openapi.json", tmp_path / "options.yml", tmp_path / "client"
    described.write_text(json.dumps(document(ROUTES)), encoding="utf-8")
    options.write_text("post_hooks: []\n", encoding="utf-8")
    given = ("generate", "--path", described, "--output-path", client, "--config", options, "--fail-on-warning")
    assert "Warning" not in run("-m", "openapi_python_client", *given)
    program = client / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    run("-m", "mypy", "--strict", "--config-file", os.devnull, "--cache-dir", tmp_path / "cache", client)
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            a_school(session)
        token = tokens_of(engine, ["张三"])["张三"]
        with a_server(url, tmp_path / "server.log") as server:
            assert run(program, server.address, token, PYTHONPATH=str(client)).strip()
        engine.dispose()
