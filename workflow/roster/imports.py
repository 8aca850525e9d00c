"""Importing a roster (导入名册): a preview with every problem and every change, then all or nothing.

A workbook is applied once, and none that is older than the last applied: what was seen in its
preview is not so any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from workflow.foundation.database import Base, any_of
from workflow.foundation.errors import Conflict, Invalid, Words
from workflow.foundation.fields import (
    Body,
    Line,
    Sent,
    Whole,
    about,
    many,
)
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import local_day
from workflow.machine.rolls import rolls_follow
from workflow.people.access import Action
from workflow.people.accounts import Account
from workflow.people.organisation import Appointment, Branch, Person, hold_organisation
from workflow.roster.changes import BRANCH_FIELDS, NAMED, RosterChanges, changes
from workflow.roster.checks import Roster, on_members
from workflow.roster.workbook import FORMS, Reading, read_workbook
from workflow.rules.acts import (
    Act,
    AnyAct,
    Call,
    Done,
)
from workflow.workbooks.imports import Upload, WorkbookImport, import_by_id, keep_import, mark_applied, must_be_applicable, tracked_import
from workflow.workbooks.sheets import SheetProblem, in_order
from workflow.year.opening import plan_quoted
from workflow.year.plan import branch_sizes_of


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
        "file_name 文件名, problems 核对出的问题（有填错的内容）, summary 会改动什么（有转移、离开、任职变动的人的姓名）",
        "核对以后写入名册",
        Action.IMPORT_ROSTER,
    ),
    Data("roster 要写入的名册", "写入", "无人；写入时用", "有错误的不留，其余尚不清理"),
    of="名册中的人，导入的人",
    other="applicable",
)


def preview_import(session: Session, reading: Reading, *, file_name: str, by: str, now: datetime) -> RosterImport:
    """Keep the content of a workbook, with its problems and the changes it will make.

    Changes nothing else. Of a workbook with errors only the problems are kept: nobody can apply it.
    """
    roster = reading.roster
    summary: dict[str, object] = {
        "branches": len(roster.branches),
        "members": len(roster.members),
        "committees": sum(each.has_committee for each in roster.branches),
    }
    problems = list(reading.problems)
    if reading.applicable:
        found = changes(session, roster, today=local_day(now))
        summary |= found.summary
        problems += _told(found)
    return keep_import(
        session,
        RosterImport(roster=(roster if reading.applicable else Roster()).as_json()),
        file_name=file_name,
        problems=in_order(problems, FORMS),
        summary=summary,
        applicable=reading.applicable,
        by=by,
        now=now,
    )


def _told(found: RosterChanges) -> Iterator[SheetProblem]:
    """Report the changes that somebody must confirm, and the posts that are not given."""
    if found.guard is not None:
        yield on_members(None, "学工号", found.guard.words.zh)
    for post, stands in found.planned:
        words = f"党支部 {post.branch_code} 已安排{stands.name}自 {stands.starts_on} 起任书记，以已安排的为准，名册上的书记（{post.staff_no}）不写入"
        yield on_members(None, "党内职务", words, "warning")
    for name, old, new in found.renumbered:
        words = f"{name}在表中的学工号是 {new}，现在登记的是 {old}：照表写入会成为两个人；换了学工号的，先在系统里更换再导入"
        yield on_members(None, "学工号", words, "warning")
    for staff_no, was, name in found.renamed:
        yield on_members(None, "姓名", f"学工号 {staff_no} 现在登记的姓名是{was}，表中是{name}，请核对", "warning")
    for name in found.own_address:
        yield on_members(None, "邮箱", f"{name}担任学校职务，邮箱不随名册改动，请系统管理员用 zhibu account address 修改", "warning")


def foreseen(session: Session, row: RosterImport, *, only: Collection[str] | None, now: datetime) -> RosterChanges:
    """Compare a workbook with today's organisation, or the part of it about some branches.

    Raises Invalid for a branch that is not in the workbook.
    """
    roster = Roster.from_json(row.roster)
    if only is not None and (unknown := sorted(set(only) - {each.code for each in roster.branches})):
        codes = "、".join(unknown)
        raise Invalid({"only_branches": Words(f"表中没有党支部 {codes}", f"not in the workbook: {', '.join(unknown)}")})
    return changes(session, roster, today=local_day(now), only=only)


def apply_import(
    session: Session, row: RosterImport, *, by: str, now: datetime, gone: int | None = None, only: Collection[str] | None = None
) -> RosterChanges:
    """Change the organisation to the roster, and the rolls of all processes not yet filed with it.

    All or nothing, and once. ``gone``: the number of people who are not on it any more, where that
    must be confirmed; ``only``: the branches that it is about. Raises Conflict while it has errors,
    if it or a later one was applied, or if the number differs; Invalid for an unknown branch.
    """
    must_be_applicable(row)
    hold_organisation(session)
    _must_be_applied_once(row)
    row.must_be_the_latest(session)
    found = foreseen(session, row, only=only, now=now)
    _must_stay_within(found)
    _must_be_confirmed(found, gone)
    _write_branches(session, found)
    _write_people(session, found, now)
    _write_posts(session, found)
    mark_applied(row, by=by, now=now)
    session.flush()
    rolls_follow(session, now=now)
    return found


def _must_be_applied_once(row: RosterImport) -> None:
    if row.applied_at is not None:
        day = local_day(row.applied_at)
        raise Conflict(Words(f"该名册已于 {day} 写入，不再重复写入；如需写入请重新上传", f"this roster was applied on {day}; upload it again"))


def _must_stay_within(found: RosterChanges) -> None:
    if found.crossing:
        more = f"等 {len(found.crossing)} 人" if len(found.crossing) > NAMED else ""
        zh = f"{'、'.join(found.crossing[:NAMED])}{more}会转入或转出未指明的党支部，请把这些支部也指明，或先办理转移"
        raise Conflict(Words(zh, f"{', '.join(found.crossing[:NAMED])}{' …' if more else ''} would move from or to a branch that is not named"))


def _must_be_confirmed(found: RosterChanges, gone: int | None) -> None:
    """Compare the number that was confirmed with the number of people who are gone now."""
    if gone is not None and gone != len(found.gone):
        zh = f"写明的人数是 {gone}，实际不在表中的有 {len(found.gone)} 名，请核对后再写入"
        raise Conflict(Words(zh, f"the number given is {gone}, but {len(found.gone)} are not on it"))
    if gone is None and found.guard is not None:
        raise Conflict(found.guard.words)


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
        gone = any_of(Person.staff_no, [each.staff_no for each in found.gone])
        session.execute(update(Person).where(gone).values(branch_id=None, left_on=local_day(now)))
    if not found.people:
        return
    statement = insert(Person)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["staff_no"],
            set_={**{name: statement.excluded[name] for name in ("branch_id", *found.fields)}, "left_on": None, "left_reason": None},
        ),
        [
            {"staff_no": each.staff_no, "branch_id": numbers[each.branch_code], **{name: getattr(each, name) for name in found.fields}}
            for each in found.people
        ],
    )
    members = select(Person.id).where(any_of(Person.staff_no, [each.staff_no for each in found.people]))
    session.execute(
        insert(Account).on_conflict_do_nothing(),
        [{"person_id": number, "password_hash": None, "created_at": now, "disabled_at": None} for number in session.scalars(members)],
    )


def _write_posts(session: Session, found: RosterChanges) -> None:
    if found.ended:
        days = case({each.appointment_id: each.last_day(found.today) for each in found.ended}, value=Appointment.id)
        session.execute(update(Appointment).where(any_of(Appointment.id, [each.appointment_id for each in found.ended])).values(ends_on=days))
    if not found.given:
        return
    branch_ids = {code: number for number, code in session.execute(select(Branch.id, Branch.code))}
    people = select(Person.id, Person.staff_no).where(any_of(Person.staff_no, [each.post.staff_no for each in found.given]))
    person_ids = {staff_no: number for number, staff_no in session.execute(people)}
    session.execute(
        insert(Appointment),
        [
            {
                "person_id": person_ids[each.post.staff_no],
                "branch_id": branch_ids[each.post.branch_code],
                "post": each.post.post,
                "role": None,
                "title": each.post.title,
                "on_committee": each.post.on_committee,
                "starts_on": each.starts_on,
                "ends_on": None,
            }
            for each in found.given
        ],
    )


class ApplySchema(Body):
    """A word about a roster that is to be applied, where it needs one."""

    gone = Whole(
        **about("离开的人数", "how many are gone", "不在表中的人数，核对结果要求确认时填写", "of the people not on it, where asked for", example=2)
    )
    only_branches = many(
        Line(at_most=32),
        at_least=1,
        **about("只写入这些党支部", "only these branches", "支部编码；其余支部不动", "codes; the others stay as they are", example=["D0101"]),
    )


def _import(call: Call[object], import_id: int) -> RosterImport:
    return import_by_id(call.session, RosterImport, import_id, for_update=True)


def _preview(call: Call[object], file: Upload) -> RosterImport:
    sizes = branch_sizes_of(plan_quoted(call.session))
    reading = read_workbook(file.data, today=call.today, sizes=sizes)
    return preview_import(call.session, reading, file_name=file.name, by=call.actor, now=call.now)


def _apply(call: Call[RosterImport], sent: Sent) -> Done:
    only, gone = sent.get("only_branches"), sent.get("gone")
    found = apply_import(call.session, call.on, by=call.actor, now=call.now, gone=gone, only=only)
    return Done([call.on], {"changed": found.summary})


PREVIEW: Act[Any, RosterImport] = Act(
    "preview_roster", "核对名册", "read a roster without changing anything", Action.IMPORT_ROSTER, _preview, uploads=RosterImport
)
APPLY: Act[RosterImport, Done] = Act("apply_roster", "写入名册", "apply a roster", Action.IMPORT_ROSTER, _apply, on=_import, sends=ApplySchema())
ACTS: tuple[AnyAct, ...] = (PREVIEW, APPLY)
