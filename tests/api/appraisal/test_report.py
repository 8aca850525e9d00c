"""The form, the archive and the school's totals over HTTP: access, shape, forbidden content."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text, update

from tests.api.conftest import Client
from tests.support.records.evidence import statements
from tests.support.records.rating import BASIC, EXCELLENT, QUALIFIED, UNQUALIFIED, a_case, a_counted_ballot, a_decision, a_help_plan, a_rating
from tests.support.records.rectification import all_rectification
from tests.support.records.self_review import CRITICISM, a_life_meeting, a_self_review, a_tally
from tests.support.servers import YEAR, Cast, House
from tests.support.situations import HELD_ON, SUBSTANCE, a_study
from workflow.appraisal.report.figures import CHECKS
from workflow.appraisal.talks.talks import TALKS
from workflow.foundation.database import transaction
from workflow.foundation.vocabulary import ExcuseKind, Level, Stage, TalkWay, TallySubject
from workflow.machine.asked import CLAUSES
from workflow.people.callers import caller_for
from workflow.year.cycle import Process
from workflow.year.finding import process_of
from workflow.year.plan_files import find_plan, read_plan

WRITTEN = {"prepared_by": "王五", "phone": "8888 0101", "remark": "另附说明"}
READERS = ("office", "committee", "auditor")
BASICS = {"total", "full", "probationary", "due", "took_part", "excused", "on_committee", "studies", "committee_talks", "member_talks", "meetings"}
NOTHING = {**dict.fromkeys(BASICS, 0), "excused_by_kind": dict.fromkeys(ExcuseKind, 0)}
SUMS = {"amendments", "basics", "committee", "levels", "fed_back", "quota_allowed", "rectification", "checks", "cycle", "title"}
FORM = {
    *("recipient", "branch", "secretary", "stage", "round", "late", "due_on", "studies", "meetings", "comments", "over_quota_reason"),
    *("members", "aftercare", "published", "sent_on", "prepared_by", "phone", "remark", "signs", "version"),
}
MEMBER = {"staff_no", "name", "standing", "title", "self_level", "votes", "level", "opinion", "fed_back_on", "remark"}


@pytest.fixture
def branch(house: House) -> Cast:
    return house.a_branch()


@pytest.fixture
def whole(house: House, branch: Cast) -> Cast:
    """A branch with some of everything: ``member``, rated 基本合格, plays 王五's part."""
    a_year(house, branch)
    return branch


def a_year(house: House, cast: Cast, *, voters: int | None = None) -> None:
    with transaction(house.engine, actor=cast.secretary) as session:
        process = process_of(session, 2024, cast.code)
        by = caller_for(session, cast.secretary, HELD_ON)
        a_study(session, process, cast.everybody, by=cast.secretary)
        for partner in cast.everybody[1:]:
            body = {"held_on": HELD_ON, "talker": cast.secretary, "partner": partner, "way": TalkWay.FACE, **SUBSTANCE}
            TALKS.record(session, process, body, by=by, now=house.clock.now)
        for who in cast.everybody[:5]:
            a_self_review(session, process, who, level=Level.QUALIFIED)
        a_self_review(session, process, cast.newcomer, level=Level.UNQUALIFIED, submitted=False, aspects={"A1": "草稿里的话"})
        present = [who for who in cast.everybody if who != cast.newcomer]
        absent = [{"staff_no": cast.newcomer, "reason": "出差"}]
        a_life_meeting(session, process, by=cast.secretary, present=present, absent=absent)
        a_tally(session, process, TallySubject.COMMITTEE)
        a_counted_ballot(session, process, voters=voters)
        levels = [EXCELLENT, QUALIFIED, QUALIFIED, QUALIFIED, BASIC, UNQUALIFIED]
        for who, level in zip(cast.everybody, levels, strict=True):
            a_rating(session, process, who, level, told=level is not UNQUALIFIED, opinion=f"意见{who}")
        a_decision(session, process)
        a_help_plan(session, process, cast.member, helper=cast.organiser)
        a_case(session, process, cast.newcomer)
        all_rectification(session, process)


