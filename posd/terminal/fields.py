"""Shared steps that ask for something: digits, an amount, a password, a card, a PIN.

Each builder gives a `Part`: the steps and the rows that a flow puts beside its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from posd.core.events import CardSwiped, CardUnreadable, KeyPressed, PasswordChecked
from posd.core.ports import PasswordVerifier
from posd.ledger.operators import SUPERVISOR
from posd.money.requests import SwipedCard
from posd.terminal.machine import STAY, Action, Guard, Part, Row, Step, pin_seconds
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

AMOUNT_DIGITS: Final = 10  # 99999999.99: what fits beside a word on 16 columns
_LEAP_YEAR: Final = 2000

Title = Callable[["Dialogue"], str]


# --- numbers, codes and dates -----------------------------------------------------------------------


class TextField(NamedTuple):
    """An attribute of the form that is typed: how many characters at most; are there letters in it?"""

    attribute: str
    length: int
    letters: bool = False


VOUCHER: Final = TextField("number", 6)  # element 11
REFERENCE: Final = TextField("reference", 12, letters=True)  # element 37
AUTHORISATION: Final = TextField("authorisation", 6, letters=True)  # element 38
DATE: Final = TextField("date", 4)  # MMDD
CARD_END: Final = TextField("card_end", 4)  # the last digits of a card number

LETTERS: Final = ("0", "1QZ", "2ABC", "3DEF", "4GHI", "5JKL", "6MNO", "7PRS", "8TUV", "9WXY")
"""What stands on each key, as on the keypads of the trade: ▼ and ▲ step through it."""


def text_rows(step: str, field: TextField) -> tuple[Row, ...]:
    """Digits into the field; 清除 takes the last character; ▲▼ change it into the key's letters."""
    rows = (
        Row(step, "digit", partial(is_full, field), STAY, partial(say_is_full, field)),
        Row(step, "digit", None, STAY, partial(add_digit, field)),
        Row(step, "clear", partial(has_something, field), STAY, partial(erase_last, field)),
    )
    if not field.letters:
        return rows
    return (
        *rows,
        Row(step, "up", None, STAY, partial(change_last, field, -1)),
        Row(step, "down", None, STAY, partial(change_last, field, +1)),
    )


def voucher_rows(step: str) -> tuple[Row, ...]:
    """Digits of a voucher number into form.number."""
    return text_rows(step, VOUCHER)


def typed(field: TextField, dialogue: Dialogue) -> str:
    """What stands in the field."""
    return str(getattr(dialogue.form, field.attribute))


def is_full(field: TextField, dialogue: Dialogue, _event: KeyPressed) -> bool:
    return len(typed(field, dialogue)) >= field.length


def is_incomplete(field: TextField, dialogue: Dialogue, event: KeyPressed) -> bool:
    return not is_full(field, dialogue, event)


