"""The summary (考核汇总) over HTTP: the sheet for each reader, bands for few raters.

The school's list and the office's proposals are tested too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import update

from tests.api.conftest import Client
from tests.support.records.assessment import a_duty_report, an_assessment
from tests.support.records.assessment_summary import a_whole_year
from tests.support.records.evidence import statements
from tests.support.servers import YEAR, Cast, House
from workflow.appraisal.meetings.tallies import BANDS
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.cycle import Process

SHEET = {
    *("cycle", "branch", "stage", "secretary", "members", "on_committee", "duty_report", "main_work", "three_meetings", "development"),
    *(
        "clean_government",
        "aspects",
        "attendance",
        "activities",
        "conduct",
        "extra",
        "committee_appraisal",
        "excellent",
        "rectification",
        "form",
        "missing",
    ),
}
PROPOSED = {"result": "excellent", "reason": "〈只供党委研究〉工作扎实"}
SCHOOL_READERS = ("office", "committee", "auditor")
OWN_READERS = ("secretary", "deputy", "organiser")


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def whole(house: House, branch: Cast) -> Cast:
    """A branch with all that a sheet can hold, including a proposal."""
    with transaction(house.engine, actor="cli") as session:
        a_whole_year(session, an_assessment(session, branch.code))
    assert house.as_("office").put(f"{at(branch)}/proposal", PROPOSED).status == 200
    return branch


def at(branch: Cast) -> str:
    return f"{YEAR}/assessments/{branch.code}"


def reader(house: House, branch: Cast, who: str) -> Client:
    return house.as_(getattr(branch, who) if hasattr(branch, who) else who)


def sheet(house: House, branch: Cast, who: str = "office") -> Any:
    answer = reader(house, branch, who).get(f"{at(branch)}/summary")
    assert answer.status == 200, answer.body
    return answer.body


def stand_at(house: House, branch: Cast, stage: Stage) -> None:
    with transaction(house.engine, actor="cli") as session:
        session.execute(update(Process).where(Process.id == an_assessment(session, branch.code).id).values(stage=stage))


def a_ballot(house: House, branch: Cast, valid: int, good: int) -> None:
    """Enter the members' marks for their committee, by two tellers."""
    counts = {item: {"good": good, "fairly_good": valid - good} for item in ("work", "style", "overall")}
    body = {"subject": "committee", "issued": valid, "returned": valid, "valid": valid, "void": 0, "counts": counts}
    for teller in (branch.organiser, branch.member):
        assert house.as_(teller).post(f"{branch.path}/tallies", body).status == 201


# ── the sheet ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sheet_of_a_new_branch_has_every_part_and_says_what_is_not_there(house: House, branch: Cast) -> None:
    body = sheet(house, branch)
    assert body.keys() == SHEET | {"proposal"}
    assert (body["cycle"], body["branch"]["code"], body["stage"], body["secretary"]["staff_no"]) == (
        2024,
        branch.code,
        "collecting",
        branch.secretary,
    )
    assert (body["members"], body["on_committee"]) == (6, 4)
    report = body["duty_report"]
    assert {name: report[name] for name in ("mode", "submitted", "submitted_at", "late", "rectification")} == {
        "mode": None,
        "submitted": False,
        "submitted_at": None,
        "late": False,
        "rectification": None,
    }
    assert [(each["id"], each["text"]) for each in report["sections"]] == [(f"C{number}", None) for number in range(1, 7)]
    assert body["three_meetings"] == {
        "general": {"held": None, "expected": 4, "gap": None, "recorded": 0},
        "committee": {"held": None, "expected": 12, "gap": None, "recorded": 0},
        "group": {"held": None, "expected": None, "gap": None, "recorded": 0},
        "lesson": {"held": None, "expected": 4, "gap": None, "recorded": None},
    }
    assert body["development"] == dict.fromkeys(("applicants", "activists", "candidates", "admitted", "confirmed"))
    assert body["clean_government"] == {"text": None, "issues": None, "checked": False}
    nobody = {"required": 0, "attended": 0, "on_leave": 0, "rate": None}
    assert body["attendance"] == dict.fromkeys(("study", "civility", "volunteering"), nobody)
    assert body["excellent"] == {"rated": 0, "excellent": 0, "base_count": 0, "allowed": 0, "approved": None, "rate": None}
    assert body["rectification"] == {"measures": 0, "done": 0, "rate": None}
    assert body["form"] == {"due_on": "2025-01-26", "filed": False, "filed_at": None, "late": None, "returned": 0}
    assert [body[name] for name in ("main_work", "conduct", "extra", "committee_appraisal", "proposal")] == [None] * 5
    assert {"id": "duty_report", "name": "述职报告"} in body["missing"]


