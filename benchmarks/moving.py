"""Branches that are moved to and fro (往返推进), each by its own secretary."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from uuid import uuid4

from benchmarks.frame.load import Request, post
from benchmarks.frame.servers import BASE
from benchmarks.school.plan import YEAR, Branch, Scale, branches

ADVANCE = b'{"trigger": "advance"}'
STEP_BACK = '{"trigger": "step_back", "to": "talks", "reason": "更正谈话记录"}'.encode()
_TAG = b'etag: "'


@dataclass(slots=True)
class _Place:
    """A branch, its path, and its version."""

    branch: Branch
    path: str
    token: str
    version: int = 1


class Moving:
    """All branches whose talks are complete, sorted by their stage."""

    def __init__(self, scale: Scale) -> None:
        places = [
            _Place(each, f"{BASE}/cycles/{YEAR}/branches/{each.code}", each.token(1))
            for each in branches(scale)
            if each.moves
        ]
        self.at_talks = deque(places)
        self.at_self_review: deque[_Place] = deque()
        self.made = 0
        """Moves that were answered."""

    def advance(self) -> Request | None:
        """Move the next branch from talks to self_review."""
        return self._move(self.at_talks, self.at_self_review, ADVANCE)

    def step_back(self) -> Request | None:
        """Move the next branch from self_review to talks."""
        return self._move(self.at_self_review, self.at_talks, STEP_BACK)

    def either(self) -> Request | None:
        """Move the next branch from the stage where more of them are."""
        if len(self.at_talks) >= len(self.at_self_review):
            return self.advance()
        return self.step_back()

    def _move(self, source: deque[_Place], target: deque[_Place], body: bytes) -> Request | None:
        if not source:
            return None
        place = source.popleft()

        def moved(head: bytes) -> None:
            at = head.lower().find(_TAG) + len(_TAG)
            place.version = int(head[at : head.find(b'"', at)])
            target.append(place)
            self.made += 1

        request = post(f"{place.path}/moves", body, place.token, If_Match=f'"{place.version}"')
        return Request(request, 201, moved)

    def talk(self, held_on: str, *, with_key: bool = False) -> Request | None:
        """Record one more talk of the secretary with a member, in a branch that stands at talks."""
        if not self.at_talks:
            return None
        place = self.at_talks[0]
        self.at_talks.rotate(-1)
        talker, partner = place.branch.staff_no(1), place.branch.staff_no(place.branch.members)
        body = f'{{"held_on": "{held_on}", "talker": "{talker}", "partner": "{partner}"}}'.encode()
        key = {"Idempotency_Key": uuid4().hex} if with_key else {}
        return Request(post(f"{place.path}/talks", body, place.token, **key), 201)
