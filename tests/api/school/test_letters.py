"""The ledger over the API: letters with their recipients and states."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy import Engine

from schedulers.delivery import deliver
from tests.api.conftest import B, Client
from tests.support.builders import NOW, person
from tests.support.mail_server import mail_server
from workflow.foundation.database import transaction
from workflow.reminders import queue_due

LETTERS = "/cycles/2024/letters"


def tick(school: Engine) -> None:
    queue_due(partial(transaction, school, actor="worker"), NOW, base_url="http://zhibu.example")


def fates(client: Client) -> dict[tuple[str, str], str]:
    return {(item["kind"], item["recipient"]): item["state"] for item in client.get(LETTERS).body["items"]}


def test_the_ledger_tells_each_letters_fate(school: Engine, office: Client) -> None:
    with transaction(school, actor="cli") as session:
        person(session, "赵六").email = None
    tick(school)
    assert fates(office) == {("digest", "党委办公室"): "pending", ("due-3", "张三"): "pending", ("due-3", "赵六"): "no_address"}
    with mail_server() as server:
        server.answers["RCPT"] = ["550 no such person"]
        deliver(school, smtp_url=server.url, sender="zhibu@school.example", now=NOW)
    assert fates(office) == {("digest", "党委办公室"): "failed", ("due-3", "张三"): "sent", ("due-3", "赵六"): "no_address"}


def test_a_letter_that_is_overtaken_is_moot_in_the_ledger(school: Engine, office: Client) -> None:
    tick(school)
    later = NOW + timedelta(days=4)
    queue_due(partial(transaction, school, actor="worker"), later, base_url="http://zhibu.example")
    assert fates(office)["due-3", "张三"] == "moot"
    assert fates(office)["due-1", "张三"] == "pending"


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
