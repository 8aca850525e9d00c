"""A member on a phone: from the letter to what they write, in a real browser."""

from __future__ import annotations

import re

import pytest

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
        page.get_by_role("link", name="去办理").first.click()
        look("the self-review")
        page.wait_for_url(re.compile(r"/self-reviews"))
    assert {name: faults for name, faults in found.items() if faults} == {}
