"""Where things are found (地址)."""

from __future__ import annotations

from workflow.cycle import Process

BASE = "/api/v1"
CYCLE = "/cycles/<int(max=9999):year>"
BRANCH = f"{CYCLE}/branches/<code>"
NUMBER = "int(max=9223372036854775807)"
"""The converter of a record's number: no larger one can be in the database."""


def branch_address(year: int, code: str) -> str:
    return f"{BASE}/cycles/{year}/branches/{code}"


def address_of(process: Process) -> str:
    return branch_address(process.cycle.year, process.branch.code)
