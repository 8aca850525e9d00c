"""出勤 (attendance): the sheet of an activity (出勤表), first read, then applied as a whole.

The plan: 参加党员教育学习、文明创建、志愿服务等集中活动的出勤及表现情况。

People count for the branch on whose roll they are now. If they moved after their old branch was
decided, they are on two rolls, as the old one stays: their line stays where it was summarised, and
a new one goes to the branch that still collects. A summarised branch does not change: a sheet may
only repeat its lines. A later sheet replaces the attendance of its activity whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, delete, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.assessment.activities import Activity, Attendance, activity_of, held_activity, must_be_collecting
from workflow.foundation.database import Base, any_of
from workflow.foundation.errors import Conflict, NotFound, Words
from workflow.foundation.fields import Sent
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import CycleStatus, Kind, Presence, Stage, local_day
from workflow.people.access import Action, Caller
from workflow.people.organisation import Person
from workflow.rules.acts import Act, AnyAct, Call, Done
from workflow.rules.evidence import must_stand
from workflow.workbooks import cells
from workflow.workbooks.cells import Cell, CellFault, quoted
from workflow.workbooks.imports import Upload, WorkbookImport, import_by_id, keep_import, mark_applied, must_be_applicable, tracked_import
from workflow.workbooks.sheets import ROWS_NAMED, Column, SheetForm, SheetProblem, has_errors, in_order, read_sheets, rows_named
from workflow.year.cycle import Cycle, Participant, Process, must_be_running
from workflow.year.finding import Lock, cycle_by_year, processes_of

# ── record ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked_import
class AttendanceImport(WorkbookImport, Base):
    """An attendance sheet as it was read (出勤表)."""

    __tablename__ = "attendance_import"
    called = Words("出勤表", "attendance sheet")

    activity_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("activity.id"))
    rows: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """学工号 to presence while it can be applied: empty if it has errors, and once it was applied."""


personal(
    AttendanceImport,
    Area.ASSESSMENT,
    "出勤表导入",
    Data("file_name 文件名, problems 核对出的问题", "核对以后写入出勤（S4）", Action.ASSESS),
    Data("rows 学工号和出勤", "写入", "无人；写入时用", "写入以后清空，有错误的不留"),
    of="表中的人，导入的人",
    other="summary applicable",
)

# ── the sheet ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SHEET = "出勤表"
_WORDS = {**{presence.zh: presence for presence in Presence}, "到": Presence.PRESENT, "√": Presence.PRESENT}
_WORDS |= {"未到": Presence.ABSENT, "×": Presence.ABSENT}


def _presence(cell: Cell) -> Presence | None:
    """Read 出勤情况, in words or as the mark that is made on paper."""
    words = cells.text(cell)
    if words is None:
        return None
    if words not in _WORDS:
        raise CellFault(f"出勤情况{quoted(words)}不能识别，应为 {'、'.join(presence.zh for presence in Presence)} 之一")
    return _WORDS[words]


FORMS = {
    SHEET: SheetForm(
        (
            Column("学工号", "staff_no", cells.staff_no, filled=True),
            Column("姓名", "name", cells.person_name),
            Column("所在党支部", "branch_name", cells.text, optional=True),
            Column("出勤情况", "presence", _presence, filled=True),
        ),
        empty="表中没有人员",
        any_name=True,
    )
}


@dataclass(frozen=True)
class SheetRow:
    """A row of the sheet. ``faulty``: headings whose cell or whole column is reported already."""

    row: int
    faulty: frozenset[str] = frozenset()
    staff_no: str | None = None
    name: str | None = None
    branch_name: str | None = None
    presence: Presence | None = None


# ── what a sheet changes ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Home:
    """The branch that a person counts for, and their name on its roll."""

    process_id: int
    branch: str
    stage: Stage
    name: str


@dataclass(frozen=True)
class AttendanceLine:
    """The attendance of one person, as it stands."""

    home: Home
    presence: Presence


@dataclass(frozen=True)
class AttendanceChanges:
    """The changes that a sheet would make."""

    homes: Mapping[str, Home]
    """The people of the sheet who are on a roll of the year, by 学工号."""
    added: Mapping[str, AttendanceLine]
    changed: Mapping[str, AttendanceLine]
    """Lines whose presence or branch differs."""
    removed: Mapping[str, AttendanceLine]
    """Lines of people whom the sheet does not name."""
    before: Mapping[str, AttendanceLine]

    @property
    def summary(self) -> dict[str, int]:
        """The number of changes of each sort, for the preview."""
        return {"added": len(self.added), "changed": len(self.changed), "removed": len(self.removed)}

    @property
    def touched(self) -> Iterator[tuple[str, Home]]:
        """The people whose line changes, with each branch whose attendance changes by it."""
        for staff_no in (*self.changed, *self.removed):
            yield staff_no, self.before[staff_no].home
        for staff_no, line in (*self.added.items(), *self.changed.items()):
            yield staff_no, line.home


def changes(session: Session, activity: Activity, rows: Mapping[str, Presence | None]) -> AttendanceChanges:
    """Compare a sheet (学工号 to presence) with rolls and present lines, in two queries."""
    before = {
        staff_no: AttendanceLine(Home(process_id, branch, stage, name), presence)
        for staff_no, presence, process_id, branch, stage, name in session.execute(
            select(Attendance.staff_no, Attendance.presence, Process.id, Process.branch_name, Process.stage, Person.name)
            .join(Process, Process.id == Attendance.process_id)
            .join(Process.branch)
            .join(Person, Person.staff_no == Attendance.staff_no)
            .where(Attendance.activity_id == activity.id)
        )
    }
    on_rolls: defaultdict[str, list[Home]] = defaultdict(list)
    for staff_no, process_id, branch, stage, name in session.execute(
        select(Person.staff_no, Process.id, Process.branch_name, Process.stage, Participant.name)
        .join(Participant.process)
        .join(Process.branch)
        .join(Participant.person)
        .where(
            Process.cycle_id == activity.cycle_id,
            Process.kind == Kind.ASSESSMENT,
            Participant.left_on.is_(None),
            any_of(Person.staff_no, list(rows)),
        )
    ):
        on_rolls[staff_no].append(Home(process_id, branch, stage, name))
    homes = {staff_no: _home(found, before.get(staff_no)) for staff_no, found in on_rolls.items()}
    wanted = {
        staff_no: AttendanceLine(homes[staff_no], presence) for staff_no, presence in rows.items() if presence is not None and staff_no in homes
    }
    return AttendanceChanges(
        homes=homes,
        added={staff_no: line for staff_no, line in wanted.items() if staff_no not in before},
        changed={staff_no: line for staff_no, line in wanted.items() if staff_no in before and _differs(line, before[staff_no])},
        removed={staff_no: line for staff_no, line in before.items() if staff_no not in rows},
        before=before,
    )


def _home(on_rolls: Sequence[Home], before: AttendanceLine | None) -> Home:
    """Choose the roll on which a person counts: their line's, or one that still collects."""
    stands_in = before.home.process_id if before is not None else None
    return max(on_rolls, key=lambda home: (home.process_id == stands_in, home.stage is Stage.COLLECTING, home.process_id))


