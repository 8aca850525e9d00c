"""Minutes (会议记录): their allowed content, their confirmation, and the stage that closes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, STAFF_NO, TODAY, a_school, caller
from tests.support.records.evidence import a_small_branch, leaves, stand_at
from tests.support.records.self_review import CRITICISM, MET_ON, a_life_meeting, a_meeting
from tests.support.situations import EVERYBODY, HELD_ON, a_study, on_roll
from workflow.appraisal.meetings.meetings import Meeting, MeetingSchema
from workflow.appraisal.meetings.recording import MEETINGS, confirm_minutes
from workflow.foundation.database import act_as
from workflow.foundation.errors import Conflict, Forbidden, Invalid, StageClosed, Stale
from workflow.foundation.fields.loading import load
from workflow.foundation.history import History
from workflow.foundation.vocabulary import MeetingForm, MeetingPurpose, Stage, Standing
from workflow.people.access import Action
from workflow.people.substitutes import name_substitute
from workflow.rules.evidence import reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import process_of

LIFE, REPORT, DECIDING = MeetingPurpose
GENERAL, COMMITTEE, GROUP = MeetingForm


@pytest.fixture
def branch(session: Session) -> Process:
    """张三's branch after its study."""
    process = a_school(session)
    a_study(session, process)
    return process


def amended(session: Session, process: Process, row: Meeting, *, by: str = "张三", **body: Any) -> Meeting:
    MEETINGS.amend(session, process, row, body, seen=row.version, by=caller(session, by), now=NOW)
    return row


def confirmed(session: Session, process: Process, row: Meeting, *by: str) -> Meeting:
    for name in by:
        confirm_minutes(session, process, row, by=caller(session, name), now=NOW)
    return row


def refused(act: Callable[[], object]) -> list[str]:
    """Give the fields that are refused."""
    with pytest.raises(Invalid) as error:
        act()
    return sorted(error.value.errors)


# ── when it was, and who came besides ─────────────────────────────────────────────────────────────────────────────────


def test_a_meeting_keeps_its_hours_and_its_guests(session: Session) -> None:
    process = a_school(session)
    a_study(session, process)
    guests = [{"name": "李明", "capacity": "学院党委委员"}, {"name": "王芳"}]
    row = a_life_meeting(session, process, started_at=time(14, 30), ended_at=time(16, 0), guests=guests)
    shown = MEETINGS.schema.shown(row)
    assert (shown["started_at"], shown["ended_at"]) == (time(14, 30), time(16, 0))
    assert shown["guests"] == [{"name": "李明", "capacity": "学院党委委员"}, {"name": "王芳", "capacity": None}]
    assert refused(lambda: amended(session, process, row, ended_at=time(14, 29))) == ["ended_at"]
    assert amended(session, process, row, guests=[]).guests == []


def test_a_meeting_without_guests_says_so(session: Session) -> None:
    process = a_school(session)
    a_study(session, process)
    assert MEETINGS.schema.shown(a_life_meeting(session, process))["guests"] == []


# ── E1: not before the study ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("studied", "day", "fields"),
    [
        ({}, HELD_ON - timedelta(days=1), ["held_on"]),
        ({}, HELD_ON, []),
        ({}, MET_ON, []),
        ({"exchange": None}, MET_ON, ["held_on"]),
        ({"present": ()}, MET_ON, ["held_on"]),
    ],
    ids=["the day before", "the same day", "the day after", "no exchange", "nobody there"],
)
def test_a_life_meeting_follows_a_study_with_its_exchange(session: Session, studied: dict[str, Any], day: date, fields: list[str]) -> None:
    process = a_school(session)
    a_study(session, process, **studied)
    if fields:
        assert refused(lambda: a_life_meeting(session, process, held_on=day)) == fields
    else:
        assert a_life_meeting(session, process, held_on=day).held_on == day


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_a_study_that_was_taken_back_or_anothers_is_none(session: Session, take_back: Callable[..., None]) -> None:
    process = a_school(session)
    study = a_study(session, process)
    a_study(session, process_of(session, 2024, "D0201"), present=("赵六",), by="赵六")
    take_back(study, by="z3", now=NOW, reason="日期写错")
    session.flush()
    assert refused(lambda: a_life_meeting(session, process)) == ["held_on"]


@pytest.mark.parametrize("purpose", [REPORT, DECIDING])
def test_only_the_life_meeting_waits_for_the_study(session: Session, purpose: MeetingPurpose) -> None:
    process = a_school(session)
    row = a_meeting(session, process, purpose)
    assert refused(lambda: amended(session, process, row, purpose=LIFE)) == ["held_on"]


# ── what does not fit together ────────────────────────────────────────────────────────────────────────────────────────


