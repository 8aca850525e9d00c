"""Sixty branches are assessed over HTTP, from the secretaries' reports to the published list.

Two of them also go through their own year.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select

from tests.api.conftest import Client
from tests.support.rosters import COMMITTEE_POSTS, RosterBranch, committee_rows, member_rows
from tests.support.servers import YEAR, House
from tests.support.workbooks import Row
from tests.support.years.assessment_year import FACTS, SECTIONS, AssessmentYear, a_decision, apply_attendance, decide
from tests.support.years.branch_year import BranchYear, an_empty_house, every, import_roster, ok, open_year
from workflow.foundation.database import transaction
from workflow.mail.outbox import Letter

pytestmark = pytest.mark.slow

BRANCHES = 60
OF_THE_BRANCHES = {"filed_and_not_accepted"}
"""The work that waits for the office of the branches' own year."""
ON_SITE = 20
"""The number of branches that report on site; the others report in writing."""
CODES = [f"D{1 + number // 5:02d}{1 + number % 5:02d}" for number in range(BRANCHES)]
MEETS, LARGE = CODES[:2], CODES[1]
"""Branches that go through their own year too; the second has more than ten raters."""
EXCELLENT = CODES[3:9]
CORRECTED = CODES[3]


def size(code: str) -> int:
    return 12 if code == LARGE else 3


def a_branch(code: str) -> RosterBranch:
    names = [f"{'王李张刘陈杨黄赵吴周'[number % 10]}{'建文'[number // 10]}" for number in range(size(code))]
    posts = dict(zip(names, COMMITTEE_POSTS[:3], strict=False)) if code == LARGE else {names[0]: "书记"}
    return RosterBranch(code, f"{code}党支部", names, posts, (), code[:3], f"{code[:3]}党委")


@dataclass
class School:
    """The branches, and the readings made on the way."""

    house: House
    people: list[Row]
    branches: dict[str, AssessmentYear] = field(default_factory=dict)
    activities: list[Any] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def office(self) -> Client:
        return self.house.as_("office")

    def look(self, when: str) -> None:
        """Keep the readings of a moment.

        They are the sheets of all, and the views of a member, a secretary and the office.
        """
        branch = self.branches[CORRECTED]
        member, secretary = self.house.as_(branch.holder(None)), branch.secretary
        self.seen[when] = {
            "sheets": every(self.office, f"{YEAR}/summary"),
            "stages": Counter(row["stage"] for row in every(self.office, f"{YEAR}/assessments")),
            "member": {path: member.get(path) for path in (branch.path, f"{YEAR}/decision")},
            "secretary": {path: secretary.get(path) for path in (branch.path, f"{YEAR}/decision")},
            "todos": {row["requirement"] for row in every(self.office, "/me/todos")},
            "exceptions": Counter(row["requirement"] for row in every(self.office, f"{YEAR}/exceptions") if row["kind"] == "assessment"),
        }


@pytest.fixture(scope="module")
def school(superuser: str, template: str) -> Iterator[School]:
    """The whole assessment, walked once."""
    roster = [a_branch(code) for code in CODES]
    with an_empty_house(superuser, template) as house:
        made = School(house, member_rows(roster))
        import_roster(made.office, made.people, committee_rows(roster))
        open_year(made.office)
        made.branches = {code: AssessmentYear(house, code) for code in CODES}
        for code in MEETS:
            first = BranchYear(house, code, {}).numbers()[1]
            BranchYear(house, code, {first: "excellent"} if code == LARGE else {}).comes_to("filed")
        made.look("begun")
        _report(made)
        made.look("reported")
        for branch in made.branches.values():
            branch.goes_on()
            branch.propose("excellent" if branch.code in EXCELLENT else "qualified", f"{branch.code} 的理由")
        for branch in made.branches.values():
            branch.goes_on()
        made.look("proposed")
        entered = ok(made.office.post(f"{YEAR}/decision", a_decision({code: "excellent" if code in EXCELLENT else "qualified" for code in CODES})))
        made.look("entered")
        ok(house.as_("committee").post(f"{YEAR}/decisions/{entered['id']}/confirm"), 200)
        made.look("decided")
        made.seen["final"] = ok(made.office.post(f"{YEAR}/decision/publish"), 200)
        made.look("published")
        decide(house, {CORRECTED: "qualified"}, number="党委会〔2025〕4号")
        made.look("corrected")
        ok(made.office.post(f"{YEAR}/decision/publish"), 200)
        made.look("published again")
        yield made


