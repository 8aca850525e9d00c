"""Letters over a real SMTP connection: taken, put off, refused, or lost on the way.

Each is sent once and no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.message import EmailMessage
from threading import Event

import pytest
from sqlalchemy import Engine, select, update
from structlog.testing import capture_logs

from schedulers.courier import Outcome
from schedulers.delivery import GIVE_UP_AFTER, LEASE, deliver
from tests.support.builders import NOW
from tests.support.mail_server import DROP, MailServer, free_port, mail_server, silent_after
from workflow.foundation.database import DATABASE_NOW, transaction
from workflow.foundation.vocabulary import LetterState
from workflow.mail.items import letters_of
from workflow.mail.letters import Rendered
from workflow.mail.outbox import Letter, NewLetter, enqueue
from workflow.mail.sending import claim, settle_failed, settle_sent
from workflow.people.organisation import Person

MINUTE = timedelta(minutes=1)
OVER = timedelta(0)
"""A lease that is over as soon as it is given, as after a commit that had to wait."""
WORDS = Rendered("一封信", "您好，王五同志。\n", "<p>您好，王五同志。</p>\n")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def queue(engine: Engine, *names: str, address: str | None = None) -> None:
    """Queue one letter to each at NOW."""
    with transaction(engine, actor="cli") as session:
        letters = []
        for name in names:
            person = Person(staff_no=name, name=name, email=None, branch_id=None, standing=None)
            session.add(person)
            session.flush()
            letters.append(
                NewLetter(kind="returned", recipient_id=person.id, recipient_name=name, address=address or f"{name}@school.example", words=WORDS)
            )
        assert enqueue(session, letters, NOW) == len(names)


def send(engine: Engine, server: MailServer, now: datetime = NOW) -> Counter[Outcome]:
    return deliver(engine, smtp_url=server.url, sender="党委办公室 <zhibu@school.example>", now=now)


def let_leases_run_out(engine: Engine) -> None:
    with transaction(engine, actor="worker") as session:
        session.execute(update(Letter).where(Letter.leased_until.is_not(None)).values(leased_until=Letter.leased_until - LEASE))


def ledger(engine: Engine) -> list[Letter]:
    with transaction(engine, actor="cli") as session:
        return list(letters_of(session))


def texts(engine: Engine) -> list[tuple[LetterState, str, str, str]]:
    with transaction(engine, actor="cli") as session:
        columns = (Letter.state, Letter.subject, Letter.text, Letter.html)
        rows = session.execute(select(*columns).order_by(Letter.id))
        return [(row.state, row.subject, row.text, row.html) for row in rows]


def the_letter(engine: Engine) -> Letter:
    [letter] = ledger(engine)
    return letter


def ids(messages: list[EmailMessage]) -> list[str]:
    return [str(message["Message-ID"]) for message in messages]


def test_each_letter_goes_to_its_own_recipient_alone(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5", "l4")
    assert send(engine, server) == {Outcome.SENT: 2}
    assert sorted(server.recipients) == ["l4@school.example", "w5@school.example"]
    assert [len(message["To"].addresses) for message in server.received] == [1, 1]
    assert {letter.state for letter in ledger(engine)} == {LetterState.SENT}
    assert all(letter.sent_at is not None and letter.attempts == 1 for letter in ledger(engine))


def test_all_letters_of_a_tick_go_over_one_connection(engine: Engine, server: MailServer) -> None:
    assert send(engine, server) == {}
    assert server.connections == 0
    queue(engine, "w5", "l4", "s8", "q7")
    server.answers["RCPT"] = ["250 OK", "550 unknown", "451 try again later"]
    assert send(engine, server) == {Outcome.SENT: 2, Outcome.REFUSED: 1, Outcome.PUT_OFF: 1}
    assert server.connections == 1
    assert send(engine, server, NOW + 2 * MINUTE) == {Outcome.SENT: 1}
    assert server.connections == 2


def test_a_line_that_was_lost_is_opened_once_more_and_used_again(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5", "l4", "s8")
    server.answers["RCPT"] = [DROP]
    assert send(engine, server) == {Outcome.PUT_OFF: 1, Outcome.SENT: 2}
    assert server.connections == 2


def test_what_arrives_is_what_was_written(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    send(engine, server)
    [message] = server.received
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n") == WORDS.text
    assert html.get_content().replace("\r\n", "\n") == WORDS.html
    assert message["Message-ID"] == f"<{the_letter(engine).message_id}@school.example>"
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_letter_has_its_text_while_it_may_be_sent(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    server.answers["RCPT"] = ["451 try again later"]
    send(engine, server)
    assert texts(engine) == [(LetterState.PENDING, WORDS.subject, WORDS.text, WORDS.html)]
    send(engine, server, NOW + 2 * MINUTE)
    assert texts(engine) == [(LetterState.SENT, WORDS.subject, "", "")]


def test_a_letter_that_has_no_address_to_go_to_has_no_text(engine: Engine) -> None:
    queue(engine, "w5", address=" ")
    assert texts(engine) == [(LetterState.NO_ADDRESS, WORDS.subject, "", "")]


def test_a_letter_that_was_sent_is_not_sent_again(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    send(engine, server)
    assert send(engine, server, NOW + 30 * LEASE) == {}
    assert len(server.received) == 1


@pytest.mark.parametrize(("step", "told"), [("RCPT", "RCPT"), ("DATA", "CONTENT")])
def test_a_letter_that_is_put_off_is_tried_later_and_later(engine: Engine, server: MailServer, step: str, told: str) -> None:
    queue(engine, "w5")
    server.answers[step] = ["451 try again later", "451 try again later"]
    assert send(engine, server) == {Outcome.PUT_OFF: 1}
    letter = the_letter(engine)
    assert (letter.state, letter.error, letter.leased_until) == (LetterState.PENDING, f"{told} 451", None)
    assert send(engine, server, NOW + MINUTE / 2) == {}
    assert send(engine, server, NOW + 2 * MINUTE) == {Outcome.PUT_OFF: 1}
    assert send(engine, server, NOW + 3 * MINUTE) == {}
    assert send(engine, server, NOW + 5 * MINUTE) == {Outcome.SENT: 1}
    assert the_letter(engine).error is None


def test_a_letter_that_is_put_off_for_days_has_failed(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    server.answers["RCPT"] = ["451 try again later"]
    assert send(engine, server, NOW + GIVE_UP_AFTER + MINUTE) == {Outcome.REFUSED: 1}
    assert the_letter(engine).state is LetterState.FAILED


@pytest.mark.parametrize(("step", "told"), [("RCPT", "RCPT"), ("DATA", "CONTENT")])
def test_a_letter_that_is_refused_is_not_tried_again_and_the_next_one_goes(engine: Engine, server: MailServer, step: str, told: str) -> None:
    queue(engine, "w5", "l4")
    server.answers[step] = ["550 5.1.1 <w5@school.example> unknown"]
    assert send(engine, server) == {Outcome.REFUSED: 1, Outcome.SENT: 1}
    [failed] = [letter for letter in ledger(engine) if letter.state is LetterState.FAILED]
    assert failed.error == f"{told} 550"
    assert send(engine, server, NOW + 30 * LEASE) == {}
    assert len(server.received) == 1


def test_a_line_lost_after_data_is_sent_once_more_with_the_same_message_id(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    server.answers["DATA"] = [DROP]
    assert send(engine, server) == {Outcome.UNKNOWN: 1}
    assert the_letter(engine).state is LetterState.UNKNOWN
    assert send(engine, server, NOW + 2 * MINUTE) == {Outcome.SENT: 1}
    assert the_letter(engine).state is LetterState.SENT
    first, second = ids(server.received)
    assert first == second


def test_a_line_lost_twice_after_data_is_not_sent_a_third_time(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    server.answers["DATA"] = [DROP, DROP]
    send(engine, server)
    assert send(engine, server, NOW + 2 * MINUTE) == {Outcome.UNKNOWN: 1}
    assert send(engine, server, NOW + timedelta(days=1)) == {}
    assert the_letter(engine).state is LetterState.UNKNOWN
    assert len(server.received) == 2


def test_a_resend_that_is_put_off_or_refused_leaves_the_first_one_unknown(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    server.answers["DATA"] = [DROP, "451 later", "550 no"]
    send(engine, server)
    assert send(engine, server, NOW + 2 * MINUTE) == {Outcome.PUT_OFF: 1}
    assert send(engine, server, NOW + 10 * MINUTE) == {Outcome.REFUSED: 1}
    assert the_letter(engine).state is LetterState.UNKNOWN
    assert send(engine, server, NOW + timedelta(days=1)) == {}


def test_a_line_lost_before_data_hands_nothing_over_and_the_next_letter_goes(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5", "l4")
    server.answers["RCPT"] = [DROP]
    assert send(engine, server) == {Outcome.PUT_OFF: 1, Outcome.SENT: 1}
    assert {letter.state for letter in ledger(engine)} == {LetterState.PENDING, LetterState.SENT}


def test_a_server_that_is_away_fails_no_letter_and_is_asked_once(engine: Engine) -> None:
    queue(engine, "w5", "l4")
    with capture_logs() as logs:
        assert deliver(engine, smtp_url=f"smtp://127.0.0.1:{free_port()}", sender="zhibu@school.example", now=NOW) == {}
    assert sorted(letter.attempts for letter in ledger(engine)) == [0, 1]
    assert {letter.state for letter in ledger(engine)} == {LetterState.PENDING}
    assert [entry["event"] for entry in logs] == ["mail-server-unavailable"]


def test_a_server_that_does_not_let_us_send_fails_no_letter(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    server.answers["MAIL"] = ["530 authentication required"]
    assert send(engine, server) == {}
    assert the_letter(engine).state is LetterState.PENDING
    assert send(engine, server, NOW + 2 * MINUTE) == {Outcome.SENT: 1}


def test_a_password_that_nobody_asked_for_fails_no_letter(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    url = server.url.replace("://", "://zhibu:wrong@")
    assert deliver(engine, smtp_url=url, sender="zhibu@school.example", now=NOW) == {}
    assert the_letter(engine).state is LetterState.PENDING


def test_what_is_no_address_fails_without_a_word_to_the_server(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5", address="w5 at school")
    assert send(engine, server) == {Outcome.REFUSED: 1}
    letter = the_letter(engine)
    assert (letter.state, letter.error) == (LetterState.FAILED, "address")
    assert server.received == []


def test_neither_log_nor_ledger_says_to_whom_or_what(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5", "l4", "q7")
    server.answers["RCPT"] = ["550 5.1.1 <w5@school.example> unknown", "451 <l4@school.example> is full"]
    with capture_logs() as logs:
        send(engine, server)
    assert len(logs) == 3
    written = str(logs) + str([letter.error for letter in ledger(engine)])
    assert "school.example" not in written
    assert "王五" not in written
    assert WORDS.subject not in written


def test_two_senders_never_hold_the_same_letter(engine: Engine) -> None:
    queue(engine, "w5", "l4")
    with transaction(engine, actor="worker") as one, transaction(engine, actor="worker") as other:
        [first], [second] = claim(one, NOW, LEASE), claim(other, NOW, LEASE)
        assert claim(other, NOW, LEASE) == []
    assert first.id != second.id
    with transaction(engine, actor="worker") as session:
        assert claim(session, NOW, LEASE) == []


def test_a_tick_that_began_long_ago_takes_its_letters_for_as_long_as_any_other(engine: Engine) -> None:
    queue(engine, "w5")
    with transaction(engine, actor="worker") as session:
        [old] = claim(session, NOW + 30 * LEASE, LEASE)
        assert claim(session, NOW + 60 * LEASE, LEASE) == []
        now = session.scalars(select(DATABASE_NOW)).one()
    assert now < old.leased_until <= now + LEASE


def test_two_senders_of_whom_one_looked_at_the_clock_long_ago_send_each_letter_once(engine: Engine, server: MailServer) -> None:
    names = [f"w{number}" for number in range(10)]
    queue(engine, *names)
    with ThreadPoolExecutor(2) as senders:
        both = [senders.submit(send, engine, server, now) for now in (NOW, NOW + 11 * LEASE)]
        sent = [done.result()[Outcome.SENT] for done in both]
    assert sum(sent) == len(names)
    assert sorted(server.recipients) == sorted(f"{name}@school.example" for name in names)


def test_a_letter_whose_lease_was_over_before_it_left_does_not_leave_and_is_taken_up_again(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5", "l4")
    assert deliver(engine, smtp_url=server.url, sender="zhibu@school.example", now=NOW, lease=OVER) == {Outcome.PUT_OFF: 2}
    assert server.received == []
    assert {(letter.state, letter.error) for letter in ledger(engine)} == {(LetterState.PENDING, "LEASE lost")}
    assert send(engine, server, NOW + 2 * MINUTE) == {Outcome.SENT: 2}
    assert sorted(server.recipients) == ["l4@school.example", "w5@school.example"]


def test_the_letter_of_a_sender_that_died_is_sent_once_more(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    with transaction(engine, actor="worker") as session:
        [dead] = claim(session, NOW, LEASE)
    assert send(engine, server, NOW + 2 * LEASE) == {}
    let_leases_run_out(engine)
    assert send(engine, server, NOW) == {Outcome.SENT: 1}
    with transaction(engine, actor="worker") as session:
        assert not settle_sent(session, dead, NOW)
    assert ids(server.received) == [f"<{dead.message_id}@school.example>"]


def test_a_sender_that_wakes_late_does_not_settle_what_another_holds(engine: Engine) -> None:
    queue(engine, "w5")
    with transaction(engine, actor="worker") as session:
        [late] = claim(session, NOW, OVER)
    with transaction(engine, actor="worker") as session:
        [awake] = claim(session, NOW, LEASE)
        assert not settle_failed(session, late, "RCPT 550")
        assert settle_sent(session, awake, NOW)
    assert the_letter(engine).state is LetterState.SENT


def test_a_resend_whose_sender_died_is_not_tried_a_third_time(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    for _ in range(2):
        with transaction(engine, actor="worker") as session:
            assert len(claim(session, NOW, OVER)) == 1
    assert send(engine, server, NOW) == {}
    assert the_letter(engine).state is LetterState.UNKNOWN
    assert server.received == []


def test_a_sender_that_is_told_to_stop_takes_no_further_letter(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5")
    stop = Event()
    stop.set()
    assert deliver(engine, smtp_url=server.url, sender="zhibu@school.example", now=NOW, stop=stop) == {}
    assert the_letter(engine).state is LetterState.PENDING


def test_a_slow_server_does_not_hold_up_a_tick_and_the_next_one_goes_on(engine: Engine, server: MailServer) -> None:
    queue(engine, "w5", "l4", "s8")
    server.slow_seconds = 0.05
    for left in (2, 1, 0):
        done = deliver(engine, smtp_url=server.url, sender="zhibu@school.example", now=NOW, at_most=timedelta(seconds=0.05))
        assert done == {Outcome.SENT: 1}
        assert sum(letter.state is LetterState.PENDING for letter in ledger(engine)) == left


# ── a server that says nothing ────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_does_not_greet_fails_no_letter(engine: Engine) -> None:
    queue(engine, "w5")
    with silent_after([]) as url:
        assert deliver(engine, smtp_url=url, sender="zhibu@school.example", now=NOW, timeout=timedelta(seconds=0.2)) == {}
    assert (the_letter(engine).state, the_letter(engine).error) == (LetterState.PENDING, "connect SMTPServerDisconnected")


def test_a_server_that_hangs_before_the_letter_was_handed_over_leaves_it_pending_and_not_unknown(engine: Engine) -> None:
    queue(engine, "w5")
    with silent_after([b"220 hello\r\n", b"250 hello\r\n", b"250 OK\r\n", b"250 OK\r\n"]) as url:
        done = deliver(engine, smtp_url=url, sender="zhibu@school.example", now=NOW, timeout=timedelta(seconds=0.2))
    assert done == {Outcome.PUT_OFF: 1}
    assert (the_letter(engine).state, the_letter(engine).error) == (LetterState.PENDING, "DATA lost")


def test_a_server_that_hangs_after_the_letter_leaves_it_unknown(engine: Engine) -> None:
    queue(engine, "w5")
    with silent_after([b"220 hello\r\n", b"250 hello\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"]) as url:
        done = deliver(engine, smtp_url=url, sender="zhibu@school.example", now=NOW, timeout=timedelta(seconds=0.2))
    assert done == {Outcome.UNKNOWN: 1}
    assert (the_letter(engine).state, the_letter(engine).error) == (LetterState.UNKNOWN, "CONTENT lost")
