"""The words of the house: stages, triggers, roles and others, in code and in Chinese.

Values are used by the API and kept in the database; ``.zh`` is for people.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

SCHOOL_ZONE = ZoneInfo("Asia/Shanghai")
"""The time zone of the school; the database keeps UTC. A deadline is the end of that local day."""


def utc_now() -> datetime:
    """Return the time of the machine's clock."""
    return datetime.now(UTC)


def local_day(moment: datetime) -> date:
    """Return the day of the school at a moment."""
    return moment.astimezone(SCHOOL_ZONE).date()


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

    address: str
    """The word for its processes in addresses, after the year."""

    def __new__(cls, value: str, zh: str = "", address: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.zh, member.address = zh, address
        return member

    APPRAISAL = "appraisal", "民主评议", "branches"
    """Track B: the branch holds its meeting and appraises its committee and its members."""
    ASSESSMENT = "assessment", "党委考核支部", "assessments"
    """Track A: the school committee assesses the branch."""


class Stage(Word):
    """A stage of a branch (环节). Each belongs to one kind of process."""

    STUDY = "study", "集中学习"
    TALKS = "talks", "谈心谈话"
    SELF_REVIEW = "self_review", "组织生活会·述职评议"
    RATING = "rating", "评定"
    RECTIFICATION = "rectification", "整改"
    REPORT = "report", "报送"
    FILED = "filed", "已报送"
    ACCEPTED = "accepted", "已接收"

    COLLECTING = "collecting", "述职与材料汇集"
    SUMMARISED = "summarised", "汇总"
    PROPOSED = "proposed", "已提出建议"
    DECIDED = "decided", "已研究决定"
    PUBLISHED = "published", "已公布"


STAGES: dict[Kind, tuple[Stage, ...]] = {
    Kind.APPRAISAL: (
        Stage.STUDY,
        Stage.TALKS,
        Stage.SELF_REVIEW,
        Stage.RATING,
        Stage.RECTIFICATION,
        Stage.REPORT,
        Stage.FILED,
        Stage.ACCEPTED,
    ),
    Kind.ASSESSMENT: (Stage.COLLECTING, Stage.SUMMARISED, Stage.PROPOSED, Stage.DECIDED, Stage.PUBLISHED),
}
"""The stages of each kind, in order.

``cycle.py`` builds the CHECK and the first stage from them.
"""

ENDED = {Kind.APPRAISAL: (Stage.FILED, Stage.ACCEPTED), Kind.ASSESSMENT: (Stage.DECIDED, Stage.PUBLISHED)}
"""The stages after the work is done.

For the appraisal, after the plan's six stages; for the assessment, after the office's proposals to
the committee.
"""
MAIN = Kind.APPRAISAL
"""The branches' own year: meant where no kind is named."""

WORKING_STAGES: dict[Kind, tuple[Stage, ...]] = {
    kind: tuple(stage for stage in stages if stage not in ENDED[kind]) for kind, stages in STAGES.items()
}
"""The stages that have work in them, and so may have a deadline."""

KIND_OF: dict[Stage, Kind] = {stage: kind for kind, stages in STAGES.items() for stage in stages}


def stages_from(stage: Stage) -> tuple[Stage, ...]:
    """Return a stage and the later ones that have work in them; nothing for a stage without."""
    working = WORKING_STAGES[KIND_OF[stage]]
    return working[working.index(stage) :] if stage in working else ()


class Trigger(Word):
    """An act that moves a branch to another stage (动作)."""

    ADVANCE = "advance", "进入下一环节"
    FILE = "file", "报送"
    ACCEPT = "accept", "接收"
    RETURN = "return", "退回"
    STEP_BACK = "step_back", "返回前面环节修改"
    WITHDRAW = "withdraw", "撤回报送"
    REOPEN = "reopen", "重新启动"
    DECIDE = "decide", "研究决定"
    PUBLISH = "publish", "公布"


class Role(Word):
    """A role of a person towards a branch or the school (角色), widest first."""

    OFFICE = "office", "党委办公室"
    COMMITTEE = "committee", "学校党委"
    AUDITOR = "auditor", "督导人员"
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
    """Party standing (人员类别)."""

    FULL = "full", "正式党员"
    PROBATIONARY = "probationary", "预备党员"


class LeftReason(Word):
    """The reason for which somebody left a branch, or the school's organisation (离开原因)."""

    MOVED = "moved", "转入本校其他支部"
    TRANSFERRED = "transferred", "组织关系转出"
    GRADUATED = "graduated", "毕业离校"
    DIED = "died", "去世"
    RESIGNED = "resigned", "退党"
    REMOVED = "removed", "劝其退党"
    STRUCK_OFF = "struck_off", "除名"
    EXPELLED = "expelled", "开除党籍"
    OTHER = "other", "其他"


class ExcuseKind(Word):
    """The kind of reason for which somebody is left out of what their branch does (未参加原因)."""

    ABROAD = "abroad", "出国（境）六个月以上"
    ILL = "ill", "长期患病"
    OLD = "old", "年老体弱"
    MOBILE = "mobile", "流动党员"
    OTHER = "other", "其他"


class CoveredByExcuse(Word):
    """A clause that a confirmed excuse may cover, since it does not by itself (不参加一并免除)."""

    K2 = "K2", "谈心谈话（K2）"
    D6 = "D6", "评定意见反馈（D6）"


class PunishmentKind(Word):
    """A punishment by the Party that leaves somebody a member (党纪处分)."""

    WARNING = "warning", "警告"
    SERIOUS_WARNING = "serious_warning", "严重警告"
    POSTS_REMOVED = "posts_removed", "撤销党内职务"
    PROBATION = "probation", "留党察看"
    OTHER = "other", "其他处分"


class Changed(Word):
    """A matter of people and access that was changed (变更的事项)."""

    ACCOUNT = "account", "账号"
    APPOINTMENT = "appointment", "任职"
    INVITATION = "invitation", "邀请信和纸条"
    PERSON = "person", "人员"
    PUNISHMENT = "punishment", "处分"
    SUBSTITUTE = "substitute", "委托代办"
    TOKEN = "token", "令牌"


class EndedWhy(Word):
    """The reason for which a branch takes no part any more (不再参加的原因)."""

    MERGED = "merged", "并入其他支部"
    DISSOLVED = "dissolved", "撤销"
    TEMPORARY = "temporary", "临时支部"
    NEW = "new", "新成立"
    OTHER = "other", "其他"


class Severity(Word):
    """The weight of a requirement (性质): ``hard`` and ``soft`` block, a ``sign`` is only shown."""

    HARD = "hard", "必须满足"
    SOFT = "soft", "需说明理由"
    SIGN = "sign", "提示"


class Waivable(Word):
    """The extent to which a requirement may be waived (情况说明范围)."""

    NO = "no", "不得以说明代替"
    PER_SUBJECT = "per_subject", "逐项说明理由"
    WHOLE = "whole", "整体说明理由"
    WHOLE_WITH_APPROVAL = "whole_with_approval", "说明理由并经党委办公室批准"


class Coverage(Word):
    """The two readings of K2 (谈心谈话覆盖口径)."""

    DEFAULT = "default", "每名党员至少同一名委员谈过"
    STRICT = "strict", "每名委员同每名党员都谈过"


class CycleStatus(Word):
    """The state of a cycle (年度状态)."""

    DRAFT = "draft", "草稿"
    PUBLISHED = "published", "已发布"
    CLOSED = "closed", "已办结"


class TalkWay(Word):
    """The way in which a talk was held (谈话方式)."""

    FACE = "face", "面谈"
    PHONE = "phone", "电话"


class Level(Word):
    """The four levels of a member (评定等次), best first. The plan names three; 合格 is implied."""

    EXCELLENT = "excellent", "优秀"
    QUALIFIED = "qualified", "合格"
    BASIC = "basic", "基本合格"
    UNQUALIFIED = "unqualified", "不合格"


class Mark(Word):
    """The four marks for the committee (对支委会的评议), best first."""

    GOOD = "good", "好"
    FAIRLY_GOOD = "fairly_good", "较好"
    FAIR = "fair", "一般"
    POOR = "poor", "差"


ABSTAIN = "abstain"
"""The choice 弃权: beside the levels and beside the marks."""


class MeetingPurpose(Word):
    """The purpose of a meeting (会议事项): it decides which stage closes the meeting."""

    LIFE = "life", "组织生活会"
    REPORT = "report", "党员大会（书记述职）"
    DECIDING = "deciding", "研究评定意见的会议"


class MeetingForm(Word):
    """The form in which a meeting is held (会议形式)."""

    GENERAL = "general", "党员大会"
    COMMITTEE = "committee", "党支部委员会会议"
    GROUP = "group", "党小组会"


class TallySubject(Word):
    """The subject of a ballot (测评对象)."""

    COMMITTEE = "committee", "支部委员会"
    MEMBERS = "members", "党员"


class FeedbackWay(Word):
    """The way in which an opinion was told to the member (反馈方式)."""

    FACE = "face", "面谈"
    WRITTEN = "written", "书面"


class ProblemSource(Word):
    """The source of a problem (问题来源)."""

    MEETING = "meeting", "会议查摆"
    TALK = "talk", "谈心谈话"
    TALLY = "tally", "测评意见"
    OPINIONS = "opinions", "征求意见"
    SUPERIOR = "superior", "上级反馈"
    DUTY_REPORT = "duty_report", "述职"
    LETTER = "letter", "来信来访"


class ReportMode(Word):
    """The way in which a secretary gives a duty report to the party (述职方式)."""

    ON_SITE = "on_site", "现场述职"
    WRITTEN = "written", "书面述职"


class Presence(Word):
    """The presence of a person who was expected (出勤情况)."""

    PRESENT = "present", "出勤"
    ON_LEAVE = "on_leave", "请假"
    ABSENT = "absent", "缺勤"


class MeasureState(Word):
    """The progress of a measure (完成情况)."""

    OPEN = "open", "未开始"
    DOING = "doing", "进行中"
    DONE = "done", "已完成"
    CLOSED = "closed", "已销号"


class LetterState(Word):
    """The state of a letter (通知邮件状态)."""

    PENDING = "pending", "待发"
    SENDING = "sending", "发送中"
    SENT = "sent", "已发"
    FAILED = "failed", "被拒收"
    UNKNOWN = "unknown", "结果不明"
    NO_ADDRESS = "no_address", "没有邮箱"
    GONE = "gone", "已停用或离校"
    MOOT = "moot", "已无需要"
