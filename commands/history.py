"""``zhibu verify`` (核对变更记录): the history against its seals.

It reads alone: nothing is mended, and nothing is sealed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from pydantic import SecretStr
from sqlalchemy.orm import Session

from commands.frame import school, told_plainly
from commands.language import say, tell
from workflow.foundation.database import transaction
from workflow.foundation.errors import SettingsInvalid, Words
from workflow.foundation.seals.keys import SealKeys, seal_keys
from workflow.foundation.seals.verification import Report, rows_to_verify
from workflow.foundation.seals.verification import verify as verify_history
from workflow.foundation.seals.witness import Seen, Witness, not_there
from workflow.foundation.settings import Settings, read_settings
from workflow.foundation.vocabulary import SCHOOL_ZONE

LONG = 50_000
"""The number of rows from which a bar shows how far it has come."""


def _seen(_context: click.Context, _option: click.Parameter, value: str | None) -> Seen | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{16})", value)
    if not found:
        raise click.BadParameter(say(Words("应形如 120:9f86d081884c7d65", "it should look like 120:9f86d081884c7d65")))
    return Seen(int(found[1]), found[2])


@click.command()
@click.option("--after", default=0, type=click.IntRange(0), help=say(Words("只核对这道封印以后的", "only what follows this seal")))
@click.option(
    "--holds",
    callback=_seen,
    metavar="120:9f86d081884c7d65",
    help=say(Words("另外记下的一道封印，应当还在", "a seal that was written down: it should still be there")),
)
@click.option(
    "--restored",
    is_flag=True,
    help=say(Words("刚恢复了备份：备份之后的封印不在，属正常", "a backup was restored just now: seals after it are rightly not there")),
)
@told_plainly
def verify(after: int, holds: Seen | None, restored: bool) -> None:
    settings = read_settings()
    keys = _keys(settings)
    with school(settings) as engine, transaction(engine, actor=None) as session:
        with _progress(session, after) as seen:
            report = verify_history(session, keys, after=after, seen=seen)
        if report.fault:
            zh = f"{report.fault.zh}。在它之前的 {report.rows} 行、{report.seals} 道封印没有改动。"
            en = f"{report.fault.en}. The {report.rows} row(s) and {report.seals} seal(s) before it are unchanged."
            raise click.ClickException(say(Words(zh, en)))
        if holds and (missing := not_there(session, holds)):
            raise click.ClickException(say(missing))
        _ask_the_witness(session, settings, report, restored=restored)
    for line in _said(report):
        tell(line)


def _keys(settings: Settings) -> SealKeys:
    """Give the keys of the settings, or of the demo. Raises SettingsInvalid if there are none."""
    of_demo = settings.data_dir / "secret"
    if settings.database_url is None and settings.secret_key is None and of_demo.is_file():
        settings = settings.model_copy(update={"secret_key": SecretStr(of_demo.read_text())})
    if (keys := seal_keys(settings)) is None:
        zh = "缺少设置 ZHIBU_SECRET_KEY（或 ZHIBU_SEAL_KEY）：封印要用它核对"
        raise SettingsInvalid(Words(zh, "the setting ZHIBU_SECRET_KEY (or ZHIBU_SEAL_KEY) is missing: seals are verified with it"))
    return keys


@contextmanager
def _progress(session: Session, after: int) -> Iterator[Callable[[int], object]]:
    expected = rows_to_verify(session, after=after)
    if expected < LONG:
        yield lambda _: None
        return
    with click.progressbar(length=expected, label=say(Words("核对", "verifying")), file=sys.stderr) as bar:
        yield bar.update


def _ask_the_witness(session: Session, settings: Settings, report: Report, *, restored: bool) -> None:
    witness = Witness.of(settings.data_dir, session)
    try:
        missing = witness.contradicts(session)
        if missing and restored:
            witness.keep(report.last)
            zh = f"{missing.zh}。恢复备份以后属正常：从现在的末尾重新见证。"
            tell(Words(zh, f"{missing.en}. That is right after a restore: the present end is witnessed from now on."))
            return
    except (OSError, ValueError) as error:
        zh = f"见证文件 {witness.path} 读写不了（{error}）：末尾有没有被截去，无从核对"
        raise click.ClickException(say(Words(zh, f"the witness {witness.path} cannot be used ({error}): a cut end would not be seen"))) from None
    if missing:
        zh = f"{missing.zh}。刚恢复了备份的，请用 zhibu verify --restored"
        raise click.ClickException(say(Words(zh, f"{missing.en}. If a backup was restored just now, please use zhibu verify --restored")))


def _said(report: Report) -> Iterator[Words]:
    zh = f"变更记录 {report.rows} 行、封印 {report.seals} 道，没有被改动、删除、添加或调换的。"
    yield Words(zh, f"{report.rows} rows of the history and {report.seals} seal(s): none was edited, deleted, added or moved.")
    if report.destroyed:
        zh = f"其中 {report.destroyed} 行的内容已经销毁，摘要还在：谁、何时、改了哪一条，仍然可以核对。"
        en = f"The contents of {report.destroyed} of them were destroyed; their digests stand: who changed which row and when is still proven."
        yield Words(zh, en)
    if report.before and report.since:
        began = report.since.astimezone(SCHOOL_ZONE).strftime("%Y-%m-%d %H:%M:%S")
        zh = f"第一道封印在 {began}：此前写下的 {report.before} 行，自那时起没有变；更早有没有变，无从核对。"
        yield Words(zh, f"The first seal is of {began}: {report.before} rows written before it are proven from then on, not before.")
    if report.unsealed:
        yield Words(f"另有 {report.unsealed} 行还没有封印。", f"{report.unsealed} more rows are not sealed yet.")
    if report.last:
        seen = Seen.of(report.last)
        zh = f"最后一道封印：{seen}。请抄在别处，日后用 zhibu verify --holds {seen} 核对末尾没有被截去。"
        yield Words(zh, f"Last seal: {seen}. Please write it down elsewhere: zhibu verify --holds {seen} proves later that nothing was cut off.")
