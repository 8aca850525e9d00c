"""Self-reviews (个人自评): their writer, the readers of a draft, the rest of A6, the to-do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_branch, a_cycle, a_school, an_office, caller
from tests.support.records.evidence import a_make_up, a_waiver, excused, lacking, leaves, stand_at
from tests.support.records.self_review import ANSWERED, a_meeting, a_self_review
from tests.support.situations import a_study
from workflow.appraisal.self_review.self_reviews import (
    ASPECTS,
    SELF_REVIEWS,
    Participation,
    SelfReview,
    SelfReviewSchema,
    attendance_of,
    members_without_a_self_review,
)
from workflow.foundation.database import act_as, constraint
from workflow.foundation.errors import Conflict, Forbidden, Invalid, StageClosed, Stale
from workflow.foundation.fields.loading import load
from workflow.foundation.history import History
from workflow.foundation.vocabulary import Level, MeetingForm, MeetingPurpose, Stage
from workflow.machine.asked import BY_NAME
from workflow.machine.gate import todos, unmet
from workflow.people.access import Action
from workflow.people.substitutes import name_substitute
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.opening import publish

G2 = members_without_a_self_review.name
ALL = ["l4", "q7", "s8", "w5", "z3"]
TAKE_BACK = pytest.mark.parametrize("take_back", [withdraw, reject])


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch at the beginning."""
    return a_school(session)


def taken_back(session: Session, row: Any, take_back: Callable[..., None]) -> None:
    take_back(row, by="z3", now=NOW, reason="登记有误")
    session.flush()


def amended(session: Session, process: Process, row: SelfReview, *, by: str = "王五", **body: Any) -> SelfReview:
    SELF_REVIEWS.amend(session, process, row, body, seen=row.version, by=caller(session, by), now=NOW)
    return row


def told(session: Session, row: SelfReview) -> list[History]:
    return list(session.scalars(select(History).where(History.what == "self_review", History.row_key == str(row.id)).order_by(History.id)))


# ── who writes it ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_writes_his_own_and_the_secretary_writes_down_anothers(session: Session, branch: Process) -> None:
    assert a_self_review(session, branch, "王五").recorded_by == "w5"
    assert a_self_review(session, branch, "孙八", by="张三").recorded_by == "z3"
    for other in ("王五", "钱七", "赵六", "office"):
        with pytest.raises(Forbidden):
            a_self_review(session, branch, "李四", by=other)


def test_nobody_but_he_and_the_secretary_goes_on_with_it(session: Session, branch: Process) -> None:
    row = a_self_review(session, branch, "王五")
    assert amended(session, branch, row, by="张三", level=Level.QUALIFIED).level is Level.QUALIFIED
    with pytest.raises(Forbidden):
        amended(session, branch, row, by="钱七", level=Level.EXCELLENT)


def test_there_is_one_self_review_of_a_person_until_it_is_taken_back(session: Session, branch: Process) -> None:
    first = a_self_review(session, branch, "王五", submitted=False)
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        a_self_review(session, branch, "王五", by="张三")
    assert constraint(refused.value) == "uq_self_review_standing"
    taken_back(session, first, withdraw)
    taken_back(session, a_self_review(session, branch, "王五"), reject)
    assert a_self_review(session, branch, "王五").counts


def test_a_self_review_of_one_person_does_not_become_anothers(session: Session, branch: Process) -> None:
    row = a_self_review(session, branch, "王五")
    with pytest.raises(Invalid) as refused:
        amended(session, branch, row, by="张三", staff_no="s8")
    assert list(refused.value.errors) == ["staff_no"]
    assert amended(session, branch, row, staff_no="w5").version == 2


@pytest.mark.parametrize("name", ["A7", "A9", "C1"])
def test_only_the_aspects_of_the_year_are_answered(session: Session, branch: Process, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        a_self_review(session, branch, "王五", aspects={**ANSWERED, name: "无"})
    assert list(refused.value.errors) == [f"aspects.{name}"]
    row = a_self_review(session, branch, "王五")
    with pytest.raises(Invalid):
        amended(session, branch, row, aspects={name: "无"})


def test_a_year_with_another_aspect_takes_it(session: Session, branch: Process) -> None:
    rules = branch.cycle.plan["rules"]
    aspects = [*rules["aspects"], {"id": "A9", "title": "作风", "text": "作风方面"}]
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "aspects": aspects}}
    session.flush()
    assert a_self_review(session, branch, "王五", aspects={"A9": "扎实"}).aspects == {"A9": "扎实"}


