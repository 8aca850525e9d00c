"""All tables (全部数据表): importing this module has declared every one of them on ``METADATA``."""

from __future__ import annotations

from workflow import progress
from workflow.appraisal import aftercare, commitments, form, ledger, meetings, publications, rating, self_review, study, talks, tallies
from workflow.assessment import activities, arrangement, attendance, decision, duty_reports, facts, proposals
from workflow.foundation import calendar, history, idempotency
from workflow.foundation.database import Base
from workflow.mail import aside, outbox
from workflow.people import accounts, organisation, substitutes, throttle
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
    study,
    talks,
    meetings,
    tallies,
    self_review,
    ledger,
    commitments,
    publications,
    rating,
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
    aside,
    imports,
    idempotency,
    progress,
    calendar,
)
