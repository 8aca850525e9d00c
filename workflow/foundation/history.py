"""History (变更记录): the actor, the old and the new values of every change.

The database keeps it itself, so that no path can forget it. A trigger on every tracked table writes
a row for each change with the actor of the transaction, and refuses any change while no actor is
set. Secrets and fields that have their own readers are left out: ``"changed"`` stands for their
values. A row keeps a digest of its contents, by which the seals prove it (``docs/0037``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, DateTime, Index, Select, Table, event, func, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import APPLICATION_ROLE, Base, Numbered, ddl, table_of
from workflow.foundation.personal import Area, Data, personal

HIDDEN = "hidden"
"""The key of ``Table.info`` for the columns whose values the history leaves out."""


class History(Numbered, Base):
    """One change of one row (变更记录)."""

    __tablename__ = "history"

    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    actor: Mapped[str]
    on_behalf_of: Mapped[str | None]
    reason: Mapped[str | None]
    what: Mapped[str]
    """The table."""
    row_key: Mapped[str]
    process_id: Mapped[int | None] = mapped_column(BigInteger)
    old: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    new: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    salt: Mapped[UUID | None] = mapped_column(sort_order=100)
    """A random number that goes with the contents.

    Without it nobody can try out which contents the digest is of.
    """
    digest: Mapped[bytes] = mapped_column(sort_order=101)
    """The SHA-256 of the contents: ``DIGEST``. It stays when they are destroyed."""

    __table_args__ = (
        CheckConstraint("salt is not null or num_nonnulls(reason, old, new) = 0", name="destroyed"),
        Index("ix_history_process", "process_id", "id", postgresql_where="process_id is not null"),
        Index("ix_history_row", "what", "row_key", "id"),
        Index("ix_history_school", "id", postgresql_where="process_id is null"),
    )


DIGEST = (
    "pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.json_build_array({row}.salt, {row}.reason, {row}.old, {row}.new)::pg_catalog.text, 'UTF8'))"
)
"""The digest of what a row of the history says, in SQL.

Reason, old and new values are the contents: they may be destroyed whole, salt and all. Who, when
and which row are no part of it; the seal holds them.
"""

RECORD = f"""
create or replace function zhibu_record_history() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who text := nullif(current_setting('zhibu.actor', true), '');
    hidden text[] := string_to_array(tg_argv[1], ',');
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    present jsonb := coalesce(after, before);
    field text;
begin
    if who is null then
        raise exception 'a change of % without an actor', tg_table_name using errcode = 'ZH001';
    end if;
    if tg_op = 'UPDATE' then
        select coalesce(jsonb_object_agg(b.key, b.value), '{{}}'), coalesce(jsonb_object_agg(b.key, after -> b.key), '{{}}') into before, after
            from jsonb_each(before) b where b.value is distinct from after -> b.key;
        if before = '{{}}' then
            return null;
        end if;
    end if;
    foreach field in array hidden loop
        if before ? field and before ->> field is not null then before := jsonb_set(before, array[field], '"changed"'); end if;
        if after ? field and after ->> field is not null then after := jsonb_set(after, array[field], '"changed"'); end if;
    end loop;
    insert into history (actor, on_behalf_of, reason, what, row_key, process_id, old, new, salt, digest)
    select h.*, {DIGEST.format(row="h")} from (
        select who, nullif(current_setting('zhibu.on_behalf_of', true), ''), nullif(current_setting('zhibu.reason', true), '') as reason,
            tg_table_name,
            (select string_agg(present ->> k, ':' order by n) from unnest(string_to_array(tg_argv[0], ',')) with ordinality as key(k, n)),
            case when tg_table_name = 'process' then (present ->> 'id')::bigint else (present ->> 'process_id')::bigint end,
            before as old, after as new, gen_random_uuid() as salt
    ) h;
    return null;
end $$
"""  # noqa: S608  (no value is put into it)

event.listen(Base.metadata, "before_create", ddl(RECORD))


def grant_statements(table: str, privileges: str) -> str:
    """Write the statement that grants the application these privileges on a table."""
    return f"grant {privileges} on {table} to {APPLICATION_ROLE}"


M = TypeVar("M", bound=Base)


def granted(privileges: str = "select, insert, update, delete") -> Callable[[type[M]], type[M]]:
    """Grant the table of a mapped class to the application role (decorator)."""

    def grant(model: type[M]) -> type[M]:
        event.listen(table_of(model), "after_create", ddl(grant_statements(table_of(model).name, privileges)))
        return model

    return grant


def tracked(*, hidden: Sequence[str] = ()) -> Callable[[type[M]], type[M]]:
    """Grant the table of a mapped class and keep its history (decorator).

    Of ``hidden`` columns it records only that they changed. The trigger hangs on the metadata, so
    that ``create_all`` has it as the migration does.
    """

    def track(model: type[M]) -> type[M]:
        table = table_of(granted()(model))
        table.info[HIDDEN] = frozenset(hidden)
        event.listen(table, "after_create", ddl(trigger_statement(table, hidden)))
        return model

    return track


def trigger_statement(table: Table, hidden: Sequence[str] = ()) -> str:
    """Write the trigger that keeps the history of a table."""
    keys = ",".join(column.name for column in table.primary_key.columns)
    return (
        f"create trigger zhibu_history after insert or update or delete on {table.name} "
        f"for each row execute function zhibu_record_history('{keys}', '{','.join(hidden)}')"
    )


granted("select")(History)
personal(
    History,
    Area.SYSTEM,
    "变更记录",
    Data(
        "actor 谁, on_behalf_of 代谁, at 时间, reason 理由, row_key 哪一条（可能是学工号）, old 原值, new 新值",
        "谁在什么时候改了什么（Q2）",
        "与所记录的内容相同；人员和账号的变更为 read_history",
        "与所记录的内容一样久",
    ),
    of="改动的人，所改的内容说到的人",
    other="what process_id salt digest",
)


def history_of(process_id: int, visible: ColumnElement[bool], *, after: int = 0, limit: int = 200, newest: bool = False) -> Select[History]:
    """Select the changes of one process that the reader may see, oldest or newest first."""
    of_process = select(History).where(History.process_id == process_id, visible).limit(limit)
    if newest:
        return of_process.where(History.id < after if after else true()).order_by(History.id.desc())
    return of_process.where(History.id > after).order_by(History.id)


def changed_since(session: Session, model: type[Any], key: object, version: int) -> list[dict[str, Any]]:
    """List the changes of a versioned row since a version: who, when, which fields.

    A 412 answer tells them.
    """
    if version < 0:
        return []
    seen_version = History.new["version"].as_string().cast(BigInteger)
    rows = session.scalars(
        select(History).where(History.what == table_of(model).name, History.row_key == str(key), seen_version > version).order_by(History.id)
    )
    return [
        {"at": row.at.isoformat(), "by": row.actor, "version": new["version"], "fields": sorted(set(new) - {"version"})}
        for row in rows
        for new in [row.new or {}]
    ]
