"""Talks (谈心谈话): committee members with one another and with members, in both readings.

The content of a talk and its readers are tested too.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_branch, a_cycle, a_school, an_office, caller
from tests.support.records.evidence import a_follow_up, a_small_branch, a_waiver, all_talks, excused, lacking, leaves, rows_of
from tests.support.situations import HELD_ON, SUBSTANCE, a_talk
from workflow.appraisal.talks.coverage import coverage
from workflow.appraisal.talks.requirements import (
    committee_pairs_without_a_talk,
    leaders_and_members_without_a_talk,
    members_nobody_talked_with,
    secretary_without_a_focus_talk,
)
from workflow.appraisal.talks.signs import (
    focus_talks_without_a_follow_up,
    talks_without_opinions,
    talks_without_substance,
)
from workflow.appraisal.talks.talks import (
    TALKS,
)
from workflow.foundation.errors import Invalid
from workflow.foundation.vocabulary import Coverage, Post
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import unmet
from workflow.roster.posts import appoint
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.opening import publish

K1, K2, K2_STRICT = committee_pairs_without_a_talk.name, members_nobody_talked_with.name, leaders_and_members_without_a_talk.name
K6, K7 = secretary_without_a_focus_talk.name, focus_talks_without_a_follow_up.name
SIGNS = (talks_without_opinions.name, talks_without_substance.name)


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch, where each member needs a talk with only one committee member."""
    return a_school(session)


@pytest.fixture
def strict_branch(session: Session) -> Process:
    """张三's branch, where each committee member talks with each member."""
    return a_school(session, coverage=Coverage.STRICT)


# ── K1: committee members with one another ────────────────────────────────────────────────────────────────────────────


def test_each_pair_of_the_committee_is_missing_until_it_has_talked(session: Session, branch: Process) -> None:
    assert lacking(session, branch, K1) == ["l4:q7", "l4:z3", "q7:z3"]
    a_talk(session, branch, "张三", "李四")
    assert lacking(session, branch, K1) == ["l4:q7", "q7:z3"]
    a_talk(session, branch, "李四", "钱七")
    a_talk(session, branch, "钱七", "张三")
    assert lacking(session, branch, K1) == []


@pytest.mark.parametrize(("talker", "partner"), [("张三", "李四"), ("李四", "张三")])
def test_it_does_not_matter_which_of_the_two_led_the_talk(session: Session, branch: Process, talker: str, partner: str) -> None:
    a_talk(session, branch, talker, partner)
    assert "l4:z3" not in lacking(session, branch, K1)


def test_a_pair_is_one_subject_although_either_of_the_two_may_act(session: Session, branch: Process) -> None:
    people = {row.staff_no: row.person_id for row in coverage(session, branch).people}
    rows = rows_of(session, branch, committee_pairs_without_a_talk)
    assert rows == sorted((pair, people[who]) for pair in ("l4:q7", "l4:z3", "q7:z3") for who in pair.split(":"))
    (found,) = unmet(session, branch, [BY_NAME[K1]])
    assert [subject.id for subject in found.open] == ["l4:q7", "l4:z3", "q7:z3"]
    assert found.message.zh.startswith("支部委员之间还有 3 对没有谈心谈话记录：")


def test_a_branch_without_a_committee_has_no_pairs_though_two_lead_it(session: Session) -> None:
    process = a_small_branch(session)
    appoint(session, {"staff_no": "w5", "branch": "D0101", "post": Post.DEPUTY, "starts_on": date(2024, 3, 1)}, now=NOW)
    assert lacking(session, process, K1) == []


@pytest.mark.parametrize("requirement", [K1, K2, K2_STRICT])
def test_even_a_confirmed_excuse_takes_nobody_out_of_the_talks_but_a_waiver_does(session: Session, requirement: str) -> None:
    process = a_school(session, coverage=Coverage.STRICT if requirement == K2_STRICT else Coverage.DEFAULT)
    name, subject = {K1: ("钱七", "q7:z3"), K2: ("王五", "w5"), K2_STRICT: ("王五", "w5:z3")}[requirement]
    before = lacking(session, process, requirement)
    excused(session, process, name)
    assert lacking(session, process, requirement) == before
    a_waiver(session, process, requirement, subject)
    assert lacking(session, process, requirement) == [each for each in before if each != subject]


