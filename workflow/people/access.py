"""The one table of access rights (权限表). A route or verb that is not in it is refused.

A thing that is not yours answers like a thing that does not exist (NotFound); an act that your role
never does is Forbidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from workflow.foundation.errors import Forbidden, NotFound
from workflow.foundation.vocabulary import SCHOOL_ROLES, Post, Role


class Scope(StrEnum):
    """The reach of a role (范围)."""

    ALL = "all"
    BRANCH = "branch"
    OWN = "own"


class Action(StrEnum):
    """A kind of request (操作). Each route names exactly one."""

    READ_SELF = "read_self"
    WRITE_SELF = "write_self"
    READ_DEFINITION = "read_definition"
    READ_CYCLES = "read_cycles"
    WRITE_CYCLES = "write_cycles"
    READ_SCHOOL = "read_school"
    READ_ACCOUNTS = "read_accounts"
    WRITE_ACCOUNTS = "write_accounts"
    PRINT_SLIPS = "print_slips"
    WRITE_TOKENS = "write_tokens"
    WRITE_PEOPLE = "write_people"
    READ_PEOPLE = "read_people"
    END_PROCESS = "end_process"
    READ_APPOINTMENTS = "read_appointments"
    WRITE_APPOINTMENTS = "write_appointments"
    READ_SUBSTITUTES = "read_substitutes"
    WRITE_SUBSTITUTES = "write_substitutes"
    IMPORT_ROSTER = "import_roster"
    READ_PROCESS = "read_process"
    READ_ROLL = "read_roll"
    EDIT_ROLL = "edit_roll"
    CONFIRM_EXCUSE = "confirm_excuse"
    MOVE = "move"
    EXTEND = "extend"
    WAIVE = "waive"
    DECIDE_WAIVER = "decide_waiver"
    RECORD_STUDY = "record_study"
    READ_TALKS = "read_talks"
    RECORD_TALK = "record_talk"
    READ_SELF_REVIEWS = "read_self_reviews"
    RECORD_SELF_REVIEW = "record_self_review"
    READ_MEETINGS = "read_meetings"
    RECORD_MEETING = "record_meeting"
    CONFIRM_MINUTES = "confirm_minutes"
    READ_TALLIES = "read_tallies"
    ENTER_TALLY = "enter_tally"
    READ_RATINGS = "read_ratings"
    RATE = "rate"
    READ_PATTERNS = "read_patterns"
    ACKNOWLEDGE = "acknowledge"
    RECORD_PROBLEM = "record_problem"
    READ_MEASURES = "read_measures"
    RECTIFY = "rectify"
    PROGRESS_MEASURE = "progress_measure"
    COMMENT_MEASURE = "comment_measure"
    READ_COMMITMENTS = "read_commitments"
    COMMIT = "commit"
    CONFIRM_RECEIPT = "confirm_receipt"
    EDIT_FORM = "edit_form"
    REJECT_EVIDENCE = "reject_evidence"
    READ_ASSESSMENT = "read_assessment"
    READ_ASSESSMENT_PROCESS = "read_assessment_process"
    READ_DECISION = "read_decision"
    CONFIRM_DECISION = "confirm_decision"
    MOVE_ASSESSMENT = "move_assessment"
    ASSESS = "assess"
    ASSESS_BRANCH = "assess_branch"
    READ_PROPOSAL = "read_proposal"
    READ_DUTY_REPORT = "read_duty_report"
    WRITE_DUTY_REPORT = "write_duty_report"
    STATE_FACTS = "state_facts"
    CONFIRM_FACTS = "confirm_facts"
    READ_ACTIVITIES = "read_activities"
    READ_CALENDAR = "read_calendar"
    WRITE_CALENDAR = "write_calendar"
    READ_HISTORY = "read_history"
    KEEP_DRAFTS = "keep_drafts"


_OFFICE = {Role.OFFICE: Scope.ALL}
_JUDGES = {**_OFFICE, Role.COMMITTEE: Scope.ALL}
"""The office decides on what branches hand in; the committee where none of the office may."""
_SCHOOL_READERS = {Role.OFFICE: Scope.ALL, Role.COMMITTEE: Scope.ALL, Role.AUDITOR: Scope.ALL}
SCHOOL_READERS = frozenset(_SCHOOL_READERS)
"""The roles that read the matters of the whole school."""
_BRANCH_READERS = {**_SCHOOL_READERS, Role.SECRETARY: Scope.BRANCH, Role.COMMITTEE_MEMBER: Scope.BRANCH}
_SECRETARY = {Role.SECRETARY: Scope.BRANCH}
_LEADERS = {Role.SECRETARY: Scope.BRANCH, Role.COMMITTEE_MEMBER: Scope.BRANCH}
_THEMSELVES = {Role.SECRETARY: Scope.OWN, Role.COMMITTEE_MEMBER: Scope.OWN, Role.MEMBER: Scope.OWN}
_EVERYONE = dict.fromkeys(Role, Scope.OWN)

ACCESS: Mapping[Action, Mapping[Role, Scope]] = {
    Action.READ_SELF: _EVERYONE,
    # One's own password and sessions.
    Action.WRITE_SELF: _EVERYONE,
    Action.READ_DEFINITION: _EVERYONE,
    Action.READ_CYCLES: _EVERYONE,
    Action.WRITE_CYCLES: _OFFICE,
    Action.READ_SCHOOL: _SCHOOL_READERS,
    Action.READ_ACCOUNTS: {Role.ADMINISTRATOR: Scope.ALL},
    Action.WRITE_ACCOUNTS: {Role.ADMINISTRATOR: Scope.ALL},
    # The office hands paper out, as it does all papers; the administrator invites everybody else.
    # Whoever holds a slip can set that password: so no branch prints any.
    Action.PRINT_SLIPS: {**_OFFICE, Role.ADMINISTRATOR: Scope.ALL},
    Action.WRITE_TOKENS: {Role.ADMINISTRATOR: Scope.ALL},
    Action.WRITE_PEOPLE: _OFFICE,
    Action.READ_PEOPLE: _SCHOOL_READERS,
    Action.END_PROCESS: _JUDGES,
    # The administrator sees the roles of the school alone, and gives some of them (GIVEN_BY).
    Action.READ_APPOINTMENTS: {**_SCHOOL_READERS, Role.ADMINISTRATOR: Scope.OWN},
    Action.WRITE_APPOINTMENTS: {**_JUDGES, Role.ADMINISTRATOR: Scope.OWN},
    Action.READ_SUBSTITUTES: {**_SCHOOL_READERS, Role.SECRETARY: Scope.BRANCH},
    Action.WRITE_SUBSTITUTES: {Role.OFFICE: Scope.ALL, Role.SECRETARY: Scope.BRANCH},
    Action.IMPORT_ROSTER: _OFFICE,
    Action.READ_PROCESS: _BRANCH_READERS,
    Action.READ_ROLL: {**_BRANCH_READERS, Role.MEMBER: Scope.BRANCH},
    Action.EDIT_ROLL: {Role.OFFICE: Scope.ALL, Role.SECRETARY: Scope.BRANCH},
    Action.CONFIRM_EXCUSE: _JUDGES,
    Action.MOVE: {**_JUDGES, Role.SECRETARY: Scope.BRANCH},
    Action.EXTEND: _JUDGES,
    Action.WAIVE: _SECRETARY,
    Action.DECIDE_WAIVER: _JUDGES,
    Action.RECORD_STUDY: _LEADERS,
    Action.READ_TALKS: {**_BRANCH_READERS, Role.MEMBER: Scope.OWN},
    Action.RECORD_TALK: {Role.SECRETARY: Scope.BRANCH, Role.COMMITTEE_MEMBER: Scope.OWN},
    Action.READ_SELF_REVIEWS: {**_BRANCH_READERS, Role.MEMBER: Scope.OWN},
    Action.RECORD_SELF_REVIEW: {**_SECRETARY, Role.MEMBER: Scope.OWN},
    Action.READ_MEETINGS: {**_BRANCH_READERS, Role.MEMBER: Scope.OWN},
    Action.RECORD_MEETING: _LEADERS,
    Action.CONFIRM_MINUTES: _THEMSELVES,
    Action.READ_TALLIES: {**_BRANCH_READERS, Role.MEMBER: Scope.OWN},
    Action.ENTER_TALLY: _THEMSELVES,
    Action.READ_RATINGS: {**_BRANCH_READERS, Role.MEMBER: Scope.OWN},
    Action.RATE: _SECRETARY,
    Action.READ_PATTERNS: _SECRETARY,
    Action.ACKNOWLEDGE: {Role.MEMBER: Scope.OWN},
    Action.RECORD_PROBLEM: _LEADERS,
    Action.READ_MEASURES: {**_BRANCH_READERS, Role.MEMBER: Scope.BRANCH},
    Action.RECTIFY: _SECRETARY,
    Action.PROGRESS_MEASURE: {**_SECRETARY, Role.COMMITTEE_MEMBER: Scope.OWN, Role.MEMBER: Scope.OWN},
    Action.COMMENT_MEASURE: {Role.OFFICE: Scope.ALL, **_LEADERS, Role.MEMBER: Scope.BRANCH},
    Action.READ_COMMITMENTS: {**_BRANCH_READERS, Role.MEMBER: Scope.OWN},
    Action.COMMIT: {**_SECRETARY, Role.MEMBER: Scope.OWN},
    Action.CONFIRM_RECEIPT: _JUDGES,
    Action.EDIT_FORM: _SECRETARY,
    Action.REJECT_EVIDENCE: _JUDGES,
    Action.READ_ASSESSMENT: {**_BRANCH_READERS, Role.MEMBER: Scope.BRANCH},
    Action.READ_ASSESSMENT_PROCESS: _BRANCH_READERS,
    Action.READ_DECISION: {**_BRANCH_READERS, Role.MEMBER: Scope.BRANCH},
    Action.CONFIRM_DECISION: {Role.COMMITTEE: Scope.ALL},
    Action.MOVE_ASSESSMENT: {Role.OFFICE: Scope.ALL, Role.COMMITTEE: Scope.ALL},
    Action.ASSESS: _OFFICE,
    Action.ASSESS_BRANCH: _JUDGES,
    Action.READ_PROPOSAL: _SCHOOL_READERS,
    Action.READ_DUTY_REPORT: _BRANCH_READERS,
    Action.WRITE_DUTY_REPORT: _SECRETARY,
    Action.CONFIRM_FACTS: _JUDGES,
    Action.STATE_FACTS: {Role.OFFICE: Scope.ALL, Role.SECRETARY: Scope.BRANCH},
    Action.READ_ACTIVITIES: _BRANCH_READERS,
    Action.READ_CALENDAR: _EVERYONE,
    Action.WRITE_CALENDAR: _OFFICE,
    Action.READ_HISTORY: {**_OFFICE, Role.AUDITOR: Scope.ALL},
    # Of the forms that branches write; a draft is read by nobody else, whatever their role.
    Action.KEEP_DRAFTS: _THEMSELVES,
}

GIVEN_BY: Mapping[Role, frozenset[Role]] = {
    Role.OFFICE: frozenset({Role.OFFICE}),
    Role.COMMITTEE: frozenset({Role.COMMITTEE}),
    Role.ADMINISTRATOR: frozenset({Role.ADMINISTRATOR}),
    # Auditors write nothing, so they name nobody.
    Role.AUDITOR: frozenset({Role.ADMINISTRATOR}),
}
"""The roles of the school by whose holders each is given and taken (学校职务的任免).

