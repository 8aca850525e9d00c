"""Personal data that nothing reads goes: of people, of imports, of letters.

Sex, remark and both dates of a person were kept from the roster, printed by no form and read by no
rule. They leave the person, the history of people and the rosters kept for applying. Workbooks with
errors and attendance sheets that were applied keep no copy of their rows, letters that will not be
sent any more no text. Downgrading brings the columns back empty: what they held is gone.

Revision: 20241211_personal_data
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20241211_personal_data"
down_revision = "20241210_decision"
branch_labels = None
depends_on = None

GONE: dict[str, sa.types.TypeEngine[Any]] = {
    "gender": sa.Text(),
    "joined_on": sa.Date(),
    "confirmed_on": sa.Date(),
    "remark": sa.Text(),
}
KEYS = "array['gender', 'joined_on', 'confirmed_on', 'remark']"
NO_ROSTER = """'{"branches": [], "members": []}'"""


def upgrade() -> None:
    op.execute(
        f"""update history set old = old - {KEYS}, new = new - {KEYS}
            where what = 'person'
                and (jsonb_exists_any(old, {KEYS}) or jsonb_exists_any(new, {KEYS}))"""
    )
    with _without_history("person"):
        # A dropped column stays on the disk with each row until the row is written again.
        op.execute(
            """update person set gender = null, joined_on = null, confirmed_on = null, remark = null
               where num_nonnulls(gender, joined_on, confirmed_on, remark) > 0"""
        )
    for column in GONE:
        op.drop_column("person", column)
    with _without_history("roster_import"):
        op.execute(_each_member(f"member - {KEYS}"))
        op.execute(f"update roster_import set roster = {NO_ROSTER} where not applicable")
        op.execute(
            """update roster_import set problems =
                   (select coalesce(jsonb_agg(problem order by place), '[]')
                    from jsonb_array_elements(problems) with ordinality as each (problem, place)
                    where problem ->> 'heading' is distinct from '性别'
                        or problem ->> 'severity' <> 'warning')
               where problems @> '[{"heading": "性别", "severity": "warning"}]'"""
        )
    with _without_history("attendance_import"):
        op.execute(
            """update attendance_import set rows = '{}'
               where applied_at is not null or not applicable"""
        )
    op.execute(
        """update letter set text = '', html = ''
           where next_at is null and state <> 'sending'"""
    )
    ended = "next_at is not null or state = 'sending' or text = '' and html = ''"
    op.create_check_constraint(op.f("ck_letter_text"), "letter", ended)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_letter_text"), "letter")
    for column, kind in GONE.items():
        op.add_column("person", sa.Column(column, kind, nullable=True))
    with _without_history("roster_import"):
        # The code of that time reads each of them.
        empty = f"jsonb_object({KEYS}, array_fill(null::text, array[4]))"
        op.execute(_each_member(f"{empty} || member"))


def _each_member(changed: str) -> str:
    """The statement that changes each member of each roster that is kept."""
    return f"""update roster_import set roster = jsonb_set(roster, '{{members}}',
                   (select jsonb_agg({changed} order by place)
                    from jsonb_array_elements(roster -> 'members')
                        with ordinality as each (member, place)))
               where jsonb_array_length(roster -> 'members') > 0"""


@contextmanager
def _without_history(table: str) -> Iterator[None]:
    """Write to a table without a history of it, which would keep what goes."""
    op.execute(f"alter table {table} disable trigger zhibu_history")
    yield
    op.execute(f"alter table {table} enable trigger zhibu_history")
