"""Rows that spoil their own letter: put aside, told by the doctor, sent when corrected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from schedulers.worker import tick
from tests.support.builders import NOW, a_school, person, the_plan
from tests.support.mail_server import MailServer, mail_server
from tests.support.records.evidence import stand_at
from tests.support.records.rectification import a_measure
from tests.system.test_doctor import look
from workflow.foundation.database import transaction
from workflow.foundation.settings import Settings
from workflow.foundation.vocabulary import LetterState, Stage
from workflow.mail.aside import REST, LetterAside, letters_aside
from workflow.mail.heartbeat import heartbeat
from workflow.mail.items import letters_of
from workflow.mail.letters import Rendered
from workflow.mail.message import message
from workflow.mail.outbox import Letter, NewLetter, enqueue
from workflow.readings.findings import Finding, State
from workflow.workbooks.cells import Cell, CellFault, person_name
from workflow.year.finding import process_of

POISON = "赵六 =?utf-8?B?6LW15YW?="
"""A name pasted from a mail program and cut off: no header can be made of it."""
MINUTE = timedelta(minutes=1)
REMINDED = ["office@school.example", "z3@school.example", "z6@school.example"]


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def settings(server: MailServer) -> Settings:
    return Settings(
        smtp_url=server.url,
        mail_from="zhibu@school.example",
        base_url="https://zhibu.example.edu.cn",
    )


@pytest.fixture
def school(engine: Engine) -> Engine:
    """At NOW both secretaries are reminded, and the office has its weekly letter."""
    with transaction(engine, actor="cli") as session:
        a_school(session)
    return engine


def run(engine: Engine, statement: str, **values: object) -> None:
    """Change a row without the product."""
    with transaction(engine, actor="cli") as session:
        session.execute(text(statement), values)


def rename(engine: Engine, name: str) -> None:
    """Change the name of the secretary of D0201 on the roster and on the roll."""
    for table in ("person", "participant"):
        run(engine, f"update {table} set name = :name where staff_no = 'z6'", name=name)  # noqa: S608


def aside(engine: Engine) -> dict[str, LetterAside]:
    with transaction(engine, actor=None) as session:
        return letters_aside(session)


def ledger(engine: Engine) -> list[Letter]:
    with transaction(engine, actor=None) as session:
        return list(letters_of(session))


def sound(engine: Engine) -> bool:
    """Tell whether the newest tick did all of its steps."""
    with transaction(engine, actor=None) as session:
        beat = heartbeat(session)
    return beat is not None and beat.failed is None


def findings(engine: Engine) -> list[Finding]:
    """Read the doctor's findings about letters."""
    with transaction(engine, actor=None) as session:
        newest = str(session.scalar(text("select version_num from alembic_version")))
    url = engine.url.render_as_string(hide_password=False)
    return look(url, newest=newest).get("通知邮件", [])


def put_aside(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "letter-put-aside"]


# ── an item that cannot be written ────────────────────────────────────────────────────────────────


def spoil(engine: Engine) -> None:
    """Take the words of the levels out of the year's plan: no reminder of a day can be filled."""
    run(engine, "update cycle set plan = plan #- '{rules,levels}'")


def mend(engine: Engine) -> None:
    run(engine, "update cycle set plan = jsonb_set(plan, '{rules,levels}', :levels)", levels=json.dumps(the_plan().as_json()["rules"]["levels"]))


def test_what_breaks_one_item_costs_nobody_else_theirs(
    school: Engine,
    settings: Settings,
    server: MailServer,
) -> None:
    spoil(school)
    with capture_logs() as logs:
        tick(school, settings, NOW)
    assert server.recipients == ["office@school.example"]
    assert sound(school)
    rows = aside(school).values()
    assert {(row.kind, row.error) for row in rows} == {("due-3", "KeyError")}
    assert {(line["letter"], line["kind"], line["error"]) for line in put_aside(logs)} == {(row.key, row.kind, row.error) for row in rows}
    written = f"{logs}{[vars(row) for row in rows]}"
    for secret in ("赵六", "z6@school.example", "D0201党支部"):
        assert secret not in written


def test_a_letter_goes_with_its_other_items(school: Engine, settings: Settings, server: MailServer) -> None:
    spoil(school)
    with transaction(school, actor="cli") as session:
        process = process_of(session, 2024, "D0201")
        a_measure(session, process, owner="赵六", due_on=date(2024, 12, 23))
    tick(school, settings, NOW)
    [letter] = [each for each in server.received if each["To"].addresses[0].addr_spec == "z6@school.example"]
    assert "整改措施" in str(letter["Subject"])
    assert {row.kind for row in aside(school).values()} == {"due-3"}


def test_the_doctor_tells_which_item_of_which_branch_and_why(
    school: Engine,
    settings: Settings,
) -> None:
    assert findings(school) == []
    spoil(school)
    tick(school, settings, NOW)
    [found] = findings(school)
    assert found.state is State.WARNING
    for said in ("2 封", "D0101", "D0201", "due-3", "KeyError", *aside(school)):
        assert said in found.said
    assert "赵六" not in found.said


