"""The roster says in which party group (党小组) each member is, and the rolls copy it.

Revision: 20241223_party_groups
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241223_party_groups"
down_revision = "20241217_people_and_branches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("party_group", sa.Text(), nullable=True))
    op.add_column("participant", sa.Column("party_group", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("participant", "party_group")
    op.drop_column("person", "party_group")
