"""Amendments to the plan of a published year.

A reason for a member who has not studied now covers a number of titles, so that it does not cover
those that an amendment adds. Reasons of before cover all titles of their plan: they still do.

Revision: 20250102_amendments
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20250102_amendments"
down_revision = "20250101_status_reason"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "amendment",
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("required_reading", JSONB(), nullable=False),
        sa.Column("deadlines", JSONB(), nullable=False),
        sa.Column("texts", JSONB(), nullable=False),
        sa.Column("before", JSONB(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_amendment_cycle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_amendment")),
        sa.UniqueConstraint("cycle_id", "number", name=op.f("uq_amendment_cycle_id_number")),
    )
    op.execute("grant select, insert, update, delete on amendment to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on amendment for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("select set_config('zhibu.actor', 'cli', true)")
    op.execute("""
        update waiver w
        set covers = (
            select jsonb_object_agg(c.key, greatest(c.value::int, jsonb_array_length(y.plan -> 'rules' -> 'required_reading')))
            from jsonb_each_text(w.covers) c
        )
        from process p join cycle y on y.id = p.cycle_id
        where p.id = w.process_id and w.requirement = 'members_who_have_not_studied' and w.covers <> '{}'
    """)


def downgrade() -> None:
    # A reason for more titles covers the one thing that the version before counts.
    op.drop_table("amendment")
