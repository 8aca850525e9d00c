"""Two years of six branches over HTTP: every total agrees with a list of people on paper."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.support.years.branch_year import an_empty_house
from tests.support.years.paper_list import (
    CODES,
    IN_2024,
    IN_2025,
    RUNNING,
    Someone,
    allowed_in_2024,
    allowed_in_2025,
    counted,
    on_form,
    rolls,
)
from tests.support.years.two_years import (
    ADDED,
    PLAN,
    School,
    goes_on_between_the_years,
    goes_through_2024,
    goes_through_2025,
    is_assessed_and_closed,
    opened_in_2024,
    opened_in_2025,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def school(superuser: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """Both years, walked once."""
    data = tmp_path_factory.mktemp("data")
    (data / "plans").mkdir()
    shutil.copy(PLAN, data / "plans" / "2025.toml")
    with an_empty_house(superuser, template, data_dir=data) as house:
        made = opened_in_2024(house)
        goes_through_2024(made)
        is_assessed_and_closed(made)
        goes_on_between_the_years(made)
        opened_in_2025(made)
        goes_through_2025(made)
        yield made


def of_people(form: Any) -> dict[str, Any]:
    """Take the numbers of a form that are counts of people."""
    basics = {name: form["basics"][name] for name in ("total", "full", "probationary", "due", "excused", "excused_by_kind")}
    return {"basics": basics, "levels": form["levels"], "fed_back": form["fed_back"]}


YEARS = pytest.mark.parametrize(("when", "people", "allowed"), [("2024", IN_2024, allowed_in_2024), ("2025", IN_2025, allowed_in_2025)])
"""Each year with its list of people, and with the count of how many may be excellent."""
Allowed = Callable[[Sequence[Someone]], int]

# ── each person once ──────────────────────────────────────────────────────────────────────────────────────────────────


@YEARS
def test_the_form_of_each_branch_counts_its_people(school: School, when: str, people: Sequence[Someone], allowed: Allowed) -> None:
    for branch, form in school.seen[when]["forms"].items():
        here = on_form(people, branch)
        assert {row["name"]: row["level"] for row in form["members"]} == {each.name: each.level for each in here}, branch
        assert of_people(form) == counted(here), branch
        assert form["quota_allowed"] == allowed(here), branch


@YEARS
def test_the_totals_of_the_school_count_everybody_once(school: School, when: str, people: Sequence[Someone], allowed: Allowed) -> None:
    seen = school.seen[when]
    assert of_people(seen["totals"]) == counted(people)
    assert (seen["totals"]["branches"], seen["totals"]["basics"]["total"]) == (len(RUNNING), len({each.name for each in people}))
    assert seen["totals"]["quota_allowed"] == sum(allowed(on_form(people, branch)) for branch in RUNNING)


@YEARS
def test_everybody_stands_on_one_roll(school: School, when: str, people: Sequence[Someone], allowed: Allowed) -> None:
    assert school.seen[when]["rolls"] == rolls(people)
    assert school.seen[when]["once"] == {}


@YEARS
def test_everybody_promises_once(school: School, when: str, people: Sequence[Someone], allowed: Allowed) -> None:
    promised = [each for each in people if each.stands and each.why != "pending" and each.excused is None]
    assert school.seen[when]["totals"]["rectification"]["commitments"] == len(promised)


def test_each_year_ends_where_its_branches_stand(school: School) -> None:
    first, second = (school.seen[when]["progress"] for when in ("2024", "2025"))
    assert (first["branches"], first["ended"], first["returned"], first["late"]) == (len(RUNNING), 1, 0, 0)
    assert {stage: number for stage, number in first["by_stage"].items() if number} == {"accepted": 5}
    assert (second["branches"], second["ended"], second["returned"], second["late"]) == (len(RUNNING), 0, 0, 0)
    assert {stage: number for stage, number in second["by_stage"].items() if number} == {"accepted": 3, "self_review": 1, "study": 1}
    assert school.seen["2024"]["blocked"] == set()
    assert school.seen["2025"]["blocked"] == {"丁", "己"}


def test_all_checks_of_accepted_forms_hold(school: School) -> None:
    assert all(each["holds"] for each in school.seen["2024"]["totals"]["checks"])
    for when, branches in (("2024", RUNNING), ("2025", ("甲", "乙", "丙"))):
        for form in (school.seen[when]["forms"][branch] for branch in branches):
            assert [each["name"] for each in form["checks"] if not each["holds"]] == [], when


def test_the_second_year_changes_nothing_in_the_first(school: School) -> None:
    before, after = school.seen["2024"], school.seen["2024 again"]
    assert {name: after[name] for name in ("totals", "rolls", "lines")} == {name: before[name] for name in ("totals", "rolls", "lines")}
    for branch in RUNNING:
        one, other = ({name: value for name, value in each["forms"][branch].items() if name != "signs"} for each in (before, after))
        assert one == other, branch


# ── what happens on the way ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_office_sees_who_waits_for_the_return_of_the_branch_that_had_filed(school: School) -> None:
    assert school.seen["moved"] == {
        "members_on_no_roll": sorted(["甲转丁", "乙转丁", "丙转丁"]),
        "members_on_two_rolls": sorted(["丁转甲", "丁转乙", "丁转丙"]),
    }
    assert school.seen["returned"] == {}


def test_somebody_who_was_expelled_stays_in_the_figures_of_the_year(school: School) -> None:
    line = school.seen["2024"]["lines"]["乙"]["乙除名"]
    assert (line["left_on"], line["left_reason"], line["rated_here"]) == ("2024-12-20", "expelled", True)
    assert [row["name"] for row in school.seen["2024"]["forms"]["乙"]["aftercare"]] == ["乙除名"]
    assert all("乙除名" not in lines for lines in school.seen["opened"].values())


def test_a_notice_asks_those_who_study_and_moves_their_day(school: School) -> None:
    made = school.seen["amended"]
    asked = {each["branch"]["code"]: (each["reading"], each["due_on"] != each["due_before"]) for each in made["branches"]}
    assert asked == {CODES[name]: ("asked", True) if name in "甲己" else ("sign", False) for name in RUNNING}
    titles = {name: {title for each in form["studies"] for title in each["titles"]} for name, form in school.seen["2024"]["forms"].items()}
    assert {name for name, read in titles.items() if ADDED in read} == {"甲", "丁", "己"}


def test_a_planned_secretary_begins_on_the_day_and_stays_in_the_next_year(school: School) -> None:
    assert (school.seen["secretary before"], school.seen["secretary after"]) == ("甲书记", "甲组织")
    assert school.seen["2024"]["forms"]["甲"]["secretary"]["name"] == "甲组织"
    assert [row["name"] for row in school.seen["opened"]["甲"].values() if row["post"] == "secretary"] == ["甲组织"]


def test_a_punishment_follows_to_the_next_branch_until_it_is_over(school: School) -> None:
    then, now = school.seen["2024"]["lines"]["丁"]["丙转丁"], school.seen["opened"]["丁"]["丙转丁"]
    assert ((then["voting"], now["voting"]), (then["punished_on"], now["punished_on"])) == ((False, True), ("2024-03-01", "2024-03-01"))


def test_the_committee_decides_on_all_who_take_part_and_the_year_is_closed(school: School) -> None:
    assert school.seen["assessed"] == {CODES[name]: "published" for name in RUNNING}
    assert (school.seen["closed"]["status"], school.seen["closed"]["status_reason"]) == ("closed", None)


LEFT_LATER = {"丁党员", "丁转己"}
"""They left 丁 after it had filed, so that its roll of 2024 still has them: nothing is said here of
whether what they promised is still asked of 丁."""

# ── from one year to the next ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_roster_of_autumn_finds_everybody_where_the_office_had_moved_them(school: School) -> None:
    changed = school.seen["imported"]
    assert {name: changed[name] for name in ("moved", "gone", "given")} == {"moved": [], "gone": [], "given": []}
    assert [(each["name"], each["post"]) for each in changed["ended"]] == [("甲组织", "committee_member")]
    assert (changed["new_members"], changed["new_branches"]) == (1, [])


def test_members_are_reminded_in_summer_of_what_they_promised_each_in_one_letter(school: School) -> None:
    of_day = [each for each in school.seen["letters"] if each["created_at"].startswith("2025-06-23")]
    reminded = Counter(each["recipient"] for each in of_day if any(item["kind"].startswith("commitment-") for item in each["items"]))
    # Those of 丁 had promised in 丁, which they have left since; 丁转己 when it had filed already.
    gone = {"乙除名", "己党员", "丙宣传", "丁转甲", "丁转乙", "丁转丙", "丁转己"}
    assert reminded == Counter(each.name for each in IN_2024 if each.name not in gone)
    assert max(Counter(each["recipient"] for each in of_day).values()) == 1


def test_the_next_year_begins_with_what_the_last_one_left_open(school: School) -> None:
    carried = school.seen["carried"]
    assert {name: [row["name"] for row in each["help_plans"]] for name, each in carried.items() if each["help_plans"]} == {"丙": ["丙党员"]}
    assert [row for each in carried.values() for row in each["cases"]] == [], "nobody is asked of a member who was expelled"
    assert {name: [row["state"] for row in each["items"]] for name, each in carried.items()} == {
        name: ["done" if name == "丙" else "open"] for name in RUNNING
    }
    listed = {name: {row["name"] for row in each["commitments"]} for name, each in carried.items()}
    kept = {"丙宣传", "己党员", "丁转甲", "丁转乙", "丁转丙"}
    assert {name: who - LEFT_LATER for name, who in listed.items()} == {
        name: {each.name for each in IN_2024 if each.stands == name} - kept - LEFT_LATER for name in RUNNING
    }


def test_the_duty_report_begins_with_last_years_measures_and_the_meeting_must_hear_of_them(school: School) -> None:
    assert school.seen["begun"] == {name: each["text"] for name, each in school.seen["carried"].items()}
    assert school.seen["begun"]["丙"] == "1. 完善“三会一课”制度（责任人：丙书记）：已完成\n党员整改承诺6项，已兑现1项，尚在进行5项。"
    assert [each["clause"] for each in school.seen["silent"]] == ["F9"]


def test_the_second_year_goes_by_its_own_plan(school: School) -> None:
    assert school.seen["stages"] == [
        *((name, stage) for name in ("甲", "乙") for stage in ("study", "self_review", "rating", "rectification", "report")),
        *(("丙", stage) for stage in ("rating", "rectification", "report")),
    ]
    office = school.office
    rules = {year: office.get(f"/cycles/{year}").body["rules"] for year in (2024, 2025)}
    assert {year: [len(each["aspects"]), len(each["warning_signs"]["signs"]), each["quota"]["ratio"]] for year, each in rules.items()} == {
        2024: [6, 3, "1/4"],
        2025: [7, 5, "1/3"],
    }
    assert [rules[year]["levels"]["excellent"] for year in (2024, 2025)] == ["优秀", "好"]
    assert school.seen["2025"]["forms"]["甲"]["title"] == "2025年度考评表"
    assert school.seen["2025"]["totals"]["basics"]["member_talks"] == 0


def test_the_service_never_failed(school: School) -> None:
    text = school.house.app.test_client().get("/metrics").get_data(as_text=True)
    counted_requests = [line for line in text.splitlines() if line.startswith("zhibu_http_requests_total")]
    assert len(counted_requests) > 30
    assert [line for line in counted_requests if 'status="5' in line] == []
