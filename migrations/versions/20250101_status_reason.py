"""The reason why a year was closed with branches still open, or opened again.

Revision: 20250101_status_reason
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20250101_status_reason"
down_revision = "20241223_party_groups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cycle", sa.Column("status_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("cycle", "status_reason")
