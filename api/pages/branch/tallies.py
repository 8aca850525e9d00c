"""The tally (计票单): a table with its sums, for the first teller and for the second.

The second teller is told which lines differ from the first's, and never the first's numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.frame.address import BRANCH
from api.pages.branch.place import BranchPlace, stands
from api.pages.frame.addresses import OF_BRANCH
from api.pages.frame.own_forms import Filling, OwnForm
from api.pages.frame.visit import PageRoute, Shown, Visit
from workflow.appraisal import KIND
from workflow.appraisal.meetings.tallies import LEVELS, MARKS, NUMBERS, CommitteeItem, members_on_ballot
from workflow.appraisal.meetings.tellers import TallyMismatch, must_be_teller
from workflow.foundation.errors import Forbidden
from workflow.foundation.vocabulary import ABSTAIN, Level, Mark, Stage, TallySubject
from workflow.people.access import Action
from workflow.rules.acts import Address, at
from workflow.year.finding import Lock
from workflow.year.roll import roll

COLUMNS = {
    TallySubject.COMMITTEE: {name: "弃权" if name == ABSTAIN else Mark(name).zh for name in MARKS},
    TallySubject.MEMBERS: {name: "弃权" if name == ABSTAIN else Level(name).zh for name in LEVELS},
}
DIFFERS = "与另一名计票人的不一致，请核对选票"


@dataclass(frozen=True)
class TallyLine:
    """One line of a tally: a member or a side of the committee, with its votes as typed."""

    key: str
    name: str
    votes: Mapping[str, Any]
    errors: Sequence[str] = ()
    differs: bool = False

    @property
    def sum(self) -> int | None:
        """The votes together; None while nothing countable is there."""
        numbers = [vote for vote in self.votes.values() if isinstance(vote, int)]
        return sum(numbers) if numbers else None


def difference(line: TallyLine, valid: object) -> str:
    """Name the difference of a line from the valid ballots."""
    if line.sum is None:
        return ""
    lacks = valid - line.sum if isinstance(valid, int) else 0
    return f"{line.sum}" + (f"，少 {lacks} 票" if lacks > 0 else f"，多 {-lacks} 票" if lacks < 0 else " ✓" if isinstance(valid, int) else "")


def tallies(visit: Visit, year: int, code: str) -> Shown:
    """Show the tallies of a branch, each as its table, and the way to enter one."""
    place = BranchPlace(visit, year, code)
    rows = visit.items(f"{BRANCH}/tallies", place.address)
    standing = [row for row in rows if stands(row)]
    counted = {row["subject"] for row in standing if row["counted_at"] is not None}
    me = visit.call.by.staff_no
    mine = {row["subject"] for row in standing if me in row["tellers"]}
    enters = visit.may(Action.ENTER_TALLY, code) and not place.closed(Stage.SELF_REVIEW)
    names = place.names
    shown = [_table(row, names) for row in sorted(standing, key=lambda each: each["id"])]
    values = {
        "tables": shown,
        "names": names,
        "at": f"{place.path}/tallies",
        "enters": [subject for subject in TallySubject if enters and subject not in counted | mine],
        "barred": _barred(visit, place.address) if enters else "",
        "own_no": me,
        "gone": [row for row in rows if not stands(row)],
    }
    return Shown("branch/tallies.html", "计票单", values, trail=place.trail)


def _table(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Turn a tally into a table, as far as this reader may know its numbers."""
    subject = TallySubject(row["subject"])
    counts = dict(row.get("counts") or {})
    comments = counts.pop("comments", [])
    said = {each.value: each.zh for each in CommitteeItem} if subject is TallySubject.COMMITTEE else names
    order = {key: at for at, key in enumerate(said)}
    found = sorted(counts.items(), key=lambda each: order.get(each[0], len(order)))
    lines = [(said.get(key, key), [votes.get(name) for name in COLUMNS[subject]]) for key, votes in found]
    return {"row": row, "subject": subject, "columns": list(COLUMNS[subject].values()), "lines": lines, "comments": comments}


# ── the form ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def tally_form(visit: Visit, address: Address, filling: Filling) -> Mapping[str, Any]:
    """Give the table of a tally: its lines as typed, their sums, and which of them differ."""
    place = BranchPlace(visit, address["year"], str(address["code"]))
    wanted = filling.values.get("subject")
    subject = TallySubject(wanted) if wanted in set(TallySubject) else None
    typed = filling.values.get("counts")
    counts: Mapping[str, Any] = typed if isinstance(typed, Mapping) else {}
    numbers = {name: filling.values.get(name) for name in NUMBERS}
    different = _different(filling)
    lines = [
        TallyLine(key, name, _votes(counts.get(key)), filling.errors.get(f"counts.{key}", ()), key in different)
        for key, name in (_keys(visit, address, subject) if subject else ())
    ]
    return {
        "subject": subject,
        "subjects": list(TallySubject),
        "columns": COLUMNS[subject] if subject else {},
        "lines": lines,
        "differences": {line.key: difference(line, numbers["valid"]) for line in lines},
        "numbers": [filling.control(name) for name in NUMBERS],
        "number_differs": {name for name in NUMBERS if name in different},
        "differs": DIFFERS,
        "comments": _lines(counts.get("comments")),
        "said": filling.errors.get("counts", ()),
        "barred": _barred(visit, address),
        "here": f"{place.path}/tallies/new",
    }


def _votes(of: object) -> Mapping[str, Any]:
    return of if isinstance(of, Mapping) else {}


def _lines(of: object) -> str:
    return "\n".join(str(each) for each in of) if isinstance(of, (list, tuple)) else str(of or "")


def _keys(visit: Visit, address: Address, subject: TallySubject) -> list[tuple[str, str]]:
    """Return the lines of a ballot: the sides of the committee, or the members who stand on it."""
    if subject is TallySubject.COMMITTEE:
        return [(item.value, item.zh) for item in CommitteeItem]
    call, _ = at(visit.call, KIND.kind, Lock.NONE, {name: address[name] for name in ("year", "code")})
    return [(staff_no, row.name) for staff_no, row in members_on_ballot(roll(call.session, call.process.id)).items()]


def _barred(visit: Visit, address: Address) -> str:
    """Return the words by which the API refuses this visitor as teller; empty if it does not."""
    call, _ = at(visit.call, KIND.kind, Lock.NONE, {name: address[name] for name in ("year", "code")})
    try:
        must_be_teller(call.session, call.process, call.by)
    except Forbidden as refusal:
        return refusal.detail.zh
    return ""


def _different(filling: Filling) -> set[str]:
    """Return the numbers and lines in which the two tellers differ, by name alone."""
    refusal = filling.refusal
    return set(refusal.extra["lines"]) if isinstance(refusal, TallyMismatch) else set()


PAGES = (PageRoute(f"{OF_BRANCH}/tallies", tallies),)
_FORM = OwnForm("branch/tally.html", tally_form)
FORMS = {"record_tally": _FORM, "amend_tally": _FORM}
