"""The ledger over the API: letters with their recipients and states."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Engine

from schedulers.delivery import deliver
from tests.api.conftest import B, Client
from tests.support.builders import NOW, person
from tests.support.mail_server import mail_server
from workflow.foundation.database import transaction
from workflow.reminders.writing import Reminders
from workflow.year.cycle import participant, process_of

LETTERS = "/cycles/2024/letters"


def reminders(school: Engine, now: datetime = NOW) -> Reminders:
    found = Reminders(partial(transaction, school, actor="worker"), base_url="http://zhibu.example")
    found.queue(now)
    return found


def fates(client: Client) -> dict[tuple[str, str], str]:
    return {(kind, item["recipient"]): item["state"] for item in client.get(LETTERS).body["items"] for kind in kinds_of(item)}


def kinds_of(letter: dict[str, Any]) -> list[str]:
    return [each["kind"] for each in letter["items"]] or [letter["kind"]]


def test_the_ledger_tells_each_letters_fate(school: Engine, office: Client) -> None:
    with transaction(school, actor="cli") as session:
        person(session, "赵六").email = None
    found = reminders(school)
    assert fates(office) == {("digest", "党委办公室"): "pending", ("due-3", "张三"): "pending", ("due-3", "赵六"): "no_address"}
    with mail_server() as server:
        server.answers["RCPT"] = ["550 no such person"]
        deliver(school, smtp_url=server.url, sender="zhibu@school.example", now=NOW, reminders=found)
    assert sorted(fates(office).values()) == ["failed", "no_address", "sent"]


def test_a_letter_that_is_overtaken_is_moot_in_the_ledger(school: Engine, office: Client) -> None:
    reminders(school)
    reminders(school, NOW + timedelta(days=4))
    assert fates(office)["due-3", "张三"] == "moot"
    assert fates(office)["due-1", "张三"] == "pending"


def test_a_letter_of_reminders_is_found_by_each_branch_of_which_it_speaks(school: Engine, office: Client) -> None:
    with transaction(school, actor="cli") as session:
        for code in ("D0101", "D0201"):
            participant(session, process_of(session, 2024, code).id, "z3" if code == "D0101" else "z6").post = None
    reminders(school)
    found = [office.get(f"{LETTERS}?branch={code}").body["items"] for code in ("D0101", "D0201")]
    [first], [second] = found
    assert first == second
    assert (first["kind"], first["staff_no"], first["branch"]) == ("reminders", "office", None)
    assert sorted((each["kind"], each["branch"] or "", each["left_out"]) for each in first["items"]) == [
        ("digest", "", False),
        ("due-3", "D0101", False),
        ("due-3", "D0201", False),
    ]
    assert [item["id"] for item in office.get(f"{LETTERS}?recipient=office").body["items"]] == [first["id"]]
    assert office.get(f"{LETTERS}?branch=D0101&recipient=z3").body["items"] == []


def test_someone_whose_account_is_disabled_gets_none_and_the_ledger_says_so(school: Engine, office: Client, sign_in: Callable[[str], Client]) -> None:
    assert sign_in("administrator").post("/accounts/z3/disable").status == 200
    found = reminders(school)
    with mail_server() as server:
        deliver(school, smtp_url=server.url, sender="zhibu@school.example", now=NOW, reminders=found)
        assert "z3@school.example" not in server.recipients
        assert "office@school.example" in server.recipients
    assert fates(office)["due-3", "张三"] == "gone"
    assert fates(office)["due-3", "党委办公室"] == "sent"


def test_the_office_decides_on_a_reason_and_the_secretary_is_told(secretary: Client, office: Client) -> None:
    given = [
        secretary.post(f"{B}/waivers", {"requirement": "members_who_have_not_studied", "subjects": [who], "reason": "外出"}).body["id"]
        for who in ("w5", "s8")
    ]
    assert office.post(f"{B}/waivers/{given[0]}/reject", {"reason": "请补学"}).status == 200
    assert office.post(f"{B}/waivers/{given[1]}/reject", {"reason": "请补学"}).status == 200
    told = office.get(f"{LETTERS}?branch=D0101").body["items"]
    assert [(item["kind"], item["recipient"], item["branch"]) for item in told] == [("waiver-rejected", "张三", "D0101")] * 2
    assert "王五" not in str(told)
    assert secretary.post(f"{B}/waivers/{given[0]}/withdraw", {"reason": "收回"}).status == 409


def test_a_decision_that_is_refused_writes_no_letter(secretary: Client, office: Client) -> None:
    given = secretary.post(f"{B}/waivers", {"requirement": "members_who_have_not_studied", "reason": "外出"}).body["id"]
    assert office.post(f"{B}/waivers/{given}/approve").status == 409
    assert office.get(LETTERS).body["items"] == []
