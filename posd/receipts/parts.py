"""Rows that every kind of slip begins or ends with, and the marks that go over it."""

from __future__ import annotations

from typing import Final

from devices import columns as grid
from devices.slip import Cut, Pair, Row, Rule, Slip, Text
from posd.settings import Configuration

DUPLICATED: Final = Text("重打印凭证/DUPLICATED", "centre", bold=True)
TEST_MARK: Final = Text("测试 无效 TEST VOID", "centre", bold=True)


def as_duplicate(slip: Slip) -> Slip:
    """The same slip marked 重打印凭证/DUPLICATED, once, above what is signed."""
    if DUPLICATED in slip.rows:
        return slip
    last_rule = max(
        (index for index, row in enumerate(slip.rows) if isinstance(row, Rule)), default=0
    )
    return Slip((*slip.rows[:last_rule], DUPLICATED, *slip.rows[last_rule:]))


def who(configuration: Configuration) -> list[Row]:
    """Merchant and terminal."""
    terminal = configuration.terminal
    return [
        Text(f"商户名称 {grid.printable(terminal.merchant_name)}"),
        Pair("商户编号", terminal.merchant_id),
        Pair("终端编号", terminal.terminal_id),
    ]


def hotline(configuration: Configuration) -> list[Row]:
    """Whom to call, where that is known."""
    number = configuration.terminal.hotline
    return [Pair("服务热线", grid.printable(number))] if number else []


def finished(rows: list[Row], configuration: Configuration) -> Slip:
    """With the test marks at top and bottom, and the cut."""
    if configuration.terminal.test_host:
        rows = [TEST_MARK, *rows, TEST_MARK]
    return Slip((*rows, Cut()))
