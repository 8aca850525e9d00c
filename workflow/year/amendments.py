"""Amendments (补充通知): additions to the plan of a published year, numbered, dated, with a reason.

The plan and the days on the cycle's row are those that hold, so that all code goes on reading one
place. An amendment's own row says what it added, and what stood there before. It never takes
anything away, and no day comes earlier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from workflow.foundation.database import Base, Json, Numbered, any_of
from workflow.foundation.errors import Conflict, Exists, Invalid, NotFound, Words
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import KIND_OF, STAGES, CycleStatus, Kind, Stage, local_day
from workflow.people.access import Action
from workflow.people.organisation import Branch
from workflow.year.cycle import Cycle, Process, must_be_running
from workflow.year.deadlines import STAGES_WITH_A_DAY, change_deadlines, checked_deadlines, has_passed, must_be_about_the_year
from workflow.year.plan_values import bare_title


@tracked()
class Amendment(Numbered, Base):
    """One notice that adds to the plan of a year (补充通知)."""

    __tablename__ = "amendment"
    __table_args__ = (UniqueConstraint("cycle_id", "number"),)

    cycle_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("cycle.id"))
    number: Mapped[str]
    """文号, as the notice has it."""
    issued_on: Mapped[date]
    reason: Mapped[str]
    required_reading: Mapped[list[str]] = mapped_column(JSONB)
    """Titles that it adds to the required reading, without 《》."""
    deadlines: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Stage to its later ISO day."""
    texts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Clause, stage or ``guiding_text`` to the words that it adds to the plan's own."""
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The ``deadlines`` and ``texts`` as they stood before it."""
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]

    cycle: Mapped[Cycle] = relationship()


personal(
    Amendment,
    Area.YEAR,
    "补充通知",
    Data("reason 理由", "方案为什么补充（P1）", Action.READ_CYCLES),
    of="登记人，理由说到的人",
    other="number issued_on required_reading deadlines texts before",
)

GUIDING_TEXT = "guiding_text"
READING_CLAUSES = ("E3", "E4")


@dataclass(frozen=True)
class Additions:
    """The content of an amendment: titles, later days, words for texts of the plan."""

    titles: Sequence[str] = ()
    days: Mapping[Stage, date] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


def amend_plan(session: Session, cycle: Cycle, adds: Additions, *, number: str, issued_on: date, reason: str, by: str, now: datetime) -> Amendment:
    """Add to the plan of a published year. The cycle is held.

    Raises Invalid naming each thing that is there already, earlier, or unknown to the plan;
    Conflict unless the year runs; Exists for a number that the year has already.
    """
    _must_only_add(cycle, adds, issued_on, now)
    if cycle.status is CycleStatus.DRAFT:
        zh = f"{cycle.year}年度还是草稿：请直接改方案文件，再重新读取"
        raise Conflict(Words(zh, f"the cycle {cycle.year} is a draft: change its plan and read it again"))
    must_be_running(cycle)
    if session.scalar(select(Amendment.id).where(Amendment.cycle_id == cycle.id, Amendment.number == number)) is not None:
        raise Exists(Words(f"{cycle.year}年度已有补充通知 {number}", f"the cycle {cycle.year} has an amendment {number} already"))
    before = texts_of(cycle.plan)
    row = Amendment(
        cycle=cycle,
        number=number,
        issued_on=issued_on,
        reason=reason,
        required_reading=list(adds.titles),
        deadlines={stage.value: day.isoformat() for stage, day in adds.days.items()},
        texts=dict(adds.texts),
        before={
            "deadlines": {stage.value: cycle.deadlines.get(stage.value) for stage in adds.days},
            "texts": {key: before[key] for key in adds.texts},
        },
        recorded_by=by,
        recorded_at=now,
    )
    session.add(row)
    cycle.plan = _amended(cycle.plan, adds, number)
    if adds.days:
        change_deadlines(session, cycle, dict(adds.days), seen=cycle.version, now=now)
    else:
        cycle.changed_at = now
        cycle.version += 1
    session.flush()
    return row


def texts_of(plan: Json) -> dict[str, str]:
    """Return the texts of a kept plan that words can be added to.

    They are the guiding text, the opening sentence of each stage, and the clauses' sentences.
    Names, the theme and the form's title are not among them: records and papers are compared with
    them, and words added there would make finished ones wrong.
    """
    openings = {each["stage"]: each["opening"] for each in plan["stages"]}
    return {GUIDING_TEXT: plan[GUIDING_TEXT], **openings, **plan["clauses"]}


def _amended(plan: Json, adds: Additions, number: str) -> Json:
    """Return the plan with the additions; the words of the plan stay in front of the new ones."""
    plan = deepcopy(plan)
    plan["rules"]["required_reading"] += adds.titles
    before = texts_of(plan)
    texts = {key: f"{before[key]}（{number}补充：{text}）" for key, text in adds.texts.items()}
    plan[GUIDING_TEXT] = texts.get(GUIDING_TEXT, plan[GUIDING_TEXT])
    for each in plan["stages"]:
        each["opening"] = texts.get(each["stage"], each["opening"])
    plan["clauses"] |= {clause: texts[clause] for clause in plan["clauses"].keys() & texts.keys()}
    return plan


# ── nothing but additions ─────────────────────────────────────────────────────────────────────────────────────────────


def _must_only_add(cycle: Cycle, adds: Additions, issued_on: date, now: datetime) -> None:
    """Raise Invalid with everything in an amendment that is no addition."""
    must_be_about_the_year(cycle, "issued_on", issued_on)
    faults = {**_wrong_titles(cycle, adds.titles), **_wrong_days(cycle, adds.days, now), **_wrong_texts(cycle, adds.texts)}
    if issued_on > local_day(now):
        faults["issued_on"] = Words(f"{issued_on} 还没有到", f"{issued_on} is still to come")
    if not (adds.titles or adds.days or adds.texts):
        zh = "补充通知没有补充内容：请写新增的必读文件、推迟的期限或补充的文字"
        faults["required_reading"] = Words(zh, "the amendment adds nothing: give more reading, later days or texts")
    if faults:
        raise Invalid(faults)
    checked_deadlines({**{stage: cycle.deadline(stage) for stage in STAGES_WITH_A_DAY}, **adds.days})


def _wrong_titles(cycle: Cycle, titles: Sequence[str]) -> dict[str, Words]:
    if titles and not any(cycle.asks(clause) for clause in READING_CLAUSES):
        zh = "本年度方案不要求集中学习（E3、E4），新增必读文件不会检查"
        return {"required_reading.add": Words(zh, "the plan of this year asks no reading (E3, E4)")}
    required = cycle.plan["rules"]["required_reading"]
    wrong = {}
    for place, title in enumerate(titles):
        if title in required or title in titles[:place]:
            wrong[f"required_reading.add.{place}"] = Words(f"《{title}》已经是必读文件", f"{title} is required reading already")
        elif bare_title(title) != title or not title:
            wrong[f"required_reading.add.{place}"] = Words("不像是文件标题", "not a title of a document")
    return wrong


def _wrong_days(cycle: Cycle, days: Mapping[Stage, date], now: datetime) -> dict[str, Words]:
    wrong = {}
    for stage, day in days.items():
        present = cycle.deadline(stage)
        if present is None:
            zh = f"“{stage.zh}”没有单独的期限，补充通知只推迟已有的期限"
            wrong[f"deadlines.{stage.value}"] = Words(zh, f"{stage.value} has no day of its own; an amendment only moves days to later ones")
        elif day <= present:
            zh = f"补充通知只能推迟期限：“{stage.zh}”现在是 {present}"
            wrong[f"deadlines.{stage.value}"] = Words(zh, f"an amendment only moves days to later ones: {stage.value} is {present} now")
        elif has_passed(day, now):
            wrong[f"deadlines.{stage.value}"] = Words(f"{day} 已经过去", f"{day} is over already")
    return wrong


def _wrong_texts(cycle: Cycle, texts: Mapping[str, str]) -> dict[str, Words]:
    known = texts_of(cycle.plan)
    wrong = {}
    for key in texts:
        if not cycle.asks(key):
            wrong[f"texts.{key}"] = Words(f"本年度不要求 {key}", f"the plan of this year does not ask {key}")
        elif key not in known:
            zh = "方案里没有这一条款、环节或文字；可以补充的有 guiding_text、各环节和各条款"
            wrong[f"texts.{key}"] = Words(zh, "no clause, stage or text of the plan; there are guiding_text, the stages and the clauses")
    return wrong


# ── readings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def amendments_of(session: Session, cycle_ids: Sequence[int], *, after: int = 0, limit: int | None = None) -> Sequence[Amendment]:
    """List the amendments of years in the order they were recorded."""
    mine = (any_of(Amendment.cycle_id, cycle_ids), Amendment.id > after)
    return session.scalars(select(Amendment).where(*mine).order_by(Amendment.id).limit(limit)).all()


def added_titles(session: Session, cycle_id: int) -> set[str]:
    """Return the titles that amendments added to the required reading of a year."""
    lists = session.scalars(select(Amendment.required_reading).where(Amendment.cycle_id == cycle_id))
    return {title for titles in lists for title in titles}


def amendment_of(session: Session, cycle: Cycle, number: int) -> Amendment:
    """Find one amendment of a year by its row's number. Raises NotFound."""
    row = session.scalar(select(Amendment).where(Amendment.cycle_id == cycle.id, Amendment.id == number))
    if row is None:
        raise NotFound
    return row


