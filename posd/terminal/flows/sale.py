"""消费: amount, order, card, PIN, the host, the slip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posd.core.events import CardSwiped, KeyPressed, PinEntered
from posd.money.requests import SwipedCard
from posd.terminal.amounts import say_amount_is_zero
from posd.terminal.exchange import acknowledge, exchange
from posd.terminal.fields import (
    amount_rows,
    card_and_pin,
    password,
    pin_wanted,
    say_unreadable,
    software_pin,
    take_card,
    title_with_amount,
)
from posd.terminal.flows.partial_approval import OFFERED, is_approved_in_part, offer
from posd.terminal.flows.unpaid_order import cancel_order
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.ledger.records import TransactionRecord
    from posd.terminal.dialogue import Dialogue

_MILLISECONDS_A_MINUTE: Final = 60_000

title = title_with_amount("title.sale")


# --- the amount -----------------------------------------------------------------------------------


def amount_screen(dialogue: Dialogue) -> Screen:
    form = dialogue.form
    card = form.card.track2.pan.masked if form.card else ""
    return Screen(
        dialogue.text("title.sale_amount"),
        (dialogue.text("line.amount", amount=amount_text(form.amount)), card),
        dialogue.text("hint.confirm_cancel"),
    )


def amount_is_zero(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return dialogue.form.amount == 0


def amount_is_above_limit(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return dialogue.form.amount > dialogue.configuration.terminal.amount_limit


def say_amount_is_above_limit(dialogue: Dialogue, _event: KeyPressed) -> None:
    limit = dialogue.configuration.terminal.amount_limit
    dialogue.say("say.amount_above_limit", limit=amount_text(limit))


def keep_card(dialogue: Dialogue, event: CardSwiped) -> None:
    take_card(dialogue, event)
    dialogue.say("say.card_kept")


def make_order(dialogue: Dialogue, _event: KeyPressed) -> None:
    """From the confirmed amount on there is an order; a card that was swiped before goes on at once."""
    form, ledger = dialogue.form, dialogue.ledger
    with ledger.commit("order"):
        form.order_number = ledger.counters.next_stan()
        form.order = ledger.orders.create(
            form.order_number, form.amount, ledger.now(), operator(dialogue)
        )
    if form.card is not None:
        dialogue.next("card", CardSwiped(form.card.track2, form.card.track3))


# --- the same card and amount twice ---------------------------------------------------------------


def similar(dialogue: Dialogue, event: CardSwiped) -> TransactionRecord | None:
    minutes = dialogue.configuration.terminal.duplicate_minutes
    if not minutes:
        return None
    since = dialogue.ledger.now() - minutes * _MILLISECONDS_A_MINUTE
    return dialogue.ledger.transactions.similar(event.track2.pan, dialogue.form.amount, since)


def looks_paid_already(dialogue: Dialogue, event: CardSwiped) -> bool:
    return similar(dialogue, event) is not None


def take_similar(dialogue: Dialogue, event: CardSwiped) -> None:
    take_card(dialogue, event)
    record = similar(dialogue, event)
    assert record is not None
    dialogue.form.similar = record.stan


def duplicate_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.duplicate"),
        (
            dialogue.text("line.duplicate", voucher=dialogue.form.similar),
            amount_text(dialogue.form.amount),
        ),
        dialogue.text("hint.confirm_goes_on"),
    )


# --- the request ----------------------------------------------------------------------------------


def send(dialogue: Dialogue, event: object) -> None:
    form = dialogue.form
    card = form.card
    assert isinstance(card, SwipedCard)
    pin_block = event.pin_block if isinstance(event, PinEntered) else None
    form.attempted, form.card = True, None  # a track is held for one request
    dialogue.money.sale(form.amount, form.order, card, pin_block)


# --- giving up ------------------------------------------------------------------------------------


def nothing_was_sent(dialogue: Dialogue, _event: object) -> bool:
    """Is there no attempt to pay the order yet? Then the operator may cancel it."""
    form = dialogue.form
    if form.order is None or form.attempted:
        return False
    try:
        dialogue.ledger.operators.verifier(operator(dialogue))
    except KeyError:
        return False  # an operator without a password cancels nothing
    return True


def give_up(dialogue: Dialogue, _event: object) -> None:
    """The operator's password was right."""
    cancel_order(dialogue, "not_paid")


def say_order_stays(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.order_stays", voucher=dialogue.form.order_number)


def has_order(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.order is not None


def leave_order(dialogue: Dialogue, event: object) -> None:
    """How it ended was seen; what was to be paid is in the list."""
    acknowledge(dialogue, event)
    say_order_stays(dialogue, event)


def say_amount_is_fixed(dialogue: Dialogue, _event: object) -> None:
    """There is an order of this amount: only 取消 leads away from it."""
    dialogue.say("say.amount_is_fixed")


def operator(dialogue: Dialogue) -> str:
    return dialogue.money.operator


AMOUNT = Part(
    # once it is confirmed its order is a fact: no way back over it
    (Step("amount", amount_screen, returns=False, help="amount"),),
    (
        *amount_rows("amount"),
        Row("amount", "clear", None, IDLE),
        Row("amount", "confirm", amount_is_zero, STAY, say_amount_is_zero),
        Row("amount", "confirm", amount_is_above_limit, STAY, say_amount_is_above_limit),
        Row("amount", "confirm", None, "card", make_order),
        Row("amount", "card", None, STAY, keep_card),
        Row("amount", "card_unreadable", None, STAY, say_unreadable),
    ),
)

CARD = card_and_pin(
    title,
    send,
    "waiting",
    pin_setting=software_pin,
    before=(Row("card", "card", looks_paid_already, "duplicate", take_similar),),
)

DUPLICATE = Part(
    (Step("duplicate", duplicate_screen, help="duplicate"),),
    (
        Row("duplicate", "confirm", pin_wanted(software_pin), "pin"),
        Row("duplicate", "confirm", None, "waiting", send),
    ),
)

LEAVING = Part(
    (),
    (
        *(
            row
            for step in ("card", "duplicate", "pin")
            for row in (
                Row(step, "cancel", nothing_was_sent, "password"),
                Row(step, "cancel", None, IDLE, say_order_stays),
                Row(step, "timeout", None, IDLE, say_order_stays),
            )
        ),
        Row("card", "clear", None, STAY, say_amount_is_fixed),
        *(
            Row(state, event, has_order, IDLE, leave_order)
            for state in ("declined", "not_sent", "reversed")
            for event in ("cancel", "timeout")
        ),
        Row("refused", "cancel", None, IDLE, say_order_stays),
        Row("refused", "timeout", None, IDLE, say_order_stays),
        Row("password", "cancel", None, IDLE, say_order_stays),
        Row("password", "timeout", None, IDLE, say_order_stays),
        Row("password", "clear", None, IDLE, say_order_stays),
    ),
)

IN_PART = Part((), (Row("waiting", "approved", is_approved_in_part, OFFERED, offer),))

FLOW = assemble(
    "sale",
    AMOUNT,
    CARD,
    DUPLICATE,
    LEAVING,
    IN_PART,
    exchange(title, "sale", "card"),
    password("cashier", operator, give_up, IDLE),
)
