"""The year's plan: the packaged one, another year's, and every possible fault of a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from workflow.foundation.errors import NotFound, PlanInvalid
from workflow.foundation.vocabulary import Coverage, Stage
from workflow.year.plan import Plan, PlanSettings
from workflow.year.plan_files import MOST_BYTES, available_plans, find_plan, read_plan

ALL_CLAUSES = [
    *("P1", "P2", "G0", "G1", "G2", "T0", "B0", "B1"),
    *(
        f"{letter}{n}"
        for letter, last in {"C": 7, "R": 7, "S": 4, "E": 4, "K": 7, "M": 7, "A": 7, "D": 9, "F": 9, "Q": 6}.items()
        for n in range(1, last + 1)
    ),
]
GOOD = find_plan("2024", None)[1]
SENTENCES = "\n".join(f'{clause} = "方案中关于 {clause} 的一句话"' for clause in ALL_CLAUSES)


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert text.count(old) == 1, f"{old} stands {text.count(old)} times in the plan"
    return text.replace(old, new)


def faults_of(text: str, clauses: list[str] | None = None) -> dict[str, str]:
    with pytest.raises(PlanInvalid) as refused:
        read_plan(text, ALL_CLAUSES if clauses is None else clauses, name="2024.toml")
    return {fault.key: fault.reason for fault in refused.value.faults}


@pytest.fixture
def plan() -> Plan:
    return read_plan(GOOD, ALL_CLAUSES, name="2024.toml")


def test_the_plan_of_2024_has_a_sentence_for_every_clause_and_no_other(plan: Plan) -> None:
    assert sorted(plan.clauses) == sorted(ALL_CLAUSES)
    assert plan.clauses["D5"] == "评定为“优秀”的党员比例一般不超过四分之一。"


def test_the_plan_of_2024_says_what_the_paper_says(plan: Plan) -> None:
    assert plan.title == "XX学校2024年度党建考核暨组织生活会工作方案"
    assert plan.clauses["G1"] == f"以{plan.theme}为主题"
    assert plan.required_reading == ("中国共产党纪律处分条例", "中国共产党支部工作条例（试行）")
    assert [document.title for document in plan.basis if document.title not in plan.clauses["P1"]] == []
    assert str(plan.notice and plan.notice.date) == "2024-01-02"
    assert [stage.stage for stage in plan.stages] == [Stage.STUDY, Stage.TALKS, Stage.SELF_REVIEW, Stage.RATING, Stage.RECTIFICATION]
    assert plan.coverage is Coverage.DEFAULT


def test_a_file_with_no_settings_has_those_that_2024_writes_out(plan: Plan) -> None:
    assert plan.settings == PlanSettings()
    without = re.sub(r"\n\[settings\].*(?=\n\[clauses\])", "", GOOD, flags=re.DOTALL)
    assert "settings" not in without
    assert read_plan(without, ALL_CLAUSES, name="2024.toml") == plan


def test_self_reviews_have_six_aspects_and_the_seventh_is_a_checklist_of_three_signs(plan: Plan) -> None:
    assert [aspect.id for aspect in plan.aspects] == ["A1", "A2", "A3", "A4", "A5", "A6"]
    assert all(f"{aspect.title}方面。{aspect.text}" == plan.clauses[aspect.id] for aspect in plan.aspects)
    assert plan.warning_signs.id == "A7"
    assert f"{plan.warning_signs.title}。{'，'.join(plan.warning_signs.signs)}。" == plan.clauses["A7"]


def test_the_contents_and_summary_aspects_are_the_words_of_their_clauses(plan: Plan) -> None:
    assert [item.id for item in plan.assessment_contents] == ["C1", "C2", "C3", "C4", "C5", "C6"]
    assert [item.id for item in plan.summary_aspects] == ["S1", "S2", "S3", "S4"]
    assert all(item.text == plan.clauses[item.id].rstrip("。") for item in (*plan.assessment_contents, *plan.summary_aspects))


def test_the_cycles_row_keeps_the_plans_words_and_rules(plan: Plan) -> None:
    kept = json.loads(json.dumps(plan.as_json()))
    assert set(kept) == {"year", "title", "guiding_text", "theme", "basis", "notice", "form", "stages", "clauses", "not_asked", "rules"}
    assert kept["stages"][0]["heading"] == plan.stages[0].heading
    assert kept["rules"]["required_reading"] == ["中国共产党纪律处分条例", "中国共产党支部工作条例（试行）"]
    assert kept["rules"]["coverage"] == "default"
    assert kept["clauses"]["K2"] == "党支部委员与党员之间普遍进行一次谈心谈话"


def test_the_rules_are_what_clauses_are_judged_by_and_hold_no_sentences(plan: Plan) -> None:
    assert plan.rules["quota"] == {"ratio": "1/4", "base": "rated", "rounding": "down", "at_least_one": False, "never": False}
    assert plan.rules["meeting_forms"] == {"general": "党员大会", "committee": "党支部委员会会议", "group": "党小组会"}
    assert list(plan.rules["levels"]) == ["excellent", "qualified", "basic", "unqualified"]
    assert list(plan.rules["marks"]) == ["good", "fairly_good", "fair", "poor"]
    assert not {"clauses", "title", "theme"} & plan.rules.keys()


def test_a_plan_that_was_read_cannot_be_changed(plan: Plan) -> None:
    with pytest.raises(ValueError, match="frozen"):
        plan.theme = "另一个主题"


OF_2025 = f"""
year = 2025
title = "某学院2025年度组织生活会方案"
guiding_text = "坚持全面从严治党。"
theme = "锤炼党性、提高思想觉悟"
required_reading = ["中国共产党章程", "中国共产党廉洁自律准则", "中国共产党党员教育管理工作条例"]
coverage = "strict"
agenda = ["自我检查", "批评和自我批评"]
basis = [{{ title = "中国共产党章程", number = "中发〔2022〕1号", date = 2022-10-22 }}]
notice = {{ title = "关于做好年终准备工作的通知" }}
form = {{ title = "2025年度民主评议情况表", recipient = "组织部", due_text = "1月底前" }}
reading_cards = {{ duties = "支部职责", member_standard = "党员标准" }}
meeting_forms = {{ general = "党员大会" }}
levels = {{ excellent = "优秀", qualified = "合格", basic = "基本合格", unqualified = "不合格" }}
marks = {{ good = "好", fairly_good = "较好", fair = "一般", poor = "差" }}
committee_items = {{ work = "工作", style = "作风", overall = "总体" }}
quota = {{ ratio = "1/3", base = "full", rounding = "nearest" }}
activity_kinds = {{ study = "学习" }}
assessment_contents = [{{ id = "C1", text = "落实部署" }}]
summary_aspects = [{{ id = "S1", text = "三会一课" }}]
aspects = [{{ id = "A1", title = "政治", text = "政治上是否坚定" }}, {{ id = "A2", title = "作风", text = "作风是否扎实" }}]
warning_signs = {{ id = "A7", title = "不合格", signs = ["不起作用"] }}
stages = [{{ stage = "study", heading = "学习", opening = "先学习。" }}]
settings = {{ measures_at_most = 5, excellent_branches_at_most = 3, votes = {{ general_quorum = "2/3" }} }}

