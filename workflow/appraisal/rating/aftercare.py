"""教育帮扶与组织处置 (aftercare): the care for a member who is rated 基本合格 or 不合格.

The plan: 对评定为“基本合格”的党员，要进行教育帮扶。对评定为“不合格”的党员，要按规定程序作出相应组织
处置……不合格党员。逃避推脱组织安排的任务，思想和行为与学校各项规章制度相违背，与《党章》要求有一定差
距，经教育仍自行其是。

Records: a help plan with its reviews; a disposition case with the signs of A7, their facts, and the
steps that the rules want in order. Here are the tables, which the form and the archive read too;
``aftercare_help.py`` and ``aftercare_procedure.py`` say who may write them and how.
"""

from __future__ import annotations

from datetime import date, datetime
from itertools import takewhile

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from workflow.appraisal.meetings.meetings import Vote
from workflow.foundation.database import Base, Numbered, word
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import Word
from workflow.people.access import Action
from workflow.rules.evidence import STANDING, OfMember


class Step(Word):
    """The steps of a disposition, in the order of the rules (处置程序)."""

    PROPOSAL = "proposal", "提出处置建议"
    SUPERIOR_FILING = "superior_filing", "报上级党组织预审"
    INVESTIGATION = "investigation", "调查核实"
    TALK = "talk", "两名正式党员同本人谈话"
    GENERAL_MEETING = "general_meeting", "党员大会讨论决定"
    APPROVAL = "approval", "上级批准"
    TOLD = "told", "告知本人"


class Disposition(Word):
    """The measures that the rules know (组织处置). People choose one; the software never does."""

    CORRECTION = "correction", "限期改正"
    PERSUASION = "persuasion", "劝其退党"
    REMOVAL = "removal", "除名"


DECIDING = (Step.APPROVAL, Step.GENERAL_MEETING)
"""The steps that choose a measure; what the superior approves goes before the meeting's choice."""


class Ending:
    """The end of a care that goes on after the year (结束): its day and its result."""

    ended_on: Mapped[date | None] = mapped_column(sort_order=100)
    result: Mapped[str | None] = mapped_column(sort_order=101)


# ── help ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked()
class HelpPlan(Ending, OfMember, Base):
    """A plan of help for a member: helper, first step, day of review (教育帮扶)."""

    __tablename__ = "help_plan"
    __table_args__ = (
        CheckConstraint("helper <> staff_no", name="two_people"),
        Index("uq_help_plan_standing", "process_id", "staff_no", unique=True, postgresql_where=STANDING),
        Index("ix_help_plan_review_on", "review_on", postgresql_where=f"{STANDING} and ended_on is null"),
    )

    helper: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    first_step: Mapped[str | None]
    review_on: Mapped[date | None]
    """The day of the next review, until the help is ended."""

    reviews: Mapped[list[HelpPlanReview]] = relationship(lazy="selectin", order_by="HelpPlanReview.id")


@tracked()
class HelpPlanReview(Numbered, Base):
    """A review of the help, on a day (帮扶回访)."""

    __tablename__ = "help_plan_review"

    plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("help_plan.id"), index=True)
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    reviewed_on: Mapped[date]
    note: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    next_on: Mapped[date | None] = mapped_column(sort_order=100)
    """The day that the review set for the next one."""


# ── disposition ───────────────────────────────────────────────────────────────────────────────────────────────────────


@tracked()
class DispositionCase(Ending, OfMember, Base):
    """A proposal to the superior for an unqualified member (组织处置)."""

    __tablename__ = "disposition_case"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(signs) = 'array'", name="signs"),
        Index("uq_disposition_case_standing", "process_id", "staff_no", unique=True, postgresql_where=STANDING),
    )

    signs: Mapped[list[int]] = mapped_column(JSONB)
    """The signs of A7 that the member shows, counted from 1 as the plan lists them."""
    facts: Mapped[str | None]
    proposed_on: Mapped[date]
    responsible: Mapped[str | None] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"), sort_order=102)
    """责任人 of the form, the secretary unless another is named."""

    steps: Mapped[list[DispositionStep]] = relationship(lazy="selectin", order_by="DispositionStep.id")

    @property
    def taken(self) -> dict[Step, DispositionStep]:
        """The steps that were taken and stand.

        The case with its signs and facts is the proposal itself, unless a step tells more of it.
        """
        written = {each.step: each for each in self.steps if each.withdrawn_at is None}
        if self.signs and self.facts and Step.PROPOSAL not in written:
            written[Step.PROPOSAL] = DispositionStep(
                step=Step.PROPOSAL, taken_on=self.proposed_on, recorded_by=self.recorded_by, recorded_at=self.recorded_at
            )
        return written

    @property
    def procedure(self) -> list[DispositionStep]:
        """Every step in the order of the rules; one not taken yet has no day."""
        taken = self.taken
        return [taken.get(step) or DispositionStep(step=step) for step in Step]

    def lacking_before(self, step: Step) -> list[Step]:
        """List the steps between this one and the last that was taken before it, in their order."""
        taken, before = self.taken, list(Step)[: list(Step).index(step)]
        return list(takewhile(lambda each: each not in taken, reversed(before)))[::-1]

    @property
    def decided(self) -> DispositionStep | None:
        """The step whose measure stands: the superior's approval, or else the meeting's choice."""
        taken = self.taken
        return next((taken[step] for step in DECIDING if step in taken and taken[step].measure is not None), None)


