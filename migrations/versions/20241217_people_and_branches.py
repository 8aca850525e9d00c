"""People who leave, move and are punished; branches that take no part any more; a daily step.

A process keeps its branch's name of that year. A line of a roll says why somebody left and when
they came; whether somebody is rated there follows the ballot. Punishments move from the running
rolls to the person: somebody full without a vote was under probation.

Revision: 20241217_people_and_branches
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20241217_people_and_branches"
down_revision = "20241216_days_bite"
branch_labels = None
depends_on = None

LEFT = ("moved", "transferred", "graduated", "died", "resigned", "removed", "struck_off", "expelled", "other")
EXCUSES = ("abroad", "ill", "old", "mobile", "other")
PUNISHMENTS = ("warning", "serious_warning", "posts_removed", "probation", "other")
ENDED = ("merged", "dissolved", "temporary", "new", "other")
WORKING = ("study", "talks", "self_review", "rating", "rectification", "report", "collecting", "summarised", "proposed")


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{each}'" for each in words)


def _bucket(row: str) -> str:
    again = f"{row}.round > 1 and {row}.stage in ({_list(WORKING)})"
    return f"{row}.cycle_id, {row}.kind, {row}.stage, coalesce({row}.due_on, 'infinity'), {again}, {row}.late"


def _enter(row: str, n: int) -> str:
    return f"insert into progress_delta (cycle_id, kind, stage, due_on, again, late, n) values ({_bucket(row)}, {n});"


PROCESS_CHANGED = f"""
create or replace function zhibu_process_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    moved boolean := tg_op = 'INSERT' or old.ended_at is distinct from new.ended_at
        or ({_bucket("old")}) is distinct from ({_bucket("new")});
begin
    if not moved and (old.round, old.version, old.branch_name, old.unit_name) is not distinct from (new.round, new.version, new.branch_name, new.unit_name) then
        return null;
    end if;
    if moved then
        if tg_op = 'UPDATE' and old.ended_at is null then
            {_enter("old", -1)}
        end if;
        if new.ended_at is null then
            {_enter("new", 1)}
        end if;
    end if;
    insert into branch_change (cycle_id, process_id, kind) values (new.cycle_id, new.id, new.kind);
    return null;
end $$
"""

PROCESS_CHANGED_BEFORE = f"""
create or replace function zhibu_process_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'UPDATE' and ({_bucket("old")}) is not distinct from ({_bucket("new")})
        and old.round = new.round and old.version = new.version then
        return null;
    end if;
    if tg_op = 'INSERT' or ({_bucket("old")}) is distinct from ({_bucket("new")}) then
        if tg_op = 'UPDATE' then
            {_enter("old", -1)}
        end if;
        {_enter("new", 1)}
    end if;
    insert into branch_change (cycle_id, process_id, kind) values (new.cycle_id, new.id, new.kind);
    return null;
