"""The written part of the form: who prepared it, his phone, a remark.

Revision: 20241207_form
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241207_form"
down_revision = "20241206_rectification"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "form",
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("prepared_by", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_form_version")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_form_process_id")),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_form")),
    )
    op.execute("grant select, insert, update, delete on form to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on form for each row execute function zhibu_record_history('process_id', 'phone')"
    )


def downgrade() -> None:
    op.drop_table("form")
