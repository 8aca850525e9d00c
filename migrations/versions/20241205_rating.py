"""Ratings with their feedback, help plans and disposition cases: what the fourth stage records.

Revision: 20241205_rating
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20241205_rating"
down_revision = "20241204_self_review"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "disposition_case",
        sa.Column("signs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("proposed_on", sa.Date(), nullable=False),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_reason", sa.Text(), nullable=True),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("jsonb_typeof(signs) = 'array'", name=op.f("ck_disposition_case_signs")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_disposition_case_process_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_disposition_case_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disposition_case")),
    )
    op.create_index(op.f("ix_disposition_case_process_id"), "disposition_case", ["process_id"], unique=False)
    op.create_index(
        "uq_disposition_case_standing",
        "disposition_case",
        ["process_id", "staff_no"],
        unique=True,
        postgresql_where="withdrawn_at is null and rejected_at is null",
    )
    op.create_table(
        "help_plan",
        sa.Column("helper", sa.Text(), nullable=True),
        sa.Column("first_step", sa.Text(), nullable=True),
        sa.Column("review_on", sa.Date(), nullable=True),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_reason", sa.Text(), nullable=True),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("helper <> staff_no", name=op.f("ck_help_plan_two_people")),
        sa.ForeignKeyConstraint(["helper"], ["person.staff_no"], name=op.f("fk_help_plan_helper"), onupdate="CASCADE"),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_help_plan_process_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_help_plan_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_help_plan")),
    )
    op.create_index(op.f("ix_help_plan_process_id"), "help_plan", ["process_id"], unique=False)
    op.create_index(
        "uq_help_plan_standing", "help_plan", ["process_id", "staff_no"], unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"
    )
    op.create_table(
        "rating",
        sa.Column(
            "level",
            sa.Enum("excellent", "qualified", "basic", "unqualified", name="level", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("level_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_rated_reason", sa.Text(), nullable=True),
        sa.Column("opinion", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("feedback_on", sa.Date(), nullable=True),
        sa.Column(
            "feedback_way", sa.Enum("face", "written", name="feedbackway", native_enum=False, create_constraint=True, length=32), nullable=True
        ),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_reason", sa.Text(), nullable=True),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("(feedback_on is null) = (feedback_way is null)", name=op.f("ck_rating_feedback_whole")),
        sa.CheckConstraint("acknowledged_at is null or feedback_on is not null", name=op.f("ck_rating_acknowledged_after")),
        sa.CheckConstraint("level is null or not_rated_reason is null", name=op.f("ck_rating_level_or_reason")),
        sa.CheckConstraint("remark is null or acknowledged_at is not null", name=op.f("ck_rating_remark")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_rating_process_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_rating_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating")),
    )
    op.create_index(op.f("ix_rating_process_id"), "rating", ["process_id"], unique=False)
    op.create_index(
        "uq_rating_standing", "rating", ["process_id", "staff_no"], unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"
    )
    op.create_table(
        "disposition_step",
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "step",
            sa.Enum(
                "proposal",
                "superior_filing",
                "investigation",
                "talk",
                "general_meeting",
                "approval",
                "told",
                name="step",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["disposition_case.id"], name=op.f("fk_disposition_step_case_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_disposition_step_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disposition_step")),
        sa.UniqueConstraint("case_id", "step", name=op.f("uq_disposition_step_case_id_step")),
    )
    op.create_table(
        "help_plan_review",
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("reviewed_on", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["help_plan.id"], name=op.f("fk_help_plan_review_plan_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_help_plan_review_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_help_plan_review")),
    )
    op.create_index(op.f("ix_help_plan_review_plan_id"), "help_plan_review", ["plan_id"], unique=False)
    op.execute("grant select, insert, update, delete on disposition_case to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on disposition_case for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on help_plan to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on help_plan for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on rating to zhibu_app")
    op.execute("create trigger zhibu_history after insert or update or delete on rating for each row execute function zhibu_record_history('id', '')")
    op.execute("grant select, insert, update, delete on disposition_step to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on disposition_step for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on help_plan_review to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on help_plan_review for each row execute function zhibu_record_history('id', '')"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_help_plan_review_plan_id"), table_name="help_plan_review")
    op.drop_table("help_plan_review")
    op.drop_table("disposition_step")
    op.drop_index("uq_rating_standing", table_name="rating", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_index(op.f("ix_rating_process_id"), table_name="rating")
    op.drop_table("rating")
    op.drop_index("uq_help_plan_standing", table_name="help_plan", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_index(op.f("ix_help_plan_process_id"), table_name="help_plan")
    op.drop_table("help_plan")
    op.drop_index("uq_disposition_case_standing", table_name="disposition_case", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_index(op.f("ix_disposition_case_process_id"), table_name="disposition_case")
    op.drop_table("disposition_case")
