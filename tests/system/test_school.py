"""A school made by commands alone: sixty branches on the roster, one of them walked over HTTP.

The core of a year, seen from outside on a running server. The branch is refused, and the refusal
names every missing person; each recorded talk shortens the list. It waives with a reason, advances,
is returned by the office with a new day, and advances again. Its reminder is read back from the
mail server, and the dashboard agrees.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from schedulers.worker import tick
from tests.support.mail_server import MailServer, free_port, mail_server
from tests.support.rosters import a_school_roster
from workflow.foundation.database import engine_for
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import SCHOOL_ZONE
from workflow.reminders.when import goes_at, nearest_reminder

pytestmark = pytest.mark.slow
YEAR = "/cycles/2024"


@dataclass(frozen=True)
class School:
    """A running service, with clients for its people."""

    project: Path
    environment: dict[str, str]
    port: int
    clients: list[httpx.Client] = field(default_factory=list)

    def command(self, *words: str, said: str | None = None) -> str:
        """Run ``zhibu`` with these words to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words], cwd=self.project, env=self.environment, input=said, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def as_(self, staff_no: str) -> httpx.Client:
        token = self.command("token", "create", "--staff-no", staff_no).strip()
        client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30)
        self.clients.append(client)
        return client


@pytest.fixture
def school(project: Path, tmp_path: Path, superuser: str, template: str, database_url: str, owner_url: str) -> Iterator[School]:
    """Sixty branches in a draft of 2024, served by gunicorn on a PostgreSQL of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIBU_")}
    port = free_port()
    ours = {
        "ZHIBU_DATABASE_URL": database_url.replace("+psycopg", ""),
        "ZHIBU_OWNER_DATABASE_URL": owner_url.replace("+psycopg", ""),
        "ZHIBU_SECRET_KEY": "a secret of the tests' own",
        "ZHIBU_BASE_URL": f"http://127.0.0.1:{port}",
    }
    school = School(project, {**kept, **ours}, port)
    roster = tmp_path / "名册.xlsx"
    roster.write_bytes(a_school_roster())
    school.command("migrate")
    school.command(
        "account", "create", "--staff-no", "office", "--name", "周岚", "--role", "office", "--password-stdin", said="ten letters and more\n"
    )
    assert "核对完毕，没有写入" in school.command("roster", "import", str(roster))
    assert "已写入" in school.command("roster", "import", str(roster), "--apply")
    school.command("cycle", "open", "--plan", "2024", *(f"--deadline={stage}={day}" for stage, day in DEADLINES.items()))
    assert "60 个党支部开始" in school.command("cycle", "publish", "2024")
    server = subprocess.Popen([sys.executable, "-m", "cli", "serve", "--port", str(port)], cwd=project, env=school.environment)
    try:
        _wait_until_ready(port)
        yield school
    finally:
        for client in school.clients:
            client.close()
        server.terminate()
        server.wait(30)


TODAY = datetime.now(SCHOOL_ZONE).date()
DEADLINES = {"study": TODAY + timedelta(days=20), "talks": TODAY + timedelta(days=25), "report": TODAY + timedelta(days=40)}
REMINDED = goes_at(DEADLINES["talks"], 3, {})
"""A later day than today, on which the stages are entered: nobody is reminded then."""


def _wait_until_ready(port: int) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer")


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def tick_at(school: School, mail: MailServer, moment: datetime) -> None:
    """Run one tick of the worker at a moment, with the real mail server."""
    settings = read_settings({}, base_url=school.environment["ZHIBU_BASE_URL"], smtp_url=mail.url, mail_from="zhibu@school.example")
    engine = engine_for(school.environment["ZHIBU_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))
    tick(engine, settings, moment)
    engine.dispose()


def at_ten(day: date) -> datetime:
    """Give ten in the morning by the school's clock."""
    return datetime(day.year, day.month, day.day, 10, tzinfo=SCHOOL_ZONE).astimezone(UTC)


def missing(problem: dict[str, Any], clause: str) -> dict[str, str]:
    return {subject["id"]: subject["name"] for each in problem["unmet"] if each["clause"] == clause for subject in each["subjects"]}


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


@dataclass(frozen=True)
class Walker:
    """A large branch on its way, with the clients of its secretary and of the office."""

    school: School
    row: dict[str, Any]
    office: httpx.Client
    secretary: httpx.Client
    people: list[dict[str, Any]]

    @property
    def here(self) -> str:
        return branch_path(self.row)

    @property
    def leaders(self) -> list[str]:
        return [each["staff_no"] for each in self.people if each["leads"]]

    @property
    def others(self) -> dict[str, str]:
        return {each["staff_no"]: each["name"] for each in self.people if not each["leads"]}

    def move(self, client: httpx.Client, trigger: str, **what: Any) -> httpx.Response:
        etag = client.get(self.here).headers["ETag"]
        return client.post(f"{self.here}/moves", json={"trigger": trigger, **what}, headers={"If-Match": etag})

    def advance(self) -> httpx.Response:
        return self.move(self.secretary, "advance")

    def record(self, collection: str, body: dict[str, Any], by: httpx.Client | None = None) -> None:
        ok((by or self.secretary).post(f"{self.here}/{collection}", json=body))

    def standing(self, stage: str) -> int:
        return int(ok(self.office.get(f"{YEAR}/progress", headers={"Cache-Control": "no-cache"}))["by_stage"][stage])


STUDY_DAY = str(TODAY - timedelta(days=1))


