"""The spine: people, cycles, rolls, study and talks, waivers, letters, and the history of them all.

Revision: 20241201_spine
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20241201_spine"
down_revision = None
branch_labels = None
depends_on = None


class TransactionId(sa.types.UserDefinedType[str]):
    """PostgreSQL's ``xid8``."""

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


ZHIBU_RECORD_HISTORY = """
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

ZHIBU_PROCESS_CHANGED = """
create or replace function zhibu_process_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'UPDATE' and (old.cycle_id, old.kind, old.stage, coalesce(old.due_on, 'infinity'), old.round > 1 and old.stage in ('study', 'talks', 'self_review', 'rating', 'rectification', 'report'), old.late) is not distinct from (new.cycle_id, new.kind, new.stage, coalesce(new.due_on, 'infinity'), new.round > 1 and new.stage in ('study', 'talks', 'self_review', 'rating', 'rectification', 'report'), new.late)
        and old.round = new.round and old.version = new.version then
        return null;
    end if;
    if tg_op = 'INSERT' or (old.cycle_id, old.kind, old.stage, coalesce(old.due_on, 'infinity'), old.round > 1 and old.stage in ('study', 'talks', 'self_review', 'rating', 'rectification', 'report'), old.late) is distinct from (new.cycle_id, new.kind, new.stage, coalesce(new.due_on, 'infinity'), new.round > 1 and new.stage in ('study', 'talks', 'self_review', 'rating', 'rectification', 'report'), new.late) then
        if tg_op = 'UPDATE' then
            insert into progress_delta (cycle_id, kind, stage, due_on, again, late, n) values (old.cycle_id, old.kind, old.stage, coalesce(old.due_on, 'infinity'), old.round > 1 and old.stage in ('study', 'talks', 'self_review', 'rating', 'rectification', 'report'), old.late, -1);
        end if;
        insert into progress_delta (cycle_id, kind, stage, due_on, again, late, n) values (new.cycle_id, new.kind, new.stage, coalesce(new.due_on, 'infinity'), new.round > 1 and new.stage in ('study', 'talks', 'self_review', 'rating', 'rectification', 'report'), new.late, 1);
    end if;
    insert into branch_change (cycle_id, process_id) values (new.cycle_id, new.id);
    return null;
end $$
"""

ZHIBU_BRANCH_CHANGED = """
create or replace function zhibu_branch_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into branch_change (cycle_id, process_id) select p.cycle_id, p.id from process p where p.branch_id = new.id;
    return null;
end $$
"""

ZHIBU_SECRETARY_CHANGED = """
create or replace function zhibu_secretary_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into branch_change (cycle_id, process_id) select p.cycle_id, p.id from process p where p.id = new.process_id;
    return null;
