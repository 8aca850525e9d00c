"""Records of talks (谈心谈话): their writers, their closing, the readers of their texts."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.builders import NOW, a_school, caller
from tests.support.records.evidence import a_follow_up, stand_at
from tests.support.situations import HELD_ON, SUBSTANCE, a_talk
from workflow.appraisal.talks.follow_ups import finish_follow_up, follow_up_of
from workflow.appraisal.talks.talks import PRIVATE, SAID, TALKS, Talk, hidden_from
from workflow.foundation.database import constraint
from workflow.foundation.errors import Conflict, Forbidden, Invalid, NotFound, StageClosed, Stale
from workflow.foundation.vocabulary import Post, Stage
from workflow.roster.posts import appoint
from workflow.rules.evidence import reject
from workflow.year.cycle import Process


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch, whose committee is 张三, 李四 and 钱七."""
    return a_school(session)


# ── recording ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_secretary_records_any_talk_and_a_committee_member_his_own(session: Session, branch: Process) -> None:
    assert a_talk(session, branch, "李四", "王五", by="张三").recorded_by == "z3"
    assert a_talk(session, branch, "李四", "孙八").recorded_by == "l4"
    with pytest.raises(Forbidden):
        a_talk(session, branch, "钱七", "孙八", by="李四")
    with pytest.raises(Forbidden):
        a_talk(session, branch, "张三", "王五", by="王五")
    with pytest.raises(Forbidden):
        a_talk(session, branch, "张三", "王五", by="赵六")


def test_a_committee_member_cannot_make_a_talk_anothers(session: Session, branch: Process) -> None:
    talk = a_talk(session, branch, "李四", "王五")
    with pytest.raises(Forbidden):
        TALKS.amend(session, branch, talk, {"talker": "q7"}, seen=1, by=caller(session, "李四"), now=NOW)


def test_the_partner_writes_no_private_notes_about_himself(session: Session, branch: Process) -> None:
    with pytest.raises(Forbidden):
        a_talk(session, branch, "李四", "张三", by="张三", private_notes="身体尚好")


@pytest.mark.parametrize(
    ("changes", "field"), [({"partner": "z3"}, "partner"), ({"partner": "z6"}, "partner"), ({"held_on": date(2024, 12, 21)}, "held_on")]
)
def test_a_talk_with_oneself_with_a_stranger_or_of_tomorrow_is_refused(
    session: Session, branch: Process, changes: dict[str, Any], field: str
) -> None:
    talk = a_talk(session, branch, "张三", "王五")
    with pytest.raises(Invalid) as refused:
        TALKS.amend(session, branch, talk, changes, seen=1, by=caller(session, "张三"), now=NOW)
    assert list(refused.value.errors) == [field]


@pytest.mark.parametrize(("began", "ended"), [(time(14, 30), time(14, 29)), (None, time(9, 0))])
def test_a_talk_does_not_end_before_it_began(session: Session, branch: Process, began: time | None, ended: time) -> None:
    """One of the two times may already be on the record."""
    talk = a_talk(session, branch, "李四", "王五", started_at=began or time(9, 1))
    with pytest.raises(Invalid, match="不能早于开始时间") as refused:
        TALKS.amend(session, branch, talk, {"ended_at": ended}, seen=1, by=caller(session, "张三"), now=NOW)
    assert list(refused.value.errors) == ["ended_at"]
    TALKS.amend(session, branch, talk, {"started_at": time(8, 0), "ended_at": ended}, seen=1, by=caller(session, "张三"), now=NOW)
    assert (talk.started_at, talk.ended_at) == (time(8, 0), ended)


def test_the_table_itself_refuses_a_talk_that_ends_before_it_began(session: Session, branch: Process) -> None:
    talk = a_talk(session, branch, "李四", "王五", started_at=time(9, 0))
    talk.ended_at = time(8, 59)
    with pytest.raises(IntegrityError, match="ck_talk_times"):
        session.flush()


def test_the_table_itself_refuses_a_talk_with_oneself(session: Session, branch: Process) -> None:
    talk = a_talk(session, branch, "张三", "王五")
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        session.execute(update(Talk).where(Talk.id == talk.id).values(partner="z3"))
    assert constraint(refused.value) == "ck_talk_two_people"


def test_a_talk_is_corrected_only_as_it_was_seen_and_while_it_stands(session: Session, branch: Process) -> None:
    talk = a_talk(session, branch, "张三", "王五")
    TALKS.amend(session, branch, talk, {"place": "办公室"}, seen=1, by=caller(session, "张三"), now=NOW)
    assert (talk.place, talk.version) == ("办公室", 2)
    with pytest.raises(Stale):
        TALKS.amend(session, branch, talk, {"place": "会议室"}, seen=1, by=caller(session, "张三"), now=NOW)
    reject(talk, by="office", now=NOW, reason="内容雷同")
    with pytest.raises(Conflict):
        TALKS.amend(session, branch, talk, {"place": "会议室"}, seen=3, by=caller(session, "张三"), now=NOW)


