"""Commands for the roster, the year and its plan (名册、年度、方案)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import click

from commands.frame import acting, done, told_plainly
from workflow.acts import years
from workflow.foundation.errors import PlanInvalid
from workflow.foundation.settings import read_settings
from workflow.foundation.vocabulary import MAIN
from workflow.machine.asked import CLAUSES, passed_through
from workflow.roster import imports
from workflow.rules.acts import perform
from workflow.workbooks.imports import Upload
from workflow.year.cycle import Lock, processes_of
from workflow.year.deadlines import STAGES_WITH_A_DAY
from workflow.year.plan import Plan
from workflow.year.plan_changes import plan_changes
from workflow.year.plan_files import find_plan, plan_file, read_plan


@click.group(help="名册。")
def roster() -> None: ...


@roster.command("import", help="核对名册；加 --apply 才写入。")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--apply", "apply_it", is_flag=True, help="没有错误时写入")
@told_plainly
def roster_import(file: Path, apply_it: bool) -> None:
    if file.stat().st_size > (limit := read_settings().upload_bytes):
        raise click.ClickException(f"文件超过 {limit // 1024 // 1024} MB")
    with acting() as call:
        row = perform(call, imports.PREVIEW, Upload(file.name, file.read_bytes()))
        for problem in row.problems:
            place = "".join(
                part for part in (problem["sheet"] or "", f"第{problem['row']}行" if problem["row"] else "", problem["heading"] or "") if part
            )
            click.echo(f"{'错误' if problem['severity'] == 'error' else '提醒'}\t{place}\t{problem['message']}")
        if not row.applicable:
            click.echo("名册有错误，没有写入。", err=True)
            raise SystemExit(1)
        for line in _changes(row.summary):
            click.echo(line)
        if apply_it:
            done(call, imports.APPLY, {}, import_id=row.id)
    click.echo("已写入。" if apply_it else "核对完毕，没有写入；加 --apply 写入。")


def _changes(summary: dict[str, Any]) -> Iterator[str]:
    yield f"党支部 {summary['branches']} 个（新增 {len(summary['new_branches'])}，变更 {len(summary['changed_branches'])}）"
    yield f"党员 {summary['members']} 名（新增 {summary['new_members']}，变更 {summary['changed_members']}）"
    yield f"任职：新任 {summary['posts_given']}，结束 {summary['posts_ended']}"
    for moved in summary["moved"]:
        yield f"转移：{moved['name']} {moved['from']} → {moved['to']}"
    for gone in summary["gone"]:
        yield f"不在名册上了：{gone['name']}（{gone['from']}）"


@click.group(help="年度。")
def cycle() -> None: ...


@cycle.command("open", help="按方案建立年度（草稿）。")
@click.option("--plan", required=True, help="方案名，如 2024")
@click.option("--deadline", "deadlines", multiple=True, metavar="环节=日期", help="如 report=2025-01-26；报送的期限必须有")
@told_plainly
def cycle_open(plan: str, deadlines: tuple[str, ...]) -> None:
    days = dict(_deadline(each) for each in deadlines)
    with acting() as call:
        year = done(call, years.OPEN_YEAR, {"plan": plan, "deadlines": days}).year
    click.echo(f"已建立{year}年度（草稿）。核对后用 cycle publish {year} 发布。")


def _deadline(given: str) -> tuple[str, str]:
    stage, _, day = given.partition("=")
    stages = [stage.value for stage in STAGES_WITH_A_DAY]
    if stage not in stages:
        raise click.UsageError(f"--deadline {given}：环节应为 {'、'.join(stages)} 之一")
    try:
        return stage, date.fromisoformat(day).isoformat()
    except ValueError:
        raise click.UsageError(f"--deadline {given}：日期应形如 2025-01-26") from None


@cycle.command("publish", help="发布年度：方案从此不变，每个支部得到流程和名册。")
@click.argument("year", type=int)
@told_plainly
def cycle_publish(year: int) -> None:
    with acting() as call:
        published = done(call, years.PUBLISH_YEAR, {}, year=year)
        opened = len(processes_of(call.session, published, MAIN, lock=Lock.NONE))
    click.echo(f"{year}年度已发布，{opened} 个党支部开始。")


# ── plans ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.group(help="方案文件。")
def plan() -> None: ...


@plan.command("check", help="检查一个方案文件，一次说出全部错误；方案文件的路径或名称。")
@click.argument("file")
@told_plainly
def plan_check(file: str) -> None:
    try:
        found = _plan(file)
    except PlanInvalid as invalid:
        for fault in invalid.faults:
            click.echo(f"{fault.key}：{fault.reason}")
        raise click.ClickException(f"方案文件有 {len(invalid.faults)} 处错误") from None
    click.echo(f"{found.year}年度：{found.title}")
    click.echo(f"条款 {len(found.clauses)} 条；不要求 {len(found.not_asked)} 条{_named(found.not_asked)}")
    if passed := passed_through(found):
        click.echo(f"跳过的环节：{'、'.join(stage.zh for stage in passed)}")
    click.echo("没有错误。")


@plan.command("diff", help="比较两个方案，逐项列出增、删、改。")
@click.argument("before")
@click.argument("after")
@told_plainly
def plan_diff(before: str, after: str) -> None:
    changes = plan_changes(_plan(before), _plan(after))
    for change in changes:
        click.echo(str(change))
    click.echo(f"共 {len(changes)} 处不同。" if changes else "两份方案相同。")


def _plan(given: str) -> Plan:
    """Read the plan in a file, or of a name that ``cycle open`` would take."""
    path = Path(given)
    name, text = plan_file(path) if path.is_file() else find_plan(given, read_settings().data_dir)
    return read_plan(text, CLAUSES, name=name)


def _named(clauses: Iterable[str]) -> str:
    listed = "、".join(clauses)
    return f"（{listed}）" if listed else ""
