"""Cells in the roster's own words."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.foundation.vocabulary import Post, Standing
from workflow.roster import terms
from workflow.workbooks.cells import Cell, CellFault

READERS = [terms.standing, terms.cadre, terms.post_words, terms.party_group]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *((words, Standing.FULL) for words in ("正式党员", "正式", "中共党员", "中共正式党员")),
        *((words, Standing.PROBATIONARY) for words in ("预备党员", " 预 备 ", "中共预备党员", "预备党员（2024.6）", "预备党员（2024年6月）")),
        (None, None),
    ],
)
def test_standing_is_full_or_probationary(written: str | None, meant: Standing | None) -> None:
    assert terms.standing(Cell(written)) == meant


@pytest.mark.parametrize("written", ["积极分子", "正式党员（停止党籍）"])
def test_another_standing_is_refused(written: str) -> None:
    with pytest.raises(CellFault, match="人员类别“"):
        terms.standing(Cell(written))


@pytest.mark.parametrize(("written", "meant"), [("是", True), ("否", False), ("无", False), (None, False), (True, True), (False, False)])
def test_cadre_is_yes_or_no_or_empty(written: object, meant: bool) -> None:
    assert terms.cadre(Cell(written)) is meant


def test_another_answer_to_cadre_is_refused() -> None:
    with pytest.raises(CellFault, match="是否党员领导干部“也许”"):
        terms.cadre(Cell("也许"))


@pytest.mark.parametrize(
    ("words", "post"),
    [
        ("书记", Post.SECRETARY),
        ("党支部书记", Post.SECRETARY),
        ("书记（兼）", Post.SECRETARY),
        ("副书记", Post.DEPUTY),
        ("支部副书记兼组织委员", Post.DEPUTY),
        ("党小组组长", Post.GROUP_LEADER),
        ("组长", Post.GROUP_LEADER),
        ("第一党小组组长", Post.GROUP_LEADER),
        ("组织委员、党小组组长", Post.COMMITTEE_MEMBER),
        ("纪检委员", Post.COMMITTEE_MEMBER),
        ("委员", Post.COMMITTEE_MEMBER),
        ("、", Post.COMMITTEE_MEMBER),
    ],
)
def test_the_words_of_a_post_name_the_highest_post_in_them(words: str, post: Post) -> None:
    assert terms.post_of(terms.post_words(Cell(words)) or "") is post


@pytest.mark.parametrize(("written", "meant"), [("第一党小组", "第一党小组"), (" 第 一 组 ", "第一组"), ("无", None), ("—", None), (None, None)])
def test_a_party_group_is_its_name(written: str | None, meant: str | None) -> None:
    assert terms.party_group(Cell(written)) == meant


@pytest.mark.parametrize("written", ["无", "—", "普通党员", ""])
def test_words_for_no_post_are_no_post(written: str) -> None:
    assert terms.post_words(Cell(written)) is None


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("kind", "words"), [("f", "是公式"), ("e", "是错误值")])
def test_no_reader_takes_a_formula_or_an_error(read: Callable[[Cell], object], kind: str, words: str) -> None:
    with pytest.raises(CellFault, match=words):
        read(Cell("=1+1", kind))


@pytest.mark.parametrize("read", READERS)
def test_control_characters_are_refused(read: Callable[[Cell], object]) -> None:
    with pytest.raises(CellFault, match="控制字符"):
        read(Cell("书\x00记"))


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.datetimes() | st.none())
def test_whatever_a_cell_holds_a_reader_answers_or_says_what_is_wrong(value: object) -> None:
    for read in READERS:
        with suppress(CellFault):
            read(Cell(value))


@given(st.text(min_size=1))
def test_whatever_words_a_post_has_they_name_one(words: str) -> None:
    assert terms.post_of(words) in Post
