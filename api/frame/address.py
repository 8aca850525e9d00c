"""Where things are found (地址)."""

from __future__ import annotations

from workflow.foundation.vocabulary import Kind
from workflow.year.cycle import Process

BASE = "/api/v1"
CYCLE = "/cycles/<int(max=9999):year>"
BRANCH = f"{CYCLE}/branches/<code>"
ASSESSMENT = f"{CYCLE}/assessments/<code>"
NUMBER = "int(max=9223372036854775807)"
"""The converter of a record's number: no larger one can be in the database."""


OF_KIND = {Kind.APPRAISAL: "branches", Kind.ASSESSMENT: "assessments"}


def process_address(kind: Kind, year: int, code: str) -> str:
    return f"{BASE}/cycles/{year}/{OF_KIND[kind]}/{code}"


def place_of(kind: Kind, year: int, code: str, link: str) -> str:
    """Where something is mended: below the branch's address, or with a leading slash below the year's."""
    return f"{BASE}/cycles/{year}{link}" if link.startswith("/") else f"{process_address(kind, year, code)}/{link}".rstrip("/")


def address_of(process: Process) -> str:
    return process_address(process.kind, process.cycle.year, process.branch.code)