def stand_at(house: House, cast: Cast, stage: Stage) -> None:
    with transaction(house.engine, actor="cli") as session:
        session.execute(update(Process).where(Process.id == process_of(session, 2024, cast.code).id).values(stage=stage))


def form(house: House, cast: Cast, who: str = "office") -> Any:
    return house.as_(who).get(f"{cast.path}/form").body


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_tag_of_the_form_is_of_what_is_written_on_it(house: House, branch: Cast) -> None:
    secretary, path = house.as_(branch.secretary), f"{branch.path}/form"
    assert ((new := secretary.get(path)).status, new.etag, new.body["version"]) == (200, '"0"', 0)
    assert [new.body[name] for name in WRITTEN] == [None, None, None]
    written = secretary.patch(path, WRITTEN, seen=0)
    assert (written.status, written.etag, {name: written.body[name] for name in WRITTEN}) == (200, '"1"', WRITTEN)
    assert (secretary.get(path).body, secretary.get(path).etag) == (written.body, '"1"')
    again = secretary.patch(path, {"remark": "更正"}, seen='"1"')
    assert (again.etag, again.body["remark"], again.body["phone"]) == ('"2"', "更正", "8888 0101")
    assert secretary.post(f"{branch.path}/talks", {"held_on": "2024-12-19", "talker": branch.secretary, "partner": branch.member}).status == 201
    assert secretary.get(path, **{"If-None-Match": '"2"'}).status == 200


def test_writing_wants_the_tag_and_tells_what_changed(house: House, branch: Cast) -> None:
    secretary, path = house.as_(branch.secretary), f"{branch.path}/form"
    assert secretary.patch(path, WRITTEN).status == 428
    for seen in (1, "*", 'W/"0"'):
        refused = secretary.patch(path, WRITTEN, seen=seen)
        assert (refused.status, refused.body["version"]) == (412, 0)
    assert secretary.patch(path, WRITTEN, seen=0).status == 200
    assert house.as_(branch.deputy).patch(path, {"remark": "无"}, seen=1).status == 200
    refused = secretary.patch(path, {"remark": "改"}, seen=1)
    assert (refused.status, refused.body["version"]) == (412, 2)
    assert [(each["by"], each["fields"]) for each in refused.body["changed"]] == [(branch.deputy, ["remark"])]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "prepared_by"),
        ({"prepared_by": None}, "prepared_by"),
        ({"level": "excellent"}, "level"),
        ({"version": 3}, "version"),
        ({"levels": {"excellent": 9}}, "levels"),
        ({"phone": "8" * 51}, "phone"),
        ({"prepared_by": "长" * 51}, "prepared_by"),
        ({"remark": "长" * 2001}, "remark"),
        ({"phone": 88880101}, "phone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_what_is_written_on_the_form_is_taken(house: House, branch: Cast, body: dict[str, Any], field: str) -> None:
    secretary, before = house.as_(branch.secretary), house.state()
    refused = secretary.patch(f"{branch.path}/form", body, seen=0)
    assert (refused.status, list(refused.body["errors"])) == (422, [field])
    assert house.state() == before


@pytest.mark.parametrize("stage", [Stage.FILED, Stage.ACCEPTED])
def test_after_filing_the_form_is_read_and_not_written(house: House, branch: Cast, stage: Stage) -> None:
    stand_at(house, branch, stage)
    refused = house.as_(branch.secretary).patch(f"{branch.path}/form", WRITTEN, seen=0)
    assert (refused.status, refused.body["type"]) == (409, "/docs/problems#stage-closed")
    assert form(house, branch)["stage"] == stage


def test_secretary_and_deputy_write_it_and_the_branchs_readers_read_it(house: House, branch: Cast) -> None:
    path = f"{branch.path}/form"
    read = {who: house.as_(who).get(path).status for who in (*branch.everybody, *READERS, "administrator", "赵六", "吴十")}
    assert read == {
        **dict.fromkeys((branch.secretary, branch.deputy, branch.organiser, branch.publicist, *READERS), 200),
        **dict.fromkeys((branch.member, branch.newcomer, "administrator", "吴十"), 403),
        "赵六": 404,
    }
    others = (branch.organiser, branch.member, *READERS, "administrator", "吴十")
    assert {who: house.as_(who).patch(path, WRITTEN, seen=0).status for who in others} == dict.fromkeys(others, 403)
    assert house.as_("赵六").patch(path, WRITTEN, seen=0).status == 404
    for seen, who in enumerate((branch.secretary, branch.deputy)):
        assert house.as_(who).patch(path, WRITTEN, seen=seen).status == 200
    assert house.app.test_client().get(f"/api/v1{path}").status_code == 401
    assert house.as_("office").get(f"{YEAR}/branches/D0999/form").status == 404


def test_of_two_who_write_it_at_once_one_is_told_that_it_changed(house: House, branch: Cast) -> None:
    barrier = Barrier(2)

    def write(client: Client) -> Any:
        barrier.wait()
        return client.patch(f"{branch.path}/form", WRITTEN, seen=0)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(write, [house.as_(branch.secretary), house.as_(branch.deputy)]))
    assert sorted(answer.status for answer in answers) == [200, 412]