def a_walker(school: School) -> Walker:
    office = school.as_("office")
    row = next(each for each in ok(office.get(f"{YEAR}/branches"))["items"] if len(ok(office.get(branch_path(each) + "/roll"))["items"]) >= 20)
    secretary = school.as_(row["secretary"]["staff_no"])
    return Walker(school, row, office, secretary, ok(secretary.get(f"{branch_path(row)}/roll"))["items"])


def test_a_branch_walks_study_and_talks_and_is_returned_and_walks_again(school: School, mail: MailServer) -> None:
    walker = a_walker(school)
    last = next(iter(walker.others))
    studies(walker)
    talks_with_all_but(walker, last)
    is_reminded_of_it(walker, mail, last)

    # Waived with a reason, advanced, and counted.
    assert missing(walker.advance().json(), "K2") == {last: walker.others[last]}
    waiver = {"requirement": "members_nobody_talked_with", "subjects": [last], "reason": "长期住院，已电话慰问"}
    walker.record("waivers", waiver)
    assert ok(walker.advance())["stage"] == "self_review"
    assert (walker.standing("talks"), walker.standing("self_review")) == (0, 1)

    is_returned_and_advances_again(walker, mail)


def studies(walker: Walker) -> None:
    """Let the branch be refused, with every missing person and title, until all have studied."""
    people = walker.people
    refused = walker.advance()
    assert refused.status_code == 409
    assert missing(refused.json(), "E4") == {each["staff_no"]: each["name"] for each in people}
    titles = list(missing(refused.json(), "E3"))
    assert sorted(titles) == sorted(ok(walker.office.get(YEAR))["rules"]["required_reading"])
    everybody = [each["staff_no"] for each in people]
    walker.record("study-sessions", {"held_on": STUDY_DAY, "titles": titles, "present": everybody[1:], "exchange": "交流了体会"})
    assert missing(walker.advance().json(), "E4") == {everybody[0]: people[0]["name"]}
    session = ok(walker.secretary.get(f"{walker.here}/study-sessions"))["items"][0]
    walker.record(f"study-sessions/{session['id']}/make-ups", {"staff_no": everybody[0], "on": str(TODAY), "how": "自学"})
    assert ok(walker.advance())["stage"] == "talks"
    assert (walker.standing("study"), walker.standing("talks")) == (59, 1)


def talks_with_all_but(walker: Walker, last: str) -> None:
    """Record talks with all others but the last; each record shortens the list.

    A committee member records their own talk.
    """
    leaders, others = walker.leaders, walker.others
    for number, one in enumerate(leaders):
        for other in leaders[number + 1 :]:
            walker.record("talks", {"held_on": STUDY_DAY, "talker": one, "partner": other})
    assert missing(walker.advance().json(), "K2") == others
    rest = [each for each in others if each != last]
    walker.record("talks", {"held_on": STUDY_DAY, "talker": leaders[1], "partner": rest[0]}, by=walker.school.as_(leaders[1]))
    assert missing(walker.advance().json(), "K2") == {number: name for number, name in others.items() if number != rest[0]}
    for other in rest[1:]:
        focus = {"focus": True, "focus_reason": "新到支部"} if other == rest[1] else {}
        walker.record("talks", {"held_on": STUDY_DAY, "talker": leaders[0], "partner": other, **focus})


def is_reminded_of_it(walker: Walker, mail: MailServer, last: str) -> None:
    """Read the reminder of three days before the deadline back from the mail server.

    It tells the secretary their own duty and has nobody else's name.
    """
    tick_at(walker.school, mail, REMINDED)
    branch, secretary = walker.row["branch"], walker.people[0]["name"]
    ours = [each for each in mail.received if branch["name"] in each["Subject"] and secretary in str(each["To"])]
    began, letter = sorted(ours, key=lambda each: "谈心谈话" in each["Subject"])
    assert "已开始" in began["Subject"]
    text = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "谈心谈话" in text
    assert "还有 1 名党员没有谈心谈话记录" in text
    assert walker.others[last] not in text
    ledger = ok(walker.office.get(f"{YEAR}/letters", params={"branch": branch["code"], "recipient": walker.leaders[0]}))["items"]
    # Before a weekend a reminder nearer to the deadline may be due already.
    nearest = nearest_reminder(DEADLINES["talks"], REMINDED, {}, (7, 3, 1))
    assert [(each["kind"], each["state"]) for each in ledger] == [("year-published", "sent"), ("reminders", "sent")]
    assert [each["kind"] for each in ledger[1]["items"]] == [f"due-{nearest}"]


def is_returned_and_advances_again(walker: Walker, mail: MailServer) -> None:
    """Let the office return the branch with a new day.

    The waiver stays valid, and the branch advances again.
    """
    day = str(TODAY + timedelta(days=10))
    returned = ok(walker.move(walker.office, "return", to="talks", reason="请补充意见建议", due_on=day))
    assert (returned["stage"], returned["round"], returned["due_on"]) == ("talks", 2, day)
    progress = ok(walker.office.get(f"{YEAR}/progress", headers={"Cache-Control": "no-cache"}))
    assert (progress["by_stage"]["talks"], progress["returned"]) == (1, 1)
    # The server queued the letter just now, which may be after ten.
    tick_at(walker.school, mail, max(at_ten(TODAY), datetime.now(UTC)))
    assert any("退回" in each["Subject"] for each in mail.received)
    assert ok(walker.advance())["stage"] == "self_review"
    assert walker.standing("self_review") == 1
    assert [each["trigger"] for each in ok(walker.office.get(f"{walker.here}/moves"))["items"]] == ["advance", "advance", "return", "advance"]


def branch_path(row: dict[str, Any]) -> str:
    return f"{YEAR}/branches/{row['branch']['code']}"