def test_a_group_does_not_decide(session: Session, branch: Process) -> None:
    assert refused(lambda: a_meeting(session, branch, DECIDING, form=GROUP)) == ["form"]
    row = a_life_meeting(session, branch, form=GROUP, group_name="第一党小组", present=("张三", "李四"))
    assert refused(lambda: amended(session, branch, row, purpose=DECIDING)) == ["form"]


@pytest.mark.parametrize("form", [GENERAL, COMMITTEE])
def test_only_a_group_meeting_names_its_group(session: Session, branch: Process, form: MeetingForm) -> None:
    assert refused(lambda: a_meeting(session, branch, form=form, group_name="第一党小组")) == ["group"]
    row = a_meeting(session, branch, form=GROUP, group_name="第一党小组")
    assert row.group_name == "第一党小组"
    amended(session, branch, row, form=form)
    assert row.form is form
    assert not row.group_name


def test_chair_and_recorder_are_two_people(session: Session, branch: Process) -> None:
    assert refused(lambda: a_meeting(session, branch, recorder="z3")) == ["recorder"]
    row = a_meeting(session, branch)
    assert refused(lambda: amended(session, branch, row, recorder=row.chair)) == ["recorder"]
    assert refused(lambda: amended(session, branch, row, chair=row.recorder)) == ["recorder"]
    assert a_meeting(session, branch, chair=None, recorder=None, confirmed=False).chair is None


def test_nobody_is_both_there_and_not_or_absent_twice(session: Session, branch: Process) -> None:
    w5 = {"staff_no": "w5", "reason": "出差"}
    assert refused(lambda: a_meeting(session, branch, absent=[w5])) == ["absent"]
    assert refused(lambda: a_meeting(session, branch, present=("张三", "李四"), absent=[w5, w5])) == ["absent"]
    row = a_meeting(session, branch, present=("张三", "李四"), absent=[w5])
    assert refused(lambda: amended(session, branch, row, present=["z3", "w5"])) == ["absent"]
    assert amended(session, branch, row, present=["z3", "w5"], absent=[]).present == ["w5", "z3"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"present": ("张三", "赵六")}, "present"),
        ({"absent": [{"staff_no": "z6"}], "present": ("张三", "李四")}, "absent"),
        ({"chair": "z6"}, "chair"),
        ({"recorder": "z6"}, "recorder"),
        ({"criticisms": [{"speaker": "z6", "about": "z3", **CRITICISM}]}, "criticisms"),
        ({"criticisms": [{"speaker": "z3", "about": "z6", **CRITICISM}]}, "criticisms"),
    ],
)
def test_only_people_of_the_roll_stand_in_the_minutes(session: Session, branch: Process, fields: dict[str, Any], wrong: str) -> None:
    assert refused(lambda: a_meeting(session, branch, confirmed=False, **fields)) == [wrong]


def test_who_has_left_since_may_have_been_there(session: Session, branch: Process) -> None:
    leaves(session, "孙八")
    assert "s8" in a_meeting(session, branch, present=EVERYBODY).present


def test_a_meeting_still_to_come_is_not_recorded(session: Session, branch: Process) -> None:
    assert refused(lambda: a_meeting(session, branch, held_on=TODAY + timedelta(days=1))) == ["held_on"]
    row = a_meeting(session, branch, held_on=TODAY)
    assert refused(lambda: amended(session, branch, row, held_on=TODAY + timedelta(days=1))) == ["held_on"]


def test_every_fault_is_told_at_once(session: Session) -> None:
    process = a_school(session)
    vote = {"yes": 9, "no": 0, "abstain": 0}
    absent = [{"staff_no": "w5"}]
    wrong = refused(lambda: a_meeting(session, process, group_name="第一党小组", recorder="z3", absent=absent, vote=vote))
    assert wrong == ["absent", "group", "held_on", "recorder", "vote"]


# ── the vote ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("form", "present", "votes", "fits"),
    [
        (GENERAL, EVERYBODY, (3, 0, 0), True),
        (GENERAL, EVERYBODY, (1, 1, 1), True),
        (GENERAL, EVERYBODY, (4, 0, 0), False),
        (GENERAL, EVERYBODY, (2, 1, 1), False),
        (GENERAL, ("张三", "王五", "孙八"), (2, 0, 0), False),
        (COMMITTEE, ("张三", "李四", "钱七"), (3, 0, 0), True),
        (COMMITTEE, ("张三", "李四"), (2, 0, 1), False),
        (COMMITTEE, ("张三", "李四", "孙八", "王五"), (0, 3, 0), False),
    ],
)
def test_there_are_no_more_votes_than_people_who_may_vote(
    session: Session, branch: Process, form: MeetingForm, present: tuple[str, ...], votes: tuple[int, int, int], fits: bool
) -> None:
    probationary, without_vote = on_roll(session, branch, "孙八"), on_roll(session, branch, "王五")
    probationary.standing, probationary.voting, without_vote.voting = Standing.PROBATIONARY, False, False
    session.flush()
    vote = dict(zip(("yes", "no", "abstain"), votes, strict=True))
    if not fits:
        assert refused(lambda: a_meeting(session, branch, DECIDING, form=form, present=present, vote=vote)) == ["vote"]
        return
    row = a_meeting(session, branch, DECIDING, form=form, present=present, vote=vote)
    assert (row.vote_yes, row.vote_no, row.vote_abstain) == votes
    assert refused(lambda: amended(session, branch, row, present=["z3"])) == ["vote"]
    assert refused(lambda: amended(session, branch, row, vote={"yes": 4, "no": 0, "abstain": 0})) == ["vote"]


