from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import columns
from devices.slip import (
    FEED_LIMIT,
    QR_CODE_LIMIT,
    Cut,
    Feed,
    Logo,
    Pair,
    QRCode,
    Rule,
    Slip,
    Text,
    TextLine,
    from_plain,
    lay_out,
    set_lines,
    to_plain,
)

rows = st.one_of(
    st.builds(
        Text,
        st.text(max_size=80),
        st.sampled_from(["left", "centre", "right"]),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        Pair, st.text(max_size=40), st.text(max_size=60), large=st.booleans(), bold=st.booleans()
    ),
    st.just(Rule()),
    st.builds(Feed, st.integers(1, FEED_LIMIT)),
    st.builds(QRCode, st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)),
    st.just(Logo()),
    st.just(Cut()),
)
slips = st.lists(rows, max_size=20).map(lambda rows: Slip(tuple(rows)))
papers = st.sampled_from([32, 48])


def test_a_slip_is_laid_out_as_people_read_it() -> None:
    slip = Slip(
        (
            Text("签购单", align="centre", bold=True),
            Pair("商户名称", "好再来饭店"),
            Pair("卡号", "622202******7890 /S"),
            Pair("金额", "RMB 123.45", large=True),
            Rule(),
            Feed(2),
            Text("谢谢惠顾", align="right"),
            Cut(),
        )
    )
    assert lay_out(slip, 32) == [
        "             签购单",
        "商户名称              好再来饭店",
        "卡号         622202******7890 /S",
        "金额  RMB 123.45",
        "--------------------------------",
        "",
        "",
        "                        谢谢惠顾",
        "---------------8<---------------",
    ]


def test_a_value_too_long_for_its_label_goes_below_it_on_the_right() -> None:
    assert lay_out(Slip((Pair("商户名称", "一家名字相当长的饭店"),)), 24) == [
        "商户名称",
        "    一家名字相当长的饭店",
    ]


def test_the_label_of_a_large_value_that_goes_below_it_is_in_ordinary_type() -> None:
    label, value = set_lines(Slip((Pair("交易类型", "消费/SALE", large=True),)), 32)
    assert label == TextLine("交易类型")
    assert value == TextLine("消费/SALE", indent=14, large=True)


def test_a_value_longer_than_a_row_is_wrapped_on_the_left() -> None:
    assert lay_out(Slip((Pair("备注", "原凭证号000012原参考号123456789012"),)), 32) == [
        "备注",
        "原凭证号000012原参考号",
        "123456789012",
    ]


@given(slips, papers)
def test_no_line_is_wider_than_the_paper(slip: Slip, paper: int) -> None:
    for line in set_lines(slip, paper):
        if hasattr(line, "text"):
            scale = 2 if line.large else 1
            assert line.indent + scale * columns.width(line.text) <= paper
    assert all(columns.width(row) <= paper for row in lay_out(slip, paper))


@given(slips, papers)
def test_no_line_holds_a_character_that_could_command_a_printer(slip: Slip, paper: int) -> None:
    for row in lay_out(slip, paper):
        assert columns.printable(row) == row


@given(slips)
def test_a_slip_survives_being_stored(slip: Slip) -> None:
    plain = to_plain(slip)
    assert from_plain(plain) == slip
    assert all(type(value) in (str, int) for row in plain for value in row.values())


@pytest.mark.parametrize(
    ("plain", "complaint"),
    [
        ([{"row": "staple"}], "row 0: expected one of"),
        ([{}], "row 0: expected one of"),
        ([{"row": "rule"}, {"row": "text"}], "row 1:"),
        ([{"row": "text", "text": 5}], "expected str for 'text'"),
        ([{"row": "text", "text": "a", "colour": "red"}], "no 'colour'"),
        ([{"row": "text", "text": "a", "align": "up"}], "expected align"),
        ([{"row": "feed", "lines": 0}], "lines to feed"),
        ([{"row": ["text"]}], "row 0: expected one of"),
        (["text"], "row 0: expected one of"),
    ],
)
def test_what_is_no_slip_is_refused_with_the_row(plain: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        from_plain(plain)


@pytest.mark.parametrize("data", ["", "汉字", "a\nb", "x" * (QR_CODE_LIMIT + 1)])
def test_a_qr_code_holds_a_bounded_amount_of_printable_ascii(data: str) -> None:
    with pytest.raises(ValueError, match="QR code"):
        QRCode(data)
