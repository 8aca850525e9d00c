"""Self-reviews, meetings, tallies: what the third stage records.

Revision: 20241204_self_review
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20241204_self_review"
down_revision = "20241203_people"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meeting",
        sa.Column(
            "purpose", sa.Enum("life", "report", "deciding", name="purpose", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column(
            "form", sa.Enum("general", "committee", "group", name="form", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("group_name", sa.Text(), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("chair", sa.Text(), nullable=True),
        sa.Column("recorder", sa.Text(), nullable=True),
        sa.Column("theme", sa.Text(), nullable=False),
        sa.Column("agenda", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("duty_report", sa.Text(), nullable=True),
        sa.Column("rectification_report", sa.Text(), nullable=True),
        sa.Column("vote_yes", sa.BigInteger(), nullable=True),
        sa.Column("vote_no", sa.BigInteger(), nullable=True),
        sa.Column("vote_abstain", sa.BigInteger(), nullable=True),
        sa.Column("minutes", sa.Text(), nullable=True),
        sa.Column("chair_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorder_confirmed_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.CheckConstraint("purpose <> 'deciding' or form <> 'group'", name=op.f("ck_meeting_deciding_form")),
        sa.CheckConstraint("chair <> recorder", name=op.f("ck_meeting_two_people")),
        sa.CheckConstraint("num_nulls(vote_yes, vote_no, vote_abstain) in (0, 3)", name=op.f("ck_meeting_vote_whole")),
        sa.ForeignKeyConstraint(["chair"], ["person.staff_no"], name=op.f("fk_meeting_chair"), onupdate="CASCADE"),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_meeting_process_id")),
        sa.ForeignKeyConstraint(["recorder"], ["person.staff_no"], name=op.f("fk_meeting_recorder"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meeting")),
    )
    op.create_index(op.f("ix_meeting_process_id"), "meeting", ["process_id"], unique=False)
    op.create_index(
        "ix_meeting_purpose", "meeting", ["process_id", "purpose"], unique=False, postgresql_where="withdrawn_at is null and rejected_at is null"
    )
    op.create_table(
        "self_review",
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("aspects", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "level",
            sa.Enum("excellent", "qualified", "basic", "unqualified", name="level", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("submitted", sa.Boolean(), nullable=False),
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
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_self_review_process_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_self_review_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_self_review")),
    )
    op.create_index(op.f("ix_self_review_process_id"), "self_review", ["process_id"], unique=False)
    op.create_index(
        "uq_self_review_standing",
        "self_review",
        ["process_id", "staff_no"],
        unique=True,
        postgresql_where="withdrawn_at is null and rejected_at is null",
    )
    op.create_table(
        "tally",
        sa.Column("subject", sa.Enum("committee", "members", name="subject", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("valid", sa.BigInteger(), nullable=False),
        sa.Column("void", sa.BigInteger(), nullable=False),
        sa.Column("comments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("counted_by", sa.Text(), nullable=True),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.CheckConstraint("(counted_at is null) = (counted_by is null) and counted_by <> recorded_by", name=op.f("ck_tally_two_tellers")),
        sa.CheckConstraint(
            "issued >= returned and returned = valid + void and least(issued, returned, valid, void) >= 0", name=op.f("ck_tally_balance")
        ),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_tally_process_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally")),
    )
    op.create_index(op.f("ix_tally_process_id"), "tally", ["process_id"], unique=False)
    op.create_index(
        "uq_tally_standing", "tally", ["process_id", "subject"], unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"
    )
    op.create_table(
        "meeting_attendance",
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("not present or reason is null", name=op.f("ck_meeting_attendance_reason")),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name=op.f("fk_meeting_attendance_meeting_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_meeting_attendance_process_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_meeting_attendance_staff_no"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("meeting_id", "staff_no", name=op.f("pk_meeting_attendance")),
    )
    op.create_table(
        "meeting_criticism",
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("matter", sa.Text(), nullable=True),
        sa.Column("shown", sa.Text(), nullable=True),
        sa.Column("improve", sa.Text(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["about"], ["person.staff_no"], name=op.f("fk_meeting_criticism_about"), onupdate="CASCADE"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name=op.f("fk_meeting_criticism_meeting_id")),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_meeting_criticism_process_id")),
        sa.ForeignKeyConstraint(["speaker"], ["person.staff_no"], name=op.f("fk_meeting_criticism_speaker"), onupdate="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meeting_criticism")),
    )
    op.create_index(op.f("ix_meeting_criticism_meeting_id"), "meeting_criticism", ["meeting_id"], unique=False)
    op.create_table(
        "tally_of_item",
        sa.Column("tally_id", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.Enum("work", "style", "overall", name="item", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("good", sa.BigInteger(), nullable=False),
        sa.Column("fairly_good", sa.BigInteger(), nullable=False),
        sa.Column("fair", sa.BigInteger(), nullable=False),
        sa.Column("poor", sa.BigInteger(), nullable=False),
        sa.Column("abstain", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_tally_of_item_process_id")),
        sa.ForeignKeyConstraint(["tally_id"], ["tally.id"], name=op.f("fk_tally_of_item_tally_id")),
        sa.PrimaryKeyConstraint("tally_id", "item", name=op.f("pk_tally_of_item")),
    )
    op.create_table(
        "tally_of_member",
        sa.Column("tally_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_no", sa.Text(), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("excellent", sa.BigInteger(), nullable=False),
        sa.Column("qualified", sa.BigInteger(), nullable=False),
        sa.Column("basic", sa.BigInteger(), nullable=False),
        sa.Column("unqualified", sa.BigInteger(), nullable=False),
        sa.Column("abstain", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["process.id"], name=op.f("fk_tally_of_member_process_id")),
        sa.ForeignKeyConstraint(["staff_no"], ["person.staff_no"], name=op.f("fk_tally_of_member_staff_no"), onupdate="CASCADE"),
        sa.ForeignKeyConstraint(["tally_id"], ["tally.id"], name=op.f("fk_tally_of_member_tally_id")),
        sa.PrimaryKeyConstraint("tally_id", "staff_no", name=op.f("pk_tally_of_member")),
    )
    op.create_index("ix_tally_of_member_staff", "tally_of_member", ["process_id", "staff_no"], unique=False)
    op.execute("grant select, insert, update, delete on meeting to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on meeting for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on self_review to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on self_review for each row execute function zhibu_record_history('id', 'aspects,level')"
    )
    op.execute("grant select, insert, update, delete on tally to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on tally for each row execute function zhibu_record_history('id', 'issued,returned,valid,void,comments')"
    )
    op.execute("grant select, insert, update, delete on meeting_attendance to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on meeting_attendance for each row execute function zhibu_record_history('meeting_id,staff_no', '')"
    )
    op.execute("grant select, insert, update, delete on meeting_criticism to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on meeting_criticism for each row execute function zhibu_record_history('id', '')"
    )
    op.execute("grant select, insert, update, delete on tally_of_item to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on tally_of_item for each row execute function zhibu_record_history('tally_id,item', 'good,fairly_good,fair,poor,abstain')"
    )
    op.execute("grant select, insert, update, delete on tally_of_member to zhibu_app")
    op.execute(
        "create trigger zhibu_history after insert or update or delete on tally_of_member for each row execute function zhibu_record_history('tally_id,staff_no', 'excellent,qualified,basic,unqualified,abstain')"
    )


def downgrade() -> None:
    op.drop_index("ix_tally_of_member_staff", table_name="tally_of_member")
    op.drop_table("tally_of_member")
    op.drop_table("tally_of_item")
    op.drop_index(op.f("ix_meeting_criticism_meeting_id"), table_name="meeting_criticism")
    op.drop_table("meeting_criticism")
    op.drop_table("meeting_attendance")
    op.drop_index("uq_tally_standing", table_name="tally", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_index(op.f("ix_tally_process_id"), table_name="tally")
    op.drop_table("tally")
    op.drop_index("uq_self_review_standing", table_name="self_review", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_index(op.f("ix_self_review_process_id"), table_name="self_review")
    op.drop_table("self_review")
    op.drop_index("ix_meeting_purpose", table_name="meeting", postgresql_where="withdrawn_at is null and rejected_at is null")
    op.drop_index(op.f("ix_meeting_process_id"), table_name="meeting")
    op.drop_table("meeting")
