"""Drafts: what was typed into a form survives a lost connection, an ended session, another device.

Revision: 20250120_drafts
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20250120_drafts"
down_revision = "20250118_letter_version"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "draft",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("typed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_draft_person_id")),
        sa.PrimaryKeyConstraint("person_id", "act", "about", name=op.f("pk_draft")),
    )
    op.create_index("ix_draft_saved_at", "draft", ["saved_at"], unique=False)
    op.execute("grant select, insert, update, delete on draft to zhibu_app")


def downgrade() -> None:
    op.drop_table("draft")
