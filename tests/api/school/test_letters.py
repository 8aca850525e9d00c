"""The ledger over the API: letters with their recipients and states."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import Flask
from sqlalchemy import Engine, select

from schedulers.delivery import deliver
from tests.api.conftest import B, Client, token_of
from tests.support.builders import NOW, a_branch, an_office, person
from tests.support.mail_server import mail_server
from tests.support.records.assessment import an_assessment
from tests.support.records.evidence import stand_at
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Post, Role, Stage
from workflow.mail.outbox import Letter
from workflow.people.organisation import Appointment
from workflow.people.roles import create_officer
from workflow.reminders.writing import Reminders
from workflow.year.finding import process_of
from workflow.year.roll import participant

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


def test_someone_of_the_office_whose_account_is_disabled_gets_no_weekly_letter(
    school: Engine, office: Client, sign_in: Callable[[str], Client]
) -> None:
    with transaction(school, actor="cli") as session:
        create_officer(session, staff_no="g2", name="钱九", role=Role.OFFICE, now=NOW, email="g2@school.example")
    assert sign_in("administrator").post("/accounts/g2/disable").status == 200
    found = reminders(school)
    with mail_server() as server:
        deliver(school, smtp_url=server.url, sender="zhibu@school.example", now=NOW, reminders=found)
        assert "g2@school.example" not in server.recipients
    assert (fates(office)["digest", "钱九"], fates(office)["digest", "党委办公室"]) == ("gone", "sent")


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


# ── letters of an act ─────────────────────────────────────────────────────────────────────────────


def told_by_act(office: Client, kind: str) -> list[tuple[str, str | None]]:
    return [(item["recipient"], item["branch"]) for item in office.get(LETTERS).body["items"] if item["kind"] == kind]


def test_publishing_tells_each_secretary_and_deputy_the_plan_and_the_six_days(engine: Engine, app: Flask) -> None:
    with transaction(engine, actor="cli") as session:
        an_office(session)
        a_branch(session)
        a_branch(session, code="D0201", members=("赵六", "吴十", "郑一"), committee=("赵六",))
        session.scalars(select(Appointment).where(Appointment.person_id == person(session, "钱七").id)).one().post = Post.DEPUTY
        office = Client(app.test_client(), token_of(session, "office"))
    days = {"study": "2024-12-25", "report": "2025-01-26"}
    assert office.post("/cycles", {"plan": "2024", "deadlines": days}).status == 201
    assert office.get(LETTERS).body["items"] == []
    assert office.post("/cycles/2024/publish").status == 200
    assert told_by_act(office, "year-published") == [("张三", "D0101"), ("钱七", "D0101"), ("赵六", "D0201")]
    with transaction(engine, actor=None) as session:
        text = session.scalars(select(Letter.text).order_by(Letter.id)).first() or ""
    title = office.get("/cycles/2024").body["title"]
    assert f"《{title}》已发布" in text
    for line in ("集中学习：2024年12月25日（星期三）", "谈心谈话：2025年1月26日（星期日）", "报送：2025年1月26日（星期日）"):
        assert line in text


def test_accepting_tells_the_branch_and_again_after_a_reopening(school: Engine, office: Client) -> None:
    for _ in range(2):
        with transaction(school, actor="cli") as session:
            stand_at(session, process_of(session, 2024, "D0101"), Stage.FILED)
        seen = office.get(B).body["version"]
        assert office.post(f"{B}/moves", {"trigger": "accept"}, seen=seen).status == 201
    assert told_by_act(office, "accepted") == [("张三", "D0101")] * 2


def test_a_confirmed_excuse_is_told_to_the_branch_each_time_and_names_nobody(school: Engine, secretary: Client, office: Client) -> None:
    for who in ("w5", "s8", "w5"):
        line = secretary.get(f"{B}/roll/{who}")
        assert secretary.patch(f"{B}/roll/{who}", {"excused_reason": "长期病休"}, seen=line.headers["ETag"]).status == 200
        assert office.post(f"{B}/roll/{who}/confirm").status == 200
    assert told_by_act(office, "excuse-confirmed") == [("张三", "D0101")] * 3
    with transaction(school, actor=None) as session:
        texts = session.scalars(select(Letter.text).where(Letter.kind == "excuse-confirmed")).all()
    for text in texts:
        assert "1名党员" in text
        assert "王五" not in text
        assert "病休" not in text


def test_letters_about_a_decision_that_was_withdrawn_meanwhile_are_not_sent(school: Engine, office: Client) -> None:
    with transaction(school, actor="cli") as session:
        for code in ("D0101", "D0201"):
            stand_at(session, an_assessment(session, code), Stage.PROPOSED)
    body = {
        "held_on": "2024-12-18",
        "attendees": ["committee", "auditor"],
        "due": 3,
        "results": {code: {"result": "excellent"} for code in ("D0101", "D0201")},
    }
    first = office.post("/cycles/2024/decision", {**body, "number": "党委会1号"})
    assert first.status == 201
    assert office.post(f"/cycles/2024/decisions/{first.body['id']}/withdraw", {"reason": "有误"}).status == 200
    assert office.post("/cycles/2024/decision", {**body, "number": "党委会2号"}).status == 201
    with mail_server() as server:
        deliver(school, smtp_url=server.url, sender="zhibu@school.example", now=NOW + timedelta(minutes=1))
        assert [str(message["Subject"]) for message in server.received] == ["“党委会2号”的考核决定待党委确认"]
    states = {item["subject"]: item["state"] for item in office.get(LETTERS).body["items"]}
    assert states == {"“党委会1号”的考核决定待党委确认": "moot", "“党委会2号”的考核决定待党委确认": "sent"}
