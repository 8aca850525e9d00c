"""Letters that were overtaken (已无需要): what they say was withdrawn, decided or done meanwhile.

A letter of an act waits for the mail server like any other. It is asked once more when it is sent
whether what it asks for, or tells, still stands.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, ColumnExpressionArgument, and_, case, exists, or_, true
from sqlalchemy.orm import aliased

from workflow.assessment.decision import Decision
from workflow.foundation.vocabulary import CycleStatus, Stage
from workflow.mail import letters
from workflow.mail.links import SECRET
from workflow.mail.outbox import Letter
from workflow.mail.sending import NOW, claiming
from workflow.people.accounts import Account, Invitation
from workflow.rules.requirement import Waiver
from workflow.year.cycle import Cycle, Participant, Process, StageChange

_NEWER = aliased(Waiver)


def conditions() -> dict[str, ColumnElement[bool]]:
    """Say in SQL whether a letter of an act is still wanted, by its kind.

    * a decision that waits to be confirmed: it was not withdrawn, refused or confirmed;
    * material that was returned, or accepted: its branch has not moved since;
    * a reason that was refused: the branch has neither moved nor given a new one;
    * a reason that was approved, an excuse that was confirmed or refused: it was not taken back;
    * a result, a year, an addition to its plan: it is still published;
    * a link: it still opens the account.
    """
    of_process = StageChange.process_id == Letter.process_id
    # By its version, not by the time: two servers have two clocks (docs/0036).
    moved, moved_since = _one(of_process, StageChange.id > Letter.record), _one(of_process, StageChange.version > Letter.version)
    renewed = exists().where(_NEWER.process_id == Waiver.process_id, _NEWER.requirement == Waiver.requirement, _NEWER.id > Waiver.id, _NEWER.counts)
    line = (Participant.process_id == Letter.process_id, Participant.person_id == Letter.record)
    link = _one(
        Invitation.id == Letter.record,
        Invitation.ended_at.is_(None),
        Invitation.expires_at > NOW,
        Account.person_id == Invitation.person_id,
        Account.disabled_at.is_(None),
    )
    return {
        letters.DECISION_ENTERED: _one(Decision.id == Letter.record, Decision.counts, Decision.confirmed_at.is_(None)),
        letters.RETURNED: ~moved,
        letters.ACCEPTED: ~moved,
        letters.WAIVER_APPROVED: _one(Waiver.id == Letter.record, Waiver.counts, Waiver.approved_at.is_not(None)),
        letters.WAIVER_REJECTED: and_(_one(Waiver.id == Letter.record, ~renewed), ~moved_since),
        letters.EXCUSE_CONFIRMED: _one(*line, Participant.excused_confirmed_by.is_not(None)),
        letters.EXCUSE_REFUSED: _one(*line, Participant.excused_refused_by.is_not(None)),
        letters.PUBLISHED: _one(Process.id == Letter.process_id, Process.stage == Stage.PUBLISHED),
        **dict.fromkeys((letters.YEAR_PUBLISHED, letters.YEAR_AMENDED), _one(Cycle.id == Letter.cycle_id, Cycle.status == CycleStatus.PUBLISHED)),
        **dict.fromkeys(SECRET, link),
    }


def _one(*conditions: ColumnExpressionArgument[bool]) -> ColumnElement[bool]:
    return exists().where(*conditions).correlate(Letter)


_ASKED = case(*((Letter.kind == kind, stands) for kind, stands in conditions().items()), else_=true())
CLAIMING = claiming(or_(Letter.record.is_(None), _ASKED))
"""Claims letters, and asks whether they are still wanted.

Letters that were queued before records were kept are sent, and all kinds without a condition.
"""