@pytest.mark.parametrize(
    ("requirement", "name", "subjects"),
    [
        (K1, "钱七", {"l4:q7", "q7:z3"}),
        (K2, "王五", {"w5"}),
        (K2_STRICT, "王五", {"l4:w5", "q7:w5", "w5:z3"}),
        (K2_STRICT, "钱七", {"q7:w5", "q7:s8"}),
    ],
)
def test_with_someone_who_has_left_nobody_need_talk(session: Session, requirement: str, name: str, subjects: set[str]) -> None:
    process = a_school(session, coverage=Coverage.STRICT if requirement == K2_STRICT else Coverage.DEFAULT)
    before = set(lacking(session, process, requirement))
    assert subjects <= before
    leaves(session, name)
    assert set(lacking(session, process, requirement)) == before - subjects


# ── K2: committee and members ─────────────────────────────────────────────────────────────────────────────────────────


def test_one_member_without_a_talk_is_missing(session: Session, branch: Process) -> None:
    assert lacking(session, branch, K2) == ["s8", "w5"]
    a_talk(session, branch, "张三", "王五")
    assert lacking(session, branch, K2) == ["s8"]
    a_talk(session, branch, "李四", "孙八")
    assert lacking(session, branch, K2) == []


def test_a_talk_of_two_members_is_no_talk_with_the_committee(session: Session, branch: Process) -> None:
    a_talk(session, branch, "王五", "孙八", by="张三")
    assert lacking(session, branch, K2) == ["s8", "w5"]


def test_a_member_may_have_led_the_talk(session: Session, branch: Process) -> None:
    a_talk(session, branch, "王五", "李四", by="张三")
    assert lacking(session, branch, K2) == ["s8"]


def test_in_the_strict_reading_each_committee_member_talks_with_each_member(session: Session, strict_branch: Process) -> None:
    pairs = ["l4:s8", "l4:w5", "q7:s8", "q7:w5", "s8:z3", "w5:z3"]
    assert lacking(session, strict_branch, K2_STRICT) == pairs
    a_talk(session, strict_branch, "张三", "王五")
    a_talk(session, strict_branch, "孙八", "李四", by="张三")
    assert lacking(session, strict_branch, K2_STRICT) == ["l4:w5", "q7:s8", "q7:w5", "s8:z3"]


def test_in_the_strict_reading_only_the_committee_member_of_a_pair_must_act(session: Session, strict_branch: Process) -> None:
    people = {row.staff_no: row.person_id for row in coverage(session, strict_branch).people}
    rows = rows_of(session, strict_branch, leaders_and_members_without_a_talk)
    assert rows == sorted((pair, people[leader]) for pair in {p for p, _ in rows} for leader in pair.split(":") if leader in ("l4", "q7", "z3"))


def test_only_the_reading_of_the_cycle_is_asked(session: Session, branch: Process) -> None:
    assert lacking(session, branch, K2_STRICT) == []
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**branch.cycle.plan["rules"], "coverage": "strict"}}
    session.flush()
    assert lacking(session, branch, K2) == []
    assert len(lacking(session, branch, K2_STRICT)) == 6


@pytest.mark.parametrize(("mode", "requirement", "open_"), [(Coverage.DEFAULT, K2, ["s8", "w5"]), (Coverage.STRICT, K2_STRICT, ["s8:z3", "w5:z3"])])
def test_without_a_committee_the_secretary_talks_with_everybody(session: Session, mode: Coverage, requirement: str, open_: list[str]) -> None:
    process = a_small_branch(session, coverage=mode)
    assert lacking(session, process, requirement) == open_
    a_talk(session, process, "张三", "王五")
    a_talk(session, process, "张三", "孙八")
    assert lacking(session, process, requirement) == []


def test_without_a_committee_the_deputy_leads_too(session: Session) -> None:
    process = a_small_branch(session)
    appoint(session, {"staff_no": "w5", "branch": "D0101", "post": Post.DEPUTY, "starts_on": date(2024, 3, 1)}, now=NOW)
    assert lacking(session, process, K2) == ["s8"]
    a_talk(session, process, "王五", "孙八")
    assert lacking(session, process, K2) == []