@tracked()
class DispositionStep(Numbered, Base):
    """One step that was taken, once unless it was withdrawn (处置步骤)."""

    __tablename__ = "disposition_step"
    __table_args__ = (
        Index("uq_disposition_step_standing", "case_id", "step", unique=True, postgresql_where="withdrawn_at is null"),
        CheckConstraint("num_nulls(vote_yes, vote_no, vote_abstain) in (0, 3)", name="vote_whole"),
        CheckConstraint("until is null or (measure = 'correction' and until > taken_on)", name="term"),
        CheckConstraint("talkers is null or jsonb_typeof(talkers) = 'array'", name="talkers"),
        CheckConstraint("num_nulls(withdrawn_by, withdrawn_at, withdrawn_reason) in (0, 3)", name="withdrawn"),
    )

    case_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("disposition_case.id"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    step: Mapped[Step] = mapped_column(word(Step))
    taken_on: Mapped[date]
    note: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    talkers: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True), sort_order=100)
    """谈话人: the members who talked with the person, by their 学工号."""
    vote_yes: Mapped[int | None] = mapped_column(sort_order=101)
    vote_no: Mapped[int | None] = mapped_column(sort_order=102)
    vote_abstain: Mapped[int | None] = mapped_column(sort_order=103)
    statement: Mapped[str | None] = mapped_column(sort_order=104)
    """本人申辩: the person's statement at the general meeting."""
    number: Mapped[str | None] = mapped_column(sort_order=105)
    """文号 of the superior's answer."""
    measure: Mapped[Disposition | None] = mapped_column(word(Disposition, name="measure"), sort_order=106)
    until: Mapped[date | None] = mapped_column(sort_order=107)
    """The last day of a 限期改正."""
    why_without: Mapped[str | None] = mapped_column(sort_order=108)
    """The reason why it was taken without the step before it."""
    withdrawn_by: Mapped[str | None] = mapped_column(sort_order=109)
    withdrawn_at: Mapped[datetime | None] = mapped_column(sort_order=110)
    withdrawn_reason: Mapped[str | None] = mapped_column(sort_order=111)

    @property
    def vote(self) -> Vote | None:
        """The vote of the general meeting."""
        if self.vote_yes is None or self.vote_no is None or self.vote_abstain is None:
            return None
        return Vote(self.vote_yes, self.vote_no, self.vote_abstain)


personal(
    HelpPlan,
    Area.APPRAISAL,
    "教育帮扶",
    Data(
        "staff_no 帮扶谁, helper 帮扶人, first_step 第一步, review_on 回访日期, ended_on 结束日期, result 结果",
        "教育帮扶（D7）",
        Action.READ_PROCESS,
    ),
    of="基本合格的党员，帮扶人",
)
personal(
    HelpPlanReview,
    Area.APPRAISAL,
    "帮扶回访",
    Data("reviewed_on 回访日期, note 情况, next_on 下次回访日期", "教育帮扶（D7）", Action.READ_PROCESS),
    of="受帮扶的党员",
)
personal(
    DispositionCase,
    Area.APPRAISAL,
    "组织处置",
    Data(
        "staff_no 何人, signs 哪几条表现, facts 事实, proposed_on 提出日期, responsible 责任人, ended_on 办结日期, result 结果",
        "按程序作出组织处置（A7、D8）",
        Action.READ_PROCESS,
    ),
    of="不合格的党员，责任人",
)
personal(
    DispositionStep,
    Area.APPRAISAL,
    "处置步骤",
    Data(
        "step 步骤, taken_on 日期, note 情况, talkers 谈话人, statement 本人申辩, number 文号, measure 处置措施, until 改正期限, "
        "why_without 缺前一步的原因",
        "按程序作出组织处置（D8）",
        Action.READ_PROCESS,
    ),
    of="不合格的党员，谈话人",
    other="vote_yes vote_no vote_abstain",
)
