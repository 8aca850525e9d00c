"""Meetings and tallies (会议、计票): records that several stages use. What is asked of them stands with the stages."""

from __future__ import annotations

from workflow.appraisal.meetings import recording, tellers
from workflow.rules.acts import AnyAct

ACTS: tuple[AnyAct, ...] = (*recording.ACTS, *tellers.TALLIES.acts)
