"""The migration of letters: what was told stays told, what waited goes with the person's letter."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from alembic import command
from sqlalchemy import Engine, text

import migrations
from schedulers.delivery import deliver
from tests.support.builders import NOW, a_school
from tests.support.letters.reminding import BASE, told_of
from tests.support.mail_server import MailServer, mail_server
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import LetterState
from workflow.reminders.writing import Reminders

BEFORE = "20241215_activity_kinds"
FILL = """
insert into letter (key, kind, process_id, cycle_id, recipient_id, recipient_name, address, subject, text, html, state, created_at,
    due_on, attempts, next_at, leased_until, sent_at, error, message_id)
select format('%s:p%s:r1:%s:%s', l.kind, p.id, coalesce(l.due_on::text, '-'), m.id), l.kind, p.id, p.cycle_id, m.id, m.name,
    m.email, l.kind, case when l.next_at is null then '' else '正文' end, '', l.state, :now, l.due_on, 0, l.next_at, null, l.sent_at,
    null, l.kind || m.staff_no
from process p join participant r on r.process_id = p.id join person m on m.id = r.person_id,
    (values ('due-7', date '2024-12-25', 'sent', null::timestamptz, :now), ('due-3', date '2024-12-25', 'pending', :now, null),
        ('due-1', date '2024-12-25', 'moot', null, null), ('published', null, 'pending', :now, null))
    as l (kind, due_on, state, next_at, sent_at)
where p.kind = 'appraisal' and m.staff_no in ('z3', 'z6')
"""


@pytest.fixture
def present(engine: Engine, owner_url: str) -> Engine:
    """A school whose letters are those of the old release, after the migration."""
    with transaction(engine, actor="cli") as session:
        a_school(session)
    command.downgrade(migrations.configuration(owner_url), BEFORE)
    with transaction(engine, actor="cli") as session:
        session.execute(text(FILL), {"now": NOW - timedelta(hours=1)})
        session.execute(text("update letter set key = replace(key, ':r1:', '.7:r1:') where kind = 'published'"))
    command.upgrade(migrations.configuration(owner_url), "head")
    return engine


def sent(engine: Engine, server: MailServer) -> list[tuple[str, str]]:
    reminders = Reminders(partial(transaction, engine, actor="worker"), base_url=BASE)
    reminders.queue(NOW)
    deliver(engine, smtp_url=server.url, sender="zhibu@school.example", now=NOW, reminders=reminders)
    return [(message["To"].addresses[0].addr_spec, str(message["Subject"])) for message in server.received]


def test_what_waited_goes_once_with_the_letter_of_the_day(present: Engine) -> None:
    with mail_server() as server:
        first = sent(present, server)
        assert sent(present, server) == first
    assert [subject for to, subject in first if to == "z3@school.example"] == ["D0101党支部“集中学习”还有5天到期"]
    with transaction(present, actor=None) as session:
        of_secretary = {each.kind: each.state for each in told_of(session) if each.recipient == "张三"}
        assert of_secretary == {"due-7": LetterState.SENT, "due-3": LetterState.SENT, "due-1": LetterState.MOOT}


def test_the_record_of_a_waiting_letter_of_an_act_is_read_from_its_key(present: Engine) -> None:
    with transaction(present, actor=None) as session:
        records = session.execute(text("select distinct kind, record from letter where record is not null")).all()
    assert [tuple(row) for row in records] == [("published", 7)]


def test_downgrading_keeps_what_was_told_from_being_told_again(present: Engine, owner_url: str) -> None:
    with mail_server() as server:
        sent(present, server)
    command.downgrade(migrations.configuration(owner_url), BEFORE)
    with transaction(present, actor=None) as session:
        kinds = session.execute(text("select kind, state from letter where key like 'due-3:%' order by id")).all()
        assert [tuple(row) for row in kinds] == [("due-3", "sent")] * 2
    command.upgrade(migrations.configuration(owner_url), "head")
    with mail_server() as server:
        assert sent(present, server) == []
