"""The entrance (登录页): signing in and out, an invitation from the letter, the demo's cards."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.builders import NOW, person
from tests.support.running.browsing import Visitor, visitor
from tests.support.servers import House, a_house
from workflow.foundation.database import transaction
from workflow.mail.outbox import Letter
from workflow.people.accounts import open_account

PASSWORD = "一个很长的密码 12"


@pytest.fixture
def nobody(house: House) -> Visitor:
    house.clock.now = NOW
    return visitor(house.engine, house.app, None)


def opened(house: House, who: str) -> None:
    with transaction(house.engine, actor="cli") as session:
        open_account(session, person(session, who), now=NOW, password=PASSWORD)


def test_signing_in_leads_to_the_own_desk_and_out_again(house: House, nobody: Visitor) -> None:
    opened(house, "office")
    form = nobody.form("/sign-in", "/sign-in")
    wrong = nobody.send("/sign-in", form, staff_no="office", password="wrong")
    assert wrong.status_code == 401
    assert "学工号或密码不对" in wrong.get_data(as_text=True)
    assert 'value="office"' in wrong.get_data(as_text=True)
    done = nobody.send("/sign-in", form, staff_no=" office ", password=PASSWORD)
    assert (done.status_code, done.headers["Location"]) == (303, "/")
    assert nobody.get("/").headers["Location"] == "/2024/"
    page = nobody.get("/2024/")
    assert page.status_code == 200
    out = nobody.send("/sign-out", nobody.form("/2024/", "/sign-out"))
    assert out.headers["Location"] == "/sign-in"
    assert nobody.get("/").headers["Location"] == "/sign-in"


def test_an_invitation_from_the_letter_sets_a_password_and_signs_in(house: House, nobody: Visitor) -> None:
    cast = house.a_branch()
    assert house.as_("administrator").post(f"/accounts/{cast.member}/invitation").status == 200
    with transaction(house.engine, actor=None) as session:
        text = next(row.text for row in session.query(Letter) if "/invitations/" in row.text)
    path = re.findall(r"http://zhibu\.example(/invitations/\S+)", text)[0]
    form = nobody.form(path)
    assert nobody.send(path, form, password=PASSWORD, again="another one 123").status_code == 422
    assert nobody.send(path, form, password="short", again="short").status_code == 422
    done = nobody.send(path, form, password=PASSWORD, again=PASSWORD)
    assert (done.status_code, done.headers["Location"]) == (303, "/")
    assert nobody.get("/").headers["Location"] == "/me"
    assert "现在没有要办的事" in nobody.get("/me").get_data(as_text=True)
    used = visitor(house.engine, house.app, None).send(path, form, password=PASSWORD, again=PASSWORD)
    assert used.status_code == 404
    assert "这个链接已经用过" in used.get_data(as_text=True)


def test_a_forgotten_password_answers_alike_for_everybody(house: House, nobody: Visitor) -> None:
    opened(house, "office")
    said = {nobody.fill("/forgotten", staff_no=who).get_data(as_text=True).partition("<main")[2] for who in ("office", "nobody-at-all")}
    assert len(said) == 1


def test_the_cards_of_the_demo_are_nowhere_else(house: House, nobody: Visitor) -> None:
    assert "/demo/enter" not in nobody.get("/sign-in").get_data(as_text=True)
    assert nobody.send("/demo/enter", nobody.form("/sign-in"), role="office").status_code == 404


def test_the_demo_enters_as_a_role_on_this_machine_alone(superuser: str, template: str) -> None:
    with a_house(superuser, template) as house:
        house.clock.now = NOW
        opened(house, "office")
        house.app.extensions["zhibu-demo"] = lambda role: (role, PASSWORD)
        browser = visitor(house.engine, house.app, None)
        form = browser.form("/sign-in", "/demo/enter")
        sent: Callable[..., Any] = lambda **where: browser.http.post("/demo/enter", data={**form, "role": "office"}, **where)  # noqa: E731
        assert sent(base_url="http://school.example").status_code == 404
        assert sent(environ_base={"REMOTE_ADDR": "10.0.0.8"}).status_code == 404
        assert browser.http.post("/demo/enter", data={**form, "role": "administrator"}).status_code == 404
        assert sent().headers["Location"] == "/"


def test_a_cookie_under_https_can_come_from_no_other_host(superuser: str, template: str) -> None:
    with a_house(superuser, template, base_url="https://zhibu.example") as house:
        house.clock.now = NOW
        opened(house, "office")
        browser = visitor(house.engine, house.app, None)
        form = browser.form("/sign-in")
        done = browser.http.post("/sign-in", data={**form, "staff_no": "office", "password": PASSWORD}, base_url="https://zhibu.example")
        cookie = done.headers["Set-Cookie"]
        assert cookie.startswith("__Host-zhibu_session=")
        assert "Secure" in cookie
        assert "Path=/" in cookie
