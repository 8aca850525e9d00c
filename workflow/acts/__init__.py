"""The acts of all rooms (办理事项总表): the one complete list of them.

Routes, pages, commands and the test of every role's rights are compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from workflow.acts import drafts, invitations, people, processes, sign_in, years
from workflow.foundation.vocabulary import Kind
from workflow.machine import committee
from workflow.machine.kinds import KINDS
from workflow.roster import ending, imports, posts
from workflow.roster import people as members
from workflow.rules.acts import AnyAct

OF_SCHOOL: tuple[AnyAct, ...] = (*sign_in.ACTS, *people.ACTS, *drafts.ACTS, *invitations.ACTS, *posts.ACTS, *imports.ACTS, *members.ACTS, *years.ACTS)
"""The acts that belong to no kind of process."""
OF_KIND: Mapping[Kind, tuple[AnyAct, ...]] = {
    kind: (
        *processes.OF_KIND[kind].all,
        *each.acts,
        *(committee.ACTS if kind is committee.KIND else ()),
        *ending.OF_KIND[kind],
    )
    for kind, each in KINDS.items()
}
"""The acts of each kind: of every process, of its rooms' records, and of the committee."""
ACTS: tuple[AnyAct, ...] = (*OF_SCHOOL, *(act for acts in OF_KIND.values() for act in acts))
