"""Six branches walk through 2024 and 2025 over HTTP, with people who move between them.

The acts alone: ``paper_list`` says what must come of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from schedulers.worker import tick
from tests.api.conftest import Client
from tests.support.builders import NOW
from tests.support.rosters import RosterBranch, committee_rows, member_rows
from tests.support.servers import House, settings_of_tests
from tests.support.workbooks import Row
from tests.support.years.assessment_year import AssessmentYear, decide
from tests.support.years.branch_year import TODAY, BranchYear, Line, every, import_roster, ok, open_year
from tests.support.years.paper_list import CODES, IN_2024, IN_2025, RUNNING, Someone

FRESH = {"Cache-Control": "no-cache"}
PLAN = Path(__file__).parents[2] / "plans" / "second-year-2025.toml"
LATER = timedelta(weeks=50)
"""The season of 2025 is that of 2024, so much later."""
ONCE = ("members_on_no_roll", "members_on_two_rolls", "members_rated_nowhere", "members_rated_twice")
UNVOTED = "转入时本支部已经测评"
ADDED = "中国共产党党员教育管理工作条例"
NOTICE = {"number": "校党发〔2024〕9号", "issued_on": TODAY, "reason": "市委组织部要求增加学习内容"}
BEGINS = "2024-12-25"
"""The first day of the new secretary of 甲."""


@dataclass(frozen=True)
class Season(BranchYear):
    """A branch in one of the years: each records what is missing, and nothing a second time."""

    without_a_level: Sequence[str] = ()
    """Members who came after the ballot."""

    def missing(self, requirement: str) -> list[str]:
        items = ok(self.office.get(f"{self.path}/requirements"), 200)["items"]
        return [subject["id"] for each in items if each["requirement"] == requirement for subject in each["subjects"]]

    def last_year(self) -> Line:
        told: Line = ok(self.office.get(f"{self.path}/measures/last-year"), 200)
        return told

    def self_reviews(self, **_: Any) -> None:
        lacking = self.missing("members_without_a_self_review")
        super().self_reviews(without=[each for each in self.numbers() if each not in lacking])

    def life_meetings(self, form: str = "general") -> None:
        """Report to a general meeting, on last year's measures too if there were some."""
        past = self.last_year()
        told = {"rectification_report": past["text"]} if past["items"] else {}
        self.meeting("life", form, duty_report="代表支委会述职", **told, **self.criticism())

    def ratings(self, **_: Any) -> None:
        super().ratings(without=self.without_a_level)
        self.gives_reasons()

    def gives_reasons(self) -> None:
        """Say of the members who came after the ballot why they have no level."""
        for staff_no in self.missing("members_without_a_rating"):
            assert staff_no in self.without_a_level
            self.rate(staff_no, told=False, not_rated_reason=UNVOTED)

    def commitments(self, **_: Any) -> None:
        for staff_no in self.missing("members_without_a_commitment"):
            self.commitment(staff_no)


