"""The migration of sign-ins: counts and sessions of before go on; back again, one link is open."""

from __future__ import annotations

from datetime import timedelta

from alembic import command
from sqlalchemy import Engine, text

import migrations
from tests.support.builders import NOW, a_school, person
from workflow.foundation.database import transaction
from workflow.people.accounts import open_account
from workflow.people.guard.throttle import PAIR, take
from workflow.people.invitations import Desk, forget_password
from workflow.people.sessions import sessions_of, sign_in

BEFORE, PASSWORD = "20250116_past", "一个很长的密码 12"


def test_counts_and_sessions_of_before_go_on_and_the_newest_link_stays_open_on_the_way_back(engine: Engine, owner_url: str) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)
        who = person(session, "王五")
        open_account(session, who, now=NOW, password=PASSWORD)
        secret = sign_in(session, staff_no="w5", password=PASSWORD, now=NOW, hours=8).secret
        for hour in range(3):
            forget_password(session, "w5", desk=Desk(now=NOW + timedelta(hours=hour), base_url="https://zhibu.example", hours=72))
        for _ in range(5):
            take(session, PAIR, "w5", "network", "203.0.113.9")
    command.downgrade(migrations.configuration(owner_url), BEFORE)
    with transaction(engine, actor=None) as session:
        open_links = session.scalars(text("select created_at from invitation where ended_at is null")).all()
        assert open_links == [NOW + timedelta(hours=2)]
    command.upgrade(migrations.configuration(owner_url), "head")
    with transaction(engine, actor=None) as session:
        [still] = sessions_of(session, person(session, "王五").id, secret=secret, now=NOW, after=0, limit=10)
        assert (still.current, still.browser, still.used_at) == (True, None, NOW)
        assert take(session, PAIR, "w5", "network", "203.0.113.9") is not None
