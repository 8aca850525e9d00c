"""Every requirement of the assessment that blocks, in a branch that lacks only this one.

The move is refused for it alone, and succeeds when it is met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.rosters import RosterBranch, committee_rows, member_rows
from tests.support.servers import YEAR, House
from tests.support.years.assessment_year import SECTIONS, SESSION, AssessmentYear, a_decision
from tests.support.years.branch_year import BranchYear, an_empty_house, import_roster, ok, open_year
from workflow.assessment import REQUIREMENTS
from workflow.machine.asked import BY_NAME
from workflow.year.plan_files import find_plan

pytestmark = pytest.mark.slow

Mend = Callable[[], object]


def without_a_mode(branch: AssessmentYear) -> Mend:
    branch.report()
    return lambda: branch.arrange(mode="written")


def without_a_session(branch: AssessmentYear) -> Mend:
    branch.report()
    branch.arrange(mode="on_site", on_site=SESSION)
    return lambda: branch.arrange(on_site={**SESSION, "order": 1})


def without_a_report(branch: AssessmentYear) -> Mend:
    branch.arrange(mode="written")
    branch.put("duty-report", {"sections": SECTIONS})
    return branch.report


def without_last_years_measures(branch: AssessmentYear) -> Mend:
    branch.arrange(mode="written")
    branch.report()
    return lambda: branch.report(rectification="上年度措施已全部完成")


def without(section: str) -> Callable[[AssessmentYear], Mend]:
    def lacks(branch: AssessmentYear) -> Mend:
        branch.arrange(mode="written")
        branch.report(without=[section])
        return branch.report

    return lacks


def without_a_reason(branch: AssessmentYear) -> Mend:
    branch.propose(reason=None)
    return branch.propose


REMOVALS: Mapping[str, Callable[[AssessmentYear], Mend]] = {
    "report_mode_not_set": without_a_mode,
    "session_of_the_report_incomplete": without_a_session,
    "duty_report_not_submitted": without_a_report,
    "duty_report_without_last_years_measures": without_last_years_measures,
    **{f"duty_report_without_{section.lower()}": without(section) for section in SECTIONS},
    "proposal_incomplete": without_a_reason,
}
BY_DECISION = ("branch_without_a_result", "decision_without_a_quorum", "no_excellent_branch", "more_excellent_branches_than_allowed")
"""Requirements on one act over all branches."""
OF_OTHER_PLANS = ("duty_report_without_other_sections",)
"""Requirements of plans with more contents than that of 2024.

See ``tests/workflow/year/test_another_years_words.py``.
"""
CODES = {name: f"D01{number:02d}" for number, name in enumerate(REMOVALS, 1)}
REPORTING = CODES["duty_report_without_last_years_measures"]


@pytest.fixture(scope="module")
def house(superuser: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A branch of three people for each removal.

    One of them had a measure in the year before. At most two branches may be 优秀党支部.
    """
    folder, text = tmp_path_factory.mktemp("plans"), find_plan("2024", None)[1]
    (folder / "plans").mkdir()
    two = text.replace("bands_below = 10", "bands_below = 10\nexcellent_branches_at_most = 2", 1)
    (folder / "plans" / "2024.toml").write_text(two, encoding="utf-8")
    (folder / "plans" / "2023.toml").write_text(text.replace("year = 2024", "year = 2023", 1), encoding="utf-8")
    branches = [RosterBranch(code, f"{code}党支部", ("张三", "李四", "王五"), {"张三": "书记"}) for code in CODES.values()]
    with an_empty_house(superuser, template, data_dir=Path(folder)) as made:
        office = made.as_("office")
        import_roster(office, member_rows(branches), committee_rows(branches))
        before = BranchYear(made, REPORTING, {}, year="/cycles/2023")
        open_year(office, "2023")
        before.measure(before.problem())
        ok(office.post("/cycles/2023/close", {"leave_open": True, "reason": "留到下一年整改"}), 200)
        open_year(office)
        yield made


@pytest.mark.parametrize("name", REMOVALS)
def test_without_it_the_gate_names_that_requirement_alone_and_with_it_the_branch_goes_on(house: House, name: str) -> None:
    requirement, branch = BY_NAME[name], AssessmentYear(house, CODES[name])
    branch.comes_to(requirement.stage)
    mend = REMOVALS[name](branch)
    refused = branch.move("advance")
    assert refused.status == 409, refused.body
    assert [(each["clause"], each["requirement"]) for each in refused.body["unmet"]] == [(requirement.clause, name)]
    mend()
    assert ok(branch.move("advance"))["from"] == requirement.stage


@pytest.mark.parametrize("name", BY_DECISION)
def test_a_decision_that_lacks_it_is_refused_whole_for_that_alone(house: House, name: str) -> None:
    for code in CODES.values():
        _is_proposed(AssessmentYear(house, code))
    office, committee = house.as_("office"), house.as_("committee")
    first, second, third, *_ = CODES.values()
    results = {code: "excellent" if code in (first, second) else "qualified" for code in CODES.values()}
    wanting = {
        "branch_without_a_result": a_decision({code: result for code, result in results.items() if code != third}),
        "decision_without_a_quorum": a_decision(results, attendees=["committee", "auditor"]),
        "no_excellent_branch": a_decision(dict.fromkeys(results, "qualified")),
        "more_excellent_branches_than_allowed": a_decision({**results, third: "excellent"}),
    }[name]
    made = ok(office.post(f"{YEAR}/decision", wanting))
    before = [row["version"] for row in ok(office.get(f"{YEAR}/assessments"), 200)["items"]]
    refused = committee.post(f"{YEAR}/decisions/{made['id']}/confirm")
    assert refused.status == 409, refused.body
    assert {(each["clause"], each["requirement"]) for each in refused.body["unmet"]} == {(BY_NAME[name].clause, name)}
    in_the_way = [third] if name == "branch_without_a_result" else list(CODES.values())
    assert [each["branch"]["code"] for each in refused.body["unmet"]] == in_the_way
    assert [row["version"] for row in ok(office.get(f"{YEAR}/assessments"), 200)["items"]] == before
    ok(office.post(f"{YEAR}/decisions/{made['id']}/withdraw", {"reason": "登记有误"}), 200)


def _is_proposed(branch: AssessmentYear) -> None:
    if branch.stage == "collecting" and branch.code == REPORTING:
        branch.arrange(mode="written")
        branch.report(rectification="上年度措施已全部完成")
        branch.goes_on()
    branch.comes_to("proposed")


def test_every_requirement_that_blocks_has_its_removal_and_no_other() -> None:
    assert {*REMOVALS, *BY_DECISION, *OF_OTHER_PLANS} == {each.name for each in REQUIREMENTS if each.blocks}
