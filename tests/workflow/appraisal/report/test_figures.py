"""Figures of the form (情况表的数字): each number against a count of the rows in plain Python.

The school's figures are the sum of its branches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_branch, a_cycle, an_office, caller
from tests.support.records.evidence import leaves, stand_at, statements
from tests.support.records.rating import a_case, a_counted_ballot, a_help_plan, a_rating, all_rating, secretary_of
from tests.support.records.rectification import a_commitment, a_filing, a_measure, a_problem, a_publication, progress, the_year_after
from tests.support.records.self_review import a_life_meeting, a_meeting, a_self_review, a_tally
from tests.support.situations import HELD_ON, a_study
from workflow.appraisal.ledger import Commitment, Measure, Problem
from workflow.appraisal.meetings.meetings import Meeting
from workflow.appraisal.meetings.tallies import LEVELS, MARKS, CommitteeItem, Tally
from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan
from workflow.appraisal.rating.ratings import Rating
from workflow.appraisal.rectification.publications import Publication, RectificationFiling
from workflow.appraisal.report.checklist import archive_of
from workflow.appraisal.report.figures import CHECKS, Figures, figures_of, totals_of
from workflow.appraisal.report.rows import paper_of
from workflow.appraisal.study.sessions import StudySession
from workflow.appraisal.talks.talks import TALKS, Talk
from workflow.foundation.vocabulary import ExcuseKind, Kind, Level, MeasureState, MeetingPurpose, Stage, Standing, TalkWay, TallySubject
from workflow.machine.asked import BY_NAME
from workflow.machine.waivers import approve, waive
from workflow.rules.evidence import Evidence, reject, withdraw
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Cycle, Participant, Process
from workflow.year.finding import cycle_by_year, process_of
from workflow.year.following import bring_into_step
from workflow.year.opening import publish
from workflow.year.roll import roll

SIZES = {"D0101": 3, "D0102": 7, "D0103": 22}
R = TypeVar("R", bound=Evidence)


def a_school_of(session: Session, sizes: Mapping[str, int]) -> Cycle:
    """Make branches of these sizes, with one member in seven probationary.

    From seven members on there is a committee of three.
    """
    an_office(session)
    for code, size in sizes.items():
        names = [f"{code}-{number:02d}" for number in range(size)]
        a_branch(session, code=code, members=names, committee=names[: 3 if size >= 7 else 1], probationary=names[6::7])
    cycle = a_cycle(session)
    publish(session, cycle, now=NOW)
    return cycle


def a_mixed_year(session: Session, process: Process, dice: Random) -> None:
    """Record something of everything: complete, in part, and taken back."""
    line = list(roll(session, process.id))
    secretary = caller(session, secretary_of(session, process))
    for _ in range(3):
        a_study(session, process, [row.staff_no for row in line], by=secretary.staff_no)
    for _ in range(4 * len(line)):
        one, other = dice.sample(line, 2)
        body = {"held_on": HELD_ON, "talker": one.staff_no, "partner": other.staff_no, "way": TalkWay.FACE}
        TALKS.record(session, process, body, by=secretary, now=NOW)
    for _ in range(2):
        a_life_meeting(session, process, by=secretary.staff_no)
        a_meeting(session, process, MeetingPurpose.REPORT, by=secretary.staff_no)
    for subject in TallySubject:
        a_tally(session, process, subject)
    rate(session, process, dice)
    for row in dice.sample(line, len(line) // 2 + 1):
        a_commitment(session, process, row.staff_no)
    for number in range(4):
        measure = a_measure(session, process, a_problem(session, process, f"问题{number}"))
        progress(session, process, measure, list(MeasureState)[number], "见附件", by=secretary.staff_no)
        a_publication(session, process)
        a_filing(session, process)
    for model in (StudySession, Talk, Meeting, Problem, Measure, Commitment, Publication, RectificationFiling, HelpPlan, DispositionCase):
        rows = standing(session, model, process)
        for how, record in zip((withdraw, reject), dice.sample(rows, min(2, len(rows))), strict=False):
            how(record, by="office", now=NOW, reason="有误")
    on_the_roll(session, process, line, dice)
    session.flush()


def rate(session: Session, process: Process, dice: Random) -> None:
    for number, row in enumerate(roll(session, process.id)):
        level = [*Level, None][number % 5] if row.standing is Standing.FULL else None
        reason = "长期外派" if level is None and row.standing is Standing.FULL and number % 2 else None
        a_rating(session, process, row.staff_no, level, told=level is not None and dice.random() < 0.7, not_rated_reason=reason)
        for act in (a_help_plan, a_case):
            if dice.random() < 0.6 and row.staff_no != secretary_of(session, process):
                act(session, process, row.staff_no)


def on_the_roll(session: Session, process: Process, line: Sequence[Participant], dice: Random) -> None:
    """Change the roll: some members have left, are excused, or are rated elsewhere.

    One is no longer on the ballot.
    """
    others = [row for row in line if row.post is None]
    for row, column, value in zip(
        dice.sample(others, min(5, len(others))),
        ("left_on", "excused_reason", "excused_confirmed_by", "rated_here", "left_on"),
        (TODAY, "长期病休", "office", False, TODAY),
        strict=False,
    ):
        setattr(row, column, value)
        row.excused_kind = dice.choice([*ExcuseKind])
    ballot = next(row for row in standing(session, Tally, process) if row.subject is TallySubject.MEMBERS)
    ballot.of_members.remove(dice.choice(ballot.of_members))
    dice.choice(ballot.of_members).abstain += 1


def standing(session: Session, model: type[R], process: Process) -> list[R]:
    """Choose the records that count, in Python."""
    rows = session.scalars(select(model).where(model.process_id == process.id)).all()
    return [row for row in rows if row.withdrawn_at is None and row.rejected_at is None]


def counted(session: Session, process: Process) -> dict[str, int]:
    """Count every number of the form, by loops over the rows."""
    everybody = {row.staff_no: row for row in roll(session, process.id)}
    here = {no: row for no, row in everybody.items() if row.rated_here}
    gone = {no for no, row in here.items() if row.left_on is not None}
    due = {no for no, row in here.items() if row.standing is Standing.FULL and row.excused_confirmed_by is None}
    ratings = {row.staff_no: row for row in standing(session, Rating, process) if row.staff_no in here}
    levels = {no: row.level for no, row in ratings.items() if row.level is not None}
    ballots = {row.subject: row for row in standing(session, Tally, process) if row.counted_at is not None}
    plans = {row.staff_no for row in standing(session, HelpPlan, process)}
    cases = {row.staff_no for row in standing(session, DispositionCase, process)}
    inside = [all(everybody[no].on_committee for no in (row.talker, row.partner)) for row in standing(session, Talk, process)]
    numbers = {
        "total": len(here),
        "full": sum(row.standing is Standing.FULL for row in here.values()),
        "probationary": sum(row.standing is Standing.PROBATIONARY for row in here.values()),
        "due": len(due),
        "excused": sum(row.excused_confirmed_by is not None for row in here.values()),
        **{f"excused_{kind}": sum(row.excused_confirmed_by is not None and row.excused_kind is kind for row in here.values()) for kind in ExcuseKind},
        "on_committee": sum(row.on_committee for row in here.values()),
        "none": sum(no not in levels and (no not in due or (no in ratings and ratings[no].not_rated_reason is not None)) for no in here),
        "fed_back": sum(ratings[no].feedback_on is not None for no in levels),
        "basic_helped": sum(level is Level.BASIC and (no in plans or no in gone) for no, level in levels.items()),
        "unqualified_cased": sum(level is Level.UNQUALIFIED and (no in cases or no in gone) for no, level in levels.items()),
        **{level.value: sum(each is level for each in levels.values()) for level in Level},
        "rated": len(levels),
        "base_count": len(levels),
        "allowed": len(levels) // 4,
        "studies": len(standing(session, StudySession, process)),
        "committee_talks": sum(inside),
        "member_talks": len(inside) - sum(inside),
        "meetings": sum(row.purpose is MeetingPurpose.LIFE for row in standing(session, Meeting, process)),
        "problems": len(standing(session, Problem, process)),
        "measures": len(standing(session, Measure, process)),
        "measures_done": sum(row.state in (MeasureState.DONE, MeasureState.CLOSED) for row in standing(session, Measure, process)),
        "commitments": len(standing(session, Commitment, process)),
        "publications": len(standing(session, Publication, process)),
        "filings": len(standing(session, RectificationFiling, process)),
    }
    of_members, of_committee = ballots.get(TallySubject.MEMBERS), ballots.get(TallySubject.COMMITTEE)
    listed = {row.staff_no for row in of_members.of_members} if of_members else set()
    numbers["rated_off_ballot"] = sum(no not in listed for no in levels)
    for subject, ballot in ((TallySubject.MEMBERS, of_members), (TallySubject.COMMITTEE, of_committee)):
        for name in ("issued", "returned", "valid", "void"):
            numbers[f"{subject.value}_{name}"] = getattr(ballot, name) if ballot else 0
        votes = ballot.figures.values() if ballot else ()
        numbers[f"{subject.value}_off"] = sum(sum(each.values()) != ballot.valid for each in votes) if ballot else 0
    for item in CommitteeItem:
        given = of_committee.figures[item.value] if of_committee else {}
        numbers |= {f"{item.value}_{mark}": given.get(mark, 0) for mark in MARKS}
    return numbers


def the_checks(session: Session, process: Process, of: Mapping[str, int]) -> dict[str, bool]:
    quota = [row for row in standing(session, Waiver, process) if row.requirement == "more_excellent_than_the_quota" and row.approved_at is not None]
    return {
        "levels_make_the_total": sum(of[level.value] for level in Level) + of["none"] == of["total"],
        "rated_were_on_the_ballot": of["rated_off_ballot"] == 0,
        "votes_make_the_valid_ballots": of["members_off"] == 0,
        "marks_make_the_valid_ballots": of["committee_off"] == 0,
        "excellent_within_the_quota": of["excellent"] <= max([of["allowed"], *(row.covers[""] for row in quota)]),
        "each_basic_is_helped": of["basic_helped"] == of["basic"],
        "each_unqualified_has_a_case": of["unqualified_cased"] == of["unqualified"],
    }


def processes_of(session: Session, sizes: Mapping[str, int] = SIZES) -> list[Process]:
    return [process_of(session, 2024, code) for code in sizes]


def summed(forms: Sequence[Figures]) -> Figures:
    """Add up the forms of all branches."""
    numbers = {name: sum(form.numbers[name] for form in forms) for name in forms[0].numbers}
    return Figures(numbers, {each.name: all(form.checks[each.name] for form in forms) for each in CHECKS})


def the_school_is_the_sum_of_its_branches(session: Session) -> Figures:
    branches, totals = totals_of(session, cycle_by_year(session, 2024))
    forms = [
        figures_of(session, row.id) for row in session.scalars(select(Process).join(Cycle).where(Cycle.year == 2024, Process.kind == Kind.APPRAISAL))
    ]
    assert (branches, totals) == (len(forms), summed(forms))
    return totals


# ── one branch ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("code", "size"), SIZES.items())
def test_every_number_of_the_form_is_what_a_count_of_its_rows_gives(session: Session, code: str, size: int, seed: int) -> None:
    a_school_of(session, {code: size})
    (process,) = processes_of(session, {code: size})
    assert figures_of(session, process.id).numbers == counted(session, process)
    a_mixed_year(session, process, Random(seed))  # noqa: S311  (a mixture, no secret)
    session.expire_all()
    figures, expected = figures_of(session, process.id), counted(session, process)
    assert figures.numbers == expected
    assert figures.checks == the_checks(session, process, expected)


@pytest.mark.parametrize(("code", "size"), SIZES.items())
def test_a_whole_year_of_a_branch_adds_up(session: Session, code: str, size: int) -> None:
    a_school_of(session, {code: size})
    (process,) = processes_of(session, {code: size})
    for subject in TallySubject:
        a_tally(session, process, subject)
    all_rating(session, process)
    figures = figures_of(session, process.id)
    assert figures.numbers == counted(session, process)
    assert set(figures.checks.values()) == {True}
    assert (figures.numbers["total"], figures.numbers["excellent"]) == (size, int(size >= 4))


def test_the_lines_of_the_form_make_its_numbers(session: Session) -> None:
    a_school_of(session, {"D0103": 22})
    (process,) = processes_of(session, {"D0103": 22})
    a_mixed_year(session, process, Random(7))  # noqa: S311
    for number, row in enumerate(roll(session, process.id)[:6]):
        a_self_review(session, process, row.staff_no, submitted=number < 5, level=Level.BASIC)
    paper, numbers = paper_of(session, process), figures_of(session, process.id).numbers
    assert [line.person.staff_no for line in paper.members] == sorted(line.person.staff_no for line in paper.members)
    levels = [line.rating.level for line in paper.members if line.rating and line.rating.level]
    assert {level.value: levels.count(level) for level in Level} == {level.value: numbers[level.value] for level in Level}
    assert len(paper.members) == numbers["total"]
    assert sum(bool(line.rating and line.rating.level and line.rating.feedback_on) for line in paper.members) == numbers["fed_back"]
    off = [sum(line.votes.values()) != paper.valid for line in paper.members if line.votes]
    assert all(set(line.votes) == set(LEVELS) for line in paper.members if line.votes)
    assert (sum(off) <= numbers["members_off"], paper.valid) == (True, numbers["members_valid"])
    assert {line.person.staff_no for line in paper.members if line.self_level} <= {f"D0103-0{number}" for number in range(5)}
    counts = {"studies": paper.studies, "meetings": paper.meetings, "publications": paper.publications, "filings": paper.filings}
    assert {name: len(rows) for name, rows in counts.items()} == {name: numbers[name] for name in counts}
    assert {row.staff_no for row in paper.help_plans} == {row.staff_no for row in standing(session, HelpPlan, process)}
    assert {row.staff_no for row in paper.cases} == {row.staff_no for row in standing(session, DispositionCase, process)}


def test_beside_a_member_stands_why_he_has_no_level(session: Session) -> None:
    a_school_of(session, {"D0101": 3})
    (process,) = processes_of(session, {"D0101": 3})
    a_counted_ballot(session, process)
    one, other, third = roll(session, process.id)
    other.excused_reason = third.excused_reason = "长期病休"
    a_rating(session, process, one.staff_no, None, not_rated_reason="长期外派")
    a_rating(session, process, other.staff_no)
    third.excused_confirmed_by = "office"
    assert [line.remark for line in paper_of(session, process).members] == ["长期外派", None, "长期病休"]


# ── the school ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_school_stays_the_sum_of_its_branches_whatever_happens(session: Session) -> None:
    a_school_of(session, SIZES)
    assert the_school_is_the_sum_of_its_branches(session).numbers["total"] == 32
    for number, process in enumerate(processes_of(session)):
        a_mixed_year(session, process, Random(number))  # noqa: S311
        the_school_is_the_sum_of_its_branches(session)
    small, middle, large = processes_of(session)
    leaves(session, "D0103-21")
    after = the_school_is_the_sum_of_its_branches(session)
    assert figures_of(session, large.id).numbers == counted(session, large)
    stand_at(session, middle, Stage.FILED)
    stand_at(session, middle, Stage.STUDY)
    assert the_school_is_the_sum_of_its_branches(session) == after
    withdraw(standing(session, Rating, small)[0], by="office", now=NOW, reason="有误")
    reject(standing(session, Measure, large)[0], by="office", now=NOW, reason="有误")
    assert the_school_is_the_sum_of_its_branches(session).numbers["measures"] == after.numbers["measures"] - 1


def test_a_check_of_the_school_holds_when_it_holds_in_every_branch(session: Session) -> None:
    cycle = a_school_of(session, SIZES)
    for process in processes_of(session):
        assert not totals_of(session, cycle)[1].checks["levels_make_the_total"]
        a_counted_ballot(session, process)
        all_rating(session, process)
    assert set(totals_of(session, cycle)[1].checks.values()) == {True}
    row = standing(session, Rating, processes_of(session)[1])[1]
    row.level = Level.EXCELLENT
    assert [name for name, holds in totals_of(session, cycle)[1].checks.items() if not holds] == ["excellent_within_the_quota"]
    assert BY_NAME["more_excellent_than_the_quota"].clause == "D5"
    body = {"requirement": "more_excellent_than_the_quota", "reason": "青年教师集中"}
    approve(waive(session, processes_of(session)[1], body, by="office", now=NOW), by="office", now=NOW)
    assert set(totals_of(session, cycle)[1].checks.values()) == {True}


def test_a_year_without_branches_is_nothing_and_agrees(session: Session) -> None:
    an_office(session)
    branches, totals = totals_of(session, a_cycle(session))
    assert (branches, set(totals.numbers.values()), set(totals.checks.values())) == (0, {0}, {True})
    assert list(totals.checks) == [each.name for each in CHECKS]


def test_another_year_never_counts(session: Session) -> None:
    a_school_of(session, SIZES)
    process = process_of(session, 2024, "D0102")
    a_mixed_year(session, process, Random(1))  # noqa: S311
    before, form = totals_of(session, process.cycle), figures_of(session, process.id)
    later = the_year_after(session, process)
    bring_into_step(session, [later.id], now=NOW)
    assert figures_of(session, later.id).numbers == counted(session, later)
    a_mixed_year(session, later, Random(2))  # noqa: S311
    assert (totals_of(session, process.cycle), figures_of(session, process.id)) == (before, form)
    assert totals_of(session, later.cycle) == (1, figures_of(session, later.id))
    assert figures_of(session, later.id).numbers == counted(session, later)


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_school_is_counted_in_one_statement(session: Session, shared_engine: Engine) -> None:
    cycle = a_school_of(session, SIZES)
    a_mixed_year(session, process_of(session, 2024, "D0103"), Random(3))  # noqa: S311
    with statements(shared_engine) as sent:
        totals_of(session, cycle)
    assert len(sent) == 1


def test_a_form_costs_the_same_for_three_members_and_for_twenty_two(session: Session, shared_engine: Engine) -> None:
    a_school_of(session, SIZES)
    for process in processes_of(session):
        a_mixed_year(session, process, Random(4))  # noqa: S311
    asked = []
    for code in SIZES:
        session.expunge_all()
        process = process_of(session, 2024, code)
        with statements(shared_engine) as sent:
            whole = (figures_of(session, process.id), paper_of(session, process), archive_of(session, process))
        assert whole[1].members
        asked.append(len(sent))
    small, middle, large = asked  # without plans and cases there is nothing to ask about them
    assert small <= middle == large < 25