@dataclass
class School:
    """The branches with their people, and what was read on the way."""

    house: House
    rows: list[Row]
    committee: list[Row]
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def office(self) -> Client:
        return self.house.as_("office")

    def number(self, name: str) -> str:
        """Find the 学工号 of a member."""
        return next(str(row["学工号"]) for row in self.rows if row["姓名"] == name)

    def name(self, staff_no: str) -> str:
        return next(str(row["姓名"]) for row in self.rows if row["学工号"] == staff_no)

    def branch(self, name: str, year: int = 2024) -> Season:
        people: Sequence[Someone] = IN_2024 if year == 2024 else IN_2025
        here = {self.number(each.name): each for each in people if each.form == name}
        levels = {staff_no: each.level for staff_no, each in here.items() if each.level}
        unvoted = [staff_no for staff_no, each in here.items() if each.why == "unvoted"]
        later = timedelta(0) if year == 2024 else LATER
        return Season(self.house, CODES[name], levels, f"/cycles/{year}", later, without_a_level=unvoted)

    def moves(self, name: str, to: str) -> None:
        day = self.house.clock.now.date().isoformat()
        ok(self.office.post(f"/people/{self.number(name)}/move", {"branch": CODES[to], "on": day}), 200)

    def move_each(self, *moves: str) -> None:
        """Move people as their names say: 甲转乙 goes to 乙."""
        for name in moves:
            self.moves(name, name[2])

    def ticks(self, moment: datetime) -> None:
        """Let it be another day, on which the worker has run."""
        self.house.clock.now = moment
        settings = settings_of_tests(smtp_url="smtp://127.0.0.1:9")
        tick(self.house.engine, settings, moment)

    def once(self) -> dict[str, list[str]]:
        """List those of 2024 whom the office sees as counted more or less than once."""
        return once(every(self.office, "/cycles/2024/exceptions"))

    def look(self, when: str, year: int) -> None:
        """Keep the office's readings of a year."""
        cycle = f"/cycles/{year}"
        rolls = {name: every(self.office, f"{cycle}/branches/{CODES[name]}/roll") for name in RUNNING}
        exceptions = every(self.office, f"{cycle}/exceptions")
        self.seen[when] = {
            "forms": {name: ok(self.office.get(f"{cycle}/branches/{CODES[name]}/form"), 200) for name in RUNNING},
            "totals": ok(self.office.get(f"{cycle}/totals"), 200),
            "progress": ok(self.office.get(f"{cycle}/progress", **FRESH), 200),
            "rolls": {name: sorted(row["name"] for row in roll if row["left_on"] is None) for name, roll in rolls.items()},
            "lines": {name: {row["name"]: row for row in roll} for name, roll in rolls.items()},
            "once": once(exceptions),
            "blocked": {row["branch"]["name"][0] for row in exceptions if row["severity"] != "sign" and row["kind"] == "appraisal"},
        }


def once(exceptions: Sequence[Line]) -> dict[str, list[str]]:
    """List those who are counted more or less than once, by the office's exceptions."""
    found: dict[str, set[str]] = {name: set() for name in ONCE}
    for row in exceptions:
        if row["requirement"] in ONCE:
            found[row["requirement"]] |= {subject["name"] for subject in row["subjects"]}
    return {name: sorted(who) for name, who in found.items() if who}


# ── 2024 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_roster() -> list[RosterBranch]:
    """Each member where they are when 2024 opens."""
    return [
        RosterBranch(
            code,
            f"{name}党支部",
            [each.name for each in IN_2024 if each.name[0] == name and each.standing == "full"],
            {f"{name}书记": "书记"} if name == "戊" else {f"{name}书记": "书记", f"{name}组织": "组织委员", f"{name}宣传": "宣传委员"},
            [each.name for each in IN_2024 if each.name[0] == name and each.standing != "full"],
            code[:3],
            f"{code[:3]}党委",
        )
        for name, code in CODES.items()
    ]


def opened_in_2024(house: House) -> School:
    """Import the roster, publish the year, punish one member and excuse another."""
    roster = a_roster()
    school = School(house, member_rows(roster), committee_rows(roster))
    import_roster(school.office, school.rows, school.committee)
    open_year(school.office)
    probation = {"kind": "probation", "on": "2024-03-01", "until": "2025-02-28"}
    ok(school.office.post(f"/people/{school.number('丙转丁')}/punishments", probation))
    _excuse(school, "己", "己党员", "ill", 2024)
    school.ticks(NOW)
    return school


def _excuse(school: School, branch: str, name: str, kind: str, year: int) -> None:
    here, who = school.branch(branch, year), school.number(name)
    here.on_roll(who, {"excused_kind": kind, "excused_reason": "写明理由"}, by=here.secretary)
    ok(school.office.post(f"{here.path}/roll/{who}/confirm"), 200)


def goes_through_2024(school: School) -> None:
    """Bring branches to each state, move people between them, and let all come to accepted."""
    _stand_in_each_state(school)
    school.move_each("甲转己", "甲转乙", "甲转丙", "甲转丁", "乙转甲", "乙转丙", "乙转丁", "丙转甲", "丙转乙", "丙转丁")
    school.move_each("丁转甲", "丁转乙", "丁转丙", "戊转甲")
    school.seen["moved"] = school.once()
    merged = {"why": "merged", "into": CODES["甲"], "reason": "党委批复〔2024〕5号"}
    ok(school.office.post(f"/cycles/2024/branches/{CODES['戊']}/end", merged), 200)
    later = {"required_reading": {"add": [ADDED]}, "deadlines": {"study": "2024-12-27"}}
    school.seen["amended"] = ok(school.office.post("/cycles/2024/amendments", {**NOTICE, **later}))
    _the_fifth_walks_on(school)
    _is_returned(school)
    _expels_and_files(school)
    third = school.branch("丙")
    third.gives_reasons()
    third.aftercare()
    third.goes_on()
    third.comes_to("filed")
    school.branch("己").comes_to("filed")
    school.move_each("丁转己")
    _changes_its_secretary(school)
    for name in RUNNING:
        ok(school.branch(name).move("accept", by="office"))


