"""计票人 (tellers): two tellers enter the result of a ballot.

The first teller's entry waits for a second teller, who enters the same numbers: then it is counted.
Different numbers are refused: the lines that differ are told, never the first's numbers. After two
such entries the first must be entered anew (docs/0012).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from workflow.appraisal.meetings.tallies import (
    LEVELS,
    MARKS,
    MOST_COUNTED,
    NUMBERS,
    CommitteeItem,
    DifferingEntry,
    Tally,
    TallyOfItem,
    TallyOfMember,
    TallySchema,
    banded,
    members_on_ballot,
    must_be_entered_anew,
    sees_counts,
)
from workflow.foundation.database import act_as, transaction
from workflow.foundation.errors import Conflict, Exists, Forbidden, Invalid, Words
from workflow.foundation.fields import (
    Body,
    ByName,
    Inner,
    ItemsOf,
    LongText,
    Sent,
    StaffNo,
    Whole,
)
from workflow.foundation.fields.loading import load
from workflow.foundation.vocabulary import Post, Role, Stage, Standing, TallySubject
from workflow.people.access import Action, Caller
from workflow.rules.acts import (
    Act,
    Call,
)
from workflow.rules.evidence import amendable, must_be_open
from workflow.rules.records import Records
from workflow.year.cycle import Process
from workflow.year.roll import participants, roll

# ── what a valid entry is ─────────────────────────────────────────────────────────────────────────────────────────────


class Comments(ItemsOf):
    """Opinions and advice: a list of texts, or one text."""

    def __init__(self) -> None:
        super().__init__(LongText(at_most=2000), at_most=500, load_default=list)

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: Any) -> list[object]:
        return super()._deserialize([value] if isinstance(value, str) else value, attr, data, **kwargs)


_Levels: type[Body] = Body.from_dict({name: Whole(load_default=0) for name in LEVELS}, name="LevelCounts")  # type: ignore[assignment]
_Marks: type[Body] = Body.from_dict({name: Whole(load_default=0) for name in MARKS}, name="MarkCounts")  # type: ignore[assignment]


class CommitteeCounts(Body):
    """The marks for the committee."""

    work = Inner(_Marks, required=True)
    style = Inner(_Marks, required=True)
    overall = Inner(_Marks, required=True)
    comments = Comments()


class MemberCounts(Body):
    """The votes on each member."""

    counts = ByName(at_most=MOST_COUNTED, keys=StaffNo(), values=Inner(_Levels), required=True)


_COMMITTEE_COUNTS, _MEMBER_COUNTS = CommitteeCounts(), MemberCounts()


LINES_NAMED = 10


class TallyMismatch(Conflict):
    """The two tellers' numbers differ (票数不一致): the second entry is not kept.

    The lines that differ are told; the first's numbers are not, or they could be copied.
    """

    slug = "tally-mismatch"
    title = Words("两名计票人录入的票数不一致，请核对选票", "the two tellers' numbers differ")
    differing: DifferingEntry
    """The fact that there was such an entry, to be kept although it is refused."""


class Entry:
    """One teller's entry, read from what was sent; ``faults`` checks its sums."""

    def __init__(self, subject: TallySubject, sent: Sent) -> None:
        """Read an entry. Raises Invalid for figures that are not of this subject."""
        self.subject = subject
        self.numbers: dict[str, int] = {name: sent[name] for name in NUMBERS}
        if subject is TallySubject.COMMITTEE:
            read = load(_COMMITTEE_COUNTS, sent["counts"], "counts")
            self.comments: list[str] = read.pop("comments")
            self.figures: dict[str, dict[str, int]] = read
        else:
            self.comments = []
            self.figures = load(_MEMBER_COUNTS, {"counts": sent["counts"]})["counts"]

    def faults(self) -> dict[str, Words]:
        """Find the numbers that do not balance."""
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

    def lines_unlike(self, other: Entry) -> list[str]:
        """List the lines in which two entries differ: numbers, sides of the committee, members."""
        mine, theirs = ({**each.numbers, **each.figures} for each in (self, other))
        return [line for line in dict.fromkeys((*mine, *theirs)) if mine.get(line) != theirs.get(line)]

    @property
    def digest(self) -> str:
        return sha256(json.dumps([self.numbers, self.figures], sort_keys=True).encode()).hexdigest()


# ── verbs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


_BY_READER = frozenset({"counts", "bands", "enter_anew"})
_FIGURES = _BY_READER.union(NUMBERS)


