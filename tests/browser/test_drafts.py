"""Drafts in a browser (草稿): a lost line, another device, a shared computer lose nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from tests.browser.sites import PHONE, Site
from tests.support.builders import NOW, person
from tests.support.records.evidence import stand_at
from tests.support.servers import Cast
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.people.accounts import WebSession, open_account
from workflow.year.finding import process_of

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

PASSWORD = "一个很长的密码 12"
FIRST = "理想信念第 1 / 6 方面"
KEPT = "[data-kept]"
ON_THE_DEVICE = "Object.keys(localStorage).filter((key) => key.startsWith('zhibu-draft '))"


@pytest.fixture
def cast(site: Site) -> Cast:
    site.house.clock.now = NOW
    cast = site.house.a_branch()
    with transaction(site.house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, cast.code), Stage.SELF_REVIEW)
        open_account(session, person(session, cast.member), now=NOW, password=PASSWORD)
    return cast


def open_form(page: Page, cast: Cast, noun: str = "self-reviews") -> None:
    page.goto(f"/2024/{cast.code}/{noun}/new", wait_until="networkidle")


def test_what_was_typed_without_a_line_is_there_again_and_reaches_the_server(site: Site, cast: Cast) -> None:
    with site.window(cast.member, PHONE) as window:
        page = site.tab(window)
        open_form(page, cast)
        window.set_offline(True)
        page.get_by_label(FIRST).fill("信念坚定")
        expect(page.locator(KEPT)).to_contain_text("连接中断", timeout=5000)
        assert len(page.evaluate(ON_THE_DEVICE)) == 1
        page.close()
        window.set_offline(False)
        page = site.tab(window)
        open_form(page, cast)
        expect(page.get_by_label(FIRST)).to_have_value("信念坚定")
        expect(page.locator(KEPT)).to_contain_text("已保存")
        assert page.evaluate(ON_THE_DEVICE) == []
    with site.visit(cast.member) as page:
        open_form(page, cast)
        expect(page.get_by_label(FIRST)).to_have_value("信念坚定")
        expect(page.locator("[data-offer]")).to_contain_text("还没有提交的草稿")
        page.get_by_role("button", name="不用草稿").click()
        expect(page.get_by_label(FIRST)).to_have_value("")


def test_two_devices_lose_neither_text(site: Site, cast: Cast) -> None:
    with site.visit(cast.member, PHONE) as phone, site.visit(cast.member) as desk:
        open_form(phone, cast)
        open_form(desk, cast)
        phone.get_by_label(FIRST).fill("手机上写的")
        expect(phone.locator(KEPT)).to_contain_text("已保存")
        desk.get_by_label(FIRST).fill("电脑上写的")
        expect(desk.locator("[data-offer]")).to_contain_text("另一处还有")
        expect(desk.get_by_label(FIRST)).to_have_value("电脑上写的")
        desk.get_by_role("button", name="换成那一份").click()
        expect(desk.get_by_label(FIRST)).to_have_value("手机上写的")
        desk.get_by_role("button", name="换成那一份").click()
        expect(desk.get_by_label(FIRST)).to_have_value("电脑上写的")
        expect(desk.locator(KEPT)).to_contain_text("已保存")


def test_signing_out_leaves_nothing_on_a_shared_computer(site: Site, cast: Cast) -> None:
    with site.window(cast.member) as window:
        page = site.tab(window)
        open_form(page, cast)
        page.route("**/api/v1/me/drafts/**", lambda route: route.abort())
        page.get_by_label(FIRST).fill("只在本机")
        assert len(page.evaluate(ON_THE_DEVICE)) == 1
        page.get_by_role("button", name="退出").click()
        page.wait_for_url("**/sign-in")
        assert page.evaluate(ON_THE_DEVICE) == []


def test_a_session_that_ends_asks_for_the_password_in_place(site: Site, cast: Cast) -> None:
    with site.visit(cast.member, PHONE) as page:
        open_form(page, cast)
        with transaction(site.house.engine, actor="cli") as session:
            session.execute(update(WebSession).where(WebSession.person_id == person(session, cast.member).id).values(revoked_at=NOW))
        page.get_by_label(FIRST).fill("登录过期时写的")
        expect(page.locator(KEPT)).to_contain_text("登录已过期")
        page.get_by_role("button", name="提交自评").click()
        page.get_by_label("密码").fill(PASSWORD)
        page.get_by_role("button", name="登录并接着办").click()
        expect(page.get_by_label(FIRST)).to_have_value("登录过期时写的")
        page.get_by_role("button", name="提交自评").click()
        page.wait_for_url("**done=record_self_review")
        assert page.evaluate(ON_THE_DEVICE) == []


def test_rows_of_minutes_come_back_too(site: Site, cast: Cast) -> None:
    with site.visit(cast.secretary) as page:
        open_form(page, cast, "meetings")
        page.locator("[name='guests.0.name']").fill("李明")
        page.get_by_role("group", name="列席人员").get_by_role("button", name="再加一行").click()
        page.wait_for_load_state("networkidle")
        page.locator("[name='minutes']").fill("逐项进行")
        expect(page.locator(KEPT)).to_contain_text("已保存")
        with page.expect_response(lambda answer: answer.request.method == "PUT"):
            page.locator("[name='guests.1.name']").fill("王刚")
        open_form(page, cast, "meetings")
        expect(page.locator("[name='minutes']")).to_have_value("逐项进行")
        expect(page.locator("[name='guests.1.name']")).to_have_value("王刚")
