"""The facts of a branch's year (支部年度情况): written by the branch, checked by the office.

They go into the summary.
"""

from __future__ import annotations

from api.frame.routes import Routes
from api.frame.single import place, single_routes
from workflow.assessment.facts import CHECK, FACTS, Facts
from workflow.rules.acts import Call

routes: Routes = single_routes(FACTS)


@routes.post(f"{place(FACTS)}/confirm", CHECK)
def confirm_facts(call: Call[object], row: Facts) -> object:
    """Confirm as the office that the facts are checked as they stand."""
    return FACTS.seen_by(call)(row)