def _report(school: School) -> None:
    """Record modes and sessions, activities with attendance, reports and facts of all branches."""
    for number, branch in enumerate(school.branches.values()):
        if number < ON_SITE:
            day = f"2025-01-{8 + number // 10:02d}"
            branch.arrange(mode="on_site", on_site={"held_on": day, "place": "第一会议室", "order": 1 + number % 10})
        else:
            branch.arrange(mode="written")
    for kind, name in (("study", "专题党课"), ("civility", "校园清洁"), ("volunteering", "社区服务"), ("study", "集中轮训")):
        activity = ok(school.office.post(f"{YEAR}/activities", {"kind": kind, "name": name, "held_on": "2024-10-10"}))
        apply_attendance(school.office, activity, [_line(row, number) for number, row in enumerate(school.people)])
        school.activities.append(activity)
    for branch in school.branches.values():
        branch.put("duty-report", {"sections": {"C1": "先写一段"}})
        branch.report()
        branch.tell_facts()
        ok(school.office.post(f"{branch.path}/facts/confirm"), 200)
        branch.arrange(conduct="组织有序")


def _line(row: Row, number: int) -> Row:
    presence = "缺勤" if number % 7 == 0 else "请假" if number % 11 == 0 else "出勤"
    return {"学工号": row["学工号"], "姓名": row["姓名"], "所在党支部": row["所在党支部"], "出勤情况": presence}


# ── where it stands ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_branches_go_through_the_five_stages_and_are_decided_and_published_at_once(school: School) -> None:
    stages = {when: dict(seen["stages"]) for when, seen in school.seen.items() if "stages" in seen}
    assert stages == {
        "begun": {"collecting": BRANCHES},
        "reported": {"collecting": BRANCHES},
        "proposed": {"proposed": BRANCHES},
        "entered": {"proposed": BRANCHES},
        "decided": {"decided": BRANCHES},
        "published": {"published": BRANCHES},
        "corrected": {"published": BRANCHES - 1, "decided": 1},
        "published again": {"published": BRANCHES},
    }


def test_what_is_missing_is_the_offices_to_do_and_an_exception_until_it_is_there(school: School) -> None:
    begun, reported = school.seen["begun"], school.seen["reported"]
    assert begun["todos"] == {"report_mode_not_set"} | OF_THE_BRANCHES
    assert begun["exceptions"]["duty_report_not_submitted"] == begun["exceptions"]["report_mode_not_set"] == BRANCHES
    assert reported["todos"] == OF_THE_BRANCHES
    assert reported["exceptions"]["duty_report_not_submitted"] == 0
    assert school.seen["proposed"]["exceptions"]["inputs_missing"] == BRANCHES - len(MEETS)
    assert "branch_without_a_result" in school.seen["proposed"]["todos"]
    assert school.seen["entered"]["todos"] == {"inputs_missing"} | OF_THE_BRANCHES


def test_beside_it_the_branches_own_year_goes_on(school: School) -> None:
    progress = ok(school.office.get(f"{YEAR}/progress", **{"Cache-Control": "no-cache"}), 200)
    assert (progress["branches"], progress["by_stage"]["filed"], progress["by_stage"]["study"]) == (BRANCHES, len(MEETS), BRANCHES - len(MEETS))
    assert set(progress["by_stage"]) == {"study", "talks", "self_review", "rating", "rectification", "report", "filed", "accepted"}


