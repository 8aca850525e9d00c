"""The inbox (待我办理页): what branches hand in is decided where it stands, many at once or one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.builders import NOW
from tests.support.records.evidence import stand_at
from tests.support.running.browsing import Visitor, form_in, visitor
from tests.support.servers import YEAR, Cast, House, a_house
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.rules.requirement import Waiver
from workflow.year.finding import Lock, process_of

INBOX = "/office/inbox"
ACCEPT, CONFIRM = "/office/years/2024/moves/bulk", "/office/years/2024/excuses/bulk"


@pytest.fixture
def house(superuser: str, template: str) -> Iterator[House]:
    """A school of one test's own: the inbox is that of the whole school."""
    with a_house(superuser, template) as made:
        made.clock.now = NOW
        yield made


@pytest.fixture
def office(house: House) -> Visitor:
    return visitor(house.engine, house.app, "office")


def filed(house: House) -> Cast:
    cast = house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, cast.code, lock=Lock.MOVE), Stage.FILED)
    return cast


def stage_of(house: House, cast: Cast) -> str:
    return str(house.as_("office").get(cast.path).body["stage"])


def page_of(office: Visitor) -> str:
    answer = office.get(INBOX)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def waiting(page: str) -> int:
    found = re.search(r"待我办理 (\d+) 件", page)
    return int(found[1]) if found else 0


def ours(page: str, action: str) -> dict[str, list[str]]:
    """Return the token and the key of one of the page's forms."""
    fields = form_in(page, action)
    return {name: fields[name] for name in ("_csrf", "_key", "_next", "_version") if name in fields}


def rows(page: str, form: str) -> dict[str, list[str]]:
    """Return the fields that stand outside the form they belong to, as a browser sends them."""
    found: dict[str, list[str]] = {}
    for tag in page.split("<input ")[1:]:
        attributes = dict(part.split("=", 1) for part in tag.split(">")[0].split() if "=" in part)
        if attributes.get("form") == f'"{form}"':
            found.setdefault(attributes["name"].strip('"'), []).append(attributes["value"].strip('"'))
    return found


def test_the_ticked_branches_are_accepted_and_no_others(house: House, office: Visitor) -> None:
    first, second, third = (filed(house) for _ in range(3))
    page = page_of(office)
    before = waiting(page)
    sent = {**ours(page, ACCEPT), **rows(page, "accept")}
    assert sent["items._picked"] == ["0", "1", "2"]
    codes = [sent[f"items.{at}.code"][0] for at in range(3)]
    done = office.http.post(ACCEPT, data={**sent, "items._picked": [str(codes.index(first.code)), str(codes.index(third.code))]})
    assert (done.status_code, done.headers["Location"]) == (303, f"{INBOX}?done=move_in_bulk")
    assert [stage_of(house, each) for each in (first, second, third)] == ["accepted", "filed", "accepted"]
    assert waiting(page_of(office)) == before - 2


def test_nothing_ticked_is_nothing_done(house: House, office: Visitor) -> None:
    cast = filed(house)
    page = page_of(office)
    sent = {**ours(page, ACCEPT), **rows(page, "accept"), "items._picked": [""]}
    assert office.http.post(ACCEPT, data=sent).status_code == 422
    assert stage_of(house, cast) == "filed"


def test_a_branch_is_sent_back_with_a_reason_and_a_stage_from_the_page(house: House, office: Visitor) -> None:
    cast = filed(house)
    action = f"/2024/{cast.code}/moves/new"
    sent = {**ours(page_of(office), action), "trigger": "return", "to": "rectification", "due_on": "2025-01-24"}
    without = office.http.post(action, data=sent)
    assert without.status_code == 422
    done = office.http.post(action, data={**sent, "reason": "整改措施没有对应问题"})
    assert done.status_code == 303, done.get_data(as_text=True)
    assert stage_of(house, cast) == "rectification"
    bench = visitor(house.engine, house.app, cast.secretary).get(f"/2024/{cast.code}").get_data(as_text=True)
    assert "整改措施没有对应问题" in bench


def test_reasons_are_approved_or_refused_where_they_stand(house: House, office: Visitor) -> None:
    cast = house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        process = process_of(session, 2024, cast.code, lock=Lock.EVIDENCE)
        said = {"requirement": "more_excellent_than_the_quota", "covers": {"": 1}, "names": {}, "reason": "全体表决通过"}
        row = Waiver(process_id=process.id, **said, needs_approval=True, recorded_by=cast.secretary, recorded_at=NOW)
        session.add(row)
        session.flush()
        record = row.id
    page = page_of(office)
    assert "全体表决通过" in page
    action = f"/2024/{cast.code}/reasons/{record}/reject"
    done = office.http.post(action, data={**ours(page, action), "reason": "请按比例评定"})
    assert (done.status_code, done.headers["Location"]) == (303, f"{INBOX}?done=reject_waiver")
    assert "全体表决通过" not in page_of(office)


def test_excuses_are_confirmed_together(house: House, office: Visitor) -> None:
    cast = house.a_branch()
    secretary = house.as_(cast.secretary)
    for who in (cast.member, cast.newcomer):
        path = f"{cast.path}/roll/{who}"
        assert secretary.patch(path, {"excused_kind": "ill", "excused_reason": "长期住院"}, seen=secretary.get(path).etag).status == 200
    page = page_of(office)
    done = office.http.post(CONFIRM, data={**ours(page, CONFIRM), **rows(page, "confirm")})
    assert done.status_code == 303, done.get_data(as_text=True)
    assert house.as_("office").get(f"{YEAR}/excuses?pending=true").body["items"] == []
    assert "等待确认的不参加" not in page_of(office)


def test_the_inbox_is_not_there_for_branches(house: House) -> None:
    cast = house.a_branch()
    assert visitor(house.engine, house.app, cast.secretary).get(INBOX).status_code == 404
    assert 'name="items._picked"' not in page_of(visitor(house.engine, house.app, "auditor"))


def test_a_move_that_the_address_names_has_a_page_that_says_what_follows(house: House, office: Visitor) -> None:
    cast = filed(house)
    page = office.get(f"/2024/{cast.code}/moves/new?trigger=return").get_data(as_text=True)
    assert "<h1>退回</h1>" in page
    assert f"{cast.code}党支部从所选环节重新办起，是第 2 轮" in page
    assert "due_on 只在" not in page
    assert form_in(page)["trigger"] == ["return"]
    refused = office.fill(f"/2024/{cast.code}/moves/new?trigger=return", to="talks")
    assert refused.status_code == 422
    again = refused.get_data(as_text=True)
    assert "<h1>退回</h1>" in again
    done = office.send(f"/2024/{cast.code}/moves/new", form_in(again), reason="谈话不全", due_on="2024-12-30")
    assert done.status_code == 303, done.get_data(as_text=True)
    assert stage_of(house, cast) == "talks"
    assert "<h1>办理环节变动</h1>" in office.get(f"/2024/{cast.code}/moves/new?trigger=dance").get_data(as_text=True)