def _differs(line: AttendanceLine, before: AttendanceLine) -> bool:
    return (line.presence, line.home.process_id) != (before.presence, before.home.process_id)


# ── preview ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def preview_attendance(
    session: Session, cycle: Cycle, activity: Activity, data: bytes, *, file_name: str, by: Caller, now: datetime
) -> AttendanceImport:
    """Keep a sheet, its problems and what it will change. Change nothing else.

    Raises Conflict unless the year is published and the activity stands.
    """
    must_be_running(cycle)
    if cycle.status is CycleStatus.DRAFT:
        raise Conflict(Words(f"{cycle.year}年度还没有发布，没有名册可以核对", f"the cycle {cycle.year} is not published: there are no rolls yet"))
    must_stand(activity)
    tables, problems = read_sheets(data, FORMS)
    table = tables[SHEET]
    lines = [SheetRow(**row) for row in table.rows]
    rows = {line.staff_no: line.presence for line in lines if line.staff_no}
    found = changes(session, activity, rows)
    problems += _check(activity, lines, found)
    problems += _summarised(lines, found, whole=table.whole and not has_errors(problems))
    applicable = not has_errors(problems)
    count = Counter(line.presence for line in lines)
    summary = {
        "expected": len(lines),
        **{presence.value: count[presence] for presence in Presence},
        "branches": len({home.process_id for home in found.homes.values()}),
        **({"changes": found.summary} if applicable else {}),
    }
    return keep_import(
        session,
        AttendanceImport(activity_id=activity.id, rows=rows if applicable else {}),
        file_name=file_name,
        problems=in_order(problems, FORMS),
        summary=summary,
        applicable=applicable,
        by=by.staff_no,
        now=now,
    )


