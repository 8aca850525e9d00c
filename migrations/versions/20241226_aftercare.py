"""Aftercare is a procedure and is ended: steps tell who, how and what; help and cases have a result.

Revision: 20241226_aftercare
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20241226_aftercare"
down_revision = "20241230_branch_results"
branch_labels = None
depends_on = None

_STANDING = "withdrawn_at is null and rejected_at is null"
_MEASURES = "measure in ('correction', 'persuasion', 'removal')"


def upgrade() -> None:
    for table in ("help_plan", "disposition_case"):
        op.add_column(table, sa.Column("ended_on", sa.Date(), nullable=True))
        op.add_column(table, sa.Column("result", sa.Text(), nullable=True))
    op.create_index("ix_help_plan_review_on", "help_plan", ["review_on"], postgresql_where=sa.text(f"{_STANDING} and ended_on is null"))
    op.add_column("help_plan_review", sa.Column("next_on", sa.Date(), nullable=True))
    op.add_column("disposition_case", sa.Column("responsible", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("fk_disposition_case_responsible"), "disposition_case", "person", ["responsible"], ["staff_no"], onupdate="CASCADE")
    steps: tuple[sa.Column[Any], ...] = (
        sa.Column("talkers", sa.dialects.postgresql.JSONB(), nullable=True),
        *(sa.Column(f"vote_{name}", sa.BigInteger(), nullable=True) for name in ("yes", "no", "abstain")),
        sa.Column("statement", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("measure", sa.String(32), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("why_without", sa.Text(), nullable=True),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
    )
    for column in steps:
        op.add_column("disposition_step", column)
    for name, check in _CHECKS.items():
        op.create_check_constraint(op.f(f"ck_disposition_step_{name}"), "disposition_step", check)
    op.drop_constraint(op.f("uq_disposition_step_case_id_step"), "disposition_step")
    op.create_index(
        "uq_disposition_step_standing", "disposition_step", ["case_id", "step"], unique=True, postgresql_where=sa.text("withdrawn_at is null")
    )


_CHECKS = {
    "vote_whole": "num_nulls(vote_yes, vote_no, vote_abstain) in (0, 3)",
    "term": "until is null or (measure = 'correction' and until > taken_on)",
    "talkers": "talkers is null or jsonb_typeof(talkers) = 'array'",
    "withdrawn": "num_nulls(withdrawn_by, withdrawn_at, withdrawn_reason) in (0, 3)",
    "measure": _MEASURES,
}


def downgrade() -> None:
    op.execute("select set_config('zhibu.actor', 'cli', true)")
    op.execute("delete from disposition_step where withdrawn_at is not null")
    op.drop_index("uq_disposition_step_standing", "disposition_step")
    op.create_unique_constraint(op.f("uq_disposition_step_case_id_step"), "disposition_step", ["case_id", "step"])
    for name in _CHECKS:
        op.drop_constraint(op.f(f"ck_disposition_step_{name}"), "disposition_step")
    for name in (
        *("talkers", "vote_yes", "vote_no", "vote_abstain", "statement", "number", "measure", "until", "why_without"),
        *("withdrawn_by", "withdrawn_at", "withdrawn_reason"),
    ):
        op.drop_column("disposition_step", name)
    op.drop_constraint(op.f("fk_disposition_case_responsible"), "disposition_case")
    op.drop_column("disposition_case", "responsible")
    op.drop_column("help_plan_review", "next_on")
    op.drop_index("ix_help_plan_review_on", "help_plan")
    for table in ("disposition_case", "help_plan"):
        op.drop_column(table, "result")
        op.drop_column(table, "ended_on")
