"""Forms of acts (办理页): what is typed is kept, said at its field, and done once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.support.builders import NOW
from tests.support.running.browsing import Visitor, form_in, visitor, written
from tests.support.servers import Cast, House
from workflow.appraisal.talks.talks import TALKS
from workflow.foundation.fields import Line, about

PAGE = "/2024/{code}"


@pytest.fixture
def cast(house: House) -> Cast:
    house.clock.now = NOW
    return house.a_branch()


@pytest.fixture
def as_(house: House) -> Callable[[str | None], Visitor]:
    return lambda who: visitor(house.engine, house.app, who)


def talks(house: House, cast: Cast) -> list[dict[str, object]]:
    found: list[dict[str, object]] = house.as_(cast.secretary).get(f"{cast.path}/talks").body["items"]
    return found


def test_a_talk_is_recorded_by_its_form_and_the_next_page_says_so(house: House, cast: Cast, as_: Callable[[str | None], Visitor]) -> None:
    browser = as_(cast.secretary)
    sent = browser.fill(f"/2024/{cast.code}/talks/new?partner={cast.member}", held_on="2024-12-19", talker=cast.secretary, place="办公室")
    assert sent.status_code == 303, sent.get_data(as_text=True)
    (kept,) = talks(house, cast)
    assert (kept["partner"], kept["place"]) == (cast.member, "办公室")
    assert sent.headers["Location"] == f"/2024/{cast.code}/talks/{kept['id']}?done=record_talk"
    page = browser.get(sent.headers["Location"])
    assert "已办理：登记谈心谈话" in page.get_data(as_text=True)
    assert page.headers["Cache-Control"] == "private, no-store"


def test_what_is_wrong_stands_at_its_field_with_all_that_was_typed(house: House, cast: Cast, as_: Callable[[str | None], Visitor]) -> None:
    browser = as_(cast.secretary)
    before = written(house)
    sent = browser.fill(f"/2024/{cast.code}/talks/new", held_on="2999-01-01", talker=cast.secretary, partner=cast.secretary, place="<b>办公室</b>")
    page = sent.get_data(as_text=True)
    assert sent.status_code == 422
    assert re.search(r'id="f-partner-wrong">[^<]+<', page)
    again = form_in(page)
    assert (again["held_on"], again["talker"], again["place"]) == (["2999-01-01"], [cast.secretary], ["<b>办公室</b>"])
    assert "<b>办公室" not in page
    assert written(house) == before


def test_a_form_that_is_sent_twice_has_one_effect(house: House, cast: Cast, as_: Callable[[str | None], Visitor]) -> None:
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/talks/new"
    form = browser.form(path)
    filled = {"held_on": "2024-12-19", "talker": cast.secretary, "partner": cast.member}
    places = {browser.send(path, form, **filled).headers["Location"] for _ in range(3)}
    assert len(places) == 1
    assert len(talks(house, cast)) == 1
    # With other content it is another form, and the key says that it is not.
    assert browser.send(path, form, **{**filled, "partner": cast.newcomer}).status_code == 422
    assert len(talks(house, cast)) == 1


def test_a_stale_form_tells_what_changed_and_keeps_what_was_typed(house: House, cast: Cast, as_: Callable[[str | None], Visitor]) -> None:
    client = house.as_(cast.secretary)
    made = client.post(f"{cast.path}/talks", {"held_on": "2024-12-19", "talker": cast.secretary, "partner": cast.member})
    path = f"/2024/{cast.code}/talks/{made.body['id']}/edit"
    browser = as_(cast.secretary)
    form = browser.form(path)
    assert client.patch(f"{cast.path}/talks/{made.body['id']}", {"place": "会议室"}, seen=1).status == 200
    refused = browser.send(path, form, place="图书馆")
    page = refused.get_data(as_text=True)
    assert refused.status_code == 412
    assert "您打开以后的变化" in page
    again = form_in(page)
    assert again["place"] == ["图书馆"]
    assert browser.send(path, again).status_code == 303
    assert talks(house, cast)[0]["place"] == "图书馆"


def test_what_stands_in_the_way_is_told_by_name(house: House, cast: Cast, as_: Callable[[str | None], Visitor]) -> None:
    browser = as_(cast.secretary)
    bench = browser.get(f"/2024/{cast.code}").get_data(as_text=True)
    assert "现在是“集中学习”" in bench
    assert f'href="/2024/{cast.code}/study/new' in bench
    refused = browser.fill(f"/2024/{cast.code}/moves/new", trigger="advance")
    assert refused.status_code == 409
    assert cast.member[:1] in refused.get_data(as_text=True)


def test_a_list_of_people_and_rows_come_back_as_they_were_ticked(house: House, cast: Cast, as_: Callable[[str | None], Visitor]) -> None:
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/meetings/new"
    sent = browser.fill(
        path,
        purpose="report",
        form="general",
        held_on="2024-12-19",
        present=["", cast.secretary, cast.member],
        absent__0__staff_no=cast.newcomer,
        absent__0__reason="出差",
    )
    assert sent.status_code == 303, sent.get_data(as_text=True)
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/meetings").body["items"]
    assert kept["present"] == sorted([cast.secretary, cast.member])
    assert kept["absent"] == [{"staff_no": cast.newcomer, "reason": "出差"}]
    more = browser.fill(path, absent__0__staff_no=cast.newcomer, absent__0__reason="出差", _more="absent")
    assert more.status_code == 200
    assert "absent.1.staff_no" in more.get_data(as_text=True)


def test_a_field_that_is_declared_appears_on_the_page(
    house: House, cast: Cast, as_: Callable[[str | None], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Line(at_most=40, **about("谈话编号", "number", "本支部自己的编号", "the branch's own", example="12"))
    monkeypatch.setitem(TALKS.schema.load_fields, "number", said)
    page = as_(cast.secretary).get(f"/2024/{cast.code}/talks/new").get_data(as_text=True)
    assert '<label for="f-number">谈话编号' in page
    assert "本支部自己的编号，如“12”" in page
    assert 'maxlength="40"' in page


# ── protection ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_form_of_another_session_or_of_yesterday_is_refused(house: House, cast: Cast, as_: Callable[[str | None], Visitor]) -> None:
    path, filled = f"/2024/{cast.code}/talks/new", {"held_on": "2024-12-19", "talker": cast.secretary, "partner": cast.member}
    browser, other = as_(cast.secretary), as_(cast.secretary)
    form = other.form(path)
    before = written(house)
    assert browser.send(path, form, **filled).status_code == 403
    assert browser.send(path, {**browser.form(path), "_csrf": ["x"]}, **filled).status_code == 403
    mine = browser.form(path)
    elsewhere = browser.http.post(path, data={**mine, **filled}, headers={"Origin": "https://elsewhere.example"})
    assert elsewhere.status_code == 403
    assert browser.http.post(path, data={**mine, **filled}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert written(house) == before


def test_sign_in_leads_back_to_where_one_wanted_to_go_and_to_no_other_site(as_: Callable[[str | None], Visitor]) -> None:
    sent = as_(None).get("/2024/D0101/talks/new?partner=x")
    assert sent.status_code == 303
    assert sent.headers["Location"] == "/sign-in?next=/2024/D0101/talks/new%3Fpartner%3Dx"
    for wanted in ("//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)", "/a\nb"):
        form = form_in(as_(None).http.get("/sign-in", query_string={"next": wanted}).get_data(as_text=True))
        assert form["next"] == ["/"], wanted


def test_a_wrong_address_is_a_page_for_people_and_a_problem_for_programs(as_: Callable[[str | None], Visitor]) -> None:
    browser = as_("office")
    page = browser.http.get("/2024/nothing/at/all", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "回到我的工作台" in page.get_data(as_text=True)
    assert browser.http.get("/api/v1/nothing", headers={"Accept": "text/html"}).mimetype == "application/problem+json"


def test_old_links_of_letters_lead_to_their_page(as_: Callable[[str | None], Visitor]) -> None:
    for old, new in (
        ("/cycles/2024", "/2024/"),
        ("/cycles/2024/branches/D0101", "/2024/D0101"),
        ("/cycles/2024/assessments/D0101", "/2024/assessments/D0101"),
    ):
        answer = as_(None).get(old)
        assert (answer.status_code, answer.headers["Location"]) == (301, new)


def test_a_session_ends_in_the_middle_and_nothing_is_done(house: House, cast: Cast, as_: Callable[[str | None], Visitor]) -> None:
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/talks/new"
    form = browser.form(path)
    house.clock.now = NOW + timedelta(days=500)
    sent = browser.send(path, form, held_on="2024-12-19", talker=cast.secretary, partner=cast.member)
    assert sent.status_code == 401
    assert "请重新登录" in sent.get_data(as_text=True)
    house.clock.now = NOW
    assert talks(house, cast) == []


def test_an_address_that_nothing_can_have_is_not_there(house: House, cast: Cast, as_: Callable[[str | None], Visitor]) -> None:
    here = f"/2024/{cast.code}"
    for who in ("office", cast.secretary):
        browser = as_(who)
        for path in ("/2024/%00", "/2024/%00/talks", "/2024/%00/talks/new", f"{here}/roll/%00/edit", "/office/people/%00", "/invitations/%00"):
            assert browser.get(path).status_code == 404, (who, path)
