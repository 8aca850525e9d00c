"""The gate (关口): what is missing, asked once and told to everyone alike.

The requirements of a stage are joined into one UNION ALL, compiled once at start, with the filter outside and the waivers beside each row. The
refusal of a move, a branch's checklist, a person's to-dos, the office's exceptions and the letters are all this one evaluation with another filter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import literal, select, union_all
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.orm import Session

from workflow import appraisal, assessment
from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import KIND_OF, STAGES, CycleStatus, Kind, Post, Role, Stage
from workflow.rules.requirement import Requirement
from workflow.year.cycle import Process

REQUIREMENTS: Mapping[Kind, tuple[Requirement, ...]] = {Kind.APPRAISAL: appraisal.REQUIREMENTS, Kind.ASSESSMENT: assessment.REQUIREMENTS}
BY_NAME: Mapping[str, Requirement] = {each.name: each for requirements in REQUIREMENTS.values() for each in requirements}
CLAUSES = frozenset(each.clause for each in BY_NAME.values())
"""The clauses that are asked: a plan must have a sentence for each."""

_IS_SECRETARY = f"r.post in ('{Post.SECRETARY.value}', '{Post.DEPUTY.value}')"
HOLDERS: Mapping[Role, str] = {
    Role.SECRETARY: _IS_SECRETARY,
    Role.COMMITTEE_MEMBER: f"(r.leads or {_IS_SECRETARY})",
    Role.MEMBER: "true",
}
"""Who on a roll holds a role that must act, as SQL over its line ``r``. The school's roles stand on no roll."""


@dataclass(frozen=True, order=True)
class Subject:
    """What is missing: a member, a pair, a title, a record, or the branch itself (``''``)."""

    id: str
    name: str
    amount: int


@dataclass(frozen=True)
class Place:
    """Where something is missing, and until when."""

    kind: Kind
    year: int
    branch_code: str
    branch_name: str
    unit: str
    due_on: date | None
    clauses: Mapping[str, str]
    """The sentences of this cycle's plan."""


@dataclass(frozen=True)
class Unmet:
    """A requirement of one process with what it lacks: ``open`` blocks, ``waived`` is covered by a reason."""

    requirement: Requirement
    process_id: int
    at: Place
    open: tuple[Subject, ...] = ()
    waived: tuple[Subject, ...] = ()

    @property
    def blocks(self) -> bool:
        return self.requirement.blocks and bool(self.open)

    @property
    def state(self) -> str:
        return "unmet" if self.open else "waived" if self.waived else "met"

    @property
    def sentence(self) -> str:
        """The plan's sentence behind it."""
        return self.at.clauses.get(self.requirement.clause) or self.requirement.sentence

    @property
    def message(self) -> Words:
        """What is missing, with the names of all of it."""
        subjects = self.open or self.waived
        if not subjects:
            return Words("已满足", "met")
        return self.requirement.words.format(count=len(subjects), names="、".join(subject.name for subject in subjects))


