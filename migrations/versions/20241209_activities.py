"""Activities of the year with their attendance, and what the office proposes.

Revision: 20241209_activities
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20241209_activities"
down_revision = "20241208_assessment"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "activity",
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("study", "civility", "volunteering", "other", name="kind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=True),
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
        sa.CheckConstraint("expected >= 0", name=op.f("ck_activity_expected")),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_activity_cycle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
    )
    op.create_index("ix_activity_cycle", "activity", ["cycle_id", "held_on"], unique=False)
    op.create_index(
        "uq_activity_standing",
        "activity",
        ["cycle_id", "kind", "name", "held_on"],
        unique=True,
        postgresql_where="withdrawn_at is null and rejected_at is null",
    )
    op.create_table(
        "attendance",
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "presence",
            sa.Enum("present", "on_leave", "absent", name="presence", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=op.f("fk_attendance_activity_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_attendance_process_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_attendance_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("activity_id", "staff_no", name=op.f("pk_attendance")),
    )
    op.create_index("ix_attendance_process", "attendance", ["process_id"], unique=False)
    op.create_table(
        "attendance_import",
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("problems", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("rows", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("applicable", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_by", sa.Text(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("applied_at is null or applicable", name=op.f("ck_attendance_import_applied")),
        sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=op.f("fk_attendance_import_activity_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance_import")),
    )
    op.create_table(
        "proposal",
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "result",
            sa.Enum("excellent", "qualified", "basic", "unqualified", name="result", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_proposal_version")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_proposal_process_id")),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_proposal")),
    )
    op.execute("grant select, insert, update, delete on activity to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on activity for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on attendance to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on attendance for each row execute function zhibu_record_history('activity_id,staff_no', '')"
    )
    op.execute("grant select, insert, update, delete on attendance_import to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on attendance_import for each row execute function zhibu_record_history('id', 'problems,rows,summary')"
    )
    op.execute("grant select, insert, update, delete on proposal to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on proposal for each row execute function zhibu_record_history('process_id', '')"
    )


def downgrade() -> None:
    op.drop_table("proposal")
    op.drop_table("attendance_import")
    op.drop_index("ix_attendance_process", table_name="attendance")
    op.drop_table("attendance")
    op.drop_index("uq_activity_standing", table_name="activity", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_index("ix_activity_cycle", table_name="activity")
    op.drop_table("activity")