def _stand_in_each_state(school: School) -> None:
    """Bring 戊 and 乙 past the ballot, 丙 past its ratings, 丁 to filed; 甲 and 己 study yet."""
    fifth = school.branch("戊")
    fifth.comes_to("self_review")
    fifth.does("self_review")
    school.branch("乙").comes_to("rating")
    third = school.branch("丙")
    third.comes_to("rating")
    _rates_those_of_its_ballot(school, "丙")
    school.branch("丁").comes_to("filed")


def _rates_those_of_its_ballot(school: School, name: str) -> None:
    here = school.branch(name)
    on_ballot = [row["staff_no"] for row in here.on_ballot()]
    for staff_no in on_ballot:
        here.rate(staff_no, level=here.levels.get(staff_no, "qualified"))
    here.decision()


def _the_fifth_walks_on(school: School) -> None:
    """Let 己 vote, and be joined after its ballot; let it rate, and be joined again."""
    here = school.branch("己")
    here.comes_to("self_review")
    here.does("self_review")
    school.move_each("乙转己")
    school.moves("己预备", "甲")
    here.goes_on()
    here.does("rating")
    school.move_each("丙转己")
    here.goes_on()


def _is_returned(school: School) -> None:
    """Return 丁: its roll follows; it takes up who came and reads what was added, and files."""
    here = school.branch("丁")
    ok(here.move("return", by="office", to="rating", reason="有党员转入"))
    school.seen["returned"] = school.once()
    here.gives_reasons()
    here.goes_on()
    here.commitments()
    here.goes_on()
    here.study(titles=[ADDED])
    here.goes_on()


def _expels_and_files(school: School) -> None:
    """Let 乙 rate its members, and expel the one whom it rated lowest before it goes on."""
    here = school.branch("乙")
    here.does("rating")
    ok(school.office.post(f"/people/{school.number('乙除名')}/leave", {"on": TODAY, "reason": "expelled"}), 200)
    here.goes_on()
    here.comes_to("filed")


def _changes_its_secretary(school: School) -> None:
    """Plan a new secretary of 甲; the worker brings the post to the roll on its day."""
    here, named = school.branch("甲"), school.number("甲组织")
    post = {"staff_no": named, "branch": CODES["甲"], "post": "secretary", "title": "书记", "starts_on": BEGINS, "succeeds": True}
    ok(school.office.post("/appointments", post))
    here.comes_to("self_review")
    school.seen["secretary before"] = school.name(here.holder("secretary"))
    school.ticks(NOW + timedelta(days=6))
    here = school.branch("甲")
    school.seen["secretary after"] = school.name(here.holder("secretary"))
    here.comes_to("filed")


def is_assessed_and_closed(school: School) -> None:
    """Let the committee decide on each branch and publish; then close the year."""
    for name in RUNNING:
        AssessmentYear(school.house, CODES[name]).comes_to("proposed")
    results = {CODES[name]: "excellent" if name == "乙" else "good" for name in RUNNING}
    decide(school.house, results)
    ok(school.office.post("/cycles/2024/decision/publish"), 200)
    school.look("2024", 2024)
    school.seen["assessed"] = {row["branch"]["code"]: row["stage"] for row in every(school.office, "/cycles/2024/assessments") if not row["ended"]}
    school.seen["closed"] = ok(school.office.post("/cycles/2024/close"), 200)


