"""Second tellers' entries that differed: after two of them the first must be entered anew.

It was kept nowhere, so that the first's numbers could be tried out. Entries of before count as none.

Revision: 20250118_differing_entry
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20250118_differing_entry"
down_revision = "20250117_signin"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "differing_entry",
        sa.Column("tally_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_differing_entry_process_id")),
        sa.ForeignKeyConstraint(["tally_id"], ["tally.id"], name=op.f("fk_differing_entry_tally_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_differing_entry")),
        sa.UniqueConstraint("tally_id", "version", "entered_by", "entry", name="uq_differing_entry_once"),
    )
    op.execute("grant select, insert, update, delete on differing_entry to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on differing_entry "
        "for each row execute function zhibu_record_history('id', 'entry')"
    )


def downgrade() -> None:
    op.drop_table("differing_entry")
