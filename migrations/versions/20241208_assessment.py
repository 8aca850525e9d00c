"""The committee assesses the branches (党委考核支部): a second kind of process, duty reports, facts of the year.

Revision: 20241208_assessment
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20241208_assessment"
down_revision = "20241207_form"
branch_labels = None
depends_on = None

APPRAISAL = ("study", "talks", "self_review", "rating", "rectification", "report", "filed", "accepted")
ASSESSMENT = ("collecting", "summarised", "proposed", "decided", "published")
TRIGGERS = ("advance", "file", "accept", "return", "step_back", "withdraw", "reopen")

OPEN = """
insert into process (cycle_id, branch_id, kind, stage, round, version, entered_at, late, due_on)
select p.cycle_id, p.branch_id, 'assessment', 'collecting', 1, 1, clock_timestamp(), false, null
from process p join cycle c on c.id = p.cycle_id
where p.kind = 'appraisal' and c.status = 'published' order by p.id
"""
"""A year that is published already gets its assessments, as a new branch would."""

FOLLOW = """
insert into participant (process_id, person_id, staff_no, name, standing, post, title, on_committee, leads, cadre, voting, rated_here, version)
select q.id, r.person_id, r.staff_no, r.name, r.standing, r.post, r.title, r.on_committee, r.leads, r.cadre, r.voting, r.rated_here, 1
from participant r join process p on p.id = r.process_id
join process q on q.cycle_id = p.cycle_id and q.branch_id = p.branch_id and q.kind = 'assessment'
where p.kind = 'appraisal' and r.left_on is null
"""


def _words(*, both: bool) -> None:
    """What kinds, stages and triggers there are."""
    kinds = ("appraisal", "assessment") if both else ("appraisal",)
    stages = (*APPRAISAL, *ASSESSMENT) if both else APPRAISAL
    triggers = (*TRIGGERS, "decide", "publish") if both else TRIGGERS
    for table, column, words in (
        ("process", "kind", kinds),
        ("process", "stage", stages),
        ("progress_count", "kind", kinds),
        ("progress_count", "stage", stages),
        ("extension", "stage", stages),
        ("stage_change", "trigger", triggers),
        ("stage_change", "source", stages),
        ("stage_change", "target", stages),
    ):
        _check(table, column, f"{column} in ({_list(words)})")
    of_kind = {"appraisal": APPRAISAL, "assessment": ASSESSMENT}
    _check("process", "stage_of_kind", " or ".join(f"(kind = '{kind}' and stage in ({_list(of_kind[kind])}))" for kind in kinds))


def _check(table: str, name: str, condition: str) -> None:
    op.execute(f"alter table {table} drop constraint ck_{table}_{name}")
    op.execute(f"alter table {table} add constraint ck_{table}_{name} check ({condition})")


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _functions(working: tuple[str, ...], kind: tuple[str, str, str]) -> tuple[str, str, str]:
    """What follows the processes: with the stages that have work in them, and whether a change says its kind (column, new value, value of p)."""
    again = f"{{row}}.round > 1 and {{row}}.stage in ({_list(working)})"
    bucket = f"{{row}}.cycle_id, {{row}}.kind, {{row}}.stage, coalesce({{row}}.due_on, 'infinity'), {again}, {{row}}.late"
    old, new = bucket.format(row="old"), bucket.format(row="new")
    enter = "insert into progress_delta (cycle_id, kind, stage, due_on, again, late, n) values ({bucket}, {n});"
    column, of_new, of_p = kind
    return (
        f"""
create or replace function zhibu_process_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'UPDATE' and ({old}) is not distinct from ({new})
        and old.round = new.round and old.version = new.version then
        return null;
    end if;
    if tg_op = 'INSERT' or ({old}) is distinct from ({new}) then
        if tg_op = 'UPDATE' then
            {enter.format(bucket=old, n=-1)}
        end if;
        {enter.format(bucket=new, n=1)}
    end if;
    insert into branch_change (cycle_id, process_id{column}) values (new.cycle_id, new.id{of_new});
    return null;
end $$
""",
        f"""
create or replace function zhibu_branch_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into branch_change (cycle_id, process_id{column}) select p.cycle_id, p.id{of_p} from process p where p.branch_id = new.id;
    return null;
end $$
""",
        f"""
create or replace function zhibu_secretary_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into branch_change (cycle_id, process_id{column}) select p.cycle_id, p.id{of_p} from process p where p.id = new.process_id;
    return null;
