"""Rosters (名册): a large workbook previewed and applied, beside reading its cells alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Set
from functools import partial
from pathlib import Path

import migrations
from workflow.foundation.errors import Words

from benchmarks.bench import Bench, Findings, Group
from benchmarks.frame.rounds import Side, Slice, interleave, row
from benchmarks.paths.starts import timed_command
from benchmarks.school.loading import EMPTY, product_on
from benchmarks.school.plan import SURNAMES, Scale

DATABASE = "bench_roster"
READ_CELLS = """
import sys, openpyxl
book = openpyxl.load_workbook(sys.argv[1], read_only=True)
print(sum(1 for sheet in book for row in sheet.iter_rows() for cell in row if cell.value))
"""
MEMBERS = (
    *("学工号", "姓名", "所在分党委编码", "所在分党委", "所在党支部编码", "所在党支部", "人员类别"),
    *("入党时间", "转正时间", "党内职务", "是否党员领导干部", "邮箱"),
)
COMMITTEE = ("所属党支部", "姓名", "学工号", "职务")
POSTS = ("书记", "组织委员", "宣传委员")


def measure(bench: Bench, rounds: int, wanted: Set[str]) -> Findings:
    """Preview and apply by the command line, each time on an empty school."""
    bench.tell(Words("写工作簿", "writing the workbook"))
    file = bench.folder / "名册.xlsx"
    write_roster(file, bench.scale)
    bench.schools.empty(bench.tell)
    preview = partial(_import, bench, file)
    sides: dict[str, Side] = {
        "roster_preview": preview,
        "cells": partial(_read_cells, bench, file),
        "roster_apply": partial(preview, "--apply"),
    }
    done = interleave(sides, rounds, bench.tell)
    bench.cluster.drop(DATABASE)
    return [row(name, done[name], done["cells"]) for name in GROUP.paths if name in wanted]


def _import(bench: Bench, file: Path, *options: str) -> Slice:
    bench.cluster.create(DATABASE, template=EMPTY, owner=migrations.OWNER_ROLE)
    product = product_on(bench.cluster, DATABASE, bench.folder)
    command = product.command("roster", "import", str(file), *options)
    return timed_command(bench, command, product)


def _read_cells(bench: Bench, file: Path) -> Slice:
    product = product_on(bench.cluster, EMPTY, bench.folder)
    return timed_command(bench, [sys.executable, "-c", READ_CELLS, str(file)], product)


def write_roster(file: Path, scale: Scale) -> None:
    """Write a workbook of the official form without a fault."""
    from openpyxl import Workbook  # noqa: PLC0415  (only this group needs it)

    book = Workbook(write_only=True)
    members, committee = book.create_sheet("党员"), book.create_sheet("支部委员会")
    members.append(MEMBERS)
    committee.append(COMMITTEE)
    for number, size in enumerate(_sizes(scale), 1):
        unit, name = f"D{number // 10:03d}", f"第{number}党支部"
        for place in range(1, size + 1):
            person, staff_no = (
                f"{SURNAMES[place % 30]}{_numeral(place)}",
                f"{number:05d}{place:03d}",
            )
            post = POSTS[place - 1] if place <= len(POSTS) else None
            members.append(
                [
                    *(
                        staff_no,
                        person,
                        unit,
                        f"{unit}党委",
                        f"{unit}{number:05d}",
                        name,
                        "正式党员",
                    ),
                    *("2010-07-01", "2011-07-01", post, None, f"m{staff_no}@school.example"),
                ]
            )
            if post:
                committee.append((name, person, staff_no, post))
    book.save(file)


def _sizes(scale: Scale) -> Iterator[int]:
    """Spread the members over the branches."""
    share, rest = divmod(scale.roster_members, scale.roster_branches)
    return (share + (number < rest) for number in range(scale.roster_branches))


def _numeral(number: int) -> str:
    """Write a number in Chinese digits, as a given name."""
    return "".join("零一二三四五六七八九"[int(digit)] for digit in str(number))


GROUP = Group("rosters", ("roster_preview", "roster_apply"), 3, 100, measure)
