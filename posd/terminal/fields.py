"""Shared steps that ask for something: digits, an amount, a password, a card, a PIN.

Each builder gives a `Part`: the steps and the rows that a flow puts beside its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from posd.core.events import CardSwiped, CardUnreadable, KeyPressed, PasswordChecked
from posd.money.requests import SwipedCard
from posd.terminal.machine import STAY, Action, Guard, Part, Row, Step, pin_seconds
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

SUPERVISOR: Final = "00"
AMOUNT_DIGITS: Final = 10  # 99999999.99: what fits beside a word on 16 columns
VOUCHER_DIGITS: Final = 6  # element 11

Title = Callable[["Dialogue"], str]


# --- digits ---------------------------------------------------------------------------------------


def voucher_rows(step: str) -> tuple[Row, ...]:
    """Digits of a voucher number into form.number; 清除 takes the last one."""
    return (
        Row(step, "digit", voucher_is_full, STAY, say_voucher_is_full),
        Row(step, "digit", None, STAY, add_voucher_digit),
        Row(step, "clear", some_voucher_digits, STAY, erase_voucher_digit),
    )


def voucher_is_full(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return len(dialogue.form.number) >= VOUCHER_DIGITS


def say_voucher_is_full(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.voucher_too_long")


def add_voucher_digit(dialogue: Dialogue, event: KeyPressed) -> None:
    dialogue.form.number += event.key.value


def some_voucher_digits(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return dialogue.form.number != ""


def erase_voucher_digit(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.form.number = dialogue.form.number[:-1]


def amount_rows(step: str) -> tuple[Row, ...]:
    """Digits of an amount in fen into form.amount; 清除 takes the last one."""
    return (
        Row(step, "digit", amount_is_full, STAY, say_amount_is_full),
        Row(step, "digit", None, STAY, add_amount_digit),
        Row(step, "clear", some_amount, STAY, erase_amount_digit),
    )


def amount_is_full(dialogue: Dialogue, event: KeyPressed) -> bool:
    return len(f"{dialogue.form.amount}{event.key.value}") > AMOUNT_DIGITS


def say_amount_is_full(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.amount_too_long")


def add_amount_digit(dialogue: Dialogue, event: KeyPressed) -> None:
    dialogue.form.amount = dialogue.form.amount * 10 + int(event.key.value)


def some_amount(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return dialogue.form.amount > 0


def erase_amount_digit(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.form.amount //= 10


# --- passwords ------------------------------------------------------------------------------------


def password(
    role: str,
    number: Callable[[Dialogue], str],
    right: Action | None,
    then: str,
    *,
    step: str = "password",
    locked: str = "locked",
) -> Part:
    """A password prompt and its lock-out: `then` with the right one, counted when it is wrong.

    number says whose password it is. While the role is locked the prompt is not opened.
    """

    def screen(dialogue: Dialogue) -> Screen:
        stars = "*" * dialogue.form.secret_length
        return Screen(
            dialogue.text(f"title.password_{role}"),
            (dialogue.text("line.password"), stars),
            dialogue.text("hint.confirm_cancel"),
        )

    def locked_screen(dialogue: Dialogue) -> Screen:
        minutes, seconds = divmod(math.ceil(dialogue.ledger.operators.lock(role)), 60)
        return Screen(
            dialogue.text("title.locked"),
            (
                dialogue.text("line.locked"),
                dialogue.text("line.locked_for", time=f"{minutes}:{seconds:02d}"),
            ),
            dialogue.text("hint.cancel"),
        )

    def open_prompt(dialogue: Dialogue) -> None:
        if is_locked(dialogue, None):
            dialogue.next()
        else:
            dialogue.form.secret_length = 0
            dialogue.prompts.ask_password(dialogue.ledger.operators.verifier(number(dialogue)))

    def is_locked(dialogue: Dialogue, _event: object) -> bool:
        return dialogue.ledger.operators.lock(role) > 0

    def lock_is_over(dialogue: Dialogue, event: object) -> bool:
        return not is_locked(dialogue, event)

    def count_wrong(dialogue: Dialogue, _event: PasswordChecked) -> None:
        ledger = dialogue.ledger
        with ledger.commit("wrong_password"):
            is_locked_now = ledger.operators.failed(role)
            what = "role_locked" if is_locked_now else "wrong_password"
            ledger.audit.add(ledger.now(), dialogue.money.operator, what, {"role": role})
        if not is_locked_now:
            dialogue.say("say.password_wrong")
        open_prompt(dialogue)

    def accept(dialogue: Dialogue, event: PasswordChecked) -> None:
        with dialogue.ledger.commit("right_password"):
            dialogue.ledger.operators.succeeded(role)
        if right is not None:
            right(dialogue, event)

    return Part(
        (
            Step(step, screen, opens=open_prompt, help="password"),
            Step(locked, locked_screen, returns=False, ticks=True, help="locked"),
        ),
        (
            Row(step, "typed", None, STAY),
            Row(step, "password_right", None, then, accept),
            Row(step, "password_wrong", None, STAY, count_wrong),
            Row(step, "next", None, locked),
            Row(locked, "tick", lock_is_over, step),
        ),
    )


def supervisor_password(
    then: str, right: Action | None = None, *, step: str = "password", locked: str = "locked"
) -> Part:
    """The supervisor's password; form.supervisor says whose it was, then `right`."""

    def supervisor(_dialogue: Dialogue) -> str:
        return SUPERVISOR

    def keep_supervisor(dialogue: Dialogue, event: PasswordChecked) -> None:
        dialogue.form.supervisor = SUPERVISOR
        if right is not None:
            right(dialogue, event)

    return password("supervisor", supervisor, keep_supervisor, then, step=step, locked=locked)


