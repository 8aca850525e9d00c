"""The rules of a roster (名册核对) over the rows of both sheets, and the roster that they make.

Nothing here knows Excel: rows come in as dataclasses whose faulty or empty cells are ``None``,
problems go out. A fault of several rows is one problem at the row that brings it, and names the
others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from typing import Self, TypeVar

from workflow.foundation.database import Json
from workflow.foundation.vocabulary import Post, Standing
from workflow.roster.terms import MemberRow, Seat, post_of, post_parts
from workflow.workbooks.cells import quoted
from workflow.workbooks.sheets import SheetProblem, rows_named
from workflow.year.plan import BranchSizes

MEMBER_SHEET = "党员"
COMMITTEE_SHEET = "支部委员会"
FOUNDED_ON = date(1921, 7, 1)

PAGES = frozenset({"assessments", "decision", "office", "help"})
"""The words that stand in addresses of pages where a branch's code does."""
OPTIONAL_FIELDS = ("email", "party_group")
_ALWAYS_TOLD = ("email",)
"""The optional fields of rosters that were kept before they said which they have."""
_STANDINGS = {standing.value: standing for standing in Standing}
_POSTS = {post.value: post for post in Post}
_Row = TypeVar("_Row")
_Key = TypeVar("_Key")


@dataclass(frozen=True)
class RosterBranch:
    """A branch and its unit (党支部, 所在分党委).

    ``has_committee``: the committee sheet names three or more for it.
    """

    code: str
    name: str
    unit_code: str
    unit_name: str
    has_committee: bool


@dataclass(frozen=True)
class RosterMember:
    """A member (党员).

    ``post`` and ``title`` come from the committee sheet where it names the branch; ``title`` is the
    roster's words.
    """

    staff_no: str
    name: str
    branch_code: str
    standing: Standing
    post: Post | None
    title: str | None
    on_committee_sheet: bool
    cadre: bool
    email: str | None
    party_group: str | None = None

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        words = {"standing": _STANDINGS[stored["standing"]], "post": stored["post"] and _POSTS[stored["post"]]}
        return cls(**{**stored, **words})


