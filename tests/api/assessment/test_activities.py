"""The activities of the year over HTTP: recorded by the office, read by leaders.

Attendance is previewed first and then applied whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import text

from tests.api.conftest import Client, Reply
from tests.support.records.assessment_activities import sheet_rows
from tests.support.records.evidence import statements
from tests.support.servers import YEAR, House, a_house
from tests.support.years.assessment_year import apply_attendance, attendance_sheet, upload
from tests.support.years.branch_year import every, ok
from workflow.foundation.database import transaction

EVERY = f"{YEAR}/activities"
SMALL = 256 * 1024
BODY = {"kind": "study", "held_on": "2024-10-10"}
NOBODY = {"expected": 0, "present": 0, "on_leave": 0, "absent": 0}
ALL = {"expected": 5, "present": 3, "on_leave": 1, "absent": 1}


@pytest.fixture(scope="module")
def house(superuser: str, template: str) -> Iterator[House]:
    with a_house(superuser, template, upload_bytes=SMALL) as house:
        yield house


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


@pytest.fixture
def activity(house: House, office: Client) -> Any:
    """A new activity for each test."""
    return ok(office.post(EVERY, {**BODY, "name": f"主题党日（{house.state()['activity']}）"}))


def path_of(activity: Any) -> str:
    return f"{EVERY}/{activity['id']}"


def sheets_of(activity: Any) -> str:
    return f"{path_of(activity)}/attendance-imports"


# ── recorded, read, corrected, taken back ─────────────────────────────────────────────────────────────────────────────


def test_an_activity_is_answered_as_it_was_sent(house: House, office: Client) -> None:
    body = {**BODY, "name": "党纪学习教育专题报告会", "expected": 8}
    made = office.post(EVERY, body)
    assert made.status == 201
    assert made.headers["Location"] == f"/api/v1{path_of(made.body)}"
    assert made.etag == '"1"'
    assert {name: made.body[name] for name in body} == body
    assert (made.body["imported"], made.body["attendance"]) == (False, NOBODY)
    assert (made.body["recorded_by"], made.body["withdrawn"], made.body["rejected"]) == ("office", None, None)
    one = office.get(path_of(made.body))
    assert (one.body, one.etag) == (made.body, made.etag)
    assert made.body in every(office, EVERY)


def test_a_list_is_in_pages_and_of_a_kind(house: House, office: Client) -> None:
    made = [ok(office.post(EVERY, {**BODY, "kind": "volunteering", "name": f"志愿服务{number}"})) for number in range(3)]
    first = office.get(f"{EVERY}?kind=volunteering&limit=2").body
    rest = office.get(f"{EVERY}?kind=volunteering&limit=2&after={first['next']}").body
    assert [each["id"] for each in first["items"] + rest["items"]] == [each["id"] for each in made]
    assert rest["next"] is None
    assert office.get(f"{EVERY}?kind=holiday").status == office.get(f"{EVERY}?unknown=1").status == 422


def test_a_list_tells_how_many_came_with_the_same_queries_for_any_number(house: House, office: Client, activity: Any) -> None:
    apply_attendance(office, activity, sheet_rows())
    listed = {each["id"]: each for each in every(office, EVERY)}
    assert (listed[activity["id"]]["imported"], listed[activity["id"]]["attendance"]) == (True, ALL)
    assert office.get(path_of(activity)).body == listed[activity["id"]]
    with statements(house.engine) as one:
        office.get(f"{EVERY}?limit=1")
    with statements(house.engine) as many:
        assert len(office.get(f"{EVERY}?limit=200").body["items"]) > 1
    assert len(one) == len(many)


def test_a_correction_wants_what_was_seen(office: Client, activity: Any) -> None:
    path, change = path_of(activity), {"name": f"{activity['name']}·二", "expected": 9}
    assert office.patch(path, change).status == 428
    assert office.patch(path, change, seen="*").status == 412
    changed = office.patch(path, change, seen=1)
    assert (changed.status, changed.etag) == (200, '"2"')
    assert {**activity, **change, "version": 2} == changed.body
    stale = office.patch(path, {"expected": 10}, seen=1)
    assert stale.status == 412
    assert stale.body["changed"][0]["fields"] == ["expected", "name"]


def test_what_was_taken_back_stays_to_be_read(office: Client, activity: Any) -> None:
    path = path_of(activity)
    assert office.post(f"{path}/withdraw").status == 422
    gone = office.post(f"{path}/withdraw", {"reason": "改期"})
    assert (gone.status, gone.body["withdrawn"]["reason"]) == (200, "改期")
    assert office.get(path).body["withdrawn"]["by"] == "office"
    assert office.post(f"{path}/withdraw", {"reason": "改期"}).status == 409
    assert office.patch(path, {"expected": 1}, seen=2).status == 409


def test_the_same_activity_is_there_once(house: House, office: Client, activity: Any) -> None:
    before = house.state()
    again = office.post(EVERY, {**BODY, "name": activity["name"]})
    assert (again.status, again.body["type"].rpartition("#")[2]) == (409, "exists")
    assert house.state() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "holiday"},
        {"kind": None},
        {"name": ""},
        {"name": "一\n二"},
        {"name": "字" * 201},
        {"held_on": "2042-10-10"},
        {"held_on": "10月10日"},
        {"expected": -1},
        {"expected": "8"},
        {"expected": 10**9},
        {"place": "学术报告厅"},
    ],
    ids=str,
)
def test_what_is_wrong_changes_nothing(house: House, office: Client, activity: Any, wrong: dict[str, Any]) -> None:
    before = house.state()
    refused = office.post(EVERY, {**BODY, "name": "新的活动", **wrong})
    assert (refused.status, list(refused.body["errors"])) == (422, list(wrong))
    if wrong != {"kind": None}:  # null leaves a field out, which is allowed in a correction
        assert office.patch(path_of(activity), wrong, seen=1).status == 422
    assert house.state() == before


def test_a_year_or_an_activity_that_is_not_there_is_missing_first_of_all(house: House, office: Client, activity: Any) -> None:
    assert office.get("/cycles/2031/activities?unknown=1").status == 404
    assert office.post("/cycles/2031/activities", {}).status == 404
    for nowhere in (f"/cycles/2031/activities/{activity['id']}", f"{EVERY}/{10**12}"):
        assert office.get(nowhere).status == office.patch(nowhere, {}).status == office.post(f"{nowhere}/withdraw").status == 404
        assert upload(office, f"{nowhere}/attendance-imports", b"").status == 404


# ── who reads and who writes ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("who", "reads"),
    [("office", 200), ("committee", 200), ("auditor", 200), ("张三", 200), ("李四", 200), ("赵六", 200), ("王五", 403), ("administrator", 403)],
)
def test_who_leads_a_branch_reads_the_list_and_a_member_does_not(house: House, activity: Any, who: str, reads: int) -> None:
    client = house.as_(who)
    assert (client.get(EVERY).status, client.get(path_of(activity)).status) == (reads, reads)


@pytest.mark.parametrize("who", ["committee", "auditor", "张三", "李四", "王五", "administrator"])
def test_the_office_alone_writes_and_looks_at_sheets(house: House, office: Client, activity: Any, who: str) -> None:
    client, sheet = house.as_(who), ok(upload(office, sheets_of(activity), attendance_sheet(sheet_rows())))
    before, one = house.state(), f"{sheets_of(activity)}/{sheet['id']}"
    asked: list[Callable[[], Reply]] = [
        lambda: client.post(EVERY, {**BODY, "name": "自办活动"}),
        lambda: client.patch(path_of(activity), {"expected": 1}, seen=1),
        lambda: client.post(f"{path_of(activity)}/withdraw", {"reason": "改期"}),
        lambda: upload(client, sheets_of(activity), attendance_sheet(sheet_rows())),
        lambda: client.get(one),
        lambda: client.post(f"{one}/apply"),
    ]
    assert [ask().status for ask in asked] == [403] * 6
    assert house.state() == before


# ── attendance ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sheet_is_looked_at_then_applied_then_again_without_effect(house: House, office: Client, activity: Any) -> None:
    before = house.state()
    preview = upload(office, sheets_of(activity), attendance_sheet(sheet_rows()), name="../出勤/十月.xlsx")
    assert preview.status == 201
    assert {table for table, rows in house.state().items() if rows != before[table]} == {"attendance_import", "history"}
    one = preview.headers["Location"].removeprefix("/api/v1")
    assert one == f"{sheets_of(activity)}/{preview.body['id']}"
    assert preview.body.keys() == {"id", "file_name", "problems", "summary", "applicable", "applied_at", "recorded_at"}
    assert (preview.body["file_name"], preview.body["problems"], preview.body["applicable"]) == ("十月.xlsx", [], True)
    assert preview.body["summary"] == {**ALL, "branches": 2, "changes": {"added": 5, "changed": 0, "removed": 0}}
    assert office.get(one).body == preview.body
    done = ok(office.post(f"{one}/apply"), 200)
    assert done["changed"] == preview.body["summary"]["changes"]
    assert done["applied_at"] is not None
    before = house.state()
    again = ok(office.post(f"{one}/apply"), 200)
    assert again == {**done, "changed": {"added": 0, "changed": 0, "removed": 0}}
    assert house.state() == before


def test_a_sheet_with_errors_is_told_by_row_and_heading_and_is_not_applied(house: House, office: Client, activity: Any) -> None:
    rows = sheet_rows()
    rows[1]["学工号"], rows[2]["姓名"] = rows[0]["学工号"], "王武"
    preview = upload(office, sheets_of(activity), attendance_sheet(rows))
    assert preview.status == 201
    assert [(each["sheet"], each["row"], each["heading"], each["severity"]) for each in preview.body["problems"]] == [
        ("出勤表", 3, "学工号", "error"),
        ("出勤表", 3, "姓名", "warning"),
        ("出勤表", 4, "姓名", "warning"),
    ]
    before = house.state()
    refused = office.post(f"{sheets_of(activity)}/{preview.body['id']}/apply")
    assert (refused.status, refused.body["detail"]) == (409, "出勤表还有错误，改正后重新上传")
    assert house.state() == before
    assert office.get(path_of(activity)).body["imported"] is False


def test_a_sheet_is_found_below_its_own_activity_alone(house: House, office: Client, activity: Any) -> None:
    other = ok(office.post(EVERY, {**BODY, "kind": "other", "name": activity["name"]}))
    sheet = ok(upload(office, sheets_of(activity), attendance_sheet(sheet_rows())))
    elsewhere = f"{sheets_of(other)}/{sheet['id']}"
    assert office.get(elsewhere).status == office.post(f"{elsewhere}/apply").status == 404
    assert office.get(path_of(other)).body["imported"] is False


def test_what_is_no_file_and_what_is_too_large_is_kept_nowhere(house: House, office: Client, activity: Any) -> None:
    before = house.state()
    assert office.post(sheets_of(activity), {}).status == 415
    empty = office.http.post(
        f"/api/v1{sheets_of(activity)}", data={"other": (BytesIO(b""), "出勤表.xlsx")}, headers={"Authorization": f"Bearer {office.token}"}
    )
    assert (empty.status_code, empty.get_json()["errors"]) == (422, {"file": ["请选择出勤表文件"]})
    assert upload(office, sheets_of(activity), b"x" * (SMALL + 1)).status == 413
    assert house.state() == before
    hostile = ok(upload(office, sheets_of(activity), b"PK\x03\x04" + b"x" * 1000))
    assert (len(hostile["problems"]), hostile["applicable"]) == (1, False)


def test_a_branch_that_is_summarised_refuses_the_sheet_when_it_is_looked_at_and_when_it_is_applied(
    house: House, office: Client, activity: Any
) -> None:
    sheet = ok(upload(office, sheets_of(activity), attendance_sheet(sheet_rows())))

    def stands_at(stage: str) -> None:
        with transaction(house.engine, actor="cli") as session:
            session.execute(text("update process set stage = :stage where kind = 'assessment'"), {"stage": stage})

    stands_at("summarised")
    try:
        refused = office.post(f"{sheets_of(activity)}/{sheet['id']}/apply")
        assert (refused.status, refused.body["type"].rpartition("#")[2]) == (409, "stage-closed")
        assert "D0101党支部、D0201党支部的考核材料已汇总" in refused.body["detail"]
        again = ok(upload(office, sheets_of(activity), attendance_sheet(sheet_rows())))
        assert [(each["row"], each["severity"]) for each in again["problems"]] == [(2, "error"), (5, "error")]
    finally:
        stands_at("collecting")
    assert office.get(path_of(activity)).body["imported"] is False


def test_an_activity_without_attendance_is_shown_with_where_it_is_mended(house: House, office: Client, activity: Any) -> None:
    def signs() -> list[Any]:
        items = ok(office.get(f"{YEAR}/assessments/D0101/requirements"), 200)["items"]
        return [each for each in items if each["requirement"] == "activities_without_attendance"]

    (sign,) = signs()
    assert (sign["state"], sign["severity"], sign["clause"]) == ("unmet", "sign", "R4")
    assert {"id": str(activity["id"]), "name": activity["name"]} in sign["subjects"]
    assert f"{sign['count']} 项集中活动还没有登记出勤：" in sign["message"]
    assert sign["href"] == f"/api/v1{EVERY}"
    assert office.get(sign["href"].removeprefix("/api/v1")).status == 200
    apply_attendance(office, activity, sheet_rows())
    assert str(activity["id"]) not in [subject["id"] for each in signs() for subject in each["subjects"]]
