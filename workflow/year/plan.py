"""The plan of a year (工作方案) as data: read from a TOML file, checked whole, pinned to the cycle.

The file holds everything that differs from year to year (titles, required reading, ratio, aspects,
coverage, meeting forms, the plan's own sentences), so a new year needs a new file and no code.
Deadlines are not in it: the office types them when it opens the cycle.

The classes below are the shape of the file, written once; any other key is a fault. ``Plan`` is the
whole.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from workflow.foundation.database import Json
from workflow.foundation.vocabulary import Coverage, Level, Stage
from workflow.year.plan_values import (
    ActivityWord,
    ClauseId,
    Count,
    Listed,
    MeetingFormWord,
    Months,
    Part,
    PlanText,
    Ratio,
    ResultKey,
    Several,
    Title,
    wrong,
)


class Document(Part):
    """A basis document (依据文件) or the notice of C7; number and date only where the plan has them."""

    title: Title
    """文件标题，逐字照写，外面不加书名号"""
    issued_by: PlanText | None = None
    """发文机关；标题相同的几个文件靠它区分"""
    number: PlanText | None = None
    """文号"""
    date: datetime.date | None = None
    """日期，写成 2024-01-02，不加引号"""

    @property
    def known_by(self) -> str:
        """Return a name with the issuer, since several offices issue documents of one title."""
        return "，".join(str(each) for each in (self.title, self.issued_by, self.number, self.date) if each is not None)


class FormWords(Part):
    """Q6: 1月26日前将《2024年度民主评议情况表》交党委办公室。"""

    title: Title
    """表名，印在情况表和全校汇总上"""
    recipient: PlanText
    """交给谁，印在情况表上"""
    due_text: PlanText
    """方案里写的期限原话，印在情况表上；真正的期限由党委办公室开本年度时录入"""


class ReadingCards(Part):
    """E4: 把党支部职责任务搞清楚，把合格党员标准搞清楚。"""

    duties: PlanText
    """第一张卡片的标题"""
    member_standard: PlanText
    """第二张卡片的标题"""


class Levels(Part):
    """The four levels of a member (评定等次). The plan of 2024 names three; 合格 is implied."""

    excellent: PlanText
    """最高一等，受限额约束"""
    qualified: PlanText
    """第二等"""
    basic: PlanText
    """第三等，评为这一等的要有教育帮扶"""
    unqualified: PlanText
    """第四等，评为这一等的要有组织处置"""


class Marks(Part):
    """The four marks for the committee (对支委会的评议)."""

    good: PlanText
    """最好的一档"""
    fairly_good: PlanText
    """第二档"""
    fair: PlanText
    """第三档"""
    poor: PlanText
    """最差的一档"""


class CommitteeItems(Part):
    """M3: 党员对党支部委员会的工作、作风等进行评议。"""

    work: PlanText
    """第一项"""
    style: PlanText
    """第二项"""
    overall: PlanText
    """总的评价"""


class QuotaRule(Part):
    """D5: 评定为“优秀”的党员比例一般不超过四分之一。"""

    ratio: Ratio
    """比例，写成分数，如 "1/4"、"15/100" """
    base: Literal["rated", "full"]
    """基数：rated 参加评定的党员，full 全体正式党员（不含经确认不参加的）"""
    rounding: Literal["down", "up", "nearest"]
    """取整：down 舍去，up 进位，nearest 四舍五入"""
    at_least_one: bool = False
    """不足一名的，是否算一名（有人参加评定的支部至少一名）"""
    never: bool = False
    """是否不得超过：true 的，超过限额不能以说明理由代替；方案写“一般不超过”的为 false"""


EXCELLENT, NO_RESULT = "excellent", "none"
"""The results that the product knows: an excellent branch (R7), and 不定等次, with a reason."""


class BranchResult(Part):
    """R7: 研究确定优秀党支部. A word for the result of a branch (考核等次)."""

    key: ResultKey
    """代号，小写英文字母；excellent 为优秀党支部，none 为不定等次（须写理由）"""
    word: PlanText
    """名称，如 良好"""


_RESULTS = {EXCELLENT: "优秀", "good": "良好", "qualified": "合格", "poor": "较差", NO_RESULT: "不定等次"}


def _one_is_excellent(results: tuple[BranchResult, ...]) -> tuple[BranchResult, ...]:
    if EXCELLENT not in {each.key for each in results}:
        raise wrong("要有代号为 excellent 的一项，即优秀党支部", "one must have the key excellent, for the excellent branches")
    return results


class Item(Part):
    """One of the contents that the committee assesses (考核内容) or of the summary's aspects (汇总方面)."""

    id: ClauseId
    """编号，如 C1、S1，各不相同"""
    text: PlanText
    """内容原文"""


