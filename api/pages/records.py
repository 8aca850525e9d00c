"""Pages of records (记录页): a list and a page for each thing that the API reads, by its schema.

Labels, order and words are those of the schema; the buttons are the acts that may be done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from marshmallow import fields

from api.frame.address import BRANCH, CYCLE
from api.frame.routes import Route
from api.frame.shapes import PageOf, WholeOf
from api.pages.frame.addresses import Deed, filled, page_of
from api.pages.frame.look import day, moment
from api.pages.frame.visit import PageRoute, PageView, Shown, Visit, site
from workflow.appraisal.meetings.tallies import CommitteeItem
from workflow.foundation.fields import AnyField, Body, ByName
from workflow.foundation.vocabulary import Level, Mark

COLUMNS = 6
"""The most columns of a list; the page of a record shows all of its fields."""
KEYS = {word.value: word.zh for words in (Level, Mark, CommitteeItem) for word in words} | {"abstain": "弃权"}
"""The keys of counts in Chinese."""
AT_THE_END = ("version", "id", "withdrawn", "rejected", "recorded_at", "recorded_by")


@dataclass(frozen=True)
class Fact:
    """One field of a thing as it is read: its label and its words, or the facts inside it."""

    label: str
    text: str = ""
    parts: Sequence[Sequence[Fact]] = ()

    @property
    def says(self) -> bool:
        return bool(self.text) or any(self.parts)


@dataclass(frozen=True)
class Button:
    """An act that may be done here, with its page."""

    address: str
    words: str
    first: bool


def schema_of(route: Route) -> Body | None:
    """Return the schema of what a reading answers: of its rows, if it is a list."""
    answers = route.answers
    if isinstance(answers, (PageOf, WholeOf)):
        return answers.schema
    return answers if isinstance(answers, Body) else None


def pages_of(routes: Iterable[Route]) -> Iterator[PageRoute]:
    """Return a page for each reading whose answer has a schema."""
    for route in routes:
        if route.method == "GET" and (schema := schema_of(route)) is not None:
            listed = isinstance(route.answers, (PageOf, WholeOf))
            yield PageRoute(page_of(route.rule), _list_page(route, schema) if listed else _thing_page(route, schema))


def _list_page(route: Route, schema: Body) -> PageView:
    title = route.tag.zh if route.tag else route.zh

    def show(visit: Visit, **address: str | int) -> Shown:
        names = names_in(visit, address)
        rows = visit.items(route.rule, address)
        below = page_of(route.rule)
        shown = [
            {
                "facts": facts_of(schema, row, names)[:COLUMNS],
                "address": f"{filled(below, address)}/{row.get('id') or row.get('staff_no') or ''}",
                "gone": _gone(row),
            }
            for row in rows
        ]
        values = {"rows": shown, "buttons": buttons_below(visit, below, address), "noun": title}
        return Shown("records.html", title, values, trail=trail_of(visit, address))

    return show


def _thing_page(route: Route, schema: Body) -> PageView:
    title = route.tag.zh if route.tag else route.zh

    def show(visit: Visit, **address: str | int) -> Shown:
        names = names_in(visit, address)
        body = visit.body(route.rule, address)
        below = page_of(route.rule)
        above = below.rpartition("/")[0]
        trail = trail_of(visit, address)
        if route.rule.endswith(">"):
            trail.append((filled(above, address), title))
        values = {"facts": facts_of(schema, body, names), "gone": _gone(body), "buttons": buttons_below(visit, below, address)}
        return Shown("thing.html", title, values, trail=trail)

    return show


def trail_of(visit: Visit, address: Mapping[str, str | int]) -> list[tuple[str, str]]:
    """Return the way to a page below a branch or a year."""
    trail = []
    if "code" in address and visit.call.by.plain_member(str(address["code"])):
        # The wall and the workbench are not theirs: their way leads through their own matters.
        return [("/me", "我的事项")]
    if "year" in address:
        trail.append((f"/{address['year']}/", f"{address['year']}年度"))
        if "code" in address:
            trail.append((f"/{address['year']}/{address['code']}", branch_name(visit, address)))
    return trail


def branch_name(visit: Visit, address: Mapping[str, str | int]) -> str:
    """Return the name of the branch, as far as this visitor may know it."""
    body = visit.body_if_any(BRANCH, {"year": address["year"], "code": address["code"]})
    return str(body["branch"]["name"]) if body else str(address["code"])


def names_in(visit: Visit, address: Mapping[str, str | int]) -> Mapping[str, str]:
    """Return names by their keys: the people of a branch, aspects of the plan, words of counts."""
    if "code" not in address:
        return KEYS
    plan = visit.body_if_any(CYCLE, {"year": address["year"]})
    aspects = {each["id"]: each["title"] for each in plan["rules"].get("aspects", []) if each.get("title")} if plan else {}
    roll = f"{BRANCH}/roll"
    body = visit.body_if_any(roll, {"year": address["year"], "code": address["code"]})
    people = {row["staff_no"]: row["name"] for row in body["items"]} if body else {}
    return {**KEYS, **aspects, **people}


# ── facts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def facts_of(schema: Body, row: Mapping[str, Any], names: Mapping[str, str]) -> list[Fact]:
    """Return the fields of a thing that have something to say, with their labels."""
    shown = [(name, each) for name, each in schema.dump_fields.items() if name not in AT_THE_END]
    held = [(each, row.get(each.data_key or name)) for name, each in shown]
    found = [fact for each, value in held if value not in (None, "", [], {}) and (fact := _fact(each, value, names)).says]
    if row.get("recorded_by"):
        found.append(Fact("登记", f"{names.get(row['recorded_by'], row['recorded_by'])}，{moment(row.get('recorded_at'))}"))
    return found


def _fact(of: AnyField, value: Any, names: Mapping[str, str]) -> Fact:
    label = of.metadata["label"].zh if "label" in of.metadata else ""
    if isinstance(of, fields.Nested) and isinstance(value, Mapping):
        return Fact(label, parts=[facts_of(of.schema, value, names)])  # type: ignore[arg-type]
    if isinstance(of, fields.List) and isinstance(of.inner, fields.Nested):
        return Fact(label, parts=[facts_of(of.inner.schema, each, names) for each in value])  # type: ignore[arg-type]
    if isinstance(of, ByName) or isinstance(value, Mapping):
        return Fact(label, parts=[[Fact(names.get(name, str(name)), _text(each, names)) for name, each in value.items()]])
    return Fact(label, _text(value, names))


def _text(value: Any, names: Mapping[str, str]) -> str:
    """Write a value for people."""
    if isinstance(value, Mapping):
        return "，".join(f"{_text(name, names)} {_text(each, names)}" for name, each in value.items() if each not in (None, "", []))
    if isinstance(value, (list, tuple)):
        return "、".join(_text(each, names) for each in value)
    write = next((write for kind, write in _WRITTEN if isinstance(value, kind)), None)
    return names.get(str(value), str(value)) if write is None else write(value)


_WRITTEN: Sequence[tuple[type, Callable[[Any], str]]] = (
    (bool, lambda value: "是" if value else "否"),
    (StrEnum, lambda value: str(getattr(value, "zh", value.value))),
    (datetime, moment),
    (date, day),
    (time, lambda value: f"{value:%H:%M}"),
)
"""The first kind that fits: a moment is a day too."""


def _gone(row: Mapping[str, Any]) -> str:
    """Tell that a record was taken back, by the branch or by the office, and why."""
    for name, words in (("withdrawn", "已撤回"), ("rejected", "已退回")):
        if taken := row.get(name):
            return f"{words}：{taken['reason']}（{day(taken['at'].date())}）"
    return ""


# ── buttons ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def buttons_below(visit: Visit, rule: str, address: Mapping[str, str | int]) -> list[Button]:
    """Return the acts with a page right below this one that this visitor may ever do here."""
    code = str(address["code"]) if "code" in address else None
    found = [deed for deed in site().deeds.values() if _right_below(deed, rule) and deed.act.action and visit.may(deed.act.action, code)]
    return [Button(filled(deed.rule, address), deed.act.zh, deed.rule.endswith(("/new", "/edit", "/confirm"))) for deed in found]


def _right_below(deed: Deed, rule: str) -> bool:
    rest = deed.rule.removeprefix(rule + "/") if deed.rule.startswith(rule + "/") else ""
    return bool(rest) and "<" not in rest and rest.count("/") <= 1 and (rest.count("/") == 0 or rest.endswith("/new"))
