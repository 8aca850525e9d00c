"""The plan of a year (工作方案) as data: read from a TOML file, checked whole, pinned to the cycle.

What differs from year to year (titles, required reading, ratio, aspects, coverage, meeting forms, the plan's own sentences) is in the
file, so a new year needs a new file and no code. Deadlines are not: the office types them when it opens the cycle.

The classes below are the shape of the file, said once; a key that is not theirs is a fault. ``Plan`` is the whole.
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from workflow.foundation.database import Json
from workflow.foundation.errors import Fault, NotFound, PlanInvalid, Words
from workflow.foundation.vocabulary import Coverage, Stage

MOST_BYTES = 256 * 1024
"""A plan is a few pages; a larger file is the wrong file."""

_PACKAGED = Path(__file__).parent / "plans"
_NAME = re.compile(r"[0-9A-Za-z_-]{1,32}")
_WRONG = "plan"
"""The type of the errors whose message is ours already."""


class Part(BaseModel):
    """A table of the plan. Where it stands in a list, its first field is its name there: no two may share it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _printable(text: str) -> str:
    # PostgreSQL keeps no NUL in JSONB, and no paper can print the others.
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        raise PydanticCustomError(_WRONG, "含有无法保存的控制字符")
    return text


def _without_book_marks(title: str) -> str:
    if re.search("[《》]", title):
        raise PydanticCustomError(_WRONG, "标题不写书名号《》，使用时由系统加上")
    return title


def _share(ratio: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}/[1-9][0-9]{0,3}", ratio, re.ASCII):
        raise PydanticCustomError(_WRONG, "比例应写成分数，如 1/4")
    upper, lower = map(int, ratio.split("/"))
    if upper > lower:
        raise PydanticCustomError(_WRONG, "比例不能大于 1")
    return ratio


def _clause_id(clause: str) -> str:
    if not re.fullmatch(r"[A-Z][0-9]+", clause, re.ASCII):
        raise PydanticCustomError(_WRONG, "条款编号应为一个大写字母加数字，如 K2")
    return clause


T = TypeVar("T")


def _distinct(items: tuple[T, ...]) -> tuple[T, ...]:
    names = [next(iter(item))[1] if isinstance(item, Part) else item for item in items]
    for twice in dict.fromkeys(name for name in names if names.count(name) > 1):
        raise PydanticCustomError(_WRONG, "“{twice}”重复", {"twice": str(twice)})
    return items


PlanText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_printable)]
Title = Annotated[PlanText, AfterValidator(_without_book_marks)]
"""The title of a document, letter by letter, without 《》: sentences add them."""
Ratio = Annotated[str, AfterValidator(_share)]
"""A share such as ``1/4``, more than nothing and at most the whole."""
ClauseId = Annotated[str, AfterValidator(_clause_id)]
Several = Annotated[tuple[T, ...], Field(min_length=1), AfterValidator(_distinct)]
Count = Annotated[int, Field(ge=0, le=1000)]
Months = Annotated[int, Field(ge=1, le=120)]
MeetingFormWord = Literal["general", "committee", "group"]
ActivityWord = Literal["study", "civility", "volunteering"]


class Document(Part):
    """A basis document (依据文件) or the notice of C7; number and date only where the plan has them."""

    title: Title
    issued_by: PlanText | None = None
    number: PlanText | None = None
    date: datetime.date | None = None


class FormWords(Part):
    """Q6: 1月26日前将《2024年度民主评议情况表》交党委办公室。``due_text`` is the plan's words, never the deadline."""

    title: Title
    recipient: PlanText
    due_text: PlanText


class ReadingCards(Part):
    """E4: 把党支部职责任务搞清楚，把合格党员标准搞清楚。"""

    duties: PlanText
    member_standard: PlanText


class Levels(Part):
    """The four levels of a member (评定等次). The plan names three; 合格 is implied."""

    excellent: PlanText
    qualified: PlanText
    basic: PlanText
    unqualified: PlanText


class Marks(Part):
    """The four marks for the committee (对支委会的评议)."""

    good: PlanText
    fairly_good: PlanText
    fair: PlanText
    poor: PlanText


class CommitteeItems(Part):
    """M3: 党员对党支部委员会的工作、作风等进行评议。"""

    work: PlanText
    style: PlanText
    overall: PlanText


class QuotaRule(Part):
    """D5: 评定为“优秀”的党员比例一般不超过四分之一。Base: the members rated, or all full members."""

    ratio: Ratio
    base: Literal["rated", "full"]
    rounding: Literal["down", "up", "nearest"]


