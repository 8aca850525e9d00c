"""Alembic's entry: one connection as the owner, one transaction.

No wait for locks longer than ten seconds.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from migrations import tables

engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
with engine.connect() as connection:
    connection.execute(text("set lock_timeout = '10s'"))
    connection.execute(text("select pg_advisory_lock(hashtext('zhibu.migrate'))"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=tables.METADATA,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
    )
    with context.begin_transaction():
        context.run_migrations()
