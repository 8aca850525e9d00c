"""The contact sheet (样张): a picture of every page, on a phone and on a desk, in one folder.

``python -m tests.browser.contact_sheet --out FOLDER`` makes it; ``index.html`` there shows all.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import structlog

from tests.browser.chromium import a_browser
from tests.browser.every_page import ROLES, a_full_world, every_page, who
from tests.browser.sites import DESKTOP, PHONE, Site, a_site
from tests.support.running.postgres import a_postgres, a_template

STYLE = "body{font:14px sans-serif;margin:24px}figure{display:inline-block;margin:0 16px 24px 0}img{border:1px solid #ccc;height:420px}"


def take(site: Site, out: Path, *, only: str = "", dark: bool = False) -> list[tuple[str, list[str]]]:
    """Take the pictures; return each page with the names of its files."""
    world = a_full_world(site.house)
    pages = [(role, address) for role, address in every_page(world) if only in address]
    taken: dict[str, list[str]] = {}
    for size in (PHONE, DESKTOP):
        for role in ROLES:
            mine = [address for looking, address in pages if looking == role]
            with site.visit(who(world, role), size, dark=dark) as page:
                for address in mine:
                    page.goto(address)
                    name = f"{role or 'nobody'}{re.sub(r'[^0-9A-Za-z]+', '-', address)}-{size[0]}.png"
                    page.screenshot(path=out / name, full_page=True)
                    taken.setdefault(f"{role or 'nobody'} {address}", []).append(name)
    return list(taken.items())


def sheet(taken: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Write the page that shows all pictures."""
    rows = "".join(
        f"<h2>{escape(page)}</h2>" + "".join(f'<figure><a href="{name}"><img src="{name}" alt="" loading="lazy"></a></figure>' for name in names)
        for page, names in taken
    )
    return f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>样张</title><style>{STYLE}</style><h1>样张</h1>{rows}</html>'


def main() -> None:
    """Make a school, take a picture of each of its pages, and write the sheet."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path, required=True, help="the folder")
    asked.add_argument("--only", default="", help="a part of the address")
    asked.add_argument("--dark", action="store_true", help="in the dark scheme")
    words = asked.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    words.out.mkdir(parents=True, exist_ok=True)
    with a_postgres("18") as superuser, a_template(superuser) as template, a_browser() as browser, a_site(superuser, template, browser) as site:
        taken = take(site, words.out, only=words.only, dark=words.dark)
    (words.out / "index.html").write_text(sheet(taken), encoding="utf-8")


if __name__ == "__main__":
    main()
