"""A service for a browser: the tests' school behind a real port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, Page
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.mail_server import free_port
from tests.support.running.browsing import visitor
from tests.support.servers import House, a_house

PHONE, DESKTOP = (390, 844), (1280, 800)
"""Width and height of the windows."""


@dataclass
class Site:
    """The school with its address, and the browser that visits it."""

    house: House
    address: str
    browser: Browser
    complaints: list[str]
    """Complaints of pages: scripts that failed, things that the browser refused to load."""

    @contextmanager
    def visit(self, who: str | None = None, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Iterator[Page]:
        """Open a window in which somebody is signed in: by name, role or 学工号."""
        with self.window(who, size, dark=dark) as context:
            yield self.tab(context)

    @contextmanager
    def window(self, who: str | None, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Iterator[BrowserContext]:
        """Open a window of its own: its cookies and what it keeps are its own."""
        context = self.browser.new_context(
            base_url=self.address,
            viewport={"width": size[0], "height": size[1]},
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            color_scheme="dark" if dark else "light",
            has_touch=size[0] < 640,
        )
        context.set_default_timeout(10_000)
        if who is not None:
            cookie = visitor(self.house.engine, self.house.app, who).http.get_cookie("zhibu_session")
            assert cookie is not None
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self.address}])
        yield context
        context.close()

    def tab(self, context: BrowserContext) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        page.on("console", lambda said: self.complaints.append(said.text) if "Content Security Policy" in said.text else None)
        return page


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Write no line for each request."""


@contextmanager
def a_site(superuser: str, template: str, browser: Browser) -> Iterator[Site]:
    """Serve a school of the tests on a port until the block ends."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with a_house(superuser, template, base_url=address) as house:
        server = make_server("127.0.0.1", port, house.app, threaded=True, request_handler=_Quiet)
        thread = threading.Thread(target=server.serve_forever, name="site")
        thread.start()
        try:
            yield Site(house, address, browser, [])
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
