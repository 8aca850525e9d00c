"""Letters that could not be written, and steps of the worker that failed.

Revision: 20241212_aside
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241212_aside"
down_revision = "20241211_personal_data"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "letter_aside",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_letter_aside_process_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_letter_aside")),
    )
    op.execute("grant select, insert, update, delete on letter_aside to zhibu_app")
    op.alter_column("worker_heartbeat", "last_tick", nullable=True)
    op.add_column("worker_heartbeat", sa.Column("failed", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_worker_heartbeat_truth"), "worker_heartbeat", "last_tick is not null or failed is not null")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_worker_heartbeat_truth"), "worker_heartbeat")
    op.drop_column("worker_heartbeat", "failed")
    op.execute("delete from worker_heartbeat where last_tick is null")
    op.alter_column("worker_heartbeat", "last_tick", nullable=False)
    op.drop_table("letter_aside")
