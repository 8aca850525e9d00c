"""A plausible school (一所寻常的学校): drawn by dice, so that signs can be measured on it.

60 branches of 4 to 45 people in a year whose form is due on 26 January 2025:

* the share of 优秀 votes of a member is drawn with mean 60 % and standard deviation 15; a branch
  rates the first of its ballot 优秀, one branch in five one member out of turn, every second of
  these with a reason;
* in a tenth of the talks nobody has opinions, and 无意见 is noted;
* of everything else one in a hundred is left undone or copied, whoever the branch is;
* one branch in twenty is late, and goes on after the day;
* two of the late are careless in everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import combinations
from random import Random

from sqlalchemy.orm import Session
from workflow.appraisal.meetings.meetings import Meeting, MeetingAttendance, MeetingCriticism
from workflow.appraisal.self_review.self_reviews import SelfReview
from workflow.appraisal.study.sessions import StudyAttendance, StudySession
from workflow.appraisal.talks.talks import Talk, TalkFollowUp
from workflow.foundation.vocabulary import (
    Kind,
    MeetingForm,
    MeetingPurpose,
    Post,
    Role,
    Stage,
    Standing,
    TalkWay,
)
from workflow.machine.asked import CLAUSES
from workflow.people.organisation import Appointment, Branch, Person
from workflow.people.roles import create_officer
from workflow.year.finding import Lock, processes_of
from workflow.year.opening import open_cycle, publish
from workflow.year.plan_files import find_plan, read_plan

from benchmarks.school.plausible_later import ballots, rectification
from benchmarks.school.plausible_year import (
    BEGUN,
    BRANCHES,
    CARELESS,
    COMMITTEE_FROM,
    COPIED,
    DEADLINE,
    DECIDED,
    LATE,
    MET,
    OFFICE,
    RECORDED,
    SIZES,
    STUDIED,
    TALKED,
    WITHOUT_OPINIONS,
    Year,
)


def a_plausible_school(session: Session, seed: int = 2024) -> None:
    """Make the school and its year."""
    dice = Random(seed)  # noqa: S311  (drawn again, it must be the same school)
    create_officer(session, staff_no=OFFICE, name="党委办公室", role=Role.OFFICE, now=BEGUN)
    for number in range(1, BRANCHES + 1):
        _branch(session, number, 22 if number <= LATE else dice.choice(SIZES))
    name, text = find_plan("2024", None)
    cycle = open_cycle(
        session, read_plan(text, CLAUSES, name=name), {Stage.REPORT: DEADLINE}, now=BEGUN
    )
    publish(session, cycle, now=BEGUN)
    for number, process in enumerate(
        processes_of(session, cycle, Kind.APPRAISAL, lock=Lock.NONE), 1
    ):
        late = number <= LATE
        _write(Year(session, dice, process, careless=number <= CARELESS, late=late))


def _branch(session: Session, number: int, members: int) -> None:
    unit = f"U{number % 10}"
    committee = members >= COMMITTEE_FROM
    branch = Branch(
        code=f"B{number:03d}",
        name=f"第{number}党支部",
        unit_code=unit,
        unit_name=f"{unit}党委",
        has_committee=committee,
    )
    session.add(branch)
    session.flush()
    people = [
        Person(
            staff_no=f"{number:03d}{place:02d}",
            name=f"党员{number}-{place}",
            branch_id=branch.id,
            standing=Standing.FULL,
        )
        for place in range(1, members + 1)
    ]
    session.add_all(people)
    session.flush()
    for place, person in enumerate(people[: 3 if committee else 1]):
        post = Post.COMMITTEE_MEMBER if place else Post.SECRETARY
        since = date(2024, 1, 1)
        session.add(
            Appointment(
                person_id=person.id,
                branch_id=branch.id,
                post=post,
                on_committee=committee,
                starts_on=since,
            )
        )
    session.flush()


def _study(year: Year) -> Iterator[object]:
    titles = list(year.process.cycle.plan["rules"]["required_reading"])
    if year.dice.random() < WITHOUT_OPINIONS:
        titles = [title.replace("（", "(").replace("）", ")") for title in titles]
    there = [
        StudyAttendance(staff_no=each.staff_no, process_id=year.process.id) for each in year.people
    ]
    held_on, exchange = year.day(STUDIED), year.said("交流")
    yield StudySession(
        held_on=held_on, titles=titles, exchange=exchange, attendance=there, **year.made()
    )


def _talks(year: Year) -> Iterator[object]:
    leaders = [each for each in year.people if each.leads]
    others = [each for each in year.people if not each.leads]
    pairs = [
        *combinations(leaders, 2),
        *((leaders[n % len(leaders)], each) for n, each in enumerate(others)),
    ]
    for number, (talker, partner) in enumerate(pairs):
        opinions, noted = year.dice.random() >= WITHOUT_OPINIONS, not year.slips()
        substance = (
            {}
            if year.slips()
            else {"affirmed": year.said("肯定"), "shortcomings": year.said("不足")}
        )
        focus = number < len(leaders)
        talk = Talk(
            **year.made(talker),
            **substance,
            held_on=year.day(TALKED + timedelta(days=number % 5)),
            talker=talker.staff_no,
            partner=partner.staff_no,
            talker_led=talker.leads,
            partner_led=partner.leads,
            with_secretary=partner.post is Post.SECRETARY,
            way=TalkWay.FACE,
            focus=focus,
            focus_reason="工作变动" if focus else None,
            opinions_branch=year.said("建议") if opinions and noted else None,
            no_opinions=noted and not opinions,
        )
        if focus and not year.slips():
            due_on = TALKED + timedelta(days=60)
            entry = {
                "process_id": year.process.id,
                "recorded_by": talker.staff_no,
                "recorded_at": BEGUN,
            }
            talk.follow_ups = [TalkFollowUp(due_on=due_on, what="再谈一次", **entry)]
        yield talk


def _self_reviews(year: Year) -> Iterator[object]:
    for person in year.people:
        aspects = {
            each["id"]: year.said(person.name, each["title"])
            for each in year.process.cycle.plan["rules"]["aspects"]
        }
        aspects["A3"] = "做到了"
        if year.slips():
            aspects |= {"A1": COPIED, "A6": ""}
        if year.careless:
            aspects = {"A1": COPIED} if person is not year.people[-1] else {"A2": "有"}
        yield SelfReview(
            staff_no=person.staff_no,
            aspects={k: v for k, v in aspects.items() if v},
            submitted=True,
            **year.made(person),
        )


def _meetings(year: Year) -> Iterator[object]:
    secretary, recorder, *_ = year.people
    cycle, n = year.process.cycle, len(year.people)
    for purpose, held_on in ((MeetingPurpose.LIFE, MET), (MeetingPurpose.DECIDING, DECIDED)):
        matters = (
            []
            if purpose is MeetingPurpose.DECIDING
            else ["好" if year.slips() else year.said("两次迟到") for _ in range(5)]
        )
        yield Meeting(
            **year.made(at=RECORDED),
            purpose=purpose,
            form=MeetingForm.GENERAL,
            held_on=year.day(STUDIED if year.careless else held_on),
            place="党员活动室",
            chair=secretary.staff_no,
            recorder=recorder.staff_no,
            theme="总结工作" if year.slips() else cycle.theme,
            agenda=[] if year.slips() else list(cycle.plan["rules"]["agenda"]),
            duty_report="代表支委会述职",
            rectification_report="上年度无整改事项",
            **(
                {"vote_yes": n, "vote_no": 0, "vote_abstain": 0}
                if purpose is MeetingPurpose.DECIDING
                else {}
            ),
            minutes="逐项进行，见记录",
            chair_confirmed_at=RECORDED,
            recorder_confirmed_at=RECORDED,
            guests=[],
            attendance=[
                MeetingAttendance(staff_no=each.staff_no, process_id=year.process.id, present=True)
                for each in (
                    year.people[: n // 3]
                    if year.careless and purpose is MeetingPurpose.LIFE
                    else year.people
                )
            ],
            criticisms=[
                MeetingCriticism(
                    process_id=year.process.id,
                    number=k,
                    speaker=recorder.staff_no,
                    about=secretary.staff_no,
                    matter=said,
                    improve=None if year.careless else said,
                    shown=said,
                )
                for k, said in enumerate(matters, 1)
            ],
        )


def _write(year: Year) -> None:
    """Write all records of a branch's year."""
    for part in (_study, _talks, _self_reviews, _meetings, ballots, rectification):
        rows = list(part(year))
        year.session.add_all(rows)
        year.session.flush()
    stage = Stage.RECTIFICATION if year.late else Stage.FILED
    year.process.stage, year.process.due_on = stage, DEADLINE if year.late else None
    year.session.flush()