def test_of_the_committee_too_only_those_vote_who_have_the_right(session: Session, branch: Process) -> None:
    on_roll(session, branch, "钱七").voting = False
    vote = {"yes": 3, "no": 0, "abstain": 0}
    assert refused(lambda: a_meeting(session, branch, DECIDING, form=COMMITTEE, present=("张三", "李四", "钱七"), vote=vote)) == ["vote"]


def test_without_a_committee_secretary_and_deputy_vote_in_its_place(session: Session) -> None:
    process = a_small_branch(session)
    vote = {"yes": 2, "no": 0, "abstain": 0}
    assert refused(lambda: a_meeting(session, process, DECIDING, form=COMMITTEE, vote=vote)) == ["vote"]
    assert a_meeting(session, process, DECIDING, form=COMMITTEE, vote={**vote, "yes": 1}).vote_yes == 1


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        ({"absent": [{}]}, ["absent.0.staff_no"]),
        ({"criticisms": [{"matter": "迟到"}]}, ["criticisms.0.about", "criticisms.0.speaker"]),
        ({"vote": {}}, ["vote.yes"]),
        ({"vote": {"yes": -1, "no": 2**63}}, ["vote.no", "vote.yes"]),
        ({"absent": [{"staff_no": "w5"}] * 501}, ["absent"]),
        ({"criticisms": [{"speaker": "z3", "about": "z3"}] * 501}, ["criticisms"]),
    ],
)
def test_what_stands_inside_a_change_is_sent_whole(sent: dict[str, Any], wrong: list[str]) -> None:
    assert refused(lambda: load(MeetingSchema(partial=True), sent)) == wrong
    assert load(MeetingSchema(partial=True), {"vote": {"yes": 3}}) == {"vote": {"yes": 3, "no": 0, "abstain": 0}}


# ── what stands in the minutes ────────────────────────────────────────────────────────────────────────────────────────


def test_theme_and_agenda_are_those_of_the_year_unless_the_branch_wrote_others(session: Session, branch: Process) -> None:
    row = a_meeting(session, branch)
    assert (row.theme, row.agenda) == (branch.cycle.theme, ["自我检查", "党性分析", "批评和自我批评"])
    assert a_meeting(session, branch, REPORT).agenda == []
    other = a_meeting(session, branch, theme="另一主题", agenda=["述职"])
    assert (other.theme, other.agenda) == ("另一主题", ["述职"])


def test_a_correction_changes_what_it_names_and_keeps_the_rest(session: Session, branch: Process) -> None:
    lines = [{"speaker": "z3", "about": "l4", **CRITICISM}, {"speaker": "l4", "about": "z3", **CRITICISM}]
    absent = [{"staff_no": "w5", "reason": "出差"}]
    row = a_meeting(session, branch, present=("张三", "李四"), absent=absent, criticisms=lines, vote={"yes": 2, "no": 0, "abstain": 0})
    amended(session, branch, row, place="会议室", present=["z3", "q7"])
    session.expire_all()
    assert [(each.staff_no, each.present, each.reason) for each in row.attendance] == [
        ("q7", True, None),
        ("w5", False, "出差"),
        ("z3", True, None),
    ]
    assert [(each.number, each.speaker, each.about, each.improve) for each in row.criticisms] == [
        (1, "z3", "l4", CRITICISM["improve"]),
        (2, "l4", "z3", CRITICISM["improve"]),
    ]
    assert (row.place, row.minutes, row.vote_yes, row.version) == ("会议室", "逐项进行，见记录", 2, 4)
    amended(session, branch, row, criticisms=[], absent=[])
    session.expire_all()
    assert (row.criticisms, row.present, len(row.attendance)) == ([], ["q7", "z3"], 2)


def test_a_meeting_is_corrected_only_as_it_was_seen_and_while_it_stands(session: Session, branch: Process) -> None:
    row = a_meeting(session, branch, confirmed=False)
    with pytest.raises(Stale):
        MEETINGS.amend(session, branch, row, {"place": "会议室"}, seen=2, by=caller(session, "张三"), now=NOW)
    reject(row, by="office", now=NOW, reason="内容雷同")
    with pytest.raises(Conflict):
        amended(session, branch, row, place="会议室")


