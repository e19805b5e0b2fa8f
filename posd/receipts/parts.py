"""Rows that every kind of slip begins or ends with, and the marks that go over it."""

from __future__ import annotations

from typing import Final

from devices import columns as grid
from devices.slip import Cut, Pair, Row, Rule, Slip, Text
from posd.settings import Configuration

DUPLICATED: Final = Text("重打印凭证/DUPLICATED", "centre", bold=True)
TEST_MARK: Final = Text("测试 无效 TEST VOID", "centre", bold=True)
TRAINING_MARK: Final = Text("培训 无效 TRAINING", "centre", large=True)


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
    if configuration.is_training:
        rows = [TRAINING_MARK, *rows, TRAINING_MARK]
    elif configuration.terminal.test_host:
        rows = [TEST_MARK, *rows, TEST_MARK]
    return Slip((*rows, Cut()))


def as_training(slip: Slip) -> Slip:
    """The same slip with 培训 无效 at top and bottom, whoever made it; once."""
    if slip.rows[:1] == (TRAINING_MARK,):
        return slip
    body = tuple(row for row in slip.rows if row != TEST_MARK)
    cut = body[-1:] if isinstance(body[-1], Cut) else ()
    return Slip((TRAINING_MARK, *body[: len(body) - len(cut)], TRAINING_MARK, *cut))
