"""Invitations, substitutes, and counters of what is tried too often.

Revision: 20241203_people
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241203_people"
down_revision = "20241202_reminders"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempt",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempt")),
    )
    op.create_index("ix_attempt_ends_at", "attempt", ["ends_at"], unique=False)
    op.create_table(
        "invitation",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_invitation_expires")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_invitation_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("hash", name=op.f("uq_invitation_hash")),
    )
    op.create_index("uq_invitation_open", "invitation", ["person_id"], unique=True, postgresql_where="ended_at is null")
    op.create_table(
        "substitute",
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("substitute_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_substitute_dates")),
        sa.CheckConstraint("person_id <> substitute_id", name=op.f("ck_substitute_another")),
        sa.ForeignKeyConstraint(["branch_id"], ["branch.id"], name=op.f("fk_substitute_branch_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_substitute_person_id")),
        sa.ForeignKeyConstraint(["substitute_id"], ["person.id"], name=op.f("fk_substitute_substitute_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_substitute")),
    )
    op.create_index("ix_substitute_branch_id", "substitute", ["branch_id"], unique=False)
    op.create_index("ix_substitute_substitute_id", "substitute", ["substitute_id"], unique=False)
    op.execute(
        "create trigger zhibu_history after insert or update or delete on invitation for each row execute function zhibu_record_history('id', 'hash')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on substitute for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on attempt to zhibu_app")
    op.execute("grant select, insert, update, delete on invitation to zhibu_app")
    op.execute("grant select, insert, update, delete on substitute to zhibu_app")


def downgrade() -> None:
    op.drop_index("ix_substitute_substitute_id", table_name="substitute")
    op.drop_index("ix_substitute_branch_id", table_name="substitute")
    op.drop_table("substitute")
    op.drop_index("uq_invitation_open", table_name="invitation", postgresql_where="ended_at is null")
    op.drop_table("invitation")
    op.drop_index("ix_attempt_ends_at", table_name="attempt")
    op.drop_table("attempt")