def _check(activity: Activity, lines: Sequence[SheetRow], found: AttendanceChanges) -> Iterator[SheetProblem]:
    """Check a sheet against the rolls and against what the activity says."""
    yield from _repeated(lines)
    for line in lines:
        yield from _against_the_roll(line, found.homes)
    if lines and activity.expected not in (None, len(lines)):
        words = f"表中有 {len(lines)} 人，与该活动登记的应到人数 {activity.expected} 不一致"
        yield SheetProblem(SHEET, None, None, "warning", words)


def _repeated(lines: Iterable[SheetRow]) -> Iterator[SheetProblem]:
    of_person: defaultdict[str, list[int]] = defaultdict(list)
    for line in lines:
        if line.staff_no:
            of_person[line.staff_no].append(line.row)
    for staff_no, (first, *again) in of_person.items():
        if again:
            yield SheetProblem(SHEET, again[0], "学工号", "error", f"学工号 {staff_no} 重复，另见{rows_named((first, *again[1:]))}")


def _against_the_roll(line: SheetRow, homes: Mapping[str, Home]) -> Iterator[SheetProblem]:
    if line.staff_no is None:
        return
    home = homes.get(line.staff_no)
    if home is None:
        yield SheetProblem(SHEET, line.row, "学工号", "error", f"学工号 {line.staff_no} 不在本年度任何党支部的考核名册上")
        return
    if line.name is None and "姓名" not in line.faulty:
        yield SheetProblem(SHEET, line.row, "姓名", "warning", f"没有填写姓名，名册上学工号 {line.staff_no} 是{quoted(home.name)}，请核对")
    if line.name is not None and line.name != home.name:
        words = f"学工号 {line.staff_no} 在名册上的姓名是{quoted(home.name)}，这里是{quoted(line.name)}，以名册为准"
        yield SheetProblem(SHEET, line.row, "姓名", "warning", words)
    if line.branch_name is not None and line.branch_name != home.branch:
        words = f"{home.name}在{quoted(home.branch)}的名册上，这里是{quoted(line.branch_name)}，以名册为准"
        yield SheetProblem(SHEET, line.row, "所在党支部", "warning", words)


def _summarised(lines: Sequence[SheetRow], found: AttendanceChanges, *, whole: bool) -> Iterator[SheetProblem]:
    """Find one problem, at its first row, for each summarised branch that would change.

    The people left out by the sheet are known only if the whole sheet was read without a fault.
    """
    places = {line.staff_no: line.row for line in reversed(lines) if line.staff_no}
    of_branch: defaultdict[str, set[str]] = defaultdict(set)
    for staff_no, home in found.touched:
        if home.stage is not Stage.COLLECTING and (staff_no in places or whole):
            of_branch[home.branch].add(staff_no)
    for branch, staff_nos in of_branch.items():
        rows = sorted(places[staff_no] for staff_no in staff_nos if staff_no in places)
        left_out = [found.before[staff_no].home.name for staff_no in sorted(staff_nos) if staff_no not in places]
        also = f"（{rows_named(rows[1:])}同此）" if rows[1:] else ""
        more = f" 等 {len(left_out)} 人" if left_out[ROWS_NAMED:] else ""
        gone = f"；表中没有其已登记的 {'、'.join(left_out[:ROWS_NAMED])}{more}" if left_out else ""
        words = f"{branch}的考核材料已汇总，先退回再补登{also}{gone}"
        yield SheetProblem(SHEET, rows[0] if rows else None, "学工号" if rows else None, "error", words)


