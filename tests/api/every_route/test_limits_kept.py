"""The database holds the largest bodies: over HTTP nothing is cut off or refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Client, Reply
from tests.support.limits import LIMITS, at_most, text_at_most
from tests.support.records.rating import a_counted_ballot
from tests.support.servers import YEAR, Cast, House, a_house
from workflow.foundation.database import transaction
from workflow.year.finding import process_of

DAY = "2024-12-19"
LARGEST = 2**31 - 1


@pytest.fixture(scope="module")
def house(superuser: str, template: str) -> Iterator[House]:
    with a_house(superuser, template) as made:
        yield made


def texts(sent: Any) -> set[str]:
    """Collect all texts in a body."""
    if isinstance(sent, str):
        return {sent}
    inner = sent.values() if isinstance(sent, dict) else sent if isinstance(sent, list) else ()
    return {text for each in inner for text in texts(each)}


def taken(answer: Reply, sent: dict[str, Any]) -> Any:
    """Check that a body was taken whole and the answer has each of its texts."""
    assert answer.status in (200, 201), answer.body
    assert {text for text in texts(sent) if len(text) > 8} <= texts(answer.body)
    return answer.body


def record(client: Client, path: str, sent: dict[str, Any]) -> str:
    """Record something at its largest; give its address."""
    made = taken(client.post(path, sent), sent)
    return f"{path}/{made.get('id')}"


def test_a_branch_records_the_most_of_its_first_three_stages(house: House) -> None:
    cast = house.a_branch()
    secretary, member, at = house.as_(cast.secretary), house.as_(cast.member), cast.path
    study = record(
        secretary,
        f"{at}/study-sessions",
        at_most("StudySessionSchema", held_on=DAY, present=[cast.secretary]),
    )
    record(secretary, f"{study}/make-ups", at_most("MakeUpSchema", staff_no=cast.member, on=DAY))
    talk = at_most("TalkSchema", held_on=DAY, talker=cast.secretary, partner=cast.member, focus=True)
    talks = record(secretary, f"{at}/talks", talk)
    record(secretary, f"{talks}/follow-ups", at_most("FollowUpSchema", due_on="2025-01-10"))
    aspects = {f"A{number}": text_at_most("SelfReviewSchema", "aspects{}") for number in range(1, 7)}
    record(member, f"{at}/self-reviews", {"staff_no": cast.member, "aspects": aspects})
    meeting = at_most(
        "MeetingSchema",
        purpose="life",
        form="group",
        held_on=DAY,
        chair=cast.secretary,
        recorder=cast.member,
        absent=[at_most("AbsenceSchema", staff_no=cast.newcomer)],
        criticisms=[at_most("CriticismSchema", speaker=cast.secretary, about=cast.secretary)],
    )
    meetings = record(secretary, f"{at}/meetings", meeting)
    taken(secretary.post(f"{meetings}/withdraw", at_most("ReasonSchema")), {})
    none_else = dict.fromkeys(("fairly_good", "fair", "poor", "abstain"), 0)
    counts = {item: {**none_else, "good": LARGEST} for item in ("work", "style", "overall")}
    comments = [text_at_most("CommitteeCounts", "comments[]"), *map(str, range(499))]
    counted = {**counts, "comments": comments}
    numbers = at_most("TallySchema", subject="committee", void=0, counts=counted)
    for teller in (cast.organiser, cast.member):
        record(house.as_(teller), f"{at}/tallies", numbers)


def test_a_branch_records_the_most_of_its_last_stages(house: House) -> None:
    cast = house.a_branch()
    secretary, member, at = house.as_(cast.secretary), house.as_(cast.member), cast.path
    with transaction(house.engine, actor="cli") as session:
        a_counted_ballot(session, process_of(session, 2024, cast.code))
    rating = at_most("RatingSchema", staff_no=cast.member, level="excellent")
    not_rated = {"staff_no": cast.newcomer, "not_rated_reason": rating.pop("not_rated_reason")}
    record(secretary, f"{at}/ratings", not_rated)
    record(secretary, f"{at}/ratings", rating)
    told = f"{at}/ratings/{cast.member}"
    taken(secretary.post(f"{told}/feedback", {"given_on": DAY, "way": "face"}), {})
    remark = at_most("AcknowledgeSchema")
    taken(member.post(f"{told}/acknowledge", remark), remark)
    plan = record(
        secretary,
        f"{at}/help-plans",
        at_most("HelpPlanSchema", staff_no=cast.member, helper=cast.secretary),
    )
    record(secretary, f"{plan}/reviews", at_most("ReviewSchema", on=DAY))
    case = at_most("DispositionCaseSchema", staff_no=cast.member, signs=[1, 2, 3], proposed_on=DAY)
    cases = record(secretary, f"{at}/disposition-cases", case)
    record(secretary, f"{cases}/steps", at_most("StepSchema", step="talk", on=DAY))
    problem = at_most("ProblemSchema", source="meeting", about="committee")
    problems = [problem, *[{**problem, "text": "质量不高"}] * 49]
    addresses = [record(secretary, f"{at}/problems", each) for each in problems]
    numbers = [int(address.rpartition("/")[2]) for address in addresses]
    against_all = at_most("MeasureSchema", problems=numbers, owner=cast.member)
    measure = record(secretary, f"{at}/measures", against_all)
    shown = {"from": DAY, "to": "2025-01-19"}
    record(secretary, f"{at}/publications", at_most("PublicationSchema", **shown))
    record(member, f"{measure}/comments", at_most("CommentSchema"))
    record(member, f"{measure}/progress", at_most("ProgressSchema", state="done"))
    record(
        member,
        f"{at}/commitments",
        at_most("CommitmentSchema", staff_no=cast.member, problem="字" * 10_000),
    )
    record(secretary, f"{at}/rectification-filings", at_most("FilingSchema", sent_on=DAY))
    form = at_most("FormSchema")
    taken(secretary.patch(f"{at}/form", form, seen=secretary.get(f"{at}/form").etag), form)


def test_the_office_writes_the_most(house: House) -> None:
    cast = house.a_branch()
    office, secretary, at = house.as_("office"), house.as_(cast.secretary), cast.path
    record(office, f"{at}/extensions", at_most("ExtensionSchema", stage="study", due_on="2025-01-20"))
    waiver = at_most("WaiverSchema", requirement="members_who_have_not_studied")
    record(secretary, f"{at}/waivers", {name: waiver[name] for name in ("requirement", "reason")})
    excuse, line = at_most("RollSchema"), f"{at}/roll/{cast.member}"
    taken(secretary.patch(line, excuse, seen=office.get(line).etag), excuse)
    post = at_most(
        "AppointmentSchema",
        staff_no=cast.member,
        branch=cast.code,
        post="group_leader",
        starts_on=DAY,
    )
    record(office, "/appointments", post)
    note = at_most("CalendarSchema", working=False)
    taken(office.put("/calendar/2025-03-03", note), note)
    token = at_most("TokenSchema", staff_no=cast.member)
    taken(house.as_("administrator").post("/tokens", token), {})
    move = at_most("MoveSchema", trigger="step_back", to="study")
    refused = secretary.post(f"{at}/moves", move, seen=office.get(at).etag)
    assert refused.status == 409, refused.body


def test_the_most_of_an_assessment_is_kept(house: House) -> None:
    cast = house.a_branch()
    _assessed(house.as_("office"), house.as_(cast.secretary), cast)


def _assessed(office: Client, secretary: Client, cast: Cast) -> None:
    at = f"{YEAR}/assessments/{cast.code}"
    place = at_most("OnSiteSchema", held_on="2025-01-08")
    arrangement = at_most("ArrangementSchema", mode="on_site", on_site=place)
    taken(office.patch(at, arrangement, seen=office.get(at).etag), arrangement)
    section = text_at_most("DutyReportSchema", "sections{}")
    sections = {f"C{number}": section for number in range(1, 7)}
    report = at_most("DutyReportSchema", sections=sections)
    taken(secretary.put(f"{at}/duty-report", report), report)
    facts = at_most(
        "FactsSchema",
        three_meetings=at_most("ThreeMeetingsSchema"),
        development=at_most("DevelopmentSchema"),
        clean_government=at_most("CleanGovernmentSchema", issues=True),
    )
    read = taken(secretary.put(f"{at}/facts", facts), facts)
    assert read["development"] | facts["development"] == read["development"]
    proposal = at_most("ProposalSchema", result="excellent")
    taken(office.put(f"{at}/proposal", proposal), proposal)
    record(office, f"{YEAR}/activities", at_most("ActivitySchema", kind="study", held_on=DAY))
    results = {cast.code: at_most("ResultSchema", result="excellent")}
    record(
        office,
        f"{YEAR}/decision",
        at_most("DecisionSchema", held_on=DAY, attendees=["committee"], results=results),
    )


def test_what_is_tried_here_is_written() -> None:
    assert {"StudySessionSchema", "DecisionSchema"} <= LIMITS.keys()