class Item(Part):
    """One of the contents that the committee assesses (考核内容, C1–C6) or of the summary's aspects (汇总方面, S1–S4)."""

    id: ClauseId
    text: PlanText


class Aspect(Part):
    """A standard that a member reviews himself against (A1–A6)."""

    id: ClauseId
    title: PlanText
    text: PlanText


class WarningSigns(Part):
    """A7: the signs of an unqualified member (不合格党员). A checklist with written facts, never a seventh score."""

    id: ClauseId
    title: PlanText
    signs: Several[PlanText]


class StageText(Part):
    """What the plan calls a stage (环节), and its opening sentence."""

    stage: Stage
    heading: PlanText
    opening: PlanText


class ThreeMeetings(Part):
    """Meetings expected in a year (三会一课)."""

    general: Count = 4
    committee: Count = 12
    group: Count = 12
    lesson: Count = 4


class Votes(Part):
    """Shares for a valid vote: present of those due *at least* the quorum, yes of those due *more than* ``general_passing``."""

    general_quorum: Ratio = "1/2"
    general_passing: Ratio = "1/2"
    committee_quorum: Ratio = "1/2"


class BranchSizes(Part):
    """Who forms a branch and who has a committee (支部工作条例（试行）)."""

    full_members_at_least: Count = 3
    committee_from_full_members: Count = 7
    committee_at_least: Count = 3
    committee_usually_at_most: Count = 5
    committee_at_most: Count = 7


class PlanSettings(Part):
    """Where the plan is silent the school decides; left out, these defaults hold."""

    measures_at_most: Count = 10
    """F4: 不搞大而全. More measures of the committee than this ask for a reason."""
    criticism_characters_at_least: Count = 8
    """M5: 不说空话套话. A criticism with fewer characters on the matter and how it showed is prompted about; its content is never judged."""
    punished_within_months: Months = 12
    over_quota_needs_approval: bool = True
    reason_when_far_from_tally: bool = True
    reminder_days_before: Several[Count] = (7, 3, 1)
    online_voters_at_least: Annotated[int, Field(ge=5, le=1000)] = 5
    """Both eligible and cast; below it the branch votes on paper. A plan may ask for more: with fewer, a vote could be guessed."""
    bands_below: Count = 10
    """With fewer raters the branch sees bands, not counts."""
    correction_months: Months = 6
    correction_months_at_most: Months = 12
    """限期改正: usual and longest term."""
    excellent_branches_at_most: Count | None = None
    """R7: 研究确定优秀党支部. The plan sets no number."""
    retention_years: Count | None = None
    """Q5: 整理留存评议资料. None: not decided."""
    three_meetings: ThreeMeetings = ThreeMeetings()
    votes: Votes = Votes()
    branch: BranchSizes = BranchSizes()


class Rules(Part):
    """The part of a plan that clauses are judged by."""

    required_reading: Several[Title]
    reading_cards: ReadingCards
    coverage: Coverage
    agenda: Several[PlanText]
    meeting_forms: Annotated[dict[MeetingFormWord, PlanText], Field(min_length=1)]
    levels: Levels
    marks: Marks
    committee_items: CommitteeItems
    quota: QuotaRule
    aspects: Several[Aspect]
    warning_signs: WarningSigns
    assessment_contents: Several[Item]
    summary_aspects: Several[Item]
    activity_kinds: Annotated[dict[ActivityWord, PlanText], Field(min_length=1)]
    settings: PlanSettings = PlanSettings()


class Plan(Rules):
    """A whole plan: its rules, its words, and one of its sentences for each clause."""

    year: Annotated[int, Field(ge=2000, le=9999)]
    title: Title
    guiding_text: PlanText
    theme: PlanText
    basis: Several[Document]
    notice: Document
    form: FormWords
    stages: Several[StageText]
    clauses: dict[ClauseId, PlanText]

    @property
    def rules(self) -> Json:
        """The rules as plain JSON values; SQL and ``GET /cycles/{year}`` know them by these keys."""
        return self.model_dump(mode="json", include=set(Rules.model_fields))

    def as_json(self) -> Json:
        """What the cycle's row keeps: the plan's words at the top, ``clauses`` and ``rules`` beside them."""
        return self.model_dump(mode="json", exclude=set(Rules.model_fields)) | {"rules": self.rules}

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """The plan that ``as_json`` wrote. Raises pydantic's ValidationError if it is not one."""
        words = {key: value for key, value in kept.items() if key != "rules"}
        return cls.model_validate_json(json.dumps(words | dict(kept["rules"])))


