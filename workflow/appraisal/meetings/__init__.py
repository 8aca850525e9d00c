"""Meetings and tallies (会议、计票): records that several stages use.

The rooms of the stages hold the plan's requirements for them.
"""

from __future__ import annotations

from workflow.appraisal.meetings import recording, tellers
from workflow.rules.acts import AnyAct

ACTS: tuple[AnyAct, ...] = (*recording.ACTS, *tellers.TALLIES.acts)
