"""Declarations of routes: a reading with its view, or an act with its answer.

The service, with which the web edge was started, stands here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict, Unpack

from flask import current_app

from api.frame.address import endpoint
from workflow.foundation.database import Engine
from workflow.foundation.errors import Refusal, Words
from workflow.foundation.fields import Body, YesNo, about
from workflow.foundation.settings import Settings
from workflow.foundation.vocabulary import MAIN, Kind
from workflow.people.access import Action
from workflow.rules.acts import AnyAct

OPEN_BYTES, BODY_BYTES = 8 * 1024, 1024 * 1024
"""The most that a stranger may send, and somebody who is signed in."""
FORM_BYTES = 64 * 1024
"""The most that a form has around its file."""


@dataclass(frozen=True)
class Service:
    """The engine, settings and clock with which the edge was started."""

    engine: Engine
    settings: Settings
    clock: Callable[[], datetime]
    kept: dict[str, Any] = field(default_factory=dict)
    """Things that one process keeps between requests, by the name of their keeper."""


def service() -> Service:
    return current_app.extensions["zhibu"]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Answer:
    """A body with what goes around it."""

    body: object = None
    version: int | None = None
    """Becomes the strong ETag."""
    location: str | None = None
    tagged: object = None
    """The content whose hash is the strong ETag: a caller who has it already is answered 304."""
    session: str | None = None
    """The secret of a session that begins, for its cookie; empty where one ends."""
    mark: str | None = None
    """The mark of the browser in which somebody has signed in, for a cookie that stays."""


@dataclass(frozen=True)
class Tag:
    """The noun that routes belong to (类别).

    The API's description and generated clients are grouped by it.
    """

    name: str
    """The form used in addresses: small letters and hyphens."""
    zh: str
    en: str


View = Callable[..., object]
"""The function behind a route.

For a reading it takes the call, the thing that was found, and the query. For an act it takes the
call and the result.
"""


@dataclass(frozen=True)
class Preview:
    """A preview of an act (预览).

    With ``?preview=true`` the act is done, shown by this view, and taken back again.
    """

    view: View
    answers: object


class PreviewQuery(Body):
    """The choice to be shown an act instead of doing it."""

    preview = YesNo(load_default=False, **about("只预览", "preview", "只看会怎样，不写入", "tell what it would do, write nothing", example=True))


@dataclass(frozen=True)
class Route:
    """One route, as data.

    The handler, the OpenAPI document and the test of all roles × routes read it.
    """

    method: str
    rule: str
    """The address below ``/api/v1``. A ``<code>`` in it means a branch's process."""
    view: View
    action: Action | None
    """None is open without sign-in."""
    kind: Kind | None = None
    """The kind of a branch's process that a ``<code>`` means."""
    act: AnyAct | None = None
    """The act that is done; None for a reading."""
    query: Body | None = None
    answers: object = None
    """The type of the answer, for the description."""
    preview: Preview | None = None
    """Of an act that can be shown first."""
    find: Callable[..., object] | None = None
    """Of a reading: looks up the thing that the address names. The view gets it."""
    refuses: tuple[type[Refusal], ...] = ()
    """Refusals of this route's own verb, the most useful one first, for the description."""
    status: int = 200
    tag: Tag | None = None
    called: str = ""
    """The name of a reading, where it differs from that of its view."""
    zh: str = ""
    """One line of Chinese on what it does; for an act it comes from the act."""
    en: str = ""
    """The same in English, where the view's docstring does not say it."""
    more: Words | None = None
    """Further words for the description."""
    polled: bool = False
    """Its ETag is of its content: a caller who has it already is answered 304."""
    at_most_bytes: int | None = None
    """The most that may be sent.

    By default what its kind takes: 8 KiB where it is open or takes no content, else 1 MiB. Of an
    upload None: the school's own setting.
    """

    def __post_init__(self) -> None:
        """Fill in what the act or the view says already."""
        act, doc = self.act, " ".join((self.view.__doc__ or "").split())
        object.__setattr__(self, "called", self.called or (act.name if act else self.view.__name__))
        object.__setattr__(self, "zh", self.zh or (act.zh if act else ""))
        object.__setattr__(self, "en", self.en or doc)
        object.__setattr__(self, "query", self.query or (PreviewQuery() if self.preview else None))
        if self.at_most_bytes is None and not self.upload:
            object.__setattr__(self, "at_most_bytes", OPEN_BYTES if self.action is None or self.body is None else BODY_BYTES)

    @property
    def body(self) -> Body | None:
        return self.act.sends if self.act else None

    @property
    def body_optional(self) -> bool:
        """Tell whether a POST may come without a body: no field of it is required."""
        return self.method == "POST" and self.body is not None and not any(field.required for field in self.body.load_fields.values())

    @property
    def upload(self) -> bool:
        return self.act is not None and self.act.uploads is not None

    @property
    def if_match(self) -> bool:
        return self.act is not None and self.act.wants_version

    @property
    def repeatable(self) -> bool:
        return self.method == "POST" and self.act is not None and self.action is not None and not self.act.secret

    @property
    def of_branch(self) -> bool:
        return "<code>" in self.rule

    @property
    def name(self) -> str:
        """Return Flask's name for it."""
        return endpoint(self.method, self.rule)


class RouteOptions(TypedDict, total=False):
    """The options of a route besides its address and its act."""

    query: Body
    answers: object
    preview: Preview
    find: Callable[..., object]
    refuses: tuple[type[Refusal], ...]
    status: int
    called: str
    zh: str
    en: str
    more: Words
    polled: bool


class Routes(list[Route]):
    """The routes of one noun.

    ``@routes.get(rule, action=…)`` declares a reading, ``@routes.post(rule, ACT)`` the answer to an
    act. Nothing is registered by importing.
    """

    def __init__(self, rows: Iterable[Route] = (), *, kind: Kind = MAIN, tag: Tag | None = None) -> None:
        super().__init__(rows)
        self.kind, self.tag = kind, tag

    def get(self, rule: str, *, action: Action, **options: Unpack[RouteOptions]) -> Callable[[View], View]:
        """Declare a reading."""

        def declare(view: View) -> View:
            self.append(Route("GET", rule, view, action, kind=self.kind if "<code>" in rule else None, tag=self.tag, **options))
            return view

        return declare

    def _do(self, method: str, rule: str, act: AnyAct, options: RouteOptions) -> Callable[[View], View]:
        def declare(view: View) -> View:
            options.setdefault("answers", act.shows)
            self.append(Route(method, rule, view, act.action, kind=act.kind, act=act, tag=self.tag, **options))
            return view

        return declare

    def post(self, rule: str, act: AnyAct, **options: Unpack[RouteOptions]) -> Callable[[View], View]:
        """Declare the address of an act, and its answer."""
        return self._do("POST", rule, act, options)

    def patch(self, rule: str, act: AnyAct, **options: Unpack[RouteOptions]) -> Callable[[View], View]:
        return self._do("PATCH", rule, act, options)

    def put(self, rule: str, act: AnyAct, **options: Unpack[RouteOptions]) -> Callable[[View], View]:
        return self._do("PUT", rule, act, options)

    def delete(self, rule: str, act: AnyAct, **options: Unpack[RouteOptions]) -> Callable[[View], View]:
        return self._do("DELETE", rule, act, options)
