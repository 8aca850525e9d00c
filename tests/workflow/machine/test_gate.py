"""The gate: one evaluation in one round trip.

The move, the checklist, the to-dos and the office are told the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as with_
from datetime import date

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, TODAY, a_branch, a_cycle, a_school, an_office, person
from tests.support.records.assessment import a_duty_report, an_assessment, arranged
from tests.support.records.evidence import (
    a_waiver,
    all_evidence,
    lacking,
    leaves,
    said,
    stand_at,
    statements,
)
from tests.support.situations import EVERYBODY, SUBSTANCE, a_study, a_talk
from workflow.appraisal.talks.requirements import (
    committee_pairs_without_a_talk,
    members_nobody_talked_with,
    secretary_without_a_focus_talk,
)
from workflow.foundation.vocabulary import STAGES, Coverage, Kind, Role, Stage
from workflow.machine import evaluation
from workflow.machine.asked import BY_NAME, REQUIREMENTS, WAITING, requirements_of
from workflow.machine.gate import blocking, checklist, exceptions, place_in_list, todos, unmet
from workflow.rules.evidence import withdraw
from workflow.year.cycle import Process
from workflow.year.finding import Lock, process_of, processes
from workflow.year.opening import close_cycle, publish


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning; there is also 赵六's."""
    return a_school(session)


# ── one round trip ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", Kind)
def test_a_gate_is_one_round_trip_and_none_where_nothing_is_asked(shared_engine: Engine, session: Session, branch: Process, kind: Kind) -> None:
    process = process_of(session, 2024, "D0101", kind=kind)
    for stage in STAGES[kind]:
        stand_at(session, process, stage)
        for ask in (
            lambda session, process: unmet(session, process, today=TODAY),
            blocking,
            lambda session, process: checklist(session, process, process.stage, today=TODAY),
        ):
            with statements(shared_engine) as sent:
                ask(session, process)
            assert len(sent) == (1 if requirements_of(kind, stage) else 0), stage


def test_to_dos_are_one_round_trip_and_a_page_of_exceptions_two(shared_engine: Engine, session: Session, branch: Process) -> None:
    me = person(session, "张三").id
    with statements(shared_engine) as sent:
        todos(session, me, today=TODAY)
        exceptions(session, 2024, today=TODAY)
    assert len(sent) == 3


def test_the_gate_sees_what_was_changed_a_moment_ago_in_the_same_transaction(session: Session, branch: Process) -> None:
    study = a_study(session, branch)
    assert blocking(session, branch) == []
    withdraw(study, by="z3", now=NOW, reason="日期写错")
    assert blocking(session, branch) != []


# ── what blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_signs_never_block(session: Session, branch: Process) -> None:
    all_evidence(session, branch)
    stand_at(session, branch, Stage.TALKS)
    assert {row.requirement.clause for row in unmet(session, branch, today=TODAY)} == {"K3", "K5", "K7"}
    assert all(row.state == "unmet" and not row.blocks for row in unmet(session, branch, today=TODAY))
    assert blocking(session, branch) == []


def test_everything_that_is_missing_is_listed_in_the_order_it_is_declared(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.TALKS)
    a_talk(session, branch, "张三", "李四")
    names = [row.requirement.name for row in unmet(session, branch, today=TODAY)]
    assert names == [each.name for each in requirements_of(Kind.APPRAISAL, Stage.TALKS) if each.name in names]
    assert [row.requirement.clause for row in blocking(session, branch)] == ["K1", "K2", "K6"]


def test_the_checklist_has_every_requirement_of_the_stage_met_unmet_or_waived(session: Session, branch: Process) -> None:
    a_talk(session, branch, "张三", "王五", **SUBSTANCE)
    a_waiver(session, branch, secretary_without_a_focus_talk.name)
    shown = {row.requirement.name: row.state for row in checklist(session, branch, Stage.TALKS, today=TODAY)}
    assert shown == {
        "committee_pairs_without_a_talk": "unmet",
        "members_nobody_talked_with": "unmet",
        "leaders_and_members_without_a_talk": "met",
        "secretary_without_a_focus_talk": "waived",
        "talks_without_opinions": "met",
        "talks_without_substance": "met",
        "focus_talks_without_a_follow_up": "met",
    }
    assert [row.requirement for row in checklist(session, branch, Stage.TALKS, today=TODAY)] == list(requirements_of(Kind.APPRAISAL, Stage.TALKS))


