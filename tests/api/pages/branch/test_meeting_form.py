"""The form of a meeting (会议记录): attendance to tick, minutes under the agenda's headings."""

from __future__ import annotations

from tests.api.pages.branch.conftest import Browsers, stand_at
from tests.support.servers import Cast, House
from workflow.foundation.vocabulary import Stage

MEETING = {"purpose": "report", "form": "general", "held_on": "2024-12-19"}


def test_attendance_is_ticked_with_a_reason_beside_the_absent(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.SELF_REVIEW)
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/meetings"
    form = browser.form(f"{path}/new")
    row = next(name.removesuffix(".staff_no?") for name, values in form.items() if name.endswith(".staff_no?") and values == [cast.newcomer])
    typed = {**form, **MEETING, "present": ["", cast.secretary, cast.member], f"{row}.reason": "出差"}
    sent = browser.http.post(f"{path}/new", data=typed)
    assert sent.status_code == 303, sent.get_data(as_text=True)
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/meetings").body["items"]
    assert kept["present"] == sorted([cast.secretary, cast.member])
    assert kept["absent"] == [{"staff_no": cast.newcomer, "reason": "出差"}]
    # Corrected: they came after all, later.
    again = browser.form(f"{path}/{kept['id']}/edit")
    assert set(again["present"]) == {"", cast.secretary, cast.member}
    assert again[f"{row}.reason"] == ["出差"]
    changed = {**again, "present": ["", cast.secretary, cast.member, cast.newcomer], f"{row}.reason": ""}
    assert browser.http.post(f"{path}/{kept['id']}/edit", data=changed).status_code == 303
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/meetings").body["items"]
    assert (len(kept["present"]), kept["absent"]) == (3, [])
    assert "到会 3 人" in browser.get(path).get_data(as_text=True)


def test_minutes_stand_under_the_headings_of_the_agenda_that_were_written(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.SELF_REVIEW)
    browser, path = as_(cast.secretary), f"/2024/{cast.code}/meetings/new"
    form = browser.form(path)
    assert [form[f"minutes#{at}?"] for at in range(3)] == [["一、自我检查"], ["二、党性分析"], ["三、批评和自我批评"]]
    sent = browser.http.post(path, data={**form, **MEETING, "minutes#0": "逐人检查。", "minutes#2": "逐条提出。\n逐条表态。"})
    assert sent.status_code == 303, sent.get_data(as_text=True)
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/meetings").body["items"]
    assert kept["minutes"] == "一、自我检查\n逐人检查。\n\n三、批评和自我批评\n逐条提出。\n逐条表态。"


def test_headings_alone_are_no_minutes(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.SELF_REVIEW)
    assert as_(cast.secretary).fill(f"/2024/{cast.code}/meetings/new", **MEETING).status_code == 303
    (kept,) = house.as_(cast.secretary).get(f"{cast.path}/meetings").body["items"]
    assert kept.get("minutes") is None


def test_what_was_written_under_headings_is_kept_when_the_form_is_refused(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.SELF_REVIEW)
    refused = as_(cast.secretary).fill(f"/2024/{cast.code}/meetings/new", **{**MEETING, "held_on": "2999-01-01", "minutes#1": "逐人分析。"})
    assert refused.status_code == 422
    assert "二、党性分析\n逐人分析。</textarea>" in refused.get_data(as_text=True)


def test_the_chair_and_the_recorder_confirm_from_the_list(house: House, cast: Cast, as_: Browsers) -> None:
    stand_at(house, cast, Stage.SELF_REVIEW)
    made = house.as_(cast.secretary).post(
        f"{cast.path}/meetings", {**MEETING, "chair": cast.secretary, "recorder": cast.organiser, "minutes": "记录"}
    )
    path = f"/2024/{cast.code}/meetings"
    for who in (cast.secretary, cast.organiser):
        assert f"{path}/{made.body['id']}/confirm" in as_(who).get(path).get_data(as_text=True)
        assert as_(who).fill(f"{path}/{made.body['id']}/confirm?next={path}").status_code == 303
    page = as_(cast.secretary).get(path).get_data(as_text=True)
    assert page.count("✓ 已确认") == 2


def test_the_meetings_of_another_branch_are_not_there(house: House, cast: Cast, as_: Browsers) -> None:
    other = house.a_branch()
    assert as_(other.secretary).get(f"/2024/{cast.code}/meetings").status_code == 404
    assert as_(other.secretary).get(f"/2024/{cast.code}/meetings/new").status_code == 404
