"""The kinds of activities are the plan's, in any number.

Revision: 20241215_activity_kinds
"""

from __future__ import annotations

from alembic import op

revision = "20241215_activity_kinds"
down_revision = "20241214_times_and_guests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_activity_kind"), "activity")


def downgrade() -> None:
    op.execute("update activity set kind = 'other' where kind not in ('study', 'civility', 'volunteering')")
    op.create_check_constraint(op.f("ck_activity_kind"), "activity", "kind in ('study', 'civility', 'volunteering', 'other')")