# ── what the form says ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_form_of_a_new_branch_has_every_part_and_nothing_in_it(house: House, branch: Cast) -> None:
    body = form(house, branch)
    assert body.keys() == SUMS | FORM
    assert (body["cycle"], body["title"], body["recipient"]) == (2024, "2024年度民主评议情况表", "党委办公室")
    assert (body["branch"]["code"], body["secretary"]["staff_no"], body["stage"]) == (branch.code, branch.secretary, "study")
    assert (body["round"], body["late"], body["due_on"]) == (1, False, "2024-12-25")
    assert body["basics"] == {**NOTHING, "total": 6, "full": 6, "due": 6, "on_committee": 4}
    assert body["levels"] == {**dict.fromkeys((*Level, "none"), 0), "total": 6}
    assert [each.keys() for each in body["members"]] == [MEMBER] * 6
    assert {each["votes"] for each in body["members"]} == {None}
    assert [body[name] for name in ("studies", "meetings", "comments", "aftercare", "published", "sent_on")] == [[]] * 6
    assert {each["name"]: each["holds"] for each in body["checks"]} == {each.name: each.name != "levels_make_the_total" for each in CHECKS}


def test_the_form_says_what_the_records_say(house: House, whole: Cast) -> None:
    body = form(house, whole)
    due = {"total": 6, "full": 6, "due": 6, "took_part": 6, "on_committee": 4, "studies": 1, "committee_talks": 3, "member_talks": 2, "meetings": 1}
    assert body["basics"] == {**NOTHING, **due}
    assert body["levels"] == {"excellent": 1, "qualified": 3, "basic": 1, "unqualified": 1, "none": 0, "total": 6}
    assert (body["fed_back"], body["quota_allowed"], body["over_quota_reason"]) == (5, 1, None)
    good = {"good": 6, "fairly_good": 0, "fair": 0, "poor": 0, "abstain": 0}
    ballot = {"issued": 6, "returned": 6, "valid": 6, "void": 0}
    assert (body["committee"], body["comments"]) == ({**ballot, "marks": dict.fromkeys(("work", "style", "overall"), good)}, ["多听意见"])
    assert body["rectification"] == {"problems": 1, "measures": 1, "commitments": 6, "publications": 1, "filings": 1}
    assert body["studies"] == [{"held_on": "2024-12-18", "titles": ["中国共产党纪律处分条例", "中国共产党支部工作条例（试行）"]}]
    absent = [{"name": whole.newcomer, "reason": "出差"}]
    meeting = {"form": "general", "group": None, "held_on": "2024-12-19", "due": 6, "present": 5, "absent": absent, "cadres": []}
    assert body["meetings"] == [meeting]
    assert body["published"] == [{"place": "学院公示栏", "from": "2024-12-20", "to": "2024-12-27"}]
    assert body["sent_on"] == ["2024-12-20"]
    assert {each["holds"] for each in body["checks"]} == {True}
    assert all(each.keys() == {"name", "text", "holds"} for each in body["checks"])