@pytest.mark.parametrize("stage", [Stage.STUDY, Stage.TALKS])
def test_a_talk_may_be_recorded_ahead_of_its_stage(session: Session, branch: Process, stage: Stage) -> None:
    stand_at(session, branch, stage)
    assert a_talk(session, branch, "张三", "王五").id


@pytest.mark.parametrize("stage", [Stage.SELF_REVIEW, Stage.REPORT, Stage.FILED, Stage.ACCEPTED])
def test_talks_close_when_their_stage_is_left_and_follow_ups_never(session: Session, branch: Process, stage: Stage) -> None:
    talk = a_talk(session, branch, "张三", "王五", focus=True)
    stand_at(session, branch, stage)
    with pytest.raises(StageClosed):
        a_talk(session, branch, "张三", "孙八")
    with pytest.raises(StageClosed):
        TALKS.amend(session, branch, talk, {"place": "办公室"}, seen=1, by=caller(session, "张三"), now=NOW)
    follow_up = a_follow_up(session, branch, talk)
    finish_follow_up(session, branch, talk, follow_up, on=HELD_ON, by=caller(session, "张三"), now=NOW)
    assert follow_up.done_on == HELD_ON


def test_follow_ups_are_the_talkers_and_the_secretarys(session: Session, branch: Process) -> None:
    talk = a_talk(session, branch, "李四", "王五")
    assert a_follow_up(session, branch, talk, by="李四").recorded_by == "l4"
    follow_up = a_follow_up(session, branch, talk, by="张三")
    for name in ("钱七", "王五", "赵六"):
        with pytest.raises(Forbidden):
            a_follow_up(session, branch, talk, by=name)
    with_secretary = a_talk(session, branch, "李四", "张三")
    with pytest.raises(Forbidden):
        a_follow_up(session, branch, with_secretary, by="张三")
    appoint(session, {"staff_no": "s8", "branch": "D0101", "post": Post.DEPUTY, "starts_on": date(2024, 3, 1)}, now=NOW)
    with pytest.raises(Forbidden):
        a_follow_up(session, branch, with_secretary, by="孙八")
    assert a_follow_up(session, branch, talk, by="孙八").recorded_by == "s8"
    with pytest.raises(NotFound):
        follow_up_of(with_secretary, follow_up.id)
    assert follow_up_of(talk, follow_up.id) is follow_up


def test_who_may_not_read_the_notes_does_not_come_to_read_them_by_naming_other_people(session: Session, branch: Process) -> None:
    talk = a_talk(session, branch, "李四", "张三", private_notes="近来照顾老人")
    for changes in ({"partner": "w5"}, {"talker": "z3", "partner": "w5"}, {"private_notes": "无"}):
        with pytest.raises(Forbidden):
            TALKS.amend(session, branch, talk, changes, seen=1, by=caller(session, "张三"), now=NOW)


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────

NOTHING: tuple[str, ...] = ()
NOTES = (*PRIVATE, "follow_ups")


@pytest.mark.parametrize(
    ("reader", "partner", "hidden"),
    [
        ("李四", "王五", NOTHING),
        ("王五", "王五", NOTES),
        ("张三", "王五", NOTHING),
        ("张三", "张三", NOTES),
        ("孙八", "张三", NOTES),
        ("钱七", "王五", (*SAID, *NOTES)),
        ("王五", "孙八", (*SAID, *NOTES)),
        ("office", "王五", (*SAID, *NOTES)),
        ("committee", "王五", (*SAID, *NOTES)),
        ("auditor", "王五", (*SAID, *NOTES)),
        ("赵六", "王五", (*SAID, *NOTES)),
    ],
    ids=[
        "talker",
        "partner",
        "secretary",
        "secretary as partner",
        "deputy while the secretary is the partner",
        "another of the committee",
        "another member",
        "office",
        "committee",
        "auditor",
        "secretary of another branch",
    ],
)
def test_texts_are_for_those_two_and_the_secretary_and_private_notes_never_for_the_partner(
    session: Session, branch: Process, reader: str, partner: str, hidden: tuple[str, ...]
) -> None:
    appoint(session, {"staff_no": "s8", "branch": "D0101", "post": Post.DEPUTY, "starts_on": date(2024, 3, 1)}, now=NOW)
    talk = a_talk(session, branch, "李四", partner, **SUBSTANCE)
    assert hidden_from(caller(session, reader), talk, "D0101") == frozenset(hidden)


@pytest.mark.parametrize(("reader", "knows"), [("王五", 1), ("孙八", 0), ("钱七", 2), ("张三", 2), ("office", 2), ("administrator", 0), ("赵六", 0)])
def test_a_plain_member_knows_of_his_own_talks_only(session: Session, branch: Process, reader: str, knows: int) -> None:
    a_talk(session, branch, "李四", "王五")
    a_talk(session, branch, "李四", "钱七")
    assert len(session.scalars(select(Talk).where(TALKS.visible(caller(session, reader), "D0101"))).all()) == knows
