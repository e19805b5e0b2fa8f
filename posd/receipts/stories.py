"""交易查询单: what the ledger knows of a transaction, for a customer who asks. No receipt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from devices import columns as grid
from devices.slip import Pair, Row, Rule, Slip, Text
from posd.ledger.ledger import moment
from posd.ledger.records import TransactionRecord
from posd.receipts.layouts import LAYOUTS
from posd.receipts.parts import finished, hotline, who
from posd.settings import Configuration
from posd.texts import amount_text

STORY: Final = "story"
"""The copy's name in the ledger."""


def story_slip(
    record: TransactionRecord, told: Iterable[str], configuration: Configuration
) -> Slip:
    """told: the story in the terminal's language, a line each."""
    layout = LAYOUTS.get(record.kind)
    amount = record.booked_amount
    rows: list[Row] = [
        Text("交易查询单", "centre", large=True),
        Text("ENQUIRY", "centre"),
        *who(configuration),
        Pair("交易类型", layout.kind if layout else "余额查询/BALANCE"),
        Pair("批次号", record.batch_number),
        Pair("凭证号", record.stan),
        Pair("卡号", record.masked_card),
        *_named("授权码", record.authorisation_code),
        *_named("参考号", record.retrieval_reference),
        Pair("日期/时间", f"{moment(record.created_at):%Y-%m-%d %H:%M:%S}"),
        Pair("金额", f"RMB {amount_text(amount)}"),
        Rule(),
        *(Text(line) for line in told),
        Rule(),
        *hotline(configuration),
        Text("查询结果 不作付款凭证", "centre", bold=True),
    ]
    return finished(rows, configuration)


def _named(label: str, value: str) -> list[Row]:
    text = grid.printable(value)
    return [Pair(label, text)] if text else []