[clauses]
{SENTENCES}
"""


def test_another_years_plan_works_without_code(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "2025.toml").write_text(OF_2025, encoding="utf-8")
    name, text = find_plan("2025", tmp_path)
    plan = read_plan(text, ALL_CLAUSES, name=name)
    assert plan.year == 2025
    assert plan.rules["required_reading"] == ["中国共产党章程", "中国共产党廉洁自律准则", "中国共产党党员教育管理工作条例"]
    assert plan.rules["coverage"] == "strict"
    assert plan.rules["quota"] == {"ratio": "1/3", "base": "full", "rounding": "nearest", "at_least_one": False, "never": False}
    assert plan.settings.excellent_branches_at_most == 3
    assert (plan.settings.votes.general_quorum, plan.settings.votes.committee_quorum) == ("2/3", "1/2")


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ('theme = "强化', 'tehme = "强化', "tehme", "没有这个键"),
        ('theme = "强化', 'tehme = "强化', "theme", "缺少"),
        ('base = "rated"\n', "", "quota.base", "缺少"),
        ('base = "rated"', 'base = "all"', "quota.base", "只能是 'rated' 或 'full'"),
        ('rounding = "down"', 'rounding = "off"', "quota.rounding", "只能是 'down'、'up' 或 'nearest'"),
        ('coverage = "default"', 'coverage = "some"', "coverage", "只能是 'default' 或 'strict'"),
        ('ratio = "1/4"', "ratio = 0.25", "quota.ratio", "应为文字"),
        ('ratio = "1/4"', 'ratio = "25%"', "quota.ratio", "分数"),
        ('ratio = "1/4"', 'ratio = "1/0"', "quota.ratio", "分数"),
        ('ratio = "1/4"', 'ratio = "5/4"', "quota.ratio", "不能大于 1"),
        ('ratio = "1/4"', 'ratio = "１/４"', "quota.ratio", "分数"),
        ("year = 2024", 'year = "2024"', "year", "应为整数"),
        ("year = 2024", "year = true", "year", "应为整数"),
        ("year = 2024", "year = 24", "year", "不能小于 2000"),
        ('title = "宗旨意识"', "title = 2", "aspects[2].title", "应为文字"),
        ('title = "宗旨意识"', 'title = "  "', "aspects[2].title", "不能为空"),
        ('title = "宗旨意识"', 'title = "宗旨\\u0000意识"', "aspects[2].title", "控制字符"),
        ('id = "A2"', 'id = "A1"', "aspects", "“A1”重复"),
        ('id = "A2"', 'id = "a2"', "aspects[2].id", "大写字母加数字"),
        ('agenda = ["自我检查", "党性分析", "批评和自我批评"]', "agenda = []", "agenda", "至少要有 1 项"),
        ('agenda = ["自我检查", "党性分析", "批评和自我批评"]', 'agenda = "自我检查"', "agenda", "应为列表"),
        ('    "中国共产党纪律处分条例"', '    "《中国共产党纪律处分条例》"', "required_reading[1]", "书名号"),
        ('    "中国共产党纪律处分条例"', '    "中国共产党支部工作条例（试行）"', "required_reading", "重复"),
        ('qualified = "合格"\nbasic', "basic", "levels.qualified", "缺少"),
        ('qualified = "合格"\nbasic', 'qualified = "合格"\ngood = "良好"\nbasic', "levels.good", "没有这个键"),
        ('poor = "差"', "", "marks.poor", "缺少"),
        ('overall = "总体评价"', "", "committee_items.overall", "缺少"),
        ('group = "党小组会"', 'picnic = "茶话会"', "meeting_forms.picnic", "只能是"),
        ('volunteering = "志愿服务"', 'other = "运动会"', "activity_kinds.other", "other 为系统所用"),
        ("date = 2024-01-02", 'date = "去年"', "notice.date", "应为日期"),
        ("date = 2024-01-02", "date = 20240102.5", "notice.date", "应为日期"),
        ("date = 2024-01-02", "date = true", "notice.date", "应为日期"),
        ("date = 2024-01-02", "date = 2024-01-02T08:00:00", "notice.date", "应为日期"),
        ('stage = "talks"', 'stage = "chat"', "stages[2].stage", "只能是"),
        ('stage = "talks"', 'stage = "study"', "stages", "“study”重复"),
        ("over_quota_needs_approval = true", 'over_quota_needs_approval = "yes"', "settings.over_quota_needs_approval", "true 或 false"),
        ("measures_at_most = 10", "measures_at_most = 10.0", "settings.measures_at_most", "应为整数"),
        ("measures_at_most = 10", "measures_at_most = 1001", "settings.measures_at_most", "不能大于 1000"),
        ("bands_below = 10", "online_voters_at_least = 5", "settings.online_voters_at_least", "没有这个键，请检查拼写和所在的表"),
        ("reminder_days_before = [7, 3, 1]", "reminder_days_before = [7, 7]", "settings.reminder_days_before", "“7”重复"),
        ("lesson = 4", "leson = 4", "settings.three_meetings.leson", "没有这个键"),
        ("\n[clauses]\n", "\n[clauses]\nk2 = '一句话'\n", "clauses.k2", "大写字母加数字"),
        ("\n[clauses]\n", "\n[clauses]\nZ9 = 9\n", "clauses.Z9", "应为文字"),
        ("\n[clauses]\n", "\n[clauses]\nZ9 = ''\n", "clauses.Z9", "不能为空"),
        ("\n[clauses]\n", "\n[sentences]\n", "clauses", "缺少"),
        ("\nQ6 = ", "\nQ7 = ", "clauses.Q6", "缺少这一条款的方案原文"),
        ("year = 2024", "year == 2024", "第 4 行", "TOML"),
        ("year = 2024", "year = 2024\nyear = 2024", "第 5 行", "同一个键"),
        ("year = 2024", "year = 2024\nthe_year = '''", "文件", "TOML"),
        ("year = 2024", f"year = {'[' * 5000}", "文件", "TOML"),
        ("year = 2024", f"year = {'9' * 5000}", "文件", "TOML"),
        ("year = 2024", f"year = 2024 # {'长' * MOST_BYTES}", "文件", "超过 256 KiB"),
    ],
)
def test_a_fault_is_named_by_its_key_and_its_reason(old: str, new: str, key: str, reason: str) -> None:
    assert reason in faults_of(changed(old, new))[key]


@pytest.mark.parametrize(("part", "key"), [("[quota]", "quota"), ("[notice]", "notice")])
def test_a_value_where_a_table_belongs_is_a_fault(part: str, key: str) -> None:
    table = re.escape(part) + r"\n(?:[^\n]+\n)+"
    text = changed("year = 2024", f"year = 2024\n{key} = 3", re.sub(table, "", GOOD))
    assert faults_of(text) == {key: "应为一张表"}


def test_sentences_that_are_no_table_are_one_fault() -> None:
    text = changed("year = 2024", "year = 2024\nclauses = 3", GOOD[: GOOD.index("[clauses]")])
    assert faults_of(text) == {"clauses": "应为一张表"}


def test_every_fault_is_named_at_once() -> None:
    text = changed("year = 2024", "year = 24")
    text = changed('ratio = "1/4"', 'ratio = "a quarter"', text)
    text = changed('coverage = "default"', 'coverage = "some"', text)
    text = changed("lesson = 4", "leson = 4", text)
    text = changed("\nK1 = ", "\nk1 = ", text)
    text = changed("\nQ6 = ", "\nQ7 = ", text)
    assert set(faults_of(text)) == {"year", "quota.ratio", "coverage", "settings.three_meetings.leson", "clauses.k1", "clauses.K1", "clauses.Q6"}


def test_a_refusal_names_file_key_and_reason_in_one_message() -> None:
    with pytest.raises(PlanInvalid, match=r"^2026\.toml：year：不能小于 2000$"):
        read_plan(changed("year = 2024", "year = 24"), ALL_CLAUSES, name="2026.toml")


def test_an_empty_file_lacks_every_key_that_has_no_default() -> None:
    assert faults_of("", []) == {name: "缺少这一项" for name, field in Plan.model_fields.items() if field.is_required()}


def test_a_new_clause_of_the_product_needs_its_sentence_in_the_plan() -> None:
    wrong = "缺少这一条款的方案原文；本年度不要求的，写进 [not_asked]"
    assert faults_of(GOOD, [*ALL_CLAUSES, "Z1", "Z2"]) == {"clauses.Z1": wrong, "clauses.Z2": wrong}


def test_a_clause_that_the_year_does_not_ask_needs_no_sentence_but_a_reason() -> None:
    without = re.sub(r"^K7 = .*\n", "", GOOD, flags=re.MULTILINE)
    assert set(faults_of(without)) == {"clauses.K7"}
    dropped = read_plan(f'{without}\n[not_asked]\nK7 = "本年度方案没有这一句"\n', ALL_CLAUSES, name="2025.toml")
    assert dropped.not_asked == {"K7": "本年度方案没有这一句"}
    assert "K7" not in dropped.clauses
    assert faults_of(f'{without}\n[not_asked]\nK7 = ""\n') == {"not_asked.K7": "不能为空"}


def test_a_plan_that_names_no_reading_does_not_ask_for_it() -> None:
    without = re.sub(r"^required_reading = \[.*?^\]", "required_reading = []", GOOD, flags=re.MULTILINE | re.DOTALL)
    assert "至少要有 1 项" in faults_of(without)["required_reading"]
    assert set(faults_of(f'{without}\n[not_asked]\nE3 = "自行选学"\n')) == {"required_reading"}
    plan = read_plan(f'{without}\n[not_asked]\nE3 = "自行选学"\nE4 = "自行选学"\n', ALL_CLAUSES, name="2025.toml")
    assert (plan.required_reading, plan.rules["required_reading"]) == ((), [])


def test_a_clause_that_is_never_asked_cannot_be_dropped() -> None:
    assert faults_of(f'{GOOD}\n[not_asked]\nP1 = "不要求"\n', ["K2"]) == {"not_asked.P1": "系统没有检查这一条款的要求，不必列出"}


def test_a_plan_may_have_sentences_that_no_clause_asks_for() -> None:
    assert "Q6" in read_plan(GOOD, ["K2"], name="2024.toml").clauses


def test_the_offices_own_file_comes_before_the_one_of_the_product(tmp_path: Path) -> None:
    assert find_plan("2024", tmp_path) == ("2024.toml", GOOD)
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "2024.toml").write_text("year = 1", encoding="utf-8")
    assert find_plan("2024", tmp_path) == ("2024.toml", "year = 1")


def test_the_plans_on_offer_are_those_of_the_office_and_of_the_product(tmp_path: Path) -> None:
    assert available_plans(tmp_path) == ["2024"]
    (tmp_path / "plans").mkdir()
    for file in ("2025.toml", "2024.toml", "草稿.toml", "2026.txt"):
        (tmp_path / "plans" / file).write_text("", encoding="utf-8")
    assert available_plans(tmp_path) == ["2024", "2025"]
    assert available_plans(None) == ["2024"]


@pytest.mark.parametrize("name", ["2031", "../secret", "..", "", "草稿", "a" * 33, "secret.toml", "/etc/passwd", "2024\n", "2024\0"])
def test_a_plan_that_is_not_there_is_not_found_and_a_name_is_never_a_path(name: str, tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    for file in (tmp_path / "secret.toml", tmp_path / "plans" / "草稿.toml", tmp_path / "plans" / f"{'a' * 33}.toml"):
        file.write_text("year = 1", encoding="utf-8")
    with pytest.raises(NotFound, match="现有方案：2024"):
        find_plan(name, tmp_path)


def test_a_file_saved_by_a_windows_editor_is_read_or_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "2025.toml").write_text(OF_2025, encoding="utf-8-sig")
    assert read_plan(find_plan("2025", tmp_path)[1], ALL_CLAUSES, name="2025.toml").year == 2025
    (tmp_path / "plans" / "2025.toml").write_text(OF_2025, encoding="gb18030")
    with pytest.raises(PlanInvalid, match="请另存为 UTF-8"):
        find_plan("2025", tmp_path)


def test_a_huge_file_is_refused_for_its_size(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "2025.toml").write_text("#" * (2 * MOST_BYTES), encoding="utf-8")
    text = find_plan("2025", tmp_path)[1]
    assert len(text) == MOST_BYTES + 1
    assert "超过 256 KiB" in faults_of(text)["文件"]
