"""The demo school (示范学校): twelve invented branches, one or more in every stage.

They are made by the same verbs as a real one. The year is the season around the first start: days
are those of the script, moved. A few branches have later days, so that their letters are due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from types import MappingProxyType

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session, joinedload

from workflow.demo.assessment import begin_assessment
from workflow.demo.season import REPORTED_BY, SCRIPTED_YEAR, Season
from workflow.demo.year import Year
from workflow.foundation.database import act_as, transaction
from workflow.foundation.vocabulary import (
    MAIN,
    SCHOOL_ROLES,
    WORKING_STAGES,
    CycleStatus,
    Post,
    Role,
    Stage,
    Standing,
    Trigger,
    local_day,
)
from workflow.machine.asked import CLAUSES
from workflow.machine.process import move
from workflow.people.access import ROLES_OF_POST, Caller
from workflow.people.accounts import Account, Token, digest, issue_token
from workflow.people.callers import caller_for
from workflow.people.guard.passwords import hash_password
from workflow.people.organisation import Appointment, Branch, Person
from workflow.people.roles import create_officer
from workflow.roster.checks import Roster, RosterBranch, RosterMember
from workflow.roster.imports import apply_import, preview_import
from workflow.roster.workbook import Reading
from workflow.year.cycle import Cycle
from workflow.year.deadlines import extend
from workflow.year.finding import Lock, process_of
from workflow.year.opening import open_cycle, publish
from workflow.year.plan_files import find_plan, read_plan
from workflow.year.roll import roll

ACTOR = "cli"
# Everybody's, and printed at the start: a demo has no secrets.
PASSWORD = "zhibu-demo-2024"  # noqa: S105
TOKEN_NAME = "演示"  # noqa: S105
DEADLINES = {
    Stage.STUDY: date(2024, 12, 20),
    Stage.TALKS: date(2024, 12, 31),
    Stage.SELF_REVIEW: date(2025, 1, 10),
    Stage.RATING: date(2025, 1, 15),
    Stage.RECTIFICATION: date(2025, 1, 22),
    Stage.REPORT: REPORTED_BY,
}
FIRST = "D0101"
"""The branch of the tour: in its talks, with a few members still to be talked with."""


@dataclass(frozen=True)
class Sketch:
    """One branch of the demo: its size, its stage, and its later day, if it has one.

    The day is given as days from the demo.
    """

    code: str
    name: str
    unit: str
    members: int
    stage: Stage
    due_in: int | None = None
    returned: bool = False


SKETCHES = (
    Sketch(FIRST, "物理学院教工第一党支部", "物理学院党委", 22, Stage.TALKS, due_in=3),
    Sketch("D0102", "物理学院研究生党支部", "物理学院党委", 30, Stage.STUDY, due_in=7),
    Sketch("D0103", "物理学院本科生党支部", "物理学院党委", 50, Stage.SELF_REVIEW, due_in=0),
    Sketch("D0201", "化学学院教工党支部", "化学学院党委", 7, Stage.STUDY),
    Sketch("D0202", "化学学院离退休党支部", "化学学院党委", 3, Stage.ACCEPTED),
    Sketch("D0301", "数学学院教工党支部", "数学学院党委", 24, Stage.RATING),
    Sketch("D0302", "数学学院学生党支部", "数学学院党委", 18, Stage.RECTIFICATION),
    Sketch("D0401", "图书馆党支部", "机关党委", 6, Stage.TALKS, due_in=1),
    Sketch("D0402", "后勤集团党支部", "机关党委", 12, Stage.REPORT),
    Sketch("D0403", "机关第一党支部", "机关党委", 15, Stage.FILED),
    Sketch("D0404", "机关第二党支部", "机关党委", 9, Stage.TALKS, returned=True),
    Sketch("D0501", "附属医院党支部", "附属医院党委", 26, Stage.SELF_REVIEW),
)

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾"
_GIVEN = ("建华", "晓明", "志强", "秀英", "文静", "国栋", "雪梅", "思远", "海燕", "春兰", "伟", "芳", "军", "敏", "静", "磊", "洋", "涛", "婷", "鹏")
_OFFICERS = {
    Role.OFFICE: ("office", "周岚"),
    Role.COMMITTEE: ("committee", "吴江"),
    Role.AUDITOR: ("auditor", "郑敏"),
    Role.ADMINISTRATOR: ("admin", "系统管理员"),
}


def is_there(engine: Engine) -> bool:
    """Tell whether this database has a year already: the demo then keeps what it finds."""
    with transaction(engine, actor=None) as session:
        return session.scalar(select(Cycle.id).limit(1)) is not None


def build(engine: Engine, *, now: datetime, base_url: str) -> Iterator[str]:
    """Make the school, a step at a time, and name each branch as it is done.

    All of it or nothing: one transaction.
    """
    season = Season.around(now)
    with transaction(engine, actor=ACTOR) as session:
        for role in SCHOOL_ROLES:
            staff_no, name = _OFFICERS[role]
            create_officer(session, staff_no=staff_no, name=name, role=role, now=season.at(date(2024, 11, 1)), email=f"{staff_no}@zhibu.example")
        reading = Reading(_roster(), ())
        begun = season.at(date(2024, 11, 20))
        apply_import(session, preview_import(session, reading, file_name="演示名册.xlsx", by=ACTOR, now=begun), by=ACTOR, now=begun)
        yield "名册"
        name, text = find_plan(str(SCRIPTED_YEAR), None)
        opened = season.at(date(2024, 12, 2))
        days = {stage: season.day(day) for stage, day in DEADLINES.items()}
        cycle = open_cycle(session, season.plan(read_plan(text, CLAUSES, name=name)), days, now=opened)
        publish(session, cycle, now=opened)
        yield "年度"
        office = caller_for(session, _OFFICERS[Role.OFFICE][0], season.day(date(2024, 12, 2)))
        for sketch in SKETCHES:
            _walk(session, sketch, office, season, now, base_url)
            yield sketch.name
        begin_assessment(session, cycle, office, season)
        act_as(session, actor=ACTOR)
        yield "党委考核"


def _roster() -> Roster:
    random = Random(SCRIPTED_YEAR)  # noqa: S311  (the same people at every start)
    branches, members, used = [], [], set()
    units = list(dict.fromkeys(sketch.unit for sketch in SKETCHES))
    for sketch in SKETCHES:
        committee = 0 if sketch.members < 7 else 3 if sketch.members < 20 else 5
        branches.append(RosterBranch(sketch.code, sketch.name, f"D{units.index(sketch.unit) + 1:02}", sketch.unit, committee >= 3))
        for number in range(sketch.members):
            name = next(name for name in _names(random) if name not in used)
            used.add(name)
            post, title = _post(number, committee)
            probationary = number >= max(committee, 3) and number % 11 == 10
            members.append(
                RosterMember(
                    staff_no=f"{sketch.code[1:]}{number + 1:03}",
                    name=name,
                    branch_code=sketch.code,
                    standing=Standing.PROBATIONARY if probationary else Standing.FULL,
                    post=post,
                    title=title,
                    on_committee_sheet=number < max(committee, 1),
                    cadre=number == 5,
                    email=None if number == 7 else f"{sketch.code[1:]}{number + 1:03}@zhibu.example",
                )
            )
    return Roster(tuple(branches), tuple(members), told=("email",))


def _names(random: Random) -> Iterator[str]:
    while True:
        yield random.choice(_SURNAMES) + random.choice(_GIVEN)


def _post(number: int, committee: int) -> tuple[Post | None, str | None]:
    titles = ("书记", "副书记", "组织委员", "宣传委员", "纪检委员") if committee == 5 else ("书记", "组织委员", "宣传委员")
    if number >= max(committee, 1):
        return None, None
    title = titles[number]
    return {"书记": Post.SECRETARY, "副书记": Post.DEPUTY}.get(title, Post.COMMITTEE_MEMBER), title


def _walk(session: Session, sketch: Sketch, office: Caller, season: Season, now: datetime, base_url: str) -> None:
    """Record the work of a branch in each stage, and move it to its last one."""
    process = process_of(session, season.year, sketch.code, lock=Lock.MOVE)
    people = roll(session, process.id)
    first = next(each for each in people if each.post is Post.SECRETARY)
    secretary = caller_for(session, first.staff_no, season.day(date(2024, 12, 2)))
    year = Year(session, process, people, first, office, season)
    goal = Stage.FILED if sketch.returned else sketch.stage

    def moved(trigger: Trigger, by: Caller, at: datetime, **what: object) -> None:
        act_as(session, actor=by.staff_no)
        move(session, process, trigger, by=by, now=at, seen=None, base_url=base_url, **what)  # type: ignore[arg-type]

    day = date(2024, 12, 16)
    while process.stage is not goal:
        if process.stage in WORKING_STAGES[MAIN]:
            year.record(process.stage, whole=True)
        trigger = {Stage.REPORT: Trigger.FILE, Stage.FILED: Trigger.ACCEPT}.get(process.stage, Trigger.ADVANCE)
        moved(trigger, office if trigger is Trigger.ACCEPT else secretary, season.at(day, 21))
        day += timedelta(days=4)
    if goal in WORKING_STAGES[MAIN]:
        year.record(goal, whole=False)
    if sketch.returned:
        later = local_day(now) + timedelta(days=10)
        moved(Trigger.RETURN, office, now, to=sketch.stage, reason="谈话记录过于简单，请补充征求意见的情况", due_on=later)
    if sketch.due_in is not None:
        due_on = local_day(now) + timedelta(days=sketch.due_in)
        extend(session, process, stage=sketch.stage, due_on=due_on, reason="支部委员出差，经请示同意延期", by=office.staff_no, now=now)
    act_as(session, actor=ACTOR)


def year_of(engine: Engine) -> int:
    """Return the published year of the demo, else its newest."""
    with transaction(engine, actor=None) as session:
        newest = select(Cycle.year).order_by((Cycle.status == CycleStatus.PUBLISHED).desc(), Cycle.year.desc())
        return session.scalars(newest.limit(1)).one()


# ── who may sign in ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class DemoAccount:
    """One line of the accounts file: a person with their highest role."""

    role: Role
    staff_no: str
    name: str
    branch: str | None
    post: Post | None
    password: str
    token: str


def issue_accounts(
    engine: Engine, *, now: datetime, kept: Mapping[str, str] = MappingProxyType({}), password_hash: Callable[[str], str] = hash_password
) -> list[DemoAccount]:
    """Give a password and a token to the people of the demo.

    They are the officers, every branch's secretary, and a deputy, a committee member and members of
    one branch. ``kept`` has the tokens of the last start by staff number: one that is good for
    another month stays, so that a script with a token in it works the next morning; all others of
    the demo are revoked. Whoever was disabled is left out.
    """
    secret_hash = password_hash(PASSWORD)
    with transaction(engine, actor=ACTOR) as session:
        in_use = (Token.name == TOKEN_NAME, Token.revoked_at.is_(None))
        good = session.execute(select(Token.hash, Token.person_id).where(*in_use, Token.expires_at > now + timedelta(days=30)))
        of_whom = {row.hash: row.person_id for row in good}
        stay = {digest(secret) for secret in kept.values()} & of_whom.keys()
        session.execute(update(Token).where(*in_use, Token.hash.not_in(stay)).values(revoked_at=now))
        accounts = []
        disabled = set(session.scalars(select(Account.person_id).where(Account.disabled_at.is_not(None))))
        for role, post, person, branch in _people(session):
            if person.id in disabled:
                continue
            session.execute(update(Account).where(Account.person_id == person.id).values(password_hash=secret_hash))
            token = kept.get(person.staff_no, "")
            if of_whom.get(digest(token)) != person.id:
                token = issue_token(session, person, name=TOKEN_NAME, now=now, expires_at=now + timedelta(days=365)).secret
            accounts.append(DemoAccount(role, person.staff_no, person.name, branch, post, PASSWORD, token))
        return accounts


def _people(session: Session) -> Iterator[tuple[Role, Post | None, Person, str | None]]:
    """List the people who get accounts.

    Officers of the school; every branch's secretary; of one branch also its other leaders, and
    three members.
    """
    held = session.scalars(
        select(Appointment)
        .options(joinedload(Appointment.person), joinedload(Appointment.branch))
        .where(Appointment.ends_on.is_(None))
        .order_by(Appointment.id)
    ).all()
    yield from ((each.role, None, each.person, None) for each in held if each.role is not None)
    for each in held:
        if each.post is not None and each.branch is not None and (each.post is Post.SECRETARY or each.branch.code == FIRST):
            yield ROLES_OF_POST[each.post][0], each.post, each.person, each.branch.code
    posts = select(Appointment.person_id).where(Appointment.ends_on.is_(None))
    members = select(Person).join(Person.branch).where(Branch.code == FIRST, Person.id.not_in(posts)).order_by(Person.staff_no).limit(3)
    yield from ((Role.MEMBER, None, person, FIRST) for person in session.scalars(members))
