"""The past of a database (数据库的来历): whether two answers come from the same run of changes.

A number that only grows (a transaction, a version) means something within one past. A restore, a
copy and a fail-over to a server that had not heard everything go on from an earlier point, in a
past of their own, and its numbers soon pass those that were given out before.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, SmallInteger, event, text
from sqlalchemy.orm import Mapped, mapped_column

from workflow.foundation.database import Base, ddl, table_of
from workflow.foundation.history import granted
from workflow.foundation.personal import Area, personal


@granted("select")
class Past(Base):
    """The word that a restored database has anew (来历), one row.

    ``deploy/restore.sh`` renews it as the tables' owner: the application has no reason to.
    """

    __tablename__ = "past"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False, server_default=text("1"))
    word: Mapped[str] = mapped_column(server_default=text("gen_random_uuid()::text"))


event.listen(table_of(Past), "after_create", ddl("insert into past default values"))
personal(Past, Area.SYSTEM, "数据库的来历", other="word")

PAST = """
    left(encode(sha256(convert_to(concat_ws(':',
        (select system_identifier from pg_control_system()),
        (select oid from pg_database where datname = current_database()),
        case when pg_is_in_recovery() then 'standby' else left(pg_walfile_name(pg_current_wal_lsn()), 8) end,
        (select word from past)
    ), 'UTF8')), 'hex'), 20)
"""
"""An expression of SQL that names the present past in 20 characters.

It differs after a restore on another server (its identifier), into another database (its oid), into
the same one (the word), and after a fail-over or a restore to a point in time (the timeline, the
first eight characters of the name of the log that is written now).
"""
