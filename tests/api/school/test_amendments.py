"""补充通知 over HTTP: a published plan is added to; nothing is taken away, no day comes earlier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from tests.api.conftest import Client
from tests.support.builders import READING
from tests.support.servers import YEAR, Cast, House, a_house
from tests.support.years.branch_year import ok
from workflow.foundation.database import transaction
from workflow.foundation.history import History
from workflow.foundation.vocabulary import SCHOOL_ZONE, LetterState, Stage
from workflow.mail.outbox import Letter
from workflow.reminders import queue_due
from workflow.year.cycle import Process
from workflow.year.finding import process_of

ADDED = "中国共产党党员教育管理工作条例"
NOTICE = {"number": "校党发〔2024〕9号", "issued_on": "2024-12-20", "reason": "市委组织部要求增加学习内容"}
READ_MORE = {**NOTICE, "required_reading": {"add": [ADDED]}}
HERE = f"{YEAR}/branches/D0101"


@pytest.fixture
def house(superuser: str, template: str) -> Iterator[House]:
    """Give each test a school of its own: they change its plan."""
    with a_house(superuser, template) as made:
        yield made


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def secretary(house: House, branch: Cast) -> Client:
    return house.as_(branch.secretary)


def amend(office: Client, **adds: Any) -> Any:
    return ok(office.post(f"{YEAR}/amendments", {**NOTICE, **adds}))


def study(client: Client, branch: Cast, *titles: str, without: str = "") -> None:
    there = [each for each in branch.everybody if each != without]
    body = {"held_on": "2024-12-19", "titles": list(titles), "present": there, "exchange": "交流了体会"}
    ok(client.post(f"{branch.path}/study-sessions", body))


def move(client: Client, branch: Cast, trigger: str, **body: Any) -> Any:
    return client.post(f"{branch.path}/moves", {"trigger": trigger, **body}, seen=client.get(branch.path).etag)


def states(client: Client, branch: Cast, stage: str, **clauses: str) -> dict[str, list[str]]:
    """Give what is unmet in a stage's checklist, by requirement."""
    items = client.get(f"{branch.path}/requirements?stage={stage}").body["items"]
    return {each["requirement"]: [subject["name"] for subject in each["subjects"]] for each in items if each["state"] == "unmet"}


def excepted(office: Client, branch: Cast) -> Mapping[str, str]:
    """Give the messages of a branch's exceptions, by requirement."""
    rows = office.get(f"{YEAR}/exceptions?limit=200").body["items"]
    return {each["requirement"]: each["message"] for each in rows if each["branch"]["code"] == branch.code}


# ── added reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_branch_in_the_study_is_asked_for_an_added_title_and_cannot_go_on_without(office: Client, secretary: Client, branch: Cast) -> None:
    study(secretary, branch, *READING)
    amend(office, required_reading={"add": [f"《{ADDED}》"]})
    assert office.get(YEAR).body["rules"]["required_reading"] == [*READING, ADDED]
    refused = move(secretary, branch, "advance")
    assert {each["clause"]: [subject["name"] for subject in each["subjects"]] for each in refused.body["unmet"]}.keys() == {"E3", "E4"}
    assert refused.body["unmet"][0]["message"] == f"还有 1 种必读文件没有组织学习：《{ADDED}》"
    study(secretary, branch, ADDED)
    assert move(secretary, branch, "advance").status == 201


def test_a_branch_past_the_study_gets_a_sign_and_goes_on(office: Client, secretary: Client, branch: Cast) -> None:
    study(secretary, branch, *READING)
    assert move(secretary, branch, "advance").status == 201
    assert "added_titles_not_read" not in excepted(office, branch)
    amend(office, required_reading={"add": [ADDED]})
    assert excepted(office, branch)["added_titles_not_read"] == f"补充通知新增的必读文件还没有组织学习：《{ADDED}》"
    assert states(secretary, branch, "report")["added_titles_not_read"] == [f"《{ADDED}》"]
    assert len(states(secretary, branch, "report")["members_without_added_reading"]) == len(branch.everybody)
    onward = next(each for each in secretary.get(f"{branch.path}/next").body["items"] if each["trigger"] == "advance")
    assert {"E3", "E4"}.isdisjoint(each["clause"] for each in onward["unmet"])
    todos = [each["requirement"] for each in secretary.get("/me/todos").body["items"]]
    assert "added_titles_not_read" in todos
    signs = {each["requirement"] for each in secretary.get(f"{branch.path}/form").body["signs"]}
    assert {"added_titles_not_read", "members_without_added_reading"} <= signs


