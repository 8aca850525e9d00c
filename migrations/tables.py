"""All tables (全部数据表): importing this module declares every one of them on ``METADATA``."""

from __future__ import annotations

from workflow.foundation import calendar, history, idempotency
from workflow.foundation.database import Base
from workflow.foundation.seals import sealing
from workflow.machine import kinds, rolls
from workflow.mail import aside, heartbeat, items, outbox
from workflow.people import accounts, drafts, organisation, substitutes
from workflow.people.guard import throttle
from workflow.readings import past, progress
from workflow.roster import imports
from workflow.rules import evidence, requirement
from workflow.year import amendments, cycle

METADATA = Base.metadata
DECLARED_IN = (
    history,
    sealing,
    organisation,
    accounts,
    substitutes,
    throttle,
    cycle,
    amendments,
    evidence,
    requirement,
    kinds,
    rolls,
    outbox,
    items,
    heartbeat,
    aside,
    imports,
    idempotency,
    past,
    progress,
    calendar,
    drafts,
)
