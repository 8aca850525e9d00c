"""Start here (从这里开始): makes the environment beside itself, then becomes the command.

    python3 run.py                      the demo
    python3 run.py test …               everything CI runs; further words go to pytest
    python3 run.py test --fast …        only checks without a database and without processes
    python3 run.py test --thorough …    the long tier (docs/tests.md)
    python3 run.py COMMAND …            is  zhibu COMMAND …

Standard library only, in syntax that an old Python can read, so that it gets a sentence instead of
a traceback. Words about the installation go to standard error: ``token create`` prints a token and
nothing else, on a fresh clone too.
"""

import hashlib
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

OLDEST = (3, 11)


def too_old(version: "tuple[Any, ...]") -> str:
    """Return the message for a Python that is too old, or nothing."""
    if tuple(version[:2]) >= OLDEST:
        return ""
    newer = [name for name in ("python3.14", "python3.13", "python3.12", "python3.11") if shutil.which(name)]
    return "需要 Python {0} 或更高版本，当前是 {1}。请运行：{2} run.py\nPython {0} or newer is needed, this is {1}. Please run: {2} run.py".format(
        ".".join(map(str, OLDEST)), ".".join(map(str, version[:2])), newer[0] if newer else "python3.11"
    )


if too_old(sys.version_info):
    sys.exit(too_old(sys.version_info))

# Up to here an old Python runs too.

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if sys.platform == "win32" else "bin")
PYTHON = BIN / ("python.exe" if sys.platform == "win32" else "python")
STAMP = VENV / "zhibu-ready"
RUNTIME = ROOT / "requirements.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"
BUILD = ROOT / "requirements-build.lock"
BEAT_SECONDS = 2
TEST_SERVER = os.environ.get("ZHIBU_TEST_DATABASE_URL")

