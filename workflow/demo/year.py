"""A branch's year in the demo (示范支部的一年): its records in each stage.

They are made by the same verbs as real ones, each act by the person who would do it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm import Session

from workflow.appraisal.ledger import Measure
from workflow.appraisal.meetings.recording import MEETINGS, confirm_minutes
from workflow.appraisal.meetings.tallies import CommitteeItem, members_on_ballot
from workflow.appraisal.meetings.tellers import TALLIES
from workflow.appraisal.rating.aftercare_help import HELP_PLANS
from workflow.appraisal.rating.ratings import RATINGS, acknowledge, give_feedback
from workflow.appraisal.rectification.commitments import COMMITMENTS
from workflow.appraisal.rectification.measures import MEASURES, record_comment, record_progress
from workflow.appraisal.rectification.problems import PROBLEMS
from workflow.appraisal.rectification.publications import FILINGS, PUBLICATIONS, confirm_receipt
from workflow.appraisal.report.form import FORM
from workflow.appraisal.self_review.self_reviews import ASPECTS, SELF_REVIEWS
from workflow.appraisal.study.sessions import SESSIONS
from workflow.appraisal.talks.follow_ups import record_follow_up
from workflow.appraisal.talks.talks import TALKS
from workflow.demo.season import Season
from workflow.foundation.database import act_as
from workflow.foundation.vocabulary import (
    ABSTAIN,
    FeedbackWay,
    Level,
    MeasureState,
    MeetingForm,
    MeetingPurpose,
    Post,
    ProblemSource,
    Stage,
    Standing,
    TalkWay,
    TallySubject,
)
from workflow.people.access import Caller
from workflow.people.callers import caller_for
from workflow.year.cycle import Participant, Process

STUDIED, TALKED, WROTE, MET, DECIDED, MENDED, FILLED = (
    date(2024, 12, 12),
    date(2024, 12, 12),
    date(2024, 12, 22),
    date(2024, 12, 24),
    date(2024, 12, 29),
    date(2025, 1, 3),
    date(2025, 1, 8),
)
STILL_TO_TALK = 3
"""The number of people in the branch of the tour who are still to be talked with."""

_STRONG = ("政治立场坚定", "服务师生热心", "守纪律讲规矩", "学习抓得紧", "教学科研扎实", "按时参加组织生活")
_WEAK = ("理论联系实际不够", "深入一线还不够多", "有时制度执行不够严", "学习的系统性不强", "创新办法不多", "主动承担任务少")
_BETTER = ("每月写一篇学习笔记", "每学期联系两名学生", "带头执行请销假制度", "每周自学一次", "牵头一项教学改革", "每季度承担一次主题党日")
_DONE = (
    "承担了两门主干课程",
    "指导学生获得省级奖项",
    "完成了实验室搬迁",
    "坚持值守学生宿舍",
    "主持了一项教改课题",
    "牵头帮扶两名困难学生",
    "编写了一部教材",
)


@dataclass(frozen=True)
class Year:
    """One branch, its people, and the session in which it records."""

    session: Session
    process: Process
    people: Sequence[Participant]
    secretary: Participant
    office: Caller
    season: Season

    @property
    def leaders(self) -> list[Participant]:
        return [each for each in self.people if each.leads]

    @property
    def recorder(self) -> Participant:
        return next(each for each in self.people if each is not self.secretary)

    @property
    def tellers(self) -> list[Participant]:
        """Return two full members from the end of the roll.

        In a large branch they are then not of the committee.
        """
        may = [each for each in self.people if each.standing is Standing.FULL and each.post is not Post.SECRETARY]
        return may[-2:]

    def acts(self, who: Participant | Caller, day: date, hour: int = 17) -> dict[str, Any]:
        """Return ``by`` and ``now`` for an act of this person on a day of the script.

        Names them to the history.
        """
        by = who if isinstance(who, Caller) else caller_for(self.session, who.staff_no, self.season.day(day))
        act_as(self.session, actor=by.staff_no)
        return {"by": by, "now": self.season.at(day, hour)}

    def record(self, stage: Stage, *, whole: bool) -> None:
        """Make the branch's records of a stage: all, or so few that something is left to do."""
        _RECORDS[stage](self, whole)


def _study(year: Year, whole: bool) -> None:
    if not whole:
        return
    body = {
        "held_on": year.season.day(STUDIED),
        "form": "集中领学、交流研讨",
        "titles": [str(title) for title in year.process.cycle.plan["rules"]["required_reading"]],
        "present": [each.staff_no for each in year.people],
        "exchange": "围绕支部职责任务和合格党员标准逐条学习，结合岗位交流了体会。",
    }
    SESSIONS.record(year.session, year.process, body, **year.acts(year.secretary, STUDIED))