def read_plan(text: str, clauses: Collection[str], *, name: str) -> Plan:
    """Read a plan file's text; ``clauses`` are those that the product reports, and each needs its sentence.

    Raises PlanInvalid with every fault at once. Keys are paths, entries counted from 1 as one counts them in the file: ``aspects[2].text``.
    """
    if len(text.encode()) > MOST_BYTES:
        raise PlanInvalid(name, [Fault("文件", f"超过 {MOST_BYTES // 1024} KiB，不像是一份方案")])
    try:
        written = tomllib.loads(text)
        # In JSON, texts become words of the vocabulary and lists become tuples, and still no number becomes text.
        as_json = json.dumps(written, default=str)
    except (ValueError, RecursionError) as error:
        raise PlanInvalid(name, [Fault(_place(error), "不符合 TOML 语法：请检查引号、等号、括号，以及同一个键是否写了两次")]) from error
    sentences = written.get("clauses")
    without = sorted(set(clauses) - sentences.keys()) if isinstance(sentences, dict) else []
    faults = [Fault(f"clauses.{clause}", "缺少这一条款的方案原文") for clause in without]
    try:
        plan = Plan.model_validate_json(as_json)
    except ValidationError as error:
        raise PlanInvalid(name, [*map(_fault, error.errors()), *faults]) from error
    if faults:
        raise PlanInvalid(name, faults)
    return plan


def find_plan(name: str, data_dir: Path | None) -> tuple[str, str]:
    """File name and text of a plan: the office's own in ``data_dir/plans``, or else the one that comes with the product.

    Raises NotFound, and PlanInvalid when the file is not UTF-8.
    """
    for folder in _folders(data_dir):
        path = folder / f"{name}.toml"
        if _NAME.fullmatch(name) and path.is_file():
            try:
                # Windows' editor puts a mark before the text.
                with path.open(encoding="utf-8-sig") as file:
                    return path.name, file.read(MOST_BYTES + 1)
            except UnicodeDecodeError as error:
                raise PlanInvalid(path.name, [Fault("文件", "不是 UTF-8 编码，请另存为 UTF-8")]) from error
    known = available_plans(data_dir)
    raise NotFound(Words(f"没有这个方案；现有方案：{'、'.join(known)}", f"There is no such plan; there are: {', '.join(known)}"))


def available_plans(data_dir: Path | None) -> list[str]:
    """The names that ``find_plan`` knows, in order."""
    return sorted({path.stem for folder in _folders(data_dir) for path in folder.glob("*.toml") if _NAME.fullmatch(path.stem)})


def _folders(data_dir: Path | None) -> list[Path]:
    return [_PACKAGED] if data_dir is None else [data_dir / "plans", _PACKAGED]


_REASONS = {
    "missing": "缺少这一项",
    "extra_forbidden": "没有这个键，请检查拼写和所在的表",
    "string_type": "应为文字，写在引号里",
    "string_too_short": "不能为空",
    "int_type": "应为整数",
    "bool_type": "应为 true 或 false",
    "date_type": "应为日期，如 2024-01-02",
    "date_parsing": "应为日期，如 2024-01-02",
    "model_type": "应为一张表",
    "dict_type": "应为一张表",
    "tuple_type": "应为列表",
    "too_short": "至少要有 {min_length} 项",
    "greater_than_equal": "不能小于 {ge}",
    "less_than_equal": "不能大于 {le}",
    "enum": "只能是 {expected}",
    "literal_error": "只能是 {expected}",
}


def _fault(error: ErrorDetails) -> Fault:
    if error["type"] == _WRONG:
        return Fault(_path(error["loc"]), error["msg"])
    reason = _REASONS.get(error["type"], "填写有误").format(**error.get("ctx", {}))
    return Fault(_path(error["loc"]), reason.replace(" or ", " 或 ").replace("', '", "'、'"))


def _path(steps: Sequence[int | str]) -> str:
    # pydantic marks a fault of the key itself with a last step "[key]".
    path = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in steps if step != "[key]")
    return path.removeprefix(".") or "文件"


def _place(error: Exception) -> str:
    found = re.search(r"at line (\d+)", str(error))
    return f"第 {found[1]} 行" if found else "文件"
