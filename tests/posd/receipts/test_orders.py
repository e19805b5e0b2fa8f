"""The note of an unpaid order and the report: what is on paper, and that neither is a slip of sale."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from devices.slip import Slip, lay_out
from posd.ledger.ledger import milliseconds
from posd.ledger.records import OrderRecord, OrderState, State, TransactionRecord
from posd.order_report import Group, Report
from posd.receipts.orders import note, report_slip
from posd.receipts.parts import TEST_MARK
from posd.settings import Configuration, HostSettings, TerminalSettings
from posd.testing.world import BEGINNING

AT = milliseconds(BEGINNING)
ORDER = OrderRecord(1, "000002", 12345, OrderState.UNPAID, AT, operator="01")
ATTEMPT = TransactionRecord(
    id=7,
    kind="sale",
    state=State.DECLINED,
    batch=1,
    batch_number="000001",
    stan="000012",
    amount=12345,
    operator="01",
    supervisor="",
    masked_card="622500******0014",
    entry_mode="021",
    created_at=AT,
    order=1,
    response_code="51",
)


@pytest.fixture
def configuration() -> Configuration:
    return Configuration(
        terminal=TerminalSettings(
            terminal_id="T0000001",
            merchant_id="M00000000000001",
            merchant_name="测试商户",
            state_directory=Path("/nowhere"),
        ),
        host=HostSettings(address="127.0.0.1", port=6000),
    )


def text(slip: Slip) -> str:
    """As the paper of a 58 mm printer has it."""
    return "\n".join(" ".join(row.split()) for row in lay_out(slip, 32))


def test_a_note_names_the_order_and_what_happened(configuration: Configuration) -> None:
    paper = text(note(ORDER, [ATTEMPT], configuration))
    for expected in ("未支付凭条", "000002", "123.45", "凭证号 000012", "未成功 51"):
        assert expected in paper
    assert "未付款 不是签购单" in paper
    assert "签名" not in paper
    assert "成功\n" not in paper.replace("未成功", "")


def test_a_note_of_an_order_that_nobody_tried_to_pay_says_so(configuration: Configuration) -> None:
    assert "没有刷卡付款" in text(note(ORDER, [], configuration))


def test_a_note_of_an_order_that_is_paid_in_part_says_what_is_due(
    configuration: Configuration,
) -> None:
    paper = text(note(structs.replace(ORDER, paid=5000), [], configuration))
    assert "已收 RMB 50.00" in paper
    assert "未收 RMB 73.45" in paper


def test_every_state_of_an_attempt_has_words(configuration: Configuration) -> None:
    for state in State:
        attempt = structs.replace(ATTEMPT, state=state, response_code="")
        assert note(ORDER, [attempt], configuration).rows


def test_paper_of_a_test_terminal_says_so_twice(configuration: Configuration) -> None:
    terminal = TerminalSettings(
        terminal_id="T0000001",
        merchant_id="M00000000000001",
        merchant_name="测试商户",
        state_directory=Path("/nowhere"),
        test_host=True,
    )
    test = Configuration(terminal=terminal, host=configuration.host)
    for slip in (note(ORDER, [], test), report_slip(Report(AT, AT + 1, ()), test)):
        assert list(slip.rows).count(TEST_MARK) == 2


def test_a_report_sums_by_operator_and_names_each_order(configuration: Configuration) -> None:
    other = structs.replace(ORDER, id=2, number="000003", operator="02", amount=100)
    cancelled = structs.replace(
        ORDER, id=3, number="000004", state=OrderState.CANCELLED, closed_by="01", reason="2"
    )
    expired = structs.replace(cancelled, id=4, number="000005", closed_by="posd", reason="expired")
    groups = (Group("unpaid", (ORDER, other)), Group("cancelled", (cancelled, expired)))
    paper = text(report_slip(Report(AT, AT + 60_000, groups), configuration))
    for expected in (
        "操作员 01 1笔 123.45", "操作员 02 1笔 1.00", "合计 2笔 124.45", "000003 1.00",
        "000004 重复订单 123.45", "操作员 posd 1笔", "000005 过期自动取消",
    ):  # fmt: skip
        assert expected in paper, paper


def test_a_long_report_lists_a_hundred_orders_and_says_how_many_there_are(
    configuration: Configuration,
) -> None:
    many = tuple(structs.replace(ORDER, number=f"{n:06d}") for n in range(1, 251))
    paper = text(report_slip(Report(AT, AT + 1, (Group("unpaid", many),)), configuration))
    assert "合计 250笔" in paper
    assert "000100" in paper
    assert "000101" not in paper
    assert "还有 150 笔 见CSV" in paper
