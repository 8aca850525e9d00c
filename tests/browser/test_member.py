"""A member on a phone: from the letter to what they write, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import overflow, violations
from tests.browser.sites import PHONE, Site
from tests.support.builders import NOW
from tests.support.records.evidence import stand_at
from tests.support.world import an_invitation
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import Stage
from workflow.year.finding import process_of

pytestmark = pytest.mark.slow

PASSWORD = "一个很长的密码 12"


def test_a_member_opens_the_letter_and_does_their_part(site: Site) -> None:
    cast = site.house.a_branch()
    site.house.clock.now = NOW
    with transaction(site.house.engine, actor="cli") as session:
        stand_at(session, process_of(session, 2024, cast.code), Stage.SELF_REVIEW)
    found: dict[str, list[str]] = {}

    with site.visit(size=PHONE) as page:

        def look(name: str) -> None:
            found[name] = [*violations(page), *filter(None, [overflow(page)])]

        page.goto(f"/invitations/{an_invitation(site.house, cast.member)}")
        look("the invitation")
        page.get_by_label("新密码").fill(PASSWORD)
        page.get_by_label("再填一次").fill(PASSWORD)
        page.get_by_role("button", name="设置并登录").click()
        page.wait_for_url("**/me")
        look("the own matters")
        page.get_by_role("link", name="开始写").click()
        look("the self-review")
        for number, title in enumerate(("理想信念", "宗旨意识", "遵纪守法", "学习", "业务工作", "组织生活"), 1):
            page.get_by_label(f"{title}第 {number} / 6 方面").fill(f"对照{title}检查，能够做到")
        page.get_by_label("合格", exact=True).check()
        expect(page.locator("[data-kept]")).to_contain_text("已保存")
        look("the self-review, filled in")
        page.get_by_role("button", name="提交自评").click()
        page.wait_for_url("**/me?done=record_self_review")
        expect(page.get_by_role("status")).to_contain_text("已办理")
        look("the own matters, done")
    assert {name: faults for name, faults in found.items() if faults} == {}
    (kept,) = site.house.as_(cast.secretary).get(f"{cast.path}/self-reviews").body["items"]
    assert (kept["staff_no"], kept["submitted"], len(kept["aspects"])) == (cast.member, True, 6)
