"""Gaps in the evidence of study, talks, self-review and rating.

Each function leaves out only the evidence of one requirement, and returns the act that adds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.builders import READING
from tests.support.years.branch_year import DECIDED_ON, BranchYear, Line, every, ok

Mend = Callable[[], object]
REPORT: Line = {"duty_report": "代表支委会述职"}


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