class Tallies(Records[Tally]):
    """Tallies (计票): entered by two tellers, taken back by either or by the secretary."""

    name, zh, en = "tallies", "计票单", "tally"
    model, schema = Tally, TallySchema()
    answers = TallySchema(partial=True)
    """The schema of answers: numbers are left out for readers who may not know them yet."""
    stages = (Stage.SELF_REVIEW,)
    read, write = Action.READ_TALLIES, Action.ENTER_TALLY

    @cached_property
    def recording(self) -> Act[Any, Tally]:
        """录入."""
        return replace(super().recording, does=self._enter)

    def _enter(self, call: Call[object], sent: Sent) -> Tally:
        """Enter a tally, and keep that an entry differed."""
        try:
            return self.record(call.session, call.process, sent, by=call.by, now=call.now)
        except TallyMismatch as refused:
            # Beside the transaction of the act, which a refusal undoes.
            with transaction(call.engine, actor=call.by.staff_no) as keeping:
                _keep_differing(keeping, refused.differing)
            raise

    def record(self, session: Session, process: Process, sent: Sent, *, by: Caller, now: datetime) -> Tally:
        """Enter a tally: the first entry waits, an equal second one counts it.

        Raises Invalid, Forbidden, StageClosed, Exists, TallyMismatch.
        """
        # First: the answer to a wrong entry names the members on the ballot.
        must_be_teller(session, process, by)
        entry = _read(session, process, sent["subject"], sent)
        must_be_open(process, Stage.SELF_REVIEW)
        # Nobody counts in another's name, not even as a substitute.
        act_as(session, actor=by.staff_no)
        first = {"process_id": process.id, "subject": entry.subject, **entry.numbers, "comments": entry.comments, "recorded_by": by.staff_no}
        added = session.scalar(insert(Tally).values(**first, recorded_at=now, version=1).on_conflict_do_nothing().returning(Tally.id))
        if added is None:
            return _second(session, process, entry, by=by, now=now)
        row = session.get_one(Tally, added)
        _fill(process, row, entry)
        session.flush()
        return row

    def amend(self, session: Session, process: Process, row: Tally, sent: Sent, *, seen: int, by: Caller, now: datetime) -> None:
        """Correct an entry that waits, as its teller.

        Raises Invalid, Forbidden, Stale, Conflict, StageClosed.
        """
        kept = {**{name: getattr(row, name) for name in NUMBERS}, "counts": {**row.figures, **_commented(row)}}
        if sent.get("subject", row.subject) is not row.subject:
            raise Invalid({"subject": Words("录错对象的，请撤回后重新录入", "withdraw it and enter another")})
        entry = _read(session, process, row.subject, {**kept, **sent})
        left_out = {name: FROM_BALLOTS for name in (*NUMBERS, "counts") if name not in sent}
        if left_out and _to_be_entered_anew(session, Tally.id == row.id):
            raise Invalid(left_out)
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

    def visible(self, reader: Caller, branch_code: str) -> ColumnElement[bool]:
        """Limit the tallies to those that this reader may know of.

        A plain member knows those they entered; a first entry is known to its teller alone. The
        office knows that there is one, without its numbers: when a teller is gone it can be
        rejected.
        """
        own = or_(Tally.recorded_by == reader.staff_no, Tally.counted_by == reader.staff_no)
        if Role.OFFICE in reader.roles_in(branch_code):
            return Tally.id.is_not(None)
        return own if reader.plain_member(branch_code) else or_(own, Tally.counted_at.is_not(None))

    def may_withdraw(self, by: Caller, process: Process, row: Tally) -> None:
        if by.staff_no not in row.tellers and Role.SECRETARY not in by.roles_in(process.branch.code):
            raise Forbidden(Words("由计票人或书记撤回", "its tellers or the secretary take it back"))

    def seen_by(self, call: Call[object]) -> Callable[[Tally], dict[str, object]]:
        """Show tallies with their numbers once they are counted, as votes or as bands."""
        anew = _to_be_entered_anew(call.session, Tally.process_id == call.process.id)

        def seen(row: Tally) -> dict[str, object]:
            typed_it = call.by.staff_no in row.tellers
            if row.counted_at is None and not typed_it:
                return self.schema.shown(row, without=_FIGURES)
            exact = typed_it or sees_counts(call.by, call.process, row.valid)
            counts: dict[str, Any] = {name: votes if exact else banded(votes, row.valid) for name, votes in row.figures.items()}
            if row.subject is TallySubject.COMMITTEE:
                counts["comments"] = row.comments
            shown = self.schema.shown(row, without=_BY_READER) | {"counts": counts, "bands": not exact}
            return shown | ({"enter_anew": True} if row.id in anew else {})

        return seen


TALLIES = Tallies()


