"""Commands for the roster, the year and its plan (名册、年度、方案)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import click

from commands.frame import acting, done, told_plainly
from commands.language import named, say, tell
from workflow.acts import years
from workflow.foundation.errors import PlanInvalid, Words
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import MAIN, WORKING_STAGES, Post, Stage
from workflow.machine.asked import CLAUSES, passed_through
from workflow.roster import imports
from workflow.rules.acts import perform
from workflow.workbooks.imports import Upload
from workflow.year.cycle import Cycle
from workflow.year.deadlines import STAGES_WITH_A_DAY
from workflow.year.finding import Lock, processes_of
from workflow.year.plan import Plan
from workflow.year.plan_changes import plan_changes
from workflow.year.plan_files import find_plan, plan_file, read_plan


@click.group()
def roster() -> None: ...


@roster.command("import", help=say(Words("核对名册；加 --apply 才写入。", "Check a roster; only --apply stores it.")))
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--apply", "apply_it", is_flag=True, help=say(Words("没有错误时写入", "store it if it has no error")))
@click.option(
    "--gone",
    type=click.IntRange(0),
    default=None,
    help=say(Words("不在表中的党员确已离开：写明人数", "the members who are not on it have left: say how many")),
)
@click.option(
    "--only-branch",
    "codes",
    multiple=True,
    metavar="CODE",
    help=say(Words("只写入这个党支部，其余不动；可多次", "store this branch alone and leave the others; may be repeated")),
)
@told_plainly
def roster_import(file: Path, apply_it: bool, gone: int | None, codes: tuple[str, ...]) -> None:
    if file.stat().st_size > (limit := read_settings().upload_bytes):
        megabytes = limit // 1024 // 1024
        raise click.ClickException(say(Words(f"文件超过 {megabytes} MB", f"the file is larger than {megabytes} MB")))
    upload, only = Upload(file.name, file.read_bytes()), list(codes) or None
    with acting() as call:
        row = perform(call, imports.PREVIEW, upload)
        for problem in row.problems:
            # Of a workbook without faults, what is still an error counts people of all branches.
            if only and row.applicable and problem["severity"] == "error":
                continue
            # The message stands in the record as the office reads it: in Chinese.
            click.echo(f"{say(SEVERITY[problem['severity']])}\t{say(_place(problem))}\t{problem['message']}")
        if not row.applicable:
            tell(Words("名册有错误，没有写入。", "The roster has errors; nothing was stored."), err=True)
            raise SystemExit(1)
        summary, unconfirmed = row.summary, not row.applies_as_it_is
        if only:
            found = imports.foreseen(call.session, row, only=only, now=call.now)
            summary, unconfirmed = {**summary, **found.summary}, found.guard is not None
        for line in _changes(summary):
            tell(line)
        changes = any(summary[name] for name in CHANGES)
        if unconfirmed and gone is None:
            tell(_unconfirmed(len(summary["gone"])), err=True)
            raise SystemExit(1)
        if apply_it:
            done(call, imports.APPLY, {"gone": gone, "only_branches": only}, import_id=row.id)
    if not changes:
        tell(Words("没有变化：名册与系统里的一致。", "No change: the roster says what is stored already."))
    elif apply_it:
        tell(Words("已写入。", "Stored."))
    else:
        tell(Words("核对完毕，没有写入；加 --apply 写入。", "Checked, nothing was stored; add --apply to store it."))


CHANGES = ("new_branches", "changed_branches", "new_members", "changed_members", "posts_given", "posts_ended", "given", "ended", "moved", "gone")
"""The parts of a summary that say what would be different."""


def _unconfirmed(gone: int) -> Words:
    return Words(
        f"没有写入：有 {gone} 名党员不在表中。确已离开的加 --gone {gone}；表中只有部分支部的，用 --only-branch 指明。",
        f"Nothing was stored: {gone} members are not on it. If they have left, add --gone {gone}; "
        "name the branches of a partial workbook with --only-branch.",
    )


SEVERITY = {"error": Words("错误", "error"), "warning": Words("提醒", "warning")}


def _place(problem: dict[str, Any]) -> Words:
    sheet, row, heading = problem["sheet"] or "", problem["row"], problem["heading"] or ""
    parts = (sheet, f"row {row}" if row else "", heading)
    return Words(f"{sheet}{f'第{row}行' if row else ''}{heading}", " ".join(part for part in parts if part))


def _changes(summary: dict[str, Any]) -> Iterator[Words]:
    fresh, changed = len(summary["new_branches"]), len(summary["changed_branches"])
    zh = f"党支部 {summary['branches']} 个（新增 {fresh}，变更 {changed}）"
    yield Words(zh, f"Branches: {summary['branches']} ({fresh} new, {changed} changed)")
    fresh, changed = summary["new_members"], summary["changed_members"]
    zh = f"党员 {summary['members']} 名（新增 {fresh}，变更 {changed}）"
    yield Words(zh, f"Members: {summary['members']} ({fresh} new, {changed} changed)")
    given, ended = summary["posts_given"], summary["posts_ended"]
    yield Words(f"任职：新任 {given}，结束 {ended}", f"Posts: {given} given, {ended} ended")
    for each in summary["given"]:
        post, day = _post(each), each["starts_on"]
        yield Words(f"新任：{post.zh}，自 {day}", f"given: {post.en}, from {day}")
    for each in summary["ended"]:
        post, day = _post(each), each["ends_on"]
        yield Words(f"结束：{post.zh}，至 {day}", f"ended: {post.en}, last day {day}")
    for moved in summary["moved"]:
        who = f"{moved['name']} {moved['from']} → {moved['to']}"
        yield Words(f"转移：{who}", f"moved: {who}")
    for gone in summary["gone"]:
        zh = f"不在名册上了：{gone['name']}（{gone['from']}）"
        yield Words(zh, f"no longer on the roster: {gone['name']} ({gone['from']})")


def _post(each: dict[str, Any]) -> Words:
    who, post = f"{each['name']} {each['branch']}", named(Post(each["post"]))
    return Words(f"{who} {each['title'] or post.zh}", f"{who} {each['title'] or post.en}")


@click.group()
def cycle() -> None: ...


@cycle.command("open", help=say(Words("按方案建立年度（草稿）。", "Open a year by its plan, as a draft.")))
@click.option("--plan", required=True, help=say(Words("方案名，如 2024", "the name of the plan, such as 2024")))
@click.option(
    "--deadline",
    "deadlines",
    multiple=True,
    metavar=say(Words("环节=日期", "STAGE=DATE")),
    help=say(Words("如 report=2025-01-26；报送的期限必须有", "such as report=2025-01-26; the report must have one")),
)
@click.option("--past-due-ok", is_flag=True, help=say(Words("期限写成已经过去的日子也照办", "take a day that is over, too")))
@told_plainly
def cycle_open(plan: str, deadlines: tuple[str, ...], past_due_ok: bool) -> None:
    days = dict(_deadline(each) for each in deadlines)
    with acting() as call:
        opened = done(call, years.OPEN_YEAR, {"plan": plan, "deadlines": days, "past_due_ok": past_due_ok})
        year, lines = opened.year, [_holding(opened, stage) for stage in WORKING_STAGES[MAIN]]
    for line in lines:
        tell(line)
    zh = f"已建立{year}年度（草稿）。核对后用 cycle publish {year} 发布。"
    tell(Words(zh, f"Opened the year {year} as a draft. Check it, then publish it with cycle publish {year}."))


def _holding(opened: Cycle, stage: Stage) -> Words:
    """Say the day that holds for a stage, and where it comes from if it is not the stage's own."""
    giver = opened.day_giver(stage)
    if giver is None or giver is stage:
        return Words(f"{stage.zh}：{opened.holds(stage) or '没有期限'}", f"{stage.value}: {opened.holds(stage) or 'no deadline'}")
    zh = f"{stage.zh}：{opened.holds(stage)}（没有另填，随“{giver.zh}”）"
    return Words(zh, f"{stage.value}: {opened.holds(stage)} (none of its own, that of {giver.value})")


