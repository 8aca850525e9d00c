"""Letters on help, dispositions and commitments in a situation of two branches (后续事项).

Each case is read by the tests of what letters say, beside those of ``told``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy.orm import Session

from tests.support.builders import STAFF_NO
from tests.support.letters.told import HERE, LINK_HERE, LINK_THERE, THERE, Case, Told
from tests.support.records.evidence import stand_at
from tests.support.records.rating import a_case, a_help_plan, steps_up_to
from tests.support.records.rectification import a_commitment
from workflow.appraisal.rating.aftercare import Step
from workflow.foundation.vocabulary import Stage
from workflow.year.cycle import Process


def help_comes_near(session: Session, here: Process, there: Process) -> None:
    a_help_plan(session, here, "王五", helper=STAFF_NO["李四"], review_on=date(2025, 6, 30))
    a_help_plan(session, there, "吴十", helper=STAFF_NO["郑一"], review_on=date(2025, 7, 1))


def cases_stand_still(session: Session, here: Process, there: Process) -> None:
    a_case(session, here, "王五", proposed_on=date(2024, 12, 19))
    a_case(session, there, "吴十", proposed_on=date(2024, 12, 20))


def corrections_end(session: Session, here: Process, there: Process) -> None:
    for process, who, day in ((here, "王五", date(2025, 6, 30)), (there, "吴十", date(2025, 7, 1))):
        steps_up_to(session, process, a_case(session, process, who), Step.TOLD, until=day)
        stand_at(session, process, Stage.ACCEPTED)


def promises_come_near(session: Session, here: Process, there: Process) -> None:
    for process, who, day in ((here, "王五", date(2025, 6, 30)), (there, "吴十", date(2025, 7, 1))):
        a_commitment(session, process, who, due_on=day)


def of_both(
    kinds: tuple[str, str],
    here: Sequence[str],
    there: Sequence[str],
    says: tuple[Sequence[str], Sequence[str]],
    written_on: date,
) -> tuple[Told, ...]:
    """Give the letters of a matter here to these people, and of another one there."""
    silent = ("自学", "学习", "谈心一次", "无故")
    ours = [Told(kinds[0], who, HERE, LINK_HERE, says[0], (*silent, says[1][1]), (), written_on) for who in here]
    theirs = [Told(kinds[1], who, THERE, LINK_THERE, says[1], (*silent, says[0][1]), (), written_on) for who in there]
    return (*ours, *theirs)


END_OF_JUNE = ("2025年6月30日（星期一）", "就在今天"), ("2025年7月1日（星期二）", "还有1天")
STILL = ("2025年1月18日（星期六）", "又过了2天"), ("2025年1月19日（星期日）", "又过了1天")
JUNE_30 = date(2025, 6, 30)

AFTERCARE = (
    Case(
        help_comes_near,
        of_both(("help-due-0", "help-due-1"), ("李四", "张三"), ("郑一", "赵六"), END_OF_JUNE, JUNE_30),
    ),
    Case(
        cases_stand_still,
        of_both(("case-overdue-1", "case-overdue-1"), ("张三",), ("赵六",), STILL, date(2025, 1, 20)),
    ),
    Case(
        corrections_end,
        of_both(("correction-due-0", "correction-due-1"), ("张三",), ("赵六",), END_OF_JUNE, JUNE_30),
    ),
    Case(
        promises_come_near,
        of_both(("commitment-due-0", "commitment-due-1"), ("王五",), ("吴十",), END_OF_JUNE, JUNE_30),
    ),
)
