"""People one by one (人员): add, correct, move, leave, a new number, punishments."""

from __future__ import annotations

from api.frame.address import NUMBER, location
from api.frame.lists import Page, after_of, listed, natural, number
from api.frame.routes import Answer, Routes, Tag
from api.frame.shapes import page_of
from workflow.foundation.fields import Line, Sent, about
from workflow.people.access import Action
from workflow.people.organisation import Person, Punishment
from workflow.roster import people
from workflow.roster.people import PERSON, PUNISHMENT
from workflow.rules.acts import Call

routes = Routes(tag=Tag("people", "人员", "people of the organisation"))
ONE = "/people/<staff_no>"


class PeopleQuery(Page):
    """A page of people, by words in name or number."""

    q = Line(at_most=50, **about("查找", "words", "姓名或学工号里的字", "words in the name or the number", example="张三"))


@routes.get("/people", action=Action.READ_PEOPLE, answers=page_of(PERSON), query=PeopleQuery(), zh="列出人员")
def list_people(call: Call[object], query: Sent) -> object:
    """List people by staff number, or those with these words in name or number."""
    rows = people.people_named(call.session, query.get("q", ""), after_of(query, "", natural), query["limit"] + 1)
    return listed(rows, query, PERSON.shown, lambda row: row.staff_no)


@routes.post("/people", people.ADD_PERSON, status=201)
def add_person(call: Call[object], row: Person) -> object:
    """Add a member to a branch. The rolls of that branch follow."""
    return Answer(PERSON.shown(row), location=location(ONE, staff_no=row.staff_no), version=row.version)


@routes.get(ONE, action=Action.READ_PEOPLE, answers=PERSON, find=people.a_person, zh="查看人员")
def read_person(call: Call[object], row: Person) -> object:
    """Read one person."""
    return Answer(PERSON.shown(row), version=row.version)


@routes.patch(ONE, people.AMEND_PERSON)
def amend_person(call: Call[object], row: Person) -> object:
    """Change a person's name or address."""
    return Answer(PERSON.shown(row), version=row.version)


@routes.post(f"{ONE}/move", people.MOVE_PERSON)
def move_person(call: Call[object], row: Person) -> object:
    """Move a member to another branch. Their posts end, and both rolls follow."""
    return PERSON.shown(row)


@routes.post(f"{ONE}/leave", people.LEAVE)
def person_leaves(call: Call[object], row: Person) -> object:
    """Take a member out of the organisation. They stay in the figures of a year that rated them."""
    return PERSON.shown(row)


@routes.post(f"{ONE}/renumber", people.RENUMBER)
def renumber_person(call: Call[object], row: Person) -> object:
    """Give a person a new staff number. Account, records and ratings go with it."""
    return PERSON.shown(row)


@routes.get(f"{ONE}/punishments", action=Action.READ_PEOPLE, answers=page_of(PUNISHMENT), find=people.a_person, query=Page(), zh="列出处分")
def list_punishments(call: Call[object], row: Person, query: Sent) -> object:
    """List a person's punishments, withdrawn ones included."""
    rows = people.punishments_of(call.session, row, after_of(query, 0, number), query["limit"] + 1)
    return listed(rows, query, PUNISHMENT.shown, lambda each: each.id)


@routes.post(f"{ONE}/punishments", people.PUNISH, status=201)
def record_punishment(call: Call[object], row: Punishment) -> object:
    """Record a punishment. The vote and the warning on running rolls follow."""
    return Answer(PUNISHMENT.shown(row), location=location(f"{ONE}/punishments", staff_no=row.person.staff_no))


@routes.post(f"{ONE}/punishments/<{NUMBER}:punishment_id>/withdraw", people.WITHDRAW_PUNISHMENT)
def withdraw_punishment(call: Call[object], row: Punishment) -> object:
    """Take back a punishment that was recorded by mistake."""
    return PUNISHMENT.shown(row)
