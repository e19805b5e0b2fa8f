"""What the codes of element 39 mean."""

from __future__ import annotations

import pytest

from protocol.response_codes import CODES, ResponseClass, approves, asks_sign_in, keep_card, look_up
from protocol.transactions import ALL, BY_NAME, SALE

# Written out apart from the table: the numbers that no acquirer documents, then the letters.
UNUSED = {
    8,
    16,
    17,
    18,
    24,
    *range(26, 30),
    32,
    *range(46, 51),
    *range(69, 75),
    76,
    78,
    *range(80, 90),
}
DOCUMENTED = [f"{number:02d}" for number in range(100) if number not in UNUSED]
DOCUMENTED += [f"A{number}" for number in range(8)]


def test_every_documented_code_has_a_row():
    assert sorted(CODES) == DOCUMENTED
    assert all(row.code == code for code, row in CODES.items())


@pytest.mark.parametrize("code", DOCUMENTED)
def test_a_row_has_both_texts_and_says_what_to_do(code):
    row = CODES[code]
    assert row.zh
    assert not row.zh.isascii()
    assert row.en.isascii()
    assert row.action


@pytest.mark.parametrize(
    ("code", "zh"),
    [
        ("51", "可用余额不足"),
        ("55", "密码错"),
        ("02", "交易失败,请联系发卡行"),
        ("67", "没收卡,请联系收单行"),
        ("77", "请重新签到,再作交易"),
        ("A2", "交易成功,请向资金转入行确认"),
    ],
)
def test_a_code_has_the_usual_text(code, zh):
    assert look_up(code).zh == zh


@pytest.mark.parametrize("code", ["ZZ", "08", "  ", "a0", "\udcff?"])
def test_an_unknown_code_is_a_decline(code):
    row = look_up(code)
    assert (row.kind, row.zh) == (ResponseClass.DECLINE, "交易失败")
    assert not approves(code, SALE)


def test_financial_answers_approve_with_seven_codes_and_only_a_sale_in_part():
    for transaction in ALL:
        approving = {code for code in DOCUMENTED if approves(code, transaction)}
        if transaction.name == "sale":
            assert approving == {"00", "10", "11", "A2", "A4", "A5", "A6"}
        elif transaction.financial:
            assert approving == {"00", "11", "A2", "A4", "A5", "A6"}
        else:
            assert approving == {"00"}


def test_a_request_that_no_row_describes_is_approved_with_00_alone():
    assert [code for code in DOCUMENTED if approves(code, None)] == ["00"]


@pytest.mark.parametrize("name", ["reversal", "sign_in", "settlement", "batch_upload", "echo"])
def test_other_answers_are_approved_with_00_alone(name):
    assert [code for code in DOCUMENTED if approves(code, BY_NAME[name])] == ["00"]


def test_three_codes_ask_for_a_sign_in():
    assert [code for code in DOCUMENTED if asks_sign_in(code)] == ["77", "99", "A0"]


def test_eight_codes_keep_the_card():
    assert [code for code in DOCUMENTED if keep_card(code)] == [
        "04",
        "07",
        "34",
        "35",
        "37",
        "41",
        "43",
        "67",
    ]