def _second(session: Session, process: Process, entry: Entry, *, by: Caller, now: datetime) -> Tally:
    standing = select(Tally).where(Tally.process_id == process.id, Tally.subject == entry.subject, Tally.counts)
    # In the weaker form: a row that differs is kept beside it, and refers to it.
    row = session.scalars(standing.with_for_update(key_share=True, of=Tally).execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise Conflict(Words("这份计票刚刚被撤回，请重新录入", "this tally was just taken back; please enter it again"))
    if row.counted_at is not None:
        raise Exists(Words("已经计票；如有差错，请先撤回", "it is counted already; withdraw it first"))
    if row.recorded_by == by.staff_no:
        raise Exists(Words("您已经录入，等待另一名计票人录入", "you have entered it; another teller is awaited"))
    kept = Entry(row.subject, {**{name: getattr(row, name) for name in NUMBERS}, "counts": row.figures})
    if _to_be_entered_anew(session, Tally.id == row.id):
        raise Conflict(ANEW)
    if lines := kept.lines_unlike(entry):
        raise _mismatch(session, process, row, entry, lines, by=by, now=now)
    row.comments = list(dict.fromkeys((*row.comments, *entry.comments)))
    row.counted_by, row.counted_at = by.staff_no, now
    row.version += 1
    session.flush()
    return row


FROM_BALLOTS = Words("请从选票重新录入全部票数", "enter all numbers anew, from the ballots")
ANEW = Words(
    "两名计票人录入的票数已两次不一致：请第一名计票人核对选票、重新录入以后再录",
    "two entries differed from the first: its teller enters it anew, from the ballots",
)


def _mismatch(session: Session, process: Process, row: Tally, entry: Entry, lines: Sequence[str], *, by: Caller, now: datetime) -> TallyMismatch:
    """Make the refusal that names the lines which differ."""
    names: dict[str, str] = {name: TALLIES.schema.fields[name].metadata["label"] for name in NUMBERS}
    names |= {item.value: item.zh for item in CommitteeItem} | {line.staff_no: line.name for line in roll(session, process.id)}
    told, more = "、".join(names.get(line, line) for line in islice(lines, LINES_NAMED)), len(lines) - LINES_NAMED
    zh = f"{told}{f'等 {len(lines)} 项' if more > 0 else ''}与另一名计票人录入的不一致，请两人一起核对选票"
    refused = TallyMismatch(Words(zh, f"these lines differ from the other teller's: {', '.join(lines)}"), lines=list(lines))
    refused.differing = DifferingEntry(
        tally_id=row.id, process_id=process.id, version=row.version, entered_by=by.staff_no, entered_at=now, entry=entry.digest
    )
    return refused


def _keep_differing(session: Session, row: DifferingEntry) -> None:
    """Keep that an entry differed; the same one sent again is kept once."""
    columns = ("tally_id", "process_id", "version", "entered_by", "entered_at", "entry")
    session.execute(insert(DifferingEntry).values({name: getattr(row, name) for name in columns}).on_conflict_do_nothing())


def _to_be_entered_anew(session: Session, *which: ColumnElement[bool]) -> frozenset[int]:
    """List the tallies that must be entered anew, by number."""
    return frozenset(session.scalars(select(Tally.id).where(*which, must_be_entered_anew())))


def _read(session: Session, process: Process, subject: TallySubject, sent: Sent) -> Entry:
    entry = Entry(subject, sent)
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


def _commented(row: Tally) -> dict[str, object]:
    return {"comments": row.comments} if row.subject is TallySubject.COMMITTEE else {}


def _fill(process: Process, row: Tally, entry: Entry) -> None:
    if entry.subject is TallySubject.MEMBERS:
        row.of_members = [TallyOfMember(staff_no=staff_no, process_id=process.id, **votes) for staff_no, votes in sorted(entry.figures.items())]
    else:
        row.of_items = [TallyOfItem(item=CommitteeItem(item), process_id=process.id, **votes) for item, votes in entry.figures.items()]


def must_be_teller(session: Session, process: Process, by: Caller) -> None:
    """Let only full members of the branch enter a tally, but not the secretary.

    The secretary too may enter it if there are not two others. Raises Forbidden.
    """
    may = [row for row in roll(session, process.id) if row.left_on is None and row.standing is Standing.FULL]
    line = next((row for row in may if row.person_id == by.person_id), None)
    if line is None:
        raise Forbidden(Words("计票人应为本支部的正式党员", "a teller is a full member of the branch"))
    if line.post is Post.SECRETARY and len(may) > 2:
        raise Forbidden(Words("书记不担任计票人", "the secretary is no teller"))