class Touched(NamedTuple):
    """A process that an amendment reaches."""

    code: str
    name: str
    unit: str
    kind: Kind
    stage: Stage
    reading: str | None
    """``asked`` until it has left the study, then ``sign`` until it is accepted; else None."""
    due_on: date | None
    due_before: date | None


def due_days(session: Session, cycle: Cycle) -> dict[int, date | None]:
    """Return the day of each process of a year."""
    rows = session.execute(select(Process.id, Process.due_on).where(Process.cycle_id == cycle.id))
    return {row.id: row.due_on for row in rows}


def touched_by(session: Session, cycle: Cycle, row: Amendment, due_before: Mapping[int, date | None]) -> list[Touched]:
    """List the processes that an amendment reaches, by branch code.

    They are those that the new titles are asked of or shown to, and those whose day has changed
    since ``due_before``.
    """
    columns = (Branch.code, Process.branch_name, Process.unit_name, Process.kind, Process.stage, Process.due_on, Process.id)
    rows = session.execute(
        select(*columns)
        .join(Branch, Branch.id == Process.branch_id)
        .where(Process.cycle_id == cycle.id, Process.ended_at.is_(None))
        .order_by(Branch.code, Process.id)
    )
    found = []
    for code, name, unit, kind, stage, due_on, id_ in rows:
        reading = _reading_of(kind, stage) if row.required_reading else None
        if reading is not None or due_on != due_before.get(id_):
            found.append(Touched(code, name, unit, kind, stage, reading, due_on, due_before.get(id_)))
    return found


def _reading_of(kind: Kind, stage: Stage) -> str | None:
    """Tell whether new titles are asked of a process, or shown to it as a sign."""
    if kind is not KIND_OF[Stage.STUDY] or stage is STAGES[kind][-1]:
        return None
    order = STAGES[kind].index
    return "asked" if order(stage) <= order(Stage.STUDY) else "sign"
