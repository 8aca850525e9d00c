"""Every route takes as much as it may take, and refuses one byte more, in the order of answers."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import event, text
from werkzeug.test import TestResponse

from api import ROUTES
from api.frame import bodies
from api.frame.bodies import MOST_VALUES
from api.frame.routes import Route
from tests.api.conftest import B, token_of
from tests.support.servers import House
from tests.support.world import ELSEWHERE, World, address, client_of
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Role
from workflow.people.access import ACCESS
from workflow.people.guard.throttle import NETWORK

KIB, MIB = 1024, 1024 * 1024
WRITES = [route for route in ROUTES if route.method != "GET"]
OPEN = [route for route in WRITES if route.action is None]
CLOSED = [route for route in WRITES if route.action is not None and not route.upload]
UPLOADS = [route for route in WRITES if route.upload]
TALKS = next(route for route in CLOSED if route.rule.endswith("/talks") and route.method == "POST")
MOVES = next(route for route in CLOSED if route.rule.endswith("/branches/<code>/moves"))
JSON = "application/json"


def named(route: Route) -> str:
    return f"{route.method} {route.rule}"


@cache
def body_of(size: int) -> bytes:
    """Make a JSON object of so many bytes whose one field no act takes.

    Once: what is sent hangs in the answers' cycles until Python looks for them.
    """
    return b'{"strange": "' + b"x" * (size - len(b'{"strange": ""}')) + b'"}'


def send(
    world: World, route: Route, sent: bytes, token: str = "", *, in_parts: bool = False, kind: str = JSON, headers: Mapping[str, str] | None = None
) -> TestResponse:
    """Send bytes to a route; ``in_parts``: chunked, so that nobody knows how many there will be."""
    environ: dict[str, Any] = {"wsgi.input_terminated": True}
    if in_parts:
        environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    given = {"Authorization": f"Bearer {token}"} if token else {}
    path = f"/api/v1{address(route, world.here, world.ids)}"
    return world.house.app.test_client().open(
        path,
        method=route.method,
        input_stream=BytesIO(sent),
        content_type=kind,
        headers={"Content-Length": str(len(sent)), "If-Match": '"1"', **given, **(headers or {})},
        environ_overrides=environ,
    )


def slug(answer: TestResponse) -> str:
    assert answer.mimetype == "application/problem+json", answer.get_data(as_text=True)
    return str(answer.get_json()["type"].partition("#")[2])


def somebody_who_may(world: World, route: Route) -> str:
    """Return the token of somebody whose role does this."""
    assert route.action is not None
    roles = ACCESS[route.action]
    wanted = next(role for role in (Role.OFFICE, Role.SECRETARY, Role.MEMBER, Role.COMMITTEE, Role.ADMINISTRATOR) if role in roles)
    return str(client_of(world, wanted.value).token)


@pytest.fixture
def unthrottled(world: World) -> None:
    with transaction(world.house.engine, actor=None) as session:
        session.execute(text("delete from attempt"))


# ── limits ────────────────────────────────────────────────────────────────────────────────────


def test_the_limit_of_a_route_follows_from_its_kind() -> None:
    assert {route.at_most_bytes for route in OPEN} == {8 * KIB}
    assert {route.at_most_bytes for route in CLOSED if route.body is None} == {8 * KIB}
    assert {route.at_most_bytes for route in CLOSED if route.body is not None} == {MIB}
    assert {route.at_most_bytes for route in UPLOADS} == {None}
    assert {named(route) for route in UPLOADS} == {
        "POST /roster-imports",
        "POST /cycles/<int(max=9999):year>/activities/<int(max=9223372036854775807):record_id>/attendance-imports",
    }


@pytest.mark.usefixtures("unthrottled")
@pytest.mark.parametrize("in_parts", [False, True], ids=["of known length", "in parts"])
@pytest.mark.parametrize("route", OPEN, ids=named)
def test_an_open_route_takes_8_kib_from_anybody_and_no_byte_more(world: World, route: Route, in_parts: bool) -> None:
    sizes = {size: slug(send(world, route, body_of(size), in_parts=in_parts)) for size in (8 * KIB, 8 * KIB + 1, MIB, 10 * MIB, 11 * MIB)}
    assert sizes == {8 * KIB: "invalid", **dict.fromkeys((8 * KIB + 1, MIB, 10 * MIB, 11 * MIB), "too-large")}


@pytest.mark.parametrize("in_parts", [False, True], ids=["of known length", "in parts"])
@pytest.mark.parametrize("route", CLOSED, ids=named)
def test_a_route_takes_its_limit_and_no_byte_more(world: World, route: Route, in_parts: bool) -> None:
    token, most = somebody_who_may(world, route), route.at_most_bytes or 0
    before = world.house.state()
    one_more = send(world, route, body_of(most + 1), token, in_parts=in_parts)
    assert (one_more.status_code, slug(one_more)) == (413, "too-large")
    assert world.house.state() == before
    if route.body is not None:
        assert slug(send(world, route, body_of(most), token, in_parts=in_parts)) == "invalid"


@pytest.mark.parametrize("in_parts", [False, True], ids=["of known length", "in parts"])
@pytest.mark.parametrize("route", [*CLOSED, *UPLOADS], ids=named)
def test_a_stranger_is_asked_to_sign_in_before_more_than_8_kib_are_read(world: World, route: Route, in_parts: bool) -> None:
    for token, size in (("", KIB), ("", 11 * MIB), ("zb_made_up", 8 * KIB + 1), ("zb_made_up", MIB)):
        assert slug(send(world, route, body_of(size), token, in_parts=in_parts)) == "unauthenticated"


def test_what_a_stranger_sends_is_not_parsed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []

    def parse(sent: bytes) -> object:
        parsed.append(len(sent))
        return {}

    monkeypatch.setattr(bodies, "read_json", parse)
    for in_parts in (False, True):
        assert slug(send(world, TALKS, body_of(100 * KIB), "zb_made_up", in_parts=in_parts)) == "unauthenticated"
    assert parsed == []
    send(world, TALKS, body_of(100 * KIB), str(client_of(world, "secretary").token))
    assert parsed == [100 * KIB]


# ── the order of answers ──────────────────────────────────────────────────────────────────────


def test_too_much_is_refused_after_the_person_and_the_place_and_before_its_type(world: World) -> None:
    too_much, secretary = body_of(MIB + 1), str(client_of(world, "secretary").token)
    elsewhere, member = str(client_of(world, ELSEWHERE).token), str(client_of(world, "member").token)
    assert slug(send(world, TALKS, too_much, kind="text/plain")) == "unauthenticated"
    assert slug(send(world, TALKS, too_much, elsewhere, kind="text/plain")) == "not-found"
    assert slug(send(world, TALKS, too_much, member, kind="text/plain")) == "forbidden"
    assert slug(send(world, TALKS, too_much, secretary, kind="text/plain")) == "too-large"
    assert slug(send(world, TALKS, b"{", secretary, kind="text/plain")) == "unsupported-media-type"
    assert slug(send(world, MOVES, too_much, secretary, headers={"If-Match": ""})) == "too-large"
    assert slug(send(world, TALKS, too_much, secretary, headers={"Idempotency-Key": "too-much"})) == "too-large"


def test_many_small_values_are_too_much_as_well(world: World) -> None:
    secretary = str(client_of(world, "secretary").token)
    for count, answered in ((MOST_VALUES, "invalid"), (MOST_VALUES + 1, "too-large")):
        assert slug(send(world, TALKS, b"[" + b",".join([b"1"] * count) + b"]", secretary)) == answered


def test_the_tries_of_an_open_route_are_counted_before_what_is_sent_is_read(house: House) -> None:
    client = house.app.test_client()
    answers = [client.post("/api/v1/session", data=b"{", content_type=JSON).status_code for _ in range(NETWORK.at_most)]
    assert answers == [400] * NETWORK.at_most
    with transaction(house.engine, actor=None) as session:
        session.execute(text("update attempt set count = count + 9"))
    assert client.post("/api/v1/session", data=b"{", content_type=JSON).status_code == 429
    assert client.post("/api/v1/session", data=body_of(MIB), content_type=JSON).status_code == 429
    assert client.post("/api/v1/session/forgotten", data=b"{", content_type=JSON).status_code == 400


def test_the_content_is_read_before_a_transaction_is_opened(house: House) -> None:
    happened: list[str] = []

    class Slow(BytesIO):
        def readinto(self, buffer: Any, /) -> int:
            happened.append("read")
            return super().readinto(buffer)

        def read(self, size: int | None = -1, /) -> bytes:
            happened.append("read")
            return super().read(size)

    with transaction(house.engine, actor="cli") as session:
        token = token_of(session, "z3")
    sent = json.dumps({"held_on": "2024-12-19", "talker": "z3", "partner": "w5"}).encode()

    def began(_: Any) -> None:
        happened.append("began")

    event.listen(house.engine, "begin", began)
    try:
        answer = house.app.test_client().post(
            f"/api/v1{B}/talks",
            input_stream=Slow(sent),
            content_type=JSON,
            headers={"Authorization": f"Bearer {token}", "Content-Length": str(len(sent))},
            environ_overrides={"wsgi.input_terminated": True},
        )
    finally:
        event.remove(house.engine, "begin", began)
    assert answer.status_code == 201, answer.get_json()
    assert happened.count("began") == 1, "no more than one transaction"
    assert happened[-1] == "began"


# ── faults ────────────────────────────────────────────────────────────────────────────────────


def test_no_more_than_50_faults_are_told_and_that_there_are_more_is_said(house: House) -> None:
    secretary = house.as_("张三")
    for body in (
        {f"strange{number}": 0 for number in range(51)},
        {f"strange{number}": 0 for number in range(15_000)},
        {"present": [0] * 51, "held_on": "2024-12-19"},
    ):
        refused = secretary.post(f"{B}/study-sessions", body)
        assert refused.status == 422
        assert len(refused.body["errors"]) == 50
        assert "只列出 50 处" in refused.body["detail"]
        assert len(json.dumps(refused.body)) < 8 * KIB
    some = secretary.post(f"{B}/study-sessions", {f"strange{number}": 0 for number in range(49)})
    assert len(some.body["errors"]) == 50, "held_on is required"
    assert "50" not in some.body["detail"]


def test_nothing_of_what_was_refused_stays_in_memory(house: House) -> None:
    # With a list in it: the collector does not list a dict of plain values.
    secretary, sent = house.as_("张三"), {"canary among names": [0]}
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            assert secretary.post(f"{B}/study-sessions", sent).status == 422
        held = [each for each in gc.get_objects() if isinstance(each, dict) and each is not sent and "canary among names" in each]
    finally:
        gc.enable()
    assert held == []


def test_a_long_name_is_not_told_in_full(house: House) -> None:
    refused = house.as_("张三").post(f"{B}/study-sessions", {"名" * 300_000: 0})
    assert refused.status == 422
    assert len(json.dumps(refused.body, ensure_ascii=False)) < KIB
    twice = f'{{"{"x" * 10_000}": 1, "{"x" * 10_000}": 2}}'.encode()
    again = house.app.test_client().post(
        f"/api/v1{B}/study-sessions", data=twice, content_type=JSON, headers={"Authorization": f"Bearer {house.as_('张三').token}"}
    )
    assert (again.status_code, len(again.get_data()) < KIB) == (400, True)


def test_six_thousand_unknown_parameters_are_answered_in_few_words(house: House) -> None:
    office, query = house.as_("office"), "&".join(f"strange{number}=1" for number in range(6000))
    for path in (f"{B}?{query}", f"{B}/talks?{query}"):
        refused = office.get(path)
        assert (refused.status, len(refused.body["errors"])) == (422, 50)


# ── uploads ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("in_parts", [False, True], ids=["of known length", "in parts"])
def test_a_workbook_of_10_mib_is_looked_at_and_one_byte_more_is_not(world: World, in_parts: bool) -> None:
    office, edge = str(client_of(world, "office").token), "----edge"
    kind = f"multipart/form-data; boundary={edge}"

    def form(size: int) -> bytes:
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="名册.xlsx"\r\n\r\n'.encode()
        return head + b"x" * size + f"\r\n--{edge}--\r\n".encode()

    for route in UPLOADS:
        assert send(world, route, form(10 * MIB), office, in_parts=in_parts, kind=kind).status_code == 201
        for size in (10 * MIB + 1, 11 * MIB):
            assert slug(send(world, route, form(size), office, in_parts=in_parts, kind=kind)) == "too-large"
