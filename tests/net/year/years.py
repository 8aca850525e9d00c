"""The year itself in the walk: opened, changed, published, closed; and the office's polls."""

from __future__ import annotations

from tests.net.year.school import HERE, NUMBERS
from tests.net.year.steps import EN, Walk
from tests.support.builders import DEADLINES
from tests.support.servers import YEAR
from tests.support.years.branch_year import every, ok

FRESH = {"Cache-Control": "no-cache"}
DAYS = {stage.value: day.isoformat() for stage, day in DEADLINES.items()}


def opened(walk: Walk) -> None:
    """Open the year, refused and done; change its days; publish it."""
    office = walk.office
    walk.both(office, "POST", "/cycles", {"plan": "2024"})
    walk.both(office, "POST", "/cycles", {"plan": "1999", "deadlines": DAYS})
    walk.both(office, "POST", "/cycles", {"plan": "2024", "deadlines": {**DAYS, "report": None}})
    walk.both(office, "POST", "/cycles", {"plan": "2024", "deadlines": {**DAYS, "talks": "2024-12-22"}})
    ok(office.post("/cycles", {"plan": "2024", "deadlines": DAYS}))
    walk.both(office, "POST", "/cycles", {"plan": "2024", "deadlines": DAYS})
    office.get(f"{YEAR}/progress", **FRESH)
    walk.both(office, "PATCH", YEAR, {"deadlines": {"rating": "2025-01-16"}})
    walk.both(office, "PATCH", YEAR, {"deadlines": {"rating": "2025-01-16"}}, seen=9)
    ok(office.patch(YEAR, {"deadlines": {"rating": "2025-01-16"}}, seen=office.get(YEAR).etag), 200)
    walk.both(office, "POST", f"{YEAR}/close", {})
    ok(office.post(f"{YEAR}/publish"), 200)
    walk.both(office, "POST", f"{YEAR}/publish", {})
    walk.both(office, "GET", "/cycles/1999")
    days = {"deadlines": {"rating": "2025-01-15", "collecting": "2025-01-10"}}
    ok(office.patch(YEAR, days, seen=office.get(YEAR).etag), 200)


def polled(walk: Walk) -> None:
    """Read the office's polls, with filters, pages and "changed since"."""
    office = walk.office
    seen = ok(office.get(f"{YEAR}/progress", **FRESH), 200)
    office.get(f"{YEAR}/progress?kind=assessment", **FRESH)
    first = ok(office.get(f"{YEAR}/branches?changed_since={seen['cursor']}"), 200)
    walk.kept["cursor"] = first["next"]
    office.get(f"{YEAR}/branches?changed_since={seen['cursor']}&stage=talks")
    office.get(f"{YEAR}/branches?changed_since=none-of-ours", **EN)
    for query in ("?stage=study", "?overdue=true", "?unit=D02", "?q=退休", "?stage=nowhere"):
        office.get(f"{YEAR}/branches{query}")
    every(office, f"{YEAR}/exceptions")
    page = ok(office.get(f"{YEAR}/branches?limit=2"), 200)
    office.get(f"{YEAR}/branches?limit=2&after={page['next']}")
    page = ok(office.get(f"{YEAR}/exceptions?limit=3"), 200)
    office.get(f"{YEAR}/exceptions?limit=3&after={page['next']}")
    for query in ("", f"?branch={HERE}", f"?recipient={NUMBERS['张三']}", "?recipient=nobody-known", "?limit=2"):
        office.get(f"{YEAR}/letters{query}")
    office.get(f"{YEAR}/totals")
    office.get(f"{YEAR}/waivers?pending=true")
    again = office.get(f"{YEAR}/branches")
    office.get(f"{YEAR}/branches", **{"If-None-Match": again.etag})


def changed(walk: Walk) -> None:
    """Read which branches have changed since the last poll."""
    answer = ok(walk.office.get(f"{YEAR}/branches?changed_since={walk.kept['cursor']}"), 200)
    walk.kept["cursor"] = answer["next"]
    walk.office.get(f"{YEAR}/branches?changed_since={answer['next']}")


def closed(walk: Walk) -> None:
    """Ask for changes that a closed year refuses."""
    walk.both(walk.office, "POST", f"{YEAR}/close", {})
    branch = walk.branch(HERE)
    walk.both(walk.by("张三"), "POST", f"{branch.path}/problems", {"source": "letter", "about": "committee", "text": "晚了"})
    walk.both(walk.office, "POST", f"{branch.path}/extensions", {"stage": "report", "due_on": "2025-04-01", "reason": "晚了"})
