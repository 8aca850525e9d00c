"""Waiving (情况说明): a reason in place of something missing, for the amount missing at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from workflow.foundation.errors import Conflict, Invalid, Words
from workflow.foundation.fields import (
    Body,
    Line,
    LongText,
    Sent,
    about,
    many,
)
from workflow.foundation.vocabulary import CoveredByExcuse, Waivable
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import Subject, unmet
from workflow.mail import letters
from workflow.rules.evidence import must_be_open, withdraw
from workflow.rules.requirement import Requirement, Waiver
from workflow.rules.telling import tell_leaders
from workflow.year.cycle import Cycle, Participant, Process


class WaiverSchema(Body):
    """A reason. ``subjects`` may be left out where one reason serves the whole requirement."""

    requirement = Line(required=True, **about("要求", "requirement", "缺的是哪一项", "which one is not met", example="members_who_have_not_studied"))
    subjects = many(Line(), at_least=1, **about("涉及", "subjects", "逐项说明时写明是哪些", "which of them", example=["20160005"]))
    reason = LongText(required=True, at_most=1000, **about("理由", "reason", "为什么可以放行", "why it may pass", example="在外交流一年"))


def waive(session: Session, process: Process, body: Sent, *, by: str, now: datetime) -> Waiver:
    """Give a reason for what is missing. The process is held by Lock.EVIDENCE.

    Raises Invalid, StageClosed, Conflict when nothing is missing.
    """
    requirement = BY_NAME.get(body["requirement"])
    if requirement is None or requirement.kind is not process.kind:
        raise Invalid({"requirement": Words("没有这一项要求", "there is no such requirement")})
    if requirement.waivable is Waivable.NO:
        raise Invalid({"requirement": Words(f"{requirement.clause} 不能以说明理由代替", f"{requirement.clause} cannot be waived")})
    if requirement.waivable is Waivable.PER_SUBJECT and "subjects" not in body:
        raise Invalid({"subjects": Words(f"{requirement.clause} 须逐项说明理由，请写明是哪些", f"{requirement.clause} is waived subject by subject")})
    must_be_open(process, requirement.stage)
    found = unmet(session, process, [requirement])
    open_ = {subject.id: subject for each in found for subject in each.open}
    if not open_:
        raise Conflict(Words(f"{requirement.clause} 现在没有缺项，不需要说明理由", f"nothing is missing for {requirement.clause}"))
    wanted = body.get("subjects", list(open_))
    if unknown := [subject for subject in wanted if subject not in open_]:
        raise Invalid({"subjects": [Words(f"{subject} 现在不缺，或不属于这一项", f"{subject} is not missing") for subject in unknown]})
    row = _waiver(process, requirement, [open_[subject] for subject in wanted], body["reason"], by=by, now=now)
    session.add(row)
    session.flush()
    return row


def _waiver(process: Process, requirement: Requirement, subjects: Sequence[Subject], reason: str, *, by: str, now: datetime) -> Waiver:
    return Waiver(
        process_id=process.id,
        requirement=requirement.name,
        covers={subject.id: subject.amount for subject in subjects},
        names={subject.id: subject.name for subject in subjects},
        reason=reason,
        needs_approval=requirement.needs_approval(process.cycle.plan["rules"]["settings"]),
        approved_by=None,
        approved_at=None,
        recorded_by=by,
        recorded_at=now,
    )


# ── with an excuse ────────────────────────────────────────────────────────────────────────────────────────────────────


def cover(session: Session, process: Process, line: Participant, clauses: Sequence[CoveredByExcuse], *, by: str, now: datetime) -> None:
    """Give the reason of an excuse for what these clauses lack of that person.

    Where they lack nothing of the person yet, it covers them ahead: D6 asks only for those who are
    rated. Raises Invalid for a clause that the plan does not ask, StageClosed.
    """
    if dropped := [clause for clause in clauses if not process.cycle.asks(clause)]:
        raise Invalid({"covers": [Words(f"本年度方案不要求 {clause.value}", f"the plan does not ask {clause.value}") for clause in dropped]})
    asked = [each for each in BY_NAME.values() if each.kind is process.kind and each.clause in clauses and each.waivable is Waivable.PER_SUBJECT]
    for each in asked:
        must_be_open(process, each.stage)
    found = unmet(session, process, asked)
    for clause in clauses:
        of_clause = [each for each in found if each.requirement.clause == clause]
        lacking = {each.requirement: theirs for each in of_clause if (theirs := _of_person(line, each.open))}
        if not lacking:
            if any(_of_person(line, each.waived) for each in of_clause):
                continue
            lacking = {next(each for each in asked if each.clause == clause): [Subject(line.staff_no, line.name, 1)]}
        for requirement, subjects in lacking.items():
            row = _waiver(process, requirement, subjects, line.excused_reason or "", by=by, now=now)
            row.excuse_of_id = line.person_id
            session.add(row)
    session.flush()


def _of_person(line: Participant, subjects: Sequence[Subject]) -> list[Subject]:
    """Choose the subjects that are this person, or a pair with them."""
    return [each for each in subjects if line.staff_no in each.id.split(":")]


def uncover(session: Session, line: Participant, *, by: str, now: datetime, reason: str) -> None:
    """Withdraw what was covered with an excuse: the excuse does not stand any more."""
    theirs = (Waiver.process_id == line.process_id, Waiver.excuse_of_id == line.person_id, Waiver.counts)
    for row in session.scalars(select(Waiver).where(*theirs).order_by(Waiver.id).with_for_update(key_share=True)):
        withdraw(row, by=by, now=now, reason=reason)
    session.flush()


def waivers_of_year(session: Session, cycle: Cycle, *, pending: bool, after: int, limit: int) -> Sequence[tuple[Waiver, Process]]:
    """List the reasons that the branches of a year gave, in the order they were given.

    ``pending``: those that still wait for the office.
    """
    statement = (
        select(Waiver, Process)
        .join(Process, Process.id == Waiver.process_id)
        .join(Process.branch)
        .options(contains_eager(Process.branch))
        .where(Process.cycle_id == cycle.id, Waiver.id > after)
        .order_by(Waiver.id)
        .limit(limit)
    )
    if pending:
        statement = statement.where(Process.ended_at.is_(None), Waiver.needs_approval, Waiver.approved_at.is_(None), Waiver.counts)
    return [(row.Waiver, row.Process) for row in session.execute(statement)]


def approve(waiver: Waiver, *, by: str, now: datetime) -> None:
    """Approve a reason for the office, for that amount and no greater one.

    Raises Conflict when it was taken back or asks for no approval.
    """
    if not waiver.needs_approval:
        raise Conflict(Words("这一项说明理由即可，不需要批准", "this one needs no approval"))
    if not waiver.counts or waiver.approved_at is not None:
        raise Conflict(Words("已批准、撤回或退回", "it was decided already"))
    waiver.approved_by, waiver.approved_at = by, now
    waiver.version += 1


def take_back(process: Process, waiver: Waiver, *, by: str, now: datetime, reason: str) -> None:
    """Take a reason back for the branch.

    Raises StageClosed, Conflict when it does not stand any more.
    """
    must_be_open(process, BY_NAME[waiver.requirement].stage)
    withdraw(waiver, by=by, now=now, reason=reason)


def tell_decided(session: Session, process: Process, waiver: Waiver, *, now: datetime, base_url: str) -> None:
    """Tell secretary and deputy the office's decision on a reason.

    The letter quotes the clause, and the reason of a refusal; never the people whom the reason
    covers.
    """
    requirement = BY_NAME[waiver.requirement]
    tell_leaders(
        session,
        [process],
        letters.WAIVER_APPROVED if waiver.rejected_at is None else letters.WAIVER_REJECTED,
        letters.WaiverDecided,
        now=now,
        base_url=base_url,
        record=waiver.id,
        says=lambda process: {
            "stage": requirement.stage,
            "sentence": process.cycle.sentence(requirement.clause),
            "refused_because": waiver.rejected_reason,
            "kind": process.kind,
        },
    )