def test_each_member_has_his_line_and_who_is_not_qualified_another(house: House, whole: Cast) -> None:
    body = form(house, whole)
    lines = {each["staff_no"]: each for each in body["members"]}
    assert list(lines) == sorted(whole.everybody)
    votes = {"excellent": 0, "qualified": 5, "basic": 0, "unqualified": 0, "abstain": 1}
    assert lines[whole.member] == {
        "staff_no": whole.member,
        "name": whole.member,
        "standing": "full",
        "title": None,
        "self_level": "qualified",
        "votes": votes,
        "level": "basic",
        "opinion": f"意见{whole.member}",
        "fed_back_on": "2024-12-20",
        "remark": None,
    }
    assert (lines[whole.newcomer]["self_level"], lines[whole.newcomer]["fed_back_on"], lines[whole.deputy]["title"]) == (None, None, "副书记")
    helped, disposed = body["aftercare"]
    assert helped == {
        "staff_no": whole.member,
        "name": whole.member,
        "level": "basic",
        "facts": f"意见{whole.member}",
        "measure": "每月谈心一次",
        "responsible": whole.organiser,
        "due_on": "2025-03-31",
    }
    assert (disposed["staff_no"], disposed["level"], disposed["measure"]) == (whole.newcomer, "unqualified", None)
    assert disposed["facts"].startswith("两次无故")


def test_who_has_left_keeps_his_name_where_the_form_still_speaks_of_him(house: House, whole: Cast) -> None:
    away = "update participant set left_on = '2024-12-20', name = '离开的' || staff_no where staff_no in (:absent, :helper)"
    with transaction(house.engine, actor="cli") as session:
        session.execute(text(away), {"absent": whole.newcomer, "helper": whole.organiser})
    body = form(house, whole)
    assert len(body["members"]) == 6, "both were rated, and stay in the year's figures"
    assert body["meetings"][0]["absent"] == [{"name": f"离开的{whole.newcomer}", "reason": "出差"}]
    assert [each["responsible"] for each in body["aftercare"]] == [f"离开的{whole.organiser}", whole.secretary]


def test_the_reason_over_the_quota_stands_on_the_form(house: House, whole: Cast) -> None:
    secretary, path = house.as_(whole.secretary), f"{whole.path}/ratings/{whole.deputy}"
    assert secretary.patch(path, {"level": "excellent"}, seen=2).status == 200
    body = {"requirement": "more_excellent_than_the_quota", "reason": "青年教师集中"}
    waiver = secretary.post(f"{whole.path}/waivers", body).body
    assert form(house, whole)["over_quota_reason"] is None, "it waits for the office"
    assert house.as_("office").post(f"{whole.path}/waivers/{waiver['id']}/approve").status == 200
    assert form(house, whole)["over_quota_reason"] == "青年教师集中"
    refused = {"reason": "名额有变"}
    assert house.as_("office").post(f"{whole.path}/waivers/{waiver['id']}/reject", refused).status == 200
    assert form(house, whole)["over_quota_reason"] is None


