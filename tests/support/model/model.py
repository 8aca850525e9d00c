"""A branch's year as a small model in plain Python.

Facts are in lists, and loops over them find what is missing. It knows nothing of the product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from tests.support.model.ballots import better_than_the_majority, standing_of
from tests.support.model.facts import NEEDS_APPROVAL, Person, Reason, Record

STAGES = ("study", "talks", "self_review", "rating", "rectification", "report", "filed", "accepted")
WORKING = STAGES[:6]
TITLES = ("中国共产党纪律处分条例", "中国共产党支部工作条例（试行）")

OF_OFFICE = ("accept", "return", "reopen")
ASKS_REASON = ("return", "step_back", "withdraw", "reopen")
TRIGGERS = ("advance", "file", *OF_OFFICE, "step_back", "withdraw")

PER_SUBJECT = (
    *("committee_pairs_without_a_talk", "members_nobody_talked_with", "leaders_and_members_without_a_talk", "members_without_a_self_review"),
    *("members_in_no_group_meeting", "ratings_not_fed_back", "members_without_a_commitment"),
)
AS_A_WHOLE = (
    *("members_who_have_not_studied", "secretary_without_a_focus_talk", "no_criticism", "cadres_absent", "patterns_without_a_reason"),
    *("more_measures_than_the_plan_allows", "more_excellent_than_the_quota"),
)


def targets(trigger: str, source: str) -> tuple[str, ...]:
    """Give the stages to which a trigger leads from a stage."""
    place = STAGES.index(source)
    earlier = STAGES[:place]
    leads: dict[str, tuple[str, ...]] = {
        "advance": STAGES[place + 1 : place + 2] if source in WORKING[:-1] else (),
        "file": ("filed",) if source == "report" else (),
        "accept": ("accepted",) if source == "filed" else (),
        "return": earlier if source != "accepted" else (),
        "step_back": earlier if source in WORKING else (),
        "withdraw": ("report",) if source == "filed" else (),
        "reopen": WORKING if source == "accepted" else (),
    }
    return leads[trigger]


CLOSED_BY = {
    "study-sessions": "study",
    "talks": "talks",
    "self-reviews": "self_review",
    "tallies": "self_review",
    **dict.fromkeys(("ratings", "help-plans", "disposition-cases"), "rating"),
    **dict.fromkeys(("problems", "measures", "commitments", "publications", "rectification-filings"), "rectification"),
    "form": "report",
}
"""The stage that closes each kind of evidence; for a meeting its purpose decides."""

Missing = dict[str, int]
LEAVING = "2024-12-20"
"""The day on which all leave who do: until then they are due at meetings."""


@dataclass
class Model:
    """The facts of one branch."""

    people: dict[str, Person]
    stage: str = "study"
    round: int = 1
    version: int = 1
    records: list[Record] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    form: dict[str, str] = field(default_factory=dict)

    # ── who, and what ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def secretary(self) -> str:
        return next(each.staff_no for each in self.people.values() if each.secretary)

    def present(self) -> list[Person]:
        return [each for each in self.people.values() if not each.left]

    def attending(self) -> list[Person]:
        """List the people on the roll without a confirmed excuse."""
        return [each for each in self.present() if each.excused != "confirmed"]

    def voters(self) -> list[Person]:
        return [each for each in self.attending() if each.full]

    def to_rate(self) -> list[Person]:
        """List the people whom the branch rates, with who has left after being rated."""
        return [each for each in self.people.values() if each.counted and each.full and each.excused != "confirmed"]

    def of(self, kind: str, **which: Any) -> list[Record]:
        """List the valid records of a kind."""
        return [row for row in self.records if row.kind == kind and row.stands and all(row[name] == value for name, value in which.items())]

    def closed(self, kind: str, purpose: str | None = None) -> bool:
        stage = CLOSED_BY.get(kind) or ("rating" if purpose == "deciding" else "self_review")
        return STAGES.index(self.stage) > STAGES.index(stage)

    def studies(self) -> list[Record]:
        """List the sessions that a meeting may follow."""
        return [row for row in self.of("study-sessions") if row["present"] and row["exchange"]]

    def meetings(self, *purposes: str) -> list[Record]:
        return [row for row in self.of("meetings") if row["purpose"] in purposes]

    def counted(self, subject: str) -> Record | None:
        return next((row for row in self.of("tallies", subject=subject) if len(row.tellers) == 2), None)

    def rated(self) -> Iterator[tuple[Person, Record]]:
        """Yield the people on the roll who have a level."""
        for row in self.of("ratings"):
            person = self.people[row["staff_no"]]
            if row["level"] and not person.left:
                yield person, row

    def at_level(self, level: str) -> list[str]:
        return [person.staff_no for person, row in self.rated() if row["level"] == level]

    def problem_stands(self, number: Any) -> bool:
        return any(row.key == str(number) for row in self.of("problems"))

    def roll_follows(self) -> None:
        if self.stage in WORKING:
            for each in self.people.values():
                each.left = each.gone
                each.counted = not each.left or bool([row for row in self.of("ratings", staff_no=each.staff_no) if row["level"]])

    # ── what is missing ───────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, requirement: str) -> Missing:
        """Find the missing subjects of one requirement that no reason covers."""
        reasons = [each for each in self.reasons if each.requirement == requirement]
        return {
            subject: amount
            for subject, amount in MISSING[requirement][1](self).items()
            if not any(each.covers_now(subject, amount) for each in reasons)
        }

    def blocks(self) -> dict[str, set[str]]:
        """Find the obstacles to the next stage: requirement to subjects."""
        found = {name: set(self.open(name)) for name, (stage, _) in MISSING.items() if stage == self.stage}
        return {name: subjects for name, subjects in found.items() if subjects}


def _branch(lacks: bool) -> Missing:
    return {"": 1} if lacks else {}


def _each(subjects: Any) -> Missing:
    return dict.fromkeys(subjects, 1)


def _not_studied(model: Model) -> Missing:
    def read(who: str, title: str) -> bool:
        return any(title in row["titles"] and (who in row["present"] or who in row.made_up) for row in model.of("study-sessions"))

    return _each(each.staff_no for each in model.attending() if not all(read(each.staff_no, title) for title in TITLES))


def _talked(model: Model, one: str, other: str) -> bool:
    return any({row["talker"], row["partner"]} == {one, other} for row in model.of("talks"))


def _pairs(model: Model) -> Missing:
    committee = sorted(each.staff_no for each in model.present() if each.on_committee)
    return _each(f"{one}:{other}" for one, other in combinations(committee, 2) if not _talked(model, one, other))


def _not_talked_with(model: Model) -> Missing:
    leaders = [each.staff_no for each in model.people.values() if each.leads]
    return _each(each.staff_no for each in model.present() if not each.leads and not any(_talked(model, each.staff_no, one) for one in leaders))


def _no_focus(model: Model) -> Missing:
    focused = any(row["talker"] == model.secretary and row["focus"] and row["focus_reason"] for row in model.of("talks"))
    return {} if focused else {model.secretary: 1}


def _no_self_review(model: Model) -> Missing:
    return _each(each.staff_no for each in model.attending() if not model.of("self-reviews", staff_no=each.staff_no, submitted=True))


def _met_too_early(model: Model) -> Missing:
    return _each(row.key for row in model.meetings("life") if not any(study["held_on"] <= row["held_on"] for study in model.studies()))


def _in_no_group(model: Model) -> Missing:
    """Find the people who were in no group meeting, once the branch meets in groups."""
    forms = {row["form"] for row in model.meetings("life")}
    there = {who for row in model.meetings("life") if row["form"] == "group" for who in row["present"]}
    return _each(each.staff_no for each in model.attending() if forms & {"group", "general"} == {"group"} and each.staff_no not in there)


def _reported(model: Model, *fields: str) -> bool:
    """Tell whether a general meeting heard one of these reports.

    A duty report after a year without measures says so itself.
    """
    return any(row["form"] == "general" and any(row[name] for name in fields) for row in model.meetings("life", "report"))


def _incomplete(*purposes: str) -> Callable[[Model], Missing]:
    return lambda model: _each(row.key for row in model.meetings(*purposes) if not (row["place"] and row["minutes"] and row["present"]))


def _unconfirmed(*purposes: str) -> Callable[[Model], Missing]:
    return lambda model: _each(row.key for row in model.meetings(*purposes) if row.confirmed != {row["chair"], row["recorder"]})


def _cadres_absent(model: Model) -> Missing:
    held = model.meetings("life")
    return _each(each.staff_no for each in model.attending() if each.cadre and held and not any(each.staff_no in row["present"] for row in held))


def _not_decided(model: Model) -> Missing:
    def holds(row: Record) -> bool:
        that_day = [each for each in model.people.values() if not each.left or row["held_on"] < LEAVING]
        voters = [each for each in that_day if each.full and each.excused != "confirmed"]
        due = {each.staff_no for each in ([each for each in that_day if each.on_committee] if row["form"] == "committee" else voters)}
        came = len(due & set(row["present"]))
        return bool(due) and came * 2 >= len(due) and row["vote"] is not None and row["vote"]["yes"] * 2 > len(due)

    held = model.meetings("deciding")
    return {} if any(map(holds, held)) else _each(row.key for row in held) or _branch(True)


def _not_rated(model: Model) -> Missing:
    def whole(who: str) -> bool:
        return any((row["level"] and row["opinion"]) or row["not_rated_reason"] for row in model.of("ratings", staff_no=who))

    return _each(each.staff_no for each in model.to_rate() if not whole(each.staff_no))


def _over_quota(model: Model, waiting: int = 0) -> Missing:
    # Who was rated and has left stays in the year's figures.
    levels = [row["level"] for row in model.of("ratings") if row["level"]]
    excellent, rated = levels.count("excellent"), len(levels)
    return {"": excellent} if excellent > (rated + waiting) // 4 else {}


def _over_quota_once_all_are_rated(model: Model) -> Missing:
    return _over_quota(model, sum(not model.of("ratings", staff_no=each.staff_no) for each in model.voters()))


def _patterns(model: Model) -> Missing:
    found: Missing = {}
    levels = [row["level"] for _, row in model.rated()]
    given = [row["level"] for row in model.of("ratings") if row["level"]]
    if len(levels) >= 3 and len(set(levels)) == 1 and not (set(given) == {"qualified"} and len(given) // 4 == 0):
        found["same"] = len(levels)
    ballot = model.counted("members")
    votes, valid = (ballot["counts"], ballot["valid"]) if ballot else ({}, 0)
    better = [(who.staff_no, row) for who, row in model.rated() if not row["reason"] and who.staff_no in votes]
    far = [who for who, row in better if better_than_the_majority(votes[who], row["level"], valid)]
    others = [standing_of(votes[who], valid) for who, row in better if row["level"] != "excellent"]
    passed_over = [who for who, row in better if row["level"] == "excellent" and max(others, default=0) > standing_of(votes[who], valid)]
    return found | ({"far": len(far)} if far else {}) | ({"passed_over": len(passed_over)} if passed_over else {})


def _unhelped(model: Model) -> Missing:
    return _each(who for who in model.at_level("basic") if not any(row["first_step"] for row in model.of("help-plans", staff_no=who)))


def _without_facts(model: Model) -> Missing:
    return _each(who for who in model.at_level("unqualified") if any(not row["facts"] for row in model.of("disposition-cases", staff_no=who)))


def _unowned(model: Model) -> Missing:
    return _each(row.key for row in model.of("measures") if model.people[row["owner"]].left)


def _vague_commitments(model: Model) -> Missing:
    def clear(row: Record) -> bool:
        return bool(row["due_on"]) and (isinstance(row["problem"], str) or model.problem_stands(row["problem"]))

    return _each(row.key for row in model.of("commitments") if not model.people[row["staff_no"]].left and not clear(row))


def _too_many(model: Model) -> Missing:
    number = len(model.of("measures"))
    return {"": number} if number > 10 else {}


def _sums(model: Model) -> Missing:
    """Find the checks of the form that fail."""
    total = [each for each in model.people.values() if each.counted]
    levels = {row["staff_no"] for row in model.of("ratings") if row["level"] and model.people[row["staff_no"]].counted}
    reasons = {row["staff_no"] for row in model.of("ratings") if row["not_rated_reason"]}
    due = {each.staff_no for each in model.to_rate()}
    without = [each.staff_no for each in total if each.staff_no not in levels]
    none = [who for who in without if who not in due or who in reasons]
    ballot = model.counted("members")
    holds = {
        "levels_make_the_total": len(levels) + len(none) == len(total),
        "rated_were_on_the_ballot": all(ballot and who in ballot["counts"] for who in levels),
        "excellent_within_the_quota": not _over_quota(model) or not model.open(NEEDS_APPROVAL),
        "each_basic_is_helped": all(model.of("help-plans", staff_no=who) for who in model.at_level("basic")),
        "each_unqualified_has_a_case": all(model.of("disposition-cases", staff_no=who) for who in model.at_level("unqualified")),
    }
    return _each(name for name, held in holds.items() if not held)


MISSING: Mapping[str, tuple[str, Callable[[Model], Missing]]] = {
    "no_study_with_exchange": ("study", lambda model: _branch(not model.studies())),
    "required_titles_not_read": (
        "study",
        lambda model: _each(title for title in TITLES if not any(title in row["titles"] for row in model.of("study-sessions"))),
    ),
    "members_who_have_not_studied": ("study", _not_studied),
    "committee_pairs_without_a_talk": ("talks", _pairs),
    "members_nobody_talked_with": ("talks", _not_talked_with),
    "leaders_and_members_without_a_talk": ("talks", lambda model: {}),
    "secretary_without_a_focus_talk": ("talks", _no_focus),
    "members_without_a_self_review": ("self_review", _no_self_review),
    "meetings_before_their_study": ("self_review", _met_too_early),
    "no_self_review_meeting": ("self_review", lambda model: _branch(not model.meetings("life"))),
    "members_in_no_group_meeting": ("self_review", _in_no_group),
    "no_report_to_the_general_meeting": ("self_review", lambda model: _branch(not _reported(model, "duty_report"))),
    "no_report_on_last_years_measures": ("self_review", lambda model: _branch(not _reported(model, "rectification_report", "duty_report"))),
    "incomplete_minutes": ("self_review", _incomplete("life", "report")),
    "unconfirmed_minutes": ("self_review", _unconfirmed("life", "report")),
    "no_tally_of_the_committee": ("self_review", lambda model: _branch(not model.counted("committee"))),
    "no_tally_of_the_members": ("self_review", lambda model: _branch(not model.counted("members"))),
    "no_criticism": ("self_review", lambda model: _branch(bool(held := model.meetings("life")) and not any(row["criticisms"] for row in held))),
    "cadres_absent": ("self_review", _cadres_absent),
    "no_deciding_decision": ("rating", _not_decided),
    "incomplete_deciding_minutes": ("rating", _incomplete("deciding")),
    "unconfirmed_deciding_minutes": ("rating", _unconfirmed("deciding")),
    "members_without_a_rating": ("rating", _not_rated),
    "ratings_not_fed_back": ("rating", lambda model: _each(who.staff_no for who, row in model.rated() if not row.told)),
    "more_excellent_than_the_quota": ("rating", _over_quota_once_all_are_rated),
    "more_excellent_than_is_ever_allowed": ("rating", lambda model: {}),
    "patterns_without_a_reason": ("rating", _patterns),
    "cases_without_facts": ("rating", _without_facts),
    "basic_without_a_help_plan": ("rating", _unhelped),
    "unqualified_without_a_case": (
        "rating",
        lambda model: _each(who for who in model.at_level("unqualified") if not model.of("disposition-cases", staff_no=who)),
    ),
    "no_measure_of_the_committee": ("rectification", lambda model: _branch(not model.of("measures"))),
    "measures_without_a_problem": (
        "rectification",
        lambda model: _each(row.key for row in model.of("measures") if not any(map(model.problem_stands, row["problems"]))),
    ),
    "measures_not_to_the_point": ("rectification", lambda model: _each(row.key for row in model.of("measures") if not row["due_on"])),
    "more_measures_than_the_plan_allows": ("rectification", _too_many),
    "measures_without_an_owner_on_the_roll": ("rectification", _unowned),
    "members_without_a_commitment": (
        "rectification",
        lambda model: _each(each.staff_no for each in model.attending() if not model.of("commitments", staff_no=each.staff_no)),
    ),
    "commitments_not_to_the_point": ("rectification", _vague_commitments),
    "measures_not_published": ("rectification", lambda model: _branch(not any(row["place"] and row["to"] for row in model.of("publications")))),
    "measures_not_sent_up": ("rectification", lambda model: _branch(not model.of("rectification-filings"))),
    "form_not_filled_in": ("report", lambda model: _each(name for name in ("prepared_by", "phone") if not model.form.get(name))),
    "form_does_not_add_up": ("report", _sums),
    "no_secretary_named": ("report", lambda model: {}),
}
"""Each blocking requirement: its stage, and the function that finds its missing subjects."""
