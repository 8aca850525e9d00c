"""A stage without a day of its own has the day of the next later stage that has one.

Stored days of running years are computed anew; nothing else changes.

Revision: 20241216_days_bite
"""

from __future__ import annotations

from alembic import op

revision = "20241216_days_bite"
down_revision = "20241215_activity_kinds"
branch_labels = None
depends_on = None

ORDER = (
    ("study", "talks", "self_review", "rating", "rectification", "report"),
    ("collecting", "summarised", "proposed"),
)


def _extended(stage: str) -> str:
    return f"(select max(e.due_on) from extension e where e.process_id = p.id and e.round = p.round and e.stage = {stage})"


def _store(day: str) -> None:
    op.execute("select set_config('zhibu.actor', 'cli', true)")
    op.execute(f"""
        update process p set due_on = new.day
        from (select p.id, {day} as day from process p join cycle c on c.id = p.cycle_id
              where c.status = 'published' and p.stage in ({", ".join(repr(each) for stages in ORDER for each in stages)})) new
        where new.id = p.id and p.due_on is distinct from new.day
    """)


def upgrade() -> None:
    rows = ", ".join(
        f"('{stage}', '{giver}', {place}, {giver == stages[-1]})"
        for stages in ORDER
        for at, stage in enumerate(stages)
        for place, giver in enumerate(stages[at:])
    )
    typed = "(c.deadlines ->> g.giver)::date"
    _store(f"""greatest((
        select greatest(coalesce(p.round_due_on, {typed}), {_extended("g.giver")})
        from (values {rows}) as g (stage, giver, place, last)
        where g.stage = p.stage and case when p.round_due_on is not null then g.last else {typed} is not null end
        order by g.place limit 1
    ), {_extended("p.stage")})""")


def downgrade() -> None:
    _store(f"greatest(coalesce(p.round_due_on, (c.deadlines ->> p.stage)::date), {_extended('p.stage')})")
