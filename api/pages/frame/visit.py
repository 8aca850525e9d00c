"""A visit to a page (来访): the caller, and what they may read and do.

A page reads what the API answers: through the same routes, with the same rights. It has no query
and no rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from flask import current_app

from api.frame.base import read
from api.frame.routes import Answer, Route
from api.pages.frame.addresses import Deed
from api.pages.frame.own_forms import OwnForm
from workflow.foundation.errors import Forbidden, NotFound
from workflow.foundation.vocabulary import CycleStatus, Role
from workflow.people.access import Action
from workflow.rules.acts import Address, Call

MOST = "200"
"""The most that the API lists at once."""


@dataclass(frozen=True)
class Shown:
    """A page to be shown: its template, its title and its values."""

    template: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    trail: Sequence[tuple[str, str]] = ()
    """The way to it: address and name of each page above."""
    status: int = 200
    private: bool = True
    """False for pages that say the same to everybody."""


@dataclass(frozen=True)
class Elsewhere:
    """A page that sends its visitor to another one."""

    address: str
    session: str | None = None
    """The secret of a session that begins; empty where one ends."""
    mark: str | None = None
    """The mark of the browser in which somebody has signed in."""


PageView = Callable[..., Shown | Elsewhere]


@dataclass(frozen=True)
class PageRoute:
    """One page, as data: its address, and the function that shows it to a visitor."""

    rule: str
    view: PageView
    open: bool = False
    """True for a page that is shown without a sign-in."""
    post: PageView | None = None
    """Of a page with a form of its own kind, such as signing in: the function that takes it."""


Foretell = Callable[["Visit", Address], Sequence[str]]
"""Tells what a grave act will do, and to how many, before it is done."""


@dataclass(frozen=True)
class Site:
    """The pages' knowledge of the API: its readings by rule, and the acts by their pages."""

    readings: Mapping[str, Route]
    deeds: Mapping[str, Deed]
    """By the name of the act and the method and rule of its route."""
    forms: Mapping[str, OwnForm]
    """Forms with a drawing of their own, by the name of their act."""
    foretold: Mapping[str, Foretell] = field(default_factory=dict)
    """By the name of the act."""


def site() -> Site:
    return current_app.extensions["zhibu-pages"]  # type: ignore[no-any-return]


class Visit:
    """One request of a page: reads as the API does, and knows what its visitor may do."""

    def __init__(self, call: Call[object]) -> None:
        self.call = call

    @property
    def signed_in(self) -> bool:
        return self.call.caller is not None

    def read(self, rule: str, address: Address | None = None, parameters: Mapping[str, str] | None = None) -> Answer:
        """Return the API's answer at a rule. Raises NotFound, Forbidden."""
        return read(self.call, site().readings[rule], address or {}, parameters or {})

    def body(self, rule: str, address: Address | None = None, parameters: Mapping[str, str] | None = None) -> Any:
        """Return the body of the API's answer."""
        return self.read(rule, address, parameters).body

    def items(self, rule: str, address: Address | None = None, parameters: Mapping[str, str] | None = None) -> list[Any]:
        """Return the first 200 items of a list of the API."""
        query = site().readings[rule].query
        most = {"limit": MOST} if query is not None and "limit" in query.load_fields else {}
        found: list[Any] = self.body(rule, address, {**most, **(parameters or {})})["items"]
        return found

    def whole(self, rule: str, address: Address | None = None, parameters: Mapping[str, str] | None = None) -> list[Any]:
        """Return all items of a list of the API, page by page."""
        found: list[Any] = []
        after: str | None = None
        while True:
            page = self.body(rule, address, {**(parameters or {}), "limit": MOST, **({"after": after} if after else {})})
            found += page["items"]
            after = page["next"]
            if after is None:
                return found

    def body_if_any(self, rule: str, address: Address | None = None) -> Any:
        """Return the body, or None where there is none for this visitor."""
        try:
            return self.body(rule, address)
        except (NotFound, Forbidden):
            return None

    def may(self, action: Action, code: str | None = None) -> bool:
        """Tell whether the table of rights lets this visitor do something here."""
        try:
            self.call.by.may(action, code)
        except (NotFound, Forbidden):
            return False
        return True

    @property
    def roles(self) -> frozenset[Role]:
        return self.call.by.roles

    @cached_property
    def years(self) -> list[dict[str, Any]]:
        """The years that this visitor knows of, the newest first."""
        found = self.items("/cycles")
        return sorted(found, key=lambda cycle: cycle["year"], reverse=True)

    @cached_property
    def year(self) -> int | None:
        """The year at work: the published one, else the newest."""
        running = [cycle["year"] for cycle in self.years if cycle["status"] == CycleStatus.PUBLISHED]
        return next(iter(running or [cycle["year"] for cycle in self.years]), None)

    @cached_property
    def todos(self) -> list[Any]:
        """The visitor's own to-dos, of all branches and years."""
        return self.items("/me/todos")
