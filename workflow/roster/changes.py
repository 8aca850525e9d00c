"""Changes that a roster would make (名册变动): branches, people and posts, compared with today's.

Preview and apply look at the same ``RosterChanges``. A post or an end that the office has planned
stands: a roster says what is today.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import Post, Role
from workflow.people.organisation import Appointment, Branch, Person, not_over
from workflow.roster.checks import Roster, RosterBranch, RosterMember

BRANCH_FIELDS = ("name", "unit_code", "unit_name", "has_committee")
PERSON_FIELDS = ("name", "standing", "cadre")
MOST_GONE = Fraction(1, 20)
"""The largest share of people who may be gone without a word. A setting of ours."""
NAMED = 10
"""The most people or branches that one message names."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class RosterPost:
    """A post in a branch, as the roster gives it."""

    staff_no: str
    branch_code: str
    post: Post
    title: str | None
    on_committee: bool

    @property
    def seat(self) -> tuple[str, str, Post]:
        """Return what makes it the same post, whatever the roster calls it."""
        return self.staff_no, self.branch_code, self.post


@dataclass(frozen=True)
class GivenPost:
    """A post that the roster newly gives."""

    post: RosterPost
    name: str
    starts_on: date

    def as_json(self) -> dict[str, object]:
        return {**_told(self.post, self.name), "starts_on": self.starts_on.isoformat()}


@dataclass(frozen=True)
class HeldPost:
    """A post in a branch that is not over yet (任职)."""

    appointment_id: int
    post: RosterPost
    name: str
    starts_on: date
    ends_on: date | None

    def planned(self, today: date) -> bool:
        """Tell whether the office has planned its beginning or its end."""
        return self.starts_on > today or self.ends_on is not None

    def last_day(self, today: date) -> date:
        """Return its last day if it ends now: yesterday, or the day before it would begin."""
        return max(today, self.starts_on) - _DAY

    def as_json(self, today: date) -> dict[str, object]:
        return {**_told(self.post, self.name), "ends_on": self.last_day(today).isoformat()}


def _told(post: RosterPost, name: str) -> dict[str, object]:
    return {"staff_no": post.staff_no, "name": name, "branch": post.branch_code, "post": post.post.value, "title": post.title}


@dataclass(frozen=True)
class Gone:
    """A person of a branch whom the roster does not list any more."""

    staff_no: str
    name: str
    branch_code: str


@dataclass(frozen=True)
class Guard:
    """People or whole branches that are missing (名册保护): more than a roster may take unasked."""

    gone: int
    of: int
    emptied: Sequence[tuple[str, str]]
    """Branches of which everybody is gone: code, name."""

    @property
    def words(self) -> Words:
        share = f"{100 * self.gone / self.of:.0f}%"
        zh, en = f"现有 {self.of} 名党员中有 {self.gone} 名不在表中（{share}）", f"{self.gone} of {self.of} members are not on it ({share})"
        if self.emptied:
            more = f" 等 {len(self.emptied)} 个" if len(self.emptied) > NAMED else ""
            zh += f"，其中全部党员都不在表中的支部：{'、'.join(f'{name}（{code}）' for code, name in self.emptied[:NAMED])}{more}"
            en += f", among them whole branches: {', '.join(code for code, _ in self.emptied[:NAMED])}{' …' if more else ''}"
        return Words(
            f"{zh}。确已离开的，写入时写明人数（gone：{self.gone}）；表中只有部分支部的，写入时指明是哪些支部（only_branches）",
            f"{en}; if they have left, say so when applying (gone: {self.gone}), and of a workbook of some branches name these (only_branches)",
        )


