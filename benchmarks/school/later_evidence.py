"""The evidence of the last three stages and of the assessment (评定、整改、报送、考核)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

from benchmarks.school.copying import NULL
from benchmarks.school.evidence import RECORD, Kept, Year, lacks, record
from benchmarks.school.people import NOW
from benchmarks.school.plan import Branch

EXCELLENT = 5
"""Excellent members of 22: within the quota of a quarter."""
PROBLEMS, MEASURES = 4, 3
_SECTIONS = json.dumps({f"C{n}": "已按要求落实" for n in range(1, 7)}, ensure_ascii=False)


def _ratings(b: Branch, year: Year) -> Iterator[str]:
    held_on = year.days.held_on
    for k in b.places:
        if lacks(b, "rating") and k == b.members:
            continue
        level, reason = ("excellent", "表现突出") if k <= EXCELLENT else ("qualified", NULL)
        yield (
            f"{level}\t{NOW}\t履行职责较好\t{reason}\t{held_on}\tface\t{NOW}"
            f"\t{b.staff_no(k)}\t{record(b)}\n"
        )


def _first(b: Branch, each: int) -> int:
    return (b.number - 1) * each + 1


def _problems(b: Branch, year: Year) -> Iterator[str]:
    for n in range(PROBLEMS):
        about = b.staff_no(2) if n == 0 else NULL
        yield f"{_first(b, PROBLEMS) + n}\tmeeting\t{about}\t问题{n + 1}\t{record(b)}\n"


def _measures(b: Branch, year: Year) -> Iterator[str]:
    for n in range(MEASURES):
        lacking = lacks(b, "rectification") and n == 0
        day = NULL if lacking else year.days.deadline + timedelta(days=30 + b.number % 60)
        state = ("open", "doing", "done", "closed")[b.number % 4]
        yield (
            f"{_first(b, MEASURES) + n}\t措施{n + 1}\t{b.staff_no(n + 1)}\t{day}\t{state}"
            f"\t{record(b)}\t{n == 0}\t{NOW}\n"
        )


def _of_problems(b: Branch, year: Year) -> Iterator[str]:
    for n in range(PROBLEMS):
        measure = _first(b, MEASURES) + n % MEASURES
        yield f"{measure}\t{_first(b, PROBLEMS) + n}\t{b.process}\n"


def _progress(b: Branch, year: Year) -> Iterator[str]:
    for n in range(MEASURES):
        author = b.staff_no(1)
        yield f"{_first(b, MEASURES) + n}\t{b.process}\tdoing\t会议记录\t{author}\t{NOW}\n"


def _commitments(b: Branch, year: Year) -> Iterator[str]:
    day = year.days.deadline + timedelta(days=100)
    for k in b.places:
        yield f"{b.staff_no(k)}\t学习不够\t每周自学\t{day}\t{record(b, k)}\topen\n"


def _publications(b: Branch, year: Year) -> Iterator[str]:
    held_on = year.days.held_on
    yield f"公示栏\t{held_on}\t{held_on + timedelta(days=7)}\t{record(b)}\n"


def _filings(b: Branch, year: Year) -> Iterator[str]:
    yield f"学院党委\t{year.days.held_on}\t{record(b)}\n"


def _forms(b: Branch, year: Year) -> Iterator[str]:
    phone = NULL if lacks(b, "report") else "8888"
    yield f"{b.process}\t填表人\t{phone}\t1\n"


def _arrangements(b: Branch, year: Year) -> Iterator[str]:
    yield f"{_assessment(b, year)}\t{year.cycle}\twritten\t积极参加\n"


def _duty_reports(b: Branch, year: Year) -> Iterator[str]:
    author = b.staff_no(1)
    yield (
        f"{_SECTIONS}\t上年度无整改事项\tt\t{NOW}\tf\t1\t{author}\t{NOW}\t{_assessment(b, year)}\n"
    )


def _facts(b: Branch, year: Year) -> Iterator[str]:
    yield f"{_assessment(b, year)}\t完成审核评估\t{b.staff_no(1)}\t{NOW}\t1\n"


def _attendance(b: Branch, year: Year) -> Iterator[str]:
    for k in b.places:
        presence = "absent" if k == b.members else "present"
        yield f"1\t{b.staff_no(k)}\t{_assessment(b, year)}\t{presence}\n"


def _assessment(b: Branch, year: Year) -> int:
    """Number the assessment of a branch: the numbers follow those of all appraisals."""
    return year.branches + b.number


FROM_RATING = (
    Kept(
        "rating",
        "level level_set_at opinion reason feedback_on feedback_way acknowledged_at staff_no"
        + RECORD,
        _ratings,
    ),
    Kept("problem", "id source about text" + RECORD, _problems),
    Kept("measure", "id text owner due_on state" + RECORD + " as_secretary changed_at", _measures),
    Kept("measure_problem", "measure_id problem_id process_id", _of_problems),
    Kept(
        "measure_progress",
        "measure_id process_id state evidence recorded_by recorded_at",
        _progress,
    ),
    Kept("commitment", "staff_no problem_text text due_on" + RECORD + " state", _commitments),
    Kept("publication", "place from_on to_on" + RECORD, _publications),
    Kept("rectification_filing", "sent_to sent_on" + RECORD, _filings),
    Kept("form", "process_id prepared_by phone version", _forms),
    Kept("arrangement", "process_id cycle_id mode conduct", _arrangements),
    Kept(
        "duty_report",
        "sections rectification submitted submitted_at late" + RECORD,
        _duty_reports,
    ),
    Kept("facts", "process_id main_work recorded_by recorded_at version", _facts),
    Kept("attendance", "activity_id staff_no process_id presence", _attendance),
)