def test_a_whole_sheet_misses_nothing(house: House, whole: Cast) -> None:
    body = sheet(house, whole)
    assert body["missing"] == []
    assert [each["id"] for each in body["aspects"]] == ["S1", "S2", "S3", "S4"]
    assert (body["duty_report"]["submitted"], all(each["text"] and each["title"] for each in body["duty_report"]["sections"])) == (True, True)
    assert body["three_meetings"]["committee"] == {"held": 4, "expected": 12, "gap": 8, "recorded": 0}
    assert body["attendance"]["study"] == {"required": 6, "attended": 6, "on_leave": 0, "rate": 100.0}
    line = next(each for each in body["activities"] if each["required"])
    assert line.keys() == {"id", "kind", "name", "held_on", "required", "attended", "on_leave"}
    assert (body["clean_government"]["checked"], body["form"]["filed"], body["form"]["late"]) == (True, True, False)
    assert body["excellent"] == {"rated": 6, "excellent": 1, "base_count": 6, "allowed": 1, "approved": None, "rate": 16.7}
    assert body["proposal"] == {**PROPOSED, "version": 1}


def test_no_score_no_weight_and_no_rank_stands_there(house: House, whole: Cast) -> None:
    named = set(keys(sheet(house, whole)))
    assert {name for name in named if any(word in name for word in ("score", "rank", "weight", "point", "order", "total", "place"))} == set()


def keys(body: Any) -> Iterator[str]:
    for name, value in body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ():
        if isinstance(name, str):
            yield name
        yield from keys(value)


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", SCHOOL_READERS)
def test_who_reads_the_school_reads_what_is_proposed_and_every_count(house: House, whole: Cast, who: str) -> None:
    body = sheet(house, whole, who)
    assert body == sheet(house, whole)
    assert body["proposal"] == {**PROPOSED, "version": 1}
    ballot = body["committee_appraisal"]
    assert (ballot["bands"], ballot["marks"]["overall"]["good"], ballot["good_rate"]) == (False, 6, 100.0)


@pytest.mark.parametrize("who", OWN_READERS)
def test_the_branch_reads_its_sheet_without_the_proposal(house: House, whole: Cast, who: str) -> None:
    body = sheet(house, whole, who)
    assert body.keys() == SHEET
    assert {name: body[name] for name in SHEET - {"committee_appraisal"}} == {
        name: value for name, value in sheet(house, whole).items() if name in SHEET - {"committee_appraisal"}
    }


def test_nothing_that_a_branch_reads_tells_what_is_proposed(house: House, whole: Cast) -> None:
    stand_at(house, whole, Stage.SUMMARISED)
    below = ("", "/summary", "/next", "/requirements", "/requirements?stage=summarised", "/moves", "/duty-report", "/facts", "/history", "/proposal")
    paths = (*(f"{at(whole)}{each}" for each in below), f"{whole.path}/history", f"{whole.path}/archive", f"{YEAR}/summary", "/me/todos")
    for who in (*OWN_READERS, "member"):
        for path in paths:
            answer = reader(house, whole, who).get(path)
            assert PROPOSED["reason"] not in json.dumps(answer.body, ensure_ascii=False), (who, path)
    assert PROPOSED["reason"] in json.dumps(house.as_("auditor").get(f"{at(whole)}/history?limit=200").body, ensure_ascii=False)


def test_a_member_reads_no_sheet_and_who_is_of_another_branch_finds_none(house: House, whole: Cast) -> None:
    other = house.a_branch()
    for path in (f"{at(whole)}/summary", f"{at(whole)}/proposal"):
        assert house.as_(whole.member).get(path).status == 403
        assert house.as_("administrator").get(path).status == 403
    assert house.as_(other.secretary).get(f"{at(whole)}/summary").status == 404
    for who in (whole.secretary, other.secretary, whole.organiser):
        assert house.as_(who).get(f"{at(whole)}/proposal").status == 403
        assert house.as_(who).get(f"{YEAR}/summary").status == 403
    assert house.as_("office").get(f"{YEAR}/assessments/D0999/summary").status == 404


