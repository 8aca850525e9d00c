"""The archive (归档目录): each paper as present or missing (Q5).

The fields of the form (情况表的填写项) name its author.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from tests.api.frame.test_races import until_waiting
from tests.support.builders import NOW, STAFF_NO, a_school
from tests.support.records.evidence import all_evidence, came_to, excused, go, lacking, leaves, stand_at
from tests.support.records.rating import BASIC, UNQUALIFIED, a_case, a_feedback, a_help_plan, amended
from tests.support.records.report import SITUATIONS, WRITTEN, a_form, write_form
from workflow.appraisal.ledger import Commitment, Measure, Problem
from workflow.appraisal.meetings.tallies import Tally
from workflow.appraisal.rating.aftercare import DispositionCase, HelpPlan
from workflow.appraisal.rating.ratings import Rating
from workflow.appraisal.rectification.publications import Publication, RectificationFiling
from workflow.appraisal.report.checklist import archive_of
from workflow.appraisal.report.form import FORM, Form
from workflow.appraisal.report.requirements import papers_missing
from workflow.appraisal.self_review.self_reviews import SelfReview
from workflow.appraisal.study.sessions import StudySession
from workflow.appraisal.talks.talks import Talk
from workflow.foundation.database import transaction
from workflow.foundation.errors import Conflict, Invalid, StageClosed, Stale
from workflow.foundation.vocabulary import Stage, Trigger
from workflow.rules.evidence import Evidence, record_of_member, records_of, reject, withdraw
from workflow.year.cycle import Process
from workflow.year.finding import Lock, process_of

Act = Callable[[Session, Process], object]
ORDER = [
    "plan",
    "study",
    "talks",
    "opinions",
    "duty_report",
    "self_reviews",
    "life_meeting",
    "tallies",
    "deciding_meeting",
    "form",
    "feedback",
    "ledger",
    "commitments",
    "publication",
    "receipt",
    "aftercare",
]
"""The order of forms.md, which lists the ledger and the commitments as two papers too."""


@pytest.fixture
def kept(session: Session) -> Process:
    """A branch that has every paper."""
    process = a_school(session)
    SITUATIONS["papers_missing"].met(session, process)
    session.flush()
    return process


def gone(session: Session, process: Process) -> list[str]:
    """Find the missing papers, and check that the sign names exactly these."""
    missing = [each.paper for each in archive_of(session, process) if not each.present]
    assert sorted(missing) == lacking(session, process, papers_missing.name)
    return missing


def all_of(session: Session, process: Process, model: type[Evidence]) -> Iterator[Evidence]:
    return (row for row in records_of(session, model, process.id, after=0, limit=200) if row.counts)


def without(model: type[Evidence], *, one: bool = False) -> Act:
    """Take back all records of a kind, or only the first of them."""

    def act(session: Session, process: Process) -> None:
        for number, row in enumerate(list(all_of(session, process, model))):
            if number == 0 or not one:
                (withdraw if number % 2 else reject)(row, by="office", now=NOW, reason="有误")
        session.flush()

    return act


def changed(statement: str) -> Act:
    """Change one column of a row."""
    return lambda session, process: session.execute(text(f"update {statement} and process_id = :process"), {"process": process.id})


def rated(level: str) -> Act:
    return changed(f"rating set level = '{level}' where staff_no = 'w5'")


MISSING: dict[str, list[Act]] = {
    "plan": [],
    "study": [without(StudySession)],
    "talks": [],
    "opinions": [changed("talk set opinions_branch = null, opinions_committee = null, no_opinions = false where true")],
    "duty_report": [changed("meeting set duty_report = null where true")],
    "self_reviews": [without(SelfReview, one=True), changed("self_review set submitted = false where staff_no = 'w5'")],
    "life_meeting": [
        changed("meeting set chair_confirmed_at = null where purpose = 'life'"),
        changed("meeting set recorder_confirmed_at = null where purpose = 'life'"),
    ],
    "tallies": [without(Tally, one=True), changed("tally set counted_at = null, counted_by = null where subject = 'members'")],
    "deciding_meeting": [
        changed("meeting set withdrawn_at = now() where purpose = 'deciding'"),
        changed("meeting set recorder_confirmed_at = null where purpose = 'deciding'"),
    ],
    "form": [changed("form set prepared_by = null where true")],
    "feedback": [changed("rating set feedback_on = null, feedback_way = null where staff_no = 'w5'")],
    "ledger": [without(Measure)],
    "commitments": [without(Commitment)],
    "publication": [without(Publication)],
    "receipt": [without(RectificationFiling), changed("rectification_filing set received_at = null, received_by = null where true")],
    "aftercare": [rated("basic"), rated("unqualified")],
}


def test_a_branch_that_kept_everything_has_every_paper_in_the_order_of_the_list(session: Session, kept: Process) -> None:
    listed = archive_of(session, kept)
    assert ([each.paper for each in listed], gone(session, kept)) == (ORDER, [])
    assert list(MISSING) == ORDER


@pytest.mark.parametrize(("paper", "act"), [(paper, act) for paper, acts in MISSING.items() for act in acts])
def test_a_paper_whose_records_do_not_stand_is_missing(session: Session, kept: Process, paper: str, act: Act) -> None:
    act(session, kept)
    session.expire_all()
    assert gone(session, kept) == [paper]


def test_without_talks_their_records_and_the_opinions_are_missing(session: Session, kept: Process) -> None:
    without(Talk)(session, kept)
    assert gone(session, kept) == ["talks", "opinions"]


def test_a_new_branch_has_the_plan_and_owes_no_aftercare(session: Session) -> None:
    process = a_school(session)
    assert set(ORDER) - set(gone(session, process)) == {"plan", "feedback", "aftercare"}


def test_a_problem_that_came_by_way_of_opinions_is_a_paper_of_opinions(session: Session, kept: Process) -> None:
    MISSING["opinions"][0](session, kept)
    session.execute(text("update problem set source = 'opinions'"))
    assert gone(session, kept) == []
    without(Problem)(session, kept)
    assert gone(session, kept) == ["opinions"]


def test_who_is_excused_or_has_left_owes_no_self_review_and_stands_in_for_nobody(session: Session, kept: Process) -> None:
    own = session.scalars(select(SelfReview).where(SelfReview.staff_no == "s8")).one()
    withdraw(own, by="s8", now=NOW, reason="重写")
    assert gone(session, kept) == ["self_reviews"]
    leaves(session, "李四")
    assert gone(session, kept) == ["self_reviews"]
    excused(session, kept, "王五")
    assert gone(session, kept) == ["self_reviews"]
    excused(session, kept, "孙八", confirmed=False)
    assert gone(session, kept) == ["self_reviews"]
    excused(session, kept, "孙八")
    assert gone(session, kept) == []


def test_feedback_on_who_was_not_rated_stands_in_for_nobody_elses(session: Session, kept: Process) -> None:
    row = record_of_member(session, Rating, kept.id, STAFF_NO["王五"])
    amended(session, kept, row, not_rated_reason="长期外派")
    assert gone(session, kept) == []
    a_feedback(session, kept, row)
    amended(session, kept, record_of_member(session, Rating, kept.id, STAFF_NO["孙八"]), opinion="热心")
    assert gone(session, kept) == ["feedback"]


def test_each_who_is_not_qualified_has_a_paper_of_his_own(session: Session, kept: Process) -> None:
    for name, level in {"王五": BASIC, "孙八": UNQUALIFIED}.items():
        amended(session, kept, record_of_member(session, Rating, kept.id, STAFF_NO[name]), level=level)
        a_feedback(session, kept, record_of_member(session, Rating, kept.id, STAFF_NO[name]))
    a_help_plan(session, kept, "王五")
    a_help_plan(session, kept, "钱七")
    a_case(session, kept, "王五")
    assert gone(session, kept) == ["aftercare"]
    a_case(session, kept, "孙八")
    assert gone(session, kept) == []
    without(HelpPlan)(session, kept)
    assert gone(session, kept) == ["aftercare"]
    a_help_plan(session, kept, "王五")
    without(DispositionCase)(session, kept)
    assert gone(session, kept) == ["aftercare"]


def test_another_branchs_papers_are_its_own(session: Session, kept: Process) -> None:
    other = process_of(session, 2024, "D0201")
    assert len(gone(session, other)) == len(ORDER) - 3
    assert {each.have for each in archive_of(session, other)} == {0, 1}


# ── the written part of the form ──────────────────────────────────────────────────────────────────────────────────────


def test_each_time_the_form_is_written_it_has_the_next_version(session: Session) -> None:
    process = a_school(session)
    assert FORM.of(session, process) is None
    row = write_form(session, process, {"prepared_by": "王五"}, seen=0)
    assert (row.version, row.prepared_by, row.phone, row.remark) == (1, "王五", None, None)
    write_form(session, process, {"phone": "8888", "remark": "无"}, seen=1)
    assert (row.version, row.prepared_by, row.phone, row.remark) == (2, "王五", "8888", "无")
    assert FORM.of(session, process) is row


def test_who_saw_an_older_form_is_told_what_changed(session: Session) -> None:
    process = a_school(session)
    with pytest.raises(Stale) as refused:
        write_form(session, process, WRITTEN, seen=1)
    assert refused.value.extra == {"version": 0, "changed": []}
    a_form(session, process)
    write_form(session, process, {"remark": "无"}, seen=1)
    for seen, fields in {1: [["remark"]], 7: [], -1: []}.items():
        with pytest.raises(Stale) as refused:
            write_form(session, process, {"phone": "9999"}, seen=seen)
        assert refused.value.extra["version"] == 2
        assert [each["fields"] for each in refused.value.extra["changed"]] == fields
    with pytest.raises(Stale) as refused:
        write_form(session, process, {"phone": "9999"}, seen=0)
    assert len(refused.value.extra["changed"]) == 2
    assert "8888 0101" not in str(refused.value.extra)


def test_nothing_to_write_is_refused_before_anything_else(session: Session) -> None:
    process = stand_at(session, a_school(session), Stage.FILED)
    with pytest.raises(Invalid):
        write_form(session, process, {}, seen=5)


def test_the_form_is_closed_by_filing_and_open_again_after_it_was_withdrawn(session: Session) -> None:
    process = a_school(session)
    all_evidence(session, process)
    process = came_to(session, Stage.FILED)
    with pytest.raises(Stale):
        write_form(session, process, {"phone": "9999"}, seen=0)
    with pytest.raises(StageClosed):
        write_form(session, process, {"phone": "9999"}, seen=1)
    go(session, Trigger.WITHDRAW)
    assert write_form(session, process, {"phone": "9999"}, seen=1).version == 2
    go(session, Trigger.FILE)
    go(session, Trigger.ACCEPT)
    with pytest.raises(StageClosed):
        write_form(session, process, {"phone": "0000"}, seen=2)


def test_a_closed_year_keeps_its_forms_as_they_are(session: Session) -> None:
    process = a_school(session)
    session.execute(text("update cycle set status = 'closed'"))
    session.refresh(process.cycle)
    with pytest.raises(Conflict):
        a_form(session, process)


@pytest.mark.parametrize("written", [False, True])
def test_of_two_who_write_the_form_at_once_one_is_told_that_it_changed(engine: Engine, written: bool) -> None:
    with transaction(engine, actor="cli") as session:
        process = a_school(session)
        if written:
            a_form(session, process)
    seen = int(written)

    def second() -> int:
        with transaction(engine, actor="l4") as session:
            return write_form(session, process_of(session, 2024, "D0101", lock=Lock.EVIDENCE), {"phone": "2"}, seen=seen).version

    with ThreadPoolExecutor(1) as pool:
        with transaction(engine, actor="z3") as session:
            write_form(session, process_of(session, 2024, "D0101", lock=Lock.EVIDENCE), {"phone": "1"}, seen=seen)
            later = pool.submit(second)
            until_waiting(engine, 1)
        with pytest.raises(Stale) as refused:
            later.result()
    assert refused.value.extra["version"] == seen + 1
    assert [each["by"] for each in refused.value.extra["changed"]] == ["z3"]
    with transaction(engine, actor=None) as session:
        assert session.get_one(Form, process_of(session, 2024, "D0101").id).phone == "1"
