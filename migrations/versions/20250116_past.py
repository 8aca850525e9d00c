"""A word that a restored database has anew: those who follow changes find out that it was set back.

A database of before gets its first word; whoever follows it hears everything once.

Revision: 20250116_past
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20250116_past"
down_revision = "20250115_seals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "past",
        sa.Column("id", sa.SmallInteger(), server_default=sa.text("1"), autoincrement=False, nullable=False),
        sa.Column("word", sa.Text(), server_default=sa.text("gen_random_uuid()::text"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_past_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past")),
    )
    op.execute("insert into past default values")
    op.execute("grant select on past to zhibu_app")


def downgrade() -> None:
    op.drop_table("past")