# ── confirmed by two ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_chair_and_recorder_confirm_each_for_himself_and_once(session: Session, branch: Process) -> None:
    row = a_meeting(session, branch, confirmed=False)
    for other in ("王五", "钱七", "office", "赵六"):
        with pytest.raises(Forbidden):
            confirmed(session, branch, row, other)
    confirmed(session, branch, row, "李四")
    assert (row.chair_confirmed_at, row.recorder_confirmed_at, row.version) == (None, NOW, 2)
    with pytest.raises(Conflict):
        confirmed(session, branch, row, "李四")
    confirmed(session, branch, row, "张三")
    assert (row.chair_confirmed_at, row.recorder_confirmed_at, row.version) == (NOW, NOW, 3)


def test_what_was_corrected_is_confirmed_again_by_both(session: Session, branch: Process) -> None:
    row = a_meeting(session, branch)
    amended(session, branch, row, place="会议室")
    assert (row.chair_confirmed_at, row.recorder_confirmed_at) == (None, None)
    confirmed(session, branch, row, "张三", "李四")


@pytest.mark.parametrize("take_back", [withdraw, reject])
def test_what_was_taken_back_is_confirmed_by_nobody(session: Session, branch: Process, take_back: Callable[..., None]) -> None:
    row = a_meeting(session, branch, confirmed=False)
    take_back(row, by="z3", now=NOW, reason="重复登记")
    with pytest.raises(Conflict):
        confirmed(session, branch, row, "张三")


def test_who_stands_in_for_the_secretary_confirms_as_recorder_for_himself(session: Session, branch: Process) -> None:
    secretary = caller(session, "张三")
    week = {"substitute": "w5", "starts_on": TODAY, "ends_on": TODAY + timedelta(days=6)}
    name_substitute(session, week, by=secretary, reach=secretary.may(Action.WRITE_SUBSTITUTES).values(), now=NOW)
    row = a_meeting(session, branch, recorder="w5", confirmed=False)
    act_as(session, actor="w5", on_behalf_of="z3")
    confirmed(session, branch, row, "王五")
    last = session.scalars(select(History).where(History.what == "meeting", History.row_key == str(row.id)).order_by(History.id.desc())).first()
    assert last is not None
    assert (last.actor, last.on_behalf_of) == ("w5", None)


# ── which stage closes it ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("purpose", "stage", "closed"),
    [
        (LIFE, Stage.SELF_REVIEW, False),
        (REPORT, Stage.SELF_REVIEW, False),
        (DECIDING, Stage.STUDY, False),
        (DECIDING, Stage.RATING, False),
        (LIFE, Stage.RATING, True),
        (REPORT, Stage.RATING, True),
        (DECIDING, Stage.RECTIFICATION, True),
    ],
)
def test_its_purpose_says_which_stage_closes_a_meeting(
    session: Session, branch: Process, purpose: MeetingPurpose, stage: Stage, closed: bool
) -> None:
    row = a_meeting(session, branch, purpose, confirmed=False)
    stand_at(session, branch, stage)
    acts: list[Callable[[], object]] = [
        lambda: a_meeting(session, branch, purpose, confirmed=False),
        lambda: confirmed(session, branch, row, "张三"),
        lambda: amended(session, branch, row, place="会议室"),
    ]
    for act in acts:
        if closed:
            with pytest.raises(StageClosed):
                act()
        else:
            act()


def test_a_meeting_does_not_come_into_or_out_of_a_closed_stage_by_its_purpose(session: Session, branch: Process) -> None:
    life, deciding = a_meeting(session, branch, LIFE), a_meeting(session, branch, DECIDING)
    assert amended(session, branch, a_meeting(session, branch, REPORT), purpose=DECIDING).stage is Stage.RATING
    stand_at(session, branch, Stage.RATING)
    with pytest.raises(StageClosed):
        amended(session, branch, life, purpose=DECIDING)
    with pytest.raises(StageClosed):
        amended(session, branch, deciding, purpose=REPORT)
    assert amended(session, branch, deciding, purpose=DECIDING).version == 4


# ── who knows of it ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("reader", "knows"), [("李四", 3), ("王五", 2), ("孙八", 0), ("张三", 3), ("office", 3), ("administrator", 0), ("赵六", 0)])
def test_a_plain_member_knows_of_the_meetings_he_confirms(session: Session, branch: Process, reader: str, knows: int) -> None:
    a_meeting(session, branch, recorder=STAFF_NO["王五"])
    a_meeting(session, branch, REPORT, chair=STAFF_NO["王五"], recorder="l4")
    a_meeting(session, branch)
    assert len(session.scalars(select(Meeting).where(MEETINGS.visible(caller(session, reader), "D0101"))).all()) == knows
