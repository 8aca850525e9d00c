"""The maker of a token, and an index of the changes that belong to no process.

Of the tokens of before it is not known.

Revision: 20250114_roles
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20250114_roles"
down_revision = "20250104_excuses"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("token", sa.Column("made_by", sa.Text(), nullable=True))
    op.create_index("ix_history_school", "history", ["id"], unique=False, postgresql_where=sa.text("process_id is null"))


def downgrade() -> None:
    op.drop_index("ix_history_school", table_name="history", postgresql_where=sa.text("process_id is null"))
    op.drop_column("token", "made_by")
