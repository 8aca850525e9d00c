"""When a talk or a meeting began and ended, and the guests of a meeting.

Revision: 20241214_times_and_guests
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20241214_times_and_guests"
down_revision = "20241213_outcomes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("talk", "meeting"):
        op.add_column(table, sa.Column("started_at", sa.Time(), nullable=True))
        op.add_column(table, sa.Column("ended_at", sa.Time(), nullable=True))
        op.create_check_constraint(op.f(f"ck_{table}_times"), table, "ended_at >= started_at")
    op.add_column("meeting", sa.Column("guests", JSONB(), nullable=False, server_default="[]"))
    op.alter_column("meeting", "guests", server_default=None)


def downgrade() -> None:
    op.drop_column("meeting", "guests")
    for table in ("meeting", "talk"):
        op.drop_constraint(op.f(f"ck_{table}_times"), table)
        op.drop_column(table, "ended_at")
        op.drop_column(table, "started_at")
