"""Shared steps that find an order: by its number or that of an attempt to pay it, by amount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.terminal.fields import amount_rows, voucher_rows
from posd.terminal.machine import STAY, Action, Part, Row, Step
from posd.terminal.order_lists import order_of, take_order
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


def number_step(then: str, *rows: Row) -> Part:
    """A number into form.number, then the order that it names. `rows` refuse what is not wanted."""
    return Part(
        (Step("number", number_screen, help="order_number"),),
        (
            *voucher_rows("number"),
            Row("number", "confirm", names_no_order, STAY, say_no_order),
            *rows,
            Row("number", "confirm", None, then, take_named),
        ),
    )


def amount_step(then: str, keep: Action, hint: str, *rows: Row) -> Part:
    """An amount into form.amount, then `keep` in the step `then`."""

    def screen(dialogue: Dialogue) -> Screen:
        return Screen(
            dialogue.text("title.order_amount"),
            (dialogue.text("line.amount", amount=amount_text(dialogue.form.amount)),),
            dialogue.text(hint),
        )

    return Part(
        (Step("amount", screen, help="order_amount"),),
        (*amount_rows("amount"), *rows, Row("amount", "confirm", None, then, keep)),
    )


def number_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.order_number"),
        (dialogue.form.number or dialogue.text("line.voucher_zeros"),),
        dialogue.text("hint.confirm_cancel"),
    )


def begin_number(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.number = ""


def begin_amount(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.amount = 0


def names_no_order(dialogue: Dialogue, _event: object) -> bool:
    return order_of(dialogue) is None


def say_no_order(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.no_such_order")


def take_named(dialogue: Dialogue, _event: object) -> None:
    order = order_of(dialogue)
    assert order is not None
    take_order(dialogue, order)


def amount_is_zero(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.amount == 0
