"""The acts of a branch on each missing subject, so that a model test comes through all stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.support.model.beside_model import BesideModel
from tests.support.model.facts import NEEDS_APPROVAL
from tests.support.model.model import LEAVING, TITLES, Missing

EARLIEST, MET_ON = "2024-12-16", "2024-12-18"


def mend_all(at: BesideModel) -> None:
    """Act on all that blocks, three times, because one act may reveal another gap.

    Some gaps cannot be closed in this stage and stay.
    """
    for _ in range(3):
        for name in at.model.blocks():
            if missing := at.model.open(name):
                MENDS[name](at, missing)


def _here(at: BesideModel) -> list[str]:
    return [each.staff_no for each in at.model.present()]


def _other(at: BesideModel) -> str:
    return next(each.staff_no for each in at.model.present() if not each.secretary)


def _study(at: BesideModel, missing: Missing) -> None:
    at.study(_here(at), TITLES, day=EARLIEST)


def _pairs(at: BesideModel, missing: Missing) -> None:
    for pair in missing:
        one, other = pair.split(":")
        at.talk(one, other)


def _talks(at: BesideModel, missing: Missing) -> None:
    for who in missing:
        at.talk(at.model.secretary, who)


def _self_reviews(at: BesideModel, missing: Missing) -> None:
    for who in missing:
        for draft in at.model.of("self-reviews", staff_no=who):
            at.take_back(draft, office=False)
            if draft.stands:
                at.waive("members_without_a_self_review", [who])
        at.self_review(who)


def _meet(at: BesideModel, missing: Missing) -> None:
    secretary = at.model.secretary
    line = {"speaker": secretary, "about": secretary, "matter": "会前准备不充分"}
    at.meeting("life", "general", _here(at), day=MET_ON, recorder=_other(at), duty_report="述职", criticisms=[line])


def _decide(at: BesideModel, missing: Missing) -> None:
    at.meeting("deciding", "general", _here(at), day=LEAVING, recorder=_other(at), vote={"yes": len(at.model.voters())})


def _withdraw(kind: str) -> Callable[[BesideModel, Missing], None]:
    def act(at: BesideModel, missing: Missing) -> None:
        for row in [row for row in at.model.of(kind) if row.key in missing]:
            at.take_back(row, office=False)

    return act


def _confirm(at: BesideModel, missing: Missing) -> None:
    for row in [row for row in at.model.of("meetings") if row.key in missing]:
        if at.model.people[row["recorder"]].gone:
            at.take_back(row, office=False)
            continue
        for who in {row["chair"], row["recorder"]} - row.confirmed:
            at.confirm(row, who)


def _tally(subject: str) -> Callable[[BesideModel, Missing], None]:
    def act(at: BesideModel, missing: Missing) -> None:
        for waiting in at.model.of("tallies", subject=subject):
            at.take_back(waiting, office=True)
        body = at.ballot(subject, at.model.secretary)
        for teller in [each.staff_no for each in at.model.present() if each.full and not each.secretary][:2]:
            at.count(teller, body)

    return act


def _ratings(at: BesideModel, missing: Missing) -> None:
    for who in missing:
        for row in at.model.of("ratings", staff_no=who):
            at.take_back(row, office=False)
        best = who == at.model.secretary and len(missing) > 3
        at.rate(who, level="excellent" if best else at.gives, opinion="履行职责较好")


def _tell(at: BesideModel, missing: Missing) -> None:
    for who in missing:
        at.tell(who)


def _reason(requirement: str) -> Callable[[BesideModel, Missing], None]:
    """Give a reason; if the subjects are still missing next time, let the office approve it."""

    def act(at: BesideModel, missing: Missing) -> None:
        waiting = [each for each in at.model.reasons if each.requirement == requirement and each.stands and not each.approved]
        if requirement == NEEDS_APPROVAL and waiting and waiting[-1].covers == missing:
            at.decide(waiting[-1], "approve")
        else:
            at.waive(requirement, None)

    return act


def _help(at: BesideModel, missing: Missing) -> None:
    for who in missing:
        for plan in at.model.of("help-plans", staff_no=who):
            at.take_back(plan, office=False)
        if who == at.model.secretary:
            at.take_back(at.model.of("ratings", staff_no=who)[0], office=True)
        else:
            at.help_plan(who)


def _case(at: BesideModel, missing: Missing) -> None:
    for who in missing:
        for row in at.model.of("disposition-cases", staff_no=who):
            at.take_back(row, office=False)
        at.case(who)


def _measure(at: BesideModel, missing: Missing) -> None:
    at.measure([at.problem()], at.model.secretary)


def _commitments(at: BesideModel, missing: Missing) -> None:
    for who in missing:
        at.commitment(who)


def _publish(at: BesideModel, missing: Missing) -> None:
    at.record("publications", {"place": "公示栏", "from": "2024-12-20", "to": "2024-12-27"})


def _send_up(at: BesideModel, missing: Missing) -> None:
    at.record("rectification-filings", {"to": "学院党委", "sent_on": "2024-12-20"})


def _form(at: BesideModel, missing: Missing) -> None:
    at.write_form(**dict.fromkeys(missing, "8888 0101"))


def _sums(at: BesideModel, missing: Missing) -> None:
    """Let the office take back ratings that do not add up.

    The branch cannot, because they belong to an earlier, closed stage.
    """
    for _, row in list(at.model.rated()):
        at.take_back(row, office=True)


MENDS: Mapping[str, Callable[[BesideModel, Missing], None]] = {
    **dict.fromkeys(("no_study_with_exchange", "required_titles_not_read", "members_who_have_not_studied"), _study),
    "committee_pairs_without_a_talk": _pairs,
    "members_nobody_talked_with": _talks,
    "secretary_without_a_focus_talk": lambda at, missing: at.talk(at.model.secretary, _other(at), focus=True),
    "members_without_a_self_review": _self_reviews,
    "meetings_before_their_study": _withdraw("meetings"),
    **dict.fromkeys(("no_self_review_meeting", "no_report_to_the_general_meeting", "no_report_on_last_years_measures"), _meet),
    **dict.fromkeys(("no_criticism", "cadres_absent", "members_in_no_group_meeting"), _meet),
    "incomplete_minutes": _withdraw("meetings"),
    "unconfirmed_minutes": _confirm,
    "no_tally_of_the_committee": _tally("committee"),
    "no_tally_of_the_members": _tally("members"),
    "no_deciding_decision": _decide,
    "incomplete_deciding_minutes": _withdraw("meetings"),
    "unconfirmed_deciding_minutes": _confirm,
    "members_without_a_rating": _ratings,
    "ratings_not_fed_back": _tell,
    "more_excellent_than_the_quota": _reason("more_excellent_than_the_quota"),
    "patterns_without_a_reason": _reason("patterns_without_a_reason"),
    "cases_without_facts": _case,
    "basic_without_a_help_plan": _help,
    "unqualified_without_a_case": _case,
    "no_measure_of_the_committee": _measure,
    **dict.fromkeys(("measures_without_a_problem", "measures_not_to_the_point", "measures_without_an_owner_on_the_roll"), _withdraw("measures")),
    "more_measures_than_the_plan_allows": _reason("more_measures_than_the_plan_allows"),
    "members_without_a_commitment": _commitments,
    "commitments_not_to_the_point": _withdraw("commitments"),
    "measures_not_published": _publish,
    "measures_not_sent_up": _send_up,
    "form_not_filled_in": _form,
    "form_does_not_add_up": _sums,
}
