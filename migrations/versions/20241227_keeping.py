"""Commitments are kept step by step; measures know whether they follow the post, and when they changed.

A measure whose owner is the secretary now follows the post. It reads as it does since the last
change of its words, owner or day in the history, so nothing of before needs a new notice.

Revision: 20241227_keeping
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241227_keeping"
down_revision = "20241226_aftercare"
branch_labels = None
depends_on = None

_STATES = "state in ('open', 'doing', 'done', 'closed')"
_UNDER_WAY = "withdrawn_at is null and rejected_at is null and state in ('open', 'doing')"


def upgrade() -> None:
    op.execute("select set_config('zhibu.actor', 'cli', true)")
    op.add_column("commitment", sa.Column("state", sa.String(32), nullable=False, server_default="open"))
    op.alter_column("commitment", "state", server_default=None)
    op.create_check_constraint(op.f("ck_commitment_state"), "commitment", _STATES)
    op.create_index("ix_commitment_due_on", "commitment", ["due_on"], postgresql_where=sa.text(_UNDER_WAY))
    op.create_table(
        "commitment_progress",
        sa.Column("commitment_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint(_STATES, name=op.f("ck_commitment_progress_state")),
        sa.ForeignKeyConstraint(["commitment_id"], ["commitment.id"], name=op.f("fk_commitment_progress_commitment_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_commitment_progress_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment_progress")),
    )
    op.create_index(op.f("ix_commitment_progress_commitment_id"), "commitment_progress", ["commitment_id"])
    op.execute(
        "create trigger zhibu_history after insert or update or delete on commitment_progress"
        " for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on commitment_progress to zhibu_app")
    op.add_column("measure", sa.Column("as_secretary", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("measure", "as_secretary", server_default=None)
    op.add_column("measure", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    # What the migration fills in is no change of a record.
    op.execute("alter table measure disable trigger zhibu_history")
    op.execute(
        """
        update measure m set
            as_secretary = exists (
                select from participant r
                where r.process_id = m.process_id and r.staff_no = m.owner and r.post = 'secretary' and r.left_on is null
            ),
            changed_at = greatest(m.recorded_at, (
                select max(h.at) from history h
                where h.what = 'measure' and h.row_key = m.id::text and h.old is not null and h.new ?| array['text', 'owner', 'due_on']
            ))
        """
    )
    op.execute("alter table measure enable trigger zhibu_history")
    op.alter_column("measure", "changed_at", nullable=False)


def downgrade() -> None:
    op.drop_column("measure", "changed_at")
    op.drop_column("measure", "as_secretary")
    op.drop_table("commitment_progress")
    op.drop_index("ix_commitment_due_on", "commitment")
    op.drop_constraint(op.f("ck_commitment_state"), "commitment")
    op.drop_column("commitment", "state")
