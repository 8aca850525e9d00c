"""The pages below ``/docs``: a first walk, every operation, every refusal.

Chinese first, readable on a phone, nothing inline.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import ROUTES
from api.frame.errors import BEYOND, STATUS, status_of
from api.frame.manual.problems import ADVICE, told
from api.frame.openapi import path_of
from api.frame.openapi.refusals import every_refusal
from tests.support.servers import House
from workflow.foundation.errors import Refusal

PAGES = ("/docs", "/docs/start", "/docs/problems")


@pytest.fixture
def client(house: House) -> FlaskClient:
    return house.app.test_client()


@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_chinese_fits_a_phone_and_leads_on(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    page = answer.get_data(as_text=True)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert '<html lang="zh-CN">' in page
    assert 'name="viewport" content="width=device-width' in page
    assert {f'href="{other}"' for other in PAGES} <= set(re.findall(r'href="[^"]+"', page))
    assert page.count("aria-current") == 1
    for link in re.findall(r'(?:src|href|data-document)="(/[^"#]+)', page):
        with client.get(link) as found:
            assert found.status_code == 200, link
    assert not re.findall(r"<script(?![^>]*src=)|<style| style=| on\w+=", page), "the policy allows no inline script or style"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


def test_script_and_style_fetch_nothing_from_elsewhere(client: FlaskClient) -> None:
    for name, kind in (("docs.css", "text/css"), ("docs.js", "text/javascript")):
        with client.get(f"/docs/{name}") as found:
            assert found.mimetype == kind
            assert not re.findall(r"https?:|@import|url\(", found.get_data(as_text=True))


def test_the_page_of_refusals_has_each_once_with_what_to_do(client: FlaskClient) -> None:
    page = client.get("/docs/problems").get_data(as_text=True)
    known = {each.slug: status_of(each) for each in every_refusal(Refusal) if any(kind in STATUS for kind in each.__mro__)}
    known |= {slug: status for slug, (status, _) in BEYOND.items()}
    assert Counter(re.findall(r'id="([\w-]+)"', page)) == Counter(known.keys())
    assert page.count("<article ") == len(known) == len(ADVICE)
    assert {row.slug: row.status for row in told()} == known
    for row in told():
        assert all(unescape(text) in unescape(page) for text in (row.title.zh, row.meaning, row.advice.zh, row.advice.en)), row.slug
    assert "``" not in page


def test_the_first_page_takes_its_calls_from_the_document(client: FlaskClient) -> None:
    document: Any = client.get("/api/v1/openapi.json").get_json()
    calls = unescape(client.get("/docs/start").get_data(as_text=True))
    asked = [re.sub(r"\?.*", "", each) for each in re.findall(r"\$SERVER/api/v1(/[^ \"\n<]*)", calls)]
    rules = [re.compile(re.sub(r"\{\w+\}", "[^/]+", path_of(route.rule))) for route in ROUTES]
    assert len(asked) > 8
    assert [each for each in asked if not any(rule.fullmatch(each) for rule in rules)] == []
    bodies = [json.loads(each) for each in re.findall(r"-d '(\{.*\})'", calls)]
    operations = [each for item in document["paths"].values() for each in item.values()]
    content = [each["requestBody"]["content"].get("application/json", {}) for each in operations if "requestBody" in each]
    known = [example["value"] for each in content for example in each.get("examples", {}).values()]
    assert len(bodies) > 3
    assert [each for each in bodies if each not in known] == []
    headers = {"Authorization", "Content-Type", *(each["name"] for each in document["components"]["parameters"].values() if each["in"] == "header")}
    assert set(re.findall(r"-H ['\"]([\w-]+):", calls)) <= headers
