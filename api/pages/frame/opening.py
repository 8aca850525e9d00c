"""Acts that are open to everybody (不需登录的办理): signing in, a forgotten password, an invitation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.frame.base import call_of, origin_here
from api.frame.routes import Answer, Route, service
from api.people import invitations, session
from workflow.foundation.database import transaction, with_one_retry
from workflow.rules.acts import Address, admit, find, knock, perform

ROUTES: Mapping[str, Route] = {route.act.name: route for route in (*session.routes, *invitations.routes) if route.act is not None}


def done_by_anybody(name: str, address: Address, body: Mapping[str, Any]) -> Answer:
    """Do an act that is open to everybody, and return what the API would answer."""
    route = ROUTES[name]
    act = route.act
    assert act is not None  # noqa: S101
    with_one_retry(lambda: knock(service().engine, act, origin_here(), service().settings))

    def once() -> Answer:
        with transaction(service().engine, actor="anonymous") as opened:
            call, _ = admit(call_of(opened), act, None, None)
            call = find(call, act, address)
            answer = route.view(call, perform(call, act, body))
            return answer if isinstance(answer, Answer) else Answer(answer)

    return with_one_retry(once)
