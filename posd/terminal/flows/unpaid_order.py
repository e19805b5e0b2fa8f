"""An order that was never paid: shown, and cancelled here with a reason. Nothing is sent.

Part of the void: clerks cancel by the number on the customer's slip, whatever lies behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posd.core.events import KeyPressed
from posd.ledger.order_rules import Action
from posd.terminal.choices import reason_choice
from posd.terminal.machine import IDLE, Part, Row, Step
from posd.terminal.order_lists import order_of
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

REASONS: Final = ("1", "2", "3", "4", "5")
"""Digits of the reasons; their words are `menu.reason_<digit>`, and the ledger keeps the digit."""


def ask_reason(step: str) -> Part:
    """Why an order is dropped or a sale voided."""
    return reason_choice(step, "title.reason", {digit: f"menu.reason_{digit}" for digit in REASONS})


def names_unpaid_order(dialogue: Dialogue, _event: KeyPressed) -> bool:
    """Is it an order that can be cancelled, because no attempt to pay it may have succeeded?"""
    order = order_of(dialogue)
    obstacle = dialogue.ledger.orders.obstacle
    return order is not None and obstacle(order.id, Action.CANCEL) is None


def take_order(dialogue: Dialogue, _event: KeyPressed) -> None:
    order = order_of(dialogue)
    assert order is not None
    form = dialogue.form
    form.order, form.order_number, form.amount = order.id, order.number, order.amount


def screen(dialogue: Dialogue) -> Screen:
    form = dialogue.form
    return Screen(
        dialogue.text("title.unpaid_order"),
        (
            dialogue.text("line.order", voucher=form.order_number),
            dialogue.text("line.amount", amount=amount_text(form.amount)),
        ),
        dialogue.text("hint.confirm_cancel_order"),
    )


def cancel_for_reason(dialogue: Dialogue, _event: object) -> None:
    form = dialogue.form
    cancel_order(dialogue, form.reason, form.supervisor)


def cancel_order(dialogue: Dialogue, reason: str, supervisor: str = "") -> None:
    """Close the form's order, with who and why; only while it is still unpaid."""
    form, ledger = dialogue.form, dialogue.ledger
    assert form.order is not None
    who, now = dialogue.money.operator, ledger.now()
    details = {
        "order": form.order_number,
        "amount": form.amount,
        "reason": reason,
        "supervisor": supervisor,
    }
    with ledger.commit("order_cancelled"):
        if ledger.orders.cancel(form.order, now, who, reason, supervisor) is None:
            ledger.audit.add(now, who, "order_cancelled", details)
    dialogue.say("say.order_cancelled", voucher=form.order_number)


_REASONS = ask_reason("order_reason")
UNPAID_ORDER = Part(
    (Step("order", screen, help="order"), *_REASONS.steps),
    (
        Row("order", "confirm", None, "order_reason"),
        *_REASONS.rows,
        Row("order_reason", "next", None, IDLE, cancel_for_reason),
    ),
)