def test_a_draft_is_on_nobodys_sheet(house: House, branch: Cast) -> None:
    with transaction(house.engine, actor=branch.secretary) as session:
        a_duty_report(session, an_assessment(session, branch.code), {"C1": "草稿里的话"}, submitted=False)
    for who in (*SCHOOL_READERS, *OWN_READERS):
        assert "草稿里的话" not in json.dumps(sheet(house, branch, who), ensure_ascii=False)


# ── few raters ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", OWN_READERS)
def test_below_ten_raters_the_branch_reads_bands_and_of_the_rate_too(house: House, branch: Cast, who: str) -> None:
    a_ballot(house, branch, valid=9, good=5)
    ballot = sheet(house, branch, who)["committee_appraisal"]
    assert {name: ballot[name] for name in ("issued", "returned", "valid", "void", "bands", "good_rate")} == {
        **dict.fromkeys(("issued", "returned", "valid"), 9),
        "void": 0,
        "bands": True,
        "good_rate": "过半数",
    }
    assert {band for votes in ballot["marks"].values() for band in votes.values()} <= set(BANDS)
    assert ballot["marks"]["overall"] == {"good": "过半数", **dict.fromkeys(("fairly_good", "fair", "poor", "abstain"), "未过半数")}
    exact = sheet(house, branch)["committee_appraisal"]
    assert (exact["bands"], exact["good_rate"], exact["marks"]["overall"]["good"]) == (False, 55.6, 5)


def test_from_ten_raters_on_the_branch_reads_counts(house: House, branch: Cast) -> None:
    a_ballot(house, branch, valid=10, good=7)
    votes = {"good": 7, "fairly_good": 3, "fair": 0, "poor": 0, "abstain": 0}
    expected = {
        **dict.fromkeys(("issued", "returned", "valid"), 10),
        "void": 0,
        "marks": dict.fromkeys(("work", "style", "overall"), votes),
        "good_rate": 70.0,
        "bands": False,
    }
    assert [sheet(house, branch, who)["committee_appraisal"] for who in ("office", *OWN_READERS)] == [expected] * 4


# ── the school's list ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_has_the_sheet_of_each_branch_by_its_code_whatever_is_proposed(house: House, whole: Cast) -> None:
    other = house.a_branch()
    assert house.as_("office").put(f"{at(other)}/proposal", {"result": "poor", "reason": "软弱涣散"}).status == 200
    for who in SCHOOL_READERS:
        rows = house.as_(who).get(f"{YEAR}/summary?limit=200").body["items"]
        codes = [row["branch"]["code"] for row in rows]
        assert codes == sorted(codes)
        by_code = {row["branch"]["code"]: row for row in rows}
        for each in (whole, other):
            assert by_code[each.code] == sheet(house, each)


def test_the_list_is_read_page_by_page_by_unit_and_by_words(house: House, branch: Cast) -> None:
    office, found, path = house.as_("office"), [], f"{YEAR}/summary?limit=2"
    everything = [row["branch"]["code"] for row in office.get(f"{YEAR}/summary?limit=200").body["items"]]
    after: str | None = ""
    while after is not None:
        page = office.get(f"{path}{after}").body
        found += [row["branch"]["code"] for row in page["items"]]
        after = f"&after={page['next']}" if page["next"] else None
    assert found == everything
    assert [row["branch"]["code"] for row in office.get(f"{YEAR}/summary?unit=D02").body["items"]] == ["D0201"]
    assert [row["branch"]["code"] for row in office.get(f"{YEAR}/summary?q={branch.code}").body["items"]] == [branch.code]
    assert office.get(f"{YEAR}/summary?unit=nowhere").body == {"items": [], "next": None}


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "after=%20", "sort=result", "order=rate", "result=excellent"])
def test_the_list_knows_no_other_order_and_no_other_filter(house: House, query: str) -> None:
    assert house.as_("office").get(f"{YEAR}/summary?{query}").status == 422


def test_there_is_no_list_of_a_year_that_is_not_there(house: House) -> None:
    assert house.as_("office").get("/cycles/2031/summary").status == 404


def test_a_page_of_many_costs_as_many_statements_as_a_page_of_one(house: House, whole: Cast) -> None:
    office, asked = house.as_("office"), []
    for limit in (1, 200):
        with statements(house.engine) as sent:
            assert office.get(f"{YEAR}/summary?limit={limit}").status == 200
        asked.append(len(sent))
    assert asked[0] == asked[1]