# ── 2025 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def goes_on_between_the_years(school: School) -> None:
    """Keep one measure and one promise of 丙; remind of the rest; let somebody graduate."""
    here = school.branch("丙")
    done = {"state": "done", "evidence": "制度已印发"}
    (measure,) = every(here.secretary, f"{here.path}/measures")
    ok(here.secretary.post(f"{here.path}/measures/{measure['id']}/progress", done))
    promises = {each["staff_no"]: each["id"] for each in every(here.secretary, f"{here.path}/commitments")}
    ok(here.secretary.post(f"{here.path}/commitments/{promises[school.number('丙宣传')]}/progress", done))
    school.ticks(NOW + timedelta(days=185))
    school.seen["letters"] = every(school.office, "/cycles/2024/letters")
    ok(school.office.post(f"/people/{school.number('丁党员')}/leave", {"on": "2025-06-20", "reason": "graduated"}), 200)


def opened_in_2025(school: School) -> None:
    """Import the autumn's roster, and publish 2025 by its own plan."""
    school.ticks(NOW + LATER)
    units: Mapping[str, Row] = {str(row["所在党支部编码"]): row for row in school.rows}
    now = {each.name: each.stands for each in IN_2024} | {"甲转丁": "丁", "丁转己": "己", "丁党员": None}
    rows: list[Row] = []
    for row in school.rows:
        if (branch := now[str(row["姓名"])]) is not None:
            there = units[CODES[branch]]
            rows.append({**row, **{name: there[name] for name in ("所在分党委编码", "所在分党委", "所在党支部编码", "所在党支部")}})
    _of(rows, "己预备").update({"人员类别": "正式党员", "转正时间": date(2025, 6, 1)})
    new = {**_of(rows, "丙书记"), "学工号": "20250001", "姓名": "丙新人", "人员类别": "预备党员", "党内职务": None, "邮箱": "new@school.example"}
    rows.append({**new, "入党时间": date(2025, 6, 1), "转正时间": None})
    school.rows.append(new)
    committee = [row for row in school.committee if row["所属党支部"] != "戊党支部" and row["姓名"] != "甲书记"]
    _of(committee, "甲组织")["职务"] = "书记"
    school.seen["imported"] = import_roster(school.office, rows, committee)
    open_year(school.office, "2025", LATER)
    school.seen["opened"] = {name: {row["name"]: row for row in school.branch(name, 2025).roll()} for name in RUNNING}


def _of(rows: Sequence[Row], name: str) -> Any:
    return next(row for row in rows if row["姓名"] == name)


def goes_through_2025(school: School) -> None:
    """Let 甲, 乙 and 丙 come to accepted, 己 to its meetings; 丁 begins no more than that."""
    school.seen["carried"] = {name: school.branch(name, 2025).last_year() for name in RUNNING}
    school.seen["begun"] = {name: _duty_report(school, name) for name in RUNNING}
    school.moves("甲转丙", "甲")
    _excuse(school, "丙", "丙党员", "abroad", 2025)
    school.seen["stages"] = []
    _is_asked_about_last_year(school)
    for name in ("甲", "乙", "丙"):
        here = school.branch(name, 2025)
        while (stage := here.stage) != "filed":
            here.does(stage)
            school.seen["stages"].append((name, stage))
            here.goes_on()
        ok(here.move("accept", by="office"))
        assessed = AssessmentYear(school.house, CODES[name], "/cycles/2025")
        assessed.arrange(mode="written")
        sections = {"C1": "落实了部署", "C2": "抓了作风", "C7": "办了实事"}
        assessed.put("duty-report", {"sections": sections, "submitted": True, "rectification": school.seen["begun"][name]})
        assert assessed.goes_on() == "summarised"
    school.branch("己", 2025).comes_to("self_review")
    school.look("2025", 2025)
    school.look("2024 again", 2024)


def _duty_report(school: School, name: str) -> str:
    here = AssessmentYear(school.house, CODES[name], "/cycles/2025")
    return str(ok(here.secretary.get(f"{here.path}/duty-report"), 200)["rectification"])


def _is_asked_about_last_year(school: School) -> None:
    """Let 丙 come to its meetings and say nothing of last year: F9 is in its way, until it does."""
    here = school.branch("丙", 2025)
    here.comes_to("self_review")
    here.self_reviews()
    silent = here.meeting("life", duty_report="代表支委会述职", **here.criticism())
    here.tallies()
    school.seen["silent"] = here.move("advance").body["unmet"]
    here.amend("meetings", silent, {"rectification_report": here.last_year()["text"]})
    here.confirm(silent)
    here.goes_on()
