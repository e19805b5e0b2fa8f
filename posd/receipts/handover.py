"""交接班单: what each operator took since the last handover, for those who come and those who go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from devices.slip import Feed, Pair, Row, Rule, Slip, Text
from posd.ledger.ledger import moment
from posd.ledger.search import Counted
from posd.money.kinds import KINDS, Side
from posd.receipts.layouts import LAYOUTS
from posd.receipts.parts import finished, who
from posd.settings import Configuration
from posd.texts import amount_text

HANDOVER: Final = "handover"
"""The copy's name in the ledger."""


def sums(counted: Sequence[Counted], side: Side) -> tuple[int, int]:
    """How many count on this side, and what they come to (fen)."""
    rows = [row for row in counted if KINDS[row.kind].side is side]
    return sum(row.count for row in rows), sum(row.amount for row in rows)


def handover_slip(
    counted: Sequence[Counted], since: int | None, until: int, configuration: Configuration
) -> Slip:
    """counted is by operator; since is None when there was no handover before (milliseconds)."""
    rows: list[Row] = [
        Text("交接班单", "centre", large=True),
        Text("SHIFT HANDOVER", "centre"),
        *who(configuration),
        Pair("上次交班", "无" if since is None else f"{moment(since):%Y-%m-%d %H:%M:%S}"),
        Pair("本次交班", f"{moment(until):%Y-%m-%d %H:%M:%S}"),
    ]
    for operator, group in groupby(counted, key=lambda row: row.operator):
        rows += [Rule(), Pair("操作员号", operator, bold=True), *map(_kind, group)]
    rows += [
        Rule(),
        _sum("收款合计", sums(counted, Side.DEBIT)),
        _sum("退款合计", sums(counted, Side.CREDIT)),
        Feed(1),
        Text("交班人签名"),
        Feed(2),
        Text("接班人签名"),
        Feed(2),
    ]
    return finished(rows, configuration)


def _kind(row: Counted) -> Row:
    chinese, _, _ = LAYOUTS[row.kind].kind.partition("/")
    return _sum(chinese, (row.count, row.amount))


def _sum(label: str, counted: tuple[int, int]) -> Row:
    count, amount = counted
    return Pair(f"{label} {count}笔", f"RMB {amount_text(amount)}")