def say_is_full(field: TextField, dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.too_long", count=field.length)


def say_is_incomplete(field: TextField, dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.too_short", count=field.length)


def add_digit(field: TextField, dialogue: Dialogue, event: KeyPressed) -> None:
    setattr(dialogue.form, field.attribute, typed(field, dialogue) + event.key.value)


def has_something(field: TextField, dialogue: Dialogue, _event: object) -> bool:
    return typed(field, dialogue) != ""


def is_empty(field: TextField, dialogue: Dialogue, _event: object) -> bool:
    return typed(field, dialogue) == ""


def erase_last(field: TextField, dialogue: Dialogue, _event: KeyPressed) -> None:
    setattr(dialogue.form, field.attribute, typed(field, dialogue)[:-1])


def change_last(field: TextField, steps: int, dialogue: Dialogue, _event: KeyPressed) -> None:
    """The last character becomes the next, or the one before, of those on its key."""
    text = typed(field, dialogue)
    if text:
        key = next(key for key in LETTERS if text[-1] in key)
        following = key[(key.index(text[-1]) + steps) % len(key)]
        setattr(dialogue.form, field.attribute, text[:-1] + following)


def say_voucher_wanted(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.voucher_wanted")


def is_no_date(dialogue: Dialogue, _event: object) -> bool:
    """Is the typed MMDD no day of any year?"""
    try:
        datetime.strptime(f"{_LEAP_YEAR}{dialogue.form.date}", "%Y%m%d")
    except ValueError:
        return True
    return len(dialogue.form.date) != DATE.length


def say_is_no_date(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.no_date")


# --- amounts --------------------------------------------------------------------------------------


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


def role_of(number: Callable[[Dialogue], str]) -> Callable[[Dialogue], str]:
    """The role of whoever's password is asked; of nobody it is a cashier's."""

    def role(dialogue: Dialogue) -> str:
        operator = dialogue.ledger.operators.get(number(dialogue))
        return "cashier" if operator is None else operator.role

    return role


def password(
    role: str | Callable[[Dialogue], str],
    number: Callable[[Dialogue], str],
    right: Action | None,
    then: str,
    *,
    step: str = "password",
    locked: str = "locked",
    title: str = "",
) -> Part:
    """A password prompt and its lock-out: `then` with the right one, counted when it is wrong.

    number says whose password it is; of an operator who does not exist every password is wrong. role
    is what is locked, for all who have it. While it is locked the prompt is not opened. title is the
    name of a text, by default the role's.
    """

    def role_now(dialogue: Dialogue) -> str:
        return role if isinstance(role, str) else role(dialogue)

    def screen(dialogue: Dialogue) -> Screen:
        stars = "*" * dialogue.form.secret_length
        return Screen(
            dialogue.text(title or f"title.password_{role_now(dialogue)}"),
            (dialogue.text("line.password"), stars),
            dialogue.text("hint.confirm_cancel"),
        )

    def locked_screen(dialogue: Dialogue) -> Screen:
        left = dialogue.ledger.operators.lock(role_now(dialogue))
        minutes, seconds = divmod(math.ceil(left), 60)
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
            dialogue.prompts.ask_password(_verifier(dialogue, number(dialogue)))

    def is_locked(dialogue: Dialogue, _event: object) -> bool:
        return dialogue.ledger.operators.lock(role_now(dialogue)) > 0

    def lock_is_over(dialogue: Dialogue, event: object) -> bool:
        return not is_locked(dialogue, event)

    def count_wrong(dialogue: Dialogue, _event: PasswordChecked) -> None:
        ledger, whose = dialogue.ledger, role_now(dialogue)
        with ledger.commit("wrong_password"):
            is_locked_now = ledger.operators.failed(whose)
            what = "role_locked" if is_locked_now else "wrong_password"
            details = {"role": whose, "of": number(dialogue)}
            ledger.audit.add(ledger.now(), dialogue.money.operator, what, details)
        if is_locked_now:
            dialogue.locks.keep()
        else:
            dialogue.say("say.password_wrong")
        open_prompt(dialogue)

    def accept(dialogue: Dialogue, event: PasswordChecked) -> None:
        with dialogue.ledger.commit("right_password"):
            dialogue.ledger.operators.succeeded(role_now(dialogue))
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
            # the countdown is the answer: nothing is to stand over it
            *(Row(locked, key, None, STAY) for key in ("digit", "confirm", "clear")),
        ),
    )


def _verifier(dialogue: Dialogue, number: str) -> PasswordVerifier:
    try:
        return dialogue.ledger.operators.verifier(number)
    except KeyError:
        random_bytes = dialogue.ports.random_bytes
        return PasswordVerifier(random_bytes(16), random_bytes(32))  # matches nothing


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


def card_step(
    title: Title,
    *rows: Row,
    step: str = "card",
    opens: Callable[[Dialogue], None] | None = None,
) -> Part:
    """请刷卡. `rows` say what becomes of a card, the last of them without a guard."""

    def card_screen(dialogue: Dialogue) -> Screen:
        wants = ["line.swipe_card"]
        if "card_reader" in dialogue.devices_missing:
            wants = ["line.no_card_reader", "line.check_card_reader"]
        body = tuple(dialogue.text(name) for name in wants)
        return Screen(title(dialogue), body, dialogue.text("hint.cancel"))

    return Part(
        (Step(step, card_screen, opens=opens, help="card"),),
        (
            *rows,
            Row(step, "card_unreadable", None, STAY, say_unreadable),
            Row(step, "digit", None, STAY, say_swipe_card),
            Row(step, "confirm", None, STAY, say_swipe_card),
        ),
    )


def pin_step(title: Title, send: Action, then: str) -> Part:
    """The PIN, then `send` in the step `then`."""

    def pin_screen(dialogue: Dialogue) -> Screen:
        empty = dialogue.configuration.terminal.pin_may_be_empty
        return Screen(
            title(dialogue),
            (dialogue.text("line.pin"), "*" * dialogue.form.secret_length),
            dialogue.text("hint.pin_or_none" if empty else "hint.pin"),
        )

    return Part(
        (Step("pin", pin_screen, pin_seconds, opens=open_pin_prompt, help="pin"),),
        (
            Row("pin", "typed", None, STAY),
            Row("pin", "pin", None, then, send),
        ),
    )


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

    def take_and_send(dialogue: Dialogue, event: CardSwiped) -> None:
        take_card(dialogue, event)
        send(dialogue, event)

    card = card_step(
        title,
        *before,
        Row("card", "card", pin_wanted(pin_setting), "pin", take_card),
        Row("card", "card", None, then, take_and_send),
    )
    pin = pin_step(title, send, then)
    return Part((*card.steps, *pin.steps), (*card.rows, *pin.rows))


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
