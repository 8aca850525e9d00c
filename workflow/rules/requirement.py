"""A requirement is a query for what is missing (要求).

The gate, the explanation, the to-do list, the letters and the exceptions all come from it. A clause
of the plan becomes one decorated function that returns a SELECT. No rows: the clause is met. Its
columns are always

    process_id bigint, subject_id text, subject_name text, person_id bigint, amount int

* the *subject* is what is missing: a member (学工号), a pair ``a:b`` with a < b, a title, a record's
  id, or ``''`` for the branch;
* the *person* is the one who must act; null means every holder of ``todo_for`` on that roll. When
  either of two may act there is a row for each: code that counts subjects counts them once;
* the *amount* is how much is missing; a waiver covers no more than it was given for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Integer,
    Select,
    TableValuedAlias,
    Text,
    and_,
    cast,
    column,
    exists,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, array
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, aliased, mapped_column

from workflow.foundation.database import Base
from workflow.foundation.errors import Words
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import KIND_OF, Kind, Role, Severity, Stage, Waivable
from workflow.people.access import Action
from workflow.rules.evidence import STANDING, Evidence
from workflow.year.cycle import Participant, Process

Missing = Select[int, str, str, int | None, int]


class _Today(ColumnElement[date]):
    inherit_cache = True
    type = Date()


@compiles(_Today)
def _compile_today(element: _Today, compiler: object, **_: Any) -> str:
    return "cast(%(today)s as date)"


TODAY = _Today()
"""The local day for which a sign is asked.

The evaluation is compiled once and given the day each time. A requirement that blocks must not ask
for the day.
"""


@dataclass(frozen=True)
class Requirement:
    """A clause as software: the plan's sentence, its stage, its weight, its role, and the query."""

    clause: str
    name: str
    """The function's name: unique, and what waivers refer to."""
    stage: Stage
    severity: Severity
    todo_for: Role
    waivable: Waivable
    words: Words
    """The message; ``{count}`` and ``{names}`` are filled with what is missing."""
    sentence: str
    """The plan's sentence of 2024; the cycle's own stands in its plan."""
    asked_from: Stage
    """The first stage whose to-dos and letters include it."""
    asked_until: Stage
    """The last stage whose to-dos and letters include it.

    It is later than its own stage if the clause goes on after that (follow-through).
    """
    link: str
    """The page to mend it: below the branch's address, or with a leading slash below the year's."""
    query: Callable[[], Missing]
    after_the_year: bool = False
    """True if the office is shown it when the year is closed too: the matter goes on."""
    approval_setting: str | None = None
    """The setting of the year that makes the office's approval of a reason necessary.

    None: a reason always needs it, where the clause asks for approval.
    """

    @property
    def kind(self) -> Kind:
        """Return the kind of process that it is asked of: the kind of its stage."""
        return KIND_OF[self.stage]

    @property
    def blocks(self) -> bool:
        return self.severity is not Severity.SIGN

    def needs_approval(self, settings: Mapping[str, object]) -> bool:
        """Tell whether a reason covers nothing until the office has agreed to it."""
        asked = self.waivable is Waivable.WHOLE_WITH_APPROVAL
        return asked and (self.approval_setting is None or bool(settings[self.approval_setting]))


def requirement(
    clause: str,
    *,
    stage: Stage,
    severity: Severity,
    todo_for: Role,
    zh: str,
    en: str,
    link: str,
    waivable: Waivable = Waivable.NO,
    asked_from: Stage | None = None,
    asked_until: Stage | None = None,
    approval_setting: str | None = None,
    after_the_year: bool = False,
) -> Callable[[Callable[[], Missing]], Requirement]:
    """Declare a requirement.

    Nothing registers itself: the kind's ``REQUIREMENTS`` tuple lists it.
    """

    def declare(query: Callable[[], Missing]) -> Requirement:
        return Requirement(
            clause=clause,
            name=query.__name__,
            stage=stage,
            severity=severity,
            todo_for=todo_for,
            waivable=waivable,
            words=Words(zh, en),
            sentence=(query.__doc__ or "").strip().partition("\n")[0],
            asked_from=asked_from or stage,
            asked_until=asked_until or stage,
            link=link,
            query=query,
            after_the_year=after_the_year,
            approval_setting=approval_setting,
        )

    return declare


