"""The witness (见证): the newest seal that this machine has seen, in a file of the data directory.

Seals prove what stands before them, never that none came after: a chain that was cut at its end is
whole. This file, the worker's log and what people wrote down know better.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from workflow.foundation.errors import Words
from workflow.foundation.seals.sealing import HistorySeal


class Seen(NamedTuple):
    """A seal that was seen: its number, and the beginning of its proof in hexadecimal digits."""

    number: int
    proof: str

    @classmethod
    def of(cls, seal: HistorySeal) -> Seen:
        return cls(seal.number, seal.mac.hex()[:16])

    def __str__(self) -> str:
        return f"{self.number}:{self.proof}"


def not_there(session: Session, seen: Seen) -> Words | None:
    """Say so if a seal that was seen is not in the database."""
    found = session.get(HistorySeal, seen.number)
    if found is None:
        zh = f"记录的末尾不见了：见过第 {seen.number} 道封印（{seen.proof}），数据库里没有"
        return Words(zh, f"the end of the history is missing: seal {seen.number} ({seen.proof}) was seen, and is not in the database")
    if Seen.of(found) != seen:
        zh = f"第 {seen.number} 道封印被换过：见过的是 {seen.proof}，现在是 {Seen.of(found).proof}"
        return Words(zh, f"seal {seen.number} was replaced: {seen.proof} was seen, it is {Seen.of(found).proof} now")
    return None


@dataclass(frozen=True)
class Witness:
    """The file of one database."""

    path: Path

    @classmethod
    def of(cls, data_dir: Path, session: Session) -> Witness:
        """Name the file after the database: several may share a folder."""
        return cls(data_dir / f"seal-{session.get_bind().engine.url.database}.json")

    def seen(self) -> Seen | None:
        """Read the file. Raises OSError or ValueError if it cannot be read."""
        if not self.path.exists():
            return None
        kept = json.loads(self.path.read_text(encoding="utf-8"))
        return Seen(int(kept["number"]), str(kept["proof"]))

    def keep(self, seal: HistorySeal | None) -> None:
        """Write down the newest seal, or forget the last one. Raises OSError."""
        if seal is None:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(Seen.of(seal)._asdict()), encoding="utf-8")
        # Root writes it after a restore, the worker's account reads it: nothing in it is secret.
        new.chmod(0o644)
        new.replace(self.path)

    def contradicts(self, session: Session) -> Words | None:
        """Say so if the database lacks what was seen. Raises OSError or ValueError."""
        seen = self.seen()
        return not_there(session, seen) if seen else None