def test_signs_stand_beside_the_form_and_are_never_what_blocks(house: House, whole: Cast) -> None:
    body, english = form(house, whole), house.as_("office").get(f"{whole.path}/form", **{"Accept-Language": "en"}).body
    assert {each["severity"] for each in body["signs"]} == {"sign"}
    named = {each["requirement"] for each in body["signs"]}
    assert {"copied_self_reviews", "papers_missing", "feedback_not_acknowledged"} <= named
    assert "stage_overdue" not in named
    assert english["signs"][0]["message"] != body["signs"][0]["message"]
    assert house.as_(whole.secretary).get(f"{whole.path}/form").body["signs"] == body["signs"]


@pytest.mark.parametrize(("voters", "counts"), [(9, False), (10, True)])
def test_below_ten_ballots_the_branch_reads_bands_and_the_school_counts(house: House, voters: int, counts: bool) -> None:
    cast = house.a_branch()
    a_year(house, cast, voters=voters)
    with transaction(house.engine, actor="cli") as session:
        numbers = "update tally set issued = 12, returned = 12, valid = 12 where subject = 'committee' and process_id = :process"
        session.execute(text(numbers), {"process": process_of(session, 2024, cast.code).id})
    seen: dict[str, Any] = {}
    for who in (cast.secretary, cast.deputy, cast.organiser, *READERS):
        body = form(house, cast, who)
        seen[who] = [isinstance(vote, int) for line in body["members"] for vote in line["votes"].values()]
        seen[who] += [isinstance(vote, int) for item in body["committee"]["marks"].values() for vote in item.values()]
    assert {who: set(kinds) for who, kinds in seen.items()} == {who: {counts or who in READERS} for who in seen}
    if not counts:
        votes = form(house, cast, cast.secretary)["members"][0]["votes"]
        assert (votes["qualified"], votes["abstain"]) == ("三分之二以上", "未过半数")


