"""The end of a terminal: settled, its card numbers erased, its keys gone, and a report of what there was."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from devices.slip import Slip, Text
from posd.ledger.backup import sync
from posd.ledger.ledger import Ledger, moment
from posd.ledger.records import OrderRecord, State
from posd.ledger.retirement import retire, retirement_of
from posd.moving import MoveRefused, mark_retired, obstacles
from posd.settings import Configuration
from posd.texts import amount_text

_STAMP: Final = "%Y-%m-%d %H:%M:%S"
_NAMED_AT_MOST: Final = 10  # orders in one line


def close_down(
    ledger: Ledger,
    configuration: Configuration,
    observe: Callable[[str], None] = lambda _step: None,
    *,
    although_unpaid: bool = False,
) -> list[str]:
    """Retire this ledger for good and erase its card numbers; the lines of the report. Closes the ledger.

    Repeated after a power cut it ends what was begun. A terminal whose data has moved is closed this way too.
    although_unpaid: orders that nobody has paid do not keep it open. Raises MoveRefused, LedgerError.
    """
    try:
        before = retirement_of(ledger)
        if before is None and (found := obstacles(ledger)):
            raise MoveRefused(f"{'; '.join(found)}: let the terminal finish and settle first")
        if before is None and ledger.settings.get("restored", False):
            raise MoveRefused("this ledger was restored: a supervisor must confirm its list first")
        if before is None and not although_unpaid and (unpaid := _unpaid(ledger)):
            raise MoveRefused(_about_unpaid(unpaid))
        if before is None or before.why != "closed":
            retire(ledger, "closed")
            observe("retired")
        mark_retired(Path(ledger.path))
        ledger.forget_erased()
        return report(ledger, configuration)
    finally:
        ledger.close()


def _unpaid(ledger: Ledger) -> list[OrderRecord]:
    """Oldest first, held ones too; none of a ledger that moved: they are paid at the other terminal."""
    if any(what == "terminal_moved" for _, _, what, _ in ledger.audit.entries()):
        return []
    orders = [*ledger.orders.unpaid(held=False), *ledger.orders.unpaid(held=True)]
    return sorted(orders, key=lambda order: order.id)


def _about_unpaid(unpaid: Sequence[OrderRecord]) -> str:
    named = ", ".join(order.number for order in unpaid[:_NAMED_AT_MOST])
    more = ", ..." if len(unpaid) > _NAMED_AT_MOST else ""
    due = amount_text(sum(order.due for order in unpaid))
    return (
        f"{len(unpaid)} orders are not paid, {due} in all (order {named}{more}):"
        " take the money or cancel them first (menu 5, 1; held ones 5, 3), or close with --unpaid-orders"
    )


def report(ledger: Ledger, configuration: Configuration) -> list[str]:
    """What there was, at most 32 columns wide; no card numbers."""
    terminal = configuration.terminal
    retirement = retirement_of(ledger)
    assert retirement is not None
    counts = ledger.transactions.count_by_state()
    lines = [
        "终端停用报告 / TERMINAL CLOSED",
        f"商户 {terminal.merchant_name}",
        f"商户编号 {terminal.merchant_id}",
        f"终端编号 {terminal.terminal_id}",
        f"停用时间 {moment(retirement.at):{_STAMP}}",
        f"末批次号 {ledger.counters.batch_number}",
        "交易 / TRANSACTIONS",
        *(f"  {state.value:12} {count:8}" for state, count in sorted(Counter(counts).items())),
    ]
    cases = ledger.transactions.in_states(State.UNRESOLVED)
    if cases:
        lines.append("未决 / UNRESOLVED")
        lines += [
            f"  {case.stan} {amount_text(case.amount):>11} {moment(case.created_at):%m-%d %H:%M}"
            for case in cases
        ]
    unpaid = _unpaid(ledger)
    if unpaid:
        lines.append(f"未付订单 / UNPAID ORDERS {len(unpaid)}")
        lines += [
            f"  {order.number} {amount_text(order.due):>11} {moment(order.created_at):%m-%d %H:%M}"
            for order in unpaid
        ]
    return [*lines, "密钥销毁 / KEYS TO BE WIPED"]


def as_slip(lines: list[str]) -> Slip:
    """The report on paper."""
    return Slip(tuple(Text(line) for line in lines))


def wipe(files: Sequence[Path]) -> None:
    """Overwrite keys' files with digits that are no keys, then take them away. Raises OSError.

    The device key comes first among them and is overwritten last: as long as it is there, a closing that was
    interrupted can be ended. Not guaranteed: that flash memory keeps no older copy; what was sealed under the
    device key is erased by then.
    """
    for file in reversed(files):
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            os.write(descriptor, secrets.token_hex(size)[:size].encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    for file in files:
        file.unlink()
        sync(file.parent)
