"""Rectification: problems, measures with their progress and comments, commitments, publications, filings.

The fifth stage asks for them before a branch may report, and the next year's duty report tells of the measures.

Revision: 20241206_rectification
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241206_rectification"
down_revision = "20241205_rating"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "problem",
        sa.Column(
            "source",
            sa.Enum(
                "meeting",
                "talk",
                "tally",
                "opinions",
                "superior",
                "duty_report",
                "letter",
                name="source",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
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
        sa.ForeignKeyConstraint(["about"], ["person.staff_no"], name=op.f("fk_problem_about"), onupdate="CASCADE"),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_problem_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problem")),
    )
    op.create_index(op.f("ix_problem_process_id"), "problem", ["process_id"], unique=False)
    op.create_table(
        "measure",
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column(
            "state", sa.Enum("open", "doing", "done", "closed", name="state", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
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
        sa.ForeignKeyConstraint(["owner"], ["person.staff_no"], name=op.f("fk_measure_owner"), onupdate="CASCADE"),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_measure_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measure")),
    )
    op.create_index("ix_measure_due_on", "measure", ["due_on"], unique=False, postgresql_where="withdrawn_at is null and rejected_at is null")
    op.create_index(op.f("ix_measure_process_id"), "measure", ["process_id"], unique=False)
    op.create_table(
        "measure_problem",
        sa.Column("measure_id", sa.BigInteger(), nullable=False),
        sa.Column("problem_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["measure_id"], ["measure.id"], name=op.f("fk_measure_problem_measure_id")),
        sa.ForeignKeyConstraint(["problem_id"], ["problem.id"], name=op.f("fk_measure_problem_problem_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_measure_problem_process_id")),
        sa.PrimaryKeyConstraint("measure_id", "problem_id", name=op.f("pk_measure_problem")),
    )
    op.create_index("ix_measure_problem_problem_id", "measure_problem", ["problem_id"], unique=False)
    op.create_table(
        "measure_progress",
        sa.Column("measure_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state", sa.Enum("open", "doing", "done", "closed", name="state", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["measure_id"], ["measure.id"], name=op.f("fk_measure_progress_measure_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_measure_progress_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measure_progress")),
    )
    op.create_index(op.f("ix_measure_progress_measure_id"), "measure_progress", ["measure_id"], unique=False)
    op.create_table(
        "measure_comment",
        sa.Column("measure_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["measure_id"], ["measure.id"], name=op.f("fk_measure_comment_measure_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_measure_comment_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measure_comment")),
    )
    op.create_index(op.f("ix_measure_comment_measure_id"), "measure_comment", ["measure_id"], unique=False)
    op.create_table(
        "commitment",
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("problem_id", sa.BigInteger(), nullable=True),
        sa.Column("problem_text", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
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
        sa.CheckConstraint("problem_id is null or problem_text is null", name=op.f("ck_commitment_one_problem")),
        sa.ForeignKeyConstraint(["problem_id"], ["problem.id"], name=op.f("fk_commitment_problem_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_commitment_process_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_commitment_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment")),
    )
    op.create_index("ix_commitment_problem_id", "commitment", ["problem_id"], unique=False)
    op.create_index(op.f("ix_commitment_process_id"), "commitment", ["process_id"], unique=False)
    op.create_table(
        "publication",
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=True),
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
        sa.CheckConstraint("to_on >= from_on", name=op.f("ck_publication_days")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_publication_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
    )
    op.create_index(op.f("ix_publication_process_id"), "publication", ["process_id"], unique=False)
    op.create_table(
        "rectification_filing",
        sa.Column("sent_to", sa.Text(), nullable=False),
        sa.Column("sent_on", sa.Date(), nullable=False),
        sa.Column("received_by", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_rectification_filing_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rectification_filing")),
    )
    op.create_index(op.f("ix_rectification_filing_process_id"), "rectification_filing", ["process_id"], unique=False)
    op.execute(
        "create trigger zhibu_history after insert or update or delete on problem for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on measure for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on measure_problem for each row execute function zhibu_record_history('measure_id,problem_id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on measure_progress for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on measure_comment for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on commitment for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on publication for each row execute function zhibu_record_history('id', '')"
    )
    op.execute(
        "create trigger zhibu_history after insert or update or delete on rectification_filing for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on problem to zhibu_app")
    op.execute("grant select, insert, update, delete on measure to zhibu_app")
    op.execute("grant select, insert, update, delete on measure_problem to zhibu_app")
    op.execute("grant select, insert, update, delete on measure_progress to zhibu_app")
    op.execute("grant select, insert, update, delete on measure_comment to zhibu_app")
    op.execute("grant select, insert, update, delete on commitment to zhibu_app")
    op.execute("grant select, insert, update, delete on publication to zhibu_app")
    op.execute("grant select, insert, update, delete on rectification_filing to zhibu_app")


def downgrade() -> None:
    op.drop_index(op.f("ix_rectification_filing_process_id"), table_name="rectification_filing")
    op.drop_table("rectification_filing")
    op.drop_index(op.f("ix_publication_process_id"), table_name="publication")
    op.drop_table("publication")
    op.drop_index(op.f("ix_commitment_process_id"), table_name="commitment")
    op.drop_index("ix_commitment_problem_id", table_name="commitment")
    op.drop_table("commitment")
    op.drop_index(op.f("ix_measure_comment_measure_id"), table_name="measure_comment")
    op.drop_table("measure_comment")
    op.drop_index(op.f("ix_measure_progress_measure_id"), table_name="measure_progress")
    op.drop_table("measure_progress")
    op.drop_index("ix_measure_problem_problem_id", table_name="measure_problem")
    op.drop_table("measure_problem")
    op.drop_index(op.f("ix_measure_process_id"), table_name="measure")
    op.drop_index("ix_measure_due_on", table_name="measure", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_table("measure")
    op.drop_index(op.f("ix_problem_process_id"), table_name="problem")
    op.drop_table("problem")
