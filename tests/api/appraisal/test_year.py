"""Twelve branches of all sizes go through the whole year over HTTP.

Each has its own way from a roster to the office's acceptance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.rosters import COMMITTEE_POSTS, RosterBranch, committee_rows, member_rows
from tests.support.servers import YEAR, House
from tests.support.workbooks import Row
from tests.support.years.branch_year import BranchYear, an_empty_house, every, import_roster, ok, open_year
from workflow.foundation.vocabulary import STAGES, Kind

pytestmark = pytest.mark.slow

FRESH = {"Cache-Control": "no-cache"}
LATE = datetime(2025, 1, 27, 2, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Way:
    """The way of one branch: size, committee, form of its meeting, and the body that decides."""

    size: int
    committee: bool
    form: str = "general"
    decides: str = "general"
    probationary: int = 0
    levels: Mapping[int, str] = field(default_factory=dict)
    """Levels by place on the roster, among the full members, counted from 0."""


WAYS = {
    "D0101": Way(3, False),
    "D0102": Way(3, True, form="committee", decides="committee"),
    "D0103": Way(6, False, form="group", levels={1: "excellent"}),
    "D0104": Way(6, True, decides="committee", levels={4: "excellent"}),
    "D0105": Way(7, True, form="committee", decides="committee", probationary=1, levels={1: "excellent"}),
    "D0201": Way(7, False, form="group", levels={5: "excellent"}),
    "D0202": Way(22, True, probationary=2, levels=dict.fromkeys(range(5), "excellent")),
    "D0203": Way(22, False, probationary=3, levels={1: "excellent", 2: "basic"}),
    "D0204": Way(22, True, form="group", decides="committee", levels=dict.fromkeys(range(1, 8), "excellent")),
    "D0205": Way(50, True, form="committee", probationary=2, levels={1: "excellent", 9: "unqualified"}),
    "D0301": Way(50, False, form="group", levels={1: "excellent"}),
    "D0302": Way(22, True, levels={1: "excellent", 3: "excellent"}),
}
ABROAD, OVER_QUOTA, EXCUSES, RETURNED, LATE_ONE, MOVED_FROM, MOVED_TO = "D0202", "D0204", "D0203", "D0104", "D0302", "D0301", "D0203"
WITHOUT_VOTE, PUNISHED, CADRES = ("D0204", 20), ("D0205", 9), (("D0205", 20), ("D0301", 30), ("D0104", 5))


def a_branch(code: str, way: Way) -> RosterBranch:
    names = [f"{'王李张刘陈杨黄赵吴周'[number % 10]}{'建文志国秀'[number // 10]}" for number in range(way.size)]
    full = names[: way.size - way.probationary]
    posts = dict(zip(full, COMMITTEE_POSTS if way.size >= 22 else COMMITTEE_POSTS[:3], strict=False)) if way.committee else {full[0]: "书记"}
    return RosterBranch(code, f"{code}党支部", full, posts, names[len(full) :], code[:3], f"{code[:3]}党委")


@dataclass
class School:
    """The branches with their people, and the office's readings of them."""

    house: House
    rows: list[Row]
    committee: list[Row]
    branches: dict[str, BranchYear] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def office(self) -> Client:
        return self.house.as_("office")

    def number(self, code: str, place: int) -> str:
        """Find the 学工号 at a place of a branch's part of the roster."""
        return [str(row["学工号"]) for row in self.rows if row["所在党支部编码"] == code][place]

    def look(self, when: str) -> None:
        """Keep the office's readings at a moment: each branch's form, and the school's."""
        forms = {code: ok(self.office.get(f"{branch.path}/form"), 200) for code, branch in self.branches.items()}
        self.seen[when] = {
            "forms": forms,
            "totals": ok(self.office.get(f"{YEAR}/totals"), 200),
            "progress": ok(self.office.get(f"{YEAR}/progress", **FRESH), 200),
            "rows": every(self.office, f"{YEAR}/branches"),
        }


@pytest.fixture(scope="module")
def school(superuser: str, template: str) -> Iterator[School]:
    """The whole year, walked once."""
    with an_empty_house(superuser, template) as house:
        made = _with_people(house)
        for code, branch in made.branches.items():
            _comes_to_rating(made, code, branch)
        _files(made, RETURNED)
        ok(made.branches[RETURNED].move("return", by="office", to="rectification", reason="整改措施不具体"))
        _somebody_moves(made)
        made.look("middle")
        for code in made.branches:
            if code != LATE_ONE:
                _files(made, code)
        house.clock.now = LATE
        _files(made, LATE_ONE)
        for branch in made.branches.values():
            ok(branch.move("accept", by="office"))
        made.look("end")
        yield made