No role makes itself another one; the first of each comes from the command line.
"""

OF_EVERYBODY = frozenset(action for action, roles in ACCESS.items() if roles is _EVERYONE)
"""Reading, and one's own sign-in: anybody signed in may, also after their last role has ended."""

JUDGED = frozenset(action for action, roles in ACCESS.items() if roles is _JUDGES)
"""Decisions on what a branch handed in, the office's word on it, and favours: days, leaving it out.

Nobody makes them for a branch where they have a post.
"""

OFFICE_FIRST = frozenset({Action.ASSESS_BRANCH})
"""Of those, what the committee does only where everybody of the office has a post in the branch.

The office proposes and the committee decides (R3, R5): so the committee proposes nothing else.
"""

KEPT_AFTER_MOVING = frozenset(
    {
        Action.READ_TALKS,
        Action.READ_SELF_REVIEWS,
        Action.READ_MEETINGS,
        Action.READ_RATINGS,
        Action.READ_COMMITMENTS,
        Action.CONFIRM_MINUTES,
        Action.ACKNOWLEDGE,
    }
)
"""The acts that a member who has gone to another branch still does in the former one (转走以后).

With their own records alone.
"""

ROLES_OF_POST: Mapping[Post, tuple[Role, ...]] = {
    Post.SECRETARY: (Role.SECRETARY, Role.COMMITTEE_MEMBER, Role.MEMBER),
    Post.DEPUTY: (Role.SECRETARY, Role.COMMITTEE_MEMBER, Role.MEMBER),
    Post.COMMITTEE_MEMBER: (Role.COMMITTEE_MEMBER, Role.MEMBER),
    Post.GROUP_LEADER: (Role.MEMBER,),
}
"""The roles that each post gives.

Secretary and deputy act as secretary, which includes committee_member; a group leader has no more
than a member.
"""


