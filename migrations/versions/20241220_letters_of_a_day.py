"""The reminders of one person and local day are one letter with items, written when it is sent.

Revision: 20241220_letters_of_a_day

Each reminder of before becomes the item of its own letter, so that nobody is told it again. Those
that still waited are moot, and left out: the first tick gathers them into one letter for each
person.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241220_letters_of_a_day"
down_revision = "20250102_amendments"
branch_labels = None
depends_on = None

_STATES = "state in ('pending', 'sending', 'sent', 'failed', 'unknown', 'no_address', 'moot')"
_STATES_NOW = "state in ('pending', 'sending', 'sent', 'failed', 'unknown', 'no_address', 'gone', 'moot')"
_REMINDER = "(kind = 'digest' or kind ~ '^(due|overdue|follow-up|measure)-')"
_ADDRESS = "(address is null) = (state = 'no_address')"
_ADDRESS_NOW = "case state when 'no_address' then address is null when 'gone' then true else address is not null end"


def upgrade() -> None:
    op.add_column("process", sa.Column("day_changed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("letter", sa.Column("record", sa.BigInteger(), nullable=True))
    op.add_column("letter", sa.Column("day", sa.Date(), nullable=True))
    op.create_table(
        "letter_item",
        sa.Column("letter_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=True),
        sa.Column("cycle_id", sa.BigInteger(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("left_out", sa.Boolean(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_letter_item_cycle_id")),
        sa.ForeignKeyConstraint(["letter_id"], ["letter.id"], name=op.f("fk_letter_item_letter_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_letter_item_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter_item")),
        sa.UniqueConstraint("key", name=op.f("uq_letter_item_key")),
    )
    op.create_index("ix_letter_item_letter", "letter_item", ["letter_id"], unique=False)
    op.create_index("ix_letter_item_process", "letter_item", ["process_id"], unique=False)
    op.execute("grant select, insert, update on letter_item to zhibu_app")
    _states(_STATES_NOW, _ADDRESS_NOW)
    op.execute(f"update letter set state = 'moot', next_at = null, text = '', html = '' where state = 'pending' and {_REMINDER}")
    op.execute(
        "insert into letter_item (letter_id, key, kind, process_id, cycle_id, due_on, left_out)"
        f" select id, key, kind, process_id, cycle_id, due_on, state = 'moot' from letter where {_REMINDER} order by id"
    )
    # Letters of an act that still wait: their record stands in their key (kind:p7.5:r1:-:3), that of a link in the place of the round.
    op.execute(
        "update letter set record = (case when kind in ('invitation', 'password') then substring(key from 'r([0-9]+)[:]')"
        " else substring(key from '[.]([0-9]+)[:]') end)::bigint"
        f" where next_at is not null and not {_REMINDER}"
    )


def downgrade() -> None:
    # Without its items a letter of a day could not be written; what it has told is not told again.
    op.execute(
        "update letter set state = case when state = 'pending' then 'moot' else 'unknown' end, next_at = null, leased_until = null,"
        " text = '', html = '' where day is not null and next_at is not null"
    )
    op.execute(
        "insert into letter (key, kind, process_id, cycle_id, recipient_id, recipient_name, address, subject, text, html, state,"
        " created_at, due_on, attempts, next_at, leased_until, sent_at, error, message_id)"
        " select i.key, i.kind, i.process_id, i.cycle_id, l.recipient_id, l.recipient_name, l.address, l.subject, '', '', l.state,"
        " l.created_at, i.due_on, l.attempts, null, null, l.sent_at, l.error, md5(i.key || l.message_id)"
        " from letter_item i join letter l on l.id = i.letter_id"
        " where l.day is not null and not i.left_out and l.state <> 'sending' order by i.id"
        " on conflict (key) do update set state = excluded.state, address = excluded.address, sent_at = excluded.sent_at, error = excluded.error"
    )
    op.execute("update letter set state = case when address is null then 'no_address' else 'failed' end where state = 'gone'")
    _states(_STATES, _ADDRESS)
    op.drop_table("letter_item")
    op.drop_column("letter", "day")
    op.drop_column("letter", "record")
    op.drop_column("process", "day_changed_at")


def _states(states: str, address: str) -> None:
    op.drop_constraint(op.f("ck_letter_address"), "letter")
    op.drop_constraint(op.f("ck_letter_letterstate"), "letter")
    op.create_check_constraint(op.f("ck_letter_letterstate"), "letter", states)
    op.create_check_constraint(op.f("ck_letter_address"), "letter", address)
