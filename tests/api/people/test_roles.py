"""Roles of the school (学校职务): who gives and takes them, who is told, and where it is seen."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.api.conftest import Client
from tests.support.builders import NOW, person
from tests.support.servers import House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import SCHOOL_ROLES, Role
from workflow.mail.outbox import Letter
from workflow.people.organisation import Appointment

GIVES: Mapping[str, set[str]] = {
    "office": {"office"},
    "committee": {"committee"},
    "administrator": {"administrator", "auditor"},
    "auditor": set(),
}
"""Written out, not read from the code: who gives which role."""
PAIRS = list(product(GIVES, [role.value for role in SCHOOL_ROLES]))
TODAY = "2024-12-20"


@pytest.fixture(autouse=True)
def at_ten_on_a_friday(house: House) -> None:
    house.clock.now = NOW


def letters(house: House, kind: str) -> list[tuple[str, str, str]]:
    """List the letters of a kind: recipient, subject, text."""
    with transaction(house.engine, actor=None) as session:
        rows = session.scalars(select(Letter).where(Letter.kind == kind).order_by(Letter.id)).all()
        return [(row.recipient_name, row.subject, row.text) for row in rows]


@pytest.mark.parametrize(("who", "role"), PAIRS)
def test_a_holder_names_others_to_the_same_role_and_the_administrator_auditors(house: House, who: str, role: str) -> None:
    other = house.a_branch().newcomer
    client = house.as_(who)
    before = house.state()
    given = client.post("/appointments", {"staff_no": other, "role": role, "starts_on": TODAY})
    if role not in GIVES[who]:
        assert (given.status, house.state()) == (403, before)
        return
    assert given.status == 201, given.body
    assert role in house.as_(other).get("/me").body["roles"]
    assert client.post(f"/appointments/{given.body['id']}/end", {"ends_on": TODAY}).status == 200


@pytest.mark.parametrize(("who", "role"), PAIRS)
def test_who_may_not_give_a_role_does_not_end_it(house: House, who: str, role: str) -> None:
    giver = next(each for each, roles in GIVES.items() if role in roles)
    given = house.as_(giver).post("/appointments", {"staff_no": house.a_branch().newcomer, "role": role, "starts_on": TODAY})
    ended = house.as_(who).post(f"/appointments/{given.body['id']}/end", {"ends_on": TODAY})
    assert ended.status == (200 if role in GIVES[who] else 403)


def test_nobody_gives_themselves_a_role_or_a_post(house: House) -> None:
    branch = house.a_branch()
    clerk = house.as_("office").post("/appointments", {"staff_no": branch.member, "role": "office", "starts_on": "2024-12-01"})
    assert clerk.status == 201
    clerk_client, administrator = house.as_(branch.member), house.as_("administrator")
    before = house.state()
    for post in ({"branch": branch.code, "post": "deputy"}, {"role": "office"}):
        refused = clerk_client.post("/appointments", {"staff_no": branch.member, "starts_on": TODAY, **post})
        assert (refused.status, refused.body["detail"]) == (403, "不能给自己任职，请他人办理"), post
    week = {"staff_no": branch.secretary, "substitute": branch.member, "starts_on": TODAY, "ends_on": "2024-12-26"}
    refused = clerk_client.post("/substitutes", week)
    assert (refused.status, refused.body["detail"]) == (403, "不能指定自己为受托人，请他人办理")
    refused = administrator.post("/appointments", {"staff_no": "administrator", "role": "auditor", "starts_on": TODAY})
    assert refused.status == 403
    refused = administrator.post("/accounts", {"staff_no": "administrator", "name": "系统管理员", "role": "auditor"})
    assert refused.status == 403
    assert house.state() == before


def test_a_role_of_branches_is_no_role_of_the_school_for_anybody(house: House) -> None:
    for staff_no in ("g777", house.a_branch().member):
        refused = house.as_("administrator").post("/accounts", {"staff_no": staff_no, "name": staff_no, "role": "secretary"})
        assert (refused.status, list(refused.body["errors"])) == (422, ["role"])
        refused = house.as_("office").post("/appointments", {"staff_no": staff_no, "role": "secretary", "starts_on": TODAY})
        assert (refused.status, list(refused.body["errors"])) == (422, ["role"])


def test_a_successor_who_begins_later_leaves_no_gap(house: House) -> None:
    committee, newcomer = house.as_("committee"), house.a_branch().newcomer
    rows = house.as_("office").get("/appointments?limit=200").body["items"]
    held = [row for row in rows if row["role"] == "committee" and row["ends_on"] is None]
    later = committee.post("/appointments", {"staff_no": newcomer, "role": "committee", "starts_on": "2025-01-10"}).body
    (mine,) = (row for row in held if row["staff_no"] == "committee")
    for row in held:
        if row is not mine:
            assert committee.post(f"/appointments/{row['id']}/end", {"ends_on": TODAY}).status == 200
    assert committee.post(f"/appointments/{mine['id']}/end", {"ends_on": TODAY}).status == 409
    assert committee.post(f"/appointments/{later['id']}/end", {"ends_on": "2025-01-10"}).status == 200


def test_posts_in_branches_are_the_offices_alone(house: House) -> None:
    branch = house.a_branch()
    post = {"staff_no": branch.member, "branch": branch.code, "post": "deputy", "starts_on": TODAY}
    for who in ("committee", "administrator"):
        refused = house.as_(who).post("/appointments", post)
        assert (refused.status, refused.body["detail"]) == (403, "支部职务由党委办公室任免"), who
    given = house.as_("office").post("/appointments", post)
    assert given.status == 201
    assert house.as_("administrator").post(f"/appointments/{given.body['id']}/end", {"ends_on": TODAY}).status == 403


def test_the_administrator_sees_the_roles_of_the_school_alone(house: House) -> None:
    seen = house.as_("administrator").get("/appointments?limit=200").body["items"]
    assert {row["role"] for row in seen} >= {role.value for role in SCHOOL_ROLES}
    assert all(row["post"] is None for row in seen)
    assert any(row["post"] for row in house.as_("auditor").get("/appointments?limit=200").body["items"])


def test_the_only_holder_of_a_role_stays_until_another_is_named(house: House) -> None:
    office = house.as_("office")
    rows = office.get("/appointments?limit=200").body["items"]
    others = [row for row in rows if row["role"] == "committee" and row["ends_on"] is None and row["staff_no"] != "committee"]
    committee = house.as_("committee")
    for row in others:
        assert committee.post(f"/appointments/{row['id']}/end", {"ends_on": TODAY}).status == 200
    (mine,) = (row for row in rows if row["role"] == "committee" and row["staff_no"] == "committee")
    refused = committee.post(f"/appointments/{mine['id']}/end", {"ends_on": TODAY})
    assert (refused.status, refused.body["detail"]) == (409, "担任学校党委的只有学校党委，请先任命接替的人")
    given = committee.post("/appointments", {"staff_no": house.a_branch().newcomer, "role": "committee", "starts_on": TODAY})
    assert given.status == 201
    assert committee.post(f"/appointments/{given.body['id']}/end", {"ends_on": TODAY}).status == 200


@pytest.mark.race
def test_of_two_last_holders_who_end_each_other_at_once_one_stays(house: House) -> None:
    committee = house.as_("committee")
    rows = [row for row in committee.get("/appointments?limit=200").body["items"] if row["role"] == "committee" and row["ends_on"] is None]
    mine = next(row["id"] for row in rows if row["staff_no"] == "committee")
    for row in rows:
        if row["id"] != mine:
            assert committee.post(f"/appointments/{row['id']}/end", {"ends_on": "2024-12-19"}).status == 200
    other = house.a_branch().newcomer
    theirs = committee.post("/appointments", {"staff_no": other, "role": "committee", "starts_on": TODAY}).body["id"]
    barrier = Barrier(2)

    def end(who: str, appointment: int) -> int:
        client = Client(house.app.test_client(), house.as_(who).token)
        barrier.wait()
        return client.post(f"/appointments/{appointment}/end", {"ends_on": "2024-12-19"}).status

    house.as_(other)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(end, ("committee", other), (theirs, mine)))
    # The slower one is the last holder, or holds the role no more.
    assert sorted(told) in ([200, 403], [200, 409])
    with transaction(house.engine, actor="cli") as session:
        stays = session.scalars(select(Appointment.id).where(Appointment.role == Role.COMMITTEE, Appointment.ends_on.is_(None))).all()
        session.execute(update(Appointment).where(Appointment.id == mine).values(ends_on=None))
    assert stays in ([mine], [theirs])


def test_every_grant_is_a_letter_to_all_holders_of_the_role(house: House) -> None:
    newcomer = house.a_branch().newcomer
    before = len(letters(house, "role-given"))
    given = house.as_("administrator").post("/appointments", {"staff_no": newcomer, "role": "administrator", "starts_on": TODAY})
    assert given.status == 201
    told = letters(house, "role-given")[before:]
    assert {"系统管理员", newcomer} <= {recipient for recipient, _, _ in told}
    assert {subject for _, subject, _ in told} == {f"{newcomer}已任学校职务：系统管理员"}
    assert all("由系统管理员（administrator）办理" in text for _, _, text in told if text)
    before += len(told)
    made = house.as_("administrator").post("/accounts", {"staff_no": "g300", "name": "新监察", "role": "auditor"})
    assert made.status == 201
    assert {recipient for recipient, _, _ in letters(house, "role-given")[before:]} >= {"新监察", "督导人员"}


# ── passwords, addresses and tokens of others ─────────────────────────────────────────────────────────────────────────


def test_nobody_sets_the_password_of_somebody_who_is_registered(house: House) -> None:
    administrator, before = house.as_("administrator"), house.state()
    for staff_no, more in ((house.a_branch().member, {}), ("committee", {}), ("office", {"name": "党委办公室", "role": "administrator"})):
        before = house.state()
        refused = administrator.post("/accounts", {"staff_no": staff_no, "password": "一个很长的密码 12", **more})
        assert refused.status == 422
        assert refused.body["errors"] == {"password": ["已登记的人员由本人用邀请信或纸条设置密码"]}
        assert house.state() == before


def test_the_office_does_not_move_the_address_to_which_anothers_password_link_goes(house: House) -> None:
    office = house.as_("office")
    for staff_no, status in (("committee", 403), ("administrator", 403), ("auditor", 403), ("office", 200)):
        with transaction(house.engine, actor=None) as session:
            version = person(session, staff_no).version
        asked = office("PATCH", f"/people/{staff_no}", {"email": f"{staff_no}-neu@school.example"}, **{"If-Match": f'"{version}"'})
        assert asked.status == status, (staff_no, asked.body)


def test_a_token_in_anothers_name_is_told_to_them_and_says_who_made_it(house: House) -> None:
    administrator, member = house.as_("administrator"), house.a_branch().member
    before = len(letters(house, "token-made"))
    made = administrator.post("/tokens", {"staff_no": member, "name": "统计脚本"})
    assert made.status == 201
    ((recipient, subject, text),) = letters(house, "token-made")[before:]
    assert (recipient, subject) == (member, "有人以您的名义发了一个令牌")
    assert "系统管理员（administrator）以您的名义发了一个程序用的令牌，用途是“统计脚本”，有效期至2025年12月20日" in text
    assert made.body["token"] not in text
    (row,) = (each for each in administrator.get("/tokens?limit=200").body["items"] if each["id"] == made.body["id"])
    assert row["made_by"] == "administrator"
    assert administrator.post("/tokens", {"staff_no": "administrator", "name": "备份"}).status == 201
    assert len(letters(house, "token-made")) == before + 1, "of one's own nobody is told"


# ── where it is seen ──────────────────────────────────────────────────────────────────────────────────────────────────


def changes(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/history?limit=200{query}")
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.body["items"]
    return items


def test_auditor_and_office_read_who_changed_accounts_tokens_posts_and_substitutes(house: House) -> None:
    branch, auditor = house.a_branch(), house.as_("auditor")
    administrator = house.as_("administrator")
    token = administrator.post("/tokens", {"staff_no": branch.member, "name": "统计脚本"}).body
    administrator.post(f"/accounts/{branch.newcomer}/disable")
    role = house.as_("office").post("/appointments", {"staff_no": branch.deputy, "role": "office", "starts_on": TODAY}).body
    stands = {"staff_no": branch.secretary, "substitute": branch.member, "starts_on": TODAY, "ends_on": TODAY}
    assert house.as_("office").post("/substitutes", stands).status == 201
    newest = {(row["what"], row["by"], row["staff_no"]): row for row in reversed(changes(auditor))}
    assert newest["token", "administrator", branch.member]["key"] == str(token["id"])
    assert newest["token", "administrator", branch.member]["new"]["hash"] == "changed"
    assert newest["account", "administrator", branch.newcomer]["new"].keys() == {"disabled_at"}
    assert newest["appointment", "office", branch.deputy]["key"] == str(role["id"])
    assert ("substitute", "office", branch.secretary) in newest
    ids = [row["id"] for row in changes(auditor)]
    assert ids == sorted(ids, reverse=True)
    assert changes(house.as_("office")) == changes(auditor)
    for who in ("committee", "administrator", branch.secretary, branch.member):
        assert house.as_(who).get("/history").status == 403


def test_the_changes_are_found_by_what_and_by_whom(house: House) -> None:
    branch, auditor = house.a_branch(), house.as_("auditor")
    house.as_("administrator").post("/tokens", {"staff_no": branch.member, "name": "统计脚本"})
    house.as_("administrator").post(f"/accounts/{branch.newcomer}/disable")
    assert {row["what"] for row in changes(auditor, "&what=token")} == {"token"}
    assert {row["staff_no"] for row in changes(auditor, f"&who={branch.newcomer}")} == {branch.newcomer}
    made = changes(auditor, "&who=administrator&what=token")
    assert {"administrator"} <= {row["by"] for row in made}
    assert all("administrator" in (row["by"], row["staff_no"]) for row in made)
    first = auditor.get("/history?limit=1").body
    second = auditor.get(f"/history?limit=1&after={first['next']}").body
    assert second["items"][0]["id"] < first["items"][0]["id"]
    assert auditor.get("/history?what=talk").status == 422
