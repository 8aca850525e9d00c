"""The diagram (流程图): each kind of process is drawn as it is declared."""

from __future__ import annotations

import re

import pytest

from workflow.foundation.vocabulary import STAGES, Kind, Trigger
from workflow.machine.process import MOVES
from workflow.readings.diagram import FORWARD, mermaid

WAY = re.compile(r"(?m)^    (\w+) --> (\w+): \S+ (\w+)(（.+）)?$")


def drawn(kind: Kind) -> dict[tuple[str, str, str], str]:
    """Find source, target and trigger of each arrow, with its mark."""
    return {(source, target, trigger): mark for source, target, trigger, mark in WAY.findall(mermaid(kind))}


@pytest.mark.parametrize("kind", Kind)
def test_each_stage_is_drawn_once_and_the_first_is_where_it_begins(kind: Kind) -> None:
    assert re.findall(r"(?m)^    (\w+): ", mermaid(kind)) == list(STAGES[kind])
    assert f"    [*] --> {STAGES[kind][0]}\n" in mermaid(kind)


@pytest.mark.parametrize("kind", Kind)
def test_every_way_forward_is_drawn_and_of_the_ways_back_the_nearest_of_each_stage(kind: Kind) -> None:
    moves, order = MOVES[kind], STAGES[kind].index
    assert drawn(kind).keys() <= {(each.source, each.target, each.trigger) for each in moves}
    forward = {(each.source, each.target, each.trigger) for each in moves if each.trigger in FORWARD}
    assert {way for way in drawn(kind) if way[2] in FORWARD} == forward
    back = {(each.source, each.trigger): each.target for each in sorted(moves, key=lambda each: order(each.target)) if each.trigger not in FORWARD}
    assert {way for way in drawn(kind) if way[2] not in FORWARD} == {(source, target, trigger) for (source, trigger), target in back.items()}


def test_a_decision_that_corrects_another_is_marked() -> None:
    decisions = {source: mark for (source, target, trigger), mark in drawn(Kind.ASSESSMENT).items() if trigger == Trigger.DECIDE}
    assert decisions == {"proposed": "", "decided": "（更正）", "published": "（更正）"}
    assert "（更正）" not in drawn(Kind.APPRAISAL).values()