end $$
"""


def upgrade() -> None:
    # The application asks whether its migrations are complete.
    op.execute("grant select on alembic_version to zhibu_app")
    op.execute(ZHIBU_RECORD_HISTORY)
    op.execute(ZHIBU_PROCESS_CHANGED)
    op.execute(ZHIBU_BRANCH_CHANGED)
    op.execute(ZHIBU_SECRETARY_CHANGED)
    op.create_table(
        "branch",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit_code", sa.Text(), nullable=False),
        sa.Column("unit_name", sa.Text(), nullable=False),
        sa.Column("has_committee", sa.Boolean(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branch")),
        sa.UniqueConstraint("code", name=op.f("uq_branch_code")),
    )
    op.create_table(
        "branch_change",
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("xid", TransactionId(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branch_change")),
    )
    op.create_index("ix_branch_change_process", "branch_change", ["process_id", "xid", "id"], unique=False)
    op.create_index("ix_branch_change_since", "branch_change", ["cycle_id", "xid"], unique=False)
    op.create_table(
        "cycle",
        sa.Column("year", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("theme", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("draft", "published", "closed", name="cyclestatus", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("deadlines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("year between 2000 and 2999", name=op.f("ck_cycle_year")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cycle")),
        sa.UniqueConstraint("year", name=op.f("uq_cycle_year")),
    )
    op.create_table(
        "history",
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=True),
        sa.Column("old", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("new", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index("ix_history_process", "history", ["process_id", "id"], unique=False, postgresql_where="process_id is not null")
    op.create_index("ix_history_row", "history", ["what", "row_key", "id"], unique=False)
    op.create_table(
        "progress_delta",
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_progress_delta")),
    )
    op.create_index("ix_progress_delta_cycle", "progress_delta", ["cycle_id", "kind"], unique=False)
    op.create_table(
        "roster_import",
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("problems", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("roster", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("applicable", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_by", sa.Text(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("applied_at is null or applicable", name=op.f("ck_roster_import_applied")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_import")),
    )
    op.create_table(
        "worker_heartbeat",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("last_tick", sa.DateTime(timezone=True), nullable=False),
        sa.Column("oldest_unsent", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_worker_heartbeat_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_heartbeat")),
    )
    op.create_table(
        "person",
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("gender", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column("standing", sa.Enum("full", "probationary", name="standing", native_enum=False, create_constraint=True, length=32), nullable=True),
        sa.Column("joined_on", sa.Date(), nullable=True),
        sa.Column("confirmed_on", sa.Date(), nullable=True),
        sa.Column("cadre", sa.Boolean(), nullable=False),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("staff_no ~ '^[0-9A-Za-z_-]{1,32}$'", name=op.f("ck_person_staff_no")),
        sa.CheckConstraint("branch_id is null or standing is not null", name=op.f("ck_person_member_has_standing")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_person_branch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("staff_no", name=op.f("uq_person_staff_no")),
    )
    op.create_index("ix_person_branch", "person", ["branch_id"], unique=False)
    op.create_table(
        "process",
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Enum("appraisal", name="kind", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column(
            "stage",
            sa.Enum(
                "study",
                "talks",
                "self_review",
                "rating",
                "rectification",
                "report",
                "filed",
                "accepted",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("round_due_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'appraisal' and stage in ('study', 'talks', 'self_review', 'rating', 'rectification', 'report', 'filed', 'accepted'))",
            name=op.f("ck_process_stage_of_kind"),
        ),
        sa.CheckConstraint("round >= 1 and version >= 1", name=op.f("ck_process_counting")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_process_branch_id")),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_process_cycle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process")),
        sa.UniqueConstraint("cycle_id", "branch_id", "kind", name=op.f("uq_process_cycle_id_branch_id_kind")),
    )
    op.create_index("ix_process_board", "process", ["cycle_id", "kind", "stage", "due_on"], unique=False)
    op.create_index("ix_process_branch_id", "process", ["branch_id"], unique=False)
    op.create_table(
        "progress_count",
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Enum("appraisal", name="kind", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column(
            "stage",
            sa.Enum(
                "study",
                "talks",
                "self_review",
                "rating",
                "rectification",
                "report",
                "filed",
                "accepted",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_progress_count_cycle_id")),
        sa.PrimaryKeyConstraint("cycle_id", "kind", "stage", "due_on", "again", "late", name=op.f("pk_progress_count")),
    )
    op.create_table(
        "account",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_account_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_account")),
    )
    op.create_table(
        "appointment",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "post",
            sa.Enum("secretary", "deputy", "committee_member", "group_leader", name="post", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column(
            "role",
            sa.Enum(
                "office",
                "committee",
                "auditor",
                "administrator",
                "secretary",
                "committee_member",
                "member",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("on_committee", sa.Boolean(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("(post is null) <> (role is null)", name=op.f("ck_appointment_post_or_role")),
        sa.CheckConstraint("(post is null) = (branch_id is null)", name=op.f("ck_appointment_post_in_branch")),
        sa.CheckConstraint("ends_on is null or ends_on >= starts_on - 1", name=op.f("ck_appointment_dates")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_appointment_branch_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_appointment_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment")),
    )
    op.create_index("ix_appointment_person", "appointment", ["person_id"], unique=False)
    op.create_index(
        "uq_appointment_open",
        "appointment",
        ["person_id", "branch_id", "post", "role"],
        unique=True,
        postgresql_where="ends_on is null",
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "extension",
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "stage",
            sa.Enum(
                "study",
                "talks",
                "self_review",
                "rating",
                "rectification",
                "report",
                "filed",
                "accepted",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_extension_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extension")),
    )
    op.create_index("ix_extension_process", "extension", ["process_id", "stage", "round"], unique=False)
    op.create_table(
        "kept_answer",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_kept_answer_person_id")),
        sa.PrimaryKeyConstraint("person_id", "route", "key", name=op.f("pk_kept_answer")),
    )
    op.create_index("ix_kept_answer_at", "kept_answer", ["at"], unique=False)
    op.create_table(
        "letter",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=True),
        sa.Column("cycle_id", sa.BigInteger(), nullable=True),
        sa.Column("recipient_id", sa.BigInteger(), nullable=False),
        sa.Column("recipient_name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "sending",
                "sent",
                "failed",
                "unknown",
                "no_address",
                "moot",
                name="letterstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("(address is null) = (state = 'no_address')", name=op.f("ck_letter_address")),
        sa.CheckConstraint("(state = 'sending') = (leased_until is not null)", name=op.f("ck_letter_lease")),
        sa.CheckConstraint("(state = 'sent') = (sent_at is not null)", name=op.f("ck_letter_sent")),
        sa.CheckConstraint("state <> 'pending' or next_at is not null", name=op.f("ck_letter_pending_is_tried")),
        sa.CheckConstraint("state in ('pending', 'sending', 'unknown') or next_at is null", name=op.f("ck_letter_ended")),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_letter_cycle_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_letter_process_id")),
        sa.ForeignKeyConstraint(["recipient_id"], ["person.id"], name=op.f("fk_letter_recipient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter")),
        sa.UniqueConstraint("key", name=op.f("uq_letter_key")),
        sa.UniqueConstraint("message_id", name=op.f("uq_letter_message_id")),
    )
    op.create_index("ix_letter_cycle", "letter", ["cycle_id", "id"], unique=False)
    op.create_index("ix_letter_in_hand", "letter", ["leased_until"], unique=False, postgresql_where="state = 'sending'")
    op.create_index("ix_letter_process", "letter", ["process_id", "id"], unique=False)
    op.create_index("ix_letter_recipient", "letter", ["recipient_id", "id"], unique=False)
    op.create_index("ix_letter_to_send", "letter", ["next_at", "id"], unique=False, postgresql_where="next_at is not null")
    op.create_table(
        "participant",
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("standing", sa.Enum("full", "probationary", name="standing", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column(
            "post",
            sa.Enum("secretary", "deputy", "committee_member", "group_leader", name="post", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("on_committee", sa.Boolean(), nullable=False),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.Column("cadre", sa.Boolean(), nullable=False),
        sa.Column("voting", sa.Boolean(), nullable=False),
        sa.Column("punished_on", sa.Date(), nullable=True),
        sa.Column("excused_reason", sa.Text(), nullable=True),
        sa.Column("excused_confirmed_by", sa.Text(), nullable=True),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("rated_here", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_participant_person_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_participant_process_id")),
        sa.PrimaryKeyConstraint("process_id", "person_id", name=op.f("pk_participant")),
    )
    op.create_index("ix_participant_person", "participant", ["person_id"], unique=False)
    op.create_table(
        "stage_change",
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "trigger",
            sa.Enum(
                "advance",
                "file",
                "accept",
                "return",
                "step_back",
                "withdraw",
                "reopen",
                name="trigger",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "source",
            sa.Enum(
                "study",
                "talks",
                "self_review",
                "rating",
                "rectification",
                "report",
                "filed",
                "accepted",
                name="source",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "target",
            sa.Enum(
                "study",
                "talks",
                "self_review",
                "rating",
                "rectification",
                "report",
                "filed",
                "accepted",
                name="target",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_stage_change_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_change")),
    )
    op.create_index("ix_stage_change_process", "stage_change", ["process_id", "id"], unique=False)
    op.create_table(
        "study_session",
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("form", sa.Text(), nullable=True),
        sa.Column("titles", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_reason", sa.Text(), nullable=True),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_study_session_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_session")),
    )
    op.create_index(op.f("ix_study_session_process_id"), "study_session", ["process_id"], unique=False)
    op.create_table(
        "talk",
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("talker", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("way", sa.Enum("face", "phone", name="way", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("focus", sa.Boolean(), nullable=False),
        sa.Column("focus_reason", sa.Text(), nullable=True),
        sa.Column("opinions_branch", sa.Text(), nullable=True),
        sa.Column("opinions_committee", sa.Text(), nullable=True),
        sa.Column("affirmed", sa.Text(), nullable=True),
        sa.Column("shortcomings", sa.Text(), nullable=True),
        sa.Column("exchange", sa.Text(), nullable=True),
        sa.Column("private_notes", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_reason", sa.Text(), nullable=True),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("talker <> partner", name=op.f("ck_talk_two_people")),
        sa.ForeignKeyConstraint(["partner"], ["person.staff_no"], name=op.f("fk_talk_partner"), onupdate="CASCADE"),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_talk_process_id")),
        sa.ForeignKeyConstraint(["talker"], ["person.staff_no"], name=op.f("fk_talk_talker"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_talk")),
    )
    op.create_index(
        "ix_talk_pair", "talk", ["process_id", "talker", "partner"], unique=False, postgresql_where="withdrawn_at is null and rejected_at is null"
    )
    op.create_index(op.f("ix_talk_process_id"), "talk", ["process_id"], unique=False)
    op.create_table(
        "token",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_token_expires")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_token_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
    )
    op.create_index(op.f("ix_token_person_id"), "token", ["person_id"], unique=False)
    op.create_table(
        "waiver",
        sa.Column("requirement", sa.Text(), nullable=False),
        sa.Column("covers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("names", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_reason", sa.Text(), nullable=True),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("jsonb_typeof(covers) = 'object'", name=op.f("ck_waiver_covers")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_waiver_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiver")),
    )
    op.create_index(
        "ix_waiver_covering", "waiver", ["process_id", "requirement"], unique=False, postgresql_where="withdrawn_at is null and rejected_at is null"
    )
    op.create_index(op.f("ix_waiver_process_id"), "waiver", ["process_id"], unique=False)
    op.create_table(
        "web_session",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_web_session_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
        sa.UniqueConstraint("hash", name=op.f("uq_web_session_hash")),
    )
    op.create_index(op.f("ix_web_session_person_id"), "web_session", ["person_id"], unique=False)
    op.create_table(
        "study_attendance",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_study_attendance_process_id")),
        sa.ForeignKeyConstraint(["session_id"], ["study_session.id"], name=op.f("fk_study_attendance_session_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_study_attendance_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("session_id", "staff_no", name=op.f("pk_study_attendance")),
    )
    op.create_table(
        "study_make_up",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("made_up_on", sa.Date(), nullable=False),
        sa.Column("how", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_study_make_up_process_id")),
        sa.ForeignKeyConstraint(["session_id"], ["study_session.id"], name=op.f("fk_study_make_up_session_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_study_make_up_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_make_up")),
        sa.UniqueConstraint("session_id", "staff_no", name=op.f("uq_study_make_up_session_id_staff_no")),
    )
    op.create_table(
        "talk_follow_up",
        sa.Column("talk_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_talk_follow_up_process_id")),
        sa.ForeignKeyConstraint(["talk_id"], ["talk.id"], name=op.f("fk_talk_follow_up_talk_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_talk_follow_up")),
    )
    op.create_index(op.f("ix_talk_follow_up_talk_id"), "talk_follow_up", ["talk_id"], unique=False)
    op.execute("create trigger zhibu_history after insert or update or delete on branch for each row execute function zhibu_record_history('id', '')")
    op.execute(
        "create trigger zhibu_progress after update of code, name, unit_code, unit_name on branch for each row when (old.* is distinct from new.*) execute function zhibu_branch_changed()"
    )
    op.execute("create trigger zhibu_history after insert or update or delete on cycle for each row execute function zhibu_record_history('id', '')")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on roster_import for each row execute function zhibu_record_history('id', 'problems,roster,summary')"
    )
    op.execute("create trigger zhibu_history after insert or update or delete on person for each row execute function zhibu_record_history('id', '')")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on process for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("create trigger zhibu_progress after insert or update on process for each row execute function zhibu_process_changed()")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on appointment for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on participant for each row execute function zhibu_record_history('process_id,person_id', '')"
    )
    op.execute(
        "create trigger zhibu_progress_in after insert on participant for each row when (new.post = 'secretary') execute function zhibu_secretary_changed()"
    )
    op.execute(
        "create trigger zhibu_progress after update of post, name, staff_no, left_on on participant for each row when (old.post = 'secretary' or new.post = 'secretary') execute function zhibu_secretary_changed()"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on stage_change for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on extension for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("create trigger zhibu_history after insert or update or delete on waiver for each row execute function zhibu_record_history('id', '')")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on study_session for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on talk for each row execute function zhibu_record_history('id', 'focus_reason,opinions_branch,opinions_committee,affirmed,shortcomings,exchange,private_notes')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on account for each row execute function zhibu_record_history('person_id', 'password_hash')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on token for each row execute function zhibu_record_history('id', 'hash')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on web_session for each row execute function zhibu_record_history('id', 'hash')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on study_attendance for each row execute function zhibu_record_history('session_id,staff_no', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on study_make_up for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on talk_follow_up for each row execute function zhibu_record_history('id', 'what')"
    )
    op.execute("grant select on history to zhibu_app")
    op.execute("grant select, insert, update, delete on branch to zhibu_app")
    op.execute("grant select, insert, update, delete on cycle to zhibu_app")
    op.execute("grant select, delete, update on progress_delta to zhibu_app")
    op.execute("grant select, delete on branch_change to zhibu_app")
    op.execute("grant select, insert, update on worker_heartbeat to zhibu_app")
    op.execute("grant select, insert, update, delete on roster_import to zhibu_app")
    op.execute("grant select, insert, update, delete on person to zhibu_app")
    op.execute("grant select, insert, update, delete on process to zhibu_app")
    op.execute("grant select, insert, update on progress_count to zhibu_app")
    op.execute("grant select, insert, update, delete on appointment to zhibu_app")
    op.execute("grant select, insert, update, delete on participant to zhibu_app")
    op.execute("grant select, insert, update, delete on stage_change to zhibu_app")
    op.execute("grant select, insert, update, delete on extension to zhibu_app")
    op.execute("grant select, insert, delete on kept_answer to zhibu_app")
    op.execute("grant select, insert, update, delete on waiver to zhibu_app")
    op.execute("grant select, insert, update, delete on study_session to zhibu_app")
    op.execute("grant select, insert, update, delete on talk to zhibu_app")
    op.execute("grant select, insert, update on letter to zhibu_app")
    op.execute("grant select, insert, update, delete on account to zhibu_app")
    op.execute("grant select, insert, update, delete on token to zhibu_app")
    op.execute("grant select, insert, update, delete on web_session to zhibu_app")
    op.execute("grant select, insert, update, delete on study_attendance to zhibu_app")
    op.execute("grant select, insert, update, delete on study_make_up to zhibu_app")
    op.execute("grant select, insert, update, delete on talk_follow_up to zhibu_app")


def downgrade() -> None:
    op.drop_index(op.f("ix_talk_follow_up_talk_id"), table_name="talk_follow_up")
    op.drop_table("talk_follow_up")
    op.drop_table("study_make_up")
    op.drop_table("study_attendance")
    op.drop_index(op.f("ix_web_session_person_id"), table_name="web_session")
    op.drop_table("web_session")
    op.drop_index(op.f("ix_waiver_process_id"), table_name="waiver")
    op.drop_index("ix_waiver_covering", table_name="waiver", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_table("waiver")
    op.drop_index(op.f("ix_token_person_id"), table_name="token")
    op.drop_table("token")
    op.drop_index(op.f("ix_talk_process_id"), table_name="talk")
    op.drop_index("ix_talk_pair", table_name="talk", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_table("talk")
    op.drop_index(op.f("ix_study_session_process_id"), table_name="study_session")
    op.drop_table("study_session")
    op.drop_index("ix_stage_change_process", table_name="stage_change")
    op.drop_table("stage_change")
    op.drop_index("ix_participant_person", table_name="participant")
    op.drop_table("participant")
    op.drop_index("ix_letter_to_send", table_name="letter", postgresql_where="next_at is not null")
    op.drop_index("ix_letter_recipient", table_name="letter")
    op.drop_index("ix_letter_process", table_name="letter")
    op.drop_index("ix_letter_in_hand", table_name="letter", postgresql_where="state = 'sending'")
    op.drop_index("ix_letter_cycle", table_name="letter")
    op.drop_table("letter")
    op.drop_index("ix_kept_answer_at", table_name="kept_answer")
    op.drop_table("kept_answer")
    op.drop_index("ix_extension_process", table_name="extension")
    op.drop_table("extension")
    op.drop_index("uq_appointment_open", table_name="appointment", postgresql_where="ends_on is null", postgresql_nulls_not_distinct=True)
    op.drop_index("ix_appointment_person", table_name="appointment")
    op.drop_table("appointment")
    op.drop_table("account")
    op.drop_table("progress_count")
    op.drop_index("ix_process_branch_id", table_name="process")
    op.drop_index("ix_process_board", table_name="process")
    op.drop_table("process")
    op.drop_index("ix_person_branch", table_name="person")
    op.drop_table("person")
    op.drop_table("worker_heartbeat")
    op.drop_table("roster_import")
    op.drop_index("ix_progress_delta_cycle", table_name="progress_delta")
    op.drop_table("progress_delta")
    op.drop_index("ix_history_row", table_name="history")
    op.drop_index("ix_history_process", table_name="history", postgresql_where="process_id is not null")
    op.drop_table("history")
    op.drop_table("cycle")
    op.drop_index("ix_branch_change_since", table_name="branch_change")
    op.drop_index("ix_branch_change_process", table_name="branch_change")
    op.drop_table("branch_change")
    op.drop_table("branch")
    op.execute("drop function zhibu_record_history()")
    op.execute("drop function zhibu_process_changed()")
    op.execute("drop function zhibu_branch_changed()")
    op.execute("drop function zhibu_secretary_changed()")
