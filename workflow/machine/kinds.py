"""The list of kinds (流程种类表): a new kind is its package, its words, a migration and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from workflow import appraisal, assessment
from workflow.foundation.vocabulary import Kind
from workflow.rules.kinds import ProcessKind

KINDS: Mapping[Kind, ProcessKind] = {each.kind: each for each in (appraisal.KIND, assessment.KIND)}
