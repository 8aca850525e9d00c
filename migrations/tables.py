"""All tables (全部数据表): importing this module has declared every one of them on ``METADATA``."""

from __future__ import annotations

from workflow.appraisal import ledger
from workflow.appraisal.meetings import meetings, tallies
from workflow.appraisal.rating import aftercare, ratings
from workflow.appraisal.rectification import commitments, publications
from workflow.appraisal.report import form
from workflow.appraisal.self_review import self_reviews
from workflow.appraisal.study import sessions
from workflow.appraisal.talks import talks
from workflow.assessment import activities, arrangement, attendance, decision, duty_reports, facts, proposals
from workflow.foundation import calendar, history, idempotency
from workflow.foundation.database import Base
from workflow.mail import aside, heartbeat, outbox
from workflow.people import accounts, organisation, substitutes, throttle
from workflow.readings import progress
from workflow.roster import imports
from workflow.rules import evidence, requirement
from workflow.year import cycle

METADATA = Base.metadata
DECLARED_IN = (
    history,
    organisation,
    accounts,
    substitutes,
    throttle,
    cycle,
    evidence,
    requirement,
    sessions,
    talks,
    meetings,
    tallies,
    self_reviews,
    ledger,
    commitments,
    publications,
    ratings,
    aftercare,
    form,
    arrangement,
    duty_reports,
    facts,
    activities,
    attendance,
    proposals,
    decision,
    outbox,
    heartbeat,
    aside,
    imports,
    idempotency,
    progress,
    calendar,
)