@dataclass(frozen=True)
class RosterChanges:
    """The changes that applying a roster would make."""

    today: date
    fields: Sequence[str]
    """The fields of people that the roster tells."""
    branches: Sequence[RosterBranch]
    """New branches, and those whose name or unit differs."""
    new_branches: frozenset[str]
    people: Sequence[RosterMember]
    """New people, and those whose line differs."""
    new_people: frozenset[str]
    moved: Sequence[tuple[str, str, str, str]]
    """The moved people: 学工号, name, from, to."""
    gone: Sequence[Gone]
    given: Sequence[GivenPost]
    ended: Sequence[HeldPost]
    planned: Sequence[tuple[RosterPost, HeldPost]]
    """Secretaries of the roster whose branch has another one planned: the plan stands."""
    renumbered: Sequence[tuple[str, str, str]]
    """New people with the name of somebody of their branch who is gone: name, old and new 学工号."""
    renamed: Sequence[tuple[str, str, str]]
    """People whose name differs: 学工号, old and new name."""
    own_address: Sequence[str]
    """People whose address the roster does not change, for they have a role of the school."""
    guard: Guard | None
    """Null while nobody need confirm how many are gone."""
    crossing: Sequence[str]
    """People who would come from, or go to, a branch that the roster is not about."""

    @property
    def summary(self) -> dict[str, object]:
        """Return the changes in numbers and names, for the preview."""
        return {
            "new_branches": sorted(self.new_branches),
            "changed_branches": sorted(each.code for each in self.branches if each.code not in self.new_branches),
            "new_members": len(self.new_people),
            "changed_members": len(self.people) - len(self.new_people),
            "moved": [{"staff_no": staff_no, "name": name, "from": old, "to": new} for staff_no, name, old, new in self.moved],
            "gone": [{"staff_no": each.staff_no, "name": each.name, "from": each.branch_code} for each in self.gone],
            "posts_given": len(self.given),
            "posts_ended": len(self.ended),
            "given": [each.as_json() for each in self.given],
            "ended": [each.as_json(self.today) for each in self.ended],
        }


def changes(session: Session, roster: Roster, *, today: date, only: Collection[str] | None = None) -> RosterChanges:
    """Compare a roster with the organisation, in four queries.

    ``only``: the codes of the branches that it is about; the others stay as they are.
    """
    branches = {row.code: row for row in session.scalars(select(Branch))}
    codes = {row.id: row.code for row in branches.values() if only is None or row.code in only}
    people = {row.staff_no: row for row in session.scalars(select(Person))}
    whole, roster = roster, roster if only is None else roster.within(only)
    roster, own_address = _with_own_addresses(session, roster, people, today)
    listed = {member.staff_no: member for member in roster.members}
    was_in = {staff_no: codes[row.branch_id] for staff_no, row in people.items() if row.branch_id in codes}
    gone = [Gone(staff_no, people[staff_no].name, code) for staff_no, code in sorted(was_in.items()) if staff_no not in listed]
    fields = (*PERSON_FIELDS, *roster.told)
    given, ended, planned = _posts(roster, _held(session, codes, today), today)
    return RosterChanges(
        today=today,
        fields=fields,
        branches=[each for each in roster.branches if each.code not in branches or _differs(each, branches[each.code], BRANCH_FIELDS)],
        new_branches=frozenset(each.code for each in roster.branches if each.code not in branches),
        people=[
            each
            for each in roster.members
            if each.staff_no not in people or was_in.get(each.staff_no) != each.branch_code or _differs(each, people[each.staff_no], fields)
        ],
        new_people=frozenset(each.staff_no for each in roster.members if each.staff_no not in people),
        moved=[
            (each.staff_no, each.name, was_in[each.staff_no], each.branch_code)
            for each in roster.members
            if each.staff_no in was_in and was_in[each.staff_no] != each.branch_code
        ],
        gone=gone,
        given=given,
        ended=ended,
        planned=planned,
        renumbered=[
            (each.name, was.staff_no, each.staff_no)
            for each in roster.members
            if each.staff_no not in people
            for was in gone
            if (was.name, was.branch_code) == (each.name, each.branch_code)
        ],
        renamed=[
            (each.staff_no, people[each.staff_no].name, each.name)
            for each in roster.members
            if each.staff_no in people and people[each.staff_no].name != each.name
        ],
        own_address=own_address,
        guard=_guard(gone, was_in, branches),
        crossing=[] if only is None else _crossing(whole, roster, people, was_in),
    )


