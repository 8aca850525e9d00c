"""The compiler of requirements (要求的求值): makes one SQL statement for many requirements.

The requirements are joined into one UNION ALL with the filter outside and the waivers beside each
row. Each statement is built once and kept: a repeated question is never compiled again. No input is
ever written into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import literal, select, union_all
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.orm import Session

from workflow.foundation.vocabulary import STAGES, Kind, Role, Stage
from workflow.machine.asked import BY_NAME, HOLDERS

Names = tuple[str, ...]

BRANCHES_AT_ONCE = 100
"""The number of branches that a page of exceptions asks at a time until it is full."""


def run(session: Session, sql: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
    """Run a statement of this room.

    The session does not know which tables it reads, so waiting changes are written first.
    """
    session.flush()
    return session.connection().exec_driver_sql(sql, dict(parameters)).all()


# ── of some processes ─────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def of_process(names: Names) -> str:
    """Make a row (requirement, process_id, open, waived) for each unmet requirement.

    For the process ``process_id``.
    """
    return _grouped(f"{_rows(names)} where m.process_id = %(process_id)s")


@cache
def of_processes(names: Names) -> str:
    """Make the rows of ``of_process`` for the processes ``processes``."""
    return _grouped(f"{_rows(names)} where m.process_id = any(%(processes)s::bigint[])")


@cache
def counted(names: Names) -> str:
    """Count the subjects of each requirement that block.

    A row for each process, and one for each person who must act. The processes of each kind are a
    parameter with the kind's name: the requirements of a kind are asked only of its own processes.
    """
    of_kinds = [f"{_rows(ours)} where m.process_id = any(%({kind.value})s::bigint[])" for kind, ours in _by_kind(names).items()]
    return f"""
        select e.requirement, e.process_id, r.person_id, grouping(r.person_id) = 1 as of_branch,
            count(distinct e.subject_id) as subjects
        from ({" union all ".join(of_kinds)}) e
        left join participant r
            on r.process_id = e.process_id and (r.person_id = e.person_id or e.person_id is null and ({_holds_the_role("e")}))
        where not e.waived
        group by grouping sets ((e.requirement, e.process_id), (e.requirement, e.process_id, r.person_id))"""  # noqa: S608


# ── of all processes of published cycles ──────────────────────────────────────────────────────────────────────────────

_OF_UNIT = "b.code >= %(code)s and (%(unit)s::text is null or %(unit)s in (b.unit_code, b.unit_name))"
NEXT_BRANCHES = f"""
    select count(*) as branches, max(code) as last, (select c.status from cycle c where c.year = %(year)s) as status
    from (select b.code from branch b where {_OF_UNIT} order by b.code limit {BRANCHES_AT_ONCE}) b"""  # noqa: S608
"""The next branches of ``unit`` from ``code`` on, and the state of the year."""


_AFTER = "and (b.code, asked.number) > (%(code)s, %(number)s)"
"""The rows after a place in the list: it names branch and requirement, so none is skipped."""


@cache
def of_the_school(names: Names) -> str:
    """Find everything that is missing in ``year`` from ``code`` and ``number`` to ``last``.

    Signs are listed until the branch has reached the last stage: the office looks at them to decide
    on that stage. Of a closed year, ``published`` is the state closed.
    """
    order = tuple(Stage).index
    until = {
        name: each.asked_until if each.blocks else max(each.asked_until, STAGES[each.kind][-2], key=order)
        for name in names
        for each in [BY_NAME[name]]
    }
    return _everywhere(
        until,
        processes=f"and c.year = %(year)s and p.branch_id in (select b.id from branch b where b.code <= %(last)s and {_OF_UNIT})",  # noqa: S608
        groups=_AFTER,
    )


@cache
def of_a_person(names: Names) -> str:
    """Find everything that is missing from the person ``me``.

    These are rows that name them, and rows for every holder of a role that they have on that roll.
    A person who stands in for another today is asked what the other's role is asked, not what is
    asked of the other by name.
    """
    return _everywhere(
        _own_stages(names),
        processes="and p.id in (select r.process_id from participant r where r.person_id = %(me)s and r.left_on is null)",
        rows=f"""and (m.person_id = %(me)s or m.person_id is null and exists (
            select from participant r
            where r.process_id = m.process_id and ({_ME_OR_WHOM_I_STAND_FOR}) and r.left_on is null
                and ({_holds_the_role("m")})))""",
        groups=_AFTER,
    )


@cache
def of_everybody(names: Names) -> str:
    """Find everything that is missing from the holders of a role of the school."""
    return _everywhere(_own_stages(names), groups=_AFTER)


_ME_OR_WHOM_I_STAND_FOR = """r.person_id = %(me)s or exists (
    select from substitute s join process q on q.branch_id = s.branch_id
    where q.id = r.process_id and s.substitute_id = %(me)s and s.person_id = r.person_id
        and %(today)s between s.starts_on and s.ends_on and s.ended_at is null)"""

_PLACE_OF_STAGE = "array_position(array[" + ", ".join(f"'{stage.value}'" for stage in Stage) + "], p.stage::text)"


def _everywhere(until: Mapping[str, Stage], *, processes: str = "", rows: str = "", groups: str = "") -> str:
    """Evaluate the requirements asked at their stage over the processes of published cycles.

    Three conditions, each beginning with ``and``: on processes (p, c), on missing rows (m), on
    grouped rows (b, asked). The processes are an array, because PostgreSQL pushes an array into
    each arm of the union; with a semi-join it would not, and would read every table whole. A plan
    comes once, with the first row of its year.
    """
    order, places = tuple(BY_NAME).index, {stage: number for number, stage in enumerate(Stage, 1)}
    asked = ", ".join(
        f"('{name}', '{each.clause}', {order(name)}, {places[each.asked_from]}, {places[last]})"
        for name, last in until.items()
        for each in [BY_NAME[name]]
    )
    running = f"select p.id from process p join cycle c on c.id = p.cycle_id where c.status = %(published)s and p.ended_at is null {processes}"  # noqa: S608
    of_kinds = [
        f"{_rows(ours)} where m.process_id = any(array({running} and p.kind = '{kind.value}')) {rows}"
        for kind, ours in _by_kind(tuple(until)).items()
    ]
    return f"""
        with dropped as materialized (
            select c.id as cycle_id, jsonb_object_keys(c.plan -> 'not_asked') as clause from cycle c where c.status = %(published)s
        ), page as (
            select e.*, p.kind, p.cycle_id, c.year, b.code, p.branch_name, p.unit_name, p.due_on, asked.number
            from ({_grouped(" union all ".join(of_kinds))}) e
            join process p on p.id = e.process_id join cycle c on c.id = p.cycle_id join branch b on b.id = p.branch_id
            join (values {asked}) as asked(requirement, clause, number, first_stage, last_stage) on asked.requirement = e.requirement
            where e.open <> '[]' and {_PLACE_OF_STAGE} between asked.first_stage and asked.last_stage
                and not exists (select from dropped d where d.cycle_id = p.cycle_id and d.clause = asked.clause) {groups}
            order by b.code, asked.number
            limit %(limit)s
        )
        select page.*, case when row_number() over (partition by cycle_id order by code, number) = 1
            then (select c.plan from cycle c where c.id = cycle_id) end as plan
        from page
        order by code, number"""  # noqa: S608


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _rows(names: Names) -> str:
    """Make a row for each subject that is missing, with true if a reason covers it.

    The caller ends it with a condition on ``m``.
    """
    arms = [select(literal(name).label("requirement"), *BY_NAME[name].query().subquery(name).columns) for name in names]
    rows = str(union_all(*arms).compile(dialect=psycopg.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]
    return f"""
        select m.requirement, m.process_id, m.subject_id, m.subject_name, m.person_id, m.amount, exists (
            select from waiver w
            where w.process_id = m.process_id and w.requirement = m.requirement and w.withdrawn_at is null and w.rejected_at is null
                and (w.approved_at is not null or not w.needs_approval) and (w.covers ->> m.subject_id)::int >= m.amount
        ) as waived
        from ({rows}) m"""  # noqa: S608


def _grouped(rows: str) -> str:
    """Make a row for each process and requirement, with its subjects as JSON."""
    return f"""
        select requirement, process_id,
            coalesce(jsonb_agg(distinct jsonb_build_array(subject_id, subject_name, amount)) filter (where not waived), '[]') as open,
            coalesce(jsonb_agg(distinct jsonb_build_array(subject_id, subject_name, amount)) filter (where waived), '[]') as waived
        from ({rows}) e
        group by requirement, process_id"""  # noqa: S608


def _by_kind(names: Names) -> dict[Kind, Names]:
    """Group these requirements by their kind."""
    of_kind = {kind: tuple(name for name in names if BY_NAME[name].kind is kind) for kind in Kind}
    return {kind: ours for kind, ours in of_kind.items() if ours}


def _own_stages(names: Names) -> dict[str, Stage]:
    return {name: BY_NAME[name].asked_until for name in names}


def _holds_the_role(row: str) -> str:
    """Write the condition that the roll's line ``r`` has the role for a missing row."""
    by_role: dict[Role, list[str]] = {}
    for each in BY_NAME.values():
        if each.todo_for in HOLDERS:
            by_role.setdefault(each.todo_for, []).append(each.name)
    return " or ".join(
        f"({row}.requirement = any(array[{', '.join(repr(name) for name in names)}]) and {HOLDERS[role]})" for role, names in by_role.items()
    )
