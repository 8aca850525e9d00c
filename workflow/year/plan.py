"""The plan of a year (工作方案) as data: read from a TOML file, checked whole, pinned to the cycle.

What differs from year to year (titles, required reading, ratio, aspects, coverage, meeting forms, the plan's own sentences) is in the
file, so a new year needs a new file and no code. Deadlines are not: the office types them when it opens the cycle.

The classes below are the shape of the file, said once; a key that is not theirs is a fault. ``Plan`` is the whole.
"""

from __future__ import annotations

import datetime
import re
from itertools import accumulate
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from workflow.foundation.database import Json
from workflow.foundation.vocabulary import Coverage, Stage

WRONG = "plan"
"""The type of the errors whose message is ours already."""


class Part(BaseModel):
    """A table of the plan."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def known_by(self) -> str:
        """Its name where it stands in a list, its first field: no two may share it."""
        return str(next(iter(self))[1])


def _printable(text: str) -> str:
    # PostgreSQL keeps no NUL in JSONB, and no paper can print the others.
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        raise PydanticCustomError(WRONG, "含有无法保存的控制字符")
    return text


def bare_title(title: str) -> str:
    """A title without the book marks around the whole of it; those of a document that it names stay."""
    if title.startswith("《") and title.endswith("》") and _closes_last(title):
        return title[1:-1].strip()
    return title


def _closes_last(title: str) -> bool:
    """Whether the first 《 is closed by the last 》, as in 《关于贯彻《条例》的通知》 and not in 《章程》和《准则》."""
    depths = list(accumulate({"《": 1, "》": -1}.get(each, 0) for each in title))
    return 0 not in depths[:-1]


def _without_book_marks(title: str) -> str:
    if bare_title(title) != title:
        raise PydanticCustomError(WRONG, "标题外面不写书名号《》，使用时由系统加上")
    return title


def _share(ratio: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}/[1-9][0-9]{0,3}", ratio, re.ASCII):
        raise PydanticCustomError(WRONG, "比例应写成分数，如 1/4")
    upper, lower = map(int, ratio.split("/"))
    if upper > lower:
        raise PydanticCustomError(WRONG, "比例不能大于 1")
    return ratio


def _activity_word(word: str) -> str:
    if not re.fullmatch(r"[a-z][a-z_]{0,31}", word) or word == "other":
        raise PydanticCustomError(WRONG, "活动类别的代号应为小写英文字母，如 reading；other 为系统所用")
    return word


def _clause_id(clause: str) -> str:
    if not re.fullmatch(r"[A-Z][0-9]+", clause, re.ASCII):
        raise PydanticCustomError(WRONG, "条款编号应为一个大写字母加数字，如 K2")
    return clause


T = TypeVar("T")


def _distinct(items: tuple[T, ...]) -> tuple[T, ...]:
    names = [item.known_by if isinstance(item, Part) else item for item in items]
    for twice in dict.fromkeys(name for name in names if names.count(name) > 1):
        raise PydanticCustomError(WRONG, "“{twice}”重复", {"twice": str(twice)})
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
ActivityWord = Annotated[str, AfterValidator(_activity_word)]


class Document(Part):
    """A basis document (依据文件) or the notice of C7; number and date only where the plan has them."""

    title: Title
    issued_by: PlanText | None = None
    number: PlanText | None = None
    date: datetime.date | None = None

    @property
    def known_by(self) -> str:
        """Several offices issue documents of one title."""
        return "，".join(str(each) for each in (self.title, self.issued_by, self.number, self.date) if each is not None)


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
    reminder_days_before: Several[Annotated[int, Field(ge=1, le=60)]] = (7, 3, 1)
    """On the day itself and once a week after it letters go by themselves."""
    bands_below: Count = 10
    """With fewer raters the branch sees bands, not counts."""
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
    not_asked: dict[ClauseId, PlanText] = {}
    """Clauses that this year asks of nobody, each with the reason. Their sentences may stand in ``clauses`` or not."""

    @property
    def rules(self) -> Json:
        """The rules as plain JSON values; SQL and ``GET /cycles/{year}`` know them by these keys."""
        return self.model_dump(mode="json", include=set(Rules.model_fields))

    def as_json(self) -> Json:
        """What the cycle's row keeps: the plan's words at the top, ``clauses`` and ``rules`` beside them."""
        return self.model_dump(mode="json", exclude=set(Rules.model_fields)) | {"rules": self.rules}


def branch_sizes_of(plan: Json) -> BranchSizes:
    """The sizes of branches and committees that a kept plan has; what it lacks is as usual."""
    kept = plan["rules"]["settings"].get("branch", {})
    return BranchSizes(**{name: kept[name] for name in BranchSizes.model_fields if name in kept})


def words_of(plan: Json) -> dict[str, str]:
    """What a kept plan calls levels, marks, forms of meetings, aspects (by id) and contents (by id): what messages are filled with."""
    rules = plan["rules"]
    named = {each["id"]: each["title"] for each in rules["aspects"]} | {each["id"]: each["text"] for each in rules["assessment_contents"]}
    return {**rules["levels"], **rules["marks"], **rules["committee_items"], **rules["meeting_forms"], **rules["activity_kinds"], **named}
