"""The gap of a branch at each requirement that blocks.

Each function leaves out only the evidence of its requirement, and returns the act that adds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.builders import READING
from tests.support.years.branch_year import DECIDED_ON, TODAY, BranchYear, Line, every, ok

Mend = Callable[[], object]
REPORT: Line = {"duty_report": "代表支委会述职"}
EXCELLENT = {1: "excellent"}


@dataclass(frozen=True)
class Removal:
    """``lacks`` does all acts of the stage except one, and returns that one."""

    lacks: Callable[[BranchYear], Mend]
    before: Callable[[BranchYear], object] = lambda branch: None
    """The act done beforehand."""
    levels: Mapping[int, str] = field(default_factory=lambda: EXCELLENT)
    """Levels by place on the roster."""
    house: str = "default"
    """``strict``: each leader talks with each member, and nobody is excellent over the quota."""


# ── study and talks ───────────────────────────────────────────────────────────────────────────────────────────────────


def no_exchange(branch: BranchYear) -> Mend:
    study = branch.study(exchange=None)
    return lambda: branch.amend("study-sessions", study, {"exchange": "逐条交流了体会"})


def one_title_unread(branch: BranchYear) -> Mend:
    """Let nobody read one title.

    E4 then asks for every member who has not read it, so a waiver covers that first.
    """
    branch.study(titles=READING[:1])
    branch.waive("members_who_have_not_studied")
    return branch.study


def one_was_away(branch: BranchYear) -> Mend:
    away = a_member(branch)
    study = branch.study(without=[away])
    return lambda: branch.make_up(study, away)


def a_pair_that_did_not_talk(branch: BranchYear) -> Mend:
    one, other = sorted(branch.numbers(lambda row: row["on_committee"] and row["post"] != "secretary"))
    branch.talks(without=[f"{one}:{other}"])
    return lambda: branch.talk(one, other)


def a_member_not_talked_with(branch: BranchYear) -> Mend:
    member = a_member(branch)
    branch.talks(without=[member])
    return lambda: branch.talk(branch.holder("deputy"), member)


def a_leader_and_a_member(branch: BranchYear) -> Mend:
    leaders, others = branch.numbers(lambda row: row["leads"]), branch.numbers(lambda row: not row["leads"])
    last = leaders[0], others[-1]
    branch.talks(without=[":".join(sorted(last))])
    return lambda: branch.talk(*last)


def no_focus_talk(branch: BranchYear) -> Mend:
    branch.talks(focus=False)
    return lambda: branch.talk(branch.holder("secretary"), a_member(branch), focus=True)


def a_member(branch: BranchYear) -> str:
    """Find the last member on the roll."""
    return branch.numbers()[-1]


# ── self-review ───────────────────────────────────────────────────────────────────────────────────────────────────────


def no_self_review(branch: BranchYear) -> Mend:
    branch.self_reviews(without=[a_member(branch)])
    branch.life_meetings()
    branch.tallies()
    return lambda: branch.self_review(a_member(branch))


def _all_but_the_meeting(branch: BranchYear) -> None:
    branch.self_reviews()
    branch.tallies()


def studied_again(branch: BranchYear) -> None:
    body = {"held_on": DECIDED_ON, "titles": list(READING), "present": branch.numbers(), "exchange": "再次交流"}
    branch.record("study-sessions", body)


def met_before_the_study_that_counts(branch: BranchYear) -> Mend:
    """Let the office reject the study before the meeting; another was held on the day after it."""
    _all_but_the_meeting(branch)
    meeting = branch.meeting("life", **REPORT, **branch.criticism())
    study = min(every(branch.office, f"{branch.path}/study-sessions"), key=lambda row: str(row["held_on"]))
    ok(branch.office.post(f"{branch.path}/study-sessions/{study['id']}/reject", {"reason": "没有签到表"}), 200)
    return _corrected(branch, meeting, held_on=DECIDED_ON)


def _corrected(branch: BranchYear, meeting: Mapping[str, Any], **changes: Any) -> Mend:
    """Correct minutes and confirm them again, as corrected minutes must be."""
    return lambda: branch.confirm(branch.amend("meetings", meeting, changes))


def a_meeting_short_of(mended: Mapping[str, Any], /, **given: Any) -> Callable[[BranchYear], Mend]:
    """Record a self-review meeting with other fields; ``mended`` are those that correct it."""

    def lacks(branch: BranchYear) -> Mend:
        _all_but_the_meeting(branch)
        return _corrected(branch, branch.meeting("life", **{**REPORT, **branch.criticism(), **given}), **mended)

    return lacks


def no_life_meeting(branch: BranchYear) -> Mend:
    _all_but_the_meeting(branch)
    branch.meeting("report", **REPORT)
    return lambda: branch.meeting("life", "committee", **branch.criticism())


def one_in_no_group(branch: BranchYear) -> Mend:
    """Let everybody meet in their group but one; another sitting takes them in."""
    _all_but_the_meeting(branch)
    branch.meeting("report", **REPORT)
    away = a_member(branch)
    there = [who for who in branch.numbers(lambda row: row["excused_confirmed_by"] is None) if who != away]
    branch.meeting("life", "group", group="第一党小组", present=there, **branch.criticism())
    return lambda: branch.meeting("life", "group", group="第二党小组", present=[there[0], away], **branch.criticism())


def no_criticism(branch: BranchYear) -> Mend:
    _all_but_the_meeting(branch)
    return _corrected(branch, branch.meeting("life", **REPORT), **branch.criticism())


def a_cadre_was_away(branch: BranchYear) -> Mend:
    _all_but_the_meeting(branch)
    there = branch.numbers(lambda row: not row["cadre"])
    return _corrected(branch, branch.meeting("life", present=there, **REPORT, **branch.criticism()), present=branch.numbers())


def minutes_not_confirmed_by_the_recorder(branch: BranchYear) -> Mend:
    _all_but_the_meeting(branch)
    meeting = branch.meeting("life", confirmed=False, **REPORT, **branch.criticism())
    branch.confirm(meeting, "chair")
    return lambda: branch.confirm(meeting, "recorder")


def entered_by_one_teller(subject: str, other: str) -> Callable[[BranchYear], Mend]:
    def lacks(branch: BranchYear) -> Mend:
        branch.self_reviews()
        branch.life_meetings()
        branch.tally(other)
        one, two = branch.tellers()
        branch.tally(subject, [one])
        return lambda: branch.tally(subject, [two])

    return lacks


# ── rating ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def not_decided(branch: BranchYear) -> Mend:
    branch.ratings()
    return branch.decision


def decision_without_minutes(branch: BranchYear) -> Mend:
    branch.ratings()
    return _corrected(branch, branch.decision(minutes=None), minutes="逐人提出评定意见并表决")


def decision_not_confirmed_by_the_chair(branch: BranchYear) -> Mend:
    branch.ratings()
    meeting = branch.decision(confirmed=False)
    branch.confirm(meeting, "recorder")
    return lambda: branch.confirm(meeting, "chair")


def one_without_a_rating(branch: BranchYear) -> Mend:
    branch.ratings(without=[a_member(branch)])
    branch.decision()
    return lambda: branch.rate(a_member(branch), level="qualified")


def one_not_told(branch: BranchYear) -> Mend:
    branch.ratings(untold=[a_member(branch)])
    branch.decision()
    return lambda: branch.tell(a_member(branch))


def rated(mend: Callable[[BranchYear], object]) -> Callable[[BranchYear], Mend]:
    """Rate, tell and decide on all; nothing follows from it for anybody yet."""

    def lacks(branch: BranchYear) -> Mend:
        branch.ratings()
        branch.decision()
        return lambda: mend(branch)

    return lacks


def not_approved_over_the_quota(branch: BranchYear) -> Mend:
    """Give a reason that the office has not approved yet."""
    rated(lambda _: None)(branch)
    reason = branch.waive("more_excellent_than_the_quota")
    return lambda: ok(branch.office.post(f"{branch.path}/waivers/{reason['id']}/approve"), 200)


def over_the_quota(branch: BranchYear) -> Mend:
    """Rate one more excellent than the plan ever allows; a reason is no way out."""
    rated(lambda _: None)(branch)
    body = {"requirement": "more_excellent_than_is_ever_allowed", "reason": "青年教师集中"}
    ok(branch.secretary.post(f"{branch.path}/waivers", body), 422)
    other = branch.numbers()[2]

    def mend() -> None:
        path = f"{branch.path}/ratings/{other}"
        ok(branch.secretary.patch(path, {"level": "qualified"}, seen=branch.secretary.get(path).etag), 200)
        branch.tell(other)

    return mend


def a_case_without_facts(branch: BranchYear) -> Mend:
    rated(lambda _: None)(branch)
    case = branch.case(*branch.levels.keys() - {branch.numbers()[1]}, facts=None)
    return lambda: branch.amend("disposition-cases", case, {"facts": "两次无故不参加"})


# ── rectification and report ──────────────────────────────────────────────────────────────────────────────────────────


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


REMOVALS: Mapping[str, Removal] = {
    "no_study_with_exchange": Removal(no_exchange),
    "required_titles_not_read": Removal(one_title_unread),
    "members_who_have_not_studied": Removal(one_was_away),
    "committee_pairs_without_a_talk": Removal(a_pair_that_did_not_talk),
    "members_nobody_talked_with": Removal(a_member_not_talked_with),
    "leaders_and_members_without_a_talk": Removal(a_leader_and_a_member, house="strict"),
    "secretary_without_a_focus_talk": Removal(no_focus_talk),
    "members_without_a_self_review": Removal(no_self_review),
    "meetings_before_their_study": Removal(met_before_the_study_that_counts, before=studied_again),
    "no_self_review_meeting": Removal(no_life_meeting),
    "members_in_no_group_meeting": Removal(one_in_no_group),
    "no_report_to_the_general_meeting": Removal(a_meeting_short_of(REPORT, duty_report=None, rectification_report="上年度无整改事项")),
    "no_report_on_last_years_measures": Removal(a_meeting_short_of({"rectification_report": "上年度整改措施已经销号"})),
    "incomplete_minutes": Removal(a_meeting_short_of({"place": "会议室"}, place=None)),
    "unconfirmed_minutes": Removal(minutes_not_confirmed_by_the_recorder),
    "no_tally_of_the_committee": Removal(entered_by_one_teller("committee", "members")),
    "no_tally_of_the_members": Removal(entered_by_one_teller("members", "committee")),
    "no_criticism": Removal(no_criticism),
    "cadres_absent": Removal(a_cadre_was_away),
    "no_deciding_decision": Removal(not_decided),
    "incomplete_deciding_minutes": Removal(decision_without_minutes),
    "unconfirmed_deciding_minutes": Removal(decision_not_confirmed_by_the_chair),
    "members_without_a_rating": Removal(one_without_a_rating),
    "ratings_not_fed_back": Removal(one_not_told),
    "more_excellent_than_the_quota": Removal(not_approved_over_the_quota, levels={1: "excellent", 2: "excellent"}),
    "more_excellent_than_is_ever_allowed": Removal(over_the_quota, levels={1: "excellent", 2: "excellent"}, house="strict"),
    "patterns_without_a_reason": Removal(rated(lambda branch: branch.waive("patterns_without_a_reason")), levels={}),
    "cases_without_facts": Removal(a_case_without_facts, levels={1: "excellent", 4: "unqualified"}),
    "basic_without_a_help_plan": Removal(rated(BranchYear.aftercare), levels={1: "excellent", 4: "basic"}),
    "unqualified_without_a_case": Removal(rated(BranchYear.aftercare), levels={1: "excellent", 4: "unqualified"}),
    "no_measure_of_the_committee": Removal(no_measure),
    "measures_without_a_problem": Removal(a_measure_against_nothing),
    "measures_not_to_the_point": Removal(a_measure_without_a_day),
    "more_measures_than_the_plan_allows": Removal(eleven_measures),
    "measures_without_an_owner_on_the_roll": Removal(an_owner_nobody_named),
    "members_without_a_commitment": Removal(no_commitment),
    "commitments_not_to_the_point": Removal(a_commitment_without_a_day),
    "measures_not_published": Removal(published_without_an_end),
    "measures_not_sent_up": Removal(not_sent_up),
    "form_not_filled_in": Removal(no_phone),
    "form_does_not_add_up": Removal(a_rating_rejected),
    "no_secretary_named": Removal(without_a_secretary),
}
"""Removals by the requirement's name."""