def _deadline(given: str) -> tuple[str, str]:
    stage, _, day = given.partition("=")
    stages = [stage.value for stage in STAGES_WITH_A_DAY]
    if stage not in stages:
        zh = f"--deadline {given}：环节应为 {'、'.join(stages)} 之一"
        raise click.UsageError(say(Words(zh, f"--deadline {given}: the stage should be one of {', '.join(stages)}")))
    try:
        return stage, date.fromisoformat(day).isoformat()
    except ValueError:
        zh = f"--deadline {given}：日期应形如 2025-01-26"
        raise click.UsageError(say(Words(zh, f"--deadline {given}: the date should look like 2025-01-26"))) from None


@cycle.command(
    "publish",
    help=say(
        Words(
            "发布年度：方案从此不变，每个支部得到流程和名册。",
            "Publish a year. Its plan stays as it is from now on, and each branch gets its process and roll.",
        )
    ),
)
@click.argument("year", type=int)
@told_plainly
def cycle_publish(year: int) -> None:
    with acting() as call:
        published = done(call, years.PUBLISH_YEAR, {}, year=year)
        opened = len(processes_of(call.session, published, MAIN, lock=Lock.NONE))
    tell(Words(f"{year}年度已发布，{opened} 个党支部开始。", f"The year {year} is published; branches that begin: {opened}."))