def test_what_is_wrong_with_an_aspect_is_said_at_the_aspect() -> None:
    with pytest.raises(Invalid) as refused:
        load(SelfReviewSchema(), {"staff_no": "w5", "aspects": {"A1": "", "A2": 1, "A3": "x" * 10_001, "A4": None, "A-very-long": "x"}})
    assert list(refused.value.errors) == ["aspects.A-very-long", "aspects.A1", "aspects.A2", "aspects.A3"]


def test_a_probationary_member_writes_a_self_review_without_a_level(session: Session) -> None:
    an_office(session)
    a_branch(session, members=("张三", "王五", "孙八"), committee=("张三",), probationary=("孙八",))
    publish(session, a_cycle(session), now=NOW)
    process = process_of(session, 2024, "D0101")
    assert "s8" in lacking(session, process, G2)
    with pytest.raises(Invalid) as refused:
        a_self_review(session, process, "孙八", level=Level.QUALIFIED)
    assert list(refused.value.errors) == ["level"]
    row = a_self_review(session, process, "孙八")
    assert "s8" not in lacking(session, process, G2)
    with pytest.raises(Invalid):
        amended(session, process, row, by="孙八", level=Level.QUALIFIED)
    # A person who may not write it does not learn from its faults that somebody is probationary.
    with pytest.raises(Forbidden):
        a_self_review(session, process, "孙八", by="王五", level=Level.QUALIFIED)


def test_of_who_has_left_or_is_not_on_the_roll_nothing_is_written(session: Session, branch: Process) -> None:
    leaves(session, "孙八")
    for name in ("孙八", "赵六"):
        with pytest.raises(Invalid) as refused:
            a_self_review(session, branch, name, by="张三")
        assert list(refused.value.errors) == ["staff_no"]


def test_a_draft_is_gone_on_with_aspect_by_aspect_until_it_is_submitted(session: Session, branch: Process) -> None:
    row = a_self_review(session, branch, "王五", submitted=False, aspects={"A1": "坚定"})
    amended(session, branch, row, aspects={"A2": "为民"})
    assert (row.aspects, row.submitted, row.version) == ({"A1": "坚定", "A2": "为民"}, False, 2)
    amended(session, branch, row, aspects={"A1": "更坚定"}, submitted=True)
    assert (row.aspects, row.submitted, row.version) == ({"A1": "更坚定", "A2": "为民"}, True, 3)
    with pytest.raises(Conflict):
        amended(session, branch, row, submitted=False)


def test_it_is_gone_on_with_only_as_it_was_seen_and_while_it_stands(session: Session, branch: Process) -> None:
    row = a_self_review(session, branch, "王五")
    with pytest.raises(Stale):
        SELF_REVIEWS.amend(session, branch, row, {"submitted": False}, seen=2, by=caller(session, "王五"), now=NOW)
    taken_back(session, row, reject)
    with pytest.raises(Conflict):
        amended(session, branch, row, submitted=False)


@pytest.mark.parametrize(("stage", "closed"), [(Stage.STUDY, False), (Stage.SELF_REVIEW, False), (Stage.RATING, True), (Stage.FILED, True)])
def test_it_may_be_written_ahead_and_closes_with_its_stage(session: Session, branch: Process, stage: Stage, closed: bool) -> None:
    row = a_self_review(session, branch, "王五")
    stand_at(session, branch, stage)
    if not closed:
        assert amended(session, branch, row, aspects={"A1": "坚定"}).version == 2
        assert a_self_review(session, branch, "孙八").id
        return
    with pytest.raises(StageClosed):
        amended(session, branch, row, aspects={"A1": "坚定"})
    with pytest.raises(StageClosed):
        a_self_review(session, branch, "孙八")


# ── in whose name, and what the history tells ─────────────────────────────────────────────────────────────────────────