@pytest.mark.parametrize("back", ["return", "step_back"])
def test_a_branch_that_comes_back_to_the_study_is_asked_and_then_has_no_sign(office: Client, secretary: Client, branch: Cast, back: str) -> None:
    study(secretary, branch, *READING)
    assert move(secretary, branch, "advance").status == 201
    amend(office, required_reading={"add": [ADDED]})
    returned = move(office if back == "return" else secretary, branch, back, to="study", reason="补学新增文件")
    assert returned.status == 201, returned.body
    assert states(secretary, branch, "report").keys().isdisjoint({"added_titles_not_read", "members_without_added_reading"})
    assert {each["clause"] for each in move(secretary, branch, "advance").body["unmet"]} == {"E3", "E4"}
    study(secretary, branch, ADDED, without=branch.newcomer)
    assert [each["clause"] for each in move(secretary, branch, "advance").body["unmet"]] == ["E4"]
    ok(secretary.post(f"{branch.path}/waivers", {"requirement": "members_who_have_not_studied", "reason": "住院，出院后补学"}))
    assert move(secretary, branch, "advance").status == 201
    assert excepted(office, branch).keys().isdisjoint({"added_titles_not_read", "members_without_added_reading"})


def test_a_branch_past_the_study_mends_the_sign_with_a_session_of_the_added_titles_alone(office: Client, secretary: Client, branch: Cast) -> None:
    sessions = f"{branch.path}/study-sessions"
    study(secretary, branch, *READING)
    assert move(secretary, branch, "advance").status == 201
    body = {"held_on": "2024-12-19", "titles": [ADDED], "present": branch.everybody}
    assert secretary.post(sessions, body).body["type"] == "/docs/problems#stage-closed"
    amend(office, required_reading={"add": [ADDED]})
    for titles in ([ADDED, READING[0]], []):
        assert secretary.post(sessions, {**body, "titles": titles}).body["type"] == "/docs/problems#stage-closed", titles
    made = secretary.post(sessions, {**body, "titles": [f"《{ADDED}》"], "present": branch.everybody[1:]})
    assert made.status == 201
    assert states(secretary, branch, "report")["members_without_added_reading"] == [branch.secretary]
    one = f"{sessions}/{made.body['id']}"
    assert secretary.patch(one, {"titles": [READING[0]]}, seen=made.etag).body["type"] == "/docs/problems#stage-closed"
    assert secretary.patch(one, {"present": branch.everybody}, seen=made.etag).status == 200
    gone = {"added_titles_not_read", "members_without_added_reading"}
    assert states(secretary, branch, "report").keys().isdisjoint(gone)
    assert secretary.post(f"{one}/withdraw", {"reason": "登记有误"}).status == 200
    assert gone <= states(secretary, branch, "report").keys()


def test_an_accepted_branch_is_not_reached_and_records_no_more_study(office: Client, secretary: Client, branch: Cast, house: House) -> None:
    with transaction(house.engine, actor="cli") as session:
        stand_at_acceptance = update(Process).where(Process.id == process_of(session, 2024, branch.code).id)
        session.execute(stand_at_acceptance.values(stage=Stage.ACCEPTED, due_on=None))
    made = amend(office, required_reading={"add": [ADDED]})
    assert [each["branch"]["code"] for each in made["branches"]] == ["D0101", "D0201"]
    assert states(secretary, branch, "report").keys().isdisjoint({"added_titles_not_read", "members_without_added_reading"})
    refused = secretary.post(f"{branch.path}/study-sessions", {"held_on": "2024-12-19", "titles": [ADDED], "present": branch.everybody})
    assert refused.status == 409


