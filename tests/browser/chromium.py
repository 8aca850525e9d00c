"""Chromium for the tests: found on this machine, and opened by Playwright.

Playwright's own browsers are not downloaded: the one that the system keeps up to date serves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "microsoft-edge-stable", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
PACKAGES = ("chromium", "fonts-noto-cjk")
MISSING = (
    "没有找到 Chromium、Chrome 或 Edge：请安装一个（Debian、Ubuntu：apt-get install -y chromium fonts-noto-cjk），或在 ZHIBU_TEST_BROWSER 写明路径 / "
    "no Chromium, Chrome or Edge was found: please install one, or name its path in ZHIBU_TEST_BROWSER"
)


class NoBrowser(Exception):
    """No browser on this machine, and none that could be installed."""


def find_browser() -> str | None:
    """Return the path of a browser: the one that was named, else one that is installed."""
    named = os.environ.get("ZHIBU_TEST_BROWSER")
    found = [named] if named else [*(shutil.which(name) for name in NAMES), *PLACES]
    return next((path for path in found if path and Path(path).exists()), None)


def browser_path() -> str:
    """Return the path of a browser; root on Debian installs one. Raises NoBrowser."""
    path = find_browser()
    if path is None and hasattr(os, "geteuid") and os.geteuid() == 0 and (tool := shutil.which("apt-get")):
        _install(tool)
        path = find_browser()
    if path is None:
        raise NoBrowser(MISSING)
    return path


def _install(tool: str) -> None:
    for words in (("update", "-q"), ("install", "-y", "-q", "--no-install-recommends", *PACKAGES)):
        subprocess.run([tool, *words], check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, stdout=subprocess.DEVNULL)


def _switches() -> Sequence[str]:
    """Return what Chromium needs in a container: root has no sandbox, /dev/shm may be small."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return ("--disable-dev-shm-usage", "--no-sandbox") if root else ("--disable-dev-shm-usage",)


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Open a browser without a window until the block ends."""
    path = browser_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_switches()])
        yield browser
        browser.close()