# ── apply ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def attendance_import_of(session: Session, activity: Activity, import_id: int, *, held: bool = False) -> AttendanceImport:
    """Find one sheet of an activity, ``held`` to apply it. Raises NotFound."""
    row = import_by_id(session, AttendanceImport, import_id, for_update=held)
    if row.activity_id != activity.id:
        raise NotFound
    return row


def apply_attendance(session: Session, cycle: Cycle, activity: Activity, row: AttendanceImport, *, by: Caller, now: datetime) -> dict[str, int]:
    """Make the attendance of an activity what the sheet says, all or nothing.

    Returns how many lines changed. The activity is held. A sheet is applied once: again it changes
    nothing. Raises Conflict if a later one was applied, for errors, before the activity's day, or
    for people on no roll any more; StageClosed for a summarised branch.
    """
    row.must_be_the_latest(session, AttendanceImport.activity_id == row.activity_id)
    if row.applied_at is not None:
        return {"added": 0, "changed": 0, "removed": 0}
    must_be_applicable(row)
    must_be_running(cycle)
    must_stand(activity)
    if activity.held_on > local_day(now):
        raise Conflict(Words(f"该活动在 {activity.held_on} 举行，还没有到", f"the activity is on {activity.held_on}, which is still to come"))
    # All of the year, before the rolls are read: they must not change between reading and writing.
    processes_of(session, cycle, Kind.ASSESSMENT, lock=Lock.EVIDENCE)
    found = changes(session, activity, {staff_no: Presence(presence) for staff_no, presence in row.rows.items()})
    if gone := [staff_no for staff_no in row.rows if staff_no not in found.homes]:
        names = "、".join(gone)
        raise Conflict(Words(f"核对之后名册有变动，{names} 已不在名册上，请重新上传", f"{names} left the rolls since: upload the sheet again"))
    must_be_collecting(sorted({(home.branch, home.stage) for _, home in found.touched}))
    _write(session, activity, found)
    mark_applied(row, by=by.staff_no, now=now)
    row.rows = {}
    session.flush()
    return found.summary


def _write(session: Session, activity: Activity, found: AttendanceChanges) -> None:
    """Leave equal lines alone, so that the history tells only what changed."""
    if found.removed:
        session.execute(delete(Attendance).where(Attendance.activity_id == activity.id, any_of(Attendance.staff_no, list(found.removed))))
    lines = {**found.added, **found.changed}
    if lines:
        statement = insert(Attendance)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["activity_id", "staff_no"], set_={name: statement.excluded[name] for name in ("process_id", "presence")}
            ),
            [
                {"activity_id": activity.id, "staff_no": staff_no, "process_id": line.home.process_id, "presence": line.presence}
                for staff_no, line in sorted(lines.items())
            ],
        )


# ── acts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

Sheet = tuple[Cycle, Activity, AttendanceImport]


def _activity(call: Call[object], year: int, record_id: int) -> tuple[Cycle, Activity]:
    cycle = cycle_by_year(call.session, year)
    return cycle, activity_of(call.session, cycle, record_id)


def _sheet(call: Call[object], year: int, record_id: int, sheet_id: int) -> Sheet:
    cycle, activity = held_activity(call, year, record_id)
    return cycle, activity, attendance_import_of(call.session, activity, sheet_id, held=True)


def _preview(call: Call[tuple[Cycle, Activity]], file: Upload) -> AttendanceImport:
    cycle, activity = call.on
    return preview_attendance(call.session, cycle, activity, file.data, file_name=file.name, by=call.by, now=call.now)


def _apply(call: Call[Sheet], sent: Sent) -> Done:
    cycle, activity, row = call.on
    return Done([row], {"changed": apply_attendance(call.session, cycle, activity, row, by=call.by, now=call.now)})


PREVIEW: Act[tuple[Cycle, Activity], AttendanceImport] = Act(
    "preview_attendance",
    "核对出勤表",
    "read an attendance sheet without changing anything",
    Action.ASSESS,
    _preview,
    on=_activity,
    uploads=AttendanceImport,
    link="activities",
)
APPLY: Act[Sheet, Done] = Act("apply_attendance", "写入出勤", "apply an attendance sheet", Action.ASSESS, _apply, on=_sheet, link="activities")
ACTS: tuple[AnyAct, ...] = (PREVIEW, APPLY)
