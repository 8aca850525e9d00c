"""The sixth stage in short acts: the form.

For each of its requirements there is a situation that lacks it and one that meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, caller
from tests.support.records.rating import a_counted_ballot, a_rating, all_rating
from tests.support.records.rectification import all_rectification, received
from tests.support.records.self_review import a_life_meeting, a_self_review, all_self_review
from tests.support.situations import HELD_ON, SUBSTANCE, Situation, a_study, a_talk, nothing, on_roll
from workflow.appraisal.rating.ratings import Rating
from workflow.appraisal.report.form import FORM, Form
from workflow.foundation.vocabulary import Level, Stage, Trigger
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Participant, Process, StageChange
from workflow.year.deadlines import change_processes
from workflow.year.finding import process_of
from workflow.year.roll import amend_roll, confirm_excuse, secretaries

WRITTEN = {"prepared_by": "王五", "phone": "8888 0101"}


def write_form(session: Session, process: Process, fields: Mapping[str, str], *, seen: int) -> Form:
    """Let the secretary write on the form, seen in this version."""
    by = caller(session, secretaries(session, [process.id])[process.id].staff_no)
    return FORM.write(session, process, FORM.of(session, process, held=True), fields, seen=seen, by=by, now=NOW)


def a_form(session: Session, process: Process, **fields: Any) -> Form:
    """Fill in the form's author and their phone."""
    return write_form(session, process, {**WRITTEN, **fields}, seen=0)


def _a_year(session: Session, process: Process) -> None:
    """Record every paper that a branch keeps."""
    a_study(session, process)
    a_talk(session, process, "张三", "王五", **SUBSTANCE)
    all_self_review(session, process)
    all_rating(session, process)
    all_rectification(session, process)
    received(session, process)
    a_form(session, process)


def _rated(session: Session, process: Process) -> None:
    a_counted_ballot(session, process)
    all_rating(session, process)


def _without_a_secretary(session: Session, process: Process) -> None:
    on_roll(session, process, "张三").post = None


def _sent_back(session: Session, process: Process) -> None:
    moved = {"trigger": Trigger.RETURN, "source": Stage.FILED, "target": Stage.REPORT, "round": 2, "version": process.version + 1}
    session.add(StageChange(process_id=process.id, **moved, due_on=None, reason="数字与名册不符", late=False, made_by="office", made_at=NOW))
    change_processes(session, [process], {"round": 2, "stage": Stage.REPORT})


def _on_no_roll(session: Session, process: Process) -> None:
    on_roll(session, process, "王五").left_on = TODAY


def _on_another_roll(session: Session, process: Process) -> Participant:
    own = on_roll(session, process, "王五")
    names = ("person_id", "staff_no", "name", "standing", "on_committee", "leads", "cadre", "voting")
    line = Participant(process_id=process_of(session, 2024, "D0201").id, rated_here=False, **{name: getattr(own, name) for name in names})
    session.add(line)
    session.flush()
    return line


def _rated_nowhere(session: Session, process: Process) -> None:
    on_roll(session, process, "王五").rated_here = False


def _rated_twice(session: Session, process: Process) -> None:
    a_counted_ballot(session, process)
    a_rating(session, process, "王五")
    line = _on_another_roll(session, process)
    session.add(Rating(process_id=line.process_id, staff_no=line.staff_no, level=Level.QUALIFIED, recorded_by="z6", recorded_at=NOW))


def _past_its_day(session: Session, process: Process) -> None:
    process.due_on = TODAY - timedelta(days=1)


def _a_meeting(**fields: Any) -> Callable[[Session, Process], None]:
    def done(session: Session, process: Process) -> None:
        a_study(session, process)
        a_talk(session, process, "张三", "王五")
        a_life_meeting(session, process, **fields)

    return done


def _self_reviews(*names: str) -> Callable[[Session, Process], None]:
    def done(session: Session, process: Process) -> None:
        for name in names:
            a_self_review(session, process, name)

    return done