def _talks(year: Year, whole: bool) -> None:
    leaders, others = year.leaders, [each for each in year.people if not each.leads]
    pairs = [(one, other) for number, one in enumerate(leaders) for other in leaders[number + 1 :] if one.on_committee]
    pairs += [(leaders[number % len(leaders)], each) for number, each in enumerate(others if whole else others[:-STILL_TO_TALK])]
    for number, (talker, partner) in enumerate(pairs):
        focus = number == len(pairs) - 1 or partner is (others[0] if others else None)
        day = TALKED + timedelta(days=number % 4)
        body = {
            "held_on": year.season.day(day),
            "talker": talker.staff_no,
            "partner": partner.staff_no,
            "way": TalkWay.FACE,
            "place": "党员活动室",
            "focus": focus,
            "opinions_branch": "组织生活可以更贴近业务。",
            "opinions_committee": "希望班子多到一线听意见。",
            "affirmed": f"{_pick(_STRONG, number)}，乐于助人。",
            "shortcomings": f"{_pick(_WEAK, number)}。",
            "exchange": "双方就改进办法交换了意见。",
            "private_notes": "身体状况良好，思想稳定。",
            **({"focus_reason": "近期工作变动，需要多关心"} if focus else {}),
        }
        acts = year.acts(talker, day, 18)
        talk = TALKS.record(year.session, year.process, body, **acts)
        if focus and talker is year.secretary:
            follow_up = {"due_on": year.season.day(day + timedelta(days=30)), "what": "再谈一次，了解适应情况"}
            record_follow_up(year.session, year.process, talk, follow_up, **acts)