class Aspect(Part):
    """A standard that a member reviews themselves against (自评方面)."""

    id: ClauseId
    """编号，如 A1，各不相同"""
    title: PlanText
    """简称，提醒里用它"""
    text: PlanText
    """对照检查的内容"""


class WarningSigns(Part):
    """A7: the signs of an unqualified member (不合格党员).

    A checklist with written facts, never a seventh score.
    """

    id: ClauseId
    """编号，如 A7"""
    title: PlanText
    """名称"""
    signs: Several[PlanText]
    """情形，一条一项，条数不限；处置材料按序号选"""


class StageText(Part):
    """The plan's name of a stage (环节), and its opening sentence."""

    stage: Stage
    """哪个环节：study、talks、self_review、rating、rectification、report"""
    heading: PlanText
    """方案里这一环节的标题"""
    opening: PlanText
    """方案里这一环节的第一句话"""


class ThreeMeetings(Part):
    """Meetings expected in a year (三会一课)."""

    general: Count = 4
    """党员大会，全年应开几次；汇总表列出还差几次"""
    committee: Count = 12
    """支委会，全年应开几次"""
    group: Count = 12
    """党小组会，全年应开几次"""
    lesson: Count = 4
    """党课，全年应上几次"""


class Votes(Part):
    """The shares that make a vote valid.

    Of the people due, *at least* the quorum must be present and *more than* ``general_passing``
    must vote yes.
    """

    general_quorum: Ratio = "1/2"
    """党员大会到会的有表决权党员不少于几分之几方为有效"""
    general_passing: Ratio = "1/2"
    """党员大会赞成票须超过应到人数的几分之几"""
    committee_quorum: Ratio = "1/2"
    """支委会和党委会到会不少于几分之几方为有效"""


class BranchSizes(Part):
    """The sizes of a branch and of its committee (支部工作条例（试行）)."""

    full_members_at_least: Count = 3
    """成立党支部至少几名正式党员，导入名册时少于此数提示"""
    committee_from_full_members: Count = 7
    """几名正式党员以上应设支部委员会，没有设的提示"""
    committee_at_least: Count = 3
    """支部委员会至少几人，少于此数的不算设立"""
    committee_at_most: Count = 7
    """支部委员会一般不超过几人，多于此数提示"""


class PlanSettings(Part):
    """The settings that the school decides, because the plan is silent; each has a default."""

    measures_at_most: Count = 10
    """支委会的整改措施多于几条要说明理由（F4 不搞大而全）"""
    criticism_characters_at_least: Count = 8
    """批评意见的事和表现少于几个字提示写具体（M5 不说空话套话），不评判内容"""
    punished_within_months: Months = 12
    """几个月内受过处分的评为最高一等时提示（Q3）"""
    correction_months: Months = 6
    """限期改正一般几个月；登记处置决定时没有写期限的，按它推算（D8）"""
    correction_months_at_most: Months = 12
    """限期改正最长几个月，超过的不收（D8）"""
    case_still_after_days: Count = 30
    """组织处置几天没有新的步骤算停滞，提醒支部并列给党委办公室（D8）"""
    over_quota_needs_approval: bool = True
    """超过限额的理由是否须经党委办公室批准（D5）"""
    reason_when_far_from_tally: bool = True
    """评定高于民主测评的，是否要说明理由（D4）"""
    reminder_days_before: Several[Annotated[int, Field(ge=1, le=60)]] = (7, 3, 1)
    """期限和整改时限提前几天提醒；当天、逾期每周一次是固定的"""
    bands_below: Count = 10
    """有效票少于几张，支部只看大致比例，不看票数"""
    excellent_branches_at_most: Count | None = None
    """优秀党支部最多几个（R7）；不写则不限"""
    retention_years: Annotated[int, Field(ge=1, le=100)] | None = None
    """评议资料留存几年（Q5），归档目录据此写明留到哪一天；不写则长期"""
    three_meetings: ThreeMeetings = ThreeMeetings()
    votes: Votes = Votes()
    branch: BranchSizes = BranchSizes()


