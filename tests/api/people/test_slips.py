"""Slips (纸条) over the API: a code on paper for members without an address, instead of a letter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog
from sqlalchemy import func, select, text

from tests.api.conftest import Client
from tests.support.builders import NOW, person
from tests.support.servers import Cast, House, kept_in
from workflow.acts.invitations import ON_PAPER
from workflow.foundation.database import transaction
from workflow.foundation.history import History
from workflow.foundation.idempotency import KeptOutcome
from workflow.foundation.vocabulary import Role
from workflow.people.accounts import digest, open_account
from workflow.people.invitations import ON_SLIPS, SLIP_CODE
from workflow.roster.posts import appoint

PASSWORD = "一个很长的密码 12"


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


@pytest.fixture
def anybody(house: House) -> Client:
    """A client that is not signed in."""
    return Client(house.app.test_client(), "")


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> Iterator[None]:
    yield
    house.clock.now = NOW


@pytest.fixture
def branch(house: House) -> Cast:
    """A branch whose member and newcomer have no address."""
    cast = house.a_branch()
    without_address(house, cast.member, cast.newcomer)
    return cast


def without_address(house: House, *staff_nos: str) -> None:
    with transaction(house.engine, actor="cli") as session:
        session.execute(text("update person set email = null where staff_no = any(:them)"), {"them": list(staff_nos)})


def printed(client: Client, branch: Cast, **headers: str) -> dict[str, dict[str, Any]]:
    """Print the slips of a branch, and give them by staff number."""
    answer = client.post("/accounts/slips", {"branch": branch.code}, **headers)
    assert answer.status == 200, answer.body
    return {slip["staff_no"]: slip for slip in answer.body["slips"]}


def sets(anybody: Client, code: str) -> int:
    return anybody.post(f"/invitations/{code}", {"password": PASSWORD}).status


# ── who gets one ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_of_the_branch_without_password_and_address_gets_one_and_nobody_else(
    house: House, office: Client, branch: Cast, anybody: Client
) -> None:
    elsewhere = house.a_branch()
    without_address(house, branch.publicist, branch.organiser, elsewhere.member)
    administrator = house.as_("administrator")
    with transaction(house.engine, actor="cli") as session:
        open_account(session, person(session, branch.publicist), now=NOW, password=PASSWORD)
    assert administrator.post(f"/accounts/{branch.organiser}/disable").status == 200
    answer = office.post("/accounts/slips", {"branch": branch.code})
    assert (answer.status, answer.body["branch"]) == (200, {"code": branch.code, "name": f"{branch.code}党支部", "unit": f"{branch.code[:3]}党委"})
    assert [slip["staff_no"] for slip in answer.body["slips"]] == sorted([branch.member, branch.newcomer])
    for slip in answer.body["slips"]:
        assert slip.keys() == {"staff_no", "name", "code", "link", "expires_at"}
        assert slip["name"] == slip["staff_no"]
        assert slip["link"] == f"http://zhibu.example/invitations/{slip['code']}"
        assert slip["expires_at"] == "2024-12-27T02:00:00Z", "seven days"
        assert house.app.test_client().get(slip["link"].removeprefix("http://zhibu.example")).status_code == 200, "its page is there"


def test_who_lost_their_slip_or_forgot_their_password_gets_one_alone(house: House, office: Client, branch: Cast, anybody: Client) -> None:
    slips = printed(office, branch)
    (others,) = (slip for number, slip in slips.items() if number != branch.member)
    answer = office.post(f"/accounts/{branch.member}/slip")
    assert (answer.status, [slip["staff_no"] for slip in answer.body["slips"]]) == (200, [branch.member])
    (again,) = answer.body["slips"]
    assert (sets(anybody, slips[branch.member]["code"]), sets(anybody, again["code"]), sets(anybody, others["code"])) == (404, 200, 200)
    (forgotten,) = office.post(f"/accounts/{branch.member}/slip").body["slips"]
    assert sets(anybody, forgotten["code"]) == 200
    for staff_no, said in ((branch.secretary, "登记了邮箱，请发邀请信"), ("office", "不在任何党支部，不发纸条")):
        refused = office.post(f"/accounts/{staff_no}/slip")
        assert (refused.status, said in refused.body["detail"]) == (409, True)
    assert house.as_(branch.secretary).post(f"/accounts/{branch.member}/slip").status == 403


def test_nobody_with_a_post_in_the_school_gets_a_slip(house: House, office: Client, branch: Cast) -> None:
    with transaction(house.engine, actor="cli") as session:
        appoint(session, {"staff_no": branch.member, "role": Role.AUDITOR, "starts_on": NOW.date() + timedelta(days=30)}, now=NOW)
    assert set(printed(office, branch)) == {branch.newcomer}
    with transaction(house.engine, actor="cli") as session:
        appoint(session, {"staff_no": branch.newcomer, "role": Role.ADMINISTRATOR, "starts_on": NOW.date()}, now=NOW)
    refused = office.post("/accounts/slips", {"branch": branch.code})
    assert refused.status == 409
    assert "2 人担任学校职务，由系统管理员办理" in refused.body["detail"]


def test_a_code_can_be_typed_and_not_guessed(office: Client, branch: Cast) -> None:
    codes = [slip["code"] for _ in range(3) for slip in printed(office, branch).values()]
    assert len(set(codes)) == 6
    assert [code for code in codes if not re.fullmatch(r"([2-9A-Z]{4}-){3}[2-9A-Z]{4}", code)] == []
    assert set("".join(codes)) & set("01ILOBGSUZ") == set(), "none that looks like another"
    assert len(set(ON_SLIPS)) == len(ON_SLIPS)
    assert len(ON_SLIPS) ** len(SLIP_CODE) > 2**75


def test_with_nobody_to_give_one_to_it_says_why(house: House, office: Client, anybody: Client) -> None:
    cast = house.a_branch()
    without_address(house, cast.member)
    assert sets(anybody, printed(office, cast)[cast.member]["code"]) == 200
    assert house.as_("administrator").post(f"/accounts/{cast.newcomer}/disable").status == 200
    refused = office.post("/accounts/slips", {"branch": cast.code})
    assert (refused.status, refused.body["detail"]) == (
        409,
        f"{cast.code}党支部没有人需要纸条：1 人已设密码；4 人登记了邮箱，请发邀请信；1 人账号已停用",
    )
    unknown = office.post("/accounts/slips", {"branch": "X999"})
    assert (unknown.status, unknown.body["errors"].keys()) == (422, {"branch"})


def test_office_and_administrator_print_them_and_no_leader_of_the_branch(house: House, branch: Cast) -> None:
    may = {who: house.as_(who).post("/accounts/slips", {"branch": branch.code}).status for who in ("office", "administrator")}
    may |= {who: house.as_(who).post("/accounts/slips", {"branch": branch.code}).status for who in ("committee", "auditor", *branch.everybody)}
    assert {who for who, status in may.items() if status == 200} == {"office", "administrator"}
    assert set(may.values()) == {200, 403}


# ── what a code does ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_code_sets_a_password_once(house: House, office: Client, branch: Cast, anybody: Client) -> None:
    who = branch.member
    code = printed(office, branch)[who]["code"]
    assert anybody.post("/session", {"staff_no": who, "password": PASSWORD}).status == 401
    weak = anybody.post(f"/invitations/{code}", {"password": "short"})
    assert (weak.status, weak.body["errors"].keys()) == (422, {"password"}), "the code is not spent by it"
    done = anybody.post(f"/invitations/{code}", {"password": PASSWORD})
    assert (done.status, done.body) == (200, {"staff_no": who, "name": who})
    assert anybody.post("/session", {"staff_no": who, "password": PASSWORD}).status == 201
    assert sets(anybody, code) == 404
    assert who not in printed(office, branch), "who has a password gets none"


@pytest.mark.parametrize(
    "typed",
    [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: code.lower().replace("-", " "),
        lambda code: "".join(chr(ord(each) + 0xFEE0) for each in code),
    ],
    ids=["in small letters", "without dashes", "with blanks", "full-width"],
)
def test_a_code_is_understood_as_people_type_it(office: Client, branch: Cast, anybody: Client, typed: Any) -> None:
    code = printed(office, branch)[branch.member]["code"]
    assert sets(anybody, typed(code)) == 200


def test_a_code_that_is_nearly_right_is_wrong(office: Client, branch: Cast, anybody: Client) -> None:
    code = printed(office, branch)[branch.member]["code"]
    other = "2" if code[-1] != "2" else "3"
    assert [sets(anybody, each) for each in (code[:-1] + other, code[:-1], code + other, code[::-1], "x")] == [404] * 5
    assert sets(anybody, code) == 200


def test_a_code_ends_after_seven_days(house: House, office: Client, branch: Cast, anybody: Client) -> None:
    slips = printed(office, branch)
    house.clock.now = NOW + timedelta(days=7) - timedelta(seconds=1)
    assert sets(anybody, slips[branch.member]["code"]) == 200
    house.clock.now = NOW + timedelta(days=7)
    assert sets(anybody, slips[branch.newcomer]["code"]) == 404


def test_the_newest_slip_or_link_alone_opens(house: House, office: Client, branch: Cast, anybody: Client) -> None:
    who = branch.member
    first, second = (printed(office, branch)[who]["code"] for _ in range(2))
    assert sets(anybody, first) == 404
    # A link by mail ends a slip, a slip ends a link, and blanks its letter that still waits.
    administrator = house.as_("administrator")
    with transaction(house.engine, actor="cli") as session:
        session.execute(text("update person set email = 'new@school.example' where staff_no = :who"), {"who": who})
    assert administrator.post(f"/accounts/{who}/invitation").status == 200
    assert sets(anybody, second) == 404
    with transaction(house.engine, actor=None) as session:
        [linked] = set(re.findall(r"/invitations/(\S+)", session.scalar(text("select text from letter where address = 'new@school.example'")) or ""))
    without_address(house, who)
    third = printed(office, branch)[who]["code"]
    assert sets(anybody, linked) == 404
    with transaction(house.engine, actor=None) as session:
        assert kept_in(session, linked) == set()
    assert sets(anybody, third) == 200


def test_a_disabled_account_is_not_opened_by_its_slip(house: House, office: Client, branch: Cast, anybody: Client) -> None:
    code = printed(office, branch)[branch.member]["code"]
    administrator = house.as_("administrator")
    assert administrator.post(f"/accounts/{branch.member}/disable").status == 200
    assert sets(anybody, code) == 404
    assert administrator.post(f"/accounts/{branch.member}/enable").status == 200
    assert sets(anybody, code) == 404, "it has ended for good"


# ── what is left of it ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_repetition_with_its_key_answers_no_code_again(house: House, office: Client, branch: Cast, anybody: Client) -> None:
    first, again = (printed(office, branch, **{"Idempotency-Key": "slips"}) for _ in range(2))
    assert {slip["code"] for slip in first.values()} & {slip["code"] for slip in again.values()} == set()
    with transaction(house.engine, actor=None) as session:
        assert session.scalar(select(func.count()).where(KeptOutcome.route.endswith("slips"))) == 0
    assert (sets(anybody, first[branch.member]["code"]), sets(anybody, again[branch.member]["code"])) == (404, 200)


def test_history_tells_by_whom_it_was_made_and_nothing_keeps_the_code(
    house: House, office: Client, branch: Cast, anybody: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    with structlog.testing.capture_logs() as log:
        slips = printed(office, branch)
        used = slips[branch.member]["code"]
        assert [sets(anybody, each) for each in ("wrong", used.lower(), used)] == [404, 200, 404]
    codes = {spelt for slip in slips.values() for spelt in (slip["code"], slip["code"].replace("-", ""), slip["code"].lower())}
    hashes = {digest(slip["code"].replace("-", "")) for slip in slips.values()}
    with transaction(house.engine, actor=None) as session:
        assert {table for code in codes for table in kept_in(session, code)} == set()
        assert {table for each in hashes for table in kept_in(session, each)} == {"invitation"}
        made = session.scalars(
            select(History).where(History.what == "invitation", History.old.is_(None)).order_by(History.id.desc()).limit(len(slips))
        ).all()
        assert [(row.actor, row.reason, row.new["hash"] if row.new else None) for row in made] == [("office", ON_PAPER, "changed")] * 2
        by = session.scalar(text("select actor from history where what = 'account' and new ? 'password_hash' order by id desc limit 1"))
    assert by == branch.member, "who used it, not who printed it"
    logged = repr(log) + caplog.text
    assert "request" in logged
    assert [code for code in codes if code in logged] == []
