"""Amendments to the plan of a published year.

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


def downgrade() -> None:
    op.drop_table("amendment")