def test_it_is_tried_once_an_hour_and_logged_once(school: Engine, settings: Settings) -> None:
    spoil(school)
    tick(school, settings, NOW)
    first = max(row.next_at for row in aside(school).values())
    tried = []
    for later in (MINUTE, REST - MINUTE, REST + MINUTE, REST + 2 * MINUTE):
        with capture_logs() as logs:
            tick(school, settings, NOW + later)
        assert put_aside(logs) == []
        tried.append(min(row.next_at for row in aside(school).values()) - first > REST / 2)
    assert tried == [False, False, True, True]


def test_once_it_is_mended_it_goes(school: Engine, settings: Settings, server: MailServer) -> None:
    spoil(school)
    tick(school, settings, NOW)
    mend(school)
    tick(school, settings, NOW + MINUTE)
    assert "z6@school.example" not in server.recipients
    tick(school, settings, NOW + REST + MINUTE)
    assert "z6@school.example" in server.recipients
    assert aside(school) == {}
    assert findings(school) == []
    assert {letter.state for letter in ledger(school)} == {LetterState.SENT}


def test_once_it_is_told_no_more_it_is_forgotten(
    school: Engine,
    settings: Settings,
    server: MailServer,
) -> None:
    spoil(school)
    tick(school, settings, NOW)
    with transaction(school, actor="cli") as session:
        for code in ("D0101", "D0201"):
            stand_at(session, process_of(session, 2024, code), Stage.FILED)
    tick(school, settings, NOW + MINUTE)
    assert aside(school) == {}
    assert "z6@school.example" not in server.recipients


# ── a message that cannot be built ────────────────────────────────────────────────────────────────


def queue(engine: Engine, name: str) -> None:
    """Queue a letter of an event to 赵六 by this name, and one to 张三."""
    with transaction(engine, actor="cli") as session:
        process = process_of(session, 2024, "D0201")
        letters = [
            NewLetter(
                kind="returned",
                recipient_id=to.id,
                recipient_name=called,
                address=to.email,
                words=Rendered("一封信", f"{called}同志：\n", "<p>您好。</p>\n"),
                process_id=process.id,
            )
            for to, called in ((person(session, "赵六"), name), (person(session, "张三"), "张三"))
        ]
        assert enqueue(session, letters, NOW) == 2


def test_a_letter_whose_message_cannot_be_built_costs_nobody_else_theirs(
    school: Engine,
    settings: Settings,
    server: MailServer,
) -> None:
    queue(school, POISON)
    with capture_logs() as logs:
        tick(school, settings, NOW)
        tick(school, settings, NOW + 2 * MINUTE)
    assert sorted(server.recipients) == sorted([*REMINDED, "z3@school.example"])
    assert sound(school)
    [stuck] = [letter for letter in ledger(school) if letter.state is not LetterState.SENT]
    assert (stuck.state, stuck.error) == (LetterState.PENDING, "content UnicodeEncodeError")
    assert stuck.attempts == 2
    [line] = put_aside(logs)
    assert (line["kind"], line["error"]) == ("returned", "content UnicodeEncodeError")
    assert "赵六" not in f"{logs}{stuck.error}"
    [found] = findings(school)
    for said in ("D0201", "returned", "UnicodeEncodeError", stuck.key):
        assert said in found.said


def test_once_its_message_can_be_built_it_goes(
    school: Engine,
    settings: Settings,
    server: MailServer,
) -> None:
    queue(school, POISON)
    tick(school, settings, NOW)
    run(
        school,
        "update letter set recipient_name = '赵六' where recipient_name = :name",
        name=POISON,
    )
    tick(school, settings, NOW + REST)
    assert server.recipients.count("z6@school.example") == 2
    assert findings(school) == []


def test_the_roster_takes_with_a_warning_a_name_that_no_message_does() -> None:
    with pytest.raises(CellFault) as doubt:
        person_name(Cell(POISON))
    assert (doubt.value.severity, doubt.value.taken) == ("warning", POISON)
    with pytest.raises(UnicodeEncodeError):
        message(
            sender="zhibu@school.example",
            recipient=POISON,
            address="z6@school.example",
            words=Rendered("一封信", "", ""),
            message_id="0",
            written_at=NOW,
        ).as_bytes()


def test_a_name_that_breaks_a_letter_of_reminders_costs_nobody_else_theirs(
    school: Engine,
    settings: Settings,
    server: MailServer,
) -> None:
    rename(school, POISON)
    tick(school, settings, NOW)
    assert sorted(server.recipients) == ["office@school.example", "z3@school.example"]
    assert sound(school)
    [stuck] = [letter for letter in ledger(school) if letter.state is not LetterState.SENT]
    assert (stuck.state, stuck.error) == (LetterState.PENDING, "content UnicodeEncodeError")
    [found] = findings(school)
    for said in ("D0201", "due-3", "UnicodeEncodeError"):
        assert said in found.said
    assert "赵六" not in found.said


@pytest.mark.parametrize("sender", ["党委办公室", "XX大学党委办公室, 组织部 <noreply@school.example>"])
def test_a_sender_that_is_none_fails_no_letter(school: Engine, settings: Settings, server: MailServer, sender: str) -> None:
    tick(school, settings.model_copy(update={"mail_from": sender}), NOW)
    assert {letter.state for letter in ledger(school)} == {LetterState.PENDING}
    assert findings(school)[0].state is State.WARNING
    tick(school, settings, NOW + REST)
    assert sorted(server.recipients) == REMINDED
