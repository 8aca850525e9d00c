"""The next step of a branch (下一步): signs, the last return, reasons, the form of meeting."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from tests.api.conftest import Client
from tests.support.builders import NOW
from tests.support.records.evidence import stand_at
from tests.support.records.rating import a_counted_ballot, ratings
from tests.support.servers import Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Level, Stage
from workflow.year.cycle import Participant
from workflow.year.finding import process_of

QUOTA = "more_excellent_than_the_quota"


def bring_to(house: House, branch: Cast, stage: Stage) -> None:
    with transaction(house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, branch.code), stage)


def next_of(client: Client, branch: Cast) -> Any:
    return client.get(f"{branch.path}/next").body


def onward(answer: Any) -> Any:
    return next(item for item in answer["items"] if item["trigger"] == "advance")


def send_back(house: House, branch: Cast, reason: str) -> None:
    office, at = house.as_("office"), house.as_("office").get(branch.path)
    body = {"trigger": "return", "to": "study", "reason": reason}
    assert office.post(f"{branch.path}/moves", body, if_match=at.etag).status == 201


def test_signs_stand_beside_what_blocks_and_block_nothing(house: House) -> None:
    branch = house.a_branch()
    secretary = house.as_(branch.secretary)
    bring_to(house, branch, Stage.TALKS)
    assert onward(next_of(secretary, branch))["signs"] == []
    talk = {"held_on": NOW.date().isoformat(), "talker": branch.secretary, "partner": branch.member, "way": "face"}
    assert secretary.post(f"{branch.path}/talks", talk).status == 201
    item = onward(next_of(secretary, branch))
    assert [(each["clause"], each["severity"]) for each in item["signs"]] == [("K3", "sign"), ("K5", "sign")]
    assert item["signs"][0].keys() == item["unmet"][0].keys()
    assert "sign" not in {each["severity"] for each in item["unmet"]}
    back = next(item for item in next_of(secretary, branch)["items"] if item["trigger"] == "step_back")
    assert (back["allowed"], back["signs"]) == (True, [])


def test_a_branch_that_was_sent_back_sees_why_and_by_whom_until_it_files_again(house: House) -> None:
    branch = house.a_branch()
    secretary = house.as_(branch.secretary)
    bring_to(house, branch, Stage.TALKS)
    assert next_of(secretary, branch)["returned"] is None
    send_back(house, branch, "学习记录没有签到")
    bring_to(house, branch, Stage.TALKS)
    send_back(house, branch, "请补充交流情况")
    told = next_of(secretary, branch)["returned"]
    assert (told["trigger"], told["reason"], told["by"], told["from"], told["to"]) == ("return", "请补充交流情况", "office", "talks", "study")
    bring_to(house, branch, Stage.FILED)
    assert next_of(secretary, branch)["returned"] is None


def test_a_reason_that_waits_or_was_refused_stands_beside_what_it_was_given_for(house: House) -> None:
    branch = house.a_branch()
    secretary, office = house.as_(branch.secretary), house.as_("office")
    with transaction(house.engine, actor="cli") as session:
        process = process_of(session, 2024, branch.code)
        a_counted_ballot(session, process)
        ratings(session, process, dict.fromkeys(branch.everybody, Level.EXCELLENT))
        stand_at(session, process, Stage.RATING)

    def reasons() -> list[tuple[str, str, str]]:
        answer = next_of(secretary, branch)
        assert QUOTA in {each["requirement"] for each in onward(answer)["unmet"]} or not answer["reasons"]
        return [(row["requirement"], row["state"], row["reason"]) for row in answer["reasons"]]

    def given(reason: str) -> str:
        made = secretary.post(f"{branch.path}/waivers", {"requirement": QUOTA, "reason": reason})
        assert made.status == 201
        return f"{branch.path}/waivers/{made.body['id']}"

    assert reasons() == []
    first = given("均承担重大任务")
    assert reasons() == [(QUOTA, "waiting", "均承担重大任务")]
    assert office.post(f"{first}/reject", {"reason": "请写明各人的任务"}).status == 200
    assert reasons() == [(QUOTA, "refused", "均承担重大任务")]
    assert next_of(secretary, branch)["reasons"][0]["rejected"]["reason"] == "请写明各人的任务"
    second = given("六名党员分别承担六项任务")
    assert reasons() == [(QUOTA, "waiting", "六名党员分别承担六项任务")]
    assert office.post(f"{second}/approve").status == 200
    assert reasons() == []


def test_the_size_of_a_branch_suggests_the_form_of_its_meeting(house: House) -> None:
    branch = house.a_branch()
    secretary = house.as_(branch.secretary)
    assert next_of(secretary, branch)["hint"] is None
    bring_to(house, branch, Stage.SELF_REVIEW)
    hint = next_of(secretary, branch)["hint"]
    assert (hint["clause"], hint["members"], hint["groups"], hint["form"]) == ("M1", 6, 0, "general")
    assert hint["message"] == "应参加组织生活会的党员 6 名，宜召开党员大会"
    with transaction(house.engine, actor="cli") as session:
        lines = update(Participant).where(Participant.process_id == process_of(session, 2024, branch.code).id)
        session.execute(lines.where(Participant.staff_no.in_(branch.everybody[:3])).values(party_group="第一党小组"))
        session.execute(lines.where(Participant.staff_no.in_(branch.everybody[3:])).values(party_group="第二党小组"))
        session.execute(lines.where(Participant.staff_no == branch.newcomer).values(excused_reason="病休", excused_confirmed_by="office"))
    hint = next_of(secretary, branch)["hint"]
    assert (hint["members"], hint["groups"], hint["form"]) == (5, 2, "group")
    assert "分为 2 个党小组" in hint["message"]
