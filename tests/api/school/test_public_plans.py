"""Plans of others (别处的方案): six published plans, and one made up; by each a branch comes to 已接收.

The files have the facts of each plan; missing sentences are ours. Demands that no file can express
are listed in ``docs/plans.md``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.rosters import RosterBranch, committee_rows, member_rows
from tests.support.years.branch_year import BranchYear, an_empty_house, import_roster, ok, open_year
from workflow.machine.asked import CLAUSES, passed_through
from workflow.year.plan_files import plan_file, read_plan

PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.toml"))
MEMBERS = ("张三", "李四", "王五", "赵六", "钱七", "孙八", "周九", "吴十")
BRANCH = RosterBranch(members=MEMBERS, posts={"张三": "书记", "李四": "组织委员", "王五": "宣传委员"})


def test_there_are_seven_of_them() -> None:
    assert len(PLANS) == 7


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_a_branch_comes_to_accepted_by_it(superuser: str, template: str, tmp_path: Path, file: Path) -> None:
    name, text = plan_file(file)
    plan = read_plan(text, CLAUSES, name=name)
    (tmp_path / "plans").mkdir()
    shutil.copy(file, tmp_path / "plans" / f"{plan.year}.toml")
    passed = {stage.value for stage in passed_through(plan)}
    with an_empty_house(superuser, template, data_dir=tmp_path) as house:
        office = house.as_("office")
        members = member_rows((BRANCH,))
        import_roster(office, members, committee_rows((BRANCH,)))
        open_year(office, str(plan.year))
        best = next(str(row["学工号"]) for row in members if row["姓名"] == "李四")
        branch = BranchYear(house, BRANCH.code, {best: "excellent"}, year=f"/cycles/{plan.year}")
        stages = [branch.stage]
        while stages[-1] != "filed":
            branch.does(stages[-1])
            unmet = [each for each in ok(branch.secretary.get(f"{branch.path}/requirements"), 200)["items"] if each["state"] == "unmet"]
            assert {each["clause"] for each in unmet}.isdisjoint(plan.not_asked)
            stages.append(branch.goes_on())
        assert ok(branch.move("accept", by="office"))["stage"] == "accepted"
        assert [*stages, "accepted"] == [
            stage for stage in ("study", "talks", "self_review", "rating", "rectification", "report", "filed", "accepted") if stage not in passed
        ]
        told = ok(branch.secretary.get("/process"), 200)
        assert told["year"] == plan.year
        assert {each["clause"] for each in told["not_asked"] if each["reason"]} == set(plan.not_asked)
        assert {each["clause"] for each in told["requirements"]}.isdisjoint(plan.not_asked)
