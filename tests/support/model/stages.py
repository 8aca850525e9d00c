"""The stages of the model, and where each trigger leads from them."""

from __future__ import annotations

STAGES = ("study", "talks", "self_review", "rating", "rectification", "report", "filed", "accepted")
WORKING = STAGES[:6]

OF_OFFICE = ("accept", "return", "reopen")
ASKS_REASON = ("return", "step_back", "withdraw", "reopen")
TRIGGERS = ("advance", "file", *OF_OFFICE, "step_back", "withdraw")


def targets(trigger: str, source: str) -> tuple[str, ...]:
    """Give the stages to which a trigger leads from a stage."""
    place = STAGES.index(source)
    earlier = STAGES[:place]
    leads: dict[str, tuple[str, ...]] = {
        "advance": STAGES[place + 1 : place + 2] if source in WORKING[:-1] else (),
        "file": ("filed",) if source == "report" else (),
        "accept": ("accepted",) if source == "filed" else (),
        "return": earlier if source != "accepted" else (),
        "step_back": earlier if source in WORKING else (),
        "withdraw": ("report",) if source == "filed" else (),
        "reopen": WORKING if source == "accepted" else (),
    }
    return leads[trigger]
