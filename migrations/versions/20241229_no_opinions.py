"""无意见: a talk that asked for opinions and heard none (K3).

It is of the texts of a talk: the history tells that it changed, not to what.

Revision: 20241229_no_opinions
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241229_no_opinions"
down_revision = "20241220_letters_of_a_day"
branch_labels = None
depends_on = None

_BEFORE = "focus_reason,opinions_branch,opinions_committee,affirmed,shortcomings,exchange"


def upgrade() -> None:
    op.add_column("talk", sa.Column("no_opinions", sa.Boolean(), nullable=False, server_default="false"))
    op.alter_column("talk", "no_opinions", server_default=None)
    _hide(f"{_BEFORE},no_opinions,private_notes")


def downgrade() -> None:
    _hide(f"{_BEFORE},private_notes")
    op.drop_column("talk", "no_opinions")


def _hide(fields: str) -> None:
    op.execute("drop trigger zhibu_history on talk")
    op.execute(
        f"create trigger zhibu_history after insert or update or delete on talk for each row execute function zhibu_record_history('id', '{fields}')"
    )
