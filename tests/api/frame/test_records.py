"""Records and lists: made, read, amended, withdrawn, rejected; and paged through."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client
from tests.support.builders import READING
from tests.support.servers import YEAR, Cast, House

UNMET = {"clause", "requirement", "stage", "severity", "message", "sentence", "count", "subjects", "waivable", "link", "href"}
"""The fields of an unmet requirement in the contract."""
RECORD = {"id", "recorded_by", "recorded_at", "withdrawn", "rejected"}


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def secretary(house: House, branch: Cast) -> Client:
    return house.as_(branch.secretary)


@pytest.fixture
def office(house: House) -> Client:
    return house.as_("office")


def bodies(branch: Cast) -> dict[str, dict[str, Any]]:
    return {
        "study-sessions": {"held_on": "2024-12-19", "form": "领学", "titles": list(READING), "present": branch.everybody, "exchange": "有"},
        "talks": {"held_on": "2024-12-19", "talker": branch.secretary, "partner": branch.member, "way": "phone", "focus": True, "affirmed": "肯干"},
        "waivers": {"requirement": "members_who_have_not_studied", "reason": "长期在外"},
    }


COLLECTIONS = ("study-sessions", "talks", "waivers")


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_record_is_made_and_found_where_its_location_says(branch: Cast, secretary: Client, name: str) -> None:
    body = bodies(branch)[name]
    made = secretary.post(f"{branch.path}/{name}", body)
    assert made.status == 201, made.body
    assert made.etag == '"1"'
    assert made.body.keys() >= RECORD
    assert made.body["recorded_by"] == branch.secretary
    assert made.body["recorded_at"] == "2024-12-20T02:00:00Z"
    assert made.body["withdrawn"] is made.body["rejected"] is None
    for field, value in body.items():
        assert sorted(made.body[field]) == sorted(value) if isinstance(value, list) else made.body[field] == value
    found = secretary.get(made.headers["Location"].removeprefix("/api/v1"))
    assert (found.status, found.body, found.etag) == (200, made.body, '"1"')
    assert secretary.get(f"{branch.path}/{name}").body == {"items": [made.body], "next": None}


@pytest.mark.parametrize("name", ["study-sessions", "talks"])
def test_a_correction_raises_the_tag_and_the_history_keeps_the_old_value(branch: Cast, secretary: Client, office: Client, name: str) -> None:
    made = secretary.post(f"{branch.path}/{name}", bodies(branch)[name])
    path = f"{branch.path}/{name}/{made.body['id']}"
    changed = secretary.patch(path, {"held_on": "2024-12-18"}, seen=1)
    assert (changed.status, changed.etag, changed.body["held_on"]) == (200, '"2"', "2024-12-18")
    assert {**changed.body, "held_on": "2024-12-19", "version": 1} == made.body
    row = [row for row in office.get(f"{branch.path}/history?limit=200").body["items"] if row["old"] and "held_on" in row["old"]][-1]
    assert {"at", "by", "on_behalf_of", "what", "old", "new", "reason"} <= row.keys()
    assert (row["by"], row["old"]["held_on"], row["new"]["held_on"]) == (branch.secretary, "2024-12-19", "2024-12-18")


@pytest.mark.parametrize("name", ["study-sessions", "talks"])
def test_of_two_who_saw_the_same_record_the_second_is_told_what_changed(house: House, branch: Cast, secretary: Client, name: str) -> None:
    path = f"{branch.path}/{name}/{secretary.post(f'{branch.path}/{name}', bodies(branch)[name]).body['id']}"
    assert house.as_(branch.deputy).patch(path, {"held_on": "2024-12-18"}, seen=1).status == 200
    before = house.state()
    stale = secretary.patch(path, {"held_on": "2024-12-17"}, seen=1)
    assert stale.status == 412
    assert stale.body["version"] == 2
    assert [change["by"] for change in stale.body.get("changed", [])] == [branch.deputy]
    assert house.state() == before


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_record_is_withdrawn_by_the_branch_with_a_reason_once(house: House, branch: Cast, secretary: Client, office: Client, name: str) -> None:
    path = f"{branch.path}/{name}/{secretary.post(f'{branch.path}/{name}', bodies(branch)[name]).body['id']}"
    assert secretary.post(f"{path}/withdraw").status == 422
    assert office.post(f"{path}/withdraw", {"reason": "重复"}).status == 403
    gone = secretary.post(f"{path}/withdraw", {"reason": "重复登记"})
    assert gone.status == 200
    assert gone.body["withdrawn"] == {"by": branch.secretary, "at": "2024-12-20T02:00:00Z", "reason": "重复登记"}
    assert secretary.get(path).body == gone.body
    before = house.state()
    assert secretary.post(f"{path}/withdraw", {"reason": "再撤回"}).status == 409
    assert office.post(f"{path}/reject", {"reason": "有误"}).status == 409
    if name != "waivers":
        assert secretary.patch(path, {"held_on": "2024-12-18"}, seen=2).status == 409
    assert house.state() == before


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_record_is_rejected_by_the_office_with_a_reason(branch: Cast, secretary: Client, office: Client, name: str) -> None:
    path = f"{branch.path}/{name}/{secretary.post(f'{branch.path}/{name}', bodies(branch)[name]).body['id']}"
    assert secretary.post(f"{path}/reject", {"reason": "有误"}).status == 403
    assert office.post(f"{path}/reject").status == 422
    gone = office.post(f"{path}/reject", {"reason": "日期不实"})
    assert gone.status == 200
    assert gone.body["rejected"] == {"by": "office", "at": "2024-12-20T02:00:00Z", "reason": "日期不实"}
    assert secretary.get(path).body["rejected"] == gone.body["rejected"]


def test_a_session_is_made_up_by_who_was_not_there_once(house: House, branch: Cast, secretary: Client) -> None:
    present = [each for each in branch.everybody if each != branch.member]
    made = secretary.post(f"{branch.path}/study-sessions", {**bodies(branch)["study-sessions"], "present": present})
    path = f"{branch.path}/study-sessions/{made.body['id']}/make-ups"
    later = {"staff_no": branch.member, "on": "2024-12-20", "how": "自学"}
    assert secretary.post(path, later).status == 201
    before = house.state()
    assert secretary.post(path, later).status == 409
    assert secretary.post(path, {**later, "staff_no": branch.secretary}).status == 409
    assert secretary.post(path, {**later, "staff_no": "z6"}).status == 422
    assert secretary.post(path, {**later, "on": "2024-12-21"}).status == 422
    assert house.state() == before


def test_a_follow_up_is_promised_and_done(branch: Cast, secretary: Client) -> None:
    talk = secretary.post(f"{branch.path}/talks", bodies(branch)["talks"])
    path = f"{branch.path}/talks/{talk.body['id']}/follow-ups"
    assert secretary.post(path, {"due_on": "2024-12-18", "what": "家访"}).status == 422
    promised = secretary.post(path, {"due_on": "2025-01-10", "what": "家访"})
    assert promised.status == 201
    done = f"{path}/{promised.body['id']}/done"
    assert secretary.post(done, {"on": "2024-12-21"}).status == 422
    assert secretary.post(f"{path}/999999/done", {"on": "2024-12-20"}).status == 404
    assert secretary.post(done, {"on": "2024-12-20"}).body["done_on"] == "2024-12-20"


def test_the_coverage_shows_who_talked_with_whom_and_who_is_missing(branch: Cast, secretary: Client) -> None:
    secretary.post(f"{branch.path}/talks", bodies(branch)["talks"])
    matrix = secretary.get(f"{branch.path}/talks/coverage").body
    assert matrix["mode"] == "default"
    assert sorted(person["staff_no"] for person in matrix["people"]) == sorted(branch.everybody)
    a, b = sorted((branch.secretary, branch.member))
    assert matrix["pairs"] == [{"a": a, "b": b, "talks": 1}]
    leaders = (branch.secretary, branch.deputy, branch.organiser, branch.publicist)
    pairs = {(a, b) for a in leaders for b in leaders if a < b} | {tuple(sorted((leader, branch.newcomer))) for leader in leaders}
    assert {(each["a"], each["b"]) for each in matrix["missing"]} == pairs


# ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def full(house: House) -> Cast:
    """A branch with several of everything."""
    cast = house.a_branch()
    secretary, office = house.as_(cast.secretary), house.as_("office")
    for name in COLLECTIONS:
        for _ in range(3):
            made = secretary.post(f"{cast.path}/{name}", bodies(cast)[name])
            assert made.status == 201, made.body
            secretary.post(f"{cast.path}/{name}/{made.body['id']}/withdraw", {"reason": "重复登记"})
    for day in ("2025-02-01", "2025-02-02"):
        assert office.post(f"{cast.path}/extensions", {"stage": "report", "due_on": day, "reason": "外出实践"}).status == 201
    secretary.post(f"{cast.path}/study-sessions", bodies(cast)["study-sessions"])
    assert secretary.post(f"{cast.path}/moves", {"trigger": "advance"}, seen=3).status == 201
    for version in (4, 6):
        back = office.post(f"{cast.path}/moves", {"trigger": "return", "to": "study", "reason": "材料不全", "due_on": "2025-02-10"}, seen=version)
        assert back.status == 201, back.body
        assert secretary.post(f"{cast.path}/moves", {"trigger": "advance"}, seen=version + 1).status == 201
    return cast


BELOW_BRANCH = ("/talks", "/study-sessions", "/waivers", "/moves", "/extensions", "/history", "/roll")
OF_SCHOOL = (*(YEAR + each for each in ("/branches", "/exceptions", "/letters")), "/cycles", "/appointments", "/accounts", "/tokens")


@pytest.mark.parametrize("path", [*BELOW_BRANCH, *OF_SCHOOL])
def test_a_list_comes_whole_through_its_cursors(house: House, full: Cast, path: str) -> None:
    client = house.as_("administrator" if path in ("/accounts", "/tokens") else "office")
    path = full.path + path if path in BELOW_BRANCH else path
    whole = client.get(f"{path}?limit=200")
    assert whole.status == 200, whole.body
    assert whole.body.keys() == {"items", "next"}
    assert whole.body["next"] is None
    size = max(1, len(whole.body["items"]) // 4)
    pages, after = [], ""
    while after is not None:
        page = client.get(f"{path}?limit={size}{after and '&after=' + after}").body
        assert len(page["items"]) <= size
        pages += page["items"]
        after = page["next"]
    assert pages == whole.body["items"]
    assert len(pages) > 1 or path == "/cycles"


def test_to_dos_are_a_list_like_any_other(house: House, full: Cast) -> None:
    mine = house.as_(full.secretary).get("/me/todos").body
    assert mine.keys() == {"items", "next"}
    assert all(item.keys() == UNMET | {"kind", "cycle", "branch", "due_on"} for item in mine["items"])
    assert {item["kind"] for item in mine["items"]} == {"appraisal", "assessment"}


def test_the_ledger_says_who_was_told_what_and_never_the_text(house: House, full: Cast) -> None:
    office = house.as_("office")
    rows = office.get(f"{YEAR}/letters?branch={full.code}").body["items"]
    assert {row["recipient"] for row in rows} == {full.secretary, full.deputy}
    assert all(row["kind"] == "returned" and row["state"] == "pending" and row["due_on"] == "2025-02-10" for row in rows)
    assert "材料不全" not in str(rows)
    assert not {"text", "html", "address"} & set().union(*(row.keys() for row in rows))
    assert [row["id"] for row in office.get(f"{YEAR}/letters?recipient={full.deputy}").body["items"]] == [
        row["id"] for row in rows if row["recipient"] == full.deputy
    ]
    assert office.get(f"{YEAR}/letters?branch=X999").body == {"items": [], "next": None}
    assert office.get(f"{YEAR}/letters?recipient=nobody").body == {"items": [], "next": None}