@dataclass(frozen=True)
class Caller:
    """A person who acts (操作人), with all roles of the day.

    Somebody with several posts has the union of their roles.
    """

    person_id: int
    staff_no: str
    name: str
    school: frozenset[Role] = frozenset()
    branches: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    """Roles by branch code."""
    stands_for: Mapping[str, str] = field(default_factory=dict)
    """The person whose substitute this one is today, as 学工号 by branch code.

    The roles of the other are among those above.
    """

    def roles_in(self, branch_code: str | None) -> frozenset[Role]:
        """Return the roles of this person in one branch, school roles included."""
        here = self.branches.get(branch_code, frozenset()) if branch_code is not None else frozenset()
        return self.school | here

    def has_post_in(self, branch_code: str) -> bool:
        """Tell whether this person has a post in a branch, by appointment or as a substitute."""
        return bool(self.branches.get(branch_code, frozenset()) - {Role.MEMBER})

    def plain_member(self, branch_code: str) -> bool:
        """Tell whether this person is a member of a branch and nothing more.

        Such a member reads in the branch only their own records, and what is published.
        """
        return not self.roles_in(branch_code) - {Role.MEMBER, Role.ADMINISTRATOR}

    @property
    def roles(self) -> frozenset[Role]:
        """Return all roles of this person, in the school and in any branch."""
        return self.school.union(*self.branches.values())

    def may(self, action: Action, branch_code: str | None = None) -> Mapping[Role, Scope]:
        """Return the roles, with their reach, by which this person may do that here.

        Raises Forbidden when no role of theirs ever does it, NotFound when one does, but not here.
        """
        if action in OF_EVERYBODY:
            return dict.fromkeys(self.roles, Scope.OWN)
        rows = ACCESS.get(action, {})
        if not any(role in rows for role in self.roles):
            raise Forbidden
        here = self.roles if branch_code is None else self.roles_in(branch_code)
        granted = {role: rows[role] for role in here if role in rows}
        if not granted:
            raise NotFound
        return granted


def roles_of(branch_code: str | None, held: Sequence[tuple[str, str | None]]) -> tuple[frozenset[Role], dict[str, frozenset[Role]]]:
    """Return the roles of a branch member who holds these posts.

    Each post is (role or post, branch code or None).
    """
    school: set[Role] = set()
    branches: dict[str, set[Role]] = {}
    if branch_code is not None:
        branches[branch_code] = {Role.MEMBER}
    for word, code in held:
        if code is None:
            role = Role(word)
            if role in SCHOOL_ROLES:
                school.add(role)
        else:
            branches.setdefault(code, set()).update(ROLES_OF_POST[Post(word)])
    return frozenset(school), {code: frozenset(roles) for code, roles in branches.items()}