def _with_people(house: House) -> School:
    """Import the roster, publish the year, and decide about people.

    The decisions are those that the roster does not contain.
    """
    roster = [a_branch(code, way) for code, way in WAYS.items()]
    school = School(house, member_rows(roster), committee_rows(roster))
    for code, place in CADRES:
        next(row for row in school.rows if row["学工号"] == school.number(code, place))["是否党员领导干部"] = "是"
    import_roster(school.office, school.rows, school.committee)
    open_year(school.office)
    for code, way in WAYS.items():
        school.branches[code] = BranchYear(house, code, {school.number(code, place): level for place, level in way.levels.items()})
    watched, warned = school.number(*WITHOUT_VOTE), school.number(*PUNISHED)
    ok(house.as_("office").post(f"/people/{watched}/punishments", {"kind": "probation", "on": "2024-03-01", "until": "2025-12-31"}))
    ok(house.as_("office").post(f"/people/{warned}/punishments", {"kind": "warning", "on": "2024-09-01"}))
    school.branches[EXCUSES].excuse(school.number(EXCUSES, 12))
    return school


def _comes_to_rating(school: School, code: str, branch: BranchYear) -> None:
    if code == ABROAD:
        _with_somebody_abroad(school.number(code, 15), branch)
    else:
        branch.comes_to("rating", form=WAYS[code].form)


def _with_somebody_abroad(who: str, branch: BranchYear) -> None:
    """Waive for one member in each stage: E4, K2, G2, and later D6 and F2."""
    branch.study(without=[who])
    branch.waive("members_who_have_not_studied")
    branch.goes_on()
    branch.talks(without=[who])
    branch.waive("members_nobody_talked_with", who)
    branch.goes_on()
    branch.self_reviews(without=[who])
    branch.waive("members_without_a_self_review", who)
    branch.life_meetings()
    branch.tallies()
    assert branch.goes_on() == "rating"
    branch.ratings(untold=[who])
    branch.waive("ratings_not_fed_back", who)
    branch.decision()
    branch.goes_on()
    branch.measure(branch.problem())
    branch.commitments(without=[who])
    branch.waive("members_without_a_commitment", who)
    branch.publication()
    branch.sent_up()
    assert branch.goes_on() == "report"


def _files(school: School, code: str) -> None:
    """Walk the rest of the way.

    A returned branch has all its records and goes on at once.
    """
    branch, way = school.branches[code], WAYS[code]
    recorded = branch.secretary.get(branch.path).body["round"] > 1
    while (here := branch.stage) not in ("filed", "accepted"):
        if not recorded:
            branch.does(here, decides=way.decides)
        if (code, here) == (OVER_QUOTA, "rating"):
            _approved_over_the_quota(branch)
        branch.goes_on()


def _approved_over_the_quota(branch: BranchYear) -> None:
    """Let a branch pass with seven 优秀 where five are allowed.

    It is refused, refused again with an unapproved reason, and let through after the approval.
    """
    assert [(each["clause"], each["count"]) for each in branch.move("advance").body["unmet"]] == [("D5", 1)]
    reason = branch.waive("more_excellent_than_the_quota")
    assert reason["amount"] == 7
    assert [each["clause"] for each in branch.move("advance").body["unmet"]] == ["D5"]
    ok(branch.office.post(f"{branch.path}/waivers/{reason['id']}/approve"), 200)


def _somebody_moves(school: School) -> None:
    """Import a second roster in which one member is in another branch, after both have voted.

    The first of them held the ballot that has them, and rates them.
    """
    who = school.number(MOVED_FROM, 40)
    line = next(row for row in school.rows if row["学工号"] == who)
    there = next(row for row in school.rows if row["所在党支部编码"] == MOVED_TO)
    moved = {**line, **{name: there[name] for name in ("所在分党委编码", "所在分党委", "所在党支部编码", "所在党支部")}}
    changed = import_roster(school.office, [moved if row is line else row for row in school.rows], school.committee)
    assert [(each["staff_no"], each["from"], each["to"]) for each in changed["moved"]] == [(who, MOVED_FROM, MOVED_TO)]