RECORDS: dict[str, Callable[[Any], int]] = {
    "study-sessions": lambda body: len(body["studies"]) + body["basics"]["studies"],
    "talks": lambda body: body["basics"]["committee_talks"] + body["basics"]["member_talks"],
    "meetings": lambda body: len(body["meetings"]) + body["basics"]["meetings"],
    "problems": lambda body: body["rectification"]["problems"],
    "measures": lambda body: body["rectification"]["measures"],
    "commitments": lambda body: body["rectification"]["commitments"],
    "publications": lambda body: len(body["published"]) + body["rectification"]["publications"],
    "rectification-filings": lambda body: len(body["sent_on"]) + body["rectification"]["filings"],
    "ratings": lambda body: sum(each["level"] is not None for each in body["members"]),
    "self-reviews": lambda body: sum(each["self_level"] is not None for each in body["members"]),
    "tallies": lambda body: sum(each["votes"] is not None for each in body["members"]) + len(body["comments"]) + body["committee"]["issued"],
    "help-plans": lambda body: sum(each["measure"] is not None for each in body["aftercare"]),
    "disposition-cases": lambda body: sum(each["level"] == "unqualified" and each["facts"] is not None for each in body["aftercare"]),
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("how", ["withdraw", "reject"])
def test_what_was_taken_back_is_no_longer_on_the_form(house: House, whole: Cast, name: str, how: str) -> None:
    client, shown = house.as_(whole.secretary if how == "withdraw" else "office"), RECORDS[name]
    assert shown(form(house, whole)) > 0
    for row in house.as_("office").get(f"{whole.path}/{name}").body["items"]:
        key = row["staff_no"] if name == "ratings" else row["id"]
        done = client.post(f"{whole.path}/{name}/{key}/{how}", {"reason": "有误"})
        assert done.status == 200, done.body
    assert shown(form(house, whole)) == 0


def test_nothing_private_of_talks_and_nothing_of_drafts_stands_on_form_or_archive(house: House, whole: Cast) -> None:
    for who in (whole.secretary, "office"):
        said = json.dumps([form(house, whole, who), house.as_(who).get(f"{whole.path}/archive").body], ensure_ascii=False)
        for words in (*SUBSTANCE.values(), *CRITICISM.values(), "草稿里的话"):
            assert words not in said
        draft = next(line for line in form(house, whole, who)["members"] if line["staff_no"] == whole.newcomer)
        assert draft["self_level"] is None


def test_a_form_asks_no_more_of_the_database_for_more_members(house: House, whole: Cast) -> None:
    house.as_("office").get(f"{whole.path}/form")
    sent: list[int] = []
    for path in (f"{YEAR}/branches/D0101", whole.path):
        with statements(house.engine) as asked:
            house.as_("office").get(f"{path}/form")
        sent.append(len(asked))
    assert sent[0] <= sent[1] < 30


# ── the archive and the school ────────────────────────────────────────────────────────────────────────────────────────


def test_the_archive_lists_each_paper_as_present_or_missing(house: House, whole: Cast) -> None:
    rows = house.as_(whole.secretary).get(f"{whole.path}/archive").body["items"]
    assert len(rows) == 16
    assert all(row.keys() == {"paper", "name", "present", "have", "need"} and row["present"] == (row["have"] >= row["need"]) for row in rows)
    assert {row["paper"] for row in rows if not row["present"]} == {"self_reviews", "feedback", "form", "receipt"}
    assert next(row for row in rows if row["paper"] == "self_reviews") == {
        "paper": "self_reviews",
        "name": "个人自评",
        "present": False,
        "have": 5,
        "need": 6,
    }
    everybody = (*whole.everybody, *READERS, "administrator", "赵六")
    read = {who: house.as_(who).get(f"{whole.path}/archive").status for who in everybody}
    assert {who for who, status in read.items() if status == 200} == {*whole.everybody[:4], *READERS}
    assert (read[whole.member], read["administrator"], read["赵六"]) == (403, 403, 404)


def test_the_school_is_the_sum_of_the_forms(house: House, whole: Cast) -> None:
    totals = house.as_("office").get(f"{YEAR}/totals")
    codes = [row["branch"]["code"] for row in house.as_("office").get(f"{YEAR}/branches?limit=200").body["items"]]
    forms = [house.as_("office").get(f"{YEAR}/branches/{code}/form").body for code in codes]
    assert (totals.status, totals.body.keys(), totals.body["branches"]) == (200, SUMS | {"branches"}, len(forms))

    def added(of: list[Any]) -> Any:
        return {name: added([each[name] for each in of]) for name in of[0]} if isinstance(of[0], dict) else sum(of)

    for part in ("basics", "committee", "levels", "fed_back", "quota_allowed", "rectification"):
        assert totals.body[part] == added([each[part] for each in forms]), part
    held = {check["name"]: all(each["checks"][place]["holds"] for each in forms) for place, check in enumerate(totals.body["checks"])}
    assert {check["name"]: check["holds"] for check in totals.body["checks"]} == held
    assert house.as_("auditor").get(f"{YEAR}/totals").body == totals.body


def test_the_totals_are_the_schools_own(house: House, branch: Cast) -> None:
    people = (*branch.everybody, *READERS, "administrator")
    assert {who for who in people if house.as_(who).get(f"{YEAR}/totals").status == 200} == set(READERS)
    assert house.as_(branch.secretary).get(f"{YEAR}/totals").status == 403
    assert house.as_("office").get("/cycles/2031/totals").status == 404
    assert house.as_("office").get(f"{YEAR}/totals?unit=D01").status == 422


def test_the_definition_names_each_clause_of_the_plan_once(house: House) -> None:
    body = house.as_("吴十").get("/process").body
    parts = [{each["clause"] for each in body["requirements"]}, *([each["clause"] for each in body[part]] for part in ("recorded", "not_asked"))]
    listed = [clause for part in parts for clause in part]
    name, plan = find_plan("2024", None)
    assert sorted(listed) == sorted(read_plan(plan, CLAUSES, name=name).clauses)
    assert all(each["where"] and each["sentence"] for each in body["recorded"])
