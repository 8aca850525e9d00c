"""The manners of the API: the order of its refusals, their words, and its handling of bad input."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from tests.api.conftest import B, Client
from tests.support.builders import READING
from tests.support.servers import YEAR, Cast, House

PROBLEM = {"type", "title", "status", "detail", "instance", "request_id"}
TALK = {"held_on": "2024-12-19"}


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


def refusal(house: House, status: int, method: str, path: str, *, token: str | None = None, body: bytes | None = None, **headers: str) -> Any:
    """Send bytes, expect this refusal in the shape of RFC 9457.

    Nothing may change.
    """
    before = house.state()
    sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **headers}
    answer = house.app.test_client().open(f"/api/v1{path}", method=method, data=body, headers=sent)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert house.state() == before
    return a_problem(answer)


def a_problem(answer: TestResponse) -> Any:
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json()
    assert body.keys() >= PROBLEM
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body


def sent(body: Any) -> bytes:
    return json.dumps(body).encode()


JSON = {"Content-Type": "application/json"}


# ── the order of answers ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_move_with_every_fault_is_refused_for_one_after_the_other(house: House, branch: Cast) -> None:
    moves, another = f"{branch.path}/moves", house.a_branch()
    secretary, stranger = house.as_(branch.secretary).token, house.as_(another.secretary).token
    bad = sent({"trigger": "advance", "unknown": 1})
    text_type, stale, right = {"Content-Type": "text/plain"}, {"If-Match": '"7"'}, {"If-Match": '"1"'}
    refusal(house, 401, "POST", moves, body=b"{", **text_type)
    refusal(house, 404, "POST", moves, token=stranger, body=b"{", **text_type)
    refusal(house, 415, "POST", moves, token=secretary, body=b"{", **text_type)
    refusal(house, 428, "POST", moves, token=secretary, body=b"{", **JSON)
    refusal(house, 400, "POST", moves, token=secretary, body=b"{", **JSON, **stale)
    assert refusal(house, 422, "POST", moves, token=secretary, body=bad, **JSON, **stale)["errors"].keys() == {"unknown"}
    refusal(house, 403, "POST", moves, token=secretary, body=sent({"trigger": "accept"}), **JSON, **stale)
    refusal(house, 412, "POST", moves, token=secretary, body=sent({"trigger": "advance"}), **JSON, **stale)
    refusal(house, 409, "POST", moves, token=secretary, body=sent({"trigger": "advance"}), **JSON, **right)


@pytest.mark.parametrize("tag", ["*", 'W/"1"', "1", '"x"', '""', '"', '"1", "2"', '"-1"', '"１"', '"' + "9" * 30 + '"'])
def test_a_tag_that_is_none_of_ours_is_stale(house: House, branch: Cast, tag: str) -> None:
    token, headers = house.as_(branch.secretary).token, {**JSON, "If-Match": tag.encode().decode("latin-1")}
    move = refusal(house, 412, "POST", f"{branch.path}/moves", token=token, body=sent({"trigger": "advance"}), **headers)
    change = refusal(house, 412, "PATCH", f"{branch.path}/roll/{branch.member}", token=token, body=sent({"excused_reason": "外出"}), **headers)
    stale = refusal(house, 412, "POST", f"{branch.path}/moves", token=token, body=sent({"trigger": "advance"}), **JSON, **{"If-Match": '"7"'})
    assert ["弱标签" in each["detail"] for each in (move, change, stale)] == [True, True, False]


def test_the_body_is_judged_before_a_tag_that_is_none_of_ours(house: House, branch: Cast) -> None:
    headers = {**JSON, "If-Match": "*"}
    refusal(house, 422, "POST", f"{branch.path}/moves", token=house.as_(branch.secretary).token, body=sent({"trigger": "fly"}), **headers)


def a_talk(house: House, branch: Cast) -> str:
    body = {**TALK, "talker": branch.secretary, "partner": branch.member}
    made = house.as_(branch.secretary).post(f"{branch.path}/talks", body)
    assert made.status == 201, made.body
    return f"{branch.path}/talks/{made.body['id']}"


def test_a_change_with_every_fault_is_refused_for_one_after_the_other(house: House, branch: Cast) -> None:
    path, another = a_talk(house, branch), house.a_branch()
    secretary, organiser, stranger = (house.as_(each).token for each in (branch.secretary, branch.organiser, another.secretary))
    stale = {**JSON, "If-Match": '"7"'}
    refusal(house, 401, "PATCH", path, body=b"{", **{"Content-Type": "text/plain"})
    refusal(house, 403, "PATCH", path, token=house.as_(branch.member).token, body=b"{", **{"Content-Type": "text/plain"})
    refusal(house, 404, "PATCH", path, token=stranger, body=b"{", **{"Content-Type": "text/plain"})
    refusal(house, 415, "PATCH", path, token=secretary, body=b"{", **{"Content-Type": "text/plain"})
    refusal(house, 428, "PATCH", path, token=secretary, body=b"{", **JSON)
    refusal(house, 422, "PATCH", path, token=organiser, body=sent({"way": "letter"}), **stale)
    refusal(house, 422, "PATCH", path, token=organiser, body=sent({"held_on": "2999-01-01"}), **stale)
    refusal(house, 403, "PATCH", path, token=organiser, body=sent({"place": "会议室"}), **stale)
    refusal(house, 412, "PATCH", path, token=secretary, body=sent({"place": "会议室"}), **stale)


@pytest.mark.parametrize("what", ["talks/999999", "study-sessions/999999", "roll/nobody"])
def test_a_record_that_does_not_exist_is_missing_before_anything_else_is_looked_at(house: House, branch: Cast, what: str) -> None:
    token = house.as_(branch.secretary).token
    refusal(house, 404, "PATCH", f"{branch.path}/{what}", token=token, body=b"{", **{"Content-Type": "text/plain"})


def test_a_year_that_does_not_exist_is_missing_before_anything_else_is_looked_at(house: House) -> None:
    refusal(house, 404, "PATCH", "/cycles/2099", token=house.as_("office").token, body=b"{", **JSON)


def in_talks(house: House, branch: Cast) -> tuple[str, str]:
    """Bring a branch past study and talks, with a record of each."""
    secretary, everything = house.as_(branch.secretary), {"titles": list(READING), "present": branch.everybody, "exchange": "交流了体会"}
    held = secretary.post(f"{branch.path}/study-sessions", {"held_on": "2024-12-18", **everything}).body["id"]
    talk = a_talk(house, branch)
    leave(house, branch)
    return f"{branch.path}/study-sessions/{held}", talk


def leave(house: House, branch: Cast) -> None:
    """Move on through talks, with reasons for missing talks."""
    secretary = house.as_(branch.secretary)
    assert secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=1).status == 201
    refused = secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=2)
    for each in refused.body["unmet"]:
        reason = {"requirement": each["requirement"], "subjects": [subject["id"] for subject in each["subjects"]], "reason": "长期在外"}
        assert secretary.post(f"{branch.path}/waivers", reason).status == 201
    assert secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=2).status == 201


def test_of_a_closed_stage_what_is_wrong_in_itself_is_said_first(house: House, branch: Cast) -> None:
    study, talk = in_talks(house, branch)
    secretary, organiser = house.as_(branch.secretary).token, house.as_(branch.organiser).token
    stale, right = {**JSON, "If-Match": '"7"'}, {**JSON, "If-Match": '"1"'}
    bodies: list[tuple[str, dict[str, Any]]] = [(study, {"form": "讨论"}), (talk, {"place": "会议室"})]
    for path, body in bodies:
        assert refusal(house, 409, "PATCH", path, token=secretary, body=sent(body), **right)["type"].endswith("stage-closed")
        refusal(house, 412, "PATCH", path, token=secretary, body=sent(body), **stale)
        refusal(house, 422, "PATCH", path, token=secretary, body=sent({"held_on": "2999-01-01"}), **stale)
    refusal(house, 403, "PATCH", talk, token=organiser, body=sent({"place": "会议室"}), **stale)


def test_a_closed_stage_takes_no_record_and_says_first_what_is_wrong_with_it(house: House, branch: Cast) -> None:
    in_talks(house, branch)
    secretary = house.as_(branch.secretary).token
    good = {**TALK, "talker": branch.secretary, "partner": branch.member}
    assert refusal(house, 409, "POST", f"{branch.path}/talks", token=secretary, body=sent(good), **JSON)["type"].endswith("stage-closed")
    refusal(house, 422, "POST", f"{branch.path}/talks", token=secretary, body=sent({**good, "held_on": "2999-01-01"}), **JSON)
    refusal(house, 422, "POST", f"{branch.path}/talks", token=secretary, body=sent({**good, "partner": "nobody"}), **JSON)
    refusal(house, 403, "POST", f"{branch.path}/talks", token=house.as_(branch.organiser).token, body=sent(good), **JSON)


def test_a_line_of_a_roll_is_refused_for_one_after_the_other(house: House, branch: Cast) -> None:
    path, secretary = f"{branch.path}/roll/{branch.member}", house.as_(branch.secretary).token
    stale, right = {**JSON, "If-Match": '"7"'}, {**JSON, "If-Match": '"1"'}
    refusal(house, 428, "PATCH", path, token=secretary, body=b"{", **JSON)
    refusal(house, 422, "PATCH", path, token=secretary, body=sent({"name": "改名"}), **stale)
    refusal(house, 403, "PATCH", path, token=secretary, body=sent({"rated_here": False}), **stale)
    refusal(house, 412, "PATCH", path, token=secretary, body=sent({"excused_reason": "外出"}), **stale)
    refusal(house, 409, "PATCH", path, token=secretary, body=sent({}), **right)
    refusal(house, 412, "PATCH", path, token=secretary, body=sent({}), **stale)


# ── input that nobody should send ─────────────────────────────────────────────────────────────────────────────────────

BODIES: dict[str, tuple[bytes, int]] = {
    "no JSON": (b"{", 400),
    "nothing": (b"", 400),
    "not UTF-8": (b'{"form": "\xff"}', 400),
    "NaN": (b'{"held_on": NaN}', 400),
    "a key twice": (b'{"held_on": "2024-12-19", "held_on": "2024-12-18"}', 400),
    "a strange key twice": (b'{"\\ud800": 1, "\\ud800": 2}', 400),
    "depth 100,000": (b"[" * 100_000, 400),
    "depth 80,000, closed": (b'{"held_on":' * 80_000 + b"1" + b"}" * 80_000, 400),
    "an integer of 5,000 digits": (b'{"held_on": ' + b"9" * 5000 + b"}", 400),
    "an integer of 400 digits": (b'{"held_on": ' + b"9" * 400 + b"}", 422),
    "infinity": (b'{"held_on": 1e999}', 422),
    "a lone surrogate": (b'{"held_on": "2024-12-19", "form": "\\ud800"}', 422),
    "a lone surrogate as a name": (b'{"held_on": "2024-12-19", "\\ud800": 1}', 422),
    "NUL": (b'{"held_on": "2024-12-19", "form": "a\\u0000b"}', 422),
    "NUL as a name": (b'{"held_on": "2024-12-19", "\\u0000": 1}', 422),
    "100,000 characters": (b'{"held_on": "2024-12-19", "exchange": "' + b"a" * 100_000 + b'"}', 422),
    "a list": (b"[]", 422),
    "a word": (b'"held_on"', 422),
    "null": (b"null", 422),
    "an unknown field": (b'{"held_on": "2024-12-19", "holidays": 1}', 422),
    "what is required left out": (b"{}", 422),
    "null for what is required": (b'{"held_on": null}', 422),
    "a day that is none": (b'{"held_on": "2024-02-30"}', 422),
    "a day in the year 0": (b'{"held_on": "0000-01-01"}', 422),
    "a day still to come": (b'{"held_on": "2024-12-21"}', 422),
    "a moment for a day": (b'{"held_on": "2024-12-19T00:00:00+08:00"}', 422),
    "a list of lists": (b'{"held_on": "2024-12-19", "present": [["z3"]]}', 422),
    "an object for a list": (b'{"held_on": "2024-12-19", "titles": {"0": "a"}}', 422),
    "the same person twice": (b'{"held_on": "2024-12-19", "present": ["z3", "z3"]}', 422),
    "somebody of another branch": (b'{"held_on": "2024-12-19", "present": ["z6"]}', 422),
    "a 学工号 of 33 characters": (b'{"held_on": "2024-12-19", "present": ["' + b"a" * 33 + b'"]}', 422),
    "501 people": (sent({"held_on": "2024-12-19", "present": [f"m{n}" for n in range(501)]}), 422),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_nobody_should_send_is_refused_and_changes_nothing(house: House, name: str) -> None:
    body, status = BODIES[name]
    problem = refusal(house, status, "POST", f"{B}/study-sessions", token=house.as_("张三").token, body=body, **JSON)
    assert status != 422 or problem["errors"]
    assert all(messages and all(isinstance(each, str) and each for each in messages) for messages in problem.get("errors", {}).values())


def test_several_faults_are_told_at_once_each_at_its_field(house: House) -> None:
    body = {"held_on": "gestern", "form": 1, "present": ["z3", "?"], "holidays": 1}
    problem = refusal(house, 422, "POST", f"{B}/study-sessions", token=house.as_("张三").token, body=sent(body), **JSON)
    assert problem["errors"].keys() == {"held_on", "form", "present.1", "holidays"}


def test_null_means_left_out(house: House, branch: Cast) -> None:
    secretary = house.as_(branch.secretary)
    made = secretary.post(f"{branch.path}/study-sessions", {"held_on": "2024-12-19", "form": None, "titles": None, "exchange": "有"})
    assert made.status == 201, made.body
    assert made.body["form"] is None
    path = f"{branch.path}/study-sessions/{made.body['id']}"
    assert secretary.patch(path, {"exchange": None, "form": "讨论"}, seen=1).body["exchange"] == "有"


PATHS = [
    "/cycles/2024/branches/%00",
    "/cycles/2024/branches/D0101%00",
    "/cycles/2024/branches/%FF",
    "/cycles/2024/branches/%ED%A0%80",
    f"/cycles/2024/branches/{'x' * 5000}",
    f"{B}/roll/%00",
    f"{B}/roll/%F0%9F%98%80",
    f"{B}/talks/{2**63}",
    f"{B}/talks/{2**63 - 1}",
    f"{B}/talks/0",
    f"{B}/talks/-1",
    f"{B}/talks/x",
    f"{B}/talks/{'9' * 5000}",
    "/cycles/0",
    "/cycles/9999",
    "/cycles/10000",
    "/cycles/-1",
    f"/roster-imports/{2**63 - 1}",
    "/nothing-here",
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_an_address_that_leads_nowhere_is_not_found(house: House, path: str) -> None:
    refusal(house, 404, "GET", path, token=house.as_("office").token)


def test_a_method_that_is_not_there_is_said_with_those_that_are(house: House) -> None:
    answer = house.app.test_client().delete(f"/api/v1{B}")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    a_problem(answer)


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=201", "?limit=x", "?limit=1.5", "?limit=-1", "?limit=%EF%BC%91", "?limit=", "?page=2", "?%00=1"]
)
def test_a_list_takes_a_limit_of_1_to_200_and_no_unknown_parameter(house: House, query: str) -> None:
    assert refusal(house, 422, "GET", f"{B}/talks{query}", token=house.as_("office").token)["errors"]


def test_an_unknown_parameter_is_refused_where_none_is_taken(house: House) -> None:
    assert refusal(house, 422, "GET", f"{B}?x=1", token=house.as_("office").token)["errors"].keys() == {"x"}
    assert refusal(house, 422, "POST", f"{YEAR}/publish?x=1", token=house.as_("office").token)["errors"].keys() == {"x"}


LISTS = (
    *(YEAR + each for each in ("/branches", "/exceptions", "/letters")),
    *(B + each for each in ("/talks", "/study-sessions", "/waivers", "/moves", "/extensions", "/history")),
    *("/cycles", "/appointments", "/accounts", "/tokens"),
)
CURSORS = ["x", "-5", "\x00", "9" * 30, "1e9", "null", '["D0101", 1e400]', '["D0101", true]', f'["D0101", {10**30}]', '["\\u0000", 1]', "[" * 300]


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_that_is_none_of_ours_is_refused_or_leads_to_a_page(house: House, path: str) -> None:
    client = house.as_("administrator" if path in ("/accounts", "/tokens") else "office")
    for garbage in ("%F0%9F%98%80", "a", "%00", "a" * 501):
        assert client.get(f"{path}?after={garbage}").status == 422, garbage
    for place in CURSORS:
        answer = client.get(f"{path}?after={urlsafe_b64encode(place.encode()).decode().rstrip('=')}")
        assert answer.status in (200, 422), place


# ── how it says no ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_speaks_english_to_who_prefers_it(house: House) -> None:
    client = house.as_("张三")
    spoken = {
        language: client("GET", "/nothing-here", **{"Accept-Language": language}).body["title"]
        for language in ("en", "en-GB,en;q=0.9,zh;q=0.5", "zh-CN", "fr")
    }
    assert spoken == {"en": "Not found", "en-GB,en;q=0.9,zh;q=0.5": "Not found", "zh-CN": "没有找到", "fr": "没有找到"}
    move = client.post(f"{B}/moves", {"trigger": "advance"}, seen=1, **{"Accept-Language": "en"})
    assert move.status == 409
    assert all(each["message"].isascii() or "《" in each["message"] or "members" in each["message"] for each in move.body["unmet"])
    assert client.get("/me?x=1", **{"Accept-Language": "en"}).body["errors"] == {"x": ["unknown parameter"]}


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/nothing-here", "/healthz", "/docs", "/", "/nothing-here", "/api/v1/openapi.json"])
def test_every_answer_carries_the_headers_that_protect_a_browser(house: House, path: str) -> None:
    headers = house.app.test_client().get(path).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Request-ID"]


def test_what_is_answered_is_kept_on_no_disk_and_a_poll_by_no_shared_cache(house: House) -> None:
    secretary, office = house.as_("张三"), house.as_("office")
    for path in (B, f"{B}/talks", "/me", "/me/todos", "/cycles"):
        assert secretary.get(path).headers["Cache-Control"] == "private, no-store", path
    for answer in (secretary.get("/nothing-here"), secretary.post(f"{B}/moves", {"trigger": "advance"}, seen=1), secretary.get(f"{B}?x=1")):
        assert answer.headers["Cache-Control"] == "no-store"
    for path in (f"{YEAR}/progress", f"{YEAR}/branches"):
        assert office.get(path).headers["Cache-Control"] == "private, no-cache", path


def test_a_request_that_is_too_large_is_said_to_be(house: House) -> None:
    refusal(house, 413, "POST", f"{B}/talks", token=house.as_("张三").token, body=b" " * (11 * 1024 * 1024), **JSON)


def test_a_fault_of_ours_is_told_by_its_number_and_logged_without_anybodys_words(secretary: Client, owner_url: str, capsys: Any) -> None:
    owner = create_engine(owner_url)
    with owner.begin() as connection:
        connection.execute(text("alter table talk rename column place to gone"))
    owner.dispose()
    answer = secretary.post(f"{B}/talks", {**TALK, "talker": "z3", "partner": "w5", "private_notes": "最近失眠"})
    assert answer.status == 500
    assert answer.body["request_id"]
    assert "最近失眠" not in str(answer.body)
    printed = "".join(capsys.readouterr())
    assert "ProgrammingError" in printed
    assert "最近失眠" not in printed
    assert secretary.token not in printed
