"""Addresses of things in the API (地址)."""

from __future__ import annotations

from typing import Any

from flask import url_for

from workflow import appraisal, assessment
from workflow.foundation.vocabulary import MAIN, Kind
from workflow.machine.kinds import KINDS
from workflow.year.cycle import Process

BASE = "/api/v1"
CYCLE = "/cycles/<int(max=9999):year>"
NUMBER = "int(max=9223372036854775807)"
"""The converter of a record's number: the database holds no larger one."""


AT = {kind: f"{CYCLE}/{kind.address}/<code>" for kind in KINDS}
"""The address of a branch's process, by kind."""
BRANCH, ASSESSMENT = AT[appraisal.KIND.kind], AT[assessment.KIND.kind]


def process_address(kind: Kind, year: int, code: str) -> str:
    return f"{BASE}/cycles/{year}/{kind.address}/{code}"


def place_of(kind: Kind, year: int, code: str, link: str) -> str:
    """Build the address at which something missing is put right.

    ``link`` stands below the branch's address, or with a leading slash below the year's.
    """
    return f"{BASE}/cycles/{year}{link}" if link.startswith("/") else f"{process_address(kind, year, code)}/{link}".rstrip("/")


def location(rule: str, process: Process | None = None, *, method: str = "GET", **names: Any) -> str:
    """Build the address of a new thing, from its route."""
    if process is not None:
        names |= {"year": process.cycle.year, "code": process.branch.code}
    return url_for(endpoint(method, rule), **names)


def endpoint(method: str, rule: str) -> str:
    """Build Flask's name of a route; a dot would mean a blueprint."""
    return f"{method} {rule}".replace(".", "·")


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

BELOW_A_YEAR = (*(kind.address for kind in KINDS if kind is not MAIN), "decision", "decisions")
SHORTER = {"study-sessions": "study", "waivers": "reasons", "decisions": "decision"}
"""The nouns that have another word on the pages."""
OFFICE = {"roster-imports": "roster"}


def page_address(address: str) -> str:
    """Return the page of an address of the API, with or without its base."""
    first, *rest = address.removeprefix(BASE).split("?")[0].strip("/").split("/")
    if first != "cycles":
        return "/".join(["", "office", OFFICE.get(first, first), *rest])
    match [SHORTER.get(part, part) for part in rest]:
        case [year, "branches", code, "next"]:
            # The moves of a branch stand on its workbench.
            return f"/{year}/{code}"
        case [year, "branches", *below] if below:
            return "/".join(["", year, *below])
        case [year, below, *more] if below in BELOW_A_YEAR:
            return "/".join(["", year, below, *more])
        case [year, below, *more] if below != "branches":
            return "/".join(["", "office", "years", year, below, *more])
    return f"/{rest[0]}/" if rest else "/office/years"
