"""The Excel workbook of a roster (党员名册导入): sheets 党员 and 支部委员会 of the official form.

:func:`read_workbook` answers the roster and every problem by sheet, row and heading, and never
raises. ``workbooks/sheets.py`` reads a workbook; ``checks.py`` has the rules of a roster.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from workflow.roster.checks import COMMITTEE_SHEET, MEMBER_SHEET, BothSheets, Roster, check_both, check_members, make_roster
from workflow.roster.terms import MemberRow, Seat, cadre, party_group, post_words, standing
from workflow.workbooks import cells
from workflow.workbooks.sheets import Column, SheetForm, SheetProblem, has_errors, in_order, read_sheets
from workflow.year.plan import BranchSizes

_MEMBER_COLUMNS = (
    Column("学工号", "staff_no", cells.staff_no, filled=True),
    Column("姓名", "name", cells.person_name, filled=True),
    Column("所在分党委编码", "unit_code", cells.code, filled=True),
    Column("所在分党委", "unit_name", cells.text, filled=True),
    Column("所在党支部编码", "branch_code", cells.code, filled=True),
    Column("所在党支部", "branch_name", cells.text, filled=True),
    Column("人员类别", "standing", standing, filled=True, also=("党籍状态", "党员类别")),
    Column("入党时间", "joined_on", cells.day, also=("加入党组织日期",)),
    Column("转正时间", "confirmed_on", cells.day, also=("转为正式党员日期",)),
    Column("党内职务", "title", post_words),
    Column("是否党员领导干部", "cadre", cadre),
    Column("邮箱", "email", cells.email, optional=True),
    Column("党小组", "party_group", party_group, optional=True, beside=True),
)
_COMMITTEE_COLUMNS = (
    Column("所属党支部", "branch_name", cells.text, filled=True),
    Column("姓名", "name", cells.person_name, filled=True),
    Column("学工号", "staff_no", cells.staff_no, filled=True),
    Column("职务", "words", post_words),
)
_PASSED_OVER = frozenset({"性别", "备注"})
"""The headings that no rule reads and no paper prints."""
FORMS = {
    MEMBER_SHEET: SheetForm(_MEMBER_COLUMNS, empty="表中没有党员", passed_over=_PASSED_OVER),
    COMMITTEE_SHEET: SheetForm(_COMMITTEE_COLUMNS),
}


@dataclass(frozen=True)
class Reading:
    """The result of reading a workbook (核对结果)."""

    roster: Roster
    problems: tuple[SheetProblem, ...]

    @property
    def applicable(self) -> bool:
        """Tell whether it may be applied: no errors, and at least one member."""
        return bool(self.roster.members) and not has_errors(self.problems)


def read_workbook(data: bytes, *, today: date, sizes: BranchSizes = BranchSizes()) -> Reading:
    """Read the roster in these bytes, and all problems of it.

    For any bytes this answers and does not raise.
    """
    tables, problems = read_sheets(data, FORMS)
    members, committee = tables[MEMBER_SHEET], tables[COMMITTEE_SHEET]
    sheets = BothSheets([MemberRow(**row) for row in members.rows], [Seat(**row) for row in committee.rows], sizes)
    problems += check_members(sheets, today)
    if members.whole and committee.whole:
        problems += check_both(sheets)
    return Reading(make_roster(sheets, members.fields), tuple(in_order(problems, FORMS)))
