"""The committee's assessment of branches over HTTP, in short acts.

Each person acts signed in as themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

from tests.api.conftest import Client, Reply
from tests.support.servers import YEAR, House
from tests.support.workbooks import Row, workbook_of
from tests.support.years.branch_year import every, ok

SECTIONS = {
    "C1": "落实了各项部署",
    "C2": "完成了重大任务",
    "C3": "巡视整改已完成",
    "C4": "规范了组织生活",
    "C5": "解决了人手不足",
    "C6": "书记带头履责",
}
FACTS = {
    "main_work": "完成本科教学审核评估",
    "three_meetings": {"general": 4, "committee": 11, "group": 12, "lesson": 3},
    "development": {"applicants": 5, "activists": 3, "candidates": 2, "admitted": 1, "confirmed": 1},
    "clean_government": {"text": "开展警示教育两次", "issues": False},
}
HEADINGS = ("学工号", "姓名", "所在党支部", "出勤情况")
SESSION = {"held_on": "2025-01-08", "place": "第一会议室"}


@dataclass(frozen=True)
class AssessmentYear:
    """A branch in the committee's assessment."""

    house: House
    code: str
    year: str = YEAR

    @property
    def path(self) -> str:
        return f"{self.year}/assessments/{self.code}"

    @property
    def office(self) -> Client:
        return self.house.as_("office")

    @cached_property
    def secretary(self) -> Client:
        return self.house.as_(self.holder("secretary"))

    @property
    def roll(self) -> list[dict[str, Any]]:
        return every(self.office, f"{self.year}/branches/{self.code}/roll")

    def holder(self, post: str | None) -> str:
        """Find the 学工号 of the holder of a post, or of a plain member."""
        return next(str(row["staff_no"]) for row in self.roll if row["post"] == post)

    def arrange(self, **body: Any) -> Any:
        return ok(self.office.patch(self.path, body, seen=self.office.get(self.path).etag), 200)

    def put(self, what: str, body: Mapping[str, Any], *, by: Client | None = None) -> Any:
        """Read, then put with the version that was read, as a client does."""
        client, path = by or self.secretary, f"{self.path}/{what}"
        return ok(client.put(path, body, seen=client.get(path).headers.get("ETag")), 200)

    def report(self, *, without: Iterable[str] = (), **fields: Any) -> Any:
        """Let the secretary submit a duty report."""
        sections = {name: text for name, text in SECTIONS.items() if name not in without}
        return self.put("duty-report", {"sections": sections, "submitted": True, **fields})

    def tell_facts(self) -> Any:
        return self.put("facts", FACTS)

    def propose(self, result: str | None = "qualified", reason: str | None = "完成各项任务") -> Any:
        return self.put("proposal", {"result": result, "reason": reason}, by=self.office)

    def move(self, trigger: str, *, by: str = "office", **body: Any) -> Reply:
        client = self.house.as_(by)
        return client.post(f"{self.path}/moves", {"trigger": trigger, **body}, seen=client.get(self.path).etag)

    def goes_on(self) -> str:
        return str(ok(self.move("advance"))["stage"])

    @property
    def stage(self) -> str:
        return str(ok(self.office.get(self.path), 200)["stage"])

    def does(self, stage: str) -> None:
        """Do all that a stage asks for from this branch."""
        if stage == "collecting":
            self.arrange(mode="written")
            self.report()
        elif stage == "summarised":
            self.propose()

    def comes_to(self, stage: str) -> None:
        while (here := self.stage) != stage:
            self.does(here)
            self.goes_on()


def attendance_sheet(rows: Iterable[Row]) -> bytes:
    """Make the xlsx of an attendance sheet."""
    return workbook_of({"出勤表": (HEADINGS, list(rows))})


def upload(client: Client, path: str, content: bytes, name: str = "出勤表.xlsx") -> Reply:
    answer = client.http.post(f"/api/v1{path}", data={"file": (BytesIO(content), name)}, headers={"Authorization": f"Bearer {client.token}"})
    return Reply(answer.status_code, answer.get_json(), answer.headers)


def apply_attendance(office: Client, activity: Mapping[str, Any], rows: Iterable[Row], year: str = YEAR) -> Any:
    """Upload a sheet for an activity and apply it."""
    path = f"{year}/activities/{activity['id']}/attendance-imports"
    read = ok(upload(office, path, attendance_sheet(rows)))
    assert read["applicable"], read["problems"]
    return ok(office.post(f"{path}/{read['id']}/apply"), 200)


def a_decision(results: Mapping[str, str], *, number: str = "党委会〔2025〕3号", **fields: Any) -> dict[str, Any]:
    """Make the body of a decision that the office enters from the minutes."""
    came = fields.get("attendees") or ["office", "committee", "auditor"]
    body = {
        "held_on": "2024-12-20",
        "number": number,
        "attendees": came,
        "due": 5,
        "vote": {"yes": len(came)},
        "results": {code: {"result": result} for code, result in results.items()},
    }
    return {name: value for name, value in {**body, **fields}.items() if value is not None}


def decide(house: House, results: Mapping[str, str], **fields: Any) -> Any:
    """Let the office enter a decision and the committee make it final."""
    made = ok(house.as_("office").post(f"{YEAR}/decision", a_decision(results, **fields)))
    return ok(house.as_("committee").post(f"{YEAR}/decisions/{made['id']}/confirm"), 200)
