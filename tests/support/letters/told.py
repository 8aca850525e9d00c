"""Every kind of letter in a situation of two branches, and the required words of each letter.

The two are told different things at one moment, so that a mix-up shows in the words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from tests.support.builders import DEADLINES, NOW, STAFF_NO, TODAY, caller
from tests.support.letters.reminding import BASE
from tests.support.records.assessment import an_assessment
from tests.support.records.evidence import stand_at
from tests.support.records.rectification import a_measure
from tests.support.situations import a_talk
from workflow.appraisal.talks.follow_ups import record_follow_up
from workflow.foundation.vocabulary import Stage, Trigger
from workflow.machine.committee import enter, make_final, publish_decision
from workflow.machine.process import move
from workflow.machine.waivers import tell_decided, waive
from workflow.people.invitations import Desk, forget_password, invite
from workflow.rules.evidence import reject
from workflow.rules.telling import tell_excuse_decided, tell_year_amended, tell_year_published
from workflow.year.amendments import Additions, amend_plan
from workflow.year.cycle import Cycle, Process
from workflow.year.deadlines import change_deadlines, extend
from workflow.year.finding import cycle_by_year
from workflow.year.roll import confirm_excuse, participant, refuse_excuse

HERE, THERE = "D0101党支部", "D0201党支部"
OF_SCHOOL = "优秀党支部名单"
"""A sentence about a list, not about a level."""


@dataclass(frozen=True)
class Told:
    """A letter that must be written: kind, recipient, required words and forbidden words."""

    kind: str
    recipient: str
    branch: str | None
    link: str
    says: Sequence[str]
    silent: Sequence[str] = ()
    duties: Sequence[str] = ()
    written_on: date = TODAY


@dataclass(frozen=True)
class Case:
    """Events in both branches, and all letters of these kinds that follow from them."""

    happens: Callable[[Session, Process, Process], None]
    letters: Sequence[Told]


# ── reminders ─────────────────────────────────────────────────────────────────────────────────


def talks_here_and_study_there(session: Session, here: Process, there: Process) -> None:
    stand_at(session, here, Stage.TALKS)
    day = date(2024, 12, 30)
    extend(session, there, stage=Stage.STUDY, due_on=day, reason="支部换届", by="office", now=NOW)


def days_come_near(session: Session, here: Process, there: Process) -> None:
    talks_here_and_study_there(session, here, there)


def days_are_over(session: Session, here: Process, there: Process) -> None:
    talks_here_and_study_there(session, here, there)


NO_TALK = "没有谈心谈话记录"
ALL_HERE = (f"支部委员之间还有 3 对{NO_TALK}", f"还有 2 名党员{NO_TALK}", "书记尚未登记重点谈心（须写明缘由）")
OWN_HERE = (f"支部委员之间还有 2 对{NO_TALK}", f"还有 2 名党员{NO_TALK}")
ALL_THERE = ("尚未登记集中学习（须有参加人员和交流情况）", "还有 2 种必读文件没有组织学习", "还有 3 名党员没有学完必读文件，也没有补学")
LINK_HERE, LINK_THERE = "/2024/D0101", "/2024/D0201"
DAY_HERE, DAY_THERE = "2024年12月31日（星期二）", "2024年12月30日（星期一）"


def of_days(kind: str, here: str, there: str, written_on: date) -> Iterator[Told]:
    """Give the letters of 31 December here and 30 December there.

    ``here`` and ``there`` are the words for the time left.
    """
    for recipient, duties in (("张三", ALL_HERE), ("李四", OWN_HERE), ("钱七", OWN_HERE)):
        says, silent = ("“谈心谈话”", DAY_HERE, here), (DAY_THERE, there, "“集中学习”")
        yield Told(kind, recipient, HERE, LINK_HERE, says, silent, duties, written_on)
    says, silent = ("“集中学习”", DAY_THERE, there), (DAY_HERE, here, "“谈心谈话”")
    yield Told(kind, "赵六", THERE, LINK_THERE, says, silent, ALL_THERE, written_on)


def help_was_promised(session: Session, here: Process, there: Process) -> None:
    for process, talker, partner, days in (
        (here, "张三", "王五", (10, 10)),
        (there, "赵六", "吴十", (9,)),
    ):
        talk = a_talk(session, process, talker, partner)
        for day in days:
            body = {"due_on": date(2025, 1, day), "what": "联系工会帮助"}
            record_follow_up(session, process, talk, body, by=caller(session, talker), now=NOW)


def measures_are_under_way(session: Session, here: Process, there: Process) -> None:
    for _ in range(2):
        a_measure(session, here, owner="王五", due_on=date(2025, 6, 30), text="约谈缺席的同志")
    a_measure(session, there, owner="吴十", due_on=date(2025, 7, 1), text="约谈缺席的同志")


def measures_come_near(session: Session, here: Process, there: Process) -> None:
    measures_are_under_way(session, here, there)


def measures_are_over(session: Session, here: Process, there: Process) -> None:
    measures_are_under_way(session, here, there)


JUNE, JULY = "应于2025年6月30日（星期一）完成", "应于2025年7月1日（星期二）完成"


SOON, OVER = ("measure-due-0", "measure-due-1"), ("measure-overdue-8", "measure-overdue-1")


def of_measures(kinds: tuple[str, str], days: tuple[str, str], written_on: date) -> Iterator[Told]:
    secret = ("约谈", "缺席")
    says, silent = ("有2项", JUNE, days[0]), (*secret, "有1项", JULY, days[1])
    yield Told(kinds[0], "王五", HERE, LINK_HERE, says, silent, (), written_on)
    says, silent = ("有1项", JULY, days[1]), (*secret, "有2项", JUNE, days[0])
    yield Told(kinds[1], "吴十", THERE, LINK_THERE, says, silent, (), written_on)


def of_an_assessment(recipient: str, branch: str, code: str, other: str) -> Iterator[Told]:
    """Give the letter about a secretary's own duties in the assessment by the office's day."""
    says = ("党委考核支部", "述职与材料汇集", "2025年2月12日（星期三）", "还有1天", "需要您办理的事项")
    link, duties = f"/2024/assessments/{code}", ("书记还没有提交述职报告",)
    yield Told("due-1", recipient, branch, link, says, (other, "书面述职"), duties, date(2025, 2, 11))


def the_office_has_a_day(session: Session, here: Process, there: Process) -> None:
    cycle = cycle_by_year(session, 2024)
    days = {**dict.fromkeys(DEADLINES, date(2025, 6, 30)), Stage.COLLECTING: date(2025, 2, 12)}
    change_deadlines(session, cycle, days, seen=cycle.version, now=NOW)
    session.expire_all()


def a_week_begins(session: Session, here: Process, there: Process) -> None:
    stand_at(session, here, Stage.RATING)


# ── letters of an act ─────────────────────────────────────────────────────────────────────────


def both_are_returned(session: Session, here: Process, there: Process) -> None:
    for process, stage, day, reason in (
        (here, Stage.TALKS, date(2025, 2, 10), "谈话记录不完整"),
        (there, Stage.STUDY, date(2025, 2, 11), "没有签到"),
    ):
        stand_at(session, process, Stage.FILED)
        move(
            session,
            process,
            Trigger.RETURN,
            to=stage,
            by=caller(session, "office"),
            now=NOW,
            seen=process.version,
            reason=reason,
            due_on=day,
            base_url=BASE,
        )


def one_reason_is_agreed_to_and_one_is_not(session: Session, here: Process, there: Process) -> None:
    body = {"requirement": "members_nobody_talked_with", "reason": "出国", "subjects": ["w5"]}
    agreed = waive(session, here, body, by="z3", now=NOW)
    tell_decided(session, here, agreed, now=NOW, base_url=BASE)
    body = {"requirement": "members_who_have_not_studied", "reason": "病休"}
    refused = waive(session, there, body, by="z6", now=NOW)
    reject(refused, by="office", now=NOW, reason="可以补学")
    tell_decided(session, there, refused, now=NOW, base_url=BASE)


def both_are_accepted(session: Session, here: Process, there: Process) -> None:
    for process in (here, there):
        stand_at(session, process, Stage.FILED)
        move(session, process, Trigger.ACCEPT, by=caller(session, "office"), now=NOW, seen=process.version, base_url=BASE)


def _decided(session: Session, here: Process, there: Process, *, confirmed: bool) -> None:
    for process, staff_no in ((here, "w5"), (there, "w10")):
        row = participant(session, process.id, staff_no)
        row.excused_reason = "长期病休"
        if confirmed:
            confirm_excuse(session, process, row, by=caller(session, "office"))
        else:
            refuse_excuse(session, process, row, reason="请补充证明", by=caller(session, "office"))
        tell_excuse_decided(session, process, row, now=NOW, base_url=BASE)


def an_excuse_is_confirmed(session: Session, here: Process, there: Process) -> None:
    _decided(session, here, there, confirmed=True)


def an_excuse_is_refused(session: Session, here: Process, there: Process) -> None:
    _decided(session, here, there, confirmed=False)


def a_year_is_published(session: Session, here: Process, there: Process) -> None:
    tell_year_published(session, here.cycle, now=NOW, base_url=BASE)


def the_plan_is_added_to(session: Session, here: Process, there: Process) -> None:
    an_amendment(session, here.cycle)


def an_amendment(session: Session, cycle: Cycle) -> None:
    adds = Additions(["新条例"], {Stage.STUDY: date(2024, 12, 27)}, {})
    named: dict[str, Any] = {"number": "党委〔2024〕8号", "issued_on": TODAY, "reason": "上级新印发一个文件"}
    row = amend_plan(session, cycle, adds, **named, by="office", now=NOW)
    tell_year_amended(session, row, now=NOW, base_url=BASE)


DECISION = {
    "held_on": date(2024, 12, 18),
    "number": "党委会〔2024〕12号",
    "attendees": ["committee", "auditor"],
    "due": 3,
    "results": {"D0101": {"result": "excellent"}, "D0201": {"result": "qualified"}},
}


def a_decision_is_entered(session: Session, here: Process, there: Process) -> None:
    for code in ("D0101", "D0201"):
        stand_at(session, an_assessment(session, code), Stage.PROPOSED)
    cycle = cycle_by_year(session, 2024)
    enter(session, cycle, DECISION, by=caller(session, "office"), now=NOW, base_url=BASE)


def a_decision_is_published(session: Session, here: Process, there: Process) -> None:
    for code in ("D0101", "D0201"):
        stand_at(session, an_assessment(session, code), Stage.PROPOSED)
    cycle, office = cycle_by_year(session, 2024), caller(session, "office")
    decision = enter(session, cycle, DECISION, by=office, now=NOW, base_url=BASE)
    make_final(session, cycle, decision, by=caller(session, "committee"), now=NOW)
    publish_decision(session, cycle, by=office, now=NOW, base_url=BASE)


DESK = Desk(now=NOW, base_url=BASE, hours=48)


def one_is_invited_and_one_forgot(session: Session, here: Process, there: Process) -> None:
    invite(session, STAFF_NO["王五"], desk=DESK)
    forget_password(session, STAFF_NO["吴十"], desk=DESK)


def to_both(kind: str, *says: str) -> Iterator[Told]:
    yield Told(kind, "张三", HERE, LINK_HERE, says)
    yield Told(kind, "赵六", THERE, LINK_THERE, says)


CASES = (
    Case(days_come_near, tuple(of_days("due-7", "还有7天", "还有6天", date(2024, 12, 24)))),
    Case(days_are_over, tuple(of_days("overdue-1", "已逾期2天", "已逾期3天", date(2025, 1, 2)))),
    Case(
        help_was_promised,
        (
            Told(
                "follow-up-1",
                "张三",
                HERE,
                LINK_HERE,
                ("有2项", "2025年1月10日（星期五）", "还有1天"),
                ("联系工会", "2025年1月9日（星期四）完成", "就在今天"),
                written_on=date(2025, 1, 9),
            ),
            Told(
                "follow-up-0",
                "赵六",
                THERE,
                LINK_THERE,
                ("有1项", "2025年1月9日（星期四）完成", "就在今天"),
                ("联系工会", "2025年1月10日", "还有1天"),
                written_on=date(2025, 1, 9),
            ),
        ),
    ),
    Case(measures_come_near, tuple(of_measures(SOON, ("就在今天", "还有1天"), date(2025, 6, 30)))),
    Case(measures_are_over, tuple(of_measures(OVER, ("已逾期8天", "已逾期7天"), date(2025, 7, 8)))),
    Case(
        the_office_has_a_day,
        (
            Told(
                "due-1",
                "党委办公室",
                None,
                "/2024/assessments",
                ("党委考核支部", "2025年2月12日（星期三）", "还有1天", "述职与材料汇集：2个"),
                duties=("还没有确定现场述职或者书面述职（2个党支部）",),
                written_on=date(2025, 2, 11),
            ),
            *of_an_assessment("张三", HERE, "D0101", THERE),
            *of_an_assessment("赵六", THERE, "D0201", HERE),
        ),
    ),
    Case(
        a_week_begins,
        (
            Told(
                "digest",
                "党委办公室",
                None,
                "/2024/",
                ("2024年度民主评议", "全校2个党支部", "集中学习：1个", "评定：1个", "已逾期：1个"),
                written_on=date(2025, 1, 6),
            ),
        ),
    ),
    Case(
        both_are_returned,
        (
            Told(
                "returned",
                "张三",
                HERE,
                LINK_HERE,
                ("《情况表》及有关材料退回修改", "“谈心谈话”", "2025年2月10日（星期一）", "退回理由：谈话记录不完整"),
                ("没有签到", "2025年2月11日"),
            ),
            Told(
                "returned",
                "赵六",
                THERE,
                LINK_THERE,
                ("《情况表》及有关材料退回修改", "“集中学习”", "2025年2月11日（星期二）", "退回理由：没有签到"),
                ("谈话记录", "2025年2月10日"),
            ),
        ),
    ),
    Case(
        one_reason_is_agreed_to_and_one_is_not,
        (
            Told("waiver-approved", "张三", HERE, LINK_HERE, ("普遍进行一次", "已同意"), ("出国", "未予同意", "思想基础")),
            Told(
                "waiver-rejected",
                "赵六",
                THERE,
                LINK_THERE,
                ("思想基础。", "未予同意", "理由：可以补学"),
                ("病休", "已同意", "普遍进行一次"),
            ),
        ),
    ),
    Case(
        a_decision_is_entered,
        (
            Told(
                "decision-entered",
                "学校党委",
                None,
                "/2024/assessments",
                ("2024年12月18日（星期三）", "“党委会〔2024〕12号”", "2024年度党支部考核"),
            ),
        ),
    ),
    Case(
        a_decision_is_published,
        (
            Told("published", "张三", HERE, "/2024/assessments/D0101", ("2024年度", OF_SCHOOL)),
            Told("published", "赵六", THERE, "/2024/assessments/D0201", ("2024年度", OF_SCHOOL)),
        ),
    ),
    Case(both_are_accepted, tuple(to_both("accepted", "已接收"))),
    Case(an_excuse_is_confirmed, tuple(to_both("excuse-confirmed", "1名党员"))),
    Case(an_excuse_is_refused, tuple(to_both("excuse-refused", "为什么退回"))),
    Case(the_plan_is_added_to, tuple(to_both("year-amended", "党委〔2024〕8号", "《新条例》", "集中学习：2024年12月27日（星期五）"))),
    Case(a_year_is_published, tuple(to_both("year-published", "工作方案", "集中学习：2024年12月25日（星期三）", "报送：2025年1月26日（星期日）"))),
    Case(
        one_is_invited_and_one_forgot,
        (
            Told("invitation", "王五", None, "/invitations/", ("学工号为 w5", "2024年12月22日（星期日）10:00")),
            Told("password", "吴十", None, "/invitations/", ("学工号 w10", "2024年12月22日（星期日）10:00")),
        ),
    ),
)
