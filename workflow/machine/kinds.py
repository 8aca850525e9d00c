"""The list of kinds (流程种类表): a new kind is its package, its words, a migration and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from workflow import appraisal, assessment
from workflow.foundation.vocabulary import Kind
from workflow.mail.letters import school_link
from workflow.rules.kinds import ProcessKind
from workflow.year.cycle import Process

KINDS: Mapping[Kind, ProcessKind] = {each.kind: each for each in (appraisal.KIND, assessment.KIND)}


def link_to(base_url: str, process: Process) -> str:
    """The page of one process, as a letter sends its reader there."""
    return f"{link_to_all(base_url, process.kind, process.cycle.year)}/{process.branch.code}"


def link_to_all(base_url: str, kind: Kind, year: int) -> str:
    """The page of all processes of a kind."""
    return f"{school_link(base_url, year)}/{KINDS[kind].address}"