def test_who_stands_in_for_the_secretary_writes_of_himself_as_himself(session: Session, branch: Process) -> None:
    secretary = caller(session, "张三")
    reach = secretary.may(Action.WRITE_SUBSTITUTES).values()
    week = {"substitute": "w5", "starts_on": TODAY, "ends_on": TODAY + timedelta(days=6)}
    name_substitute(session, week, by=secretary, reach=reach, now=NOW)
    act_as(session, actor="w5", on_behalf_of="z3")
    anothers = a_self_review(session, branch, "孙八", by="王五")
    amended(session, branch, anothers, aspects={"A1": "坚定"})
    act_as(session, actor="w5", on_behalf_of="z3")
    own = a_self_review(session, branch, "王五")
    act_as(session, actor="w5", on_behalf_of="z3")
    amended(session, branch, own, aspects={"A1": "坚定"})
    assert [(row.actor, row.on_behalf_of) for row in told(session, anothers)] == [("w5", "z3")] * 2
    assert [(row.actor, row.on_behalf_of) for row in told(session, own)] == [("w5", None)] * 2


def test_the_history_tells_that_it_changed_and_never_what_he_wrote(session: Session, branch: Process) -> None:
    row = amended(session, branch, a_self_review(session, branch, "王五", level=Level.QUALIFIED), aspects={"A1": "自我批评"}, level=Level.BASIC)
    rows = told(session, row)
    assert [(each.new or {}).get("aspects") for each in rows] == ["changed"] * 2
    assert [(each.new or {}).get("level") for each in rows] == ["changed"] * 2
    assert not [text for text in ("自我批评", ANSWERED["A1"], "qualified", "basic") if text in str([(each.old, each.new) for each in rows])]


# ── who reads it ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reader", "reads"),
    [
        ("王五", {"draft"}),
        ("孙八", {"written down"}),
        ("张三", {"written down", "submitted", "own"}),
        ("李四", {"submitted", "own"}),
        ("钱七", {"submitted", "own"}),
        ("office", {"submitted", "own"}),
        ("auditor", {"submitted", "own"}),
        ("administrator", set()),
        ("赵六", set()),
    ],
)
def test_a_draft_is_for_who_writes_it_and_a_plain_member_reads_his_own(session: Session, branch: Process, reader: str, reads: set[str]) -> None:
    rows = {
        "draft": a_self_review(session, branch, "王五", submitted=False),
        "written down": a_self_review(session, branch, "孙八", by="张三", submitted=False),
        "submitted": a_self_review(session, branch, "钱七"),
        "own": a_self_review(session, branch, "李四"),
    }
    names = {row.id: name for name, row in rows.items()}
    seen = session.scalars(select(SelfReview.id).where(SELF_REVIEWS.visible(caller(session, reader), "D0101"))).all()
    assert {names[each] for each in seen} == reads


# ── attendance beside A6 ──────────────────────────────────────────────────────────────────────────────────────────────


def test_beside_a6_stands_how_often_he_took_part(session: Session, branch: Process) -> None:
    study = a_study(session, branch, present=("张三", "李四"))
    a_study(session, branch)
    a_make_up(session, branch, study, "王五")
    a_meeting(session, branch, present=("张三", "李四"), absent=[{"staff_no": "w5", "reason": "出差"}])
    a_meeting(session, branch, MeetingPurpose.REPORT)
    a_meeting(session, branch, MeetingPurpose.REPORT, form=MeetingForm.COMMITTEE, present=("张三", "李四", "钱七"))
    a_meeting(session, branch, form=MeetingForm.GROUP, present=("张三",), absent=[{"staff_no": "s8"}])
    found = attendance_of(session, branch.id)
    assert found["z3"] == Participation(studies=2, studied=2, made_up=0, meetings=4, attended=4)
    assert found["w5"] == Participation(studies=2, studied=1, made_up=1, meetings=2, attended=1)
    assert found["s8"] == Participation(studies=2, studied=1, made_up=0, meetings=3, attended=1), (
        "not listed for the general one, called all the same"
    )
    assert attendance_of(session, branch.id, ["w5"]) == {"w5": found["w5"]}


@TAKE_BACK
def test_what_was_taken_back_is_not_counted_beside_a6(session: Session, branch: Process, take_back: Callable[..., None]) -> None:
    a_study(session, branch)
    study = a_study(session, branch, present=("张三",))
    a_make_up(session, branch, study, "王五")
    meeting = a_meeting(session, branch)
    taken_back(session, study, take_back)
    taken_back(session, meeting, take_back)
    assert attendance_of(session, branch.id, ["w5"]) == {"w5": Participation(studies=1, studied=1, made_up=0, meetings=0, attended=0)}