# ── the sheets ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sheets_add_up_to_the_records(school: School) -> None:
    sheets = {sheet["branch"]["code"]: sheet for sheet in school.seen["proposed"]["sheets"]}
    assert list(sheets) == CODES
    came: Counter[tuple[str, str]] = Counter()
    for number, row in enumerate(school.people):
        came[str(row["所在党支部编码"]), str(_line(row, number)["出勤情况"])] += 1
    for code, sheet in sheets.items():
        assert sheet["duty_report"]["submitted"] is True
        assert {section["id"]: section["text"] for section in sheet["duty_report"]["sections"]} == SECTIONS
        of_kind = sheet["attendance"]["study"]
        assert (of_kind["required"], of_kind["attended"], of_kind["on_leave"]) == (2 * size(code), 2 * came[code, "出勤"], 2 * came[code, "请假"])
        assert len(sheet["activities"]) == len(school.activities)
        assert {name: row["held"] for name, row in sheet["three_meetings"].items()} == FACTS["three_meetings"]
        assert sheet["proposal"]["result"] == ("excellent" if code in EXCELLENT else "qualified")
        voters = size(code)
        appraisal = sheet["committee_appraisal"]
        assert (appraisal is None) is (code not in MEETS)
        if appraisal is not None:
            assert (appraisal["valid"], appraisal["marks"]["overall"]["good"]) == (voters, voters - 1)
    assert sum(sheet["attendance"]["civility"]["required"] for sheet in sheets.values()) == len(school.people)


def test_what_the_committee_had_before_it_is_kept_with_the_decision(school: School) -> None:
    kept = school.seen["final"]["results"]
    assert set(kept) == set(CODES)
    shown = {sheet["branch"]["code"]: sheet for sheet in school.seen["entered"]["sheets"]}
    for code, result in kept.items():
        had, sheet = result["inputs"], shown[code]
        assert had["attendance"] == sheet["attendance"]
        assert had["missing"] == sheet["missing"]
        assert had["proposal"].items() <= sheet["proposal"].items()
        assert (had["committee_appraisal"] or {}).items() <= (sheet["committee_appraisal"] or {}).items()


def test_nothing_on_the_way_is_a_score_or_a_rank(school: School) -> None:
    words = str(school.seen["proposed"]["sheets"][0].keys())
    assert not [word for word in ("score", "rank", "points", "total") if word in words]


# ── who sees what ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("when", ["begun", "reported", "proposed", "entered", "decided"])
def test_before_it_is_published_a_member_sees_nothing_and_the_branch_no_result(school: School, when: str) -> None:
    assert [answer.status for answer in school.seen[when]["member"].values()] == [404, 404]
    own, list_ = school.seen[when]["secretary"].values()
    assert (own.status, own.body["result"], list_.status) == (200, None, 404)


def test_once_it_is_published_each_reads_his_branchs_result_and_the_list(school: School) -> None:
    for who in ("member", "secretary"):
        own, announced = school.seen["published"][who].values()
        assert own.body["result"]["result"] == "excellent"
        assert [row["code"] for row in announced.body["excellent"]] == EXCELLENT
    assert set(school.seen["published"]["member"][school.branches[CORRECTED].path].body) == {"cycle", "kind", "branch", "result"}


def test_a_correction_is_another_decision_and_is_read_once_that_is_published(school: School) -> None:
    own, announced = school.seen["corrected"]["member"].values()
    assert own.body["result"]["result"] == "excellent"
    assert CORRECTED in [row["code"] for row in announced.body["excellent"]]
    own, announced = school.seen["published again"]["member"].values()
    assert own.body["result"]["result"] == "qualified"
    assert [row["code"] for row in announced.body["excellent"]] == EXCELLENT[1:]


def test_secretaries_are_told_by_mail_that_there_is_a_result_and_never_which(school: School) -> None:
    with transaction(school.house.engine, actor=None) as session:
        letters = session.scalars(select(Letter).where(Letter.kind == "published")).all()
    secretaries = {str(row["学工号"]) for row in school.people if row["党内职务"] in ("书记", "副书记")}
    assert len(letters) == len(secretaries) + 1
    assert not [letter for letter in letters if "合格" in letter.subject + letter.text + letter.html]


def test_each_letter_leads_to_its_own_branch(school: School) -> None:
    with transaction(school.house.engine, actor=None) as session:
        letters = session.scalars(select(Letter).where(Letter.kind == "published")).all()
    assert {re.findall(r"http\S+/assessments/\S+", letter.text)[0] for letter in letters} == {
        f"http://zhibu.example{branch.path.removeprefix('/cycles')}" for branch in school.branches.values()
    }
