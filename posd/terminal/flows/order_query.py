"""查询: any order, archived too; its story, its note, and 改回未付 of one that was not paid at all."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from posd.ledger.ledger import moment
from posd.ledger.order_rules import Action
from posd.order_report import day_of
from posd.terminal.amounts import say_amount_is_zero
from posd.terminal.choices import Item, choice, is_digit, reason_choice, say_no_item
from posd.terminal.exchange import SLIPS
from posd.terminal.fields import DATE, is_no_date, say_is_no_date, text_rows
from posd.terminal.flows.order_approval import decision
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble
from posd.terminal.order_finding import (
    amount_is_zero,
    amount_step,
    begin_amount,
    begin_number,
    number_step,
)
from posd.terminal.order_lists import (
    found_orders,
    has_note,
    is_unpaid,
    list_rows,
    list_screen,
    order_screen,
    print_note,
    say_no_note,
    want,
)
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

BACK_REASONS: Final = ("1", "2", "3")


def date_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.order_date"),
        (dialogue.form.date or dialogue.text("line.order_date_wanted"),),
        dialogue.text("hint.confirm_cancel"),
    )


def begin_date(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.date = ""


def keep_amount(dialogue: Dialogue, _event: object) -> None:
    wanted = dialogue.form.orders
    wanted.amount, wanted.since, wanted.until = dialogue.form.amount, None, None
    dialogue.form.order = None


def keep_date(dialogue: Dialogue, _event: object) -> None:
    """The newest day with this month and day that is not in the future."""
    wanted, now = dialogue.form.orders, dialogue.ledger.now()
    month, day = int(dialogue.form.date[:2]), int(dialogue.form.date[2:])
    each = moment(now)
    while (each.month, each.day) != (month, day):
        each -= timedelta(days=1)
    wanted.since, wanted.until = day_of(now - int((moment(now) - each).total_seconds()) * 1000)
    dialogue.form.order = None


def shown_screen(dialogue: Dialogue) -> Screen:
    unpaid = is_unpaid(dialogue, None)
    return order_screen("hint.order_unpaid" if unpaid else "hint.order_closed", dialogue)


def begin_set_back(dialogue: Dialogue, event: object) -> None:
    want(Action.SET_BACK, dialogue, event)


BY = choice(
    "by",
    "title.order_query",
    (
        Item("1", "menu.by_number", "number", begin_number),
        Item("2", "menu.by_amount", "amount", begin_amount),
        Item("3", "menu.by_date", "date", begin_date),
    ),
    help="order_query",
)

FINDING = (
    number_step("shown"),
    amount_step(
        "list",
        keep_amount,
        "hint.confirm_cancel",
        Row("amount", "confirm", amount_is_zero, STAY, say_amount_is_zero),
    ),
    Part(
        (
            Step("date", date_screen, help="order_date"),
            Step(
                "list",
                partial(list_screen, found_orders, "title.orders_found", "hint.confirm_read"),
                help="orders_found",
            ),
            Step("shown", shown_screen, help="order_shown"),
        ),
        (
            *text_rows("date", DATE),
            Row("date", "confirm", is_no_date, STAY, say_is_no_date),
            Row("date", "confirm", None, "list", keep_date),
            *list_rows("list", found_orders, "shown"),
            Row("shown", "digit", has_note, SLIPS, print_note),
            Row("shown", "digit", partial(is_digit, "1"), STAY, say_no_note),
            Row("shown", "digit", partial(is_digit, "2"), STAY, begin_set_back),
            Row("shown", "digit", None, STAY, say_no_item),
            Row("shown", "confirm", is_unpaid, "orders.actions"),
            Row("shown", "confirm", None, IDLE),
            Row("shown", "next", None, "back"),
        ),
    ),
)

FLOW = assemble(
    "order_query",
    BY,
    *FINDING,
    reason_choice(
        "back", "title.order_back", {digit: f"menu.back_{digit}" for digit in BACK_REASONS}
    ),
    Part((), (Row("back", "next", None, "decide"),)),
    *decision("shown"),
    before="menu.orders",
)
