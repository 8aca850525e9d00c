"""Results of branches are the plan's own words; a decision records its vote.

Results of before keep their words: they are read as the members' levels that they were.

Revision: 20241230_branch_results
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241230_branch_results"
down_revision = "20241229_no_opinions"
branch_labels = None
depends_on = None

_LEVELS = "'excellent', 'qualified', 'basic', 'unqualified'"
_OLD = f"case result when 'good' then 'qualified' when 'poor' then 'unqualified' else 'basic' end where result not in ({_LEVELS})"
_VOTE = ("vote_yes", "vote_no", "vote_abstain")


def upgrade() -> None:
    for table in ("decision_result", "proposal"):
        op.drop_constraint(op.f(f"ck_{table}_result"), table)
    for column in _VOTE:
        op.add_column("decision", sa.Column(column, sa.BigInteger(), nullable=True))
    op.create_check_constraint(op.f("ck_decision_vote_whole"), "decision", "num_nulls(vote_yes, vote_no, vote_abstain) in (0, 3)")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_decision_vote_whole"), "decision")
    for column in reversed(_VOTE):
        op.drop_column("decision", column)
    for table in ("decision_result", "proposal"):
        op.execute(f"update {table} set result = {_OLD}")
        op.create_check_constraint(op.f(f"ck_{table}_result"), table, f"result in ({_LEVELS})")
