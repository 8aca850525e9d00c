"""The words of the house: what a stage, a trigger, a role is called, in code and in Chinese.

Values are what the API says and what the database keeps; ``.zh`` is what a person reads.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

SCHOOL_ZONE = ZoneInfo("Asia/Shanghai")
"""The school lives here; the database keeps UTC. A deadline is the end of that local day."""


class Word(StrEnum):
    """A StrEnum whose members carry their Chinese name as ``.zh``."""

    zh: str

    def __new__(cls, value: str, zh: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.zh = zh
        return member


class Kind(Word):
    """A kind of process (流程种类)."""

    APPRAISAL = "appraisal", "民主评议"


class Stage(Word):
    """Where a branch stands (环节). The last two come after the six stages of the plan."""

    STUDY = "study", "集中学习"
    TALKS = "talks", "谈心谈话"
    SELF_REVIEW = "self_review", "组织生活会·述职评议"
    RATING = "rating", "评定"
    RECTIFICATION = "rectification", "整改"
    REPORT = "report", "报送"
    FILED = "filed", "已报送"
    ACCEPTED = "accepted", "已接收"


STAGES: dict[Kind, tuple[Stage, ...]] = {Kind.APPRAISAL: tuple(Stage)}
"""The stages of each kind, in order; ``cycle.py`` builds the CHECK and the first stage from them."""

WORKING_STAGES: dict[Kind, tuple[Stage, ...]] = {Kind.APPRAISAL: tuple(s for s in Stage if s not in (Stage.FILED, Stage.ACCEPTED))}
"""The stages that have work in them, and so may have a deadline."""


class Trigger(Word):
    """What moves a branch (动作)."""

    ADVANCE = "advance", "进入下一环节"
    FILE = "file", "报送"
    ACCEPT = "accept", "接收"
    RETURN = "return", "退回"
    STEP_BACK = "step_back", "退回上一步"
    WITHDRAW = "withdraw", "撤回报送"
    REOPEN = "reopen", "重新打开"


class Role(Word):
    """What a person may be towards a branch or the school (角色), widest first."""

    OFFICE = "office", "党委办公室"
    COMMITTEE = "committee", "学校党委"
    AUDITOR = "auditor", "督查"
    ADMINISTRATOR = "administrator", "系统管理员"
    SECRETARY = "secretary", "党支部书记"
    COMMITTEE_MEMBER = "committee_member", "支委"
    MEMBER = "member", "党员"


SCHOOL_ROLES = (Role.OFFICE, Role.COMMITTEE, Role.AUDITOR, Role.ADMINISTRATOR)


class Post(Word):
    """A post inside a branch (党内职务)."""

    SECRETARY = "secretary", "书记"
    DEPUTY = "deputy", "副书记"
    COMMITTEE_MEMBER = "committee_member", "委员"
    GROUP_LEADER = "group_leader", "党小组组长"


class Standing(Word):
    """Party standing (党籍状态)."""

    FULL = "full", "正式党员"
    PROBATIONARY = "probationary", "预备党员"


class Severity(Word):
    """How a requirement weighs: ``hard`` and ``soft`` block, a ``sign`` is only shown."""

    HARD = "hard", "必须满足"
    SOFT = "soft", "需说明理由"
    SIGN = "sign", "提示"


class Waivable(Word):
    """How far a requirement may be waived (豁免范围)."""

    NO = "no", "不可豁免"
    PER_SUBJECT = "per_subject", "逐项说明理由"
    WHOLE = "whole", "整体说明理由"
    WHOLE_WITH_APPROVAL = "whole_with_approval", "说明理由并经党办批准"


class Coverage(Word):
    """The two readings of K2 (谈心谈话覆盖口径)."""

    DEFAULT = "default", "每名党员至少同一名委员谈过"
    STRICT = "strict", "每名委员同每名党员都谈过"


class CycleStatus(Word):
    """The state of a cycle (年度状态)."""

    DRAFT = "draft", "草稿"
    PUBLISHED = "published", "已发布"
    CLOSED = "closed", "已关闭"


class TalkWay(Word):
    """How a talk was held (谈话方式)."""

    FACE = "face", "面谈"
    PHONE = "phone", "电话"


class LetterState(Word):
    """The fate of a letter (信件状态)."""

    PENDING = "pending", "待发"
    SENDING = "sending", "发送中"
    SENT = "sent", "已发"
    FAILED = "failed", "被拒收"
    UNKNOWN = "unknown", "结果不明"
    NO_ADDRESS = "no_address", "没有邮箱"
    MOOT = "moot", "已无需要"
