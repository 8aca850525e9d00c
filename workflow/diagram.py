"""Pictures and tables of the process (流程图、要求表), drawn from what is declared, for documents and for ``GET /process``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from workflow.database import Base
from workflow.gate import CLAUSES, REQUIREMENTS
from workflow.inventory import inventory
from workflow.plan import find_plan, read_plan
from workflow.process import MOVES
from workflow.vocabulary import STAGES, Kind, Trigger

FORWARD = (Trigger.ADVANCE, Trigger.FILE, Trigger.ACCEPT, Trigger.DECIDE, Trigger.PUBLISH)


def mermaid(kind: Kind) -> str:
    """A mermaid state diagram: every way forward, and each way back once, with the stage it may reach back to.

    A way forward that leads no further puts right what was done before, and is marked so (更正).
    """
    moves, order = MOVES[kind], STAGES[kind]
    lines = ["stateDiagram-v2", f"    [*] --> {order[0]}"]
    lines += [f"    {stage}: {stage.zh} {stage}" for stage in order]
    for move in moves:
        if move.trigger in FORWARD:
            mark = "" if order.index(move.target) > order.index(move.source) else "（更正）"
            lines.append(f"    {move.source} --> {move.target}: {move.trigger.zh} {move.trigger}{mark}")
    for trigger in Trigger:
        back = [move for move in moves if move.trigger is trigger and trigger not in FORWARD]
        nearest: dict[str, str] = {}
        for move in back:
            nearest.setdefault(move.source, move.target)
        reach = "" if all(sum(m.source is s for m in back) <= 1 for s in order) else "（可至更早）"
        lines += [f"    {source} --> {target}: {trigger.zh} {trigger}{reach}" for source, target in nearest.items()]
    return "\n".join(lines) + "\n"


def requirement_table(kind: Kind) -> str:
    """The requirements as a Markdown table: clause, stage, the plan's sentence, what is said when it lacks, weight, waiving."""
    lines = ["| 条款 | 环节 | 方案原文 | 缺什么 | 性质 | 豁免 |", "|---|---|---|---|---|---|"]
    for each in REQUIREMENTS[kind]:
        said = each.words.format(count="N", names="…").zh
        lines.append(f"| {each.clause} | {each.stage.zh} | {each.sentence} | {said} | {each.severity.zh} | {each.waivable.zh} |")
    return "\n".join(lines) + "\n"


def recorded_in() -> dict[str, list[str]]:
    """The clauses that are recorded and nobody is asked for, with the columns that say so (``database.notes``)."""
    found: dict[str, list[str]] = {}
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            for clause in column.info.get("clauses", ()):
                found.setdefault(clause, []).append(f"{table.name}.{column.name}")
    return found


def recorded_table(sentences: Mapping[str, str]) -> str:
    """Those clauses as a Markdown table, in the order of the plan."""
    where = recorded_in()
    lines = ["| 条款 | 方案原文 | 记录在 |", "|---|---|---|"]
    lines += [f"| {clause} | {sentence} | {'、'.join(where[clause])} |" for clause, sentence in sentences.items() if clause in where]
    return "\n".join(lines) + "\n"


def generated_blocks() -> dict[str, str]:
    """What a document says between ``<!-- generated: name -->`` and ``<!-- end -->``."""
    name, text = find_plan("2024", None)
    plan = read_plan(text, CLAUSES, name=name)
    return {
        "diagram": _drawn(Kind.APPRAISAL),
        "requirements": requirement_table(Kind.APPRAISAL),
        "assessment_diagram": _drawn(Kind.ASSESSMENT),
        "assessment_requirements": requirement_table(Kind.ASSESSMENT),
        "recorded": recorded_table(plan.clauses),
        "personal_data": inventory(Base.metadata, retention_years=plan.settings.retention_years),
    }


def _drawn(kind: Kind) -> str:
    return f"```mermaid\n{mermaid(kind)}```\n"


def with_fresh_blocks(document: str) -> str:
    """A document with its generated blocks as the code has them now. Raises KeyError for a block that the code does not make."""
    blocks = generated_blocks()
    return re.sub(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", lambda found: found[1] + blocks[found[2]] + found[3], document, flags=re.DOTALL)
