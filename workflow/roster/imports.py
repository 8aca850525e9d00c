"""Importing a roster (导入名册): a preview with every problem and every change, then all or nothing.

Preview and apply look at the same ``RosterChanges``. Applying again finds nothing left to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base, any_of
from workflow.foundation.errors import Words
from workflow.foundation.fields import Sent
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Post, local_day
from workflow.machine.rolls import rolls_follow
from workflow.people.access import Action
from workflow.people.accounts import Account
from workflow.people.organisation import Appointment, Branch, Person
from workflow.roster.checks import Roster, RosterBranch, RosterMember
from workflow.roster.workbook import Reading, read_workbook
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
    Done,
)
from workflow.workbooks.imports import Upload, WorkbookImport, import_by_id, keep_import, mark_applied, must_be_applicable, tracked_import
from workflow.year.opening import plan_quoted
from workflow.year.plan import branch_sizes_of

BRANCH_FIELDS = ("name", "unit_code", "unit_name", "has_committee")
PERSON_FIELDS = ("name", "email", "standing", "cadre")


@tracked_import
class RosterImport(WorkbookImport, Base):
    """A roster's workbook as it was read (名册导入)."""

    __tablename__ = "roster_import"
    called = Words("名册", "roster")

    roster: Mapped[dict[str, Any]] = mapped_column(JSONB)


personal(
    RosterImport,
    Area.PEOPLE,
    "名册导入",
    Data(
        "file_name 文件名, problems 核对出的问题（有填错的内容）, summary 会改动什么（有转移、离开的人的姓名）",
        "核对以后写入名册",
        Action.IMPORT_ROSTER,
    ),
    Data("roster 要写入的名册", "写入，可以再次写入", "无人；写入时用", "有错误的不留，其余尚不清理"),
    of="名册中的人，导入的人",
    other="applicable",
)


@dataclass(frozen=True)
class RosterPost:
    """A post in a branch, as the roster gives it."""

    staff_no: str
    branch_code: str
    post: Post
    title: str | None
    on_committee: bool


@dataclass(frozen=True)
class RosterChanges:
    """The changes that applying a roster would make."""

    branches: Sequence[RosterBranch]
    """New branches, and those whose name or unit differs."""
    new_branches: frozenset[str]
    people: Sequence[RosterMember]
    """New people, and those whose line differs."""
    new_people: frozenset[str]
    moved: Sequence[tuple[str, str, str, str]]
    """The moved people: 学工号, name, from, to."""
    gone: Sequence[tuple[str, str, str]]
    """The people who are gone: 学工号, name, from."""
    given: frozenset[RosterPost]
    ended: Mapping[RosterPost, int]
    """Seats that the roster no longer names, with their appointment."""

    @property
    def summary(self) -> dict[str, object]:
        """Return the changes in numbers and names, for the preview."""
        return {
            "new_branches": sorted(self.new_branches),
            "changed_branches": sorted(each.code for each in self.branches if each.code not in self.new_branches),
            "new_members": len(self.new_people),
            "changed_members": len(self.people) - len(self.new_people),
            "moved": [{"staff_no": staff_no, "name": name, "from": old, "to": new} for staff_no, name, old, new in self.moved],
            "gone": [{"staff_no": staff_no, "name": name, "from": old} for staff_no, name, old in self.gone],
            "posts_given": len(self.given),
            "posts_ended": len(self.ended),
        }


def changes(session: Session, roster: Roster) -> RosterChanges:
    """Compare a roster with the organisation, in three queries."""
    branches = {row.code: row for row in session.scalars(select(Branch))}
    codes = {row.id: row.code for row in branches.values()}
    people = {row.staff_no: row for row in session.scalars(select(Person))}
    listed = {member.staff_no: member for member in roster.members}
    standing_seats = {
        RosterPost(
            row.Person.staff_no, codes[row.Appointment.branch_id], row.Appointment.post, row.Appointment.title, row.Appointment.on_committee
        ): (row.Appointment.id)
        for row in session.execute(
            select(Appointment, Person).join(Appointment.person).where(Appointment.post.is_not(None), Appointment.ends_on.is_(None))
        )
    }
    seats = frozenset(
        RosterPost(member.staff_no, member.branch_code, member.post, member.title, member.on_committee_sheet)
        for member in roster.members
        if member.post is not None
    )
    was_in = {staff_no: codes[row.branch_id] for staff_no, row in people.items() if row.branch_id is not None}
    return RosterChanges(
        branches=[each for each in roster.branches if each.code not in branches or _differs(each, branches[each.code], BRANCH_FIELDS)],
        new_branches=frozenset(each.code for each in roster.branches if each.code not in branches),
        people=[
            each
            for each in roster.members
            if each.staff_no not in people or was_in.get(each.staff_no) != each.branch_code or _differs(each, people[each.staff_no], PERSON_FIELDS)
        ],
        new_people=frozenset(each.staff_no for each in roster.members if each.staff_no not in people),
        moved=[
            (each.staff_no, each.name, was_in[each.staff_no], each.branch_code)
            for each in roster.members
            if each.staff_no in was_in and was_in[each.staff_no] != each.branch_code
        ],
        gone=[(staff_no, people[staff_no].name, code) for staff_no, code in sorted(was_in.items()) if staff_no not in listed],
        given=seats - standing_seats.keys(),
        ended={seat: number for seat, number in standing_seats.items() if seat not in seats},
    )


