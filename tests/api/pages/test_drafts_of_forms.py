"""Drafts of forms on their pages (草稿): gone with their form; an ended session keeps the text."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import update

from api.pages.frame.look import STATIC
from tests.support.builders import NOW, person
from tests.support.records.evidence import stand_at
from tests.support.running.browsing import Visitor, form_in, visitor
from tests.support.servers import Cast, House
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.people.accounts import WebSession, open_account
from workflow.year.finding import process_of

PASSWORD = "一个很长的密码 12"
TEXT = "信念坚定\n<b>仍有不足</b>"


@pytest.fixture
def cast(house: House) -> Cast:
    house.clock.now = NOW
    cast = house.a_branch()
    with transaction(house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, cast.code), Stage.SELF_REVIEW)
        open_account(session, person(session, cast.member), now=NOW, password=PASSWORD)
    return cast


@pytest.fixture
def member(house: House, cast: Cast) -> Visitor:
    return visitor(house.engine, house.app, cast.member)


def form_of(cast: Cast) -> str:
    return f"/2024/{cast.code}/self-reviews/new"


def end_sessions(house: House, who: str) -> None:
    with transaction(house.engine, actor="cli") as session:
        session.execute(update(WebSession).where(WebSession.person_id == person(session, who).id).values(revoked_at=NOW))


def test_a_form_says_where_its_draft_is_kept_and_others_keep_none(cast: Cast, house: House, member: Visitor) -> None:
    page = member.get(form_of(cast)).get_data(as_text=True)
    at = re.findall(r'data-draft="([^"]+)"', page)
    assert at == [f"/api/v1/me/drafts/record_self_review/2024-{cast.code}"]
    assert f'data-account="{cast.member}"' in page
    token = re.findall(r'data-csrf="([^"]+)"', page)[0]
    kept = member.http.put(at[0], json={"typed": {"aspects.A1": TEXT}}, headers={"X-CSRF-Token": token, "If-Match": '"0"'})
    assert kept.status_code == 200
    assert member.get(at[0]).get_json()["typed"] == {"aspects.A1": TEXT}
    done = member.fill(form_of(cast), aspects__A1=TEXT, submitted="true")
    assert done.status_code == 303
    assert member.get(at[0]).status_code == 404, "gone with the form"
    assert "data-draft" not in visitor(house.engine, house.app, cast.secretary).get(f"/2024/{cast.code}/talks/new").get_data(as_text=True)


def test_an_ended_session_asks_for_the_password_and_keeps_what_was_typed(house: House, cast: Cast, member: Visitor) -> None:
    form = member.form(form_of(cast))
    end_sessions(house, cast.member)
    before = house.state()
    asked = member.send(form_of(cast), form, aspects__A1=TEXT, submitted="true")
    page = asked.get_data(as_text=True)
    assert (asked.status_code, asked.headers["Cache-Control"]) == (401, "private, no-store")
    assert "您填写的内容都还在" in page
    assert "<b>仍有" not in page
    kept = form_in(page)
    assert kept["aspects.A1"] == [TEXT.replace("\n", "\r\n")] or kept["aspects.A1"] == [TEXT]
    wrong = member.send(form_of(cast), kept, _password="wrong")
    assert wrong.status_code == 401
    assert "密码不对" in wrong.get_data(as_text=True)
    again = member.send(form_of(cast), form_in(wrong.get_data(as_text=True)), _password=PASSWORD)
    assert again.status_code == 200
    assert house.state()["self_review"] == before["self_review"], "looked at first, then sent"
    form = form_in(again.get_data(as_text=True))
    assert form["aspects.A1"] == [TEXT]
    assert member.send(form_of(cast), form, submitted="true").status_code == 303


def test_a_form_of_another_site_is_not_kept(house: House, cast: Cast, member: Visitor) -> None:
    form = member.form(form_of(cast))
    end_sessions(house, cast.member)
    sent = member.http.post(form_of(cast), data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert sent.status_code == 403
    del form["_by"]
    assert member.send(form_of(cast), form).status_code == 303, "nobody to ask: to the sign-in"


def test_an_answer_to_a_refusal_still_names_the_version_that_was_seen(house: House, cast: Cast, member: Visitor) -> None:
    member.fill(form_of(cast), aspects__A1=TEXT, submitted="false")
    (row,) = house.as_(cast.member).get(f"{cast.path}/self-reviews").body["items"]
    at = f"/2024/{cast.code}/self-reviews/{row['id']}/edit"
    form = member.form(at)
    house.as_(cast.member).patch(f"{cast.path}/self-reviews/{row['id']}", {"aspects": {"A2": "另一处写的"}}, seen=1)
    refused = member.send(at, form, aspects__A1="字" * 10_001)
    assert refused.status_code == 422
    stale = member.send(at, form_in(refused.get_data(as_text=True)), aspects__A1="改短了")
    assert stale.status_code == 412


def test_scripts_are_small() -> None:
    assert sum(len(path.read_bytes()) for path in STATIC.glob("*.js")) < 60_000
