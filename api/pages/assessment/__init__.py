"""The assessment's desk (党委考核): all branches, one branch, activities, and the decision."""

from __future__ import annotations

from api.pages.assessment import activities, decision, overview, thing
from api.pages.assessment.foretold import FORETOLD as FORETOLD
from api.pages.frame.visit import PageRoute

PAGES: tuple[PageRoute, ...] = (*overview.PAGES, *thing.PAGES, *decision.PAGES, *activities.PAGES)
