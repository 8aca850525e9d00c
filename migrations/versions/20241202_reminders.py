"""Days off that the office sets itself.

Revision: 20241202_reminders
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241202_reminders"
down_revision = "20241201_spine"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_override",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_calendar_override")),
    )
    op.execute("grant select, insert, update, delete on calendar_override to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on calendar_override for each row execute function zhibu_record_history('day', '')"
    )


def downgrade() -> None:
    op.drop_table("calendar_override")