def test_the_message_counts_and_names_everybody_and_carries_the_plans_sentence(session: Session) -> None:
    an_office(session)
    members = [f"党员{number:02}" for number in range(40)]
    a_branch(session, members=["张三"], committee=["张三"])
    for number, name in enumerate(members):
        a_member(session, name, f"m{number:02}")
    publish(session, a_cycle(session), now=NOW)
    process = process_of(session, 2024, "D0101")
    (row,) = unmet(session, process, [members_nobody_talked_with])
    assert row.message.zh == f"还有 40 名党员没有谈心谈话记录：{'、'.join(members)}"
    assert row.message.en.startswith("40 members have not been talked with: ")
    assert row.sentence == process.cycle.sentence("K2") != ""


def a_member(session: Session, name: str, staff_no: str) -> None:
    of_branch = person(session, "张三")
    session.add(type(of_branch)(staff_no=staff_no, name=name, branch_id=of_branch.branch_id, standing=of_branch.standing))
    session.flush()


def test_what_is_met_says_so_and_what_is_waived_still_names_it(session: Session, branch: Process) -> None:
    a_study(session, branch, EVERYBODY[:4])
    assert checklist(session, branch, Stage.STUDY, today=TODAY)[0].message.zh == "已满足"
    a_waiver(session, branch, "members_who_have_not_studied")
    assert checklist(session, branch, Stage.STUDY, today=TODAY)[2].message.zh == "还有 1 名党员没有学完必读文件，也没有补学：孙八"


# ── who must act, and when ────────────────────────────────────────────────────────────────────────────────────────────


def my_subjects(session: Session, name: str, clause: str) -> list[str]:
    return [subject.id for row in todos(session, person(session, name).id, today=TODAY) if row.requirement.clause == clause for subject in row.open]


def test_a_pair_is_on_the_lists_of_its_two_and_of_no_third(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.TALKS)
    assert my_subjects(session, "张三", "K1") == ["l4:z3", "q7:z3"]
    assert my_subjects(session, "李四", "K1") == ["l4:q7", "l4:z3"]
    assert my_subjects(session, "钱七", "K1") == ["l4:q7", "q7:z3"]
    for other in ("王五", "孙八", "赵六"):
        assert my_subjects(session, other, "K1") == []


def test_a_member_nobody_talked_with_is_on_the_list_of_each_of_the_committee(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.TALKS)
    assert {name: my_subjects(session, name, "K2") for name in EVERYBODY} == {
        "张三": ["s8", "w5"],
        "李四": ["s8", "w5"],
        "钱七": ["s8", "w5"],
        "王五": [],
        "孙八": [],
    }


def test_in_the_strict_reading_each_has_his_own_members(session: Session) -> None:
    process = stand_at(session, a_school(session, coverage=Coverage.STRICT), Stage.TALKS)
    assert my_subjects(session, "李四", "K2") == ["l4:s8", "l4:w5"]
    assert my_subjects(session, "王五", "K2") == []
    a_talk(session, process, "李四", "王五")
    assert my_subjects(session, "李四", "K2") == ["l4:s8"]


def test_the_studies_and_the_duty_report_are_the_secretarys_duty(session: Session, branch: Process) -> None:
    mine = {(row.at.kind, row.requirement.clause) for row in todos(session, person(session, "张三").id, today=TODAY)}
    assert mine == {*((Kind.APPRAISAL, clause) for clause in ("E1", "E3", "E4")), *((Kind.ASSESSMENT, clause) for clause in ("R1", "R4"))}
    for other in ("李四", "王五", "office"):
        assert todos(session, person(session, other).id, today=TODAY) == []


def test_how_the_secretaries_report_is_the_offices_duty_in_every_branch(session: Session, branch: Process) -> None:
    office = person(session, "office").id
    assert said(todos(session, office, today=TODAY, school={Role.OFFICE})) == [
        (code, "report_mode_not_set", ("",), ()) for code in ("D0101", "D0201")
    ]
    for role in (Role.COMMITTEE, Role.AUDITOR, Role.ADMINISTRATOR):
        assert todos(session, person(session, role).id, today=TODAY, school={role}) == []


