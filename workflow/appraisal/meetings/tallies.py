"""计票 (tallies): what a ballot on paper came to, entered by two tellers.

The plan: 党员对支部委员会的工作、作风等进行评议。……支部委员会会议或者党员大会根据民主测评情况……提出评定意见。

The first teller's entry is his alone until a second teller enters the same numbers: then it is counted. Different numbers are refused with both
shown. The tally informs and never decides. With few raters the branch sees bands, since whoever knows all marks but one knows the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from marshmallow import fields
from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, PrimaryKeyConstraint, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from workflow.foundation.database import Base, act_as, notes, word
from workflow.foundation.errors import Conflict, Exists, Forbidden, Invalid, Words
from workflow.foundation.fields import Body, ByName, Inner, LongText, StaffNo, Whole, length, load, one_of
from workflow.foundation.history import track
from workflow.foundation.personal import Area, Data, personal
from workflow.foundation.vocabulary import ABSTAIN, Level, Mark, Post, Role, Stage, Standing, TallySubject, Word
from workflow.people.access import Action, Caller
from workflow.rules.evidence import Evidence, amendable, must_be_open
from workflow.year.cycle import Participant, Process, participants, roll

NUMBERS = ("issued", "returned", "valid", "void")
LEVELS = (*(level.value for level in Level), ABSTAIN)
MARKS = (*(mark.value for mark in Mark), ABSTAIN)


class CommitteeItem(Word):
    """What of the committee is marked (评议项目)."""

    WORK = "work", "工作"
    STYLE = "style", "作风"
    OVERALL = "overall", "总体评价"


# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Tally(Evidence, Base):
    """What one ballot came to (计票单). ``recorded_by`` is the first teller."""

    __tablename__ = "tally"
    __table_args__ = (
        CheckConstraint("issued >= returned and returned = valid + void and least(issued, returned, valid, void) >= 0", name="balance"),
        CheckConstraint("(counted_at is null) = (counted_by is null) and counted_by <> recorded_by", name="two_tellers"),
        Index("uq_tally_standing", "process_id", "subject", unique=True, postgresql_where="withdrawn_at is null and rejected_at is null"),
    )

    subject: Mapped[TallySubject] = mapped_column(word(TallySubject, name="subject"), info=notes("T0"))
    """The committee and its members are never mixed."""
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
        """Per member (学工号) the levels, or per item the marks, with the abstentions."""
        of_members = {each.staff_no: {name: getattr(each, name) for name in LEVELS} for each in self.of_members}
        return of_members or {each.item.value: {name: getattr(each, name) for name in MARKS} for each in self.of_items}


class TallyOfMember(Base):
    """The votes on one member (票数). His own row is an abstention."""

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


# Figures are for the readers of a tally: the history tells who entered and corrected, never the numbers.
track(Tally.__table__, hidden=(*NUMBERS, "comments"))  # type: ignore[arg-type]
track(TallyOfMember.__table__, hidden=LEVELS)  # type: ignore[arg-type]
track(TallyOfItem.__table__, hidden=MARKS)  # type: ignore[arg-type]
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


# ── what a valid record is ────────────────────────────────────────────────────────────────────────────────────────────


class Comments(fields.List[Any]):
    """Opinions and advice: a list of texts, or one text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(LongText(at_most=2000), validate=length(0, 500), metadata={"maxItems": 500}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        return super()._deserialize([value] if isinstance(value, str) else value, attr, data, **kwargs)


class TallyBody(Body):
    """A teller's entry as it is sent."""

    subject = one_of(TallySubject, required=True)
    issued = Whole(required=True)
    returned = Whole(required=True)
    valid = Whole(required=True)
    void = Whole(required=True)
    counts = fields.Dict(keys=fields.String(), required=True)
    """Of ``committee``: ``work``, ``style``, ``overall`` → mark → votes, and ``comments``. Of ``members``: 学工号 → level → votes."""


_Levels: type[Body] = Body.from_dict({name: Whole(load_default=0) for name in LEVELS}, name="LevelCounts")  # type: ignore[assignment]
_Marks: type[Body] = Body.from_dict({name: Whole(load_default=0) for name in MARKS}, name="MarkCounts")  # type: ignore[assignment]


class CommitteeCounts(Body):
    """The marks for the committee."""

    work = Inner(_Marks, required=True)
    style = Inner(_Marks, required=True)
    overall = Inner(_Marks, required=True)
    comments = Comments(load_default=list)


class MemberCounts(Body):
    """The votes on each member."""

    counts = ByName(keys=StaffNo(), values=Inner(_Levels), required=True)


class TallyMismatch(Conflict):
    """The second teller's numbers are not the first's: both are shown, and the second entry is not kept."""

    slug = "tally-mismatch"
    title = Words("两名计票人录入的票数不一致，请核对选票", "the two tellers' numbers differ")


class Entry:
    """One teller's entry, read and found to balance."""

    def __init__(self, subject: TallySubject, body: Mapping[str, Any]) -> None:
        """Raises Invalid for figures that are not of this subject."""
        self.subject = subject
        self.numbers: dict[str, int] = {name: body[name] for name in NUMBERS}
        if subject is TallySubject.COMMITTEE:
            read = load(CommitteeCounts(), body["counts"], "counts")
            self.comments: list[str] = read.pop("comments")
            self.figures: dict[str, dict[str, int]] = read
        else:
            self.comments = []
            self.figures = load(MemberCounts(), {"counts": body["counts"]})["counts"]

    def faults(self) -> dict[str, Words]:
        """What does not balance."""
        issued, returned, valid, void = (self.numbers[name] for name in NUMBERS)
        clause = "M3" if self.subject is TallySubject.COMMITTEE else "D2"
        errors: dict[str, Words] = {}
        if returned > issued:
            errors["returned"] = Words(
                f"收回 {returned} 张，多于发出 {issued} 张：本次测评无效，应重新测评（{clause}）",
                f"{returned} returned of {issued} issued: the ballot is void ({clause})",
            )
        if valid == 0:
            errors["valid"] = Words(f"没有一张有效票，不成为测评（{clause}）", f"no valid ballot at all ({clause})")
        if returned != valid + void:
            errors["valid"] = Words(
                f"有效 {valid} 张加无效 {void} 张，应等于收回 {returned} 张（{clause}）",
                f"{valid} valid and {void} void must make the {returned} returned ({clause})",
            )
        for name, votes in self.figures.items():
            if (given := sum(votes.values())) != valid:
                errors[f"counts.{name}"] = Words(
                    f"各栏与弃权合计 {given} 票，应等于有效票 {valid} 张（{clause}）", f"{given} votes, not the {valid} valid ones ({clause})"
                )
        return errors

    def as_sent(self) -> dict[str, Any]:
        return {**self.numbers, "counts": self.figures}


# ── who reads what ────────────────────────────────────────────────────────────────────────────────────────────────────


def visible_tallies(reader: Caller, branch_code: str) -> ColumnElement[bool]:
    """Which tallies this reader knows of: a plain member those he entered, a first entry its teller alone.

    The office knows that there is one, without its numbers: when a teller is gone it can be rejected.
    """
    own = or_(Tally.recorded_by == reader.staff_no, Tally.counted_by == reader.staff_no)
    if Role.OFFICE in reader.roles_in(branch_code):
        return Tally.id.is_not(None)
    return own if reader.plain_member(branch_code) else or_(own, Tally.counted_at.is_not(None))


BANDS = ("三分之二以上", "过半数", "未过半数")


def band(votes: int, valid: int) -> str:
    """About how many of the valid ballots, for those who must not see how many."""
    return BANDS[0] if valid and votes * 3 >= valid * 2 else BANDS[1] if votes * 2 > valid else BANDS[2]


def sees_counts(reader: Caller, process: Process, valid: int) -> bool:
    """Whether this reader sees how many votes each got. Below ten raters (setting) the branch sees bands."""
    few = valid < process.cycle.plan["rules"]["settings"]["bands_below"]
    return not few or bool(reader.roles_in(process.branch.code) & {Role.OFFICE, Role.COMMITTEE, Role.AUDITOR})


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def enter_tally(session: Session, process: Process, body: Mapping[str, Any], *, by: Caller, now: datetime) -> Tally:
    """A teller's entry: the first waits, an equal second counts it. Raises Invalid, Forbidden, StageClosed, Exists, TallyMismatch."""
    _must_be_teller(session, process, by)  # first: what a wrong entry is told names who is on the ballot
    entry = _read(session, process, body["subject"], body)
    must_be_open(process, Stage.SELF_REVIEW)
    act_as(session, actor=by.staff_no)  # nobody counts in another's name, whomever he stands in for
    first = {"process_id": process.id, "subject": entry.subject, **entry.numbers, "comments": entry.comments, "recorded_by": by.staff_no}
    added = session.scalar(insert(Tally).values(**first, recorded_at=now, version=1).on_conflict_do_nothing().returning(Tally.id))
    if added is not None:
        row = session.get_one(Tally, added)
        _fill(process, row, entry)
        session.flush()
        return row
    return _second(session, process, entry, by=by, now=now)


def _second(session: Session, process: Process, entry: Entry, *, by: Caller, now: datetime) -> Tally:
    standing = select(Tally).where(Tally.process_id == process.id, Tally.subject == entry.subject, Tally.counts)
    row = session.scalars(standing.with_for_update(of=Tally).execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise Conflict(Words("这份计票刚刚被撤回，请重新录入", "this tally was just taken back; please enter it again"))
    if row.counted_at is not None:
        raise Exists(Words("已经计票；如有差错，请先撤回", "it is counted already; withdraw it first"))
    if row.recorded_by == by.staff_no:
        raise Exists(Words("您已经录入，等待另一名计票人录入", "you have entered it; another teller is awaited"))
    kept = Entry(row.subject, {**{name: getattr(row, name) for name in NUMBERS}, "counts": row.figures})
    if (kept.numbers, kept.figures) != (entry.numbers, entry.figures):
        raise TallyMismatch(id=row.id, first=kept.as_sent(), second=entry.as_sent())
    row.comments = list(dict.fromkeys((*row.comments, *entry.comments)))
    row.counted_by, row.counted_at = by.staff_no, now
    row.version += 1
    session.flush()
    return row


def amend_tally(session: Session, process: Process, row: Tally, body: Mapping[str, Any], *, seen: int, by: Caller, now: datetime) -> None:
    """The first teller corrects his entry while it waits. Raises Invalid, Forbidden, Stale, Conflict, StageClosed."""
    kept = {**{name: getattr(row, name) for name in NUMBERS}, "counts": {**row.figures, **_commented(row)}}
    if body.get("subject", row.subject) is not row.subject:
        raise Invalid({"subject": Words("录错对象的，请撤回后重新录入", "withdraw it and enter another")})
    entry = _read(session, process, row.subject, {**kept, **body})
    if row.recorded_by != by.staff_no:
        raise Forbidden(Words("由录入的计票人本人更正", "its teller corrects it"))
    amendable(session, row, seen=seen)
    if row.counted_at is not None:
        raise Conflict(Words("已经计票，不能更正；如有差错，请撤回后重新录入", "it is counted; withdraw it and enter it again"))
    must_be_open(process, Stage.SELF_REVIEW)
    act_as(session, actor=by.staff_no)
    for name, value in entry.numbers.items():
        setattr(row, name, value)
    row.comments = entry.comments
    _fill(process, row, entry)
    row.version += 1
    session.flush()


def may_withdraw(by: Caller, process: Process, row: Tally) -> None:
    """A tally is taken back by who entered it or by the secretary. Raises Forbidden."""
    if by.staff_no not in (row.recorded_by, row.counted_by) and Role.SECRETARY not in by.roles_in(process.branch.code):
        raise Forbidden(Words("由计票人或书记撤回", "its tellers or the secretary take it back"))


def members_on_ballot(rows: Iterable[Participant]) -> dict[str, Participant]:
    """Whom the ballot lists: full members who are rated here and not excused. Probationary members stand on no ballot."""
    return {
        row.staff_no: row
        for row in rows
        if row.standing is Standing.FULL and row.left_on is None and row.rated_here and row.excused_confirmed_by is None
    }


def _read(session: Session, process: Process, subject: TallySubject, body: Mapping[str, Any]) -> Entry:
    entry = Entry(subject, body)
    errors = entry.faults()
    if subject is TallySubject.MEMBERS:
        named = participants(session, process.id, {"counts": list(entry.figures)})
        for staff_no, row in named.items():
            if row.standing is Standing.PROBATIONARY:
                errors[f"counts.{staff_no}"] = Words(f"{row.name} 是预备党员，不列入测评票", f"{row.name} is a probationary member")
        if without := [row.name for staff_no, row in members_on_ballot(roll(session, process.id)).items() if staff_no not in entry.figures]:
            errors["counts"] = Words(f"缺少：{'、'.join(without)}", f"missing: {', '.join(without)}")
    if errors:
        raise Invalid(errors)
    return entry


def _commented(row: Tally) -> dict[str, Any]:
    return {"comments": row.comments} if row.subject is TallySubject.COMMITTEE else {}


def _fill(process: Process, row: Tally, entry: Entry) -> None:
    if entry.subject is TallySubject.MEMBERS:
        row.of_members = [TallyOfMember(staff_no=staff_no, process_id=process.id, **votes) for staff_no, votes in sorted(entry.figures.items())]
    else:
        row.of_items = [TallyOfItem(item=CommitteeItem(item), process_id=process.id, **votes) for item, votes in entry.figures.items()]


def _must_be_teller(session: Session, process: Process, by: Caller) -> None:
    """Any full member of the branch but the secretary; he too where the branch has not two others. Raises Forbidden."""
    may = [row for row in roll(session, process.id) if row.left_on is None and row.standing is Standing.FULL]
    line = next((row for row in may if row.person_id == by.person_id), None)
    if line is None:
        raise Forbidden(Words("计票人应为本支部的正式党员", "a teller is a full member of the branch"))
    if line.post is Post.SECRETARY and len(may) > 2:
        raise Forbidden(Words("书记不担任计票人", "the secretary is no teller"))