def test_a_reason_for_what_a_member_missed_does_not_cover_what_was_added_later(office: Client, secretary: Client, branch: Cast) -> None:
    study(secretary, branch, *READING, without=branch.newcomer)
    ok(secretary.post(f"{branch.path}/waivers", {"requirement": "members_who_have_not_studied", "reason": "住院"}))
    assert states(secretary, branch, "study") == {}
    amend(office, required_reading={"add": [ADDED]})
    study(secretary, branch, ADDED, without=branch.newcomer)
    assert states(secretary, branch, "study") == {"members_who_have_not_studied": [branch.newcomer]}


def test_a_later_notice_adds_to_the_earlier_one(office: Client, secretary: Client, branch: Cast) -> None:
    study(secretary, branch, *READING)
    assert move(secretary, branch, "advance").status == 201
    amend(office, required_reading={"add": [ADDED]})
    amend(office, number="校党发〔2024〕10号", required_reading={"add": ["党章"]})
    assert states(secretary, branch, "report")["added_titles_not_read"] == [f"《{ADDED}》", "《党章》"]
    assert len(states(secretary, branch, "report")["members_without_added_reading"]) == len(branch.everybody)


# ── later days ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_later_day_moves_the_branches_that_stand_there(office: Client, secretary: Client, branch: Cast) -> None:
    made = amend(office, deadlines={"study": "2024-12-27"})
    assert (made["deadlines"], made["before"]["deadlines"]) == ({"study": "2024-12-27"}, {"study": "2024-12-25"})
    assert office.get(YEAR).body["deadlines"]["study"] == "2024-12-27"
    assert secretary.get(branch.path).body["due_on"] == "2024-12-27"
    moved = [each for each in made["branches"] if each["branch"]["code"] == branch.code]
    assert [(each["due_before"], each["due_on"], each["reading"]) for each in moved] == [("2024-12-25", "2024-12-27", None)]
    assert made["counts"]["days"] == len(made["branches"]) == 3


def test_the_answer_counts_the_letters_that_a_changed_day_brings(office: Client, house: House) -> None:
    """They go on the next working day; those that wait for the old days already are not counted."""
    house.clock.now = at("2024-12-24T08:00")
    seen = office.get(YEAR).etag
    later = {"talks": "2025-02-01", "self_review": "2025-02-02", "rating": "2025-02-03", "rectification": "2025-02-04", "report": "2025-02-09"}
    assert ok(office.patch(YEAR, {"deadlines": later}, seen=seen), 200)["letters"] == 0
    assert queued(house, "2024-12-24T10:00") > 0
    body = {**NOTICE, "deadlines": {"study": "2025-01-20"}}
    shown = office.post(f"{YEAR}/amendments?preview=true", body).body["counts"]["letters"]
    # No reminder more: the letters are those that tell secretary and deputy of the notice itself.
    before = told_of_notices(house)
    assert amend(office, deadlines={"study": "2025-01-20"})["counts"]["letters"] == shown == told_of_notices(house) - before > 0
    queued(house, "2024-12-25T10:00")
    house.clock.now = at("2024-12-25T11:00")
    seen = office.get(YEAR).etag
    brought = ok(office.patch(YEAR, {"deadlines": {"study": "2024-12-27"}}, seen=seen), 200)["letters"]
    assert 0 < brought <= queued(house, "2024-12-26T10:00"), "others are told of other things that day"


def told_of_notices(house: House) -> int:
    with transaction(house.engine, actor=None) as session:
        return len(session.scalars(select(Letter).where(Letter.kind == "year-amended", Letter.state == LetterState.PENDING)).all())


