"""Cells in the ways that offices fill them in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.workbooks import cells
from workflow.workbooks.cells import Cell, CellFault


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2009.07", date(2009, 7, 1)),
        ("2009.7", date(2009, 7, 1)),
        ("2009.1", date(2009, 1, 1)),
        (2009.07, date(2009, 7, 1)),
        (2009.12, date(2009, 12, 1)),
        ("1999年7月1日", date(1999, 7, 1)),
        ("1999 年 7 月 1 日", date(1999, 7, 1)),
        ("１９９９年０７月０１日", date(1999, 7, 1)),
        ("1999年7月1号", date(1999, 7, 1)),
        ("1999年7月", date(1999, 7, 1)),
        ("1999-07-01", date(1999, 7, 1)),
        ("1999／7／1", date(1999, 7, 1)),
        ("1999.7.1", date(1999, 7, 1)),
        ("1999—07—01", date(1999, 7, 1)),
        ("199907", date(1999, 7, 1)),
        ("19990701", date(1999, 7, 1)),
        (199907, date(1999, 7, 1)),
        (19990701, date(1999, 7, 1)),
        (36342, date(1999, 7, 1)),
        ("1999-07-01 00:00:00", date(1999, 7, 1)),
        (datetime(1999, 7, 1), date(1999, 7, 1)),  # noqa: DTZ001 - a cell has no zone
        (" 　", None),
        (None, None),
    ],
)
def test_dates_are_read_as_offices_write_them(written: object, meant: date | None) -> None:
    assert cells.day(Cell(written)) == meant


@pytest.mark.parametrize(
    "written", ["2009", 2009, "1999年2月30日", "2009.13", "前年", "99.7.1", "2009年7月1日至今", -5, time(8, 0), True, float("inf"), float("nan")]
)
def test_a_date_that_cannot_be_is_refused(written: object) -> None:
    with pytest.raises(CellFault):
        cells.day(Cell(written))


def test_a_month_whose_zero_excel_dropped_is_not_guessed() -> None:
    with pytest.raises(CellFault, match="1 月还是 10 月"):
        cells.day(Cell(2009.1))


def test_a_bare_serial_number_counts_from_the_day_zero_of_its_workbook() -> None:
    assert cells.day(Cell(36342 - 1462, "n", datetime(1904, 1, 1))) == date(1999, 7, 1)  # noqa: DTZ001 - a cell has no zone


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("张　三", "张三"),
        (" 张 三 ", "张三"),
        ("张\u200b三", "张三"),
        ("张\U000e0041\u3164\u2800三\u061c", "张三"),
        ("\u3164\U000e0041", None),
        ("\u034f\ufe0f", None),
        ("张三_x000D_\n", "张三"),
        ("阿依 · 古丽", "阿依·古丽"),
        ("Anna  Li", "Anna Li"),
        ("ＡＢ", "AB"),
    ],
)
def test_names_lose_stray_spaces_full_width_and_what_shows_nothing(written: str, meant: str | None) -> None:
    assert cells.person_name(Cell(written)) == meant


@pytest.mark.parametrize(
    ("written", "words"),
    [
        *((f"李{lost}", "无法识别") for lost in "\ufffd\ue81e?？*□〓_\U000f0001"),
        ("张XX", "占位"),
        ("王某某", "占位"),
        ("12345", "含有数字"),
        ("张三２", "含有数字"),
        ("张三、李四", "不止一个人"),
        ("张三/李四", "不止一个人"),
    ],
)
def test_a_doubtful_name_is_taken_with_a_warning(written: str, words: str) -> None:
    with pytest.raises(CellFault, match=words) as doubted:
        cells.person_name(Cell(written))
    assert (doubted.value.severity, doubted.value.taken) == ("warning", cells.text(Cell(written)))


@pytest.mark.parametrize("written", ["测甲\n测乙", "测甲\r\n测乙", "测甲_x000D_\n测乙"])
def test_two_names_in_one_cell_are_an_error(written: str) -> None:
    with pytest.raises(CellFault, match="换行") as refused:
        cells.person_name(Cell(written))
    assert refused.value.severity == "error"


@pytest.mark.parametrize("written", ["𠮷𪚥", "阿卜杜拉·买买提", "Anna Li", "〇〇", "张三\n"])
def test_rare_and_long_names_are_no_doubt(written: str) -> None:
    assert cells.person_name(Cell(written)) == written.strip()


@pytest.mark.parametrize("written", ["张\x00三", "张\x07三", "张_x0007_三", "张\ud800三", "张_xD800_三", "张\uffff三"])
@pytest.mark.parametrize("read", [cells.text, cells.person_name, cells.day])
def test_control_characters_and_lone_surrogates_are_refused(read: Callable[[Cell], object], written: str) -> None:
    with pytest.raises(CellFault, match="控制字符"):
        read(Cell(written))


@pytest.mark.parametrize(("read", "longest"), [(cells.person_name, 50), (cells.text, 200), (cells.code, 32), (cells.staff_no, 32)])
def test_a_cell_may_be_so_long_and_no_longer(read: Callable[[Cell], object], longest: int) -> None:
    assert read(Cell("a" * longest)) == "a" * longest
    with pytest.raises(CellFault):
        read(Cell("a" * (longest + 1)))


def test_the_length_of_a_cell_is_judged_before_it_is_normalised() -> None:
    with pytest.raises(CellFault, match="32767"):
        cells.text(Cell("ﷺ" * 32_768))


@pytest.mark.parametrize(
    ("written", "meant"),
    [(20240001, "20240001"), (20240001.0, "20240001"), ("２０２４０００１", "20240001"), ("2024 0001", "20240001"), ("a-B_9", "a-B_9")],
)
def test_a_staff_number_may_be_a_number_or_full_width(written: object, meant: str) -> None:
    assert cells.staff_no(Cell(written)) == meant


@pytest.mark.parametrize(
    ("number", "number_format", "shown"),
    [
        (90887, "0000000", "0090887"),
        (90887, "0000000_ ", "0090887"),
        (90887, "[$-804]0000000;[Red]-0000000", "0090887"),
        (1234567, "00000", "1234567"),
        *((101001, plain, "101001") for plain in ("General", "0", "0_ ", "@", "#,##0", "0.00", "_ * #,##0_ ;_ * -#,##0_ ", "0.00E+00")),
    ],
)
@pytest.mark.parametrize("read", [cells.staff_no, cells.code])
def test_a_number_has_the_digits_that_excel_shows(read: Callable[[Cell], object], number: int, number_format: str, shown: str) -> None:
    assert read(Cell(number, "n", number_format=number_format)) == shown


@pytest.mark.parametrize("number_format", ['"T"0000000', "0000-000", "00\\-00000", '"20"00000'])
@pytest.mark.parametrize("read", [cells.staff_no, cells.code])
def test_a_number_shown_as_something_else_is_an_error(read: Callable[[Cell], object], number_format: str) -> None:
    with pytest.raises(CellFault, match="显示成别的样子"):
        read(Cell(101001, "n", number_format=number_format))


@pytest.mark.parametrize("written", ["张三", "2024/1", "a.b", 1.5, 10**15, 1.1e17, True, datetime(2024, 1, 1)])  # noqa: DTZ001 - a cell has no zone
def test_other_staff_numbers_are_refused(written: object) -> None:
    with pytest.raises(CellFault):
        cells.staff_no(Cell(written))


@pytest.mark.parametrize("written", ["../D01", "D01/02", ".", "D 01?", "-"])
def test_a_code_that_would_break_an_address_is_refused(written: str) -> None:
    with pytest.raises(CellFault, match="编码"):
        cells.code(Cell(written))


@pytest.mark.parametrize(
    "written", ["zhang", "a@b@c.cn", "张三@school.example", '"ab"@school.example', "a@school.example\nBcc: b@school.example", "a@学校.cn"]
)
def test_a_wrong_address_is_a_warning_and_no_address(written: str) -> None:
    with pytest.raises(CellFault) as fault:
        cells.email(Cell(written))
    assert fault.value.severity == "warning"


def test_a_full_width_address_is_read() -> None:
    assert cells.email(Cell(" ｚｈａｎｇ＠school.example ")) == "zhang@school.example"


@pytest.mark.parametrize(
    "read",
    [
        cells.text,
        cells.person_name,
        cells.staff_no,
        cells.code,
        cells.email,
        cells.day,
    ],
)
@pytest.mark.parametrize(("kind", "words"), [("f", "是公式"), ("e", "是错误值")])
def test_no_reader_takes_a_formula_or_an_error(read: Callable[[Cell], object], kind: str, words: str) -> None:
    with pytest.raises(CellFault, match=words):
        read(Cell("=1+1", kind))


_values = st.text() | st.integers() | st.floats() | st.booleans() | st.datetimes() | st.times() | st.timedeltas() | st.none()


@given(_values)
def test_whatever_a_cell_holds_a_reader_answers_or_says_what_is_wrong(value: object) -> None:
    for column in (
        cells.text,
        cells.person_name,
        cells.staff_no,
        cells.code,
        cells.email,
        cells.day,
    ):
        with suppress(CellFault):
            column(Cell(value))
