"""The gap of a branch at each requirement that blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.support.years.branch_year import BranchYear
from tests.support.years.gaps_after_rating import (
    a_commitment_without_a_day,
    a_measure_against_nothing,
    a_measure_without_a_day,
    a_rating_rejected,
    an_owner_nobody_named,
    eleven_measures,
    no_commitment,
    no_measure,
    no_phone,
    not_sent_up,
    published_without_an_end,
    without_a_secretary,
)
from tests.support.years.gaps_until_rating import (
    REPORT,
    Mend,
    a_cadre_was_away,
    a_case_without_facts,
    a_leader_and_a_member,
    a_meeting_short_of,
    a_member_not_talked_with,
    a_pair_that_did_not_talk,
    decision_not_confirmed_by_the_chair,
    decision_without_minutes,
    entered_by_one_teller,
    met_before_the_study_that_counts,
    minutes_not_confirmed_by_the_recorder,
    no_criticism,
    no_exchange,
    no_focus_talk,
    no_life_meeting,
    no_self_review,
    not_approved_over_the_quota,
    not_decided,
    one_in_no_group,
    one_not_told,
    one_title_unread,
    one_was_away,
    one_without_a_rating,
    over_the_quota,
    rated,
    studied_again,
)

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