def queued(house: House, moment: str) -> int:
    """Queue what a tick of the worker would, and count it."""
    return queue_due(partial(transaction, house.engine, actor="worker"), at(moment), base_url="http://zhibu.example")


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=SCHOOL_ZONE)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_words_follow_the_plans_own_wherever_it_is_quoted(office: Client, secretary: Client, branch: Cast) -> None:
    before = office.get(YEAR).body
    made = amend(office, texts={"K2": "在外实习的可以视频谈话", "talks": "放寒假前谈完", "guiding_text": "落实省委新要求"})
    after = office.get(YEAR).body
    added = "（校党发〔2024〕9号补充：在外实习的可以视频谈话）"
    assert after["clauses"]["K2"] == before["clauses"]["K2"] + added
    assert {key: after["clauses"][key] for key in after["clauses"] if key != "K2"} == {k: v for k, v in before["clauses"].items() if k != "K2"}
    openings = {each["stage"]: each["opening"] for each in after["stages"]}
    assert openings["talks"].endswith("补充：放寒假前谈完）")
    assert after["guiding_text"].endswith("补充：落实省委新要求）")
    assert made["before"]["texts"]["K2"] == before["clauses"]["K2"]
    asked = secretary.get(f"{branch.path}/requirements?stage=talks").body["items"]
    assert next(each for each in asked if each["clause"] == "K2")["sentence"].endswith(added)


# ── nothing but additions ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("adds", "place", "says"),
    [
        ({}, "required_reading", "没有补充内容"),
        ({"required_reading": {"remove": [READING[0]]}}, "required_reading.remove", "没有这一项"),
        ({"required_reading": {"add": [READING[0]]}}, "required_reading.add.0", "已经是必读文件"),
        ({"required_reading": {"add": [ADDED, f"《{ADDED}》"]}}, "required_reading.add.1", "已经是必读文件"),
        ({"required_reading": {"add": []}}, "required_reading", "没有补充内容"),
        ({"deadlines": {"study": "2024-12-24"}}, "deadlines.study", "补充通知只能推迟期限：“集中学习”现在是 2024-12-25"),
        ({"deadlines": {"report": "2025-01-26"}}, "deadlines.report", "补充通知只能推迟期限"),
        ({"deadlines": {"collecting": "2025-01-26"}}, "deadlines.collecting", "没有单独的期限"),
        ({"deadlines": {"study": "2025-01-02"}}, "deadlines.talks", "早于上一环节"),
        ({"texts": {"K9": "不存在"}}, "texts.K9", "方案里没有"),
        ({"texts": {"theme": "换一个主题"}}, "texts.theme", "方案里没有"),
        ({"issued_on": "2024-12-21", "texts": {"K2": "补"}}, "issued_on", "还没有到"),
        ({"coverage": "strict"}, "coverage", "没有这一项"),
    ],
)
def test_anything_that_adds_nothing_takes_away_or_comes_earlier_is_refused_by_name(
    office: Client, house: House, adds: dict[str, Any], place: str, says: str
) -> None:
    before = house.state()
    refused = office.post(f"{YEAR}/amendments", {**NOTICE, **adds})
    assert (refused.status, list(refused.body["errors"])) == (422, [place])
    assert says in refused.body["errors"][place][0]
    assert house.state() == before


def test_a_day_that_is_over_is_no_later_day(office: Client, house: House) -> None:
    house.clock.now = at("2025-01-30T10:00")
    refused = office.post(f"{YEAR}/amendments", {**NOTICE, "deadlines": {"report": "2025-01-29"}})
    assert refused.body["errors"] == {"deadlines.report": ["2025-01-29 已经过去"]}


def test_a_number_is_used_once_in_a_year(office: Client) -> None:
    amend(office, texts={"K2": "一"})
    again = office.post(f"{YEAR}/amendments", {**NOTICE, "texts": {"K2": "二"}})
    assert (again.status, again.body["type"]) == (409, "/docs/problems#exists")
    assert again.body["detail"] == "2024年度已有补充通知 校党发〔2024〕9号"


def test_a_closed_year_is_not_added_to(office: Client) -> None:
    ok(office.post(f"{YEAR}/close", {"leave_open": True, "reason": "不再进行"}), 200)
    refused = office.post(f"{YEAR}/amendments", READ_MORE)
    assert (refused.status, refused.body["detail"]) == (409, "2024年度已办结，不能再改动")


# ── shown first, and afterwards ───────────────────────────────────────────────────────────────────────────────────────