# ── what the year must show ───────────────────────────────────────────────────────────────────────────────────────────


def numbers(form: Any) -> Any:
    """Take the counted figures of a form.

    A check holds in the school if it holds in every branch.
    """
    counted = {name: form[name] for name in ("basics", "committee", "levels", "fed_back", "quota_allowed", "rectification")}
    return {**counted, "checks": {each["name"]: each["holds"] for each in form["checks"]}}


def added(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return {name: added(one[name], other[name]) for name in one}
    return one and other if isinstance(one, bool) else one + other


def test_every_branch_is_accepted_and_only_the_late_one_is_marked(school: School) -> None:
    rows = {row["branch"]["code"]: row for row in school.seen["end"]["rows"]}
    assert {code: row["stage"] for code, row in rows.items()} == dict.fromkeys(WAYS, "accepted")
    assert [code for code, row in rows.items() if row["late"]] == [LATE_ONE]
    assert {code: row["round"] for code, row in rows.items() if row["round"] > 1} == {RETURNED: 2}


@pytest.mark.parametrize("when", ["middle", "end"])
def test_the_counts_are_those_of_the_rows(school: School, when: str) -> None:
    progress, rows = school.seen[when]["progress"], school.seen[when]["rows"]
    by_stage = Counter(row["stage"] for row in rows)
    assert progress["by_stage"] == {stage.value: by_stage[stage.value] for stage in STAGES[Kind.APPRAISAL]}
    assert progress["branches"] == len(WAYS)
    assert progress["late"] == sum(row["late"] for row in rows)
    assert progress["returned"] == sum(row["round"] > 1 and row["stage"] not in ("filed", "accepted") for row in rows)


@pytest.mark.parametrize("when", ["middle", "end"])
def test_the_totals_are_the_sum_of_the_forms_number_by_number(school: School, when: str) -> None:
    forms, totals = school.seen[when]["forms"], school.seen[when]["totals"]
    assert numbers(totals) == reduce(added, (numbers(form) for form in forms.values()))
    assert totals["branches"] == len(WAYS)
    assert totals["basics"]["total"] == sum(way.size for way in WAYS.values())
    assert totals["levels"]["total"] == totals["basics"]["total"], "he who moved is counted once"


def test_all_checks_of_every_form_hold(school: School) -> None:
    for form in [*school.seen["end"]["forms"].values(), school.seen["end"]["totals"]]:
        assert [each["name"] for each in form["checks"] if not each["holds"]] == []


def test_the_forms_say_what_each_branch_did(school: School) -> None:
    forms = {code: form["levels"] for code, form in school.seen["end"]["forms"].items()}
    for code, way in WAYS.items():
        given = Counter(way.levels.values())
        assert {level: forms[code][level] for level in ("excellent", "basic", "unqualified")} == {
            level: given[level] for level in ("excellent", "basic", "unqualified")
        }, code
    assert (forms[EXCUSES]["none"], forms[MOVED_TO]["total"], forms[MOVED_FROM]["total"]) == (3 + 1, 22, 50)
    assert school.seen["end"]["forms"][OVER_QUOTA]["over_quota_reason"] == "长期在国外访学"
    assert [line["level"] for line in school.seen["end"]["forms"]["D0205"]["aftercare"]] == ["unqualified"]
    assert [line["level"] for line in school.seen["end"]["forms"]["D0203"]["aftercare"]] == ["basic"]


def test_the_archive_of_a_branch_has_every_paper(school: School) -> None:
    for code in ("D0101", "D0204", "D0205"):
        papers = ok(school.office.get(f"{school.branches[code].path}/archive"), 200)["items"]
        assert [paper["name"] for paper in papers if not paper["present"]] == [], code


def test_nothing_that_blocks_is_left_in_the_school(school: School) -> None:
    exceptions = every(school.office, f"{YEAR}/exceptions")
    assert [row for row in exceptions if row["severity"] != "sign" and row["kind"] == "appraisal"] == []


def test_the_service_never_failed(school: School) -> None:
    text = school.house.app.test_client().get("/metrics").get_data(as_text=True)
    counted = [line for line in text.splitlines() if line.startswith("zhibu_http_requests_total")]
    assert len(counted) > 30
    assert [line for line in counted if 'status="5' in line] == []
