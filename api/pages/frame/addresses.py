"""Addresses of pages (页面地址), derived from those of the API.

``/cycles/2024/branches/D0101/talks/7/withdraw`` of the API is ``/2024/D0101/talks/7/withdraw``
here. Each act has a page with its form; no list of them is kept anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from api.frame.address import ASSESSMENT, BELOW_A_YEAR, BRANCH, CYCLE, OFFICE, SHORTER
from api.frame.routes import Route
from workflow.rules.acts import AnyAct

YEAR = CYCLE.removeprefix("/cycles")
"""The rule of a year: ``/<int:year>``."""
OF_BRANCH, OF_ASSESSMENT = f"{YEAR}/<code>", f"{YEAR}/assessments/<code>"


def page_of(rule: str) -> str:
    """Return the address of the page of a rule of the API."""
    if rule.startswith(BRANCH):
        return _short(OF_BRANCH + rule.removeprefix(BRANCH))
    if rule.startswith(ASSESSMENT):
        return OF_ASSESSMENT + rule.removeprefix(ASSESSMENT)
    if rule.startswith(CYCLE):
        below = rule.removeprefix(CYCLE)
        if below[1:].partition("/")[0] in BELOW_A_YEAR:
            return _short(YEAR + below)
        return f"/office/years{YEAR}{below}"
    if rule.startswith("/cycles"):
        return "/office/years" + rule.removeprefix("/cycles")
    first, slash, rest = rule[1:].partition("/")
    return f"/{first}{slash}{rest}" if first == "me" else f"/office/{OFFICE.get(first, first)}{slash}{rest}"


def filled(rule: str, address: Mapping[str, str | int]) -> str:
    """Fill the names of an address into a rule."""
    return "/".join(str(address[part.rpartition(":")[2].strip("<>")]) if part.startswith("<") else part for part in rule.split("/"))


def _short(rule: str) -> str:
    return "/".join(SHORTER.get(part, part) for part in rule.split("/"))


@dataclass(frozen=True)
class Deed:
    """An act with its page (办理页): the route of the API, and what it reads of the thing."""

    route: Route
    act: AnyAct
    reading: Route | None
    """The API's reading of the thing that is changed, or of the thing that it stands on."""
    prefilled: bool
    """True if the form starts from the thing as it stands."""
    taken: frozenset[str]
    """The rules of readings: a POST there makes a new thing."""

    @cached_property
    def rule(self) -> str:
        """Return the address of the page."""
        rule, method = page_of(self.route.rule), self.route.method
        if method == "DELETE":
            return f"{rule}/delete"
        if method in ("PATCH", "PUT"):
            return f"{rule}/edit" if self.route.rule in self.taken else rule
        return f"{rule}/new" if self.route.rule in self.taken or self.route.status == 201 else rule

    @property
    def endpoint(self) -> str:
        """Return Flask's name of the page."""
        return f"page {self.route.name}"

    @cached_property
    def above(self) -> str:
        """Return the address of the page to come back to: of the thing, or of the list."""
        return self.rule.rpartition("/")[0]


def readings_of(routes: Iterable[Route]) -> dict[str, Route]:
    """Return the readings of the API by their rules."""
    return {route.rule: route for route in routes if route.method == "GET"}


WITHOUT = ("/session", "/me/drafts")
"""Acts without a page of this kind: the entrance has its own, a draft is kept by its form."""


def deeds_of(routes: Iterable[Route], readings: Mapping[str, Route]) -> list[Deed]:
    """Return each act with its page; signing in and out have pages of their own."""
    found, taken = [], frozenset(readings)
    for route in routes:
        if route.act is None or route.action is None or route.rule.startswith(WITHOUT):
            continue
        whole = route.method in ("PATCH", "PUT", "DELETE")
        above = route.rule if whole else next((rule for rule in _up(route.rule) if rule in readings and rule.endswith(">")), None)
        reading = readings.get(above) if above else None
        found.append(Deed(route, route.act, reading, prefilled=whole and reading is not None, taken=taken))
    return found


def _up(rule: str) -> Iterable[str]:
    """Return the rules above a rule, the nearest first."""
    while rule := rule.rpartition("/")[0]:
        yield rule
