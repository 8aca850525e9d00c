"""The service against a small model of it, over thousands of steps.

The steps vary stages, triggers, roles, evidence, reasons, and people who leave.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from tests.support.model.ballots import LEVELS
from tests.support.model.beside_model import BLOCKING, BesideModel, a_new_branch
from tests.support.model.facts import NEEDS_APPROVAL, Record
from tests.support.model.model import AS_A_WHOLE, MISSING, OF_OFFICE, PER_SUBJECT, STAGES, TITLES, TRIGGERS, targets
from tests.support.model.model_mends import MENDS, mend_all
from tests.support.servers import House

DAYS = st.sampled_from(["2024-12-16", "2024-12-18", "2024-12-19"])
YES_NO = st.booleans()
USUALLY = st.sampled_from([True, True, True, False])
_numbers = count(1)


class Year(RuleBasedStateMachine):
    """All acts of a branch's year, in any order."""

    house: House

    @initialize(
        with_committee=YES_NO,
        moves=st.sampled_from([0, 1, 2, 3, 3, 3, 4, 5, 6, 7]),
        gives=st.sampled_from(LEVELS),
        excuse=st.sampled_from([(), ("ask",), ("ask", "confirm"), ("ask", "confirm", "ask")]),
        somebody_leaves=YES_NO,
    )
    def begin(self, with_committee: bool, moves: int, gives: str, excuse: tuple[str, ...], somebody_leaves: bool) -> None:
        """Begin in some stage, perhaps with a confirmed excuse, perhaps after somebody left."""
        self.at: BesideModel = a_new_branch(self.house, f"Y{next(_numbers):04d}", with_committee=with_committee)
        self.at.gives = gives
        for verb in excuse:
            self.at.excuse(self.everybody[-2], verb)
        for _ in range(moves):
            self.mend_and_go_on()
        if somebody_leaves:
            self.at.leave(self.everybody[1])

    @property
    def everybody(self) -> list[str]:
        return list(self.at.model.people)

    def one(self, data: st.DataObject, *, but_the_secretary: bool = False, here: bool = False) -> str:
        people = [each for each in self.at.model.people.values() if not (but_the_secretary and each.secretary) and not (here and each.gone)]
        return data.draw(st.sampled_from([each.staff_no for each in people]), label="who")

    def some(self, data: st.DataObject) -> list[str]:
        """Choose people, mostly all who are here."""
        here = [each.staff_no for each in self.at.model.people.values() if not each.gone]
        return data.draw(st.one_of(st.just(here), st.lists(st.sampled_from(self.everybody), unique=True)), label="present")

    def a_record(self, data: st.DataObject, *kinds: str) -> Record | None:
        rows = [row for row in self.at.model.records if not kinds or row.kind in kinds]
        return data.draw(st.sampled_from(rows), label="record") if rows else None

    # ── evidence ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(data=st.data(), titles=st.lists(st.sampled_from(TITLES), unique=True), exchange=USUALLY, day=DAYS)
    def study(self, data: st.DataObject, titles: list[str], exchange: bool, day: str) -> None:
        self.at.study(self.some(data), titles, day=day, exchange=exchange)

    @rule(data=st.data())
    def make_up(self, data: st.DataObject) -> None:
        if row := self.a_record(data, "study-sessions"):
            self.at.make_up(row, self.one(data))

    @rule(data=st.data(), focus=YES_NO)
    def talk(self, data: st.DataObject, focus: bool) -> None:
        talker, partner = data.draw(st.permutations(self.everybody))[:2]
        self.at.talk(talker, partner, focus=focus)

    @rule(data=st.data(), submitted=USUALLY, by_secretary=YES_NO)
    def review_oneself(self, data: st.DataObject, submitted: bool, by_secretary: bool) -> None:
        self.at.self_review(self.one(data), submitted=submitted, by_secretary=by_secretary)

    @rule(
        data=st.data(),
        purpose=st.sampled_from(["life", "report", "deciding"]),
        form=st.sampled_from(["general", "committee", "group"]),
        day=DAYS,
        place=USUALLY,
        duty=YES_NO,
        rectification=YES_NO,
        criticised=YES_NO,
        yes=st.sampled_from([None, "half", "most", "all", "too many"]),
    )
    def meet(self, data: st.DataObject, **drawn: Any) -> None:
        purpose, form = drawn["purpose"], drawn["form"]
        recorder = self.one(data, but_the_secretary=True, here=True)
        voters = len(self.at.model.voters())
        yes = {"half": voters // 2, "most": voters // 2 + 1, "all": voters, "too many": voters + 1}.get(drawn["yes"])
        line = {"speaker": self.at.model.secretary, "about": recorder, "matter": "主题党日两次迟到"}
        self.at.meeting(
            purpose,
            "general" if (purpose, form) == ("deciding", "group") else form,
            self.some(data),
            day=drawn["day"],
            recorder=recorder,
            place="会议室" if drawn["place"] else None,
            duty_report="述职" if drawn["duty"] else None,
            rectification_report="无" if drawn["rectification"] else None,
            criticisms=[line] if drawn["criticised"] else [],
            vote=None if yes is None else {"yes": yes},
        )

    @rule(data=st.data(), as_chair=YES_NO)
    def confirm_minutes(self, data: st.DataObject, as_chair: bool) -> None:
        row = self.a_record(data, "meetings")
        if row and not self.at.model.people[who := row["chair" if as_chair else "recorder"]].gone:
            self.at.confirm(row, who)

    @rule(data=st.data(), subject=st.sampled_from(["committee", "members"]))
    def count_votes(self, data: st.DataObject, subject: str) -> None:
        favoured = data.draw(st.sampled_from([None, None, self.at.model.secretary]))
        self.at.count(self.one(data, here=True), self.at.ballot(subject, favoured))

    @rule(data=st.data(), level=st.sampled_from([*LEVELS, None]), opinion=USUALLY, reason=YES_NO, not_rated=st.sampled_from([False, False, True]))
    def rate(self, data: st.DataObject, level: str | None, opinion: bool, reason: bool, not_rated: bool) -> None:
        words = {"opinion": opinion and "履行职责较好", "reason": reason and "表现突出", "not_rated_reason": not_rated and "长期在外"}
        self.at.rate(self.one(data), level=level, **words)

    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        self.at.tell(self.one(data))

    @rule(data=st.data(), whole=YES_NO, case=YES_NO)
    def look_after(self, data: st.DataObject, whole: bool, case: bool) -> None:
        if case:
            self.at.case(self.one(data), facts=whole)
        else:
            self.at.help_plan(self.one(data), whole=whole)

    @rule(data=st.data(), day=USUALLY)
    def take_measures(self, data: st.DataObject, day: bool) -> None:
        problem = self.a_record(data, "problems") or self.at.problem()
        self.at.measure([problem] if problem else [], self.one(data), day=day)

    @rule(data=st.data(), day=USUALLY, of_the_ledger=YES_NO)
    def commit_oneself(self, data: st.DataObject, day: bool, of_the_ledger: bool) -> None:
        problem = self.a_record(data, "problems") or self.at.problem() if of_the_ledger else "学习不够"
        self.at.commitment(self.one(data), problem=problem, day=day)

    @rule(place=USUALLY, to=USUALLY)
    def publish(self, place: bool, to: bool) -> None:
        self.at.record("publications", {"place": "公示栏" if place else None, "from": "2024-12-20", "to": "2024-12-27" if to else None})

    @rule()
    def send_up(self) -> None:
        self.at.record("rectification-filings", {"to": "学院党委", "sent_on": "2024-12-20"})

    @rule(name=st.sampled_from(["prepared_by", "phone"]))
    def fill_in_the_form(self, name: str) -> None:
        self.at.write_form(**{name: "8888 0101"})

    @rule(data=st.data(), office=YES_NO)
    def take_back(self, data: st.DataObject, office: bool) -> None:
        """Take back a record of any kind; kinds with few records are as likely as others."""
        kinds = sorted({row.kind for row in self.at.model.records})
        if kinds and (row := self.a_record(data, data.draw(st.sampled_from(kinds), label="kind"))):
            self.at.take_back(row, office=office)

    # ── reasons and people ────────────────────────────────────────────────────────────────────────────────────────────

    @rule(data=st.data(), missing_now=USUALLY)
    def waive(self, data: st.DataObject, missing_now: bool) -> None:
        blocks = [name for name in self.at.model.blocks() if name in (*PER_SUBJECT, *AS_A_WHOLE)] if missing_now else []
        requirement = data.draw(st.sampled_from(blocks or list(MISSING)), label="requirement")
        subjects = [*self.at.model.open(requirement), "nobody"]
        chosen = st.lists(st.sampled_from(subjects), min_size=1, unique=True)
        self.at.waive(requirement, data.draw(st.one_of(st.none(), st.just(subjects[:-1] or None), chosen), label="subjects"))

    @precondition(lambda self: self.at.model.reasons)
    @rule(data=st.data(), verb=st.sampled_from(["approve", "reject", "withdraw"]))
    def decide_on_a_reason(self, data: st.DataObject, verb: str) -> None:
        self.at.decide(data.draw(st.sampled_from(self.at.model.reasons), label="reason"), verb)

    @rule(data=st.data(), verb=st.sampled_from(["ask", "confirm", "withdraw"]))
    def excuse(self, data: st.DataObject, verb: str) -> None:
        excused = [each.staff_no for each in self.at.model.people.values() if each.excused]
        ask = verb == "ask" or not excused
        self.at.excuse(self.one(data, but_the_secretary=True) if ask else data.draw(st.sampled_from(excused), label="who"), verb)

    @precondition(lambda self: sum(not each.gone for each in self.at.model.people.values()) > 3)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.at.leave(self.one(data, but_the_secretary=True, here=True))

    # ── moves ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.at.model.blocks())
    @rule(data=st.data(), gives=st.sampled_from(LEVELS))
    def mend_one_thing(self, data: st.DataObject, gives: str) -> None:
        self.at.gives = gives
        name = data.draw(st.sampled_from(list(self.at.model.blocks())), label="requirement")
        MENDS[name](self.at, self.at.model.open(name))

    @precondition(lambda self: self.at.model.stage == "rating")
    @rule(level=st.sampled_from(LEVELS), number=st.integers(1, 5))
    def rate_some_alike(self, level: str, number: int) -> None:
        for row in self.at.model.of("ratings"):
            self.at.take_back(row, office=False)
        for who in self.at.model.voters()[:number]:
            self.at.rate(who.staff_no, level=level, opinion="履行职责较好")

    @precondition(lambda self: self.at.model.stage == "rating")
    @rule(approved=USUALLY)
    def explain_the_ratings(self, approved: bool) -> None:
        for name in ("patterns_without_a_reason", "more_excellent_than_the_quota", "more_excellent_than_the_quota")[: 2 + approved]:
            if missing := self.at.model.open(name):
                MENDS[name](self.at, missing)

    @precondition(lambda self: self.at.model.stage != "study")
    @rule(data=st.data())
    def go_back(self, data: st.DataObject) -> None:
        """Move back to a declared stage, by a person who may, with a reason."""
        ways = [(trigger, to) for trigger in ("return", "step_back", "withdraw", "reopen") for to in targets(trigger, self.at.model.stage)]
        trigger, to = data.draw(st.sampled_from(ways), label="way")
        role = "office" if trigger in OF_OFFICE else "secretary"
        self.at.move(self.at.model.secretary if role == "secretary" else role, role, trigger, to=to)

    @rule()
    def mend_and_go_on(self) -> None:
        mend_all(self.at)
        trigger = {"report": "file", "filed": "accept", "accepted": "reopen"}.get(self.at.model.stage, "advance")
        role = "office" if trigger in ("accept", "reopen") else "secretary"
        self.at.move(self.at.model.secretary if role == "secretary" else role, role, trigger, to="report" if trigger == "reopen" else None)

    @rule(
        data=st.data(),
        trigger=st.sampled_from(TRIGGERS),
        role=st.sampled_from(["office", "secretary", "secretary", "office", "committee", "auditor", "member", "stranger"]),
        to=st.one_of(st.none(), st.sampled_from(STAGES)),
        reason=USUALLY,
        stale=st.sampled_from([False, False, False, True]),
    )
    def move(self, data: st.DataObject, trigger: str, role: str, to: str | None, reason: bool, stale: bool) -> None:
        member = next(each.staff_no for each in self.at.model.people.values() if not each.secretary and not each.gone)
        who = {"secretary": self.at.model.secretary, "member": member, "stranger": "赵六"}.get(role, role)
        self.at.move(who, role, trigger, to=to, reason=reason, stale=stale)

    @rule()
    def ask_what_is_next(self) -> None:
        self.at.next_agrees()

    @invariant()
    def they_agree(self) -> None:
        if hasattr(self, "at"):
            self.at.agree()


def compare(house: House, *, examples: int, steps: int) -> None:
    Year.house = house
    quiet = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        # A step cannot be undone in the database, so there is nothing to shrink cheaply.
        phases=[Phase.generate],
        report_multiple_bugs=False,
        print_blob=False,
    )
    run_state_machine_as_test(Year, settings=quiet)