@pytest.mark.parametrize("kind", Kind)
def test_to_dos_are_those_of_the_stage_where_the_branch_stands(session: Session, branch: Process, kind: Kind) -> None:
    a_talk(session, branch, "张三", "王五", focus=True)
    a_duty_report(session, an_assessment(session), {"C1": ""})
    process, order = process_of(session, 2024, "D0101", kind=kind), STAGES[kind].index
    for stage in STAGES[kind]:
        stand_at(session, process, stage)
        declared = (*REQUIREMENTS[kind], *WAITING[kind])
        asked = {each.name for each in declared if order(each.asked_from) <= order(stage) <= order(each.asked_until)}
        of_the_office = {each.name for each in declared if each.todo_for is Role.OFFICE}
        mine = {row.requirement.name for row in todos(session, person(session, "张三").id, today=TODAY) if row.at.kind is kind}
        theirs = {
            row.requirement.name
            for row in todos(session, person(session, "office").id, today=TODAY, school={Role.OFFICE})
            if row.process_id == process.id
        }
        open_ = {name for name in asked if lacking(session, process, name)}
        assert (mine, theirs) == (open_ - of_the_office, open_ & of_the_office)


@pytest.fixture
def compiled_anew() -> Iterator[None]:
    """Clear the built statements before and after the test.

    Requirements are constants elsewhere, so statements built before or in the test are wrong
    outside.
    """
    built = (evaluation.of_a_person, evaluation.of_the_school, evaluation.of_everybody)
    for each in built:
        each.cache_clear()
    yield
    for each in built:
        each.cache_clear()


