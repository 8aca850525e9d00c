"""Posts (任职): appointing and ending, with the rolls that follow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, true
from sqlalchemy.orm import Session, joinedload

from workflow.foundation.errors import Conflict, Exists, Forbidden, Invalid, NotFound, Words
from workflow.foundation.fields import (
    Answered,
    Body,
    Day,
    Line,
    Sent,
    StaffNo,
    Truth,
    Whole,
    about,
    one_of,
)
from workflow.foundation.vocabulary import Post, Role
from workflow.machine.rolls import rolls_follow
from workflow.people.access import Action, Caller
from workflow.people.accounts import open_account
from workflow.people.organisation import Appointment, Branch, Person, branch_by_code, hold_organisation, not_over, person_by_staff_no
from workflow.people.roles import give_role, must_be_another, must_hand_out, must_leave_somebody, tell_role_given
from workflow.rules.acts import Act, AnyAct, Call


class AppointmentSchema(Answered):
    """A post: ``post`` with ``branch``, or ``role`` of the school alone."""

    id = Whole(dump_only=True, **about("编号", "number", always=True))
    staff_no = StaffNo(required=True, **about("学工号", "staff number", "谁任职", "whose post", example="20160001", reads="person.staff_no"))
    name = Line(dump_only=True, attribute="person.name", **about("姓名", "name", always=True))
    branch = Line(at_most=32, **about("党支部", "branch", "支部职务须填", "of a post in a branch", example="D0101", reads="branch.code"))
    post = one_of(Post, **about("支部职务", "post", "书记、副书记、支委、党小组长", "of a branch", example="secretary"))
    role = one_of(Role, **about("学校职务", "role", "党委办公室、党委、督导人员、管理员", "of the school", example="office"))
    title = Line(at_most=50, **about("职务名称", "title", "名册上的叫法", "as the roster calls it", example="组织委员"))
    succeeds = Truth(load_only=True, **about("接任", "succeeds", "现任书记在前一日离任", "the secretary in office ends the day before", example=True))
    starts_on = Day(required=True, **about("任职日期", "from", "任职的第一天", "the first day", example="2024-09-01"))
    ends_on = Day(dump_only=True, **about("离任日期", "last day"))


APPOINTMENT = AppointmentSchema()


class EndSchema(Body):
    """The last day in the post."""

    ends_on = Day(required=True, **about("离任日期", "last day", "任职的最后一天", "the last day", example="2024-12-31"))


def appoint(session: Session, body: Sent, *, by: Caller | None = None, now: datetime) -> Appointment:
    """Give somebody a post, and bring the rolls of that branch into step.

    Posts in branches are the office's to give, roles of the school their holders' (``roles.py``). A
    branch has one secretary: with ``succeeds`` the one in office ends the day before. Raises
    Invalid, Forbidden, Exists, NotFound, Conflict.
    """
    post, role, code = body.get("post"), body.get("role"), body.get("branch")
    if (post is None) == (role is None):
        raise Invalid({"post": Words("支部职务与学校职务填一项", "give either a post or a role")})
    if (post is None) != (code is None):
        raise Invalid({"branch": Words("支部职务须指明党支部，学校职务不填", "a post needs a branch, a role none")})
    if body.get("succeeds") and post is not Post.SECRETARY:
        raise Invalid({"succeeds": Words("只用于任命书记", "only a secretary succeeds another")})
    _must_hand_out(by, role)
    try:
        person = person_by_staff_no(session, body["staff_no"])
        branch = branch_by_code(session, code) if code is not None else None
    except NotFound as missing:
        raise Invalid({"branch" if code is not None and code in missing.detail.zh else "staff_no": missing.detail}) from None
    hold_organisation(session)
    open_account(session, person, now=now)
    if branch is None:
        return give_role(session, person, body["role"], by=by, starts_on=body["starts_on"], title=body.get("title"))
    row = _give_post(session, person, branch, body, by=by)
    rolls_follow(session, now=now, branches=[branch.id])
    return row


def _must_hand_out(by: Caller | None, role: Role | None) -> None:
    """Raise Forbidden for whoever may not give or take this role, or posts in branches (None)."""
    if role is not None:
        must_hand_out(by, role)
    elif by is not None and Role.OFFICE not in by.school:
        raise Forbidden(Words("支部职务由党委办公室任免", "posts in branches are given by the office"))


def _give_post(session: Session, person: Person, branch: Branch, body: Sent, *, by: Caller | None) -> Appointment:
    """Give a member a post in their branch. Raises Invalid, Forbidden, Exists, Conflict."""
    post = body["post"]
    if person.branch_id != branch.id:
        raise Invalid({"staff_no": Words(f"{person.name} 不是该支部的党员", f"{person.name} is not a member of this branch")})
    must_be_another(by, person)
    held = select(Appointment.id).where(
        Appointment.person_id == person.id, Appointment.branch_id == branch.id, Appointment.post == post, not_over(body["starts_on"])
    )
    if session.scalar(held) is not None:
        raise Exists(Words(f"{person.name} 已经担任这一职务", f"{person.name} holds this post already"))
    if post is Post.SECRETARY:
        _one_secretary(session, branch, starts_on=body["starts_on"], succeeds=body.get("succeeds", False))
    row = Appointment(
        person_id=person.id,
        branch_id=branch.id,
        post=post,
        role=None,
        title=body.get("title"),
        on_committee=branch.has_committee and post is not Post.GROUP_LEADER,
        starts_on=body["starts_on"],
        ends_on=None,
    )
    session.add(row)
    session.flush()
    return row


def _one_secretary(session: Session, branch: Branch, *, starts_on: date, succeeds: bool) -> None:
    """End the secretary in office for a successor, or refuse a second one by the first one's name.

    Raises Conflict.
    """
    in_office = session.scalars(
        select(Appointment)
        .options(joinedload(Appointment.person))
        .where(Appointment.branch_id == branch.id, Appointment.post == Post.SECRETARY, not_over(starts_on))
        .order_by(Appointment.id)
    ).all()
    for row in in_office:
        who, since = row.person.name, row.starts_on
        if since > starts_on:
            zh = f"{branch.name}已安排{who}自 {since} 起任书记，请先结束这一安排"
            raise Conflict(Words(zh, f"{who} is to be secretary of {branch.code} from {since}; end that first"))
        if not succeeds:
            zh = f"{branch.name}已有书记{who}（自 {since} 起任职），请先办理离任，或填“接任”（succeeds），由其在 {starts_on} 前一日离任"
            raise Conflict(Words(zh, f"{who} is secretary of {branch.code} since {since}; end that post, or say succeeds: true"))
        row.ends_on = starts_on - timedelta(days=1)


def end_appointment(session: Session, appointment_id: int, *, ends_on: date, by: Caller | None = None, now: datetime) -> Appointment:
    """End a post with its last day, and bring the rolls of that branch into step.

    Who gives it takes it. Raises NotFound, Forbidden, Invalid, Exists, Conflict.
    """
    hold_organisation(session)
    row = session.get(Appointment, appointment_id)
    if row is None:
        raise NotFound
    _must_hand_out(by, row.role)
    if row.ends_on is not None:
        raise Exists(Words(f"该任职已于 {row.ends_on} 结束", f"it ended on {row.ends_on}"))
    if ends_on < row.starts_on - timedelta(days=1):
        raise Invalid({"ends_on": Words(f"早于任职日期 {row.starts_on}", f"before it began on {row.starts_on}")})
    must_leave_somebody(session, row, ends_on)
    row.ends_on = ends_on
    session.flush()
    if row.branch_id is not None:
        rolls_follow(session, now=now, branches=[row.branch_id])
    return row


def _appoint(call: Call[object], sent: Sent) -> Appointment:
    row = appoint(call.session, sent, by=call.caller, now=call.now)
    if row.role is not None:
        tell_role_given(call.session, row, by=call.caller, now=call.now, base_url=call.base_url)
    return row


APPOINT: Act[Any, Appointment] = Act(
    "appoint",
    "任命",
    "give somebody a post",
    Action.WRITE_APPOINTMENTS,
    _appoint,
    sends=APPOINTMENT,
    shows=APPOINTMENT,
)
END_APPOINTMENT: Act[int, Appointment] = Act(
    "end_appointment",
    "离任",
    "end a post",
    Action.WRITE_APPOINTMENTS,
    lambda call, sent: end_appointment(call.session, call.on, ends_on=sent["ends_on"], by=call.caller, now=call.now),
    on=lambda call, appointment_id: appointment_id,
    sends=EndSchema(),
    shows=APPOINTMENT,
)
ACTS: tuple[AnyAct, ...] = (APPOINT, END_APPOINTMENT)


def appointments_after(session: Session, appointment_id: int, limit: int, *, in_branches: bool = True) -> Sequence[Appointment]:
    """List roles of the school, and posts ``in_branches`` too, in the order they were given.

    Past ones included.
    """
    return session.scalars(
        select(Appointment)
        .options(joinedload(Appointment.person), joinedload(Appointment.branch))
        .where(Appointment.id > appointment_id, true() if in_branches else Appointment.role.is_not(None))
        .order_by(Appointment.id)
        .limit(limit)
    ).all()
