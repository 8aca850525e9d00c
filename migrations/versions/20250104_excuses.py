"""Refusals of an excuse, who entered it, and what a confirmed excuse covers besides; a list of all excuses.

Excuses of before are neither refused nor cover anything.

Revision: 20250104_excuses
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20250104_excuses"
down_revision = "20241227_keeping"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("participant", sa.Column("excused_by", sa.Text(), nullable=True))
    op.add_column("participant", sa.Column("excused_refused_by", sa.Text(), nullable=True))
    op.add_column("participant", sa.Column("excused_refused_reason", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_participant_excuse_refused"), "participant", "(excused_refused_by is null) = (excused_refused_reason is null)"
    )
    op.create_index("ix_participant_excused", "participant", ["process_id"], unique=False, postgresql_where=sa.text("excused_reason is not null"))
    op.add_column("waiver", sa.Column("excuse_of_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_waiver_excuse_of_id"), "waiver", "person", ["excuse_of_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint(op.f("fk_waiver_excuse_of_id"), "waiver")
    op.drop_column("waiver", "excuse_of_id")
    op.drop_index("ix_participant_excused", table_name="participant", postgresql_where=sa.text("excused_reason is not null"))
    op.drop_constraint(op.f("ck_participant_excuse_refused"), "participant")
    op.drop_column("participant", "excused_refused_reason")
    op.drop_column("participant", "excused_refused_by")
    op.drop_column("participant", "excused_by")
