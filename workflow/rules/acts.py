"""Acts (办理): the changes of a record, a process or the school, each declared once as data.

Every edge reads the declarations. An edge takes three steps, in the order in which refusals are
told:

1. ``admit``: the role, and the earlier outcome under the same key;
2. ``find``: the process under its lock, and the thing, if this person may see it;
3. ``perform``: the content is read, then the verb with its own checks: the trigger's right, the
   version, the stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from workflow.foundation import idempotency
from workflow.foundation.database import Base, Engine, act_as, transaction
from workflow.foundation.errors import Forbidden, NotFound, Words
from workflow.foundation.fields import Body
from workflow.foundation.fields.loading import load
from workflow.foundation.idempotency import KeptOutcome, Repeatable
from workflow.foundation.settings import Settings
from workflow.foundation.vocabulary import Kind, Role, Stage, local_day
from workflow.people.access import JUDGED, KEPT_AFTER_MOVING, OFFICE_FIRST, Action, Caller, Scope
from workflow.people.callers import caller_for
from workflow.people.guard.origin import Origin
from workflow.people.guard.throttle import TooManyTries
from workflow.people.organisation import holders_of
from workflow.workbooks.imports import WorkbookImport
from workflow.year.cycle import Process
from workflow.year.finding import Lock, process_of
from workflow.year.roll import stood_on_a_roll

On = TypeVar("On", covariant=True)  # noqa: PLC0105  (it is read in every signature)
R = TypeVar("R")


@dataclass(frozen=True)
class Call(Generic[On]):
    """One reading or act under way (一次办理): its transaction, time, caller, process and thing."""

    session: Session
    now: datetime
    settings: Settings
    caller: Caller | None = None
    by_roles: Mapping[Role, Scope] = field(default_factory=dict)
    """The roles by which this person may do it here, each with its reach."""
    on_process: Process | None = None
    found: On | None = None
    version_seen: int | None = None
    """The version of the thing to be changed that the caller has seen."""
    origin: Origin = field(default=Origin(), repr=False)
    """The network and the browser of the caller. Only sign-in counts by it."""
    cookie: str = ""
    """The secret of the browser session that signed the caller in; empty for a program."""

    @property
    def by(self) -> Caller:
        # An act that is open to everybody has no caller, and does not ask for one.
        assert self.caller is not None  # noqa: S101
        return self.caller

    @property
    def actor(self) -> str:
        """Return the name for the records: the caller, or the command line without a sign-in."""
        return self.caller.staff_no if self.caller else "cli"

    @property
    def process(self) -> Process:
        assert self.on_process is not None  # noqa: S101
        return self.on_process

    @property
    def on(self) -> On:
        """Return the thing that the act is done to."""
        assert self.found is not None  # noqa: S101
        return self.found

    @property
    def seen(self) -> int:
        assert self.version_seen is not None  # noqa: S101
        return self.version_seen

    @property
    def engine(self) -> Engine:
        """Return the engine, for a transaction of its own beside that of the act."""
        engine = self.session.get_bind()
        assert isinstance(engine, Engine)  # noqa: S101
        return engine

    @property
    def today(self) -> date:
        return local_day(self.now)

    @property
    def base_url(self) -> str:
        """Return the address of the pages, for links in letters."""
        return self.settings.base_url or ""


@dataclass(frozen=True)
class Act(Generic[On, R]):
    """One thing that can be done (办理事项)."""

    name: str
    zh: str
    en: str
    action: Action | None
    """The row of the access table; None is open to everybody."""
    does: Callable[[Call[On], Any], R]
    """The verb: takes the content, returns the row that it made or changed.

    For more than one row it returns a ``Done``.
    """
    kind: Kind | None = None
    """The kind of the branch's process that it is done to; None if to no process."""
    lock: Lock = Lock.NONE
    on: Callable[..., On | None] | None = None
    """The function that finds the thing by the names in its address, to change it."""
    sends: Body | None = None
    uploads: type[WorkbookImport] | None = None
    wants_version: bool = False
    """True if a change must name the version it has seen; a thing not there yet has none."""
    closes: tuple[Stage, ...] = ()
    """The stages that close it when they are left."""
    link: str = ""
    """The page on which it is done, below that of its process or its year."""
    shows: Body | None = None
    """The schema of the result, where it is one row that everybody sees alike."""
    tries: Callable[[Session, Origin, Settings], timedelta | None] | None = None
    """Of what is open to everybody: counts a try, or returns how long it must wait."""
    secret: bool = False
    """True if it takes or answers a secret: nothing of it is kept for a repetition."""
    version: Callable[[Call[On], R], int | None] = field(default=lambda call, result: getattr(result, "version", None))
    """The version of the result, for the next change."""


