"""The picture of the stages (流程图), drawn from the declared moves."""

from __future__ import annotations

from workflow.process import MOVES
from workflow.vocabulary import STAGES, Kind, Trigger

FORWARD = (Trigger.ADVANCE, Trigger.FILE, Trigger.ACCEPT)


def mermaid(kind: Kind) -> str:
    """A mermaid state diagram: every way forward, and each way back once, with the stage it may reach back to."""
    moves, order = MOVES[kind], STAGES[kind]
    lines = ["stateDiagram-v2", f"    [*] --> {order[0]}"]
    lines += [f"    {stage}: {stage.zh} {stage}" for stage in order]
    lines += [f"    {move.source} --> {move.target}: {move.trigger.zh} {move.trigger}" for move in moves if move.trigger in FORWARD]
    for trigger in Trigger:
        back = [move for move in moves if move.trigger is trigger and trigger not in FORWARD]
        nearest: dict[str, str] = {}
        for move in back:
            nearest.setdefault(move.source, move.target)
        reach = "" if all(sum(m.source is s for m in back) <= 1 for s in order) else "（可至更早）"
        lines += [f"    {source} --> {target}: {trigger.zh} {trigger}{reach}" for source, target in nearest.items()]
    return "\n".join(lines) + "\n"
