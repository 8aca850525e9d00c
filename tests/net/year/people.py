"""People in the walk: roster, accounts, invitations, tokens, posts, substitutes and calendar."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from sqlalchemy import select

from tests.net.year.school import HERE, NUMBERS, SMALL, committees, members
from tests.net.year.steps import EN, WHY, Walk
from tests.support.rosters import a_workbook
from tests.support.years.assessment_year import upload
from tests.support.years.branch_year import import_roster, ok
from workflow.foundation.database import transaction
from workflow.mail.outbox import Letter

PASSWORD = "一个足够长的口令 2024"


def outside(walk: Walk) -> None:
    """Ask for the routes that are open to everybody."""
    client = walk.house.app.test_client()
    for path in ("/", "/healthz", "/readyz", "/cycles/2024/branches/D0101", "/invitations/0815", "/docs", "/nowhere"):
        client.get(path)
    for path in ("/api/v1/openapi.json", "/api/v1/nowhere", "/api/v1/me"):
        client.get(path)
        client.get(path, headers=EN)
    client.put("/api/v1/me")
    client.get("/api/v1/me", headers={"Authorization": "Bearer nobody's"})


def roster(walk: Walk) -> None:
    """Import the roster: a file that is no workbook, then a workbook with faults.

    Then a good one with a key, and the same request again.
    """
    upload(walk.office, "/roster-imports", b"no workbook", "名册.xlsx")
    faulty = [{**row} for row in members()]
    faulty[1]["学工号"] = faulty[0]["学工号"]
    faulty[2]["党籍状态"] = "不明"
    faulty[3]["姓名"] = None
    wrong = ok(upload(walk.office, "/roster-imports", a_workbook(faulty, committees()), "有错的名册.xlsx"))
    walk.both(walk.office, "POST", f"/roster-imports/{wrong['id']}/apply", {})
    walk.office.get(f"/roster-imports/{wrong['id']}", **EN)
    content = a_workbook(members(), committees())
    for _ in range(2):
        headers = {"Authorization": f"Bearer {walk.office.token}", "Idempotency-Key": "roster-1"}
        made = walk.office.http.post("/api/v1/roster-imports", data={"file": (BytesIO(content), "名册.xlsx")}, headers=headers)
    read = made.get_json()
    walk.kept["import_id"] = read["id"]
    walk.office.get(f"/roster-imports/{read['id']}")
    for _ in range(2):
        walk.office.post(f"/roster-imports/{read['id']}/apply", {}, **{"Idempotency-Key": "apply-1"})
    walk.both(walk.office, "POST", f"/roster-imports/{read['id']}/apply", {})


def second_roster(walk: Walk) -> None:
    """Import a roster in which one member has another branch and one is new."""
    rows = members()
    there = next(row for row in rows if row["所在党支部编码"] == SMALL)
    place = {name: there[name] for name in ("所在分党委编码", "所在分党委", "所在党支部编码", "所在党支部")}
    changed = [{**row, **(place if row["姓名"] == "张七" else {})} for row in rows]
    new = {**there, "学工号": "20240099", "姓名": "沈新", "党内职务": None, "邮箱": "m99@school.example"}
    import_roster(walk.office, [*changed, new], committees())


def accounts(walk: Walk) -> None:
    """Make officers, disable and enable an account, make and end tokens."""
    administrator = walk.by("administrator")
    administrator.get("/accounts?limit=5")
    body = {"staff_no": "auditor2", "name": "督查二", "role": "auditor", "password": PASSWORD}
    walk.both(administrator, "POST", "/accounts", {**body, "password": "short"})
    walk.both(administrator, "POST", "/accounts", {**body, "role": "secretary"})
    ok(administrator.post("/accounts", body))
    walk.both(administrator, "POST", "/accounts", body)
    walk.both(administrator, "POST", "/accounts", {"staff_no": "nobody-known"})
    ok(administrator.post("/accounts", {"staff_no": NUMBERS["卫三"]}))
    walk.both(administrator, "POST", "/accounts/administrator/disable", {})
    ok(administrator.post("/accounts/auditor2/disable"), 200)
    walk.both(administrator, "POST", "/tokens", {"staff_no": "auditor2", "name": "程序"})
    ok(administrator.post("/accounts/auditor2/enable"), 200)
    for name in ("统计程序", "旧程序"):
        walk.kept["token_id"] = ok(administrator.post("/tokens", {"staff_no": NUMBERS["王五"], "name": name}))["id"]
    walk.both(administrator, "POST", "/tokens", {"staff_no": "auditor2", "name": "程序", "expires_at": "2024-01-01T00:00:00+08:00"})
    ok(administrator("DELETE", f"/tokens/{walk.kept['token_id']}"), 204)
    walk.both(administrator, "DELETE", "/tokens/999999")
    administrator.get("/tokens?limit=3")


def _code(walk: Walk) -> str:
    """Find the code in the newest letter with a link."""
    with transaction(walk.house.engine, actor=None) as session:
        statement = select(Letter.text).where(Letter.text.contains("/invitations/")).order_by(Letter.id.desc()).limit(1)
        return str(re.findall(r"/invitations/(\S+)", session.scalars(statement).one())[0])


def invitations(walk: Walk) -> None:
    """Invite one person and a whole branch.

    Set a password by the link, sign in and out as a browser.
    """
    administrator, number = walk.by("administrator"), NUMBERS["孙八"]
    walk.both(administrator, "POST", f"/accounts/{NUMBERS['严三']}/invitation", {})
    ok(administrator.post(f"/accounts/{number}/invitation"), 200)
    browser = walk.house.app.test_client()
    link = f"/api/v1/invitations/{_code(walk)}"
    browser.post(link, json={"password": "short"})
    browser.post(link, json={"password": PASSWORD})
    browser.post(link, json={"password": PASSWORD})
    walk.both(administrator, "POST", "/accounts/invitations", {"branch": "X999"})
    ok(administrator.post("/accounts/invitations", {"branch": SMALL}), 200)
    browser.post("/api/v1/session", json={"staff_no": number, "password": "not the password"})
    browser.post("/api/v1/session", json={"staff_no": number, "password": "not the password"}, headers=EN)
    signed_in = browser.post("/api/v1/session", json={"staff_no": number, "password": PASSWORD}).get_json()
    browser.get("/api/v1/me")
    browser.get("/api/v1/me/todos")
    browser.delete("/api/v1/session")
    browser.delete("/api/v1/session", headers={"X-CSRF-Token": signed_in["csrf_token"]})
    browser.get("/api/v1/me")
    for staff_no in (number, "nobody-known"):
        browser.post("/api/v1/session/forgotten", json={"staff_no": staff_no})
    browser.post(f"/api/v1/invitations/{_code(walk)}", json={"password": f"{PASSWORD}二"})


def throttled(walk: Walk) -> None:
    """Try more passwords than are allowed."""
    browser = walk.house.app.test_client()
    for headers in ({}, {}, {}, {}, {}, {}, EN):
        browser.post("/api/v1/session", json={"staff_no": "auditor2", "password": "not the password"}, headers=headers)


def posts(walk: Walk) -> None:
    """Give and end posts; name substitutes, and let them act."""
    office, number = walk.office, NUMBERS["周九"]
    walk.both(office, "POST", "/appointments", {"staff_no": number, "starts_on": "2024-12-01"})
    given = ok(office.post("/appointments", {"staff_no": number, "role": "auditor", "starts_on": "2024-12-01"}))
    walk.kept["appointment_id"] = given["id"]
    walk.by("周九").get("/me")
    ok(office.post(f"/appointments/{given['id']}/end", {"ends_on": "2024-12-19"}), 200)
    walk.both(office, "POST", f"/appointments/{given['id']}/end", {"ends_on": "2024-12-19"})
    ok(office.post("/appointments", {"staff_no": number, "branch": HERE, "post": "group_leader", "starts_on": "2024-12-01"}))
    office.get("/appointments?limit=4")


def substitutes(walk: Walk) -> None:
    """Name a substitute of a secretary, and let them act."""
    secretary, office = walk.by("张三"), walk.office
    body = {"substitute": NUMBERS["孙八"], "starts_on": "2024-12-20", "ends_on": "2024-12-31"}
    walk.both(secretary, "POST", "/substitutes", {**body, "ends_on": "2024-12-01"})
    walk.both(secretary, "POST", "/substitutes", {**body, "substitute": NUMBERS["赵六"]})
    made = ok(secretary.post("/substitutes", body))
    walk.both(secretary, "POST", "/substitutes", body)
    walk.by("孙八").get("/me")
    ok(walk.by("孙八").post(f"/cycles/2024/branches/{HERE}/problems", {"source": "letter", "about": "committee", "text": "代书记登记的问题"}))
    ok(secretary.post(f"/substitutes/{made['id']}/end", {}), 200)
    walk.both(walk.by("赵六"), "POST", f"/substitutes/{made['id']}/end", {})
    later = {"staff_no": NUMBERS["李四"], "substitute": NUMBERS["王五"], "starts_on": "2025-06-01", "ends_on": "2025-06-07"}
    walk.kept["substitute_id"] = ok(office.post("/substitutes", later))["id"]


def calendar(walk: Walk) -> None:
    """Set days, and let the official calendar hold again."""
    office = walk.office
    walk.both(office, "PUT", "/calendar/2025-02-30", {"working": True})
    walk.both(office, "PUT", "/calendar/2025-01-18", {"working": "maybe"})
    ok(office.put("/calendar/2025-01-18", {"working": True, "note": "评议日"}), 200)
    ok(office.put("/calendar/2025-01-20", {"working": False}), 200)
    ok(office("DELETE", "/calendar/2025-01-20"), 204)
    office.get("/calendar?year=2025&limit=30")


def rolls(walk: Walk) -> None:
    """Excuse a member, take it back, confirm it; enter the office's decisions about people."""
    branch = walk.branch(HERE)
    path = f"{branch.path}/roll/{NUMBERS['周九']}"
    secretary, office = walk.by("张三"), walk.office
    walk.both(secretary, "PATCH", path, {"excused_reason": "病休"})
    walk.both(secretary, "PATCH", path, {"excused_reason": "病休"}, seen=99)
    walk.both(secretary, "PATCH", path, {"voting": False}, seen=secretary.get(path).etag)
    branch.on_roll(NUMBERS["周九"], {"excused_reason": "长期病休"}, by=secretary)
    office.get("/me/todos")
    ok(office.post(f"{path}/confirm"), 200)
    ok(secretary.post(f"{path}/withdraw"), 200)
    walk.both(secretary, "POST", f"{path}/withdraw", {})
    branch.on_roll(NUMBERS["周九"], {"excused_reason": "长期病休"}, by=secretary)
    ok(office.post(f"{path}/confirm"), 200)
    branch.on_roll(NUMBERS["孙八"], {"punished_on": "2024-03-01"})
    walk.branch("D0201").on_roll(NUMBERS["施六"], {"voting": False})


def refused_bodies(walk: Walk) -> None:
    """Send invalid bodies: of another type, no JSON, a key twice, too deep."""
    path, token = f"/api/v1/cycles/2024/branches/{HERE}/problems", walk.by("张三").token
    client = walk.by("张三").http
    bodies: list[tuple[str, Any]] = [
        ("text/plain", "{}"),
        ("application/json", "{"),
        ("application/json", '{"text": "一", "text": "二"}'),
        ("application/json", '{"text": NaN}'),
        ("application/json", "[]"),
        ("application/json", "[" * 5000),
    ]
    for kind, data in bodies:
        for language in ({}, EN):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": kind, **language}
            client.post(path, data=data, headers=headers)
    for name in ("", "x" * 256, "é"):
        client.post(path, json=WHY, headers={"Authorization": f"Bearer {token}", "Idempotency-Key": name})
    client.get(f"/api/v1/cycles/2024/branches/{HERE}/problems?limit=0", headers={"Authorization": f"Bearer {token}"})
    client.get(f"/api/v1/cycles/2024/branches/{HERE}/problems?after=%21", headers={"Authorization": f"Bearer {token}"})