def _with_own_addresses(session: Session, roster: Roster, people: Mapping[str, Person], today: date) -> tuple[Roster, list[str]]:
    """Leave the address of people with a role of the school that the office does not give as it is.

    A link to set their password would go to the new one. Returns the names of those it is about.
    """
    if "email" not in roster.told:
        return roster, []
    others = Appointment.role.is_not(None) & (Appointment.role != Role.OFFICE)
    held = set(session.scalars(select(Person.staff_no).join(Appointment, Appointment.person_id == Person.id).where(others, not_over(today))))
    kept = [each.name for each in roster.members if each.staff_no in held and each.email != people[each.staff_no].email]
    own = [replace(each, email=people[each.staff_no].email) if each.staff_no in held else each for each in roster.members]
    return replace(roster, members=tuple(own)), kept


def _differs(new: object, old: object, fields: Sequence[str]) -> bool:
    return any(getattr(new, name) != getattr(old, name) for name in fields)


def _crossing(whole: Roster, part: Roster, people: Mapping[str, Person], was_in: Mapping[str, str]) -> list[str]:
    """Name the people who cross the border between the branches of a part and the others."""
    inside = {member.staff_no for member in part.members}
    come = [each.name for each in part.members if each.staff_no not in was_in and each.staff_no in people and people[each.staff_no].branch_id]
    return [*come, *(each.name for each in whole.members if each.staff_no in was_in and each.staff_no not in inside)]


def _guard(gone: Sequence[Gone], was_in: Mapping[str, str], branches: Mapping[str, Branch]) -> Guard | None:
    """Ask for a word if more than a twentieth is gone, or everybody of some branch."""
    before, left = Counter(was_in.values()), Counter(each.branch_code for each in gone)
    emptied = [(code, branches[code].name) for code, number in sorted(left.items()) if number == before[code]]
    if not emptied and len(gone) <= MOST_GONE * len(was_in):
        return None
    return Guard(len(gone), len(was_in), emptied)


def _held(session: Session, codes: Mapping[int, str], today: date) -> list[HeldPost]:
    """List the posts in these branches that are not over, also those of the future."""
    rows = session.execute(
        select(Appointment, Person.staff_no, Person.name)
        .join(Appointment.person)
        .where(Appointment.branch_id.is_not(None), not_over(today))
        .order_by(Appointment.id)
    )
    return [
        HeldPost(row.id, RosterPost(staff_no, codes[row.branch_id], row.post, row.title, row.on_committee), name, row.starts_on, row.ends_on)
        for row, staff_no, name in rows
        if row.post is not None and row.branch_id is not None and row.branch_id in codes
    ]


def _posts(roster: Roster, held: Sequence[HeldPost], today: date) -> tuple[list[GivenPost], list[HeldPost], list[tuple[RosterPost, HeldPost]]]:
    """Compare posts: those to give, those to end, and secretaries who come after a planned one.

    1. A post stays if the roster has it as it is, or if the office has planned its beginning or its
       end, as long as its holder stays in the branch.
    2. The roster gives every other post of its own today.
    3. A secretary is given after the planned end of the one in office, and not at all where the
       office has planned another: a branch has one.
    """
    home = {member.staff_no: member.branch_code for member in roster.members}
    wanted = [
        (RosterPost(each.staff_no, each.branch_code, each.post, each.title, each.on_committee_sheet), each.name)
        for each in roster.members
        if each.post is not None
    ]
    exact = {post for post, _ in wanted}
    stays = [each for each in held if home.get(each.post.staff_no) == each.post.branch_code and (each.planned(today) or each.post in exact)]
    kept = {each.appointment_id for each in stays}
    seats = {each.post.seat for each in stays}
    secretaries: defaultdict[str, list[HeldPost]] = defaultdict(list)
    for each in stays:
        if each.post.post is Post.SECRETARY:
            secretaries[each.post.branch_code].append(each)
    given, planned = [], []
    for post, name in sorted(wanted, key=lambda each: (each[0].branch_code, each[0].staff_no)):
        if post.seat in seats:
            continue
        others = secretaries[post.branch_code] if post.post is Post.SECRETARY else []
        if stands := next((other for other in others if other.ends_on is None), None):
            planned.append((post, stands))
        else:
            given.append(GivenPost(post, name, max((other.ends_on + _DAY for other in others if other.ends_on), default=today)))
    return given, [each for each in held if each.appointment_id not in kept], planned