class Rules(Part):
    """The part of a plan that clauses are judged by."""

    required_reading: Listed[Title]
    """必读文件，逐字照写；每名党员都要学到（E3、E4）。没有指定的写成 []，并把 E3、E4 写进 [not_asked]"""
    reading_cards: ReadingCards | None = None
    """学习要搞清楚的两张卡片（E4），显示在年度里；没有就不写这张表"""
    coverage: Coverage
    """谈心谈话的范围（K2）：default 每名党员至少与一名委员谈过，strict 每名委员与每名党员都谈过"""
    agenda: Several[PlanText]
    """组织生活会的议程，会议记录与它核对（G2）"""
    meeting_forms: Annotated[dict[MeetingFormWord, PlanText], Field(min_length=1)]
    """组织生活会可以用的形式：general、committee、group 中的几种，各写名称；没有列出的形式不收"""
    levels: Levels
    marks: Marks
    committee_items: CommitteeItems
    quota: QuotaRule
    branch_results: Annotated[Several[BranchResult], AfterValidator(_one_is_excellent)] = tuple(
        BranchResult(key=key, word=word) for key, word in _RESULTS.items()
    )
    """党委考核党支部的等次，从高到低，个数不限；建议和决定只收这里列出的（R3、R7）"""
    aspects: Several[Aspect]
    """党员自评的方面，个数不限；没有写的方面提示本人（M7）"""
    warning_signs: WarningSigns
    assessment_contents: Listed[Item] = ()
    """述职报告的各部分，个数不限；缺一部分不能汇总（C1–C6，另加的同样）"""
    summary_aspects: Listed[Item] = ()
    """考核汇总的各方面，列在汇总表上"""
    activity_kinds: dict[ActivityWord, PlanText] = Field(default_factory=dict)
    """集中活动的类别，代号等于名称，个数不限；每类按支部算出勤率（S4）。不属于任何一类的登记为 other"""
    settings: PlanSettings = PlanSettings()


class Plan(Rules):
    """A whole plan: its rules, its words, and its sentence for each clause.

    The docstrings of the fields are in Chinese: ``docs/plans.md`` prints them for the office that
    writes a plan.
    """

    year: Annotated[int, Field(ge=2000, le=9999)]
    """年度；一个年度一份方案"""
    title: Title
    """方案的标题，外面不加书名号"""
    guiding_text: PlanText
    """指导思想"""
    theme: PlanText
    """组织生活会的主题，会议记录与它核对（G1）"""
    basis: Several[Document]
    """依据的文件"""
    notice: Document | None = None
    """另行通知的文件（C7）；没有就不写这张表"""
    form: FormWords
    stages: Several[StageText]
    """各环节的标题和开头；可以不写全"""
    clauses: dict[ClauseId, PlanText]
    """每一条款的方案原文，缺项清单和通知邮件里引用它"""
    not_asked: dict[ClauseId, PlanText] = Field(default_factory=dict)
    """本年度不要求的条款，等号后写理由；列在这里的不检查、不提醒，原文可以不写。一个环节的条款全部不要求，这一环节就跳过"""

    @property
    def rules(self) -> Json:
        """Return the rules as plain JSON values.

        SQL and ``GET /cycles/{year}`` know them by these keys.
        """
        return self.model_dump(mode="json", include=set(Rules.model_fields))

    def as_json(self) -> Json:
        """Return the value of the cycle's row: the plan's words, ``clauses`` and ``rules``."""
        return self.model_dump(mode="json", exclude=set(Rules.model_fields)) | {"rules": self.rules}


def setting_of(plan: Json, name: str) -> object:
    """Return a setting of a kept plan; one that was kept without it has the default."""
    return plan["rules"]["settings"].get(name, PlanSettings.model_fields[name].default)


def branch_sizes_of(plan: Json) -> BranchSizes:
    """Read the sizes of branches and committees from a kept plan; missing ones are the defaults."""
    kept = plan["rules"]["settings"].get("branch", {})
    return BranchSizes(**{name: kept[name] for name in BranchSizes.model_fields if name in kept})


def branch_results_of(plan: Json) -> dict[str, str]:
    """Read the results of branches from a kept plan, best first: key and word.

    A plan that was kept before it had them has the usual ones.
    """
    kept = plan["rules"].get("branch_results")
    return dict(_RESULTS) if kept is None else {each["key"]: each["word"] for each in kept}


def branch_result_word(plan: Json, key: str) -> str:
    """Find the word of a branch's result; results of before had the words of members' levels."""
    before: Mapping[str, str] = {level.value: level.zh for level in Level}
    return branch_results_of(plan).get(key) or before.get(key, key)


def words_of(plan: Json) -> dict[str, str]:
    """Return the words of a kept plan that fill messages.

    They are the names of levels, marks, forms of meetings, aspects (by id) and contents (by id),
    and the word for an excellent branch.
    """
    rules, best = plan["rules"], {"excellent_branch": branch_results_of(plan)[EXCELLENT]}
    named = {each["id"]: each["title"] for each in rules["aspects"]} | {each["id"]: each["text"] for each in rules["assessment_contents"]}
    return {**rules["levels"], **rules["marks"], **rules["committee_items"], **rules["meeting_forms"], **rules["activity_kinds"], **named, **best}
