"""会议形式的建议 (suggested form): the form of meeting that suits the size of a branch (M1).

The plan: 党支部根据党员人数等实际情况，以党员大会、党支部委员会会议或者党小组会形式，召开组织生活会。
The choice stays the branch's own: nothing here blocks.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.foundation.errors import Words
from workflow.foundation.vocabulary import MeetingForm, Stage
from workflow.rules.kinds import FormHint
from workflow.rules.requirement import present
from workflow.year.cycle import Participant, Process

CLAUSE = "M1"


def suggested_form(session: Session, process: Process) -> FormHint | None:
    """Suggest group meetings to a branch with several groups, a general meeting to any other.

    None outside the third stage, and in a year whose plan does not ask M1 or lacks that form.
    """
    if process.stage is not Stage.SELF_REVIEW or not process.cycle.asks(CLAUSE):
        return None
    counted = select(func.count(), func.count(Participant.party_group.distinct())).where(Participant.process_id == process.id, *present())
    members, groups = session.execute(counted).one()
    forms = process.cycle.plan["rules"]["meeting_forms"]
    form = MeetingForm.GROUP if groups > 1 and MeetingForm.GROUP in forms else MeetingForm.GENERAL
    return FormHint(CLAUSE, members, groups, form, _words(members, groups, form)) if form in forms else None


def _words(members: int, groups: int, form: MeetingForm) -> Words:
    if form is MeetingForm.GROUP:
        return Words(
            f"应参加组织生活会的党员 {members} 名，分为 {groups} 个党小组，可以分党小组召开，每名党员参加其中一次",
            f"{members} members are due in {groups} groups: group meetings suit, each member in one of them",
        )
    return Words(f"应参加组织生活会的党员 {members} 名，宜召开党员大会", f"{members} members are due: a general meeting suits")