def test_the_model_knows_every_requirement_of_the_appraisal_that_blocks() -> None:
    assert {name: stage for name, (stage, _) in MISSING.items()} == {each.name: each.stage for each in BLOCKING}


def test_the_service_does_what_the_model_says(house: House) -> None:
    compare(house, examples=5, steps=20)


def test_a_reason_covers_what_the_model_says_before_its_approval_and_after_and_no_greater_amount(house: House) -> None:
    """A case that chance seldom brings: a reason waits, is approved, and is outgrown."""
    at = a_new_branch(house, f"Y{next(_numbers):04d}", with_committee=True)
    while at.model.stage != "rating":
        mend_all(at)
        at.move(at.model.secretary, "secretary", "advance")
    one, two, three, *_ = at.model.voters()
    for each in (one, two):
        at.rate(each.staff_no, level="excellent", opinion=f"承担了全部支教任务 {each.staff_no}")
    for _ in ("given", "approved"):
        MENDS[NEEDS_APPROVAL](at, at.model.open(NEEDS_APPROVAL))
        at.agree()
        at.move(at.model.secretary, "secretary", "advance")
    assert not at.model.open(NEEDS_APPROVAL)
    at.rate(three.staff_no, level="excellent", opinion="教学成绩突出")
    at.agree()
    at.move(at.model.secretary, "secretary", "advance")
    assert at.model.open(NEEDS_APPROVAL) == {"": 3}


@pytest.mark.slow
def test_the_service_does_what_the_model_says_for_many_steps(house: House, thorough: bool) -> None:
    compare(house, examples=80 if thorough else 8, steps=40 if thorough else 25)