# ── what the office proposes ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_proposal_is_put_whole_and_wants_the_tag_once_it_is_there(house: House, branch: Cast) -> None:
    office, path = house.as_("office"), f"{at(branch)}/proposal"
    assert office.get(path).status == 404
    first = office.put(path, PROPOSED)
    assert (first.status, first.etag, first.body) == (200, '"1"', PROPOSED)
    assert ((read := office.get(path)).body, read.etag) == (PROPOSED, '"1"')
    assert office.put(path, {"result": "poor"}).status == 428
    second = office.put(path, {"result": "qualified", "reason": None}, seen=1)
    assert (second.status, second.etag, second.body) == (200, '"2"', {"result": "qualified", "reason": None})
    for who in SCHOOL_READERS:
        assert house.as_(who).get(path).body == second.body


@pytest.mark.parametrize("seen", [1, 3, "*", 'W/"2"', '"x"'])
def test_who_did_not_see_it_as_it_stands_is_told_what_changed(house: House, branch: Cast, seen: int | str) -> None:
    office, path = house.as_("office"), f"{at(branch)}/proposal"
    assert office.put(path, PROPOSED).status == 200
    assert office.put(path, {**PROPOSED, "result": "qualified"}, seen=1).status == 200
    before = house.state()
    refused = office.put(path, {"result": "poor", "reason": "较差"}, seen=seen)
    assert (refused.status, refused.body["version"]) == (412, 2)
    if seen == 1:
        assert [(each["by"], each["fields"]) for each in refused.body["changed"]] == [("office", ["result"])]
    assert house.state() == before
    assert office.get(path).body == {**PROPOSED, "result": "qualified"}


@pytest.mark.parametrize("result", ["excellent", "good", "qualified", "poor", "none"])
def test_each_word_of_the_plan_can_be_proposed(house: House, branch: Cast, result: str) -> None:
    assert house.as_("office").put(f"{at(branch)}/proposal", {"result": result}).body == {"result": result, "reason": None}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"result": "best"}, "result"),
        ({"result": "优秀"}, "result"),
        ({"result": 1}, "result"),
        ({"result": "basic"}, "result"),
        ({"reason": ""}, "reason"),
        ({"reason": "长" * 2001}, "reason"),
        ({"reason": ["扎实"]}, "reason"),
        ({"result": "excellent", "score": 95}, "score"),
        ({"result": "excellent", "rank": 1}, "rank"),
        ({"version": 1}, "version"),
    ],
)
def test_wrong_input_is_refused_and_changes_nothing(house: House, branch: Cast, body: dict[str, Any], field: str) -> None:
    office, path, before = house.as_("office"), f"{at(branch)}/proposal", house.state()
    refused = office.put(path, body)
    assert (refused.status, list(refused.body["errors"])) == (422, [field])
    assert house.state() == before
    assert office.get(path).status == 404


@pytest.mark.parametrize("stage", [Stage.PROPOSED, Stage.DECIDED, Stage.PUBLISHED])
def test_once_the_summary_is_left_what_was_proposed_stands(house: House, branch: Cast, stage: Stage) -> None:
    office, path = house.as_("office"), f"{at(branch)}/proposal"
    assert office.put(path, PROPOSED).status == 200
    stand_at(house, branch, stage)
    refused = office.put(path, {"result": "poor"}, seen=1)
    assert (refused.status, refused.body["type"]) == (409, "/docs/problems#stage-closed")
    assert office.put(path, {"result": "poor"}, seen=7).status == 412
    assert office.get(path).body == PROPOSED


def test_the_office_alone_proposes(house: House, branch: Cast) -> None:
    others = {who: reader(house, branch, who) for who in ("committee", "auditor", "administrator", *OWN_READERS, "member")}
    before = house.state()
    for who, client in others.items():
        assert client.put(f"{at(branch)}/proposal", PROPOSED).status == 403, who
    assert house.state() == before


def test_of_two_who_propose_first_at_once_one_is_told_that_there_is_one(house: House, branch: Cast) -> None:
    barrier, path = Barrier(2), f"{at(branch)}/proposal"
    bodies = [{"result": level, "reason": level} for level in ("excellent", "qualified")]

    def put(body: dict[str, str]) -> Any:
        client = Client(house.app.test_client(), house.as_("office").token)
        barrier.wait()
        return client.put(path, body)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(put, bodies))
    # The slower one finds no proposal and is refused, or finds the other's, which it had to see
    # first.
    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.status for answer in answers} <= {200, 412, 428}
    kept = house.as_("office").get(path)
    assert (kept.body, kept.etag) == (bodies[[answer.status for answer in answers].index(200)], '"1"')
