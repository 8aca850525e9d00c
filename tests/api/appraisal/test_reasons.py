"""The waivers of all branches in one list, read by the office: all, and those waiting for it."""

from __future__ import annotations

from tests.support.records.rating import a_counted_ballot, ratings
from tests.support.servers import YEAR, Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Level
from workflow.year.finding import process_of


def over_the_quota(house: House, branch: Cast) -> None:
    with transaction(house.engine, actor="cli") as session:
        process = process_of(session, 2024, branch.code)
        a_counted_ballot(session, process)
        ratings(session, process, dict.fromkeys(branch.everybody, Level.EXCELLENT))


def test_the_office_reads_every_reason_and_finds_those_that_wait_for_it(house: House) -> None:
    branch, other = house.a_branch(), house.a_branch()
    over_the_quota(house, branch)
    office, secretary = house.as_("office"), house.as_(branch.secretary)
    studied = {"requirement": "members_who_have_not_studied", "reason": "外出实习"}
    assert house.as_(other.secretary).post(f"{other.path}/waivers", studied).status == 201
    more = secretary.post(f"{branch.path}/waivers", {"requirement": "more_excellent_than_the_quota", "reason": "均承担重大任务"}).body
    listed = office.get(f"{YEAR}/waivers").body["items"]
    assert [(row["branch"]["code"], row["clause"], row["reason"]) for row in listed] == [
        (other.code, "E4", "外出实习"),
        (branch.code, "D5", "均承担重大任务"),
    ]
    assert listed[1]["amount"] == len(branch.everybody)
    assert [row["id"] for row in office.get(f"{YEAR}/waivers?pending=true").body["items"]] == [more["id"]]
    assert office.post(f"{branch.path}/waivers/{more['id']}/approve").status == 200
    assert office.get(f"{YEAR}/waivers?pending=true").body["items"] == []
    first = office.get(f"{YEAR}/waivers?limit=1").body
    assert office.get(f"{YEAR}/waivers?limit=1&after={first['next']}").body["items"][0]["id"] == more["id"]
    assert office.get("/cycles/2031/waivers").status == 404
    assert secretary.get(f"{YEAR}/waivers").status == 403