def _self_review(year: Year, whole: bool) -> None:
    people = year.people if whole else year.people[: len(year.people) * 2 // 3]
    for number, person in enumerate(people):
        text = {aspect: f"{person.name}：{_pick(_STRONG, place)}，{_of_himself(number + place)}" for place, aspect in enumerate(ASPECTS)}
        level = {"level": Level.EXCELLENT if number % 5 == 0 else Level.QUALIFIED} if person.standing is Standing.FULL else {}
        body = {"staff_no": person.staff_no, "aspects": text, "submitted": True, **level}
        SELF_REVIEWS.record(year.session, year.process, body, **year.acts(person, WROTE))
    if not whole:
        return
    _meeting(year, MeetingPurpose.LIFE, MET, **_of_the_meeting(year))
    valid = sum(each.voting for each in year.people)
    numbers = {"issued": valid, "returned": valid, "valid": valid, "void": 0}
    marks = {item.value: {"good": valid - valid // 6, "fairly_good": valid // 6} for item in CommitteeItem}
    for teller in year.tellers:
        acts = year.acts(teller, MET, 20)
        of_committee = {"subject": TallySubject.COMMITTEE, **numbers, "counts": {**marks, "comments": ["希望多组织与业务结合的主题党日"]}}
        TALLIES.record(year.session, year.process, of_committee, **acts)
        TALLIES.record(year.session, year.process, {"subject": TallySubject.MEMBERS, **numbers, "counts": _votes(year, valid)}, **acts)


def _of_himself(number: int) -> str:
    return f"{_pick(_DONE, number)}。不足是{_pick(_WEAK, number)}，今后{_pick(_BETTER, number)}。"


def _of_the_meeting(year: Year) -> dict[str, object]:
    lines = [
        {
            "speaker": speaker.staff_no,
            "about": about.staff_no,
            "matter": f"今年联系本科生班级，{_pick(_WEAK, number)}",
            "shown": "答应的谈心有两次没有按时去",
            "improve": _pick(_BETTER, number),
        }
        for number, (speaker, about) in enumerate(zip(year.leaders, (*year.leaders[1:], year.leaders[0]), strict=True))
    ]
    return {
        "criticisms": lines,
        "duty_report": "一年来支委会围绕中心工作抓党建，按期开展三会一课；存在的主要问题是与业务结合不紧。",
        "minutes": "通报会前准备情况，书记代表支部委员会述职，逐人自评互评，民主测评。",
    }


def _votes(year: Year, valid: int) -> dict[str, dict[str, int]]:
    """Make the ballot's result: each abstains on themselves, all others vote for their level."""
    levels = _levels(year)
    return {staff_no: {levels[staff_no].value: valid - 1, ABSTAIN: 1} for staff_no in members_on_ballot(year.people)}


def _levels(year: Year) -> dict[str, Level]:
    """Give a quarter excellent, rounded down, and in a larger branch one 基本合格."""
    ballot = list(members_on_ballot(year.people))
    best = set(ballot[: len(ballot) // 4])
    weak = ballot[-1] if len(ballot) >= 15 else None
    return {staff_no: Level.EXCELLENT if staff_no in best else Level.BASIC if staff_no == weak else Level.QUALIFIED for staff_no in ballot}


def _meeting(year: Year, purpose: MeetingPurpose, day: date, **fields: Any) -> None:
    """Record a general meeting of everybody, its minutes confirmed by chair and recorder."""
    body = {
        "purpose": purpose,
        "form": MeetingForm.GENERAL,
        "held_on": year.season.day(day),
        "place": "党员活动室",
        "chair": year.secretary.staff_no,
        "recorder": year.recorder.staff_no,
        "present": [each.staff_no for each in year.people],
        **fields,
    }
    row = MEETINGS.record(year.session, year.process, body, **year.acts(year.secretary, day))
    for who in (year.secretary, year.recorder):
        confirm_minutes(year.session, year.process, row, **year.acts(who, day, 19))


def _rating(year: Year, whole: bool) -> None:
    levels = _levels(year)
    names = {each.staff_no: each for each in year.people}
    rated = list(levels) if whole else list(levels)[: len(levels) // 2]
    acts = year.acts(year.secretary, DECIDED)
    for number, staff_no in enumerate(rated):
        opinion = f"{names[staff_no].name}同志{_pick(_STRONG, number)}，{_pick(_DONE, number)}；{_pick(_WEAK, number // 2)}。"
        row = RATINGS.record(year.session, year.process, {"staff_no": staff_no, "level": levels[staff_no], "opinion": opinion}, **acts)
        if whole:
            told = {"given_on": year.season.day(DECIDED), "way": FeedbackWay.FACE if number % 4 else FeedbackWay.WRITTEN}
            give_feedback(year.session, year.process, row, told, **year.acts(year.secretary, DECIDED))
        if levels[staff_no] is Level.BASIC:
            plan = {
                "staff_no": staff_no,
                "helper": year.secretary.staff_no,
                "first_step": "每月谈心一次，安排一项具体任务",
                "review_on": year.season.day(date(2025, 3, 31)),
            }
            HELP_PLANS.record(year.session, year.process, plan, **acts)
        if whole and number % 3:
            by, now = year.acts(names[staff_no], DECIDED, 20).values()
            acknowledge(year.session, row, remark=None, by=by, now=now)
    if whole:
        voters = sum(each.voting for each in year.people)
        _meeting(year, MeetingPurpose.DECIDING, DECIDED, vote={"yes": voters, "no": 0, "abstain": 0}, minutes="逐人提出评定意见，表决通过。")


_PROBLEMS: tuple[Mapping[str, Any], ...] = (
    {"source": ProblemSource.MEETING, "text": "组织生活与业务结合不紧", "measure": "每学期两次与学科建设结合的主题党日"},
    {"source": ProblemSource.TALLY, "text": "支委联系群众不够经常", "measure": "支委每月到教研室听一次意见，列出清单逐条回复"},
    {"source": ProblemSource.TALK, "text": "青年教师成长支持不够", "measure": "为三名新入职教师各配一名导师"},
)


def _rectification(year: Year, whole: bool) -> None:
    acts = year.acts(year.secretary, MENDED)
    measures: list[Measure] = []
    for number, found in enumerate(_PROBLEMS):
        problem = PROBLEMS.record(year.session, year.process, {"source": found["source"], "whose": "committee", "text": found["text"]}, **acts)
        owner = year.leaders[number % len(year.leaders)]
        body = {"problems": [problem.id], "text": found["measure"], "owner": owner.staff_no, "due_on": year.season.day(date(2025, 3 + number, 28))}
        measures.append(MEASURES.record(year.session, year.process, body, **acts))
    for number, person in enumerate(year.people if whole else year.people[: len(year.people) // 2]):
        text = {
            "staff_no": person.staff_no,
            "problem": _pick(_WEAK, number),
            "text": _pick(_BETTER, number),
            "due_on": year.season.day(date(2025, 6, 30)),
        }
        COMMITMENTS.record(year.session, year.process, text, **year.acts(person, MENDED))
    if not whole:
        return
    acts = year.acts(year.secretary, MENDED + timedelta(days=1))
    first, last = (year.season.day(MENDED + timedelta(days=days)) for days in (0, 7))
    PUBLICATIONS.record(year.session, year.process, {"place": "学院公示栏", "from_on": first, "to_on": last}, **acts)
    filing = FILINGS.record(year.session, year.process, {"sent_to": year.process.branch.unit_name, "sent_on": year.season.day(MENDED)}, **acts)
    record_progress(year.session, year.process, measures[0], {"state": MeasureState.DOING, "evidence": "已拟定两次主题党日的方案"}, **acts)
    record_comment(year.session, year.process, measures[1], {"text": "请把清单公布出来"}, **year.acts(year.people[-1], MENDED + timedelta(days=2)))
    by, now = year.acts(year.office, MENDED + timedelta(days=3)).values()
    confirm_receipt(year.session, filing, by=by, now=now)


def _report(year: Year, whole: bool) -> None:
    if whole:
        written = {"prepared_by": year.recorder.name, "phone": "8888 0000"}
        FORM.write(year.session, year.process, None, written, seen=0, **year.acts(year.secretary, FILLED))


def _pick(words: Sequence[str], number: int) -> str:
    return words[number % len(words)]


_RECORDS: Mapping[Stage, Callable[[Year, bool], None]] = {
    Stage.STUDY: _study,
    Stage.TALKS: _talks,
    Stage.SELF_REVIEW: _self_review,
    Stage.RATING: _rating,
    Stage.RECTIFICATION: _rectification,
    Stage.REPORT: _report,
}
