"""Decisions of the school committee, with what it had before it.

Revision: 20241210_decision
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20241210_decision"
down_revision = "20241209_activities"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_reason", sa.Text(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("(confirmed_by is null) = (confirmed_at is null)", name=op.f("ck_decision_confirmed")),
        sa.CheckConstraint("confirmed_at is null or withdrawn_at is null and rejected_at is null", name=op.f("ck_decision_final")),
        sa.CheckConstraint("due >= 1", name=op.f("ck_decision_due")),
        sa.CheckConstraint("published_at is null or confirmed_at is not null", name=op.f("ck_decision_published")),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_decision_cycle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index(
        "uq_decision_number", "decision", ["cycle_id", "number"], unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"
    )
    op.create_index(
        "uq_decision_pending",
        "decision",
        ["cycle_id"],
        unique=True,
        postgresql_where="confirmed_at is null and withdrawn_at is null and rejected_at is null",
    )
    op.create_table(
        "decision_attendee",
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_decision_attendee_decision_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_decision_attendee_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("decision_id", "staff_no", name=op.f("pk_decision_attendee")),
    )
    op.create_table(
        "decision_result",
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "result",
            sa.Enum("excellent", "qualified", "basic", "unqualified", name="result", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_decision_result_decision_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_decision_result_process_id")),
        sa.PrimaryKeyConstraint("decision_id", "process_id", name=op.f("pk_decision_result")),
    )
    op.create_index("ix_decision_result_process", "decision_result", ["process_id", "decision_id"], unique=False)
    op.execute("grant select, insert, update, delete on decision to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on decision for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on decision_attendee to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on decision_attendee for each row execute function zhibu_record_history('decision_id,staff_no', '')"
    )
    op.execute("grant select, insert, update, delete on decision_result to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on decision_result for each row execute function zhibu_record_history('decision_id,process_id', '')"
    )


def downgrade() -> None:
    op.drop_index("ix_decision_result_process", table_name="decision_result")
    op.drop_table("decision_result")
    op.drop_table("decision_attendee")
    op.drop_index(
        "uq_decision_pending", table_name="decision", postgresql_where="confirmed_at is null and withdrawn_at is null and rejected_at is null"
    )
    op.drop_index("uq_decision_number", table_name="decision", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_table("decision")
