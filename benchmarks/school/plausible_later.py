"""The later records of the plausible school (测评、评定、整改): ballots, ratings, rectification."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from workflow.appraisal.ledger import Commitment, Measure, MeasureComment, MeasureProblem, Problem
from workflow.appraisal.meetings.tallies import CommitteeItem, Tally, TallyOfItem, TallyOfMember
from workflow.appraisal.rating.ratings import Rating
from workflow.appraisal.rectification.publications import Publication, RectificationFiling
from workflow.appraisal.report.form import Form
from workflow.foundation.vocabulary import (
    FeedbackWay,
    Level,
    MeasureState,
    ProblemSource,
    TallySubject,
)

from benchmarks.school.plausible_year import (
    BEGUN,
    COPIED,
    COUNTED,
    DECIDED,
    DEVIATION,
    MEAN,
    OFFICE,
    RATED,
    RECORDED,
    TODAY,
    WRONG,
    Year,
)


def ballots(year: Year) -> Iterator[object]:
    n, dice = len(year.people), year.dice
    issued = n + 3 if year.slips() else n
    valid = n // 3 if year.careless else issued
    numbers = {"issued": issued, "returned": valid, "valid": valid, "void": 0, "comments": []}
    counted = {
        "counted_by": year.people[2].staff_no,
        "counted_at": COUNTED,
        **year.made(year.people[1], COUNTED),
    }
    items = [
        TallyOfItem(
            item=item,
            process_id=year.process.id,
            good=valid,
            fairly_good=0,
            fair=0,
            poor=0,
            abstain=0,
        )
        for item in CommitteeItem
    ]
    yield Tally(subject=TallySubject.COMMITTEE, of_items=items, **numbers, **counted)
    votes: dict[str, int] = {}
    for person in year.people:
        share = min(max(dice.gauss(MEAN, DEVIATION), 0), 1)
        votes[person.staff_no] = sum(dice.random() < share for _ in range(min(n, valid) - 1))
    lines = [
        TallyOfMember(
            staff_no=staff_no,
            process_id=year.process.id,
            excellent=excellent,
            qualified=valid - 1 - excellent,
            basic=0,
            unqualified=0,
            abstain=1,
        )
        for staff_no, excellent in votes.items()
    ]
    yield Tally(subject=TallySubject.MEMBERS, of_members=lines, **numbers, **counted)
    yield from _ratings(year, sorted(votes, key=lambda staff_no: -votes[staff_no]))


def _ratings(year: Year, best_first: list[str]) -> Iterator[object]:
    """Rate the first of the ballot 优秀, a quarter of the branch; the careless rate the last."""
    places = len(best_first) // 4
    chosen, reasons = best_first[:places], {}
    if year.careless:
        chosen = best_first[-places:]
    elif places and year.dice.random() < 1 / 5:
        out_of_turn = best_first[places]
        chosen = [*chosen[:-1], out_of_turn]
        if year.dice.random() < 1 / 2:
            reasons[out_of_turn] = year.said("承担重大任务")
    if year.careless:
        punished = next(each for each in year.people if each.staff_no == chosen[0])
        punished.punished_on = TODAY - timedelta(days=60)
    for person in year.people:
        yield Rating(
            **year.made(at=RATED),
            staff_no=person.staff_no,
            level=Level.EXCELLENT if person.staff_no in chosen else Level.QUALIFIED,
            level_set_at=year.dice.choice(WRONG) if year.careless else RATED,
            opinion=COPIED if year.slips() else year.said(person.name),
            reason=reasons.get(person.staff_no),
            feedback_on=year.day(DECIDED),
            feedback_way=FeedbackWay.FACE,
            acknowledged_at=None if year.slips() else RECORDED,
        )


def rectification(year: Year) -> Iterator[object]:
    for number in range(3):
        problem = Problem(
            source=ProblemSource.MEETING, text=year.said("问题", number), **year.made()
        )
        year.session.add(problem)
        year.session.flush()
        late, near = TODAY - timedelta(days=9), TODAY + timedelta(days=3)
        due_on = late if year.slips() else TODAY + timedelta(days=year.dice.randint(1, 150))
        if year.careless and number == 1:
            due_on = near
        closed = year.slips()
        measure = Measure(
            text=year.said("措施", number),
            owner=year.people[number].staff_no,
            due_on=due_on,
            state=MeasureState.CLOSED if closed and number == 0 else MeasureState.DOING,
            changed_at=RECORDED if year.careless else BEGUN,
            **year.made(),
        )
        if not year.slips():
            measure.answers = [MeasureProblem(problem_id=problem.id, process_id=year.process.id)]
        if year.slips():
            entry = {
                "process_id": year.process.id,
                "recorded_by": year.people[1].staff_no,
                "recorded_at": RECORDED,
            }
            measure.comments = [MeasureComment(text="建议早做", **entry)]
        yield measure
    for number, person in enumerate(year.people):
        promise = {
            "problem_text": year.said("不足"),
            "text": year.said("承诺"),
            "due_on": TODAY - timedelta(days=9) if year.slips() else date(2025, 6, 30),
            "state": MeasureState.CLOSED if year.careless and number == 0 else MeasureState.OPEN,
        }
        yield Commitment(staff_no=person.staff_no, **promise, **year.made(person))
    day = year.day(DECIDED + timedelta(days=2))
    yield Publication(place="公示栏", from_on=day, to_on=day + timedelta(days=7), **year.made())
    received = {} if year.slips() else {"received_by": OFFICE, "received_at": RECORDED}
    yield RectificationFiling(sent_to="学院党委", sent_on=day, **received, **year.made())
    yield Form(process_id=year.process.id, prepared_by="填表人", phone="8888")
