"""Of an act that may be repeated the outcome is kept, never the answer: that held what people wrote.

Revision: 20241213_outcomes
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20241213_outcomes"
down_revision = "20241212_aside"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_outcome",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("rows", JSONB(), nullable=False),
        sa.Column("facts", JSONB(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_kept_outcome_person_id")),
        sa.PrimaryKeyConstraint("person_id", "route", "key", name=op.f("pk_kept_outcome")),
    )
    op.create_index("ix_kept_outcome_at", "kept_outcome", ["at"], unique=False)
    op.execute("grant select, insert, delete on kept_outcome to zhibu_app")
    # What was done stays done: whoever repeats it is told so.
    op.execute("insert into kept_outcome select person_id, route, key, sent, '[]', null, null, at from kept_answer")
    op.drop_table("kept_answer")


def downgrade() -> None:
    op.create_table(
        "kept_answer",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("headers", JSONB(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_kept_answer_person_id")),
        sa.PrimaryKeyConstraint("person_id", "route", "key", name=op.f("pk_kept_answer")),
    )
    op.create_index("ix_kept_answer_at", "kept_answer", ["at"], unique=False)
    op.execute("grant select, insert, delete on kept_answer to zhibu_app")
    op.drop_table("kept_outcome")
