"""Tries that wait instead of being closed; several links of one person; the use of sessions.

A counter tells when its last try was let through and whether the newest was. A link that somebody
asks for no longer ends the ones before: the unique index on open links goes. Open sessions have
no use yet; each gets one the next time it is used.

Revision: 20250117_signin
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20250117_signin"
down_revision = "20250116_past"
branch_labels = None
depends_on = None

_OPEN = sa.text("ended_at is null")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("attempt", sa.Column("tried_at", moment, server_default=sa.text("statement_timestamp()"), nullable=False))
    op.add_column("attempt", sa.Column("refused", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_index("uq_invitation_open", table_name="invitation", postgresql_where=_OPEN)
    op.create_index("ix_invitation_open", "invitation", ["person_id"], unique=False, postgresql_where=_OPEN)
    op.create_table(
        "session_use",
        sa.Column("session_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("browser", sa.Text(), nullable=True),
        sa.Column("used_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["web_session.id"], name=op.f("fk_session_use_session_id")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session_use")),
    )
    op.execute("grant select, insert, update, delete on session_use to zhibu_app")


def downgrade() -> None:
    op.drop_table("session_use")
    op.drop_index("ix_invitation_open", table_name="invitation", postgresql_where=_OPEN)
    # Of several open links the newest stays.
    op.execute("select set_config('zhibu.actor', 'cli', true)")
    op.execute(
        "update invitation older set ended_at = now() where ended_at is null"
        " and exists (select from invitation newer where newer.person_id = older.person_id and newer.ended_at is null and newer.id > older.id)"
    )
    op.create_index("uq_invitation_open", "invitation", ["person_id"], unique=True, postgresql_where=_OPEN)
    op.drop_column("attempt", "refused")
    op.drop_column("attempt", "tried_at")
