"""挂单 parks an order under a label (a table, a telephone number); 解挂 takes it up again and pays it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd.ledger.order_rules import Action
from posd.ledger.orders import LABEL_DIGITS
from posd.terminal.choices import is_digit, say_no_item
from posd.terminal.exchange import BLOCKED, keep_closed
from posd.terminal.fields import TextField, amount_rows, has_something, text_rows
from posd.terminal.flows.orders import (
    CARD,
    is_above_limit,
    say_above_limit,
    wants_to_pay_when_closed,
)
from posd.terminal.flows.sale import say_order_stays
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble
from posd.terminal.order_finding import amount_is_zero
from posd.terminal.order_lists import (
    held_orders,
    is_retired,
    list_rows,
    list_screen,
    say_obstacle,
    say_retired,
    take_for_payment,
    take_order,
    the_order,
    unpaid_orders,
    want,
)
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

LABEL: Final = TextField("label", LABEL_DIGITS)


# --- 挂单 -----------------------------------------------------------------------------------------


def amount_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.hold_amount"),
        (dialogue.text("line.amount", amount=amount_text(dialogue.form.amount)),),
        dialogue.text("hint.empty_is_list"),
    )


def make_order(dialogue: Dialogue, _event: object) -> None:
    """As in a sale: from the confirmed amount on there is an order."""
    form, ledger = dialogue.form, dialogue.ledger
    with ledger.commit("order"):
        number = ledger.counters.next_stan()
        form.order = ledger.orders.create(
            number, form.amount, ledger.now(), dialogue.money.operator
        )
    take_order(dialogue, ledger.orders.get(form.order))


def label_screen(dialogue: Dialogue) -> Screen:
    form = dialogue.form
    return Screen(
        dialogue.text("title.hold_label"),
        (
            dialogue.text("line.order", voucher=form.order_number),
            form.label or dialogue.text("line.label_wanted"),
        ),
        dialogue.text("hint.confirm_cancel"),
    )


def has_label(dialogue: Dialogue, event: object) -> bool:
    return has_something(LABEL, dialogue, event)


def hold(dialogue: Dialogue, _event: object) -> None:
    form, ledger = dialogue.form, dialogue.ledger
    order = the_order(dialogue)
    with ledger.commit("order_held"):
        obstacle = ledger.orders.hold(order.id, form.label, ledger.now(), dialogue.money.operator)
    if obstacle is None:
        dialogue.say("say.order_parked", label=form.label)
    else:
        say_obstacle(dialogue, obstacle)


def say_label_missing(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.label_missing")


_UNPAID = partial(list_screen, unpaid_orders, "title.orders_unpaid", "hint.choose")

HOLD = assemble(
    "hold",
    Part(
        (
            Step("amount", amount_screen, returns=False, help="hold"),
            Step("pick", _UNPAID, returns=False, help="hold_pick"),
            Step("label", label_screen, returns=False, help="hold_label"),
        ),
        (
            *amount_rows("amount"),
            Row("amount", "clear", None, "menu.orders"),
            Row("amount", "confirm", amount_is_zero, "pick"),
            Row("amount", "confirm", is_above_limit, STAY, say_above_limit),
            Row("amount", "confirm", is_retired, STAY, say_retired),
            Row("amount", "confirm", None, "label", make_order),
            Row("pick", "clear", None, "amount"),
            *list_rows("pick", unpaid_orders, "label"),
            *text_rows("label", LABEL),
            Row("label", "confirm", has_label, IDLE, hold),
            Row("label", "confirm", None, STAY, say_label_missing),
            Row("label", "cancel", None, IDLE, say_order_stays),
            Row("label", "timeout", None, IDLE, say_order_stays),
        ),
    ),
)


# --- 解挂 -----------------------------------------------------------------------------------------


def finds_no_label(dialogue: Dialogue, event: object) -> bool:
    """Were digits typed that no label holds?"""
    return has_label(dialogue, event) and not held_orders(dialogue)


def say_no_label(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.no_such_label")


def held_list(dialogue: Dialogue) -> Screen:
    """With what was typed of a label in its title: the list holds only those."""
    screen = list_screen(held_orders, "title.orders_held", "hint.held", dialogue)
    if not has_label(dialogue, None):
        return screen
    title = dialogue.text("title.orders_held_with", label=dialogue.form.label)
    if screen.selected is not None:
        return Screen(title, screen.body, screen.hint, screen.selected)
    return Screen(title, (dialogue.text("line.no_such_label"),), dialogue.text("hint.clear_digit"))


def held_screen(dialogue: Dialogue) -> Screen:
    order = the_order(dialogue)
    return Screen(
        dialogue.text("title.order", voucher=order.number),
        (
            dialogue.text("line.order_label", label=order.label),
            dialogue.text("line.amount", amount=amount_text(order.due)),
        ),
        dialogue.text("hint.resume"),
    )


def resume(dialogue: Dialogue, _event: object) -> None:
    ledger, order = dialogue.ledger, the_order(dialogue)
    with ledger.commit("order_resumed"):
        ledger.orders.resume(order.id, ledger.now(), dialogue.money.operator)
    dialogue.say("say.order_resumed", voucher=order.number)


def resume_and_pay(dialogue: Dialogue, event: object) -> None:
    resume(dialogue, event)
    take_for_payment(dialogue, event)


HELD = assemble(
    "held",
    Part(
        (
            Step("list", held_list, help="held"),
            Step("shown", held_screen, help="held_order"),
        ),
        (
            *text_rows("list", LABEL),
            Row("list", "confirm", finds_no_label, STAY, say_no_label),
            *list_rows("list", held_orders, "shown"),
            Row("shown", "digit", is_retired, STAY, say_retired),
            Row("shown", "confirm", None, STAY, partial(want, Action.PAY)),
            Row("shown", "digit", partial(is_digit, "1"), STAY, partial(want, Action.PAY)),
            Row("shown", "digit", partial(is_digit, "2"), "orders.list", resume),
            Row("shown", "digit", None, STAY, say_no_item),
            Row("shown", "next", wants_to_pay_when_closed, BLOCKED, keep_closed),
            Row("shown", "next", None, CARD, resume_and_pay),
        ),
    ),
    before="menu.orders",
)
