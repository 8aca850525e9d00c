"""Rectification (整改) over the API: problems, measures, commitments, publications and filings.

Access, wrong input, two at once, substitutes, last year.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.records.rectification import the_year_after
from tests.support.servers import Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.deadlines import change_processes
from workflow.year.finding import process_of

RETRACTED = {"reason": "有误"}


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def secretary(house: House, branch: Cast) -> Client:
    return house.as_(branch.secretary)


def made(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, body)
    assert answer.status == 201, answer.body
    return dict(answer.body)


def a_problem(secretary: Client, branch: Cast, **fields: Any) -> int:
    body = {"source": "meeting", "about": "committee", "text": "“三会一课”质量不高", **fields}
    return int(made(secretary, f"{branch.path}/problems", body)["id"])


def a_measure(secretary: Client, branch: Cast, **fields: Any) -> dict[str, Any]:
    return made(secretary, f"{branch.path}/measures", {"text": "完善“三会一课”制度", "due_on": "2025-06-30", **fields})


def publish(secretary: Client, branch: Cast) -> int:
    return int(made(secretary, f"{branch.path}/publications", {"place": "公示栏", "from": "2024-12-20", "to": "2024-12-27"})["id"])


def stands_at(house: House, branch: Cast, stage: Stage) -> None:
    with transaction(house.engine, actor="cli") as session:
        change_processes(session, [process_of(session, 2024, branch.code)], {"stage": stage})


def bodies(branch: Cast) -> dict[str, dict[str, Any]]:
    return {
        "problems": {"source": "talk", "about": branch.member, "text": "发言偏少"},
        "measures": {"problems": [], "text": "完善制度", "owner": branch.member, "due_on": "2025-06-30"},
        "commitments": {"staff_no": branch.member, "problem": "学习不够", "text": "每周自学", "due_on": "2025-06-30"},
        "publications": {"place": "公示栏", "from": "2024-12-20", "to": "2024-12-27"},
        "rectification-filings": {"to": "学院党委", "sent_on": "2024-12-20"},
    }


NAMES = ("problems", "measures", "commitments", "publications", "rectification-filings")
CHANGES = {
    "problems": {"about": "committee"},
    "measures": {"text": "完善议事规则"},
    "commitments": {"due_on": "2025-09-30"},
    "publications": {"to": "2024-12-30"},
    "rectification-filings": {"to": "机关党委"},
}

# ── the manners of every record ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_made_read_corrected_and_taken_back(house: House, branch: Cast, secretary: Client, name: str) -> None:
    body = bodies(branch)[name]
    first = secretary.post(f"{branch.path}/{name}", body)
    assert first.status == 201, first.body
    assert body.items() <= first.body.items()
    path = first.headers["Location"].removeprefix("/api/v1")
    assert secretary.get(path).body == first.body == secretary.get(f"{branch.path}/{name}").body["items"][0]
    changed = secretary.patch(path, CHANGES[name], seen=1)
    assert changed.status == 200, changed.body
    assert changed.body == {**first.body, **CHANGES[name], "version": 2}
    deputy, office = house.as_(branch.deputy), house.as_("office")
    before = house.state()
    stale = deputy.patch(path, CHANGES[name], seen=1)
    assert (stale.status, stale.body["version"]) == (412, 2)
    assert [change["by"] for change in stale.body["changed"]] == [branch.secretary]
    assert office.post(f"{path}/withdraw", RETRACTED).status == 403
    assert office.patch(path, CHANGES[name], seen=2).status == 403
    assert house.state() == before
    assert office.post(f"{path}/reject", RETRACTED).body["rejected"]["by"] == "office"
    assert secretary.post(f"{path}/withdraw", RETRACTED).status == 409
    assert secretary.patch(path, CHANGES[name], seen=3).status == 409


@pytest.mark.parametrize("name", NAMES)
def test_a_record_closes_with_its_stage(house: House, branch: Cast, secretary: Client, name: str) -> None:
    path = f"{branch.path}/{name}/{made(secretary, f'{branch.path}/{name}', bodies(branch)[name])['id']}"
    stands_at(house, branch, Stage.REPORT)
    before = house.state()
    for refused in (
        secretary.post(f"{branch.path}/{name}", bodies(branch)[name]),
        secretary.patch(path, CHANGES[name], seen=1),
        secretary.post(f"{path}/withdraw", RETRACTED),
    ):
        assert (refused.status, refused.body["type"]) == (409, "/docs/problems#stage-closed")
    # Wrong input and another person's change are told first.
    assert secretary.patch(path, {"no_such": 1}, seen=1).status == 422
    assert secretary.patch(path, CHANGES[name], seen=9).status == 412
    assert house.state() == before


@pytest.mark.parametrize(
    ("name", "wrong", "field"),
    [
        ("problems", {"source": "rumour"}, "source"),
        ("problems", {"about": "z6"}, "about"),
        ("problems", {"about": None}, "about"),
        ("problems", {"text": "  "}, "text"),
        ("measures", {"problems": [999_999]}, "problems"),
        ("measures", {"problems": ["1"]}, "problems.0"),
        ("measures", {"problems": [0]}, "problems.0"),
        ("measures", {"problems": [7, 7]}, "problems"),
        ("measures", {"owner": "z6"}, "owner"),
        ("measures", {"due_on": "2025-02-30"}, "due_on"),
        ("measures", {"text": None}, "text"),
        ("measures", {"state": "closed"}, "state"),
        ("commitments", {"staff_no": "z6"}, "staff_no"),
        ("commitments", {"problem": 999_999}, "problem"),
        ("commitments", {"problem": True}, "problem"),
        ("commitments", {"problem": 1.0}, "problem"),
        ("commitments", {"problem": []}, "problem"),
        ("commitments", {"problem": " "}, "problem"),
        ("commitments", {"text": None}, "text"),
        ("publications", {"from": None}, "from"),
        ("publications", {"to": "2024-12-19"}, "to"),
        ("publications", {"from_on": "2024-12-19"}, "from_on"),
        ("publications", {"place": "两\n行"}, "place"),
        ("rectification-filings", {"to": None}, "to"),
        ("rectification-filings", {"sent_on": None}, "sent_on"),
        ("rectification-filings", {"sent_on": "2024-12-21"}, "sent_on"),
    ],
)
def test_wrong_input_is_named_and_changes_nothing(
    house: House, branch: Cast, secretary: Client, name: str, wrong: dict[str, Any], field: str
) -> None:
    before = house.state()
    refused = secretary.post(f"{branch.path}/{name}", {**bodies(branch)[name], **wrong})
    assert refused.status == 422, refused.body
    assert set(refused.body["errors"]) == {field}
    assert house.state() == before


def test_a_publication_is_judged_whole_when_one_of_its_days_changes(branch: Cast, secretary: Client) -> None:
    path = f"{branch.path}/publications/{publish(secretary, branch)}"
    for change in ({"to": "2024-12-18"}, {"from": "2024-12-28"}, {"from": "2024-12-21"}):
        assert secretary.patch(path, change, seen=1).status == 422
    assert secretary.patch(path, {"from": "2024-12-19", "to": "2024-12-28"}, seen=1).status == 200


# ── who reads a measure ───────────────────────────────────────────────────────────────────────────────────────────────

BRANCH_READERS = ("secretary", "deputy", "organiser", "office", "committee", "auditor")


def who_is(branch: Cast, who: str) -> str:
    return who if who in ("office", "committee", "auditor", "administrator") else str(getattr(branch, who))


def seen(house: House, branch: Cast, who: str) -> set[int]:
    answer = house.as_(who_is(branch, who)).get(f"{branch.path}/measures")
    assert answer.status == 200
    return {item["id"] for item in answer.body["items"]}


def test_a_plain_member_sees_his_own_measures_and_all_that_count_once_they_are_published(house: House, branch: Cast, secretary: Client) -> None:
    his, other, gone = (a_measure(secretary, branch, **fields)["id"] for fields in ({"owner": branch.member}, {}, {}))
    secretary.post(f"{branch.path}/measures/{gone}/withdraw", RETRACTED)
    assert [seen(house, branch, who) for who in BRANCH_READERS] == [{his, other, gone}] * len(BRANCH_READERS)
    assert (seen(house, branch, "member"), seen(house, branch, "newcomer")) == ({his}, set())
    newcomer = house.as_(branch.newcomer)
    assert newcomer.get(f"{branch.path}/measures/{other}").status == 404
    shown = publish(secretary, branch)
    assert (seen(house, branch, "member"), seen(house, branch, "newcomer")) == ({his, other}, {his, other})
    assert newcomer.get(f"{branch.path}/measures/{other}").status == 200
    assert newcomer.get(f"{branch.path}/measures/{gone}").status == 404
    assert secretary.post(f"{branch.path}/publications/{shown}/withdraw", RETRACTED).status == 200
    assert seen(house, branch, "newcomer") == set()


def test_what_is_public_says_nothing_of_a_person_or_a_talk(house: House, branch: Cast, secretary: Client) -> None:
    public = a_problem(secretary, branch)
    of_a_person = a_problem(secretary, branch, about=branch.organiser)
    from_a_talk = a_problem(secretary, branch, source="talk")
    everything = [public, of_a_person, from_a_talk]
    path = f"{branch.path}/measures/{a_measure(secretary, branch, problems=everything, owner=branch.member)['id']}"
    publish(secretary, branch)
    problems = {who: house.as_(who_is(branch, who)).get(path).body["problems"] for who in (*BRANCH_READERS, "member", "newcomer")}
    assert problems == {**dict.fromkeys((*BRANCH_READERS, "member"), everything), "newcomer": [public]}
    listed = house.as_(branch.newcomer).get(f"{branch.path}/measures").body["items"]
    assert [item["problems"] for item in listed] == [[public]]
    assert house.as_(branch.newcomer).get(f"{branch.path}/problems").status == 403


# ── progress and comments ─────────────────────────────────────────────────────────────────────────────────────────────


def test_progress_is_for_its_owner_and_the_secretary_who_alone_closes(house: House, branch: Cast, secretary: Client) -> None:
    measure = a_measure(secretary, branch, owner=branch.member)
    path = f"{branch.path}/measures/{measure['id']}"
    doing = {"state": "doing", "evidence": "会议记录"}

    def statuses(body: dict[str, Any]) -> dict[str, int]:
        return {
            who: house.as_(who_is(branch, who)).post(f"{path}/progress", body).status
            for who in ("member", "newcomer", "organiser", "deputy", "secretary", "office", "auditor")
        }

    allowed = {"member": 201, "newcomer": 404, "organiser": 403, "deputy": 201, "secretary": 201, "office": 403, "auditor": 403}
    assert statuses(doing) == allowed
    publish(secretary, branch)
    assert statuses(doing) == {**allowed, "newcomer": 403}
    assert statuses({"state": "closed"}) == {**allowed, "newcomer": 403, "member": 403}
    one = secretary.get(path)
    assert (one.body["state"], one.etag) == ("closed", '"1"')
    assert [(each["state"], each["recorded_by"]) for each in one.body["progress"][:2]] == [("doing", branch.member), ("doing", branch.deputy)]
    assert one.body["progress"][0].keys() == {"id", "state", "evidence", "recorded_by", "recorded_at"}
    assert secretary.post(f"{path}/progress", {"state": "finished"}).status == 422
    assert secretary.post(f"{path}/progress", {}).status == 422


def test_progress_comments_and_the_receipt_go_on_after_filing(house: House, branch: Cast, secretary: Client) -> None:
    path = f"{branch.path}/measures/{a_measure(secretary, branch, owner=branch.member)['id']}"
    sent = made(secretary, f"{branch.path}/rectification-filings", {"to": "学院党委", "sent_on": "2024-12-20"})
    publish(secretary, branch)
    stands_at(house, branch, Stage.ACCEPTED)
    assert house.as_(branch.member).post(f"{path}/progress", {"state": "done"}).status == 201
    assert house.as_(branch.newcomer).post(f"{path}/comments", {"text": "建议明确到人"}).status == 201
    receive = f"{branch.path}/rectification-filings/{sent['id']}/receive"
    received = house.as_("office").post(receive)
    assert (received.status, received.body["received_by"], received.etag) == (200, "office", '"2"')
    assert received.body["received_at"] == "2024-12-20T02:00:00Z"


def test_a_filing_is_confirmed_by_the_office_and_once(house: House, branch: Cast, secretary: Client) -> None:
    sent = [made(secretary, f"{branch.path}/rectification-filings", {"to": "学院党委", "sent_on": "2024-12-20"})["id"] for _ in range(2)]
    first, second = (f"{branch.path}/rectification-filings/{number}" for number in sent)
    assert [house.as_(who_is(branch, who)).post(f"{first}/receive").status for who in ("secretary", "member", "auditor")] == [403] * 3
    assert secretary.post(f"{second}/withdraw", RETRACTED).status == 200
    assert [house.as_("office").post(f"{each}/receive").status for each in (first, first, second)] == [200, 409, 409]


def test_a_comment_is_for_who_may_see_the_measure_and_a_plain_member_waits_for_its_publication(house: House, branch: Cast, secretary: Client) -> None:
    path = f"{branch.path}/measures/{a_measure(secretary, branch, owner=branch.member)['id']}"
    body = {"text": "建议明确到人"}

    def statuses() -> dict[str, int]:
        everybody = ("member", "newcomer", "organiser", "secretary", "office", "auditor", "committee")
        return {who: house.as_(who_is(branch, who)).post(f"{path}/comments", body).status for who in everybody}

    expected = {"member": 409, "newcomer": 404, "organiser": 201, "secretary": 201, "office": 201, "auditor": 403, "committee": 403}
    assert statuses() == expected
    publish(secretary, branch)
    assert statuses() == {**expected, "member": 201, "newcomer": 201}
    comments = secretary.get(path).body["comments"]
    assert [each["recorded_by"] for each in comments][:3] == [branch.organiser, branch.secretary, "office"]
    assert comments[0].keys() == {"id", "text", "recorded_by", "recorded_at"}
    secretary.post(f"{path}/withdraw", RETRACTED)
    assert statuses() == {**expected, "member": 409, "newcomer": 404, "organiser": 409, "secretary": 409, "office": 409}
    assert secretary.post(f"{path}/progress", {"state": "doing"}).status == 409


# ── commitments ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_member_reads_and_writes_his_own_commitments_alone(house: House, branch: Cast, secretary: Client) -> None:
    member, newcomer = house.as_(branch.member), house.as_(branch.newcomer)
    body = bodies(branch)["commitments"]
    his = made(member, f"{branch.path}/commitments", body)["id"]
    other = made(secretary, f"{branch.path}/commitments", {**body, "staff_no": branch.newcomer})["id"]
    assert newcomer.post(f"{branch.path}/commitments", body).status == 403
    assert house.as_("office").post(f"{branch.path}/commitments", body).status == 403
    visible = {
        who: [item["id"] for item in house.as_(who_is(branch, who)).get(f"{branch.path}/commitments").body["items"]]
        for who in (*BRANCH_READERS, "member", "newcomer")
    }
    assert visible == {**{who: [his, other] for who in BRANCH_READERS}, "member": [his], "newcomer": [other]}
    path = f"{branch.path}/commitments/{his}"
    before = house.state()
    assert newcomer.get(path).status == newcomer.patch(path, {"text": "改写"}, seen=1).status == 404
    assert newcomer.post(f"{path}/withdraw", RETRACTED).status == 404
    # A committee member reads the commitments of others and writes their own.
    organiser = house.as_(branch.organiser)
    assert (organiser.get(path).status, organiser.patch(path, {"text": "改写"}, seen=1).status) == (200, 403)
    assert organiser.post(f"{path}/withdraw", RETRACTED).status == 403
    assert member.patch(path, {"staff_no": branch.newcomer}, seen=1).status == 403
    assert house.state() == before
    assert member.patch(path, {"text": "每周自学两次"}, seen=1).status == 200
    assert member.post(f"{path}/withdraw", RETRACTED).status == 200


def test_a_commitment_names_its_problem_in_words_or_by_number(branch: Cast, secretary: Client, house: House) -> None:
    number, elsewhere = a_problem(secretary, branch), house.a_branch()
    foreign = a_problem(house.as_(elsewhere.secretary), elsewhere)
    body = {**bodies(branch)["commitments"], "problem": number}
    promise = made(secretary, f"{branch.path}/commitments", body)
    assert promise["problem"] == number
    path = f"{branch.path}/commitments/{promise['id']}"
    assert secretary.patch(path, {"problem": foreign}, seen=1).status == 422
    assert secretary.patch(path, {"problem": str(number)}, seen=1).body["problem"] == str(number)
    assert secretary.patch(path, {"problem": number}, seen=2).body["problem"] == number
    assert secretary.post(f"{branch.path}/problems/{number}/withdraw", RETRACTED).status == 200
    assert secretary.post(f"{branch.path}/commitments", body).status == 422
    assert secretary.patch(path, {"text": "另行改进"}, seen=3).status == 200


def test_the_description_says_that_a_problem_is_a_text_or_a_number(house: House) -> None:
    schemas = house.app.test_client().get("/api/v1/openapi.json").get_json()["components"]["schemas"]
    problem = schemas["Commitment"]["properties"]["problem"]
    assert [each["type"] for each in problem["anyOf"]] == ["string", "integer", "null"]
    assert "type" not in problem
    assert {"place", "from", "to"} <= set(schemas["Publication"]["properties"])
    assert schemas["Publication"]["required"] == ["from"]


def test_what_a_substitute_does_for_himself_is_not_done_for_the_secretary(house: House, branch: Cast, secretary: Client) -> None:
    week = {"substitute": branch.member, "starts_on": "2024-12-20", "ends_on": "2024-12-26"}
    his = made(secretary, f"{branch.path}/measures", {"text": "完善制度", "owner": branch.member})["id"]
    assert secretary.post("/substitutes", week).status == 201
    member = house.as_(branch.member)
    own = made(member, f"{branch.path}/commitments", bodies(branch)["commitments"])["id"]
    made(member, f"{branch.path}/commitments", {**bodies(branch)["commitments"], "staff_no": branch.newcomer})
    assert member.patch(f"{branch.path}/commitments/{own}", {"text": "每周自学两次"}, seen=1).status == 200
    assert member.post(f"{branch.path}/commitments/{own}/withdraw", RETRACTED).status == 200
    for state in ("doing", "closed"):
        made(member, f"{branch.path}/measures/{his}/progress", {"state": state})
    rows = house.as_("auditor").get(f"{branch.path}/history?limit=200").body["items"]
    behalf = [(row["what"], row["on_behalf_of"]) for row in rows if row["by"] == branch.member]
    assert [on for what, on in behalf if what == "commitment"] == [None, branch.secretary, None, None]
    assert [on for what, on in behalf if what == "measure_progress"] == [None, branch.secretary]


# ── several at once ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_two_corrections_at_once_one_is_told_of_the_other(house: House, branch: Cast, secretary: Client) -> None:
    path = f"{branch.path}/measures/{a_measure(secretary, branch)['id']}"
    deputy = house.as_(branch.deputy)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda client: client.patch(path, {"text": f"由 {client.token[:4]} 改"}, seen=1).status, (secretary, deputy)))
    assert sorted(answers) == [200, 412]


def test_a_receipt_and_two_notes_of_progress_at_once_lose_nothing(house: House, branch: Cast, secretary: Client) -> None:
    sent = made(secretary, f"{branch.path}/rectification-filings", {"to": "学院党委", "sent_on": "2024-12-20"})["id"]
    measure = f"{branch.path}/measures/{a_measure(secretary, branch, owner=branch.member)['id']}"
    office, member = house.as_("office"), house.as_(branch.member)
    receive = f"{branch.path}/rectification-filings/{sent}/receive"
    with ThreadPoolExecutor(4) as pool:
        receipts = [pool.submit(office.post, receive) for _ in range(2)]
        notes = [pool.submit(client.post, f"{measure}/progress", {"state": "doing"}) for client in (member, secretary)]
    assert sorted(each.result().status for each in receipts) == [200, 409]
    assert [each.result().status for each in notes] == [201, 201]
    assert len(secretary.get(measure).body["progress"]) == 2


# ── last year ─────────────────────────────────────────────────────────────────────────────────────────────────────────


NOTHING_OPEN: dict[str, Any] = {"help_plans": [], "cases": [], "commitments": []}


def test_with_no_last_year_the_words_say_so(house: House, branch: Cast, secretary: Client) -> None:
    answer = secretary.get(f"{branch.path}/measures/last-year")
    assert (answer.status, answer.body) == (200, {"items": [], "text": "上年度无整改事项", **NOTHING_OPEN})
    assert house.as_(branch.member).get(f"{branch.path}/measures/last-year").status == 403


def test_last_years_measures_stand_in_the_next_year(house: House, branch: Cast, secretary: Client) -> None:
    measure = a_measure(secretary, branch, owner=branch.organiser)
    made(secretary, f"{branch.path}/measures/{measure['id']}/progress", {"state": "closed", "evidence": "台账"})
    with transaction(house.engine, actor="cli") as session:
        the_year_after(session, process_of(session, 2024, branch.code))
    answer = secretary.get(f"/cycles/2025/branches/{branch.code}/measures/last-year")
    assert answer.body == {
        "items": [{"text": "完善“三会一课”制度", "owner": branch.organiser, "due_on": "2025-06-30", "state": "closed"}],
        "text": f"1. 完善“三会一课”制度（责任人：{branch.organiser}）：已销号",
        **NOTHING_OPEN,
    }