end $$
""",
    )


def upgrade() -> None:
    op.create_table(
        "arrangement",
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Enum("on_site", "written", name="mode", native_enum=False, create_constraint=True, length=32), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("conduct", sa.Text(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.CheckConstraint("mode = 'on_site' or num_nonnulls(held_on, place, position) = 0", name=op.f("ck_arrangement_on_site")),
        sa.CheckConstraint("position >= 1", name=op.f("ck_arrangement_position")),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_arrangement_cycle_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_arrangement_process_id")),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_arrangement")),
    )
    op.create_index("uq_arrangement_position", "arrangement", ["cycle_id", "held_on", "place", "position"], unique=True)
    op.create_table(
        "duty_report",
        sa.Column("sections", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rectification", sa.Text(), nullable=True),
        sa.Column("submitted", sa.Boolean(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_reason", sa.Text(), nullable=True),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_duty_report_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_report")),
    )
    op.create_index(op.f("ix_duty_report_process_id"), "duty_report", ["process_id"], unique=False)
    op.create_index(
        "uq_duty_report_standing", "duty_report", ["process_id"], unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"
    )
    op.create_table(
        "facts",
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("main_work", sa.Text(), nullable=True),
        sa.Column("general", sa.BigInteger(), nullable=True),
        sa.Column("committee", sa.BigInteger(), nullable=True),
        sa.Column("group_meetings", sa.BigInteger(), nullable=True),
        sa.Column("lesson", sa.BigInteger(), nullable=True),
        sa.Column("applicants", sa.BigInteger(), nullable=True),
        sa.Column("activists", sa.BigInteger(), nullable=True),
        sa.Column("candidates", sa.BigInteger(), nullable=True),
        sa.Column("admitted", sa.BigInteger(), nullable=True),
        sa.Column("confirmed", sa.BigInteger(), nullable=True),
        sa.Column("clean_government", sa.Text(), nullable=True),
        sa.Column("clean_issues", sa.Boolean(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_by", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(checked_by is null) = (checked_at is null)", name=op.f("ck_facts_checked")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_facts_version")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_facts_process_id")),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_facts")),
    )
    op.add_column("branch_change", sa.Column("kind", sa.Text(), server_default="appraisal", nullable=False))
    op.alter_column("branch_change", "kind", server_default=None)
    op.drop_index("ix_branch_change_since", table_name="branch_change")
    op.create_index("ix_branch_change_since", "branch_change", ["cycle_id", "kind", "xid"], unique=False)
    _words(both=True)
    for function in _functions((*APPRAISAL[:6], *ASSESSMENT[:3]), (", kind", ", new.kind", ", p.kind")):
        op.execute(function)
    op.execute("grant select, insert, update, delete on arrangement to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on arrangement for each row execute function zhibu_record_history('process_id', '')"
    )
    op.execute("grant select, insert, update, delete on duty_report to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on duty_report for each row execute function zhibu_record_history('id', 'sections,rectification')"
    )
    op.execute("grant select, insert, update, delete on facts to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on facts for each row execute function zhibu_record_history('process_id', '')"
    )

    op.execute("select set_config('zhibu.actor', 'cli', true)")
    op.execute(OPEN)
    op.execute(FOLLOW)


def downgrade() -> None:
    op.execute("select set_config('zhibu.actor', 'cli', true)")
    for table in ("participant", "stage_change", "extension", "waiver", "letter", "branch_change"):
        op.execute(f"delete from {table} using process p where p.id = process_id and p.kind = 'assessment'")
    op.drop_table("facts")
    op.drop_index("uq_duty_report_standing", table_name="duty_report", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_index(op.f("ix_duty_report_process_id"), table_name="duty_report")
    op.drop_table("duty_report")
    op.drop_index("uq_arrangement_position", table_name="arrangement")
    op.drop_table("arrangement")
    op.execute("delete from process where kind = 'assessment'")
    op.execute("delete from progress_count where kind = 'assessment'")
    op.execute("delete from progress_delta where kind = 'assessment'")
    for function in _functions(APPRAISAL[:6], ("", "", "")):
        op.execute(function)
    _words(both=False)
    op.drop_index("ix_branch_change_since", table_name="branch_change")
    op.create_index("ix_branch_change_since", "branch_change", ["cycle_id", "xid"], unique=False)
    op.drop_column("branch_change", "kind")