@pytest.mark.parametrize("take_back", [withdraw, reject])
@pytest.mark.parametrize(("requirement", "partner", "subject"), [(K1, "李四", "l4:z3"), (K2, "王五", "w5"), (K2_STRICT, "王五", "w5:z3")])
def test_a_talk_that_was_taken_back_counts_for_nothing(session: Session, take_back: Any, requirement: str, partner: str, subject: str) -> None:
    process = a_school(session, coverage=Coverage.STRICT if requirement == K2_STRICT else Coverage.DEFAULT)
    talk = a_talk(session, process, "张三", partner)
    assert subject not in lacking(session, process, requirement)
    take_back(talk, by="office", now=NOW, reason="内容雷同")
    session.flush()
    assert subject in lacking(session, process, requirement)


def test_a_talk_in_another_branchs_process_counts_for_nothing(session: Session, branch: Process) -> None:
    other = process_of(session, 2024, "D0201")
    assert lacking(session, other, K2) == ["w10", "z1"]
    a_talk(session, branch, "张三", "王五")
    assert lacking(session, other, K2) == ["w10", "z1"]


def test_a_probationary_member_is_talked_with_like_everybody(session: Session) -> None:
    an_office(session)
    a_branch(session, members=("张三", "王五", "孙八"), committee=("张三",), probationary=("孙八",))
    publish(session, a_cycle(session), now=NOW)
    process = process_of(session, 2024, "D0101")
    a_talk(session, process, "张三", "王五")
    assert lacking(session, process, K2) == ["s8"]


# ── K6: the secretary's focus talk ────────────────────────────────────────────────────────────────────────────────────


def test_the_secretary_has_a_focus_talk_with_its_reason(session: Session, branch: Process) -> None:
    assert lacking(session, branch, K6) == ["z3"]
    talk = a_talk(session, branch, "张三", "王五", focus=True)
    assert lacking(session, branch, K6) == ["z3"]
    TALKS.amend(session, branch, talk, {"focus_reason": "家中有困难"}, seen=1, by=caller(session, "张三"), now=NOW)
    assert lacking(session, branch, K6) == []


def test_a_reason_without_focus_and_a_focus_talk_of_another_are_not_the_secretarys_focus(session: Session, branch: Process) -> None:
    a_talk(session, branch, "张三", "王五", focus_reason="家中有困难")
    a_talk(session, branch, "李四", "孙八", focus=True, focus_reason="新入职")
    a_talk(session, branch, "王五", "张三", by="张三", focus=True, focus_reason="新入职")
    assert lacking(session, branch, K6) == ["z3"]


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_a_focus_talk_that_was_taken_back_counts_for_nothing(session: Session, branch: Process, take_back: Any) -> None:
    talk = a_talk(session, branch, "张三", "王五", focus=True, focus_reason="家中有困难")
    take_back(talk, by="office", now=NOW, reason="内容雷同")
    session.flush()
    assert lacking(session, branch, K6) == ["z3"]


def test_a_secretary_who_has_left_is_asked_nothing(session: Session, branch: Process) -> None:
    leaves(session, "张三")
    assert lacking(session, branch, K6) == []


# ── signs: K3, K4, K5, K7 ─────────────────────────────────────────────────────────────────────────────────────────────


OPINIONS, SAID = ("opinions_branch", "opinions_committee"), ("affirmed", "shortcomings", "exchange")


@pytest.mark.parametrize(("fields", "requirement"), [(OPINIONS, talks_without_opinions.name), (SAID, talks_without_substance.name)])
def test_a_talk_shows_what_it_leaves_out_wholly_and_nothing_else(
    session: Session, branch: Process, fields: tuple[str, ...], requirement: str
) -> None:
    whole = a_talk(session, branch, "张三", "孙八", **SUBSTANCE)
    talk = a_talk(session, branch, "李四", "王五", **{name: text for name, text in SUBSTANCE.items() if name not in fields})
    assert {name: lacking(session, branch, name) for name in SIGNS} == {name: [str(talk.id)] if name == requirement else [] for name in SIGNS}
    (shown,) = unmet(session, branch, [BY_NAME[requirement]])
    assert shown.open[0].name == f"{HELD_ON} 李四—王五"
    assert whole.id != talk.id