Address = Mapping[str, str | int]
"""The names in an address, each with what it is: ``year``, ``code``, ``record_id``."""
AnyAct = Act[Any, Any]
"""An act on any kind of thing."""


@dataclass(frozen=True)
class Done:
    """The result of an act (办结): its rows, and facts that no row tells.

    The rows are enough to show it again. Never what anybody wrote.
    """

    rows: Sequence[Any]
    facts: Mapping[str, Any] = field(default_factory=dict)


def knock(engine: Engine, act: AnyAct, origin: Origin, settings: Settings) -> None:
    """Count a try at an act, before anything that was sent is read.

    Raises TooManyTries.
    """
    if act.tries is None:
        return
    with transaction(engine, actor=None) as counting:
        wait = act.tries(counting, origin, settings)
    if wait is not None:
        raise TooManyTries(wait)


def enter(call: Call[object], action: Action, branch_code: str | None, *, changes: bool) -> Call[object]:
    """Let a caller in by the access table. Raises Forbidden, NotFound.

    A caller who stands in for somebody in a branch changes things there in that name; history says
    both. Who was on a roll of a branch and has gone to another keeps what is their own there.
    """
    try:
        by_roles = call.by.may(action, branch_code)
    except NotFound:
        # Asked only of those who are refused, so that it costs the others nothing.
        if action not in KEPT_AFTER_MOVING or branch_code is None or not stood_on_a_roll(call.session, call.by.person_id, branch_code):
            raise
        by_roles = {Role.MEMBER: Scope.OWN}
    if changes and branch_code is not None and (absent := call.by.stands_for.get(branch_code)) is not None:
        act_as(call.session, actor=call.by.staff_no, on_behalf_of=absent)
    return replace(call, by_roles=by_roles)


def admit(call: Call[object], act: AnyAct, branch_code: str | None, repeatable: Repeatable | None) -> tuple[Call[object], KeptOutcome | None]:
    """Check the caller's role, and find the earlier outcome under the same key: the first step.

    Raises Forbidden, NotFound, RequestInProgress, Invalid for a key that was used for something
    else.
    """
    if act.action is not None:
        call = enter(call, act.action, branch_code, changes=True)
    return call, idempotency.kept_before(call.session, repeatable) if repeatable else None


def find(call: Call[object], act: Act[On, R], address: Address) -> Call[On]:
    """Find the process under the act's lock, and the thing, by its address: the second step.

    Raises NotFound.
    """
    call, rest = at(call, act.kind, act.lock, address)
    return cast(Call[On], call if act.on is None else replace(call, found=act.on(call, **rest)))


def at(call: Call[object], kind: Kind | None, lock: Lock, address: Address) -> tuple[Call[object], dict[str, Any]]:
    """Find the process that an address names by ``year`` and ``code``, if any.

    Returns the other names of the address too.
    """
    rest = dict(address)
    if kind is not None:
        call = replace(call, on_process=process_of(call.session, int(rest.pop("year")), str(rest.pop("code")), kind=kind, lock=lock))
    return call, rest


def wants_version(call: Call[object], act: AnyAct) -> bool:
    """Tell whether the caller must name the version they have seen.

    A thing that is not there yet has no version.
    """
    return act.wants_version and (act.on is None or call.found is not None)


