"""The letters as people read them, compared with the agreed texts, and the message around them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from workflow.foundation.vocabulary import STAGES, WORKING_STAGES, Kind, Stage
from workflow.mail import letters, links, notices
from workflow.mail.letters import (
    Accepted,
    Addressed,
    CaseStill,
    CommitmentDue,
    CorrectionOver,
    Counted,
    DecisionEntered,
    Digest,
    Duty,
    ExcuseDecided,
    FollowUpDue,
    Gathered,
    HelpDue,
    MeasureDue,
    OfficeReminder,
    Published,
    Reminder,
    Rendered,
    Returned,
    WaiverDecided,
    YearAmended,
    YearPublished,
    render,
    render_item,
    school_link,
)
from workflow.mail.message import message

LINK = "https://zhibu.example.edu.cn/cycles/2024/branches/D0101"
K1 = Duty("支部委员之间还有 1 对没有谈心谈话记录")
K2 = Duty("还有 3 名党员没有谈心谈话记录")
REMINDER = Reminder(
    recipient="张三",
    branch="计算机学院教工第一党支部",
    year=2024,
    stage=Stage.TALKS,
    due_on=date(2024, 12, 31),
    today=date(2024, 12, 24),
    leads=True,
    duties=(K1, K2),
    link=LINK,
)
RETURNED = Returned(
    recipient="张三",
    branch="计算机学院教工第一党支部",
    year=2024,
    stage=Stage.TALKS,
    filed=True,
    reason="谈心谈话记录不完整，\n请补齐。",
    due_on=date(2025, 2, 10),
    today=date(2025, 1, 27),
    link=LINK,
)
ASSESSED: dict[str, Any] = {
    "kind": Kind.ASSESSMENT,
    "stage": Stage.COLLECTING,
    "link": "https://zhibu.example.edu.cn/cycles/2024/assessments/D0101",
}
R1 = Duty("书记还没有提交述职报告")
WAIVER = WaiverDecided(
    recipient="张三",
    branch="计算机学院教工第一党支部",
    year=2024,
    stage=Stage.TALKS,
    sentence="党支部委员与党员之间普遍进行一次谈心谈话。",
    refused_because=None,
    today=date(2024, 12, 27),
    link=LINK,
)
FOLLOW_UP = FollowUpDue(recipient="李四", branch="计算机学院教工第一党支部", due_on=date(2025, 1, 10), count=2, today=date(2025, 1, 9), link=LINK)
MEASURE = MeasureDue(recipient="李四", branch="计算机学院教工第一党支部", due_on=date(2025, 6, 30), count=2, today=date(2025, 6, 27), link=LINK)
DIGEST = Digest(
    recipient="党办主任",
    year=2024,
    branches=60,
    by_stage=tuple((stage, number) for number, stage in enumerate(STAGES[Kind.APPRAISAL], 4)),
    overdue=3,
    due_soon=12,
    returned=1,
    today=date(2025, 1, 6),
    link=school_link("https://zhibu.example.edu.cn", 2024),
)
WORDS = Rendered("一封信", "您好。\n", "<p>您好。</p>\n")
WRITTEN = datetime(2024, 12, 24, 1, 0, tzinfo=UTC)


def test_a_secretary_reads_how_much_his_branch_lacks(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(REMINDER)) == snapshot


def test_a_committee_member_reads_his_own_duty(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(REMINDER, recipient="李四", leads=False, duties=(K2,)))) == snapshot


def test_a_secretary_who_lacks_nothing_is_asked_to_move_on(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(REMINDER, duties=()))) == snapshot


def test_the_last_day_says_today_and_the_last_stage_asks_to_file(snapshot: SnapshotAssertion) -> None:
    letter = replace(REMINDER, stage=Stage.REPORT, due_on=date(2025, 1, 26), today=date(2025, 1, 26), duties=())
    assert _as_read(render(letter)) == snapshot


def test_a_year_without_announced_holidays_is_remarked(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(REMINDER, remark="2031年放假调休安排尚未公布，暂按周一至周五为工作日计算"))) == snapshot


def test_a_returned_branch_reads_why_and_until_when(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(RETURNED)) == snapshot


def test_material_that_was_not_filed_yet_is_not_filed_again(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(RETURNED, filed=False))) == snapshot


def test_a_branch_reads_that_its_report_was_accepted(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(Accepted(recipient="张三", branch=RETURNED.branch, year=2024, today=date(2025, 1, 27), link=LINK))) == snapshot


def test_a_branch_reads_the_plan_and_the_six_days_at_the_beginning(snapshot: SnapshotAssertion) -> None:
    days = tuple((stage, date(2025, 1, 10 + number)) for number, stage in enumerate(WORKING_STAGES[Kind.APPRAISAL]))
    letter = YearPublished(recipient="张三", branch=RETURNED.branch, year=2024, title="某校工作方案", days=days, today=date(2025, 1, 2), link=LINK)
    assert _as_read(render(letter)) == snapshot


def test_a_branch_reads_what_an_amendment_adds(snapshot: SnapshotAssertion) -> None:
    adds: dict[str, Any] = {"titles": ("新条例", "新规定"), "days": ((Stage.STUDY, date(2025, 1, 12)),), "texts": True}
    notice: dict[str, Any] = {"number": "党委〔2025〕3号", "reason": "上级新印发两个文件", "today": date(2025, 1, 2), "link": LINK}
    assert _as_read(render(YearAmended(recipient="张三", branch=RETURNED.branch, year=2024, **notice, **adds))) == snapshot


@pytest.mark.parametrize("confirmed", [True, False], ids=["confirmed", "refused"])
def test_a_branch_reads_what_was_decided_of_an_excuse_and_not_whose(confirmed: bool, snapshot: SnapshotAssertion) -> None:
    letter = ExcuseDecided(recipient="张三", branch=RETURNED.branch, year=2024, confirmed=confirmed, today=date(2025, 1, 2), link=LINK)
    assert _as_read(render(letter)) == snapshot


def test_the_office_reads_in_the_place_of_a_branch_without_leaders(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(REMINDER, recipient="党委办公室", instead=True))) == snapshot


def test_several_reminders_of_a_day_are_one_letter(snapshot: SnapshotAssertion) -> None:
    items = [render_item(REMINDER), render_item(replace(MEASURE, today=REMINDER.today))]
    assert _as_read(render(Gathered(recipient="张三", today=REMINDER.today, link="https://zhibu.example.edu.cn", items=items))) == snapshot


def test_a_letter_of_a_command_that_knows_no_address_has_no_link() -> None:
    letter = render(replace(RETURNED, link="/cycles/2024/branches/D0101"))
    assert "请登录系统办理。" in letter.text
    assert "/cycles" not in letter.text + letter.html


def test_a_returned_assessment_is_put_right_and_not_filed_again(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(RETURNED, **ASSESSED, reason="第三部分没有数据。"))) == snapshot


def test_a_secretary_reads_what_he_himself_owes_of_the_assessment(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(REMINDER, **ASSESSED, leads=False, duties=(R1,)))) == snapshot


def test_a_returned_branch_without_a_day_is_asked_to_hurry(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(RETURNED, due_on=None))) == snapshot


def test_a_branch_that_is_overdue_reads_by_how_many_days(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(REMINDER, today=date(2025, 1, 2)))) == snapshot


def test_a_branch_that_is_overdue_and_lacks_nothing_is_asked_to_move_on(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(REMINDER, today=date(2025, 1, 2), duties=()))) == snapshot


def test_a_secretary_reads_that_a_reason_was_agreed_to(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(WAIVER)) == snapshot


def test_a_secretary_reads_why_a_reason_was_not_agreed_to(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(WAIVER, refused_because="出国人员可以线上谈话，\n请补谈。"))) == snapshot


def test_who_promised_help_reads_how_much_and_until_when(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(FOLLOW_UP)) == snapshot


def test_help_that_is_due_today_says_so(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(FOLLOW_UP, today=date(2025, 1, 10), remark="某年尚未公布"))) == snapshot


def test_who_owns_measures_reads_how_many_and_until_when(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(MEASURE)) == snapshot


def test_measures_that_are_due_today_say_so(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(MEASURE, today=date(2025, 6, 30)))) == snapshot


def test_measures_that_are_overdue_say_by_how_many_days(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(MEASURE, today=date(2025, 7, 8), count=1))) == snapshot


@pytest.mark.parametrize("letter", [CommitmentDue, HelpDue, CorrectionOver])
@pytest.mark.parametrize("today", [date(2025, 6, 27), date(2025, 6, 30), date(2025, 7, 8)])
def test_what_goes_on_is_told_by_number_and_day(snapshot: SnapshotAssertion, letter: type[Counted], today: date) -> None:
    assert _as_read(render(letter(**{**vars(MEASURE), "today": today}))) == snapshot


def test_what_stands_still_is_told_by_number_and_day(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(CaseStill(**{**vars(MEASURE), "today": date(2025, 7, 8)}))) == snapshot


def test_the_office_reads_how_many_branches_stand_where(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(DIGEST)) == snapshot


def test_every_letter_has_its_three_files_and_every_file_its_letter() -> None:
    folder = Path(letters.__file__).parent / "templates"
    frames = {f"{name}.{part}" for name in ("letter", "item", "instead", "remark") for part in ("txt", "html")}
    declared = [value for module in (letters, links, notices) for value in vars(module).values()]
    classes = [each for each in declared if isinstance(each, type) and issubclass(each, Addressed)]
    named = {each.template for each in classes if hasattr(each, "template")}
    parts = {f"{name}.{part}" for name in named for part in ("subject.txt", "txt", "html")}
    assert {path.name for path in folder.iterdir()} == parts | frames


def test_what_people_wrote_cannot_become_markup() -> None:
    letter = render(replace(RETURNED, reason="<script>alert(1)</script>", branch="A&B党支部"))
    assert "&lt;script&gt;" in letter.html
    assert "<script>" not in letter.html
    assert "<script>" in letter.text
    assert "A&B党支部" in letter.subject


def test_a_line_break_in_a_name_does_not_end_the_subject() -> None:
    assert "\n" not in render(replace(RETURNED, branch="第一\n党支部")).subject


def test_a_message_tells_readers_and_machines_what_it_is() -> None:
    mail = message_from_bytes(_message().as_bytes(), policy=default)
    assert mail["To"].addresses[0].addr_spec == "l4@school.example"
    assert mail["To"].addresses[0].display_name == "李四"
    assert mail["From"].addresses[0].display_name == "党委办公室"
    assert mail["Subject"] == "一封信"
    assert mail["Date"].datetime == WRITTEN
    assert mail["Message-ID"] == "<0123456789abcdef@school.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert plain.get_content() == "您好。\r\n"


def test_a_message_ends_with_the_offices_name_and_telephone_when_they_are_set() -> None:
    mail = _message(words=render(RETURNED), contact="党委办公室 0371-00000000 <内线>")
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain.get_content().splitlines()[-1] == "如有疑问，请联系：党委办公室 0371-00000000 <内线>"
    assert "<p><small>如有疑问，请联系：党委办公室 0371-00000000 &lt;内线&gt;</small></p>\n</body>" in html.get_content().replace("\r\n", "\n")
    assert "如有疑问" not in _message(words=render(RETURNED)).get_body(("plain",)).get_content()


@pytest.mark.parametrize("name", ["阿卜杜拉·买买提", "李四, 王五", '李"四"', "𠮷𪚥", "阿卜杜热依木江·买买提吐尔逊"])
def test_long_and_rare_headers_arrive_as_they_were_written(name: str) -> None:
    subject = "关于党建考核暨组织生活会各环节期限的提醒：" * 4
    content = _message(recipient=name, words=Rendered(subject, "您好。", "<p>您好。</p>")).as_bytes()
    mail = message_from_bytes(content, policy=default)
    assert (mail["Subject"], [each.display_name for each in mail["To"].addresses]) == (subject, [name])
    assert max(map(len, content.split(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78


def test_a_message_is_seven_bit_with_short_lines() -> None:
    content = _message(words=Rendered("长" * 200, "长" * 3000, "<p>" + "长" * 3000)).as_bytes()
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


@pytest.mark.parametrize("address", ["", "l4", "l4@", "l4@a@b", "李四@school.example", "l4@school.example\nBcc: z6@school.example", "a b@c"])
def test_what_is_no_address_gets_no_message(address: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        _message(address=address)


def test_a_line_break_in_a_persons_name_adds_no_header() -> None:
    mail = message_from_bytes(_message(recipient="李四\nBcc: z6@school.example").as_bytes(), policy=default)
    assert mail["Bcc"] is None


def _message(  # type: ignore[no-untyped-def]
    *, recipient: str = "李四", address: str = "l4@school.example", words: Rendered = WORDS, contact: str | None = None
):
    return message(
        sender="zhibu@school.example",
        recipient=recipient,
        address=address,
        words=words,
        message_id="0123456789abcdef",
        written_at=WRITTEN,
        contact=contact,
    )


def _as_read(letter: Rendered) -> str:
    return f"{letter.subject}\n{'─' * 40}\n{letter.text}{'─' * 40}\n{letter.html}"


R3 = Duty("考核结果建议还不齐全", 12)
OFFICE_REMINDER = OfficeReminder(
    recipient="党办主任",
    year=2024,
    kind=Kind.ASSESSMENT,
    due_on=date(2025, 1, 15),
    today=date(2025, 1, 8),
    by_stage=((Stage.COLLECTING, 4), (Stage.SUMMARISED, 12)),
    duties=(R3,),
    link="https://zhibu.example.edu.cn/cycles/2024/assessments",
)


def test_the_office_reads_how_many_branches_it_must_bring_on_and_what_it_owes(snapshot: SnapshotAssertion) -> None:
    assert render(OFFICE_REMINDER) == snapshot


def test_the_office_that_owes_nothing_is_asked_to_move_on(snapshot: SnapshotAssertion) -> None:
    assert render(replace(OFFICE_REMINDER, duties=(), today=date(2025, 1, 17))) == snapshot


def test_the_committee_reads_that_a_decision_waits_and_not_what_it_is(snapshot: SnapshotAssertion) -> None:
    letter = DecisionEntered(
        recipient="党委委员", today=date(2025, 2, 11), link=OFFICE_REMINDER.link, year=2024, number="党委会〔2025〕3号", held_on=date(2025, 2, 10)
    )
    assert render(letter) == snapshot


def test_the_office_reads_in_one_line_where_the_branches_stand_in_the_assessment(snapshot: SnapshotAssertion) -> None:
    assert _as_read(render(replace(DIGEST, assessed=((Stage.COLLECTING, 42), (Stage.SUMMARISED, 18))))) == snapshot


def test_a_branch_reads_that_there_is_a_result_and_not_which(snapshot: SnapshotAssertion) -> None:
    letter = Published(
        recipient="张三",
        today=date(2025, 2, 14),
        link="https://zhibu.example.edu.cn/cycles/2024/assessments/D0101",
        branch="计算机学院教工第一党支部",
        year=2024,
    )
    assert render(letter) == snapshot