@pytest.mark.usefixtures("compiled_anew")
def test_a_requirement_that_is_asked_early_is_a_to_do_early(session: Session, branch: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    name = committee_pairs_without_a_talk.name
    monkeypatch.setitem(BY_NAME, name, with_(BY_NAME[name], asked_from=Stage.STUDY))
    assert my_subjects(session, "李四", "K1") == ["l4:q7", "l4:z3"]
    assert [row.requirement.clause for row in exceptions(session, 2024, today=TODAY) if row.requirement.clause == "K1"] == ["K1"]
    assert "K1" not in {row.requirement.clause for row in blocking(session, branch)}
    stand_at(session, branch, Stage.SELF_REVIEW)
    assert my_subjects(session, "李四", "K1") == []


def test_whoever_has_left_has_nothing_to_do_there(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.TALKS)
    leaves(session, "李四")
    assert todos(session, person(session, "李四").id, today=TODAY) == []


def test_a_closed_year_asks_nothing_of_anybody(session: Session, branch: Process) -> None:
    close_cycle(session, branch.cycle, leave_open=True, reason="年底前不再进行", now=NOW)
    assert todos(session, person(session, "张三").id, today=TODAY) == []
    assert exceptions(session, 2024, today=TODAY) == []


def test_a_to_do_says_where_it_is_and_until_when(session: Session, branch: Process) -> None:
    at = todos(session, person(session, "张三").id, today=TODAY)[0].at
    assert (at.kind, at.year, at.branch_code, at.branch_name, at.unit) == (Kind.APPRAISAL, 2024, "D0101", "D0101党支部", "D01党委")
    assert at.due_on == DEADLINES[Stage.STUDY]


# ── exceptions ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def four_branches(session: Session) -> list[Process]:
    """Four branches of two units, in different stages.

    In either kind of process different things are missing.
    """
    an_office(session)
    for code in ("D0102", "D0101", "D0202", "D0201"):
        a_branch(session, code=code, members=[f"p{code}-0", f"p{code}-1"], committee=[f"p{code}-0"])
    publish(session, a_cycle(session), now=NOW)
    found = list(processes(session, list(session.scalars(select(Process.id).order_by(Process.id))), lock=Lock.NONE))
    at = {(process.branch.code, process.kind): process for process in found}
    stand_at(session, at["D0102", Kind.APPRAISAL], Stage.TALKS)
    a_study(session, at["D0201", Kind.APPRAISAL], present=["pD0201-0"], by="pD0201-0")
    stand_at(session, at["D0202", Kind.APPRAISAL], Stage.ACCEPTED)
    arranged(session, at["D0102", Kind.ASSESSMENT])
    a_duty_report(session, at["D0201", Kind.ASSESSMENT])
    stand_at(session, at["D0201", Kind.ASSESSMENT], Stage.SUMMARISED)
    stand_at(session, at["D0202", Kind.ASSESSMENT], Stage.PUBLISHED)
    return found


def test_exceptions_come_by_branch_code_and_then_as_declared(session: Session, four_branches: list[Process]) -> None:
    assert [(row.at.branch_code, row.requirement.clause) for row in exceptions(session, 2024, today=TODAY)] == [
        ("D0101", "E1"),
        ("D0101", "E3"),
        ("D0101", "E4"),
        ("D0101", "R2"),
        ("D0101", "R1"),
        ("D0101", "R4"),
        ("D0102", "K2"),
        ("D0102", "K6"),
        ("D0102", "R1"),
        ("D0102", "R4"),
        ("D0201", "E4"),
        ("D0201", "R4"),
        ("D0201", "R3"),
        ("D0201", "R6"),
    ]


@pytest.mark.parametrize("at_once", [2, 3, 100])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 9, 10, 11])
def test_pages_of_exceptions_cover_them_all_once(
    session: Session, four_branches: list[Process], limit: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = said(exceptions(session, 2024, today=TODAY))
    monkeypatch.setattr(evaluation, "BRANCHES_AT_ONCE", at_once)
    monkeypatch.setattr(evaluation, "NEXT_BRANCHES", evaluation.NEXT_BRANCHES.replace("limit 100", f"limit {at_once}"))
    pages, after = [], ("", 0)
    while page := exceptions(session, 2024, today=TODAY, after=after, limit=limit):
        assert len(page) <= limit
        pages += page
        after = place_in_list(page[-1])
    assert said(pages) == whole


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"clause": "E4"}, [("D0101", "E4"), ("D0201", "E4")]),
        ({"clause": "K2"}, [("D0102", "K2")]),
        ({"clause": "K1"}, []),
        ({"clause": "no such clause"}, []),
        ({"clause": "R2"}, [("D0101", "R2")]),
        ({"unit": "D02"}, [("D0201", clause) for clause in ("E4", "R4", "R3", "R6")]),
        ({"unit": "D02党委"}, [("D0201", clause) for clause in ("E4", "R4", "R3", "R6")]),
        ({"unit": "D01", "clause": "K6"}, [("D0102", "K6")]),
        ({"unit": "D0"}, []),
    ],
)
def test_exceptions_are_filtered_by_clause_and_unit(
    session: Session, four_branches: list[Process], asked: dict[str, str], found: list[tuple[str, str]]
) -> None:
    assert [(row.at.branch_code, row.requirement.clause) for row in exceptions(session, 2024, today=TODAY, **asked)] == found  # type: ignore[arg-type]


def test_the_exceptions_of_another_year_are_others(session: Session, branch: Process) -> None:
    assert exceptions(session, 2025, today=TODAY) == []


def test_what_is_waived_whole_is_no_exception_any_more(session: Session, branch: Process) -> None:
    a_study(session, branch, EVERYBODY[:4])
    before = [row.requirement.clause for row in exceptions(session, 2024, today=TODAY, unit="D01")]
    assert before == ["E4", "R2", "R1", "R4"]
    a_waiver(session, branch, "members_who_have_not_studied")
    assert [row.requirement.clause for row in exceptions(session, 2024, today=TODAY, unit="D01")] == before[1:]


def test_the_rows_are_of_their_process_and_carry_its_day(session: Session) -> None:
    a_school(session, deadlines={**DEADLINES, Stage.COLLECTING: date(2025, 1, 10)})
    everywhere = exceptions(session, 2024, today=TODAY)
    assert {(row.at.kind, row.at.due_on) for row in everywhere} == {
        (Kind.APPRAISAL, DEADLINES[Stage.STUDY]),
        (Kind.ASSESSMENT, date(2025, 1, 10)),
    }
    for kind in Kind:
        process = process_of(session, 2024, "D0101", kind=kind)
        assert {row.process_id for row in unmet(session, process, today=TODAY)} == {process.id}
        assert {row.at.kind for row in everywhere if row.process_id == process.id} == {kind}
