"""Closing a year over HTTP, with what is still open by name, and opening it again."""

from __future__ import annotations

from sqlalchemy import Engine, select, update

from tests.api.conftest import B, Client
from tests.support.builders import DEADLINES, NOW, person, the_plan
from workflow.foundation.database import transaction
from workflow.foundation.history import History
from workflow.foundation.vocabulary import STAGES, Stage
from workflow.year.cycle import Process
from workflow.year.finding import cycle_by_year, process_of
from workflow.year.opening import open_cycle, publish

YEAR = "/cycles/2024"
WHY = "两个支部并入他校，不再进行"


def bring_all_to_the_end(school: Engine) -> None:
    with transaction(school, actor="cli") as session:
        for kind, stages in STAGES.items():
            session.execute(update(Process).where(Process.kind == kind).values(stage=stages[-1], due_on=None))


def close_all_the_same(office: Client) -> None:
    assert office.post(f"{YEAR}/close", {"leave_open": True, "reason": WHY}).status == 200


def test_whoever_closes_is_told_by_name_what_is_still_open(office: Client, school: Engine) -> None:
    with transaction(school, actor="cli") as session:
        accepted = process_of(session, 2024, "D0101")
        session.execute(update(Process).where(Process.id == accepted.id).values(stage=Stage.ACCEPTED, due_on=None))
    refused = office.post(f"{YEAR}/close")
    assert refused.status == 409
    assert refused.body["detail"] == (
        "民主评议还有 1 个支部不是“已接收”：D0201党支部（集中学习）；"
        "党委考核支部还有 2 个支部不是“已公布”：D0101党支部（述职与材料汇集）、D0201党支部（述职与材料汇集）。"
        "确要办结，请注明留下未办完的并写明理由"
    )
    assert office.get(YEAR).body["status"] == "published"


def test_a_request_without_a_body_asks_too_and_one_of_another_type_is_told_so(office: Client) -> None:
    headers = {"Authorization": f"Bearer {office.token}"}
    assert office.http.post(f"/api/v1{YEAR}/close", headers=headers).status_code == 409
    assert office.http.post(f"/api/v1{YEAR}/close", headers=headers, data="leave_open=true").status_code == 415
    assert office.http.post(f"/api/v1{YEAR}/reopen", headers=headers).status_code == 415


def test_what_is_open_is_left_open_for_a_reason_alone(office: Client) -> None:
    refused = office.post(f"{YEAR}/close", {"leave_open": True})
    assert (refused.status, list(refused.body["errors"])) == (422, ["reason"])
    closed = office.post(f"{YEAR}/close", {"leave_open": True, "reason": WHY}).body
    assert (closed["status"], closed["status_reason"], closed["closed_at"] is None) == ("closed", WHY, False)


def test_a_year_in_which_all_is_done_closes_without_a_word(office: Client, school: Engine) -> None:
    bring_all_to_the_end(school)
    closed = office.post(f"{YEAR}/close").body
    assert (closed["status"], closed["status_reason"]) == ("closed", None)


def test_a_closed_year_is_opened_again_with_a_reason_and_its_branches_go_on(office: Client, secretary: Client) -> None:
    close_all_the_same(office)
    assert secretary.post(f"{B}/study-sessions", {"held_on": "2024-12-19"}).status == 409
    assert list(office.post(f"{YEAR}/reopen").body["errors"]) == ["reason"]
    opened = office.post(f"{YEAR}/reopen", {"reason": "有一个支部要补正"}).body
    assert (opened["status"], opened["status_reason"], opened["closed_at"]) == ("published", "有一个支部要补正", None)
    assert secretary.post(f"{B}/study-sessions", {"held_on": "2024-12-19"}).status == 201
    refused = office.post(f"{YEAR}/reopen", {"reason": "再来一次"})
    assert (refused.status, refused.body["detail"]) == (409, "2024年度已发布，不能重新启动")


def test_the_rolls_of_a_reopened_year_follow_who_moved_meanwhile(office: Client, school: Engine) -> None:
    close_all_the_same(office)
    with transaction(school, actor="cli") as session:
        person(session, "王五").branch_id = person(session, "赵六").branch_id
    assert "w5" not in {each["staff_no"] for each in office.get("/cycles/2024/branches/D0201/roll").body["items"]}
    assert office.post(f"{YEAR}/reopen", {"reason": "补正"}).status == 200
    assert "w5" in {each["staff_no"] for each in office.get("/cycles/2024/branches/D0201/roll").body["items"]}


def test_a_year_stays_closed_once_the_next_was_published(office: Client, school: Engine) -> None:
    close_all_the_same(office)
    with transaction(school, actor="cli") as session:
        open_cycle(session, the_plan().model_copy(update={"year": 2025}), DEADLINES, now=NOW)
    assert office.post(f"{YEAR}/reopen", {"reason": "下一年度还是草稿"}).status == 200
    close_all_the_same(office)
    with transaction(school, actor="cli") as session:
        publish(session, cycle_by_year(session, 2025), now=NOW)
    for next_one in ("published", "closed"):
        refused = office.post(f"{YEAR}/reopen", {"reason": "补正"})
        assert (refused.status, refused.body["detail"]) == (409, "2025年度已经发布，2024年度不能再打开"), next_one
        office.post("/cycles/2025/close", {"leave_open": True, "reason": WHY})


def test_the_history_has_each_closing_and_opening_with_its_reason(office: Client, school: Engine) -> None:
    close_all_the_same(office)
    office.post(f"{YEAR}/reopen", {"reason": "补正"})
    with transaction(school, actor=None) as session:
        rows = session.scalars(select(History).where(History.what == "cycle").order_by(History.id.desc()).limit(2)).all()
    told = [(row.actor, row.new["status"], row.new["status_reason"]) for row in reversed(rows) if row.new]
    assert told == [("office", "closed", WHY), ("office", "published", "补正")]
