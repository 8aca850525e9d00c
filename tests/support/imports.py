"""Rosters that are sent to a school in this process: uploaded, applied, and the school itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from api import create_app
from tests.api.conftest import Client, Clock, Reply
from tests.support.builders import a_cycle, an_office
from tests.support.rosters import RosterBranch, a_roster, a_workbook, committee_rows, member_rows
from tests.support.running.postgres import a_clone
from tests.support.servers import YEAR, House, settings_of_tests
from tests.support.workbooks import Row
from workflow.foundation.database import engine_for, transaction


def upload(client: Client, content: bytes, name: str = "名册.xlsx", field: str = "file") -> Reply:
    headers = {"Authorization": f"Bearer {client.token}"}
    answer = client.http.post("/api/v1/roster-imports", data={field: (BytesIO(content), name)}, headers=headers)
    return Reply(answer.status_code, answer.get_json(silent=True), answer.headers)


def applied(client: Client, content: bytes, **sent: Any) -> Reply:
    """Upload a roster and apply it, as a rule with success."""
    preview = upload(client, content)
    assert preview.status == 201, preview.body
    return client.post(f"/roster-imports/{preview.body['id']}/apply", sent)


def rows_without(branches: Sequence[RosterBranch], *names: str) -> bytes:
    """Make the roster of these branches without some of their people; all keep their 学工号."""
    members = [row for row in member_rows(branches) if row["姓名"] not in names]
    return a_workbook(members, [row for row in committee_rows(branches) if row["姓名"] not in names])


def of_branch(code: str, branches: Sequence[RosterBranch]) -> tuple[list[Row], list[Row]]:
    """Give the rows of one branch of a school; its people keep their 学工号."""
    name = next(branch.name for branch in branches if branch.code == code)
    return (
        [row for row in member_rows(branches) if row["所在党支部编码"] == code],
        [row for row in committee_rows(branches) if row["所属党支部"] == name],
    )


@contextmanager
def a_school_of(superuser: str, template: str, branches: Sequence[RosterBranch]) -> Iterator[House]:
    """Make a school whose roster was applied, in a published year, with a clock of its own."""
    with a_clone(superuser, template) as url:
        engine, clock = engine_for(url), Clock()
        with transaction(engine, actor="cli") as session:
            an_office(session)
            a_cycle(session)
        house = House(engine, create_app(engine, settings_of_tests(), clock=clock), clock)
        office = house.as_("office")
        if branches:
            assert applied(office, a_roster(branches)).status == 200
            assert office.post(f"{YEAR}/publish").status == 200
        yield house
        engine.dispose()