def test_a_preview_tells_branches_and_counts_and_writes_nothing(office: Client, secretary: Client, house: House, branch: Cast) -> None:
    study(secretary, branch, *READING)
    assert move(secretary, branch, "advance").status == 201
    before, year = house.state(), office.get(YEAR).body
    body = {**READ_MORE, "deadlines": {"study": "2024-12-27"}}
    shown = office.post(f"{YEAR}/amendments?preview=true", body, **{"Idempotency-Key": "the-same-key"})
    assert (shown.status, "Location" in shown.headers, "ETag" in shown.headers) == (200, False, False)
    assert (house.state(), office.get(YEAR).body) == (before, year)
    assert {name: shown.body["counts"][name] for name in ("branches", "asked", "signs", "days")} == {"branches": 3, "asked": 2, "signs": 1, "days": 2}
    assert {each["branch"]["code"]: each["reading"] for each in shown.body["branches"]} == {"D0101": "asked", "D0201": "asked", branch.code: "sign"}
    made = office.post(f"{YEAR}/amendments?preview=false", body, **{"Idempotency-Key": "the-same-key"})
    assert made.status == 201
    assert {name: made.body[name] for name in ("counts", "branches")} == shown.body
    again = office.post(f"{YEAR}/amendments", body, **{"Idempotency-Key": "the-same-key"})
    assert (again.status, again.headers["Idempotent-Replayed"], again.body) == (201, "true", made.body)
    shown = office.post(f"{YEAR}/amendments?preview=true", body, **{"Idempotency-Key": "the-same-key"})
    assert (shown.status, "Idempotent-Replayed" in shown.headers) == (422, False)


def test_a_preview_is_refused_as_the_act_itself_and_only_where_there_is_one(office: Client) -> None:
    assert office.post(f"{YEAR}/amendments?preview=true", {**NOTICE, "deadlines": {"study": "2024-12-24"}}).status == 422
    assert office.post(f"{YEAR}/amendments?preview=maybe", READ_MORE).status == 422
    assert office.post(f"{YEAR}/close?preview=true", {}).status == 422


def test_an_amendment_is_shown_with_the_year_on_its_own_and_on_the_forms(office: Client, secretary: Client, branch: Cast, house: House) -> None:
    answer = office.post(f"{YEAR}/amendments", READ_MORE)
    alone = {name: each for name, each in answer.body.items() if name not in ("counts", "branches")}
    assert {name: alone[name] for name in READ_MORE} == READ_MORE
    assert (alone["recorded_by"], alone["deadlines"], alone["texts"]) == ("office", {}, {})
    for client in (office, secretary, house.as_("auditor"), house.as_(branch.member)):
        assert client.get(answer.headers["Location"].removeprefix("/api/v1")).body == alone
        assert client.get(f"{YEAR}/amendments").body == {"items": [alone], "next": None}
        assert client.get(YEAR).body["amendments"] == [alone]
    named = [{"number": NOTICE["number"], "issued_on": NOTICE["issued_on"]}]
    assert secretary.get(f"{branch.path}/form").body["amendments"] == named
    assert office.get(f"{YEAR}/totals").body["amendments"] == named
    assert house.as_(branch.secretary).post(f"{YEAR}/amendments", READ_MORE).status == 403
    assert office.get(f"{YEAR}/amendments/999999").status == 404


def test_the_history_has_the_notice_and_the_plan_before_it(office: Client, house: House) -> None:
    seen = office.get(YEAR)
    made = amend(office, required_reading={"add": [ADDED]})
    engine: Engine = house.engine
    with transaction(engine, actor=None) as session:
        rows = {row.what: row for row in session.scalars(select(History).order_by(History.id.desc()).limit(2))}
    assert rows["amendment"].actor == "office"
    assert (rows["amendment"].new or {})["number"] == made["number"]
    assert (rows["cycle"].old or {})["plan"]["rules"]["required_reading"] == list(READING)
    stale = office.patch(YEAR, {"deadlines": {"report": "2025-01-28"}}, seen=seen.etag)
    assert stale.status == 412