@pytest.mark.parametrize("told", [*OPINIONS, *SAID])
def test_one_of_its_fields_is_enough_and_notes_on_a_mind_are_never_asked_for(session: Session, branch: Process, told: str) -> None:
    others = {*OPINIONS, *SAID} - set(OPINIONS if told in OPINIONS else SAID)
    a_talk(session, branch, "李四", "王五", **{name: SUBSTANCE[name] for name in {told, *others}})
    assert [lacking(session, branch, name) for name in SIGNS] == [[], []]


def test_that_there_were_no_opinions_is_an_answer_too(session: Session, branch: Process) -> None:
    talk = a_talk(session, branch, "李四", "王五", affirmed="教学认真", no_opinions=True)
    assert [lacking(session, branch, name) for name in SIGNS] == [[], []]
    assert talk.no_opinions


def test_who_has_opinions_does_not_have_none(session: Session, branch: Process) -> None:
    by, texts = caller(session, "李四"), {"opinions_branch": "多开展主题党日"}
    with pytest.raises(Invalid, match="不能同时注明“无意见”"):
        a_talk(session, branch, "李四", "王五", no_opinions=True, **texts)
    talk = a_talk(session, branch, "李四", "王五", no_opinions=True)
    with pytest.raises(Invalid, match="不能同时注明“无意见”"):
        TALKS.amend(session, branch, talk, texts, seen=1, by=by, now=NOW)
    TALKS.amend(session, branch, talk, {**texts, "no_opinions": False}, seen=1, by=by, now=NOW)
    assert (talk.no_opinions, talk.opinions_branch) == (False, texts["opinions_branch"])


@pytest.mark.parametrize("name", [*SIGNS, K7])
def test_a_talk_that_was_taken_back_shows_nothing(session: Session, branch: Process, name: str) -> None:
    talk = a_talk(session, branch, "李四", "王五", focus=True)
    assert lacking(session, branch, name) == [str(talk.id)]
    withdraw(talk, by="l4", now=NOW, reason="写错了人")
    session.flush()
    assert lacking(session, branch, name) == []


@pytest.mark.parametrize("name", [*SIGNS, K7])
def test_whoever_led_the_talk_must_complete_it(session: Session, branch: Process, name: str) -> None:
    talk = a_talk(session, branch, "李四", "王五", focus=True)
    assert rows_of(session, branch, BY_NAME[name]) == [(str(talk.id), caller(session, "李四").person_id)]


def test_a_focus_talk_wants_a_follow_up_and_another_does_not(session: Session, branch: Process) -> None:
    a_talk(session, branch, "李四", "孙八")
    talk = a_talk(session, branch, "张三", "王五", focus=True)
    assert lacking(session, branch, K7) == [str(talk.id)]
    a_follow_up(session, branch, talk)
    assert lacking(session, branch, K7) == []


def test_whom_the_branch_cares_for_is_in_no_list(session: Session, branch: Process) -> None:
    a_talk(session, branch, "张三", "王五", focus=True)
    (shown,) = unmet(session, branch, [BY_NAME[K7]])
    assert "王五" not in shown.message.zh


# ── the matrix ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", Coverage)
def test_the_matrix_misses_what_the_gate_misses(session: Session, mode: Coverage) -> None:
    process = a_school(session, coverage=mode)
    leaders, members = ("l4", "q7", "z3"), ("s8", "w5")
    pairs = [("l4", "q7"), ("l4", "z3"), ("q7", "z3")] + [(min(a, b), max(a, b)) for a in leaders for b in members]
    assert coverage(session, process).missing == sorted(pairs)
    a_talk(session, process, "张三", "王五")
    met = {("w5", "z3")} if mode is Coverage.STRICT else {("w5", "z3"), ("l4", "w5"), ("q7", "w5")}
    matrix = coverage(session, process)
    assert (matrix.mode, matrix.missing) == (mode, sorted(set(pairs) - met))
    assert matrix.pairs == [("w5", "z3", 1)]
    all_talks(session, process)
    assert coverage(session, process).missing == []
    assert ("w5", "z3", 2) in coverage(session, process).pairs
