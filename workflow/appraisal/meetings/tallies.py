"""计票 (tallies): the result of a ballot on paper, and how much of it each reader sees.

The plan: 党员对支部委员会的工作、作风等进行评议。……支部委员会会议或者党员大会根据民主测评情况……提出
评定意见。

The first teller's entry is theirs alone until a second teller enters the same numbers
(``tellers``). The tally informs and never decides. With few raters the branch sees bands: a reader
who knows all marks but one would know the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from marshmallow import fields
from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, PrimaryKeyConstraint, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from workflow.foundation.database import Base, Numbered, notes, word
from workflow.foundation.fields import ByName, Moment, StaffNo, Truth, Whole, about, one_of
from workflow.foundation.history import tracked
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import ABSTAIN, Level, Mark, Role, Standing, TallySubject, Word
from workflow.people.access import Action, Caller
from workflow.rules.evidence import STANDING, Evidence
from workflow.rules.records import RecordSchema
from workflow.year.cycle import Participant, Process

NUMBERS = ("issued", "returned", "valid", "void")
LEVELS = (*(level.value for level in Level), ABSTAIN)
MARKS = (*(mark.value for mark in Mark), ABSTAIN)
MOST_COUNTED = 500
"""The most members on one ballot."""


class CommitteeItem(Word):
    """The sides of the committee that are marked (评议项目)."""

    WORK = "work", "工作"
    STYLE = "style", "作风"
    OVERALL = "overall", "总体评价"


# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


# Figures are for the readers of a tally: the history tells who entered and corrected it, never
# the numbers.
@tracked(hidden=(*NUMBERS, "comments"))
class Tally(Evidence, Base):
    """The result of one ballot (计票单). ``recorded_by`` is the first teller."""

    __tablename__ = "tally"
    __table_args__ = (
        CheckConstraint("issued >= returned and returned = valid + void and least(issued, returned, valid, void) >= 0", name="balance"),
        CheckConstraint("(counted_at is null) = (counted_by is null) and counted_by <> recorded_by", name="two_tellers"),
        Index("uq_tally_standing", "process_id", "subject", unique=True, postgresql_where=STANDING),
    )

    subject: Mapped[TallySubject] = mapped_column(word(TallySubject, name="subject"), info=notes("T0"))
    """The subject: the committee and its members are never mixed (T0)."""
    issued: Mapped[int]
    returned: Mapped[int]
    valid: Mapped[int]
    void: Mapped[int]
    comments: Mapped[list[str]]
    """主要意见建议 on the committee, as both tellers wrote them down."""
    counted_by: Mapped[str | None]
    """The second teller."""
    counted_at: Mapped[datetime | None]

    of_members: Mapped[list[TallyOfMember]] = relationship(lazy="selectin", order_by="TallyOfMember.staff_no", cascade="all, delete-orphan")
    of_items: Mapped[list[TallyOfItem]] = relationship(lazy="selectin", order_by="TallyOfItem.item", cascade="all, delete-orphan")

    @property
    def figures(self) -> dict[str, dict[str, int]]:
        """The levels by member (学工号), or the marks by item, with the abstentions."""
        of_members = {each.staff_no: {name: getattr(each, name) for name in LEVELS} for each in self.of_members}
        return of_members or {each.item.value: {name: getattr(each, name) for name in MARKS} for each in self.of_items}

    @property
    def tellers(self) -> list[str]:
        return [self.recorded_by, *([self.counted_by] if self.counted_by else [])]


@tracked(hidden=LEVELS)
class TallyOfMember(Base):
    """The votes on one member (票数). Their own row is an abstention."""

    __tablename__ = "tally_of_member"
    __table_args__ = (PrimaryKeyConstraint("tally_id", "staff_no"), Index("ix_tally_of_member_staff", "process_id", "staff_no"))

    tally_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tally.id"))
    staff_no: Mapped[str] = mapped_column(ForeignKey("person.staff_no", onupdate="CASCADE"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    excellent: Mapped[int]
    qualified: Mapped[int]
    basic: Mapped[int]
    unqualified: Mapped[int]
    abstain: Mapped[int]


@tracked(hidden=MARKS)
class TallyOfItem(Base):
    """The marks for one side of the committee (工作、作风、总体评价)."""

    __tablename__ = "tally_of_item"
    __table_args__ = (PrimaryKeyConstraint("tally_id", "item"),)

    tally_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tally.id"))
    item: Mapped[CommitteeItem] = mapped_column(word(CommitteeItem, name="item"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    good: Mapped[int]
    fairly_good: Mapped[int]
    fair: Mapped[int]
    poor: Mapped[int]
    abstain: Mapped[int]


@tracked(hidden=("entry",))
class DifferingEntry(Numbered, Base):
    """A second entry that differed from the first (票数不一致): by whom and when, not what it said.

    It stands against one version of the first: a corrected first is compared anew.
    """

    __tablename__ = "differing_entry"
    __table_args__ = (UniqueConstraint("tally_id", "version", "entered_by", "entry", name="uq_differing_entry_once"),)

    tally_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tally.id"))
    process_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("process.id"))
    version: Mapped[int]
    entered_by: Mapped[str]
    entered_at: Mapped[datetime]
    entry: Mapped[str]
    """SHA-256 of its numbers: the same sent again, after a lost connection, is no second one."""


MOST_DIFFERING = 2
"""After so many second entries that differ from it, a first one must be entered anew."""


def must_be_entered_anew() -> ColumnElement[bool]:
    """Ask whether too many entries differed from a tally, as it stands now."""
    of_version = (DifferingEntry.tally_id == Tally.id, DifferingEntry.version == Tally.version)
    return select(func.count()).where(*of_version).correlate(Tally).scalar_subquery() >= MOST_DIFFERING


personal(
    Tally,
    Area.APPRAISAL,
    "计票单",
    Data("comments 对支委会的意见建议", "民主测评的结果（M3）", Action.READ_TALLIES),
    of="计票人，支委会",
    other="subject issued returned valid void",
)
personal(
    TallyOfMember,
    Area.APPRAISAL,
    "测评票数",
    Data(
        "staff_no 何人, excellent 优秀票数, qualified 合格票数, basic 基本合格票数, unqualified 不合格票数, abstain 弃权",
        "民主测评的结果（D2）；无记名，不记谁投了什么",
        Action.READ_TALLIES,
    ),
    of="被测评的党员",
)
personal(TallyOfItem, Area.APPRAISAL, "对支委会的票数", other="item good fairly_good fair poor abstain")
personal(
    DifferingEntry,
    Area.APPRAISAL,
    "不一致的录入",
    Data("entered_by 第二名计票人, entered_at 录入时间", "两次不一致的须重新录入（M3、D2）；不留录入的票数", Action.READ_PROCESS),
    of="计票人",
    other="version entry",
)


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class TallySchema(RecordSchema):
    """A teller's entry (计票单), as far as this reader may know it."""

    subject = one_of(TallySubject, required=True, **about("评议对象", "subject", "评议支部委员会还是党员", "who was marked", example="committee"))
    issued = Whole(required=True, **about("发出", "issued", "发出的测评票数", "ballots issued", example=12))
    returned = Whole(required=True, **about("收回", "returned", "收回的测评票数，不多于发出", "ballots returned, at most those issued", example=12))
    valid = Whole(required=True, **about("有效", "valid", "有效票数", "valid ballots", example=12))
    void = Whole(
        required=True, **about("无效", "void", "无效票数，与有效票合计为收回票数", "void ballots, with the valid ones those returned", example=0)
    )
    counts = ByName(
        at_most=MOST_COUNTED,
        keys=fields.String(),
        required=True,
        **about(
            "票数",
            "votes",
            "支委会填工作、作风、总体评价各栏的票数和意见建议，党员按学工号填各等次的票数",
            "of the committee marks by side and comments, of members levels by staff number",
            example={item.value: {"good": 12} for item in CommitteeItem},
        ),
    )
    """The votes.

    - For ``committee``: ``work``, ``style``, ``overall`` → mark → votes, and ``comments``.
    - For ``members``: 学工号 → level → votes.
    """
    bands = Truth(dump_only=True, **about("是否只有区间", "bands"))
    """True if ``counts`` holds bands."""
    tellers = fields.List(StaffNo(), dump_only=True, **about("计票人", "tellers", always=True))
    counted_at = Moment(dump_only=True, **about("计票时间", "counted at"))
    enter_anew = Truth(dump_only=True, **about("是否须重新录入", "to be entered anew"))
    """True after two second entries that differed, until its teller enters it anew."""


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


BANDS = ("三分之二以上", "过半数", "未过半数")


def band(votes: int, valid: int) -> str:
    """Name the band of some votes, for readers who must not see numbers."""
    return BANDS[0] if valid and votes * 3 >= valid * 2 else BANDS[1] if votes * 2 > valid else BANDS[2]


def banded(votes: Mapping[str, int], valid: int) -> dict[str, str]:
    """Turn votes into bands."""
    return {name: band(count, valid) for name, count in votes.items()}


def sees_counts(reader: Caller, process: Process, valid: int) -> bool:
    """Tell whether a reader sees how many votes each got.

    Below ten raters (setting) the branch sees bands.
    """
    few = valid < process.cycle.plan["rules"]["settings"]["bands_below"]
    return not few or bool(reader.roles_in(process.branch.code) & {Role.OFFICE, Role.COMMITTEE, Role.AUDITOR})


def members_on_ballot(rows: Iterable[Participant]) -> dict[str, Participant]:
    """List the members on the ballot: full members, rated here and not excused.

    Probationary members are on no ballot.
    """
    return {
        row.staff_no: row
        for row in rows
        if row.standing is Standing.FULL and row.left_on is None and row.rated_here and row.excused_confirmed_by is None
    }