STATIC = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("lint-imports",),
    ("mypy",),
)
# Two workers, each with a PostgreSQL of another version. A file stays with one of them: its tests
# share a service.
PYTEST = ("pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
EDGES = ("tests/workflow", "tests/api", "tests/schedulers")
ON_SERVER = (("pytest", "-m", "not slow", "--postgres=server", *EDGES),) if TEST_SERVER else ()
TIERS = {
    "": (*STATIC, *ON_SERVER, PYTEST),
    "--fast": (("pytest", "-n", "2", "--fast", "-m", "not slow and not database"),),
    "--thorough": (
        *STATIC,
        *ON_SERVER,
        (*PYTEST, "--postgres=16", "--both-versions"),
        (*PYTEST, "--postgres=18", "--both-versions", "--thorough"),
    ),
}
"""The checks of each tier, pytest last: its closing line is the last one.

CI runs the first tier.
"""


def main(words: list[str]) -> NoReturn:
    if isinstance(sys.stderr, io.TextIOWrapper):
        # A terminal that has no Chinese characters shows the English half.
        sys.stderr.reconfigure(errors="replace")
    # A shell starts background commands with SIGINT ignored, and the command would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # As an exception, so that children are stopped: they would outlive us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    checking = words[:1] == ["test"]
    try:
        prepare(DEVELOPMENT if checking else RUNTIME)
        if checking:
            sys.exit(run_checks(words[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    become([str(BIN / "zhibu"), *(words or ["demo"])])


# The environment


def prepare(lock: Path) -> None:
    """Make the environment that this lock describes, unless it stands already."""
    if is_ready(lock):
        return
    try:
        with one_at_a_time() as held:
            if is_ready(lock):
                return
            stamp = read_stamp()
            if VENV.exists() and (not PYTHON.exists() or (stamp and stamp[0] != identity())):
                # Moved, or its Python is gone: its scripts name paths that do not exist any more.
                shutil.rmtree(VENV)
            STAMP.unlink(missing_ok=True)
            for title, command in steps(lock, shutil.which("uv")):
                take(title, command, held)
            # The lock with everything holds the runtime's too: it serves both.
            satisfied = {RUNTIME, lock}
            fresh = STAMP.with_suffix(".new")
            fresh.write_text("\n".join([identity(), *(digest(each) for each in satisfied)]), encoding="utf-8")
            fresh.replace(STAMP)
    except OSError as error:
        sys.exit(f"无法准备运行环境 / cannot prepare the environment: {error}\n{advice(str(error))}")


def steps(lock: Path, uv: str | None) -> list[tuple[str, list[str]]]:
    """List the title and the command of each step.

    By uv where there is one, else by venv and pip. Each may run again over a half-finished one. The
    tools that build this project come from a lock as well: pip would fetch them without hashes.
    """
    python = getattr(sys, "_base_executable", sys.executable)
    if uv:
        make = [uv, "venv", "--quiet", "--allow-existing", "--python", python, str(VENV)]
        install = [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
    else:
        if find_spec("venv") is None or find_spec("ensurepip") is None:
            sys.exit(NO_VENV)
        make = [python, "-m", "venv", str(VENV)]
        install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    return [
        ("1/3 建立 Python 环境 / making the environment", make),
        ("2/3 安装依赖，首次约半分钟 / installing the libraries", [*install, "--require-hashes", "-r", str(BUILD), "-r", str(lock)]),
        ("3/3 安装本程序 / installing zhibu", [*install, "--no-build-isolation", "--no-deps", "-e", str(ROOT)]),
    ]


def take(title: str, command: list[str], held: int) -> None:
    """Take one step, in one line; its own output is shown only if it fails, with advice."""
    with _Line(title) as line, tempfile.TemporaryFile() as output:
        into: dict[str, Any] = {"stdout": output, "stderr": subprocess.STDOUT, "env": {**os.environ, "PIP_USER": "0"}}
        if run(command, line.beat, **into, **inheriting(held)) == 0:
            line.end()
            return
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    sys.exit(f"{said}\n没有完成：{title}。\n{advice(said)}")


NO_VENV = (
    "这个 Python 缺少 venv 或 ensurepip。Debian、Ubuntu 请先运行：apt-get install python3-venv；或者安装 uv。\n"
    "This Python lacks venv or ensurepip: apt-get install python3-venv on Debian and Ubuntu, or install uv."
)
FAULTS = {
    r"Permission denied|Read-only file system|Operation not permitted|Access is denied": (
        "没有权限写 {venv}：请把 {root} 交给当前用户，或换一个能写的目录。",
        "{venv} cannot be written: please give {root} to this user, or take a folder that can be written.",
    ),
    r"No space left|not enough space|Disk quota": (
        "磁盘已满：请腾出空间后重新运行。",
        "The disk is full: please make room and run again.",
    ),
    r"DO NOT MATCH THE HASHES|[Hh]ash mismatch": (
        "下载的库与锁文件的摘要不符：镜像可能损坏，请换一个镜像后重新运行。",
        "A library differs from the digest in the lock: please take another mirror and run again.",
    ),
    r"resol(ve|ution)|timed? ?out|Max retries|NewConnection|ProxyError|unreachable|SSLError|certificate|sending req|dns error|from versions: none": (
        "下载不了：请检查网络、代理和 pip 的镜像设置后重新运行。",
        "Nothing can be downloaded: please check network, proxy and the mirror that pip uses, and run again.",
    ),
    r"No matching distribution|satisfies the requirement|No solution found|no wheels with a matching": (
        "镜像里没有适合 Python {python} 的库：请换一个镜像，或换一个 Python 版本后重新运行。",
        "The mirror has no library for Python {python}: please take another mirror, or another Python, and run again.",
    ),
    r"ensurepip": NO_VENV.split("\n"),
}
"""The words of installers by which faults are told apart, and the advice in both languages."""


def advice(said: str) -> str:
    """Choose the advice that fits the words of an installer."""
    known = (told for pattern, told in FAULTS.items() if re.search(pattern, said))
    told = next(known, ("请看上面的提示，改正后重新运行。", "Please see above, mend it and run again."))
    where = {"root": ROOT, "venv": VENV, "python": ".".join(map(str, sys.version_info[:2]))}
    return "\n".join(told).format(**where)


class _Line:
    """A line on standard error that lives: a title, a dot every two seconds, the time."""

    def __init__(self, title: str) -> None:
        self.began = self.beaten = time.monotonic()
        self.open = True
        self._write(f"{title} …")

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *_: object) -> None:
        if self.open:
            self._write("\n")

    def beat(self) -> None:
        """Show a sign of life, if the last one was two seconds ago."""
        if time.monotonic() - self.beaten >= BEAT_SECONDS:
            self.beaten = time.monotonic()
            self._write(".")

    def end(self) -> None:
        self.open = False
        self._write(f" {time.monotonic() - self.began:.0f} 秒 / s\n")

    def _write(self, text: str) -> None:
        print(text, end="", file=sys.stderr, flush=True)


def digest(lock: Path) -> str:
    """Return a digest that changes with the lock and with the rest that decides the environment."""
    return hashlib.sha256(b"".join(each.read_bytes() for each in (lock, BUILD, ROOT / "pyproject.toml"))).hexdigest()


def identity() -> str:
    """Return the place of the environment and its Python: an environment cannot be moved."""
    return f"{VENV} {PYTHON.resolve()}"


def read_stamp() -> list[str]:
    """Read the identity and the digests that the environment satisfies.

    Empty while it is not finished.
    """
    try:
        return STAMP.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def is_ready(lock: Path) -> bool:
    stamp = read_stamp()
    return PYTHON.exists() and stamp[:1] == [identity()] and digest(lock) in stamp[1:]


@contextmanager
def one_at_a_time() -> Iterator[int]:
    """Let one start in at a time: of two at once on a fresh clone the second waits.

    The lock is on this very file: it is always there. Gives the descriptor.
    """
    with Path(__file__).open("rb") as file:
        if not try_lock(file.fileno()):
            with _Line("另一个 run.py 正在准备环境，请稍候 / another run.py is preparing the environment") as line:
                while not try_lock(file.fileno()):
                    time.sleep(0.2)
                    line.beat()
                line.end()
        yield file.fileno()


def try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            # Beyond the end: a locked byte cannot be read, and others are reading this file.
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def inheriting(descriptor: int) -> dict[str, Any]:
    """Return options by which an installer keeps the lock until it is done.

    It keeps the lock also if it outlives us (kill -9).
    """
    return {} if sys.platform == "win32" else {"pass_fds": (descriptor,)}


# Running


def run_checks(words: list[str]) -> int:
    """Run every check of a tier, also after one has failed; 1 if any did.

    The last pytest lists at its end what to run again, of the checks before it too.
    """
    tier = words[0] if words and words[0] in TIERS else ""
    for_pytest = words[1:] if tier else words
    failed = False
    with tempfile.TemporaryDirectory(prefix="zhibu-checks-") as folder:
        again = Path(folder) / "again"
        again.touch()
        for check in TIERS[tier]:
            command = [*check, *for_pytest] if check[0] == "pytest" else [*check]
            told = [f"--again={again}"] if check[0] == "pytest" else []
            print(f"\n== {shlex.join(command)} ==", flush=True)
            before = again.read_text(encoding="utf-8")
            if run([str(BIN / command[0]), *command[1:], *told]) == 0:
                continue
            failed = True
            if again.read_text(encoding="utf-8") == before:
                # Not a test by name: another check, or pytest itself.
                again.write_text(f"{before}{shlex.join(['.venv/bin/' + command[0], *command[1:]])}\n", encoding="utf-8")
    return 1 if failed else 0


def run(command: list[str], beat: Callable[[], None] = lambda: None, **how: Any) -> int:
    """Run a child to its end and give its exit code; when we are told to stop, it stops first."""
    child = subprocess.Popen(command, cwd=ROOT, **how)
    try:
        while True:
            try:
                return child.wait(timeout=BEAT_SECONDS)
            except subprocess.TimeoutExpired:
                beat()
    except KeyboardInterrupt:
        # A terminal has sent Ctrl-C to the child as well; a second one would break off its tidying.
        stop(child, patience_first=5)
        raise
    except SystemExit:
        stop(child, patience_first=0)
        raise


def stop(child: "subprocess.Popen[bytes]", *, patience_first: float) -> None:
    asks = [lambda: None, lambda: child.send_signal(signal.SIGINT), child.terminate, child.kill]
    if sys.platform == "win32":
        asks[1] = child.terminate
    for ask, patience in zip(asks, [patience_first, 20, 5, None], strict=True):
        ask()
        try:
            child.wait(timeout=patience)
            return
        except subprocess.TimeoutExpired:
            continue


def become(command: list[str]) -> NoReturn:
    """Replace this process: a signal to its pid alone must reach the command."""
    if sys.platform == "win32":
        child = subprocess.Popen(command)
        # The console tells the child as well.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGBREAK, signal.SIG_IGN)
        sys.exit(child.wait())
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
