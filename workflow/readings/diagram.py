"""Draw a kind of process from what is declared (流程图), for documents and ``GET /process``."""

from __future__ import annotations

from workflow.foundation.database import Base
from workflow.foundation.vocabulary import STAGES, Kind, Trigger
from workflow.machine.process import MOVES

FORWARD = (Trigger.ADVANCE, Trigger.FILE, Trigger.ACCEPT, Trigger.DECIDE, Trigger.PUBLISH)


def mermaid(kind: Kind) -> str:
    """Draw a mermaid state diagram of a kind.

    It has every way forward, and each way back once, with the stage it may reach back to. A forward
    trigger that does not lead to a later stage corrects what was done before, and is marked so
    (更正).
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


def recorded_in() -> dict[str, list[str]]:
    """List the clauses that are recorded and that no requirement asks for, with their columns.

    The columns name them with ``database.notes``.
    """
    found: dict[str, list[str]] = {}
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            for clause in column.info.get("clauses", ()):
                found.setdefault(clause, []).append(f"{table.name}.{column.name}")
    return found