@cycle.command("reread", help=say(Words("草稿重新读取方案文件。", "Read the plan of a draft again from its file.")))
@click.argument("year", type=int)
@told_plainly
def cycle_reread(year: int) -> None:
    with acting() as call:
        found = done(call, years.REREAD_YEAR, {}, year=year)
    tell(Words(f"已重新读取方案：{found.title}", f"Read the plan again: {found.title}"))


@cycle.command("drop", help=say(Words("删除年度草稿；发布过的年度删不掉。", "Throw a draft away. A year that was published stays.")))
@click.argument("year", type=int)
@told_plainly
def cycle_drop(year: int) -> None:
    with acting() as call:
        done(call, years.DROP_YEAR, {}, year=year)
    tell(Words(f"已删除{year}年度的草稿。", f"Dropped the draft of {year}."))


@cycle.command("amend", help=say(Words("补充通知：给已发布的方案增加内容。", "Add to the plan of a published year.")))
@click.argument("year", type=int)
@click.option("--number", required=True, help=say(Words("文号", "the number of the notice")))
@click.option(
    "--issued-on", required=True, metavar=say(Words("日期", "DATE")), help=say(Words("印发日期，如 2024-12-19", "its day, such as 2024-12-19"))
)
@click.option("--reason", required=True, help=say(Words("理由", "the reason")))
@click.option("--add", "titles", multiple=True, help=say(Words("新增的必读文件，可以写几次", "a title of added reading; may be given again")))
@click.option(
    "--deadline",
    "deadlines",
    multiple=True,
    metavar=say(Words("环节=日期", "STAGE=DATE")),
    help=say(Words("推迟后的期限，如 report=2025-01-28", "a later day, such as report=2025-01-28")),
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar=say(Words("条款=文字", "CLAUSE=TEXT")),
    help=say(Words("接在方案原文之后的话，如 K2=…", "words that follow the plan's own, such as K2=…")),
)
@click.option("--preview", is_flag=True, help=say(Words("只看涉及多少支部，不写入", "only count what it reaches, store nothing")))
@told_plainly
def cycle_amend(year: int, titles: tuple[str, ...], deadlines: tuple[str, ...], texts: tuple[str, ...], preview: bool, **named: str) -> None:
    sent: dict[str, Any] = {
        "number": named["number"],
        "issued_on": named["issued_on"],
        "reason": named["reason"],
        "required_reading": {"add": list(titles)} if titles else None,
        "deadlines": dict(_deadline(each) for each in deadlines),
        "texts": {key: text for key, _, text in (each.partition("=") for each in texts)},
    }
    with acting() as call:
        attempt = call.session.begin_nested()
        counts = done(call, years.AMEND_PLAN, sent, year=year).facts["counts"]
        attempt.rollback() if preview else attempt.commit()
    zh = f"涉及 {counts['branches']} 个支部：须学习 {counts['asked']} 个，只作提示 {counts['signs']} 个"
    zh += f"；期限改变 {counts['days']} 个流程，随即发信 {counts['letters']} 封。"
    en = f"Branches: {counts['branches']} (asked: {counts['asked']}, signs: {counts['signs']})"
    en += f"; processes with another day: {counts['days']}, letters: {counts['letters']}."
    tell(Words(zh, en))
    tell(Words("只是预览，没有写入。", "A preview; nothing was stored.") if preview else Words("已写入。", "Stored."))


