"""Substitutes (委托代办): the people who may name and be named, and the rights of a substitute.

The rights end the moment the substitution ends.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from tests.support.builders import NOW, TODAY, a_school, caller, person
from workflow.foundation.database import transaction
from workflow.foundation.errors import Conflict, Exists, Forbidden, Invalid, NotFound
from workflow.foundation.vocabulary import Post, Role, Standing
from workflow.people.access import Action
from workflow.people.accounts import Token, issue_token
from workflow.people.callers import caller_by_secret
from workflow.people.organisation import Appointment
from workflow.people.substitutes import Substitute, end_substitute, name_substitute, substitute_by_id, substitutes_after

A_WEEK = {"starts_on": TODAY, "ends_on": TODAY + timedelta(days=6)}
LEADS = frozenset({Role.SECRETARY, Role.COMMITTEE_MEMBER, Role.MEMBER})


@pytest.fixture(autouse=True)
def branch(session: Session) -> None:
    a_school(session)


def named(session: Session, substitute: str = "w5", by: str = "张三", **body: Any) -> Substitute:
    who = caller(session, by)
    reach = who.may(Action.WRITE_SUBSTITUTES).values()
    return name_substitute(session, {"substitute": substitute, **A_WEEK, **body}, by=who, reach=reach, now=NOW)


def ended(session: Session, row: Substitute, by: str = "张三", on: date | None = None) -> Substitute:
    who = caller(session, by)
    return end_substitute(session, row, by=who, reach=who.may(Action.WRITE_SUBSTITUTES).values(), now=NOW, ends_on=on)


def appointed(session: Session, name: str, post: Post | None, role: Role | None = None) -> None:
    who = person(session, name)
    branch_id = who.branch_id if post is not None else None
    session.add(
        Appointment(
            person_id=who.id, branch_id=branch_id, post=post, role=role, title=None, on_committee=False, starts_on=date(2024, 1, 1), ends_on=None
        )
    )
    session.flush()


# ── what a substitute may ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_substitute_has_the_roles_of_the_other_from_the_first_day_to_the_last(session: Session) -> None:
    named(session, starts_on=TODAY + timedelta(days=1), ends_on=TODAY + timedelta(days=3))
    roles = [caller(session, "王五", TODAY + timedelta(days=days)).roles_in("D0101") for days in range(5)]
    assert roles == [{Role.MEMBER}, LEADS, LEADS, LEADS, {Role.MEMBER}]
    stands_for = [dict(caller(session, "王五", TODAY + timedelta(days=days)).stands_for) for days in (0, 1, 4)]
    assert stands_for == [{}, {"D0101": "z3"}, {}]


def test_in_that_branch_alone_and_with_no_office_of_the_school(session: Session) -> None:
    appointed(session, "张三", None, Role.OFFICE)
    named(session, staff_no="z3", by="office")
    who = caller(session, "王五")
    assert who.roles == LEADS
    assert dict(who.branches) == {"D0101": LEADS}
    with pytest.raises(NotFound):
        who.may(Action.MOVE, "D0201")


def test_who_is_stood_for_keeps_his_own_roles(session: Session) -> None:
    named(session)
    assert caller(session, "张三").roles_in("D0101") == LEADS
    assert dict(caller(session, "张三").stands_for) == {}


def test_a_substitute_of_a_substitute_has_nothing(session: Session) -> None:
    named(session, "l4")
    named(session, "w5", by="office", staff_no="l4")
    assert caller(session, "李四").roles_in("D0101") == LEADS
    assert caller(session, "王五").roles_in("D0101") == {Role.COMMITTEE_MEMBER, Role.MEMBER}


def test_what_the_other_lost_his_substitute_has_lost(session: Session) -> None:
    named(session)
    for post in session.scalars(select(Appointment).where(Appointment.person_id == person(session, "张三").id)):
        post.ends_on = TODAY - timedelta(days=1)
    session.flush()
    assert caller(session, "王五").roles == {Role.MEMBER}
    assert dict(caller(session, "王五").stands_for) == {}


def test_who_went_to_another_branch_stands_for_nobody(session: Session) -> None:
    named(session)
    person(session, "王五").branch_id = person(session, "赵六").branch_id
    session.flush()
    assert dict(caller(session, "王五").branches) == {"D0201": {Role.MEMBER}}


def test_it_ends_at_once(session: Session) -> None:
    row = ended(session, named(session))
    assert row.ended_at == NOW
    assert caller(session, "王五").roles == {Role.MEMBER}
    with pytest.raises(Conflict):
        ended(session, row)


def test_or_with_an_earlier_last_day(session: Session) -> None:
    row = ended(session, named(session), on=TODAY + timedelta(days=2))
    assert caller(session, "王五", TODAY + timedelta(days=2)).roles == LEADS
    assert caller(session, "王五", TODAY + timedelta(days=3)).roles == {Role.MEMBER}
    for wrong in (TODAY + timedelta(days=3), TODAY - timedelta(days=1)):
        with pytest.raises(Invalid):
            ended(session, row, on=wrong)


def test_signing_in_stays_one_statement(session: Session) -> None:
    named(session)
    secret = issue_token(session, person(session, "王五"), name="x", now=NOW, expires_at=NOW + timedelta(days=1)).secret
    said: list[str] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda _c, _u, statement, *_: said.append(statement))
    assert caller_by_secret(session, Token, secret, NOW).roles_in("D0101") == LEADS
    assert len(said) == 1


# ── who may be named, by whom ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_deputy_names_his_own_and_the_office_names_for_all(session: Session) -> None:
    appointed(session, "孙八", Post.DEPUTY)
    assert named(session, "q7", by="孙八").person.staff_no == "s8"
    assert named(session, "w5", by="office", staff_no="l4").person.staff_no == "l4"


@pytest.mark.parametrize("whose", ["l4", "z6", "nobody"])
def test_a_secretary_names_for_nobody_else_known_or_not(session: Session, whose: str) -> None:
    with pytest.raises(Forbidden):
        named(session, "w5", staff_no=whose)


@pytest.mark.parametrize("name", ["李四", "王五"])
def test_who_acts_as_secretary_only_as_a_substitute_names_and_ends_nothing(session: Session, name: str) -> None:
    row = named(session, {"李四": "l4", "王五": "w5"}[name])
    with pytest.raises(Forbidden):
        named(session, "s8", by=name)
    with pytest.raises(Forbidden):
        ended(session, row, by=name)
    assert row.ended_at is None


@pytest.mark.parametrize("name", ["李四", "王五", "auditor", "committee", "administrator"])
def test_nobody_else_names_anybody(session: Session, name: str) -> None:
    with pytest.raises(Forbidden):
        named(session, by=name)


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("substitute", {"substitute": "z3"}),
        ("substitute", {"substitute": "nobody"}),
        ("substitute", {"substitute": "z6"}),
        ("staff_no", {"staff_no": "nobody"}),
        ("staff_no", {"staff_no": "w5", "substitute": "s8"}),  # holds no post
        ("staff_no", {"staff_no": "office"}),  # of no branch
        ("ends_on", {"ends_on": TODAY - timedelta(days=1)}),
        ("ends_on", {"starts_on": TODAY - timedelta(days=9), "ends_on": TODAY - timedelta(days=1)}),
    ],
)
def test_what_makes_no_substitute_is_refused_at_its_field(session: Session, field: str, body: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        named(session, **{"by": "office", "staff_no": "z3", **body})
    assert refused.value.errors.keys() == {field}
    assert substitutes_after(session, 0, 10) == []


@pytest.mark.parametrize("by", ["张三", "office"])
def test_nothing_is_told_of_who_there_is_in_other_branches(session: Session, by: str) -> None:
    def refused(substitute: str) -> object:
        with pytest.raises(Invalid) as refusal:
            named(session, substitute, by=by, staff_no="z3")
        return refusal.value.errors, refusal.value.detail

    assert refused("z6") == refused("office") == refused("nobody") == refused("9999999")


@pytest.mark.parametrize(
    ("starts_in", "days", "field"),
    [(0, 365, None), (0, 366, "ends_on"), (0, 10_000, "ends_on"), (365, 365, None), (366, 1, "starts_on"), (-100, 400, "ends_on")],
)
def test_a_term_is_a_year_at_most_and_begins_within_a_year(session: Session, starts_in: int, days: int, field: str | None) -> None:
    starts_on = TODAY + timedelta(days=starts_in)
    term: dict[str, Any] = {"starts_on": starts_on, "ends_on": starts_on + timedelta(days=days)}
    if field is None:
        assert named(session, **term).ends_on == term["ends_on"]
    else:
        with pytest.raises(Invalid) as refused:
            named(session, **term)
        assert refused.value.errors.keys() == {field}


def test_a_probationary_member_stands_for_nobody(session: Session) -> None:
    person(session, "王五").standing = Standing.PROBATIONARY
    session.flush()
    with pytest.raises(Invalid) as refused:
        named(session)
    assert refused.value.errors.keys() == {"substitute"}


def test_nobody_is_stood_for_by_two_or_stands_for_two_on_one_day(session: Session) -> None:
    named(session)
    last = A_WEEK["ends_on"]
    with pytest.raises(Exists):
        named(session, "s8", starts_on=last, ends_on=last)
    with pytest.raises(Exists):
        named(session, "w5", by="office", staff_no="l4")
    named(session, "s8", starts_on=last + timedelta(days=1), ends_on=last + timedelta(days=1))
    ended(session, substitutes_after(session, 0, 1)[0])
    named(session, "s8")


def test_two_who_name_the_same_one_at_once_name_him_once(engine: Engine) -> None:
    with transaction(engine, actor="cli") as session:
        a_school(session)

    def one(whose: str) -> bool:
        try:
            with transaction(engine, actor="office") as session:
                named(session, "w5", by="office", staff_no=whose)
        except Exists:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, ["z3", "l4", "q7"] * 2)) == 1


def test_one_of_another_branch_is_not_found(session: Session) -> None:
    row = named(session)
    assert substitute_by_id(session, row.id, branches=["D0101"]) is row
    for branches, number in ((["D0201"], row.id), ([], row.id), (None, row.id + 1)):
        with pytest.raises(NotFound):
            substitute_by_id(session, number, branches=branches)
    assert substitutes_after(session, 0, 10, branches=["D0201"]) == []
