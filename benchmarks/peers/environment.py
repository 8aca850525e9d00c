"""The environment of the peers (同行的环境): made on first use beside the product's own.

Nothing of it is installed in the product's environment.
"""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from commands.language import say
from workflow.foundation.errors import Words

from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.servers import ROOT

LOCK = Path(__file__).parent / "requirements-peers.lock"
VENV = ROOT / ".venv-peers"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "peers-ready"
MAKING = Words("建立同行的环境，只此一次", "making the environment of the peers, once")
NOT_MADE = Words(
    "同行的环境没有建成：请看上面的提示，或用 --only 测别的路径",
    "the environment of the peers could not be made; see above, or measure other paths with --only",
)


def prepare_peers() -> None:
    """Install what the lock names, unless it is there already. Raises BenchFailed."""
    wanted = f"{VENV} {sha256(LOCK.read_bytes()).hexdigest()}"
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    sys.stderr.write(f"{say(MAKING)} …\n")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [
            *(str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-input", "--require-hashes", "-r", str(LOCK)),
        ],
    ):
        done = subprocess.run(command, stdout=sys.stderr, check=False)
        if done.returncode != 0:
            raise BenchFailed(say(NOT_MADE))
    STAMP.write_text(wanted)
