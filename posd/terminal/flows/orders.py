"""未支付订单: the list with its filters, and what can be done with one of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd.ledger.order_rules import Action
from posd.ledger.records import OrderState
from posd.order_report import day_of
from posd.terminal import choices
from posd.terminal.amounts import TERMINAL_LIMIT, say_amount_is_zero
from posd.terminal.choices import Item, choice, is_digit, say_no_item
from posd.terminal.exchange import BLOCKED, SLIPS, is_closed, keep_closed
from posd.terminal.fields import amount_rows
from posd.terminal.flows.order_approval import decision
from posd.terminal.flows.unpaid_order import ask_reason
from posd.terminal.machine import STAY, Part, Row, Step, assemble
from posd.terminal.order_finding import (
    amount_is_zero,
    amount_step,
    begin_amount,
    begin_number,
    number_step,
)
from posd.terminal.order_lists import (
    list_rows,
    list_screen,
    order_of,
    order_screen,
    print_note,
    take_for_payment,
    the_order,
    unpaid_orders,
    want,
    wants,
)
from posd.terminal.screens import Screen, tail
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

CARD: Final = "sale.card"
LABEL: Final = "hold.label"
MEANS: Final = ("cash", "other")
_HOUR: Final = 3_600_000


# --- the list and its filters ---------------------------------------------------------------------


def names_closed_order(dialogue: Dialogue, _event: object) -> bool:
    order = order_of(dialogue)
    return order is not None and order.state is not OrderState.UNPAID


def say_closed(dialogue: Dialogue, _event: object) -> None:
    order = order_of(dialogue)
    assert order is not None
    if dialogue.ledger.orders.obstacle(order.id, Action.SET_BACK) is None:
        dialogue.say("say.order_is_paid_otherwise")  # there is no transaction to void
    else:
        dialogue.say(f"say.order_is_{order.state}")


def filter_by_amount(dialogue: Dialogue, _event: object) -> None:
    """Nothing typed: any amount."""
    dialogue.form.orders.amount = dialogue.form.amount
    dialogue.form.order = None


def filter_by_time(when: str, dialogue: Dialogue, _event: object) -> None:
    form, now = dialogue.form, dialogue.ledger.now()
    today, _ = day_of(now)
    form.orders.since = {"hour": now - _HOUR, "today": today}.get(when)
    form.orders.until = today if when == "earlier" else None
    form.order = None


# --- what can be done with one --------------------------------------------------------------------

ITEMS: Final = (
    Item("1", "menu.order_pay", STAY, partial(want, Action.PAY)),
    Item("2", "menu.order_amend", STAY, partial(want, Action.AMEND)),
    Item("3", "menu.order_paid_otherwise", STAY, partial(want, Action.PAID_OTHERWISE)),
    Item("4", "menu.order_cancel", STAY, partial(want, Action.CANCEL)),
    Item("5", "menu.order_note", SLIPS, print_note),
    Item("6", "menu.order_hold", STAY, partial(want, Action.HOLD)),
    Item("7", "menu.order_details", "details"),
)


def actions_screen(dialogue: Dialogue) -> Screen:
    """What can be done, under the order's number and what is due."""
    order = the_order(dialogue)
    due = amount_text(order.due)
    number = tail(order.number, dialogue.columns - len(due) - 1)
    screen = choices.list_screen("title.order_actions", ITEMS, dialogue)
    return Screen(f"{number} {due}", screen.body, screen.hint, screen.selected)


def wants_to_pay_when_closed(dialogue: Dialogue, event: object) -> bool:
    return wants(Action.PAY, dialogue, event) and is_closed(dialogue, event)


def amend_screen(dialogue: Dialogue) -> Screen:
    was = amount_text(the_order(dialogue).amount)
    return Screen(
        dialogue.text("title.order_amend"),
        (
            dialogue.text("line.order_was", amount=was),
            dialogue.text("line.amount", amount=amount_text(dialogue.form.amount)),
        ),
        dialogue.text("hint.confirm_cancel"),
    )


def is_above_limit(dialogue: Dialogue, _event: object) -> bool:
    limit = TERMINAL_LIMIT.amount(dialogue)
    return limit is not None and dialogue.form.amount > limit


def say_above_limit(dialogue: Dialogue, _event: object) -> None:
    limit = TERMINAL_LIMIT.amount(dialogue) or 0
    dialogue.say(TERMINAL_LIMIT.say, limit=amount_text(limit))


def is_paid_already(dialogue: Dialogue, _event: object) -> bool:
    """Is the new amount not above what has been received?"""
    return dialogue.form.amount <= the_order(dialogue).paid


def say_paid_already(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.order_paid_more", amount=amount_text(the_order(dialogue).paid))


def take_means(means: str, dialogue: Dialogue, _event: object) -> None:
    dialogue.form.reason = means


def begin_label(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.label = ""


# --- the rows -------------------------------------------------------------------------------------

_LISTED = partial(list_screen, unpaid_orders, "title.orders_unpaid", "hint.orders")
_ACTIONS = choice("actions", "title.order_actions", ITEMS, help="order_actions")
_REASONS = ask_reason("reason")

LIST = Part(
    (Step("list", _LISTED, help="orders"),),
    (
        Row("list", "digit", partial(is_digit, "1"), "number", begin_number),
        Row("list", "digit", partial(is_digit, "2"), "amount", begin_amount),
        Row("list", "digit", partial(is_digit, "3"), "time"),
        Row("list", "digit", None, STAY, say_no_item),
        *list_rows("list", unpaid_orders, "actions"),
    ),
)

FILTERS = (
    number_step("actions", Row("number", "confirm", names_closed_order, STAY, say_closed)),
    amount_step("list", filter_by_amount, "hint.zero_is_all"),
    choice(
        "time",
        "title.order_time",
        tuple(
            Item(digit, f"menu.time_{when}", "list", partial(filter_by_time, when))
            for digit, when in (("1", "hour"), ("2", "today"), ("3", "earlier"), ("4", "any"))
        ),
        help="order_time",
    ),
)

DOING = (
    Part((_ACTIONS.steps[0]._replace(screen=actions_screen),), _ACTIONS.rows),
    Part(
        (
            Step("details", partial(order_screen, "hint.confirm"), help="order_details"),
            Step("amend", amend_screen, help="order_amend"),
        ),
        (
            Row("actions", "next", wants_to_pay_when_closed, BLOCKED, keep_closed),
            Row("actions", "next", partial(wants, Action.PAY), CARD, take_for_payment),
            Row("actions", "next", partial(wants, Action.AMEND), "amend", begin_amount),
            Row("actions", "next", partial(wants, Action.PAID_OTHERWISE), "means"),
            Row("actions", "next", partial(wants, Action.HOLD), LABEL, begin_label),
            Row("actions", "next", None, "reason"),
            Row("details", "confirm", None, "actions"),
            *amount_rows("amend"),
            Row("amend", "confirm", amount_is_zero, STAY, say_amount_is_zero),
            Row("amend", "confirm", is_above_limit, STAY, say_above_limit),
            Row("amend", "confirm", is_paid_already, STAY, say_paid_already),
            Row("amend", "confirm", None, "decide"),
        ),
    ),
    choice(
        "means",
        "title.order_means",
        tuple(
            Item(str(digit), f"menu.means_{means}", "decide", partial(take_means, means))
            for digit, means in enumerate(MEANS, start=1)
        ),
        help="order_means",
    ),
    _REASONS,
    Part((), (Row("reason", "next", None, "decide"),)),
)

FLOW = assemble("orders", LIST, *FILTERS, *DOING, *decision("list"), before="menu.orders")