def perform(call: Call[On], act: Act[On, R], body: object) -> R:
    """Read the content by the act's schema, and do the act: the third step.

    Raises Invalid, and the refusals of the verb.
    """
    return carry_out(call, act, load(act.sends, body) if act.sends is not None else body)


def carry_out(call: Call[On], act: Act[On, R], sent: Any) -> R:
    """Do an act with content that its schema has read, alone or as one of many in bulk.

    Nobody decides on their own. Raises Forbidden, and the refusals of the verb.
    """
    # In bulk it is asked of each item.
    if act.action in JUDGED and call.on_process is not None:
        _must_not_be_their_own(call)
        if act.action in OFFICE_FIRST and Role.OFFICE not in call.by_roles:
            _nobody_of_the_office_may(call)
    return act.does(call, sent)


def must_not_be_their_branch(by: Caller, process: Process) -> None:
    """Raise Forbidden for a person who has a post in the branch that they would decide on."""
    if by.has_post_in(process.branch.code):
        zh = f"您在{process.branch_name}任职，本支部的事请党委办公室其他同志办理；没有其他同志的，由党委办理"
        raise Forbidden(Words(zh, "you have a post in this branch: another of the office decides, or else the committee"))


def _must_not_be_their_own(call: Call[object]) -> None:
    """Raise Forbidden for a decision on one's own branch, on oneself, or on what one entered."""
    must_not_be_their_branch(call.by, call.process)
    must_not_be_about_them(call.by, *_people_in(call.found))
    must_not_be_their_entry(call.by, getattr(call.found, "recorded_by", None))


def _nobody_of_the_office_may(call: Call[object]) -> None:
    """Raise Forbidden for the committee while somebody of the office has no post in the branch."""
    clerks = holders_of(call.session, Role.OFFICE, call.today)
    if any(not caller_for(call.session, each.staff_no, call.today).has_post_in(call.process.branch.code) for each in clerks):
        zh = "由党委办公室办理；党委办公室的同志都在该支部任职的，才由党委办理"
        raise Forbidden(Words(zh, "the office does it; the committee only where all of the office have posts in the branch"))


def _people_in(thing: object) -> Sequence[str]:
    """List the people whom a thing is about: a record's or a roll's member, a reason's subjects."""
    return [getattr(thing, "staff_no", ""), *(part for subject in getattr(thing, "covers", ()) for part in subject.split(":"))]


def must_not_be_about_them(by: Caller, *staff_nos: str) -> None:
    """Raise Forbidden for a person whom it is about."""
    if by.staff_no in staff_nos:
        raise Forbidden(Words("这是您本人的事，请他人办理", "it is about yourself: somebody else decides"))


def must_not_be_their_entry(by: Caller, entered_by: str | None) -> None:
    """Raise Forbidden for the person who entered what they would decide on."""
    if entered_by == by.staff_no:
        raise Forbidden(Words("这是您自己登记的，请他人办理", "you entered it yourself: somebody else decides"))


def keep(call: Call[object], act: AnyAct, result: Any, repeatable: Repeatable) -> None:
    """Keep the outcome, as the last statement of its transaction."""
    several = isinstance(result, Done)
    rows = [[row.__tablename__, *inspect(row).identity] for row in (result.rows if several else [result])]
    facts = dict(result.facts) if several else None
    idempotency.keep_outcome(call.session, repeatable, rows=rows, facts=facts, version=act.version(call, result))


def shown_again(call: Call[object], act: AnyAct, kept: KeptOutcome, address: Address) -> tuple[Call[object], object]:
    """Find the result of an act that was done before, as it stands now.

    Raises NotFound where a row of it is gone.
    """
    call, _ = at(call, act.kind, Lock.NONE, address)
    rows = [call.session.get(_model(table), tuple(identity)) for table, *identity in kept.rows]
    if None in rows:
        raise NotFound
    return call, rows[0] if kept.facts is None else Done(rows, kept.facts)


@cache
def _model(table: str) -> type[Base]:
    """Return the mapped class of a table."""
    return next(mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__tablename__ == table)
