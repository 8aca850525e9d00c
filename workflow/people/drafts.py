"""Drafts (草稿): what somebody has typed into a form and not sent yet, theirs alone.

A lost connection, an ended session or another device must not cost a page of text. A draft has no
history and is no record: nothing asks for it, nobody else reads it. It is gone once its form is
done, or after thirty days by the database's clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import BigInteger, CursorResult, ForeignKey, Index, PrimaryKeyConstraint, delete, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import DATABASE_NOW, Base
from workflow.foundation.errors import Conflict, Invalid, NotFound, Stale, Words
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, Data, personal

KEPT_FOR = timedelta(days=30)
CHARACTERS, DRAFTS = 100_000, 50
"""The most characters of one draft, and the most drafts of one person."""
FORMS = frozenset({"record_self_review", "amend_self_review", "record_meeting", "amend_meeting", "write_duty_report"})
"""The acts whose forms keep a draft: those for which people write more than a few lines."""
ON = re.compile(r"[0-9A-Za-z_-]{1,100}")
"""The thing that the form is for: the parts of its address, joined."""


@granted("select, insert, update, delete")
class Draft(Base):
    """A form that is being filled in (草稿)."""

    __tablename__ = "draft"
    __table_args__ = (PrimaryKeyConstraint("person_id", "act", "about"), Index("ix_draft_saved_at", "saved_at"))

    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id"))
    act: Mapped[str]
    about: Mapped[str]
    typed: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The texts by the names of the form's fields."""
    version: Mapped[int]
    saved_at: Mapped[datetime]


personal(
    Draft,
    Area.SYSTEM,
    "草稿",
    Data(
        "person_id 何人, act 办的是什么, about 办的是哪一件（可能有学工号）, typed 填到一半的内容, saved_at 保存时间",
        "断线、登录过期、换设备时不丢已填的内容",
        "填写人本人",
        f"办成即删；没有办成的 {KEPT_FOR.days} 天",
    ),
    of="填写表单的人",
)


def draft_of(session: Session, person_id: int, act: str, about: str, *, held: bool = False) -> Draft | None:
    """Find somebody's draft of a form. Raises NotFound for a form that keeps none."""
    if act not in FORMS or not ON.fullmatch(about):
        raise NotFound
    own = (Draft.person_id == person_id, Draft.act == act, Draft.about == about)
    found = select(Draft).where(*own, Draft.saved_at >= DATABASE_NOW - KEPT_FOR)
    return session.scalar(found.with_for_update() if held else found)


def keep_draft(session: Session, found: Draft | None, typed: Mapping[str, str], *, person_id: int, act: str, about: str, seen: int | None) -> Draft:
    """Keep what was typed, whole. Raises Invalid, Conflict, Stale.

    A newer text from another device is not written over unseen.
    """
    if sum(len(name) + len(text) for name, text in typed.items()) > CHARACTERS:
        raise Invalid({"typed": Words(f"草稿最多 {CHARACTERS} 字", f"a draft has at most {CHARACTERS} characters")})
    if (0 if found is None else found.version) != (seen or 0):
        raise Stale(version=0 if found is None else found.version, changed=[])
    if found is None:
        return _first(session, typed, person_id=person_id, act=act, about=about)
    found.typed, found.version, found.saved_at = dict(typed), found.version + 1, DATABASE_NOW
    session.flush()
    session.refresh(found)
    return found


def _first(session: Session, typed: Mapping[str, str], *, person_id: int, act: str, about: str) -> Draft:
    """Insert a draft; one that is too old to be shown makes room."""
    drop_draft(session, person_id, act, about, older_than=KEPT_FOR)
    if len(session.scalars(select(Draft.about).where(Draft.person_id == person_id).limit(DRAFTS)).all()) == DRAFTS:
        raise Conflict(Words(f"草稿最多保存 {DRAFTS} 份，请先办完或删去几份", f"at most {DRAFTS} drafts are kept: finish or delete some"))
    values = {"person_id": person_id, "act": act, "about": about, "typed": dict(typed), "version": 1, "saved_at": DATABASE_NOW}
    row: Draft | None = session.scalar(insert(Draft).values(**values).on_conflict_do_nothing().returning(Draft))
    if row is None:
        # Another window was quicker.
        raise Stale(version=1, changed=[])
    return row


def drop_draft(session: Session, person_id: int, act: str, about: str, *, older_than: timedelta = timedelta()) -> None:
    """Delete somebody's draft of a form, if there is one."""
    own = (Draft.person_id == person_id, Draft.act == act, Draft.about == about)
    session.execute(delete(Draft).where(*own, Draft.saved_at <= DATABASE_NOW - older_than))


def forget_old_drafts(session: Session) -> int:
    """Delete drafts older than thirty days by the database's clock; return how many."""
    done = session.execute(delete(Draft).where(Draft.saved_at < DATABASE_NOW - KEPT_FOR))
    return cast(CursorResult[Any], done).rowcount
