"""The seals of a school's history, made and verified as the worker and the command do it."""

from __future__ import annotations

import re
from threading import Event

from sqlalchemy import Connection, Engine, text

from workflow.foundation.database import transaction
from workflow.foundation.history import DIGEST
from workflow.foundation.seals.keys import SealKeys, seal_keys
from workflow.foundation.seals.sealing import Sealed, seal
from workflow.foundation.seals.verification import Report, verify
from workflow.foundation.settings import Settings

SECRET, OTHER = "a secret of the tests' own", "another secret of the tests"


def keys_of(*of_seals: str, secret: str = SECRET) -> SealKeys:
    found = seal_keys(Settings.model_validate({"secret_key": secret, "seal_key": ",".join(of_seals) or None}))
    assert found is not None
    return found


KEYS = keys_of()


def sealed(engine: Engine, keys: SealKeys = KEYS) -> Sealed | None:
    return seal(engine, keys, actor="worker", pause=Event().wait, patience=0.2)


def verified(engine: Engine, keys: SealKeys = KEYS, *, after: int = 0) -> Report:
    with transaction(engine, actor=None) as session:
        return verify(session, keys, after=after)


def fault(engine: Engine, keys: SealKeys = KEYS) -> str:
    """Give the fault in words; both languages name the same numbers."""
    found = verified(engine, keys).fault
    assert found is not None
    assert set(re.findall(r"\d+", found.zh)) == set(re.findall(r"\d+", found.en))
    return found.zh


def do(god: Connection, statement: str, **values: object) -> None:
    god.execute(text(statement), values)


def mend(god: Connection, number: int) -> None:
    """Give an edited row the digest of its present contents, as a knowing tamperer does."""
    do(god, f"update history set digest = {DIGEST.format(row='history')} where id = :id", id=number)  # noqa: S608