def missing(
    process_id: ColumnElement[int] | Any,
    *,
    subject: Any = "",
    name: Any = "",
    person: Any = None,
    amount: Any = 1,
) -> Missing:
    """Make the SELECT of a requirement, each column in its type.

    One int4 in one arm of the union loses the index for all arms.
    """
    return select(
        cast(process_id, BigInteger).label("process_id") if isinstance(process_id, int) else process_id.label("process_id"),
        cast(subject if not isinstance(subject, str) else literal(subject), Text).label("subject_id"),
        cast(name if not isinstance(name, str) else literal(name), Text).label("subject_name"),
        (cast(null(), BigInteger) if person is None else cast(person, BigInteger)).label("person_id"),
        cast(amount, Integer).label("amount"),
    )


def blanks(fields: Mapping[str, tuple[str, ColumnElement[bool]]]) -> TableValuedAlias:
    """Make a row for each field of a record: (field, zh, blank).

    It has the field's Chinese name, and true in ``blank`` if the field is blank. Join it on true.
    """
    columns = (
        array([literal(name) for name in fields]),
        array([literal(zh) for zh, _ in fields.values()]),
        array([blank for _, blank in fields.values()]),
    )
    return (
        func.unnest(*columns)
        .table_valued(column("field", Text), column("zh", Text), column("blank", Boolean), name="blanks", joins_implicitly=True)
        .render_derived()
    )


def present(*, excused_count: bool = False) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a person is still on the roll.

    ``left_on`` takes a person out of everything, a confirmed excuse out of some clauses.
    """
    on_roll: ColumnElement[bool] = Participant.left_on.is_(None)
    return (on_roll,) if excused_count else (on_roll, Participant.excused_confirmed_by.is_(None))


def in_a_former_branch(line: type[Participant], has: Callable[[type[Participant]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Ask something of the lines that a person had in other branches of the same year.

    What was recorded of somebody who moves, or whose branch is merged, stays where it was made, and
    counts. ``has`` takes the former line. Those who did not move are not looked for.
    """
    former, there, here = aliased(Participant), aliased(Process), aliased(Process)
    same_year = (there.id == former.process_id, here.id == line.process_id, there.cycle_id == here.cycle_id, there.kind == here.kind)
    theirs = exists().where(former.person_id == line.person_id, former.process_id != line.process_id, *same_year, has(former))
    return and_(line.joined_on.is_not(None), theirs.correlate(line))


@tracked()
class Waiver(Evidence, Base):
    """A reason accepted in place of a requirement (情况说明).

    It covers the subjects it names and no later ones, and no greater amount. Withdrawn by the
    branch or rejected by the office it covers nothing; if it needs the office's approval, it covers
    nothing until it has that. It outlives rounds and is shown wherever its clause is shown.
    """

    __tablename__ = "waiver"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(covers) = 'object'", name="covers"),
        Index("ix_waiver_covering", "process_id", "requirement", postgresql_where=STANDING),
    )

    requirement: Mapped[str]
    covers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The covered subjects, each with the amount it was given for."""
    names: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The covered subjects, each with its name on that day, for papers and lists."""
    reason: Mapped[str]
    needs_approval: Mapped[bool]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    excuse_of_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("person.id"), sort_order=100)
    """The person with whose excuse the office gave it; it ends with that excuse."""

    @hybrid_property
    def stands(self) -> bool:
        """Tell whether it covers anything: it counts, and has the approval that it needs."""
        return self.counts and (self.approved_at is not None or not self.needs_approval)

    @stands.inplace.expression
    @classmethod
    def _stands(cls) -> ColumnElement[bool]:
        return and_(cls.counts, or_(cls.approved_at.is_not(None), ~cls.needs_approval))


personal(
    Waiver,
    Area.YEAR,
    "情况说明",
    Data("covers 涉及谁, names 他们的姓名, reason 理由, excuse_of_id 随谁的不参加一并免除", "缺什么、为什么可以放行", Action.READ_PROCESS),
    of="还缺的人，登记人，批准人",
    other="requirement needs_approval",
)
