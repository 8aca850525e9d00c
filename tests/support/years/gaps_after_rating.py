"""Gaps in the evidence of rectification and report.

Each function leaves out only the evidence of one requirement, and returns the act that adds it.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.support.years.branch_year import DECIDED_ON, TODAY, BranchYear, every, ok
from tests.support.years.gaps_until_rating import Mend, a_member


def rectified(*, measure: bool = True, commitments: bool = True, publication: bool = True, filing: bool = True) -> Callable[[BranchYear], None]:
    def act(branch: BranchYear) -> None:
        if measure:
            branch.measure(branch.problem())
        if commitments:
            branch.commitments()
        if publication:
            branch.publication()
        if filing:
            branch.sent_up()

    return act


def no_measure(branch: BranchYear) -> Mend:
    rectified(measure=False)(branch)
    problem = branch.problem()
    return lambda: branch.measure(problem)


def a_measure_against_nothing(branch: BranchYear) -> Mend:
    rectified(measure=False)(branch)
    problem, measure = branch.problem(), branch.measure()
    return lambda: branch.amend("measures", measure, {"problems": [problem["id"]]})


def a_measure_without_a_day(branch: BranchYear) -> Mend:
    rectified(measure=False)(branch)
    measure = branch.measure(branch.problem(), due_on=None)
    return lambda: branch.amend("measures", measure, {"due_on": "2025-06-30"})


def eleven_measures(branch: BranchYear) -> Mend:
    rectified(measure=False)(branch)
    problem = branch.problem()
    for _ in range(11):
        branch.measure(problem)
    return lambda: branch.waive("more_measures_than_the_plan_allows")


def an_owner_nobody_named(branch: BranchYear) -> Mend:
    """Let a deputy record a measure without an owner while the branch has no secretary."""
    rectified(measure=False)(branch)
    problem, deputy = branch.problem(), branch.holder("deputy")
    no_secretary(branch)
    measure = branch.measure(problem, by=deputy)
    assert measure["owner"] is None
    return lambda: branch.amend("measures", measure, {"owner": deputy}, by=deputy)


def no_secretary(branch: BranchYear) -> Mend:
    """End the secretary's post; the office gives it to another."""
    was, deputy = branch.holder("secretary"), branch.holder("deputy")
    post = next(row for row in every(branch.office, "/appointments") if row["staff_no"] == was)
    ok(branch.office.post(f"/appointments/{post['id']}/end", {"ends_on": DECIDED_ON}), 200)
    new = next(who for who in branch.numbers() if who not in (was, deputy))
    return lambda: ok(branch.office.post("/appointments", {"staff_no": new, "branch": branch.code, "post": "secretary", "starts_on": TODAY}))


def no_commitment(branch: BranchYear) -> Mend:
    rectified(commitments=False)(branch)
    branch.commitments(without=[a_member(branch)])
    return lambda: branch.commitment(a_member(branch))


def a_commitment_without_a_day(branch: BranchYear) -> Mend:
    rectified(commitments=False)(branch)
    branch.commitments(without=[a_member(branch)])
    made = branch.commitment(a_member(branch), due_on=None)
    return lambda: branch.amend("commitments", made, {"due_on": "2025-06-30"})


def published_without_an_end(branch: BranchYear) -> Mend:
    rectified(publication=False)(branch)
    made = branch.publication(to=None)
    return lambda: branch.amend("publications", made, {"to": "2024-12-27"})


def not_sent_up(branch: BranchYear) -> Mend:
    rectified(filing=False)(branch)
    return branch.sent_up


def no_phone(branch: BranchYear) -> Mend:
    branch.form(prepared_by="王五")
    return lambda: branch.form(phone="8888 0101")


def a_rating_rejected(branch: BranchYear) -> Mend:
    """Let the office reject a member's rating.

    The levels then do not make the total, and the branch steps back to rate them again.
    """
    branch.form()
    who = a_member(branch)
    ok(branch.office.post(f"{branch.path}/ratings/{who}/reject", {"reason": "评定意见过于笼统"}), 200)

    def mend() -> None:
        ok(branch.move("step_back", to="rating", reason="重新提出评定意见"))
        branch.rate(who, level="qualified")
        while branch.stage != "report":
            branch.goes_on()

    return mend


def without_a_secretary(branch: BranchYear) -> Mend:
    branch.form()
    return no_secretary(branch)