end $$
"""


def upgrade() -> None:
    _people()
    _rolls()
    _processes()
    _talks()
    op.create_table(
        "daily_step",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_daily_step")),
    )
    op.execute("grant select, insert, update on daily_step to zhibu_app")


def _people() -> None:
    op.add_column("person", sa.Column("left_on", sa.Date(), nullable=True))
    op.add_column("person", sa.Column("left_reason", sa.String(length=32), nullable=True))
    op.add_column("person", sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"))
    op.create_check_constraint(op.f("ck_person_left_reason"), "person", f"left_reason in ({_list(LEFT)})")
    op.create_table(
        "punishment",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint(f"kind in ({_list(PUNISHMENTS)})", name=op.f("ck_punishment_kind")),
        sa.CheckConstraint("until is null or until >= given_on", name=op.f("ck_punishment_dates")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_punishment_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_punishment")),
    )
    op.create_index("ix_punishment_person", "punishment", ["person_id"], unique=False)
    op.execute(
        "create trigger zhibu_history after insert or update or delete on punishment for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on punishment to zhibu_app")
    op.execute("select set_config('zhibu.actor', 'cli', true)")
    op.execute("""
        insert into punishment (person_id, kind, given_on, recorded_by, recorded_at)
        select r.person_id, case when bool_and(r.voting) then 'other' else 'probation' end,
            coalesce(max(r.punished_on), (max(c.published_at) at time zone 'Asia/Shanghai')::date), 'cli', now()
        from participant r join process p on p.id = r.process_id join cycle c on c.id = p.cycle_id
        where c.status = 'published' and r.left_on is null and (r.punished_on is not null or r.standing = 'full' and not r.voting)
        group by r.person_id
    """)


def _rolls() -> None:
    op.add_column("participant", sa.Column("left_reason", sa.String(length=32), nullable=True))
    op.add_column("participant", sa.Column("joined_on", sa.Date(), nullable=True))
    op.add_column("participant", sa.Column("rated_here_by", sa.Text(), nullable=True))
    op.add_column("participant", sa.Column("excused_kind", sa.String(length=32), nullable=True))
    op.create_check_constraint(op.f("ck_participant_left_reason"), "participant", f"left_reason in ({_list(LEFT)})")
    op.create_check_constraint(op.f("ck_participant_excused_kind"), "participant", f"excused_kind in ({_list(EXCUSES)})")
    op.execute("update participant set excused_kind = 'other' where excused_reason is not null")
    op.execute("update participant set rated_here_by = 'cli' where not rated_here")
    # They were left out of every figure until now, and stay so unless they were rated.
    op.execute("""
        update participant r set rated_here = false
        where r.left_on is not null and not exists (
            select from rating g where g.process_id = r.process_id and g.staff_no = r.staff_no and g.level is not null
                and g.withdrawn_at is null and g.rejected_at is null)
    """)


def _talks() -> None:
    """Say of each talk who led on its day: by posts on that day, else by the roll as it is."""
    led = """(exists (select from appointment a join person m on m.id = a.person_id
            where m.staff_no = {who} and a.branch_id = p.branch_id and a.starts_on <= t.held_on and (a.ends_on is null or a.ends_on >= t.held_on)
                and case when b.has_committee then a.on_committee else a.post in ('secretary', 'deputy') end)
        or exists (select from participant r where r.process_id = t.process_id and r.staff_no = {who} and r.leads))"""
    was_secretary = """(exists (select from appointment a join person m on m.id = a.person_id
            where m.staff_no = t.partner and a.branch_id = p.branch_id and a.post = 'secretary'
                and a.starts_on <= t.held_on and (a.ends_on is null or a.ends_on >= t.held_on))
        or exists (select from participant r where r.process_id = t.process_id and r.staff_no = t.partner and r.post = 'secretary'))"""
    for name in ("talker_led", "partner_led", "with_secretary"):
        op.add_column("talk", sa.Column(name, sa.Boolean(), nullable=False, server_default="false"))
        op.alter_column("talk", name, server_default=None)
    op.execute(f"""
        update talk t set talker_led = {led.format(who="t.talker")}, partner_led = {led.format(who="t.partner")}, with_secretary = {was_secretary}
        from process p join branch b on b.id = p.branch_id where p.id = t.process_id
    """)


def _processes() -> None:
    for name in ("branch_name", "unit_code", "unit_name"):
        op.add_column("process", sa.Column(name, sa.Text(), nullable=True))
    op.execute("""
        update process p set branch_name = b.name, unit_code = b.unit_code, unit_name = b.unit_name from branch b where b.id = p.branch_id
    """)
    for name in ("branch_name", "unit_code", "unit_name"):
        op.alter_column("process", name, nullable=False)
    op.add_column("process", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("process", sa.Column("ended_by", sa.Text(), nullable=True))
    op.add_column("process", sa.Column("ended_why", sa.String(length=32), nullable=True))
    op.add_column("process", sa.Column("ended_reason", sa.Text(), nullable=True))
    op.add_column("process", sa.Column("ended_into_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_process_ended_into_id"), "process", "branch", ["ended_into_id"], ["id"])
    op.create_check_constraint(op.f("ck_process_ended_why"), "process", f"ended_why in ({_list(ENDED)})")
    op.create_check_constraint(
        op.f("ck_process_ended"), "process", "(ended_at is null) = (ended_why is null) and (ended_at is null) = (ended_by is null)"
    )
    op.create_check_constraint(op.f("ck_process_merged"), "process", "(ended_why is not distinct from 'merged') = (ended_into_id is not null)")
    op.create_index("ix_process_ended", "process", ["cycle_id", "kind"], unique=False, postgresql_where=sa.text("ended_at is not null"))
    op.execute(PROCESS_CHANGED)
    op.execute("drop trigger zhibu_progress on branch")
    op.execute(
        "create trigger zhibu_progress after update of code on branch for each row when (old.code is distinct from new.code) execute function zhibu_branch_changed()"
    )


def downgrade() -> None:
    op.execute("select set_config('zhibu.actor', 'cli', true)")
    op.drop_table("daily_step")
    for name in ("with_secretary", "partner_led", "talker_led"):
        op.drop_column("talk", name)
    op.execute("drop trigger zhibu_progress on branch")
    op.execute(
        "create trigger zhibu_progress after update of code, name, unit_code, unit_name on branch for each row when (old.* is distinct from new.*) execute function zhibu_branch_changed()"
    )
    op.execute(PROCESS_CHANGED_BEFORE)
    op.drop_index("ix_process_ended", table_name="process", postgresql_where=sa.text("ended_at is not null"))
    for name in ("merged", "ended", "ended_why"):
        op.drop_constraint(op.f(f"ck_process_{name}"), "process")
    op.drop_constraint(op.f("fk_process_ended_into_id"), "process")
    for name in ("ended_into_id", "ended_reason", "ended_why", "ended_by", "ended_at", "unit_name", "unit_code", "branch_name"):
        op.drop_column("process", name)
    op.execute("update participant set rated_here = true where left_on is not null")
    for name in ("excused_kind", "left_reason"):
        op.drop_constraint(op.f(f"ck_participant_{name}"), "participant")
    for name in ("excused_kind", "rated_here_by", "joined_on", "left_reason"):
        op.drop_column("participant", name)
    op.drop_table("punishment")
    op.drop_constraint(op.f("ck_person_left_reason"), "person")
    for name in ("version", "left_reason", "left_on"):
        op.drop_column("person", name)