def test_what_another_branch_held_is_not_counted_beside_a6(session: Session, branch: Process) -> None:
    a_study(session, process_of(session, 2024, "D0201"), present=("赵六",), by="赵六")
    assert attendance_of(session, branch.id, ["w5"]) == {"w5": Participation(0, 0, 0, 0, 0)}


# ── G2: everybody's ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_member_is_missing_until_he_has_submitted(session: Session, branch: Process) -> None:
    assert lacking(session, branch, G2) == ALL
    row = a_self_review(session, branch, "王五", submitted=False)
    assert lacking(session, branch, G2) == ALL
    amended(session, branch, row, submitted=True)
    assert lacking(session, branch, G2) == [each for each in ALL if each != "w5"]


@TAKE_BACK
def test_a_self_review_that_was_taken_back_counts_for_nothing(session: Session, branch: Process, take_back: Callable[..., None]) -> None:
    row = a_self_review(session, branch, "王五", aspects={"A1": "坚定"})
    assert lacking(session, branch, "self_reviews_without_a2") == ["w5"]
    taken_back(session, row, take_back)
    assert lacking(session, branch, G2) == ALL
    assert lacking(session, branch, "self_reviews_without_a2") == []


def test_only_a_confirmed_excuse_takes_someone_out(session: Session, branch: Process) -> None:
    excused(session, branch, "王五", confirmed=False)
    assert lacking(session, branch, G2) == ALL
    excused(session, branch, "王五")
    assert lacking(session, branch, G2) == [each for each in ALL if each != "w5"]


def test_who_has_left_owes_nothing(session: Session, branch: Process) -> None:
    a_self_review(session, branch, "王五", aspects={})
    leaves(session, "孙八")
    leaves(session, "王五")
    assert lacking(session, branch, G2) == ["l4", "q7", "z3"]
    assert lacking(session, branch, "self_reviews_without_a1") == []


def test_a_reason_is_given_person_by_person(session: Session, branch: Process) -> None:
    a_waiver(session, branch, G2, "w5")
    assert lacking(session, branch, G2) == [each for each in ALL if each != "w5"]
    with pytest.raises(Invalid):
        a_waiver(session, branch, G2)


def test_to_write_it_is_each_members_own_to_do(session: Session, branch: Process) -> None:
    stand_at(session, branch, Stage.SELF_REVIEW)
    a_self_review(session, branch, "王五")
    for name, own in (("孙八", ["s8"]), ("张三", ["z3"]), ("王五", [])):
        mine = [each for each in todos(session, caller(session, name).person_id, today=TODAY) if each.requirement.name == G2]
        assert [subject.id for each in mine for subject in each.open] == own


# ── A1 to A6 ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("aspect", ASPECTS)
def test_an_aspect_that_is_not_answered_is_shown_and_no_other(session: Session, branch: Process, aspect: str) -> None:
    a_self_review(session, branch, "孙八")
    a_self_review(session, branch, "钱七", submitted=False, aspects={})
    a_self_review(session, branch, "王五", aspects={name: text for name, text in ANSWERED.items() if name != aspect})
    signs = {name: lacking(session, branch, f"self_reviews_without_{name.lower()}") for name in ASPECTS}
    assert signs == {name: ["w5"] if name == aspect else [] for name in ASPECTS}
    (shown,) = unmet(session, branch, [BY_NAME[f"self_reviews_without_{aspect.lower()}"]], today=TODAY)
    assert shown.requirement.clause == aspect
    assert not shown.requirement.blocks


def test_an_aspect_that_the_year_does_not_ask_is_not_missed(session: Session, branch: Process) -> None:
    a_self_review(session, branch, "王五", aspects={})
    rules = branch.cycle.plan["rules"]
    branch.cycle.plan = {**branch.cycle.plan, "rules": {**rules, "aspects": [each for each in rules["aspects"] if each["id"] != "A3"]}}
    session.flush()
    assert lacking(session, branch, "self_reviews_without_a3") == []
    assert lacking(session, branch, "self_reviews_without_a4") == ["w5"]
