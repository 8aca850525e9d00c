"""Every requirement that blocks, in a branch that lacks only its evidence.

The move is refused for that requirement alone, and succeeds when the evidence is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.rosters import COMMITTEE_POSTS, RosterBranch, committee_rows, member_rows
from tests.support.servers import House
from tests.support.years.branch_year import BranchYear, an_empty_house, import_roster, ok, open_year
from tests.support.years.removals import REMOVALS
from workflow.appraisal import REQUIREMENTS
from workflow.machine.asked import BY_NAME
from workflow.year.plan_files import find_plan

pytestmark = pytest.mark.slow

CODES = {name: f"D{1 + number // 10:02d}{1 + number % 10:02d}" for number, name in enumerate(REMOVALS)}
"""The code of the branch of each removal."""


@pytest.fixture(scope="module")
def houses(superuser: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, House]]:
    """A school of either plan: in the strict one all talk with all, and the quota is never passed.

    In the usual one, the branch that must report has a measure of the year before.
    """
    text = find_plan("2024", None)[1]
    folders = {name: tmp_path_factory.mktemp(name) for name in ("default", "strict")}
    a_plan(folders["default"], "2023", text.replace("year = 2024", "year = 2023", 1))
    a_plan(folders["strict"], "2024", text.replace('coverage = "default"', 'coverage = "strict"').replace("never = false", "never = true"))
    with ExitStack() as both:
        made = {name: both.enter_context(an_empty_house(superuser, template, data_dir=folder)) for name, folder in folders.items()}
        for name, house in made.items():
            a_roster_of_those([each for each in REMOVALS if REMOVALS[each].house == name], house)
        reporting = BranchYear(made["default"], CODES["no_report_on_last_years_measures"], {}, year="/cycles/2023")
        open_year(reporting.office, "2023")
        reporting.measure(reporting.problem())
        ok(reporting.office.post("/cycles/2023/close", {"leave_open": True, "reason": "留到下一年整改"}), 200)
        for house in made.values():
            open_year(house.as_("office"))
        yield made


def a_plan(folder: Path, name: str, text: str) -> None:
    (folder / "plans").mkdir()
    (folder / "plans" / f"{name}.toml").write_text(text, encoding="utf-8")


def a_roster_of_those(names: list[str], house: House) -> None:
    """Import a branch of seven for each, with three on the committee and one leading cadre."""
    people = ("张三", "李四", "钱七", "王五", "孙八", "周九", "吴十")
    posts = dict(zip(people, COMMITTEE_POSTS[:3], strict=False))
    branches = [RosterBranch(CODES[name], f"{CODES[name]}党支部", people, posts, (), CODES[name][:3], f"{CODES[name][:3]}党委") for name in names]
    rows = member_rows(branches)
    for row in rows:
        row["是否党员领导干部"] = "是" if row["姓名"] == "孙八" else None
    import_roster(house.as_("office"), rows, committee_rows(branches))


@pytest.mark.parametrize("name", REMOVALS)
def test_without_its_evidence_the_gate_names_that_requirement_alone_and_with_it_the_branch_goes_on(houses: Mapping[str, House], name: str) -> None:
    removal, requirement = REMOVALS[name], BY_NAME[name]
    bare = BranchYear(houses[removal.house], CODES[name], {})
    branch = BranchYear(bare.house, bare.code, {bare.numbers()[place]: level for place, level in removal.levels.items()})
    removal.before(branch)
    branch.comes_to(requirement.stage)
    mend = removal.lacks(branch)
    trigger, deputy = "file" if requirement.stage == "report" else "advance", branch.holder("deputy")
    refused = branch.move(trigger, by=deputy)
    assert refused.status == 409, refused.body
    assert [(each["clause"], each["requirement"]) for each in refused.body["unmet"]] == [(requirement.clause, name)]
    mend()
    assert ok(branch.move(trigger, by=deputy))["from"] == requirement.stage


def test_every_requirement_that_blocks_has_its_removal_and_no_other() -> None:
    assert set(REMOVALS) == {each.name for each in REQUIREMENTS if each.blocks}
