"""The rates of the signs (提示出现的比例), measured on a plausible school.

    python -m benchmarks.signs             # prints the table
    python -m benchmarks.signs --write     # writes it into docs/signs.md

A sign that stands at more than a third of ordinary branches is noise: it trains people to write
filler. A test holds all of them to that (``tests/test_signs.py``).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.orm import Session
from workflow.foundation.database import engine_for, transaction
from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import Kind
from workflow.machine.asked import CLAUSES, REQUIREMENTS
from workflow.machine.gate import unmet
from workflow.rules.requirement import Requirement
from workflow.year.finding import Lock, cycle_by_year, processes_of
from workflow.year.plan import words_of
from workflow.year.plan_files import find_plan, read_plan

from benchmarks.frame.cluster import a_cluster
from benchmarks.school.loading import EMPTY, Schools
from benchmarks.school.plan import Scale
from benchmarks.school.plausible import a_plausible_school
from benchmarks.school.plausible_year import BRANCHES, TODAY

PAGE = Path(__file__).parents[1] / "docs" / "signs.md"
AT_MOST = 1 / 3
"""The share of branches from which on a sign is noise."""
NOT_OF_CARE = {
    "added_titles_not_read": "补充通知新增了必读文件",
    "members_without_added_reading": "补充通知新增了必读文件",
    "committee_meetings_without_a_committee": "支部没有支委会",
    "help_waits_for_a_review": "有基本合格的党员",
    "cases_standing_still": "有不合格的党员",
    "steps_that_lack_something": "有不合格的党员",
    "steps_without_the_one_before": "有不合格的党员",
    "measures_of_a_former_secretary": "年中换了书记",
    "members_on_no_roll": "年中有党员转移",
    "members_on_two_rolls": "年中有党员转移",
    "members_rated_nowhere": "年中有党员转移",
    "members_rated_twice": "年中有党员转移",
}
"""Signs of what care cannot bring about, each with what must have happened: none stands here."""
_BLOCK = re.compile(r"(<!-- measured: signs -->\n).*?(<!-- end -->)", re.DOTALL)


def judged() -> list[Requirement]:
    """List the measured ones: signs of a branch's own year, and D4, which asks for a reason.

    Aspects beyond A1 to A6 are none of 2024's plan: their sign never stands.
    """
    of_branches = REQUIREMENTS[Kind.APPRAISAL]
    return [
        each
        for each in of_branches
        if (not each.blocks or each.clause == "D4") and each.clause != "M7"
    ]


def measured(session: Session) -> Mapping[str, set[str]]:
    """Make the school and find the branches at which each sign stands, by its name."""
    a_plausible_school(session)
    found: dict[str, set[str]] = {each.name: set() for each in judged()}
    cycle = cycle_by_year(session, 2024)
    for process in processes_of(session, cycle, Kind.APPRAISAL, lock=Lock.NONE):
        for row in unmet(session, process, judged(), today=TODAY):
            if row.open:
                found[row.requirement.name].add(row.at.branch_code)
    return found


def table(found: Mapping[str, set[str]]) -> str:
    """Write the rates as a table, the most frequent first."""
    name, text = find_plan("2024", None)
    called = words_of(read_plan(text, CLAUSES, name=name).as_json())
    rows = sorted(judged(), key=lambda each: (-len(found[each.name]), each.name))
    lines = ["| 条款 | 提示 | 支部数 | 比例 |", "|---|---|---:|---:|"]
    for each in rows:
        if each.name in NOT_OF_CARE:
            continue
        words = each.words.zh.format(count="N", names="", **called).rstrip("：")
        number = len(found[each.name])
        lines.append(
            f"| {each.clause} | {words} `{each.name}` | {number} | {number / BRANCHES:.0%} |"
        )
    happened = "；".join(
        f"{words}：" + "、".join(f"`{name}`" for name, said in NOT_OF_CARE.items() if said == words)
        for words in dict.fromkeys(NOT_OF_CARE.values())
    )
    return "\n".join(lines) + f"\n\n另外几条要先有那件事才会出现，这所学校里没有。{happened}。\n"


def _tell(told: Words) -> None:
    sys.stderr.write(f"{told.zh}\n")


def main(words: list[str]) -> None:
    """Measure on a database of its own and print the table, or write it into its page."""
    with TemporaryDirectory() as place, a_cluster(Path(place) / "postgres") as cluster:
        schools = Schools(cluster, Path(place), Scale(), kept=False)
        schools.empty(_tell)
        engine = engine_for(cluster.url(EMPTY, "zhibu_app"))
        with transaction(engine, actor="cli") as session:
            made = table(measured(session))
        engine.dispose()
    if "--write" in words:
        PAGE.write_text(
            _BLOCK.sub(lambda page: page[1] + made + page[2], PAGE.read_text(encoding="utf-8")),
            encoding="utf-8",
        )
    else:
        sys.stdout.write(made)


if __name__ == "__main__":
    main(sys.argv[1:])
