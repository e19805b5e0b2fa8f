"""What is printed about orders: a note that one is not paid, and the report. Neither is a slip of sale.

Pure, as posd.receipts: it holds no card data but the masked numbers of attempts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from devices.slip import Pair, Row, Rule, Slip, Text
from posd.ledger.ledger import Ledger, moment
from posd.ledger.records import OrderRecord, OrderState, TransactionRecord
from posd.order_report import Group, Report, report
from posd.receipts.parts import finished, who
from posd.settings import Configuration
from posd.texts import amount_text, catalogue
from protocol.response_codes import look_up

NOTE: Final = "order"
REPORT: Final = "order_report"
"""Names of copies in the print queue."""

_MOST_LISTED: Final = 100
_GROUPS: Final = {
    "unpaid": "未支付 UNPAID",
    "held": "挂单 HELD",
    "cancelled": "已取消 CANCELLED",
    "paid_otherwise": "其他方式已付 PAID OTHERWISE",
}


def note(
    order: OrderRecord, attempts: Iterable[TransactionRecord], configuration: Configuration
) -> Slip:
    """未支付凭条: number, amount, what happened in words. On request, for a customer who asks."""
    texts = catalogue("zh_CN")
    rows: list[Row] = [
        Text("未支付凭条", "centre", large=True),
        Text("UNPAID ORDER", "centre"),
        *who(configuration),
        Pair("订单号", order.number),
        Pair("日期/时间", f"{moment(order.created_at):%Y-%m-%d %H:%M:%S}"),
        Pair("金额", f"RMB {amount_text(order.amount)}", large=True),
    ]
    if order.paid:
        rows += [
            Pair("已收", f"RMB {amount_text(order.paid)}"),
            Pair("未收", f"RMB {amount_text(order.due)}", large=True),
        ]
    rows.append(Text("经过 WHAT HAPPENED"))
    happened = [
        row
        for attempt in attempts
        for row in (
            Text(f"{moment(attempt.created_at):%H:%M} 凭证号 {attempt.stan} {attempt.masked_card}"),
            Text(f"  {texts.text(f'line.last_{attempt.state}')} {_answer(attempt)}".rstrip()),
        )
    ]
    rows += happened or [Text("没有刷卡付款")]
    rows += [
        Rule(),
        Text("未付款 不是签购单", "centre", bold=True),
        Text("NOT PAID - NOT A SALES SLIP", "centre"),
    ]
    return finished(rows, configuration)


def report_slip(made: Report, configuration: Configuration) -> Slip:
    """Each group by operator, its sum, and its orders."""
    rows: list[Row] = [
        Text("订单报表", "centre", large=True),
        Text("ORDER REPORT", "centre"),
        *who(configuration),
        Pair("从", f"{moment(made.since):%Y-%m-%d %H:%M}"),
        Pair("到", f"{moment(made.until):%Y-%m-%d %H:%M}"),
    ]
    for group in made.groups:
        rows += [Rule(), Text(_GROUPS[group.name], bold=True), *_group(group)]
    return finished(rows, configuration)


def settlement_report(ledger: Ledger, batch: int, configuration: Configuration) -> Slip:
    """The report of the time of one batch."""
    since, until = ledger.batches.time_of(batch)
    return report_slip(report(ledger, since, until), configuration)


def _group(group: Group) -> list[Row]:
    rows: list[Row] = [
        Pair(f"操作员 {share.operator or '--'}  {share.count}笔", amount_text(share.amount))
        for share in group.shares
    ]
    rows.append(Pair(f"合计 {len(group.orders)}笔", amount_text(group.total)))
    rows += [_line(order) for order in group.orders[:_MOST_LISTED]]
    more = len(group.orders) - _MOST_LISTED
    if more > 0:
        rows.append(Text(f"还有 {more} 笔 见CSV"))
    return rows


def _line(order: OrderRecord) -> Row:
    """Number, what it says beside it, amount."""
    texts = catalogue("zh_CN")
    open_order = order.state is OrderState.UNPAID
    word = order.label
    for name in (f"menu.reason_{order.reason}", f"menu.means_{order.reason}"):
        if order.reason and texts.has(name):
            word = texts.text(name)
    if order.reason in {"expired", "not_paid"}:
        word = texts.text(f"line.reason_{order.reason}")
    return Pair(
        f"{order.number} {word}".rstrip(), amount_text(order.due if open_order else order.amount)
    )


def _answer(attempt: TransactionRecord) -> str:
    code = attempt.response_code
    return f"{code} {look_up(code).zh}" if code not in ("", "00") else ""
