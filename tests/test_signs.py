"""No sign is noise: measured on a plausible school (``benchmarks/signs.py``)."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from benchmarks.school.plausible_year import BRANCHES, CARELESS
from benchmarks.signs import AT_MOST, NOT_OF_CARE, PAGE, measured, table

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def test_no_sign_stands_at_more_than_a_third_and_the_careless_show_all(session: Session) -> None:
    found = measured(session)
    noise = {name: len(branches) for name, branches in found.items() if len(branches) > AT_MOST * BRANCHES}
    assert noise == {}
    careless = {f"B{number:03d}" for number in range(1, CARELESS + 1)}
    silent = {name for name, branches in found.items() if not careless <= branches}
    assert silent == {name for name, branches in found.items() if not branches} == set(NOT_OF_CARE)
    assert table(found) in PAGE.read_text(encoding="utf-8"), "stale: run  python -m benchmarks.signs --write"
