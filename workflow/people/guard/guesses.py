"""Guesses (猜密码): how many tries at passwords get through, and in which order they are counted.

A stranger slows an account, and never locks out a browser that has signed in before: docs/0040.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from workflow.foundation.database import transaction
from workflow.foundation.settings import Settings
from workflow.people.guard.origin import Origin, mark_of
from workflow.people.guard.throttle import ACCOUNT, NETWORK, PAIR, WELCOME, TooManyTries, add, first, forget, give_back, network_of, slowed, take


def knock(session: Session, origin: Origin, settings: Settings) -> timedelta | None:
    """Count a try to sign in, before anything that was sent is read: return how long it must wait.

    Of a marked browser none is counted yet: how many it has depends on the person.
    """
    return None if mark_of(origin, settings) else take(session, NETWORK, network_of(origin.address))


@dataclass(frozen=True)
class Guess:
    """A try at the password of an account (一次尝试), counted before the password is looked at.

    1. In a browser in which this person has signed in, it counts there alone.
    2. Otherwise it counts for its network at any account, if it did not when it knocked;
    3. for the account from this network, after a wait if the account had many tries;
    4. and for the account from all networks, which makes that wait grow.
    """

    staff_no: str
    network: str
    browser: str | None
    """The browser, if it has the mark of this person."""
    knocked: bool
    """True if the network has counted it already."""

    def count(self, engine: Engine) -> None:
        """Count it, and commit that: it stays whatever comes of the guess. Raises TooManyTries."""
        if self.browser is None and not self.knocked:
            with transaction(engine, actor=None) as counting:
                wait = take(counting, NETWORK, self.network)
            if wait is not None:
                raise TooManyTries(wait)
        with transaction(engine, actor=None) as counting:
            wait = self._wait(counting)
            if wait is not None and self.browser is None:
                # It was no guess: who insists closes no network to others.
                give_back(counting, NETWORK, self.network)
        if wait is not None:
            raise TooManyTries(wait)

    def _wait(self, session: Session) -> timedelta | None:
        if self.browser is not None:
            return take(session, PAIR, self.staff_no, "browser", self.browser)
        wait = take(session, PAIR, self.staff_no, "network", self.network, gap=slowed(session, ACCOUNT, self.staff_no))
        if wait is None:
            add(session, ACCOUNT, self.staff_no)
        return wait

    def was_right(self, session: Session) -> None:
        """Take back what was counted: the password was right.

        The first time in an hour it makes up for somebody's mistake in the same network too.
        """
        if self.browser is not None:
            forget(session, PAIR, self.staff_no, "browser", self.browser)
            return
        forget(session, PAIR, self.staff_no, "network", self.network)
        give_back(session, ACCOUNT, self.staff_no)
        give_back(session, NETWORK, self.network, tries=2 if first(session, WELCOME, self.staff_no, self.network) else 1)


def guess_at(staff_no: str, origin: Origin, settings: Settings, *, knocked: bool) -> Guess:
    """Prepare a try at an account. ``knocked``: its route counts the tries of unmarked browsers."""
    mark = mark_of(origin, settings)
    browser = mark.browser if mark is not None and mark.knows(staff_no) else None
    return Guess(staff_no, network_of(origin.address), browser, knocked and mark is None)
