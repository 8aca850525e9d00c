"""The version of its process on a letter, so that a move after it is told without a clock.

Letters of before have none: a refusal that waits for the mail server is sent.

Revision: 20250118_letter_version
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20250118_letter_version"
down_revision = "20250118_differing_entry"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("letter", sa.Column("version", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("letter", "version")
