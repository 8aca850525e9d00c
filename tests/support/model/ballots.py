"""A level beside its ballot (D4), said once more in plain Python for the model."""

from __future__ import annotations

from collections.abc import Mapping

LEVELS = ("excellent", "qualified", "basic", "unqualified")
BANDS_BELOW = 10


def better_than_the_majority(votes: Mapping[str, int], level: str, valid: int) -> bool:
    """Tell whether more than half voted for less; below ten raters, as far as bands show it."""
    below = [votes.get(each, 0) for each in LEVELS[LEVELS.index(level) + 1 :]]
    if valid < BANDS_BELOW:
        return any(number * 2 > valid for number in below)
    return sum(below) * 2 > sum(votes.get(each, 0) for each in LEVELS)


def standing_of(votes: Mapping[str, int], valid: int) -> int:
    """Order a member by their 优秀 votes, below ten raters by the band of these."""
    number = votes.get("excellent", 0)
    if valid >= BANDS_BELOW:
        return number
    return 2 if number * 3 >= valid * 2 else int(number * 2 > valid)
