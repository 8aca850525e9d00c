"""Texts that show nothing (空白文字), tried in every text that can be sent, and over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from marshmallow import fields

from api import ROUTES
from api.frame.routes import Route
from tests.api.every_route.test_limits import all_bodies, is_refused, parts, put
from tests.support.limits import LIMITS
from tests.support.world import EVERYBODY, World, address, ask, client_of
from workflow.foundation.fields import Body, Line, LongText, StaffNo, TextOrNumber

NOTHING = {
    "blanks": " \t\n\u3000\u00a0",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff",
    "directions": "\u202a\u202e\u202c\u2066\u2069\u200f",
    "tags": "\U000e0001\U000e0041\U000e007f",
    "fillers": "\u3164\u115f\u1160\uffa0",
    "Braille blank": "\u2800",
    "blank signs": "\U0001d159\U00013441",
    "soft hyphen": "\u00ad\u180e",
    "marks alone": "\u034f\ufe0f\U000e0100\u17b4",
    "private and unknown": "\ue000\u0378\uffff",
    "separators": "\u2028\u2029",
}
"""Texts in which a reader sees nothing."""
IN_A_LINE = {"turned around": "一\u202e二", "another line": "一\u2028二", "another paragraph": "一\u2029二", "isolated": "\u2067一\u2069二"}
"""Texts that a line may not hold: names, titles and places stand in letters, lists and files."""


def is_text(each: fields.Field[Any]) -> bool:
    return isinstance(each, LongText | TextOrNumber)


def test_no_text_of_any_body_takes_what_shows_nothing_and_no_line_what_turns_it_around() -> None:
    wrong, tried = [], 0
    for name, body in all_bodies().items():
        by_path = {limit.path: limit for limit in LIMITS[name]}
        for field, each in body().load_fields.items():
            for path, part in parts(each.data_key or field, each):
                # Whatever takes a text of people is one of ours: no plain String is in any body.
                assert not isinstance(part, fields.String) or isinstance(part, LongText | StaffNo | fields.Email), f"{name}.{path}"
                may_be_empty = by_path[path].kind in ("text", "line") and by_path[path].least == 0
                if not is_text(part) or may_be_empty:
                    continue
                for what, text in (*NOTHING.items(), *(IN_A_LINE.items() if isinstance(part, Line) else ())):
                    tried += 1
                    if not is_refused(body, *put(by_path[path], text, by_path)):
                        wrong.append(f"{name}.{path} takes {what}")
    assert wrong == []
    assert tried > 1000


def blanks(body: Body, at: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield the fields of a body with texts in them: name, a value that shows nothing, its path."""
    for name, each in body.load_fields.items():
        key = each.data_key or name
        if isinstance(each, LongText) and each.required:
            yield key, "\u200b\u3164", f"{at}{key}"


def test_over_http_each_required_text_that_shows_nothing_is_named_and_nothing_is_changed(world: World) -> None:
    for who in EVERYBODY[:-1]:
        client_of(world, who)
    told, before = {}, world.house.state()
    for route in (route for route in ROUTES if route.body is not None and list(blanks(route.body))):
        body = {name: value for name, value, _ in blanks(route.body or Body())}
        status, answer = first_let_in(world, route, body)
        left = [path for _, _, path in blanks(route.body or Body()) if path not in answer.get("errors", {})]
        if status != 422 or left:
            told[route.rule] = status, left, answer
    assert told == {}
    # Tries at what is open to everybody are counted.
    assert {**world.house.state(), "attempt": 0} == {**before, "attempt": 0}


def first_let_in(world: World, route: Route, body: Any) -> tuple[int, dict[str, Any]]:
    """Send a body as the first caller who may do it."""
    for who in reversed(EVERYBODY):
        status, answer = ask(world, route, who, address(route, world.here, world.ids), body=body)
        if status not in (401, 403, 404):
            break
    return status, answer


def test_names_of_people_show_something_however_they_come(world: World) -> None:
    administrator, office = (world.house.as_(who) for who in ("administrator", "office"))
    for text in (*NOTHING.values(), *IN_A_LINE.values()):
        refused = [
            administrator.post("/accounts", {"staff_no": "new1", "name": text, "role": "auditor"}),
            office.post("/people", {"staff_no": "new1", "name": text, "branch": world.here.code, "standing": "full"}),
            office.patch(f"/people/{world.here.member}", {"name": text}, seen=1),
        ]
        assert [(answer.status, list(answer.body["errors"])) for answer in refused] == [(422, ["name"])] * 3, repr(text)