@cache
def _evaluation(names: tuple[str, ...]) -> str:
    """The SQL of these requirements: a row per (process, requirement) that lacks something. Compiled once, with every word written into it."""
    arms = [select(literal(name).label("requirement"), *BY_NAME[name].query().subquery(name).columns) for name in names]
    rows = str(union_all(*arms).compile(dialect=psycopg.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]
    return f"""
        select m.requirement, m.process_id, m.subject_id, m.subject_name, m.person_id, m.amount, exists (
            select from waiver w
            where w.process_id = m.process_id and w.requirement = m.requirement and w.withdrawn_at is null and w.rejected_at is null
                and (w.approved_at is not null or not w.needs_approval) and (w.covers ->> m.subject_id)::int >= m.amount
        ) as waived
        from ({rows}) m"""  # noqa: S608  (no input in it: requirements are code)


_GROUPED = """
    select requirement, process_id,
        coalesce(jsonb_agg(distinct jsonb_build_array(subject_id, subject_name, amount)) filter (where not waived), '[]') as open,
        coalesce(jsonb_agg(distinct jsonb_build_array(subject_id, subject_name, amount)) filter (where waived), '[]') as waived
    from ({rows}) e
    group by requirement, process_id"""


def _run(session: Session, sql: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
    session.flush()  # SQL that the session does not know of sees only what was sent
    return session.connection().exec_driver_sql(sql, dict(parameters)).all()


def unmet(session: Session, process: Process, requirements: Sequence[Requirement] | None = None, *, today: date | None = None) -> list[Unmet]:
    """What a process lacks of these requirements (default: those of its stage), in one round trip, in the order they are declared.

    Signs may ask for the day; what blocks does not depend on it.
    """
    asked = requirements_of(process.kind, process.stage) if requirements is None else tuple(requirements)
    if not asked:
        return []
    sql = _GROUPED.format(rows=f"{_evaluation(tuple(each.name for each in asked))} where m.process_id = %(process_id)s")
    rows = _run(session, sql, {"process_id": process.id, **({} if today is None else {"today": today})})
    at = _place(process)
    found = {row.requirement: _unmet(row, at) for row in rows}
    return [found[each.name] for each in asked if each.name in found]


def blocking(session: Session, process: Process, stage: Stage | None = None) -> list[Unmet]:
    """What stands between a process and its next stage: hard and soft requirements (of ``stage``: the present one) that no waiver covers."""
    asked = [each for each in requirements_of(process.kind, stage or process.stage) if each.blocks]
    return [each for each in unmet(session, process, asked) if each.blocks]


def blocking_together(session: Session, asked: Mapping[int, Stage], among: Sequence[Process]) -> dict[int, list[Unmet]]:
    """The same of many processes at once, each for the stage that it is asked for: one round trip for each stage, however many they are."""
    found: dict[int, list[Unmet]] = {}
    for stage in sorted(set(asked.values()), key=tuple(Stage).index):
        names = tuple(each.name for each in requirements_of(KIND_OF[stage], stage) if each.blocks)
        if not names:
            continue
        here = {process.id: process for process in among if asked.get(process.id) is stage}
        sql = _GROUPED.format(rows=f"{_evaluation(names)} where m.process_id = any(%(processes)s::bigint[])")
        rows = _run(session, sql, {"processes": sorted(here)})
        for row in sorted(rows, key=lambda row: names.index(row.requirement)):
            each = _unmet(row, _place(here[row.process_id]))
            if each.blocks:
                found.setdefault(row.process_id, []).append(each)
    return found


def signs(session: Session, process: Process, *, today: date) -> list[Unmet]:
    """Every sign of a process, whatever its stage: what is shown beside its form."""
    return unmet(session, process, [each for each in REQUIREMENTS[process.kind] if not each.blocks], today=today)


def checklist(session: Session, process: Process, stage: Stage, *, today: date) -> list[Unmet]:
    """Every requirement of a stage as met, unmet or waived, signs included."""
    asked = requirements_of(process.kind, stage)
    found = {each.requirement.name: each for each in unmet(session, process, asked, today=today)}
    return [found.get(each.name) or Unmet(each, process.id, _place(process)) for each in asked]


_EVERYWHERE = """
    select e.*, p.kind, c.year, b.code, b.name as branch_name, b.unit_name, p.due_on, c.plan -> 'clauses' as clauses
    from ({grouped}) e
    join process p on p.id = e.process_id join cycle c on c.id = p.cycle_id join branch b on b.id = p.branch_id
    join (values {asked}) as asked(requirement, number, first_stage, last_stage) on asked.requirement = e.requirement
    where e.open <> '[]' {filters}
    order by b.code, asked.number
    limit %(limit)s"""

_PLACE = "array_position(array[" + ", ".join(f"'{stage.value}'" for stage in Stage) + "], {stage}::text)"


def _everywhere(
    session: Session,
    parameters: Mapping[str, Any],
    *,
    processes: str,
    last_stage: Callable[[Requirement], Stage],
    rows: str = "",
    groups: str = "",
    names: tuple[str, ...] = tuple(BY_NAME),
) -> list[Unmet]:
    """The same evaluation over the processes of published cycles, for the requirements that are asked at their stage.

    Three conditions in SQL, each beginning with ``and``: on processes (p, c), on missing rows (m), on grouped rows (b, asked). The processes are
    an array, which PostgreSQL pushes into each arm of the union; a semi-join it would not, and read every table whole. Each kind's requirements
    are asked of its own processes.
    """
    if not names:
        return []
    order, places = tuple(BY_NAME).index, {stage: number for number, stage in enumerate(Stage, 1)}
    asked = ", ".join(f"('{name}', {order(name)}, {places[BY_NAME[name].asked_from]}, {places[last_stage(BY_NAME[name])]})" for name in names)
    running = f"select p.id from process p join cycle c on c.id = p.cycle_id where c.status = %(published)s {processes}"  # noqa: S608
    now_asked = f"and {_PLACE.format(stage='p.stage')} between asked.first_stage and asked.last_stage"
    of_kind = [
        f"{_evaluation(ours)} where m.process_id = any(array({running} and p.kind = '{kind.value}')) {rows}"
        for kind in Kind
        if (ours := tuple(name for name in names if BY_NAME[name].kind is kind))
    ]
    sql = _EVERYWHERE.format(grouped=_GROUPED.format(rows=" union all ".join(of_kind)), asked=asked, filters=f"{now_asked} {groups}")
    found = _run(session, sql, {"published": CycleStatus.PUBLISHED.value, **parameters})
    return [_unmet(row, Place(Kind(row.kind), row.year, row.code, row.branch_name, row.unit_name, row.due_on, row.clauses)) for row in found]


def exceptions(
    session: Session,
    year: int,
    *,
    today: date,
    clause: str | None = None,
    unit: str | None = None,
    after: tuple[str, int] = ("", 0),
    limit: int = 100,
) -> list[Unmet]:
    """All that is missing school-wide in one year: the gate's own rows without the branch filter, by branch code.

    Signs are told until the branch has come to the last stage, which is what the office looks at them for. A page asks as many branches as fill
    it, some hundred at a time, however many there are.
    """
    names = tuple(name for name, each in BY_NAME.items() if clause is None or each.clause == clause)
    found: list[Unmet] = []
    while len(found) < limit:
        asked = {"year": year, "today": today, "unit": unit, "code": after[0], "number": after[1], "limit": limit - len(found)}
        (window,) = _run(session, _WINDOW, asked)
        found += _everywhere(
            session,
            {**asked, "last": window.last},
            last_stage=lambda each: each.asked_until if each.blocks else max(each.asked_until, STAGES[each.kind][-2], key=tuple(Stage).index),
            processes=f"and c.year = %(year)s and p.branch_id in (select b.id from branch b where b.code <= %(last)s and {_OF_UNIT})",  # noqa: S608
            groups="and (b.code, asked.number) > (%(code)s, %(number)s)",
            names=names,
        )
        if window.branches < BRANCHES_AT_ONCE:
            break
        after = (window.last, len(BY_NAME))
    return found


BRANCHES_AT_ONCE = 100
_OF_UNIT = "b.code >= %(code)s and (%(unit)s::text is null or %(unit)s in (b.unit_code, b.unit_name))"
_WINDOW = f"""
    select count(*) as branches, max(code) as last
    from (select b.code from branch b where {_OF_UNIT} order by b.code limit {BRANCHES_AT_ONCE}) b"""  # noqa: S608
"""The next branches from a code on."""


def place_in_list(row: Unmet) -> tuple[str, int]:
    """Where an exception stands in the list, for the cursor that continues after it."""
    return row.at.branch_code, tuple(BY_NAME).index(row.requirement.name)


def todos(session: Session, person_id: int, *, today: date, school: Collection[Role] = ()) -> list[Unmet]:
    """What is missing from one person, in all branches and cycles: rows that name him, and rows for every holder of a role he has on that roll,
    or in the school.

    Who stands in for somebody today sees what that one's role asks, not what is asked of that one by name.
    """
    asked = {"me": person_id, "today": today, "limit": MOST_TODOS}
    of_branches = _everywhere(
        session,
        asked,
        last_stage=lambda each: each.asked_until,
        processes="and p.id in (select r.process_id from participant r where r.person_id = %(me)s and r.left_on is null)",
        rows=f"""and (m.person_id = %(me)s or m.person_id is null and exists (
            select from participant r
            where r.process_id = m.process_id and ({_ME_OR_WHOM_I_STAND_FOR}) and r.left_on is null and ({_holder("m")})))""",
        names=tuple(name for name, each in BY_NAME.items() if each.todo_for in HOLDERS),
    )
    names = tuple(name for name, each in BY_NAME.items() if each.todo_for in school)
    return [*of_branches, *_everywhere(session, asked, last_stage=lambda each: each.asked_until, processes="", names=names)]


MOST_TODOS = 1000


_ME_OR_WHOM_I_STAND_FOR = """r.person_id = %(me)s or exists (
    select from substitute s join process q on q.branch_id = s.branch_id
    where q.id = r.process_id and s.substitute_id = %(me)s and s.person_id = r.person_id
        and %(today)s between s.starts_on and s.ends_on and s.ended_at is null)"""


_COUNTED = """
    select e.requirement, e.process_id, r.person_id, grouping(r.person_id) = 1 as of_branch, count(distinct e.subject_id) as subjects
    from ({rows}) e
    left join participant r on r.process_id = e.process_id and (r.person_id = e.person_id or e.person_id is null and ({holder}))
    where not e.waived
    group by grouping sets ((e.requirement, e.process_id), (e.requirement, e.process_id, r.person_id))"""


def duties(session: Session, processes: Sequence[Process]) -> dict[tuple[int, int | None], dict[str, int]]:
    """How many subjects of each requirement block: by process and person who must act, and by process and None for the whole branch.

    One query over all of them. Signs are left out: they show in the exceptions and beside the form, not in letters.
    """
    asked = {process.id: _asked_now(process) for process in processes}
    names = tuple(name for name in BY_NAME if any(name in each for each in asked.values()))
    if not names:
        return {}
    ids = {kind: [process.id for process in processes if process.kind is kind] for kind in Kind}
    of_kind = [
        f"{_evaluation(ours)} where m.process_id = any(%({kind.value})s::bigint[])"
        for kind in Kind
        if (ours := tuple(name for name in names if BY_NAME[name].kind is kind))
    ]
    sql = _COUNTED.format(rows=" union all ".join(of_kind), holder=_holder("e"))
    rows = _run(session, sql, {kind.value: numbers for kind, numbers in ids.items()})
    counted: dict[tuple[int, int | None], dict[str, int]] = {}
    for row in sorted(rows, key=lambda row: names.index(row.requirement)):
        if row.requirement in asked[row.process_id] and (row.of_branch or row.person_id is not None):
            counted.setdefault((row.process_id, None if row.of_branch else row.person_id), {})[row.requirement] = row.subjects
    return counted


def _asked_now(process: Process) -> frozenset[str]:
    """The blocking requirements that to-dos and letters of a process's stage include."""
    here = STAGES[process.kind].index(process.stage)
    order = STAGES[process.kind].index
    return frozenset(each.name for each in REQUIREMENTS[process.kind] if each.blocks and order(each.asked_from) <= here <= order(each.asked_until))


def _holder(row: str) -> str:
    """That the roll's line ``r`` holds the role which must act on a missing row, as SQL."""
    by_role: dict[Role, list[str]] = {}
    for each in BY_NAME.values():
        if each.todo_for in HOLDERS:
            by_role.setdefault(each.todo_for, []).append(each.name)
    return " or ".join(
        f"({row}.requirement = any(array[{', '.join(repr(name) for name in names)}]) and {HOLDERS[role]})" for role, names in by_role.items()
    )


def requirements_of(kind: Kind, stage: Stage) -> tuple[Requirement, ...]:
    return tuple(each for each in REQUIREMENTS[kind] if each.stage is stage)


def _place(process: Process) -> Place:
    branch, cycle = process.branch, process.cycle
    return Place(process.kind, cycle.year, branch.code, branch.name, branch.unit_name, process.due_on, cycle.plan["clauses"])


def _unmet(row: Any, at: Place) -> Unmet:
    return Unmet(BY_NAME[row.requirement], row.process_id, at, _subjects(row.open), _subjects(row.waived))


def _subjects(rows: Sequence[Sequence[Any]]) -> tuple[Subject, ...]:
    return tuple(sorted(Subject(*row) for row in rows))
