"""Meetings and tallies (会议、计票): records that several stages use. What is asked of them stands with the stages."""

from __future__ import annotations

from typing import Any

from workflow.appraisal.meetings import recording, tellers
from workflow.rules.acts import Act

ACTS: tuple[Act[Any, Any], ...] = (*recording.ACTS, *tellers.TALLIES.acts)
