"""The menu: what there is is data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd import VERSION
from posd.batch_slips import DETAILS, SUMMARY
from posd.terminal.choices import Item, choice
from posd.terminal.flows.lock import LOCKED, lock
from posd.terminal.flows.reprint import choose_last
from posd.terminal.flows.settlement import LAST_SETTLEMENT, TO_PRINT, wants
from posd.terminal.flows.sign_in import SIGN_IN, start_sign_off
from posd.terminal.machine import Part, Step, assemble, result_seconds
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

MENUS: Final[dict[str, tuple[Item, ...]]] = {
    "main": (
        Item("1", "menu.void", "void.password"),
        Item("2", "menu.refund", "refund.password", business=True),
        Item("3", "menu.pre_authorisations", "pre_authorisations"),
        Item("4", "menu.balance", "balance.card", business=True),
        Item("5", "menu.orders", "orders"),
        Item("6", "menu.print", "print"),
        Item("7", "menu.settlement", "settlement.totals"),
        Item("8", "menu.query", "query"),
        Item("9", "menu.manage", "manage"),
    ),
    "pre_authorisations": (
        Item("1", "menu.pre_authorisation", "pre_authorisation.amount", business=True),
        Item("2", "menu.completion", "completion.card", business=True),
        Item("3", "menu.pre_authorisation_void", "pre_authorisation_void.voucher", business=True),
        Item("4", "menu.completion_void", "completion_void.password", business=True),
        Item("5", "menu.completion_notice", "completion_notice.card", business=True),
    ),
    "orders": (
        Item("1", "menu.orders_unpaid", "orders.list"),
        Item("2", "menu.order_hold", "hold.amount"),
        Item("3", "menu.orders_held", "held.list"),
        Item("4", "menu.order_query", "order_query.by"),
        Item("5", "menu.order_reports", "order_reports.period"),
        Item("6", "menu.order_approval", "order_approval.list"),
    ),
    "query": (
        Item("1", "menu.query_voucher", "query.voucher"),
        Item("2", "menu.query_card", "query.card"),
        Item("3", "menu.query_amount", "query.amount"),
        Item("4", "menu.journal", "query.list"),
        Item("5", "menu.in_doubt", "in_doubt.list"),
    ),
    "print": (
        Item("1", "menu.reprint_last", "reprint.last", choose_last),
        Item("2", "menu.reprint_any", "reprint.voucher"),
        Item("3", "menu.print_details", TO_PRINT, partial(wants, DETAILS)),
        Item("4", "menu.print_summary", TO_PRINT, partial(wants, SUMMARY)),
        Item("5", "menu.print_settlement", TO_PRINT, partial(wants, LAST_SETTLEMENT)),
        Item("6", "menu.handover", "handover.totals"),
        Item("7", "menu.kept_slips", "kept.offer"),
    ),
    "manage": (
        Item("1", "menu.sign_in", SIGN_IN),
        Item("2", "menu.sign_off", "sign_in.leaving", start_sign_off),
        Item("3", "menu.operators", "operators.password"),
        Item("4", "menu.password_change", "password_change.number"),
        Item("5", "menu.lock", LOCKED, lock),
        Item("6", "menu.training", "training.door"),
        Item("7", "menu.device_check", "device_check.what"),
        Item("8", "menu.version", "version"),
        Item("9", "menu.shutdown", "shutdown.password"),
    ),
}
"""Every menu by the name of its step, its first item at the top."""


def version_screen(dialogue: Dialogue) -> Screen:
    terminal = dialogue.configuration.terminal
    return Screen(
        dialogue.text("title.version", version=VERSION),
        (dialogue.text("line.terminal", terminal=terminal.terminal_id), terminal.merchant_id),
        dialogue.text("hint.cancel"),
    )


FLOW = assemble(
    "menu",
    *(choice(menu, f"title.menu_{menu}", items, help="menu") for menu, items in MENUS.items()),
    Part((Step("version", version_screen, result_seconds, help="version"),), ()),
)