@dataclass(frozen=True)
class Roster:
    """Branches and members in the order of the workbook (名册).

    ``told``: the optional fields that it has a column for. What has none stays as it is.
    """

    branches: tuple[RosterBranch, ...] = ()
    members: tuple[RosterMember, ...] = ()
    told: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """Return plain JSON values, for the preview that is stored and applied later."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        branches = tuple(RosterBranch(**branch) for branch in stored["branches"])
        members = tuple(RosterMember.from_json(member) for member in stored["members"])
        return cls(branches, members, tuple(stored.get("told", _ALWAYS_TOLD)))

    def within(self, codes: Collection[str]) -> Self:
        """Return the part of it that is about these branches."""
        branches = tuple(branch for branch in self.branches if branch.code in codes)
        return replace(self, branches=branches, members=tuple(member for member in self.members if member.branch_code in codes))


def on_members(row: int | None, heading: str, message: str, severity: str = "error") -> SheetProblem:
    return SheetProblem(MEMBER_SHEET, row, heading, severity, message)


def on_committee(row: int, heading: str, message: str, severity: str = "error") -> SheetProblem:
    return SheetProblem(COMMITTEE_SHEET, row, heading, severity, message)


class Pairing:
    """Codes and names that must belong together one to one (编码与名称一一对应).

    The first seen stand, later ones clash.
    """

    def __init__(self, rows: Iterable[tuple[int, str | None, str | None]], code_heading: str, name_heading: str) -> None:
        self.names: dict[str, str] = {}
        self.codes: dict[str, str] = {}
        self.clashes: list[SheetProblem] = []
        pairs: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for row, code, name in rows:
            if code and name:
                pairs[code, name].append(row)
        for (code, name), (first, *later) in pairs.items():
            also = f"（{rows_named(later)}同此）" if later else ""
            if (other := self.names.get(code)) is not None:
                earlier = rows_named(pairs[code, other])
                self.clashes.append(
                    on_members(first, name_heading, f"编码 {code} 对应两个名称：{earlier}为{quoted(other)}，本行为{quoted(name)}{also}")
                )
            elif (other := self.codes.get(name)) is not None:
                earlier = rows_named(pairs[other, name])
                self.clashes.append(on_members(first, code_heading, f"{quoted(name)}对应两个编码：{earlier}为 {other}，本行为 {code}{also}"))
            else:
                self.names[code], self.codes[name] = name, code

    def code_of(self, code: str | None, name: str | None) -> str | None:
        """Return the code that stands for this row, also where one of the two is wrong.

        A slip must not look like another branch.
        """
        return code if code in self.names else self.codes.get(name or "")


class BothSheets:
    """The rows of both sheets, seen as branches."""

    def __init__(self, members: list[MemberRow], seats: list[Seat], sizes: BranchSizes) -> None:
        self.members = members
        self.seats = seats
        self.sizes = sizes
        self.branches = Pairing(((m.row, m.branch_code, m.branch_name) for m in members), "所在党支部编码", "所在党支部")
        self.units = Pairing(((m.row, m.unit_code, m.unit_name) for m in members), "所在分党委编码", "所在分党委")

    def branch_of(self, member: MemberRow) -> str | None:
        return self.branches.code_of(member.branch_code, member.branch_name)

    @cached_property
    def members_of(self) -> dict[str, list[MemberRow]]:
        """The members of every branch, by its code."""
        return _grouped(self.members, self.branch_of)

    @cached_property
    def seats_of(self) -> dict[str, list[Seat]]:
        return _grouped(self.seats, lambda seat: self.branches.codes.get(seat.branch_name or ""))

    @cached_property
    def by_staff_no(self) -> dict[str, MemberRow]:
        return {member.staff_no: member for member in reversed(self.members) if member.staff_no}

    @cached_property
    def without_staff_no(self) -> set[tuple[str | None, str | None]]:
        return {(self.branch_of(member), member.name) for member in self.members if not member.staff_no}

    @cached_property
    def _seated(self) -> dict[tuple[str, str], Seat]:
        return {(code, seat.staff_no): seat for code, seats in self.seats_of.items() for seat in reversed(seats) if seat.staff_no}

    def seat_of(self, member: MemberRow) -> Seat | None:
        return self._seated.get((self.branch_of(member) or "", member.staff_no or ""))

    def committee_size(self, code: str) -> int:
        return len({seat.staff_no or seat.row for seat in self.seats_of.get(code, ())})


def check_members(sheets: BothSheets, today: date) -> Iterator[SheetProblem]:
    """Check the sheet 党员 by itself."""
    yield from sheets.units.clashes
    yield from sheets.branches.clashes
    yield from _branches_in_two_units(sheets)
    yield from _codes_of_pages(sheets)
    for staff_no, (first, *again) in _grouped(sheets.members, lambda member: member.staff_no).items():
        if again:
            others = rows_named(row.row for row in (first, *again[1:]))
            yield on_members(again[0].row, "学工号", f"学工号 {staff_no} 重复，另见{others}")
    for member in sheets.members:
        yield from _dates_that_cannot_be(member, today)


def _grouped(rows: Iterable[_Row], key: Callable[[_Row], _Key | None]) -> dict[_Key, list[_Row]]:
    """Group rows by their key, in order; rows without a key are left out."""
    found: defaultdict[_Key, list[_Row]] = defaultdict(list)
    for row in rows:
        if (value := key(row)) is not None:
            found[value].append(row)
    return found


def _branches_in_two_units(sheets: BothSheets) -> Iterator[SheetProblem]:
    """Find branches in more than one unit: a branch belongs to one.

    A row whose unit is wrong in code or name alone is already a clash of those two.
    """
    for code, members in sheets.members_of.items():
        placed = [member for member in members if member.unit_code and member.unit_name]
        strays = [m for m in placed if m.unit_code != placed[0].unit_code and m.unit_name != placed[0].unit_name]
        if strays:
            here, there, name = strays[0], placed[0], sheets.branches.names[code]
            also = f"（{rows_named(m.row for m in strays[1:])}也与第 {there.row} 行不同）" if strays[1:] else ""
            words = f"{quoted(name)}属于两个分党委：第 {there.row} 行为{quoted(there.unit_name or '')}，本行为{quoted(here.unit_name or '')}{also}"
            yield on_members(here.row, "所在分党委编码", words)


def _codes_of_pages(sheets: BothSheets) -> Iterator[SheetProblem]:
    for code, members in sheets.members_of.items():
        if code.lower() in PAGES:
            also = f"（{rows_named(member.row for member in members[1:])}同此）" if members[1:] else ""
            yield on_members(members[0].row, "所在党支部编码", f"编码 {code} 是系统页面的地址，不能用作党支部编码，请换一个{also}")


def _dates_that_cannot_be(member: MemberRow, today: date) -> Iterator[SheetProblem]:
    joined, confirmed = member.joined_on, member.confirmed_on
    for heading, day in (("入党时间", joined), ("转正时间", confirmed)):
        if day and day > today:
            yield on_members(member.row, heading, f"{heading} {day} 在今天之后")
        elif day and day < FOUNDED_ON:
            yield on_members(member.row, heading, f"{heading} {day} 早于建党之日 {FOUNDED_ON}")
    if joined and confirmed and confirmed < joined:
        yield on_members(member.row, "转正时间", f"转正时间 {confirmed} 早于入党时间 {joined}")
    if member.standing is Standing.PROBATIONARY and confirmed:
        yield on_members(member.row, "转正时间", "预备党员填有转正时间，请核对人员类别", "warning")
    if member.standing is Standing.FULL and not confirmed and "转正时间" not in member.faulty:
        yield on_members(member.row, "转正时间", "正式党员没有转正时间", "warning")


def check_both(sheets: BothSheets) -> Iterator[SheetProblem]:
    """Check the sheets together: the people on the committee, and each branch's secretary."""
    yield from _seats_without_a_branch(sheets)
    for (_, staff_no), (first, *again) in _grouped(sheets.seats, lambda seat: seat.staff_no and (seat.branch_name, seat.staff_no)).items():
        if again:
            others = rows_named(seat.row for seat in (first, *again[1:]))
            yield on_committee(again[0].row, "学工号", f"{first.name or ''}（{staff_no}）在同一支部重复列出，另见{others}")
    for seat in sheets.seats:
        yield from _seat_and_member(sheets, seat)
    for member in sheets.members:
        yield from _post_that_differs(sheets, member)
    for code, members in sheets.members_of.items():
        yield from _one_secretary(sheets, code, members)
        yield from _branch_sizes(sheets, code, members)


