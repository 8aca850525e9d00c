"""One cast of people for all tests.

张三 is secretary, 李四 and 钱七 are on the committee, 王五 and others are members; 赵六 is of another branch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.running import standing
from workflow.foundation.vocabulary import Coverage, Post, Role, Stage, Standing, local_day
from workflow.machine.asked import CLAUSES
from workflow.people.access import Caller
from workflow.people.accounts import open_account
from workflow.people.callers import caller_for
from workflow.people.organisation import Appointment, Branch, Person
from workflow.people.roles import create_officer
from workflow.year.cycle import Cycle, Process
from workflow.year.finding import cycle_by_year, process_of
from workflow.year.opening import open_cycle, publish
from workflow.year.plan import Plan
from workflow.year.plan_files import find_plan, read_plan

NOW = datetime(2024, 12, 20, 2, 0, tzinfo=UTC)
"""10:00 on Friday 20 December 2024 in the school."""
TODAY = local_day(NOW)
DEADLINES = {
    Stage.STUDY: date(2024, 12, 25),
    Stage.TALKS: date(2024, 12, 31),
    Stage.SELF_REVIEW: date(2025, 1, 8),
    Stage.RATING: date(2025, 1, 15),
    Stage.RECTIFICATION: date(2025, 1, 22),
    Stage.REPORT: date(2025, 1, 26),
}
READING = ("中国共产党纪律处分条例", "中国共产党支部工作条例（试行）")

STAFF_NO = {
    "张三": "z3",
    "李四": "l4",
    "钱七": "q7",
    "王五": "w5",
    "孙八": "s8",
    "周九": "z9",
    "赵六": "z6",
    "吴十": "w10",
    "郑一": "z1",
    "冯二": "f2",
}
COMMITTEE = {"张三": (Post.SECRETARY, "书记"), "李四": (Post.COMMITTEE_MEMBER, "组织委员"), "钱七": (Post.COMMITTEE_MEMBER, "宣传委员")}


@cache
def the_plan(coverage: Coverage = Coverage.DEFAULT) -> Plan:
    """Read the packaged plan of 2024, in either reading of K2."""
    name, text = find_plan("2024", None)
    return read_plan(text.replace('coverage = "default"', f'coverage = "{coverage.value}"'), CLAUSES, name=name)


def a_cycle(session: Session, *, coverage: Coverage = Coverage.DEFAULT, deadlines: dict[Stage, date] | None = None, now: datetime = NOW) -> Cycle:
    """Open a draft of 2024."""
    return open_cycle(session, the_plan(coverage), deadlines or DEADLINES, now=now)


def a_branch(
    session: Session,
    *,
    code: str = "D0101",
    name: str | None = None,
    members: Sequence[str] = ("张三", "李四", "钱七", "王五", "孙八"),
    committee: Sequence[str] = ("张三", "李四", "钱七"),
    probationary: Sequence[str] = (),
    since: date = date(2024, 1, 1),
) -> Branch:
    """Make a branch whose people have accounts.

    From three people on, ``committee`` is a branch committee; fewer only hold posts.
    """
    branch = Branch(code=code, name=name or f"{code}党支部", unit_code=code[:3], unit_name=f"{code[:3]}党委", has_committee=len(committee) >= 3)
    session.add(branch)
    session.flush()
    for member in members:
        standing = Standing.PROBATIONARY if member in probationary else Standing.FULL
        person = Person(
            staff_no=STAFF_NO.get(member, member),
            name=member,
            email=f"{STAFF_NO.get(member, member)}@school.example",
            branch_id=branch.id,
            standing=standing,
        )
        session.add(person)
        session.flush()
        open_account(session, person, now=NOW)
        if member in committee:
            post, title = COMMITTEE.get(member, (Post.SECRETARY if member == committee[0] else Post.COMMITTEE_MEMBER, None))
            session.add(
                Appointment(
                    person_id=person.id, branch_id=branch.id, post=post, role=None, title=title, on_committee=True, starts_on=since, ends_on=None
                )
            )
    session.flush()
    return branch


def a_school(session: Session, *, coverage: Coverage = Coverage.DEFAULT, deadlines: dict[Stage, date] | None = None, now: datetime = NOW) -> Process:
    """Make 张三's branch D0101 and 赵六's D0201 in a published 2024, with an office.

    Returns the process of D0101.
    """
    usual = deadlines is None and now == NOW
    if not (usual and standing.put(session, coverage.value)):
        for step in steps_to_a_school(session, coverage, deadlines, now):
            step()
    return process_of(session, 2024, "D0101")


def steps_to_a_school(
    session: Session, coverage: Coverage, deadlines: dict[Stage, date] | None = None, now: datetime = NOW
) -> list[Callable[[], None]]:
    """Give the steps of ``a_school``: the people with a draft of the year, then its publication."""

    def draft() -> None:
        an_office(session)
        a_branch(session)
        a_branch(session, code="D0201", members=("赵六", "吴十", "郑一"), committee=("赵六",))
        a_cycle(session, coverage=coverage, deadlines=deadlines, now=now)

    def published() -> None:
        # The day before: nobody is reminded on the day on which a stage is entered.
        publish(session, cycle_by_year(session, 2024), now=now - timedelta(days=1))

    return [draft, published]


def an_office(session: Session) -> None:
    """Make one officer for each role of the school: office, committee, auditor, administrator."""
    for role in (Role.OFFICE, Role.COMMITTEE, Role.AUDITOR, Role.ADMINISTRATOR):
        create_officer(session, staff_no=role.value, name=role.zh, role=role, now=NOW, email=f"{role.value}@school.example")


def caller(session: Session, name: str, on: date = TODAY) -> Caller:
    """Give one of the cast, or an officer by their role, as the caller of an act."""
    return caller_for(session, STAFF_NO.get(name, name), on)


def person(session: Session, name: str) -> Person:
    return session.scalars(select(Person).where(Person.staff_no == STAFF_NO.get(name, name))).one()