# --- card and PIN ---------------------------------------------------------------------------------


def card_and_pin(
    title: Title,
    send: Action,
    then: str,
    *,
    before: Sequence[Row] = (),
    pin_setting: Callable[[Dialogue], bool],
) -> Part:
    """请刷卡, then the PIN when pin_setting says so, then `send` in the step `then`.

    Rows in `before` see the card first. A card that is in the form already is taken as it is, when
    the step is entered with the follow-up "card".
    """

    def card_screen(dialogue: Dialogue) -> Screen:
        wants = ["line.swipe_card"]
        if "card_reader" in dialogue.devices_missing:
            wants = ["line.no_card_reader", "line.check_card_reader"]
        body = tuple(dialogue.text(name) for name in wants)
        return Screen(title(dialogue), body, dialogue.text("hint.cancel"))

    def pin_screen(dialogue: Dialogue) -> Screen:
        empty = dialogue.configuration.terminal.pin_may_be_empty
        return Screen(
            title(dialogue),
            (dialogue.text("line.pin"), "*" * dialogue.form.secret_length),
            dialogue.text("hint.pin_or_none" if empty else "hint.pin"),
        )

    def take_and_send(dialogue: Dialogue, event: CardSwiped) -> None:
        take_card(dialogue, event)
        send(dialogue, event)

    return Part(
        (
            Step("card", card_screen, help="card"),
            Step("pin", pin_screen, pin_seconds, opens=open_pin_prompt, help="pin"),
        ),
        (
            *before,
            Row("card", "card", pin_wanted(pin_setting), "pin", take_card),
            Row("card", "card", None, then, take_and_send),
            Row("card", "card_unreadable", None, STAY, say_unreadable),
            Row("card", "digit", None, STAY, say_swipe_card),
            Row("card", "confirm", None, STAY, say_swipe_card),
            Row("pin", "typed", None, STAY),
            Row("pin", "pin", None, then, send),
        ),
    )


def pin_wanted(setting: Callable[[Dialogue], bool]) -> Guard:
    """A guard: the setting asks for a PIN, and there is a key for it."""

    def wants_pin(dialogue: Dialogue, _event: object) -> bool:
        return setting(dialogue) and dialogue.money.pin_key is not None

    return wants_pin


def software_pin(dialogue: Dialogue) -> bool:
    """Is a PIN asked for on the keypad?"""
    return dialogue.configuration.terminal.software_pin


def take_card(dialogue: Dialogue, event: CardSwiped) -> None:
    dialogue.form.card = SwipedCard(event.track2, event.track3)


def open_pin_prompt(dialogue: Dialogue) -> None:
    form, pin_key = dialogue.form, dialogue.money.pin_key
    assert pin_key is not None
    if form.card is not None:
        pan = form.card.track2.pan
    else:
        assert form.original is not None
        pan, _ = dialogue.ledger.transactions.card(form.original.id)
    empty = dialogue.configuration.terminal.pin_may_be_empty
    dialogue.prompts.ask_pin(pan, pin_key, empty)


def say_unreadable(dialogue: Dialogue, event: CardUnreadable) -> None:
    """请重新刷卡 and the reason; a reason without a text of its own is still answered."""
    name = f"say.swipe_{event.reason}"
    dialogue.say(name if dialogue.catalogue.has(name) else "say.swipe_again")


def say_swipe_card(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.swipe_card")


def title_with_amount(name: str) -> Title:
    """A title of what is being done and the amount."""

    def title(dialogue: Dialogue) -> str:
        return dialogue.text(name, amount=amount_text(dialogue.form.amount))

    return title