def _seats_without_a_branch(sheets: BothSheets) -> Iterator[SheetProblem]:
    for name, (first, *later) in _grouped(sheets.seats, lambda seat: seat.branch_name).items():
        if name not in sheets.branches.codes:
            also = f"（{rows_named(seat.row for seat in later)}同此）" if later else ""
            yield on_committee(first.row, "所属党支部", f"“党员”表中没有党支部{quoted(name)}{also}")


def _seat_and_member(sheets: BothSheets, seat: Seat) -> Iterator[SheetProblem]:
    if not seat.staff_no:
        return
    member = sheets.by_staff_no.get(seat.staff_no)
    if member is None and (sheets.branches.codes.get(seat.branch_name or ""), seat.name) in sheets.without_staff_no:
        # This member's missing 学工号 has been reported already.
        return
    if member is None:
        yield on_committee(seat.row, "学工号", f"{seat.name or ''}（{seat.staff_no}）不在“党员”表中")
        return
    if member.name and seat.name and member.name != seat.name:
        words = f"学工号 {seat.staff_no} 在“党员”表第 {member.row} 行的姓名是{quoted(member.name)}，这里是{quoted(seat.name)}，以“党员”表为准"
        yield on_committee(seat.row, "姓名", words, "warning")
    home, here = sheets.branch_of(member), sheets.branches.codes.get(seat.branch_name or "")
    if home and here and home != here:
        who, theirs, named = member.name or seat.staff_no, sheets.branches.names[home], quoted(seat.branch_name or "")
        words = f"{who}是{quoted(theirs)}的党员（“党员”表第 {member.row} 行），不能列入{named}"
        yield on_committee(seat.row, "所属党支部", words)
    if member.standing is Standing.PROBATIONARY:
        yield on_committee(seat.row, "学工号", f"{member.name or seat.staff_no}是预备党员，请核对是否担任支部职务", "warning")


def _post_that_differs(sheets: BothSheets, member: MemberRow) -> Iterator[SheetProblem]:
    """Find a 党内职务 that the committee sheet does not confirm: that sheet decides.

    A group leader need not be on it.
    """
    code = sheets.branch_of(member)
    if not member.title or not member.staff_no or not sheets.seats_of.get(code or ""):
        return
    seat = sheets.seat_of(member)
    if seat is None and post_of(member.title) is not Post.GROUP_LEADER:
        words = f"党内职务是{quoted(member.title)}，但“支部委员会”表中没有此人，以“支部委员会”表为准"
        yield on_members(member.row, "党内职务", words, "warning")
    if seat and "职务" not in seat.faulty and post_parts(seat.title) != post_parts(member.title):
        words = f"党内职务是{quoted(member.title)}，“支部委员会”表第 {seat.row} 行是{quoted(seat.title)}，以“支部委员会”表为准"
        yield on_members(member.row, "党内职务", words, "warning")


