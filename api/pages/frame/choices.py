"""Possible values of a form (可选的值): people of the branch, records, the words of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.frame.address import BRANCH, CYCLE
from api.pages.frame.addresses import Deed
from api.pages.frame.forms import Choices, Known
from api.pages.frame.visit import Visit
from workflow.foundation.errors import Forbidden, NotFound
from workflow.foundation.fields import StaffNo
from workflow.foundation.vocabulary import Role
from workflow.people.access import ACCESS, Action, Scope
from workflow.rules.acts import Address
from workflow.year.plan_files import available_plans


def known_to(visit: Visit, deed: Deed, address: Address, values: Mapping[str, Any] | None = None) -> Known:
    """Return what the form of an act can offer to this visitor; ``values`` stand in it already."""
    if deed.act.sends is None:
        return Known()
    if "code" not in address:
        return Known(choices=_of_the_school(visit, set(deed.act.sends.load_fields)))
    year, code = int(address["year"]), str(address["code"])
    people = people_of(visit, year, code)
    fields = set(deed.act.sends.load_fields)
    choices: dict[str, Choices] = {}
    names: dict[str, Choices] = {}
    helps: dict[str, str] = {}
    plan = visit.body(CYCLE, {"year": year})
    if "titles" in fields:
        choices["titles"] = [(title, title) for title in plan["rules"].get("required_reading", [])]
    if "problems" in fields:
        choices["problems"] = problems_of(visit, year, code)
    if "about" in fields:
        choices["about"] = [("committee", "支部委员会"), *people]
    if "aspects" in fields:
        asked = plan["rules"]["aspects"]
        names["aspects"] = named(asked)
        helps = {f"aspects.{each['id']}": each["text"] for each in asked if each.get("title")}
    return Known(people, choices, names, helps, _not_asked(visit, deed, code, values or {}))


def _not_asked(visit: Visit, deed: Deed, code: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that have one value: whose it is, in what members write of themselves."""
    assert deed.act.sends is not None  # noqa: S101
    by, field = visit.call.by, deed.act.sends.load_fields.get("staff_no")
    of_oneself = deed.act.action is not None and ACCESS[deed.act.action].get(Role.MEMBER) is Scope.OWN
    if not of_oneself or not isinstance(field, StaffNo) or not field.required:
        return {}
    named = values.get("staff_no") or (by.staff_no if by.plain_member(code) else None)
    return {"staff_no": by.staff_no} if named == by.staff_no else {}


def _of_the_school(visit: Visit, fields: set[str]) -> dict[str, Choices]:
    """Return what a form of the office can offer: plans and branches."""
    choices: dict[str, Choices] = {}
    if "plan" in fields:
        choices["plan"] = [(name, name) for name in reversed(available_plans(visit.call.settings.data_dir))]
    if "branch" in fields and visit.year is not None and visit.may(Action.READ_SCHOOL):
        rows = [row["branch"] for row in visit.whole(f"{CYCLE}/branches", {"year": visit.year}, {"ended": "false"})]
        choices["branch"] = [(row["code"], f"{row['name']}（{row['code']}）") for row in rows]
    return choices


def people_of(visit: Visit, year: int, code: str) -> Choices:
    """List the people of a branch who are there, as choices."""
    try:
        rows = visit.items(f"{BRANCH}/roll", {"year": year, "code": code})
    except (NotFound, Forbidden):
        return ()
    return [(row["staff_no"], f"{row['name']}（{row['staff_no']}）") for row in rows if row.get("left_on") is None]


def problems_of(visit: Visit, year: int, code: str) -> Choices:
    """List the problems that stand, as choices."""
    rows = visit.items(f"{BRANCH}/problems", {"year": year, "code": code})
    return [(str(row["id"]), row["text"]) for row in rows if row.get("withdrawn") is None and row.get("rejected") is None]


def named(items: list[Mapping[str, Any]]) -> Choices:
    """List parts of the plan by their number, each with its words."""
    return [(each["id"], each.get("title") or each.get("text") or each["id"]) for each in items]