def _differs(new: object, old: object, fields: Sequence[str]) -> bool:
    return any(getattr(new, name) != getattr(old, name) for name in fields)


def preview_import(session: Session, reading: Reading, *, file_name: str, by: str, now: datetime) -> RosterImport:
    """Keep the content of a workbook, with its problems and the changes it will make.

    Changes nothing else. Of a workbook with errors only the problems are kept: nobody can apply it.
    """
    roster = reading.roster
    counts = {"branches": len(roster.branches), "members": len(roster.members), "committees": sum(each.has_committee for each in roster.branches)}
    return keep_import(
        session,
        RosterImport(roster=(roster if reading.applicable else Roster()).as_json()),
        file_name=file_name,
        problems=reading.problems,
        summary={**counts, **(changes(session, roster).summary if reading.applicable else {})},
        applicable=reading.applicable,
        by=by,
        now=now,
    )


def apply_import(session: Session, row: RosterImport, *, by: str, now: datetime) -> RosterChanges:
    """Change the organisation to the roster, and the rolls of all processes not yet filed with it.

    All or nothing. Raises Conflict while it has errors. May be repeated: rows that are in step
    already are not touched.
    """
    must_be_applicable(row)
    session.execute(text("select pg_advisory_xact_lock(hashtext('zhibu.roster'))"))
    roster = Roster.from_json(row.roster)
    found = changes(session, roster)
    today = local_day(now)
    _write_branches(session, found)
    _write_people(session, found, now)
    _write_posts(session, found, today)
    mark_applied(row, by=by, now=now)
    session.flush()
    rolls_follow(session, now=now)
    return found


def _write_branches(session: Session, found: RosterChanges) -> None:
    if not found.branches:
        return
    statement = insert(Branch)
    session.execute(
        statement.on_conflict_do_update(index_elements=["code"], set_={name: statement.excluded[name] for name in BRANCH_FIELDS}),
        [{"code": each.code, **{name: getattr(each, name) for name in BRANCH_FIELDS}} for each in found.branches],
    )


def _write_people(session: Session, found: RosterChanges, now: datetime) -> None:
    numbers = {code: number for number, code in session.execute(select(Branch.id, Branch.code))}
    if found.gone:
        session.execute(update(Person).where(any_of(Person.staff_no, [staff_no for staff_no, _, _ in found.gone])).values(branch_id=None))
    if not found.people:
        return
    statement = insert(Person)
    session.execute(
        statement.on_conflict_do_update(index_elements=["staff_no"], set_={name: statement.excluded[name] for name in ("branch_id", *PERSON_FIELDS)}),
        [
            {"staff_no": each.staff_no, "branch_id": numbers[each.branch_code], **{name: getattr(each, name) for name in PERSON_FIELDS}}
            for each in found.people
        ],
    )
    members = select(Person.id).where(any_of(Person.staff_no, [each.staff_no for each in found.people]))
    session.execute(
        insert(Account).on_conflict_do_nothing(),
        [{"person_id": number, "password_hash": None, "created_at": now, "disabled_at": None} for number in session.scalars(members)],
    )


def _write_posts(session: Session, found: RosterChanges, today: date) -> None:
    """End the posts that the roster no longer names, and give those that it newly names.

    Yesterday is the last day of the former, today the first day of the latter.
    """
    if found.ended:
        session.execute(update(Appointment).where(any_of(Appointment.id, list(found.ended.values()))).values(ends_on=today - timedelta(days=1)))
    if found.given:
        branch_ids = {code: number for number, code in session.execute(select(Branch.id, Branch.code))}
        wanted = sorted(found.given, key=lambda seat: (seat.branch_code, seat.staff_no))
        person_ids = {
            staff_no: number
            for number, staff_no in session.execute(
                select(Person.id, Person.staff_no).where(any_of(Person.staff_no, [seat.staff_no for seat in wanted]))
            )
        }
        session.execute(
            insert(Appointment),
            [
                {
                    "person_id": person_ids[seat.staff_no],
                    "branch_id": branch_ids[seat.branch_code],
                    "post": seat.post,
                    "role": None,
                    "title": seat.title,
                    "on_committee": seat.on_committee,
                    "starts_on": today,
                    "ends_on": None,
                }
                for seat in wanted
            ],
        )


def _import(call: Call[object], import_id: int) -> RosterImport:
    return import_by_id(call.session, RosterImport, import_id, for_update=True)


def _preview(call: Call[object], file: Upload) -> RosterImport:
    sizes = branch_sizes_of(plan_quoted(call.session))
    reading = read_workbook(file.data, today=call.today, sizes=sizes)
    return preview_import(call.session, reading, file_name=file.name, by=call.actor, now=call.now)


def _apply(call: Call[RosterImport], sent: Sent) -> Done:
    return Done([call.on], {"changed": apply_import(call.session, call.on, by=call.actor, now=call.now).summary})


PREVIEW: Act[Any, RosterImport] = Act(
    "preview_roster", "核对名册", "read a roster without changing anything", Action.IMPORT_ROSTER, _preview, uploads=RosterImport
)
APPLY: Act[RosterImport, Done] = Act("apply_roster", "写入名册", "apply a roster", Action.IMPORT_ROSTER, _apply, on=_import)
ACTS: tuple[AnyAct, ...] = (PREVIEW, APPLY)
