import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import columns

anything = st.text(max_size=60)
printable_text = anything.map(columns.printable)
widths = st.integers(min_value=2, max_value=48)


def test_a_chinese_character_takes_two_columns() -> None:
    assert columns.width("消费 SALE") == 9


def test_a_character_is_never_cut_in_the_middle() -> None:
    assert columns.fit("a交易成功", 4) == "a交"
    assert columns.fit("a交易成功", 5) == "a交易"


@given(printable_text, widths)
def test_what_fits_is_a_beginning_and_is_as_long_as_it_can_be(text: str, limit: int) -> None:
    fitted = columns.fit(text, limit)
    assert text.startswith(fitted)
    assert columns.width(fitted) <= limit
    if fitted != text:
        assert columns.width(fitted + text[len(fitted)]) > limit


@given(printable_text, widths)
def test_padded_text_is_exactly_as_wide_as_asked(text: str, limit: int) -> None:
    for shape in (columns.pad, columns.align_right, columns.centre):
        assert columns.width(shape(text, limit)) == limit


def test_text_stands_where_it_is_put() -> None:
    assert columns.pad("中", 4) == "中  "
    assert columns.align_right("中", 4) == "  中"
    assert columns.centre("中", 5) == " 中  "


def test_words_of_ascii_stay_whole_and_chinese_breaks_anywhere() -> None:
    assert columns.wrap("Please see cashier", 11) == ["Please see", "cashier"]
    assert columns.wrap("请与发卡行联系", 6) == ["请与发", "卡行联", "系"]
    assert columns.wrap("金额RMB123.45", 8) == ["金额", "RMB123.4", "5"]


def test_a_newline_begins_a_row() -> None:
    assert columns.wrap("one\n\ntwo", 8) == ["one", "", "two"]


@given(printable_text, widths)
def test_wrapping_loses_nothing_but_spaces(text: str, limit: int) -> None:
    rows = columns.wrap(text, limit)
    assert all(columns.width(row) <= limit for row in rows)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")


def test_wrapping_refuses_a_width_with_no_room_for_a_character() -> None:
    with pytest.raises(ValueError, match="at least 2 columns"):
        columns.wrap("中", 1)


@given(anything)
def test_only_characters_without_power_over_a_device_get_through(text: str) -> None:
    clean = columns.printable(text)
    assert len(clean) == len(text)
    for character in clean:
        assert unicodedata.category(character)[0] not in "CM"
        character.encode("gb18030")
    assert columns.printable(clean) == clean


@pytest.mark.parametrize(
    "character", ["\x1b", "\x00", "\x7f", "\x9b", "\u202e", "\u200b", "\u0301", "\ue000", "\ufeff"]
)
def test_controls_and_invisible_characters_become_question_marks(character: str) -> None:
    assert columns.printable(f"a{character}b") == "a?b"


@pytest.mark.parametrize("text", ["确认", "▲▼", "￥1.00", "（）", "é", "\u3000", "㐂"])
def test_what_the_devices_have_glyphs_for_is_kept(text: str) -> None:
    assert columns.printable(text) == text
