"""Rows of the history keep a digest of their contents; seals hold the rows in their order.

Rows of before get their digest now: the seals prove them from their first seal on. Downgrading
drops digests and seals; upgrading again begins a new chain, which ``zhibu verify`` tells.

Revision: 20250115_seals
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20250115_seals"
down_revision = "20250114_roles"
branch_labels = None
depends_on = None

DIGEST = "pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.json_build_array(salt, reason, old, new)::pg_catalog.text, 'UTF8'))"

RECORD_WITH_DIGEST = """
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
        select coalesce(jsonb_object_agg(b.key, b.value), '{}'), coalesce(jsonb_object_agg(b.key, after -> b.key), '{}') into before, after
            from jsonb_each(before) b where b.value is distinct from after -> b.key;
        if before = '{}' then
            return null;
        end if;
    end if;
    foreach field in array hidden loop
        if before ? field and before ->> field is not null then before := jsonb_set(before, array[field], '"changed"'); end if;
        if after ? field and after ->> field is not null then after := jsonb_set(after, array[field], '"changed"'); end if;
    end loop;
    insert into history (actor, on_behalf_of, reason, what, row_key, process_id, old, new, salt, digest)
    select h.*, pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.json_build_array(h.salt, h.reason, h.old, h.new)::pg_catalog.text, 'UTF8')) from (
        select who, nullif(current_setting('zhibu.on_behalf_of', true), ''), nullif(current_setting('zhibu.reason', true), '') as reason,
            tg_table_name,
            (select string_agg(present ->> k, ':' order by n) from unnest(string_to_array(tg_argv[0], ',')) with ordinality as key(k, n)),
            case when tg_table_name = 'process' then (present ->> 'id')::bigint else (present ->> 'process_id')::bigint end,
            before as old, after as new, gen_random_uuid() as salt
    ) h;
    return null;
end $$
"""

RECORD = """
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
        select coalesce(jsonb_object_agg(b.key, b.value), '{}'), coalesce(jsonb_object_agg(b.key, after -> b.key), '{}') into before, after
            from jsonb_each(before) b where b.value is distinct from after -> b.key;
        if before = '{}' then
            return null;
        end if;
    end if;
    foreach field in array hidden loop
        if before ? field and before ->> field is not null then before := jsonb_set(before, array[field], '"changed"'); end if;
        if after ? field and after ->> field is not null then after := jsonb_set(after, array[field], '"changed"'); end if;
    end loop;
    insert into history (actor, on_behalf_of, reason, what, row_key, process_id, old, new)
    values (
        who, nullif(current_setting('zhibu.on_behalf_of', true), ''), nullif(current_setting('zhibu.reason', true), ''),
        tg_table_name,
        (select string_agg(present ->> k, ':' order by n) from unnest(string_to_array(tg_argv[0], ',')) with ordinality as key(k, n)),
        case when tg_table_name = 'process' then (present ->> 'id')::bigint else (present ->> 'process_id')::bigint end,
        before, after
    );
    return null;
end $$
"""


def upgrade() -> None:
    # Written anew once, with the digest computed on the way: an UPDATE would write each row twice.
    op.execute("alter table history add column salt uuid default gen_random_uuid()")
    op.execute("alter table history alter column salt drop default")
    op.add_column("history", sa.Column("digest", sa.LargeBinary(), nullable=True))
    op.execute(f"alter table history alter column digest type bytea using {DIGEST}, alter column digest set not null")
    op.create_check_constraint(op.f("ck_history_destroyed"), "history", "salt is not null or num_nonnulls(reason, old, new) = 0")
    op.execute(RECORD_WITH_DIGEST)
    op.create_table(
        "history_seal",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_history_seal")),
    )
    op.execute("grant select, insert on history_seal to zhibu_app")


def downgrade() -> None:
    op.drop_table("history_seal")
    op.execute(RECORD)
    op.drop_constraint(op.f("ck_history_destroyed"), "history")
    op.drop_column("history", "digest")
    op.drop_column("history", "salt")