def _one_secretary(sheets: BothSheets, code: str, members: list[MemberRow]) -> Iterator[SheetProblem]:
    """Check that each branch has one secretary, or say that it has none.

    A vacant post stops nobody's roster: Q1 asks for it before the branch files. The secretary is on
    the committee sheet, or among the branch's members where that sheet does not name the branch.
    """
    seats = sheets.seats_of.get(code)
    rows: list[Seat] | list[MemberRow] = seats or members
    secretaries: dict[str | int, Seat | MemberRow] = {}
    for row in rows:
        if row.title and post_of(row.title) is Post.SECRETARY:
            secretaries.setdefault(row.staff_no or row.row, row)
    heading, report = ("职务", on_committee) if seats else ("党内职务", on_members)
    name = quoted(sheets.branches.names[code])
    if len(secretaries) > 1:
        first, second, *others = secretaries.values()
        yield report(second.row, heading, f"{name}有 {len(secretaries)} 名书记，另见{rows_named(row.row for row in (first, *others))}")
    if not secretaries and not any(heading in row.faulty for row in rows):
        where = "“支部委员会”表" if seats else "“支部委员会”表和本表"
        words = f"{name}没有书记：{where}中没有职务为“书记”的党员，{_stands_in(rows)}，报送前须有书记"
        yield on_members(members[0].row, "党内职务", words, "warning")


def _stands_in(rows: Sequence[Seat | MemberRow]) -> str:
    """Name the people who lead a branch without a secretary."""
    leading = [f"{row.name or ''}（{row.title}）" for row in rows if row.title and post_of(row.title) is Post.DEPUTY]
    return f"由{'、'.join(leading)}主持" if leading else "无人可以推进环节"


def _branch_sizes(sheets: BothSheets, code: str, members: list[MemberRow]) -> Iterator[SheetProblem]:
    full = Counter(member.standing for member in members)[Standing.FULL]
    unknown = any(member.standing is None for member in members)
    row, name, size = members[0].row, quoted(sheets.branches.names[code]), sheets.committee_size(code)
    sizes = sheets.sizes
    if full < sizes.full_members_at_least and not unknown:
        yield on_members(row, "所在党支部", f"{name}只有 {full} 名正式党员，不足 {sizes.full_members_at_least} 名，应组成联合党支部", "warning")
    if full >= sizes.committee_from_full_members and size < sizes.committee_at_least:
        words = f"{name}有 {full} 名正式党员，应设支部委员会，但“支部委员会”表只列出 {size} 人"
        yield on_members(row, "所在党支部", words, "warning")
    if size > sizes.committee_at_most:
        yield on_members(row, "所在党支部", f"{name}的支部委员会有 {size} 人，多于 {sizes.committee_at_most} 人", "warning")


def make_roster(sheets: BothSheets, fields: Collection[str]) -> Roster:
    """Make the roster of all rows that are complete, of a workbook with these fields.

    It may be applied only where no error was found.
    """
    branches: dict[str, RosterBranch] = {}
    members = []
    for row in sheets.members:
        code, unit = sheets.branch_of(row), sheets.units.code_of(row.unit_code, row.unit_name)
        if not (row.staff_no and row.name and row.standing and code and unit):
            continue
        has_committee = sheets.committee_size(code) >= sheets.sizes.committee_at_least
        branches.setdefault(code, RosterBranch(code, sheets.branches.names[code], unit, sheets.units.names[unit], has_committee))
        seat = sheets.seat_of(row)
        title = seat.title if seat else row.title
        post = post_of(title) if title else None
        if seat and has_committee and post is Post.GROUP_LEADER:
            post = Post.COMMITTEE_MEMBER
        if not seat and sheets.seats_of.get(code) and post is not Post.GROUP_LEADER:
            post = title = None
        details = (post, title, seat is not None, row.cadre, row.email, row.party_group)
        members.append(RosterMember(row.staff_no, row.name, code, row.standing, *details))
    return Roster(tuple(branches.values()), tuple(members), tuple(name for name in OPTIONAL_FIELDS if name in fields))