def _opinions(*opinions: str) -> Callable[[Session, Process], None]:
    def done(session: Session, process: Process) -> None:
        a_counted_ballot(session, process)
        for name, opinion in zip(("王五", "孙八"), opinions, strict=True):
            a_rating(session, process, name, opinion=opinion)

    return done


ALIKE = "该同志一年来踏实肯干，能够完成支部分配的任务，学习还可以更加深入。"
"""As long as a text must be to look copied."""


def _talked_on(day: date) -> Callable[[Session, Process], None]:
    def done(session: Session, process: Process) -> None:
        a_talk(session, process, "张三", "王五", held_on=day)

    return done


def _at(stage: Stage) -> Callable[[Session, Process], None]:
    return lambda session, process: change_processes(session, [process], {"stage": stage})


def _a_reason(*, approved: bool) -> Callable[[Session, Process], None]:
    def done(session: Session, process: Process) -> None:
        said = {"requirement": "more_excellent_than_the_quota", "covers": {"": 1}, "names": {"": ""}, "reason": "青年教师集中"}
        row = Waiver(process_id=process.id, **said, needs_approval=True, recorded_by="z3", recorded_at=NOW)
        row.approved_by, row.approved_at = ("office", NOW) if approved else (None, None)
        session.add(row)
        session.flush()

    return done


def _an_excuse(*, confirmed: bool) -> Callable[[Session, Process], None]:
    def done(session: Session, process: Process) -> None:
        row = on_roll(session, process, "王五")
        amend_roll(session, process, row, {"excused_reason": "长期病休"}, seen=row.version, by=caller(session, "张三"))
        if confirmed:
            confirm_excuse(session, process, row, by=caller(session, "office"))

    return done


SITUATIONS: dict[str, Situation] = {
    "form_not_filled_in": Situation(met=a_form, unmet=nothing),
    "form_does_not_add_up": Situation(met=_rated, unmet=nothing),
    "no_secretary_named": Situation(met=nothing, unmet=_without_a_secretary),
    "stage_overdue": Situation(met=nothing, unmet=_past_its_day),
    "members_on_no_roll": Situation(met=nothing, unmet=_on_no_roll),
    "members_on_two_rolls": Situation(met=nothing, unmet=lambda session, process: nothing(session, _on_another_roll(session, process).process)),
    "members_rated_nowhere": Situation(met=nothing, unmet=_rated_nowhere),
    "members_rated_twice": Situation(met=nothing, unmet=_rated_twice),
    "meetings_on_the_day_of_the_study": Situation(met=_a_meeting(), unmet=_a_meeting(held_on=HELD_ON)),
    "meetings_on_the_day_of_the_talks": Situation(met=_a_meeting(), unmet=_a_meeting(held_on=HELD_ON)),
    "copied_self_reviews": Situation(met=_self_reviews("王五"), unmet=_self_reviews("王五", "孙八")),
    "copied_opinions": Situation(met=_opinions("踏实肯干", "乐于助人"), unmet=_opinions(ALIKE, ALIKE)),
    "filed_and_not_accepted": Situation(met=_at(Stage.ACCEPTED), unmet=_at(Stage.FILED)),
    "reasons_to_approve": Situation(met=_a_reason(approved=True), unmet=_a_reason(approved=False)),
    "excuses_to_confirm": Situation(met=_an_excuse(confirmed=True), unmet=_an_excuse(confirmed=False)),
    "secretaries_to_name": Situation(met=nothing, unmet=_without_a_secretary),
    "sent_back_to_the_branch": Situation(met=nothing, unmet=_sent_back),
    "papers_missing": Situation(met=_a_year, unmet=nothing),
    "records_outside_the_year": Situation(met=_talked_on(HELD_ON), unmet=_talked_on(date(2019, 12, 18))),
}

MANY = """
alter table form disable trigger user;
insert into form (process_id, prepared_by, phone, version)
    select id, '填表人', case when id % 20 <> 0 then '8888' end, 1 from process where id % 20 <> 1;
"""
"""The records of 10,000 branches in this stage, a twentieth of them missing."""