@cycle.command("close", help=say(Words("办结年度：还有没办完的，先一一列出。", "Close a year. Lists everything that is still open first.")))
@click.argument("year", type=int)
@click.option("--leave-open", is_flag=True, help=say(Words("留下没有办完的，照样办结", "close even while branches are open")))
@click.option("--reason", help=say(Words("理由；留下没有办完的，必须写", "the reason; required to leave anything open")))
@told_plainly
def cycle_close(year: int, leave_open: bool, reason: str | None) -> None:
    with acting() as call:
        done(call, years.CLOSE_YEAR, {"leave_open": leave_open, "reason": reason}, year=year)
    zh = f"{year}年度已办结；下一年度发布以前，可以用 cycle reopen 重新启动。"
    tell(Words(zh, f"The year {year} is closed; cycle reopen opens it again until the next is published."))


@cycle.command("reopen", help=say(Words("重新启动已办结的年度。", "Open a closed year again, until the next is published.")))
@click.argument("year", type=int)
@click.option("--reason", required=True, help=say(Words("理由", "the reason")))
@told_plainly
def cycle_reopen(year: int, reason: str) -> None:
    with acting() as call:
        done(call, years.REOPEN_YEAR, {"reason": reason}, year=year)
    tell(Words(f"{year}年度已重新启动。", f"The year {year} is open again."))


# ── plans ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.group()
def plan() -> None: ...


@plan.command(
    "check",
    help=say(
        Words(
            "检查一个方案文件，一次说出全部错误；方案文件的路径或名称。",
            "Check a plan file and tell all its faults at once. Takes the path of a file or the name of a plan.",
        )
    ),
)
@click.argument("file")
@told_plainly
def plan_check(file: str) -> None:
    try:
        found = _plan(file)
    except PlanInvalid as invalid:
        for fault in invalid.faults:
            tell(Words(f"{fault.key}：{fault.reason}", f"{fault.key.en}: {fault.reason.en}"))
        count = len(invalid.faults)
        raise click.ClickException(say(Words(f"方案文件有 {count} 处错误", f"faults in the plan file: {count}"))) from None
    tell(Words(f"{found.year}年度：{found.title}", f"{found.year}: {found.title}"))
    asked, dropped = len(found.clauses), found.not_asked
    listed = Words(f"（{'、'.join(dropped)}）", f" ({', '.join(dropped)})") if dropped else Words("", "")
    zh = f"条款 {asked} 条；不要求 {len(dropped)} 条{listed}"
    tell(Words(zh, f"Clauses: {asked}; not asked: {len(dropped)}{listed.en}"))
    if passed := passed_through(found):
        names = [named(stage) for stage in passed]
        tell(Words(f"跳过的环节：{'、'.join(names)}", f"Stages passed over: {', '.join(name.en for name in names)}"))
    stem = Path(file).stem
    if stem.isdigit() and int(stem) != found.year:
        zh = f"请核对：文件名是 {stem}，方案里的年度是 {found.year}，会开成{found.year}年度。"
        tell(Words(zh, f"Please check: the file is called {stem}, the year in it is {found.year}, and that year would be opened."))
    tell(Words("没有错误。", "No fault."))


@plan.command("diff", help=say(Words("比较两个方案，逐项列出增、删、改。", "Compare two plans, key by key.")))
@click.argument("before")
@click.argument("after")
@told_plainly
def plan_diff(before: str, after: str) -> None:
    changes = plan_changes(_plan(before), _plan(after))
    for change in changes:
        tell(change.words)
    count = len(changes)
    tell(Words(f"共 {count} 处不同。", f"Differences: {count}.") if changes else Words("两份方案相同。", "The two plans are the same."))


def _plan(given: str) -> Plan:
    """Read the plan in a file, or of a name that ``cycle open`` would take."""
    path = Path(given)
    name, text = plan_file(path) if path.is_file() else find_plan(given, read_settings().data_dir)
    return read_plan(text, CLAUSES, name=name)
