"""Importing a roster over HTTP: previewed first, applied whole, and again without effect.

Files that are no roster are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from api import create_app
from tests.api.conftest import Client, Clock, Reply
from tests.support.builders import NOW, a_cycle, an_office
from tests.support.imports import upload
from tests.support.rosters import RosterBranch, a_roster, a_school_roster, a_workbook, committee_rows, member_rows, school_branches
from tests.support.running.postgres import a_clone
from tests.support.servers import YEAR, House, settings_of_tests
from workflow.foundation.database import engine_for, transaction

SCHOOL = {"branches": 8, "members": 150}
SMALL = 256 * 1024


@pytest.fixture(scope="module")
def house(superuser: str, template: str) -> Iterator[House]:
    """A school with its office and a draft of the year, and nobody else yet."""
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            an_office(session)
            a_cycle(session)
        yield House(engine, create_app(engine, settings_of_tests(upload_bytes=SMALL), clock=Clock()), Clock())
        engine.dispose()


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


def changed(before: Mapping[str, int], after: Mapping[str, int]) -> set[str]:
    return {name for name in after if after[name] != before[name]}


@pytest.fixture(scope="module")
def applied(house: House) -> Any:
    """The roster of a whole school, previewed and applied, in a published year."""
    office, before = house.as_("office"), house.state()
    preview = upload(office, a_school_roster(**SCHOOL))
    assert preview.status == 201, preview.body
    assert preview.body["problems"] == []
    assert preview.body["applicable"] is True
    assert changed(before, house.state()) == {"roster_import", "history"}
    done = office.post(f"/roster-imports/{preview.body['id']}/apply")
    assert done.status == 200, done.body
    assert office.post(f"{YEAR}/publish").status == 200
    return preview


def test_the_preview_says_what_applying_will_change_and_applying_says_the_same(house: House, office: Client, applied: Reply) -> None:
    summary = applied.body["summary"]
    assert (summary["branches"], summary["members"], summary["new_members"], len(summary["new_branches"])) == (8, 150, 150, 8)
    assert office.get(applied.headers["Location"].removeprefix("/api/v1")).body["summary"] == summary
    assert office.get(f"{YEAR}/progress", **{"Cache-Control": "no-cache"}).body["branches"] == 8
    assert len(office.get(f"{YEAR}/branches/D0101/roll").body["items"]) == 18


def test_a_roster_that_was_applied_is_not_applied_again(house: House, office: Client, applied: Reply) -> None:
    before = house.state()
    again = office.post(f"/roster-imports/{applied.body['id']}/apply")
    assert again.status == 409
    assert again.body["detail"] == "该名册已于 2024-12-20 写入，不再重复写入；如需写入请重新上传"
    assert house.state() == before


def test_everybody_on_an_applied_roster_has_an_account_without_a_password(house: House, applied: Reply) -> None:
    accounts = house.as_("administrator").get("/accounts?limit=200").body["items"]
    assert sum(not account["has_password"] for account in accounts) >= 150
    assert house.as_("20240001").get("/me").body["branches"] == [
        {"code": "D0101", "roles": ["committee_member", "member", "secretary"], "stands_for": None}
    ]


def test_a_member_who_moved_is_off_one_roll_and_on_the_other(house: House, office: Client, applied: Reply) -> None:
    rows = member_rows(school_branches(**SCHOOL))
    mover = next(row for row in rows if row["所在党支部编码"] == "D0101" and not row["党内职务"])
    mover.update({"所在党支部编码": "D0102", "所在党支部": "第1学院第2党支部"})
    staff_no, content = str(mover["学工号"]), a_workbook(rows, committee_rows(school_branches(**SCHOOL)))
    before = house.state()
    preview = upload(office, content)
    assert preview.body["summary"]["moved"] == [{"staff_no": staff_no, "name": mover["姓名"], "from": "D0101", "to": "D0102"}]
    assert changed(before, house.state()) == {"roster_import", "history"}
    assert office.post(f"/roster-imports/{preview.body['id']}/apply").status == 200
    old, new = (office.get(f"{YEAR}/branches/{code}/roll/{staff_no}").body for code in ("D0101", "D0102"))
    assert (old["left_on"], new["left_on"]) == (NOW.date().isoformat(), None)
    missing = office.get(f"{YEAR}/branches/D0101/requirements").body["items"]
    assert staff_no not in [subject["id"] for item in missing for subject in item["subjects"]]
    assert house.as_(staff_no).get(f"{YEAR}/branches/D0101/roll").status == 404
    assert house.as_(staff_no).get(f"{YEAR}/branches/D0102/roll").status == 200


def test_a_branch_that_appears_after_publication_gets_its_process(house: House, office: Client, applied: Reply) -> None:
    branches = [*school_branches(**SCHOOL), RosterBranch("D0901", "新设党支部", ("丁一", "丁二", "丁三"), {"丁一": "书记"}, (), "D09", "第9学院党委")]
    preview = upload(office, a_roster(branches))
    assert preview.body["summary"]["new_branches"] == ["D0901"]
    assert office.get(f"{YEAR}/branches/D0901").status == 404
    assert office.post(f"/roster-imports/{preview.body['id']}/apply").status == 200
    assert office.get(f"{YEAR}/branches/D0901").body["secretary"]["name"] == "丁一"


def test_a_roster_with_errors_is_told_by_row_and_heading_and_is_not_applied(house: House, office: Client, applied: Reply) -> None:
    rows = member_rows()
    rows[1]["学工号"], rows[2]["人员类别"] = rows[0]["学工号"], "不明"
    preview = upload(office, a_workbook(rows, committee_rows()))
    assert preview.status == 201
    assert preview.body["applicable"] is False
    assert all(problem.keys() == {"sheet", "row", "heading", "severity", "message"} for problem in preview.body["problems"])
    assert {(problem["row"], problem["heading"]) for problem in preview.body["problems"]} >= {(3, "学工号"), (4, "人员类别")}
    before = house.state()
    assert office.post(f"/roster-imports/{preview.body['id']}/apply").status == 409
    assert house.state() == before


def a_bomb() -> bytes:
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (80 * 2**20))
    return content.getvalue()


NO_ROSTERS: dict[str, Callable[[], bytes]] = {
    "an .xls": lambda: bytes.fromhex("D0CF11E0A1B11AE1") + b"\0" * 512,
    "a bomb": a_bomb,
    "nothing": lambda: b"",
    "a text": "学工号,姓名".encode,
    "half a workbook": lambda: a_roster()[:2000],
    "a zip of something else": lambda: b"PK\x05\x06" + b"\0" * 18,
}


@pytest.mark.parametrize("kind", NO_ROSTERS)
def test_what_is_no_roster_is_a_problem_and_no_fault_of_ours(office: Client, kind: str) -> None:
    answer = upload(office, NO_ROSTERS[kind]())
    assert answer.status == 201, answer.body
    assert answer.body["applicable"] is False
    assert [problem["severity"] for problem in answer.body["problems"]] == ["error"]
    assert office.post(f"/roster-imports/{answer.body['id']}/apply").status == 409


@pytest.mark.parametrize("size", [SMALL + 1, SMALL + 2**20])
def test_too_large_a_file_is_refused(house: House, office: Client, size: int) -> None:
    before = house.state()
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.xlsx"\r\n\r\n' + b"x" * size + b"\r\n--x--\r\n"
    headers = {"Authorization": f"Bearer {office.token}", "Content-Type": "multipart/form-data; boundary=x"}
    refused = office.http.post("/api/v1/roster-imports", data=part, headers=headers)
    assert refused.status_code == 413
    assert refused.mimetype == "application/problem+json"
    assert house.state() == before


def test_an_upload_without_a_file_is_refused_at_its_field(house: House, office: Client) -> None:
    before = house.state()
    assert upload(office, a_roster(), field="roster").body["errors"].keys() >= {"file"}
    headers = {"Authorization": f"Bearer {office.token}"}
    answers = [
        (office.http.post("/api/v1/roster-imports", headers=headers, data={"file": "not a file"}, content_type="multipart/form-data"), 422),
        (office.http.post("/api/v1/roster-imports", headers={**headers, "Content-Type": "multipart/form-data"}, data=b"x"), 422),
        (office.http.post("/api/v1/roster-imports", headers=headers, json={}), 415),
        (office.http.post("/api/v1/roster-imports", headers=headers), 415),
    ]
    assert [answer.status_code for answer, _ in answers] == [status for _, status in answers]
    assert house.state() == before


def test_the_name_of_a_file_is_kept_without_its_path(office: Client) -> None:
    assert upload(office, a_roster(), name="/home/张三/名册 2024.xlsx").body["file_name"] == "名册 2024.xlsx"


@pytest.mark.parametrize("who", ["committee", "auditor", "administrator"])
def test_the_roster_is_the_offices(house: House, who: str) -> None:
    assert upload(house.as_(who), a_roster()).status == 403
