"""What is particular to some slips: long kinds, parts, originals that are not here, stories, handovers."""

from __future__ import annotations

import pytest
from msgspec import structs

from devices import columns as grid
from devices.slip import Text
from posd.ledger.search import Counted
from posd.money.kinds import Side
from posd.receipts import LAYOUTS, slips
from posd.receipts.handover import handover_slip, sums
from posd.receipts.stories import story_slip
from tests.posd.receipts.test_receipts import SALE, configuration, copies, text

NOON = 43_200_000


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_kind_is_large_and_never_broken_within_a_word(kind: str) -> None:
    record = structs.replace(SALE, kind=kind)
    (_, slip), *_ = slips(record, configuration(), None)
    words = LAYOUTS[kind].kind.split("/")
    large = [row.text for row in slip.rows if isinstance(row, Text) and row.large]
    assert all(any(word in row for row in large) for word in words)
    assert all(grid.width(row) <= 16 for row in large)


def test_a_part_is_printed_with_what_was_asked_and_what_is_missing() -> None:
    part = structs.replace(SALE, approved_amount=5000, response_code="10")
    slip = " ".join(copies(part)["merchant"].split())
    assert "RMB 50.00 应收 RMB 123.45 实收 RMB 50.00 未收 RMB 73.45" in slip
    assert "部分批准" in slip


def test_what_was_approved_whole_says_nothing_of_parts() -> None:
    assert "应收" not in copies()["merchant"]


def test_an_original_that_is_not_here_is_named_as_the_clerk_named_it() -> None:
    request = {37: "000000000777", 61: "0000000000000514"}
    refund = structs.replace(SALE, kind="refund", request=request)
    slip = copies(refund)["merchant"]
    assert "原参考号 000000000777" in slip
    assert "原交易日期 0514" in slip
    request = {38: "A1B2C3", 61: "0000000000000514"}
    completion = structs.replace(SALE, kind="completion", request=request)
    assert "原授权码 A1B2C3" in copies(completion)["merchant"]


def test_a_story_is_no_receipt_and_shows_no_card_number() -> None:
    slip = text(story_slip(SALE, ("已发给收单机构", "应答 00"), configuration()))
    assert "交易查询单" in slip
    assert "不作付款凭证" in slip
    assert "622500******0014" in slip
    assert "持卡人签名" not in slip
    assert slip.index("已发给收单机构") < slip.index("应答 00")


def test_a_story_of_a_balance_inquiry_has_a_name_too() -> None:
    inquiry = structs.replace(SALE, kind="balance_inquiry", authorisation_code="")
    slip = text(story_slip(inquiry, (), configuration()))
    assert "余额查询/BALANCE" in slip
    assert "授权码" not in slip


COUNTED = (
    Counted("01", "pre_authorisation", 1, 10_000),
    Counted("01", "sale", 2, 12_000),
    Counted("02", "refund", 1, 500),
    Counted("02", "completion", 1, 3_000),
)


def test_a_handover_counts_each_operator_and_all_together() -> None:
    slip = " ".join(text(handover_slip(COUNTED, None, NOON, configuration())).split())
    assert slip.index("操作员号 01") < slip.index("消费 2笔 RMB 120.00") < slip.index("操作员号 02")
    assert "收款合计 3笔 RMB 150.00" in slip
    assert "退款合计 1笔 RMB 5.00" in slip
    assert "上次交班 无" in slip


def test_what_is_held_is_neither_taken_nor_given_back() -> None:
    assert sums(COUNTED[:1], Side.DEBIT) == sums(COUNTED[:1], Side.CREDIT) == (0, 0)


@pytest.mark.parametrize("columns", [32, 48])
def test_reports_fit_both_papers(columns: int) -> None:
    long = (Counted("01", "completion", 510, 5_100_000_000),)
    reports = (
        story_slip(SALE, ("x" * 80,), configuration()),
        handover_slip(long, NOON, NOON, configuration()),
    )
    for slip in reports:
        for line in text(slip, columns).splitlines():
            assert grid.width(line) <= columns
