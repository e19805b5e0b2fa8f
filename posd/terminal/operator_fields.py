"""Shared steps that ask for an operator's number, and for a new password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posd.core.events import KeyPressed, PasswordChosen
from posd.ledger.operators import FACTORY_PASSWORDS
from posd.terminal.machine import STAY, Action, Guard, Part, Row, Step
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posd.terminal.dialogue import Dialogue

OPERATOR_DIGITS: Final = 2
SHORTEST_PASSWORD: Final = {role: len(digits) for role, digits in FACTORY_PASSWORDS.items()}
"""Digits that a new password has at least, by role: as many as the factory gave it."""
_SALT_LENGTH: Final = 16


# --- an operator's number -------------------------------------------------------------------------


def operator_number(
    step: str,
    title: str,
    refusals: Sequence[tuple[Guard, str]],
    then: str,
    *,
    offer: bool = False,
) -> Part:
    """Two digits into form.operator; one more begins a new number.

    refusals: guards with the names of what is answered, in order. offer: the operator at the terminal
    stands there already.
    """

    def screen(dialogue: Dialogue) -> Screen:
        form = dialogue.form
        typed = f"{form.operator}{'_' * (OPERATOR_DIGITS - len(form.operator))}"
        return Screen(
            dialogue.text(title),
            (dialogue.text("line.operator", operator=typed), dialogue.text("line.two_digits")),
            dialogue.text("hint.confirm_cancel"),
        )

    def begin(dialogue: Dialogue) -> None:
        dialogue.form.operator = dialogue.money.operator if offer else ""

    return Part(
        (Step(step, screen, opens=begin, help="operator_number"),),
        (
            Row(step, "digit", number_is_full, STAY, begin_new_number),
            Row(step, "digit", None, STAY, add_digit),
            Row(step, "clear", some_digits, STAY, erase_digit),
            Row(step, "confirm", number_is_short, STAY, say_number_is_short),
            *(Row(step, "confirm", guard, STAY, _saying(text)) for guard, text in refusals),
            Row(step, "confirm", None, then),
        ),
    )


def number_is_full(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return len(dialogue.form.operator) >= OPERATOR_DIGITS


def begin_new_number(dialogue: Dialogue, event: KeyPressed) -> None:
    dialogue.form.operator = event.key.value


def add_digit(dialogue: Dialogue, event: KeyPressed) -> None:
    dialogue.form.operator += event.key.value


def some_digits(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return dialogue.form.operator != ""


def erase_digit(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.form.operator = dialogue.form.operator[:-1]


def number_is_short(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return len(dialogue.form.operator) < OPERATOR_DIGITS


def say_number_is_short(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.operator_too_short")


def is_unknown(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return dialogue.ledger.operators.get(dialogue.form.operator) is None


def is_known(dialogue: Dialogue, event: KeyPressed) -> bool:
    return not is_unknown(dialogue, event)


def is_no_cashier(dialogue: Dialogue, _event: KeyPressed) -> bool:
    operator = dialogue.ledger.operators.get(dialogue.form.operator)
    return operator is not None and operator.role != "cashier"


def nobody_is_cashier(dialogue: Dialogue, _event: KeyPressed) -> bool:
    """Factory passwords are off, and the supervisor has added nobody yet."""
    return all(each.role != "cashier" for each in dialogue.ledger.operators.all())


def typed_operator(dialogue: Dialogue) -> str:
    return dialogue.form.operator


def _saying(text: str) -> Action:
    def say(dialogue: Dialogue, _event: object) -> None:
        dialogue.say(text, operator=dialogue.form.operator)

    return say


# --- a new password -------------------------------------------------------------------------------


def new_password(step: str, role: Callable[[Dialogue], str], keep: Action, then: str) -> Part:
    """A new password, typed twice, for form.operator; keep gets the PasswordChosen in `then`.

    role says how long it is at least. The digits stay in the prompt.
    """

    def screen(dialogue: Dialogue) -> Screen:
        form = dialogue.form
        which = "again" if form.repeating else "new"
        shortest = SHORTEST_PASSWORD[role(dialogue)]
        return Screen(
            dialogue.text("title.new_password", operator=form.operator),
            (
                dialogue.text(f"line.password_{which}", count=shortest),
                "*" * form.secret_length,
            ),
            dialogue.text("hint.confirm_cancel"),
        )

    def ask(dialogue: Dialogue) -> None:
        operators, whose = dialogue.ledger.operators, role(dialogue)
        refused = {FACTORY_PASSWORDS[whose]} if operators.factory_passwords_off else set()
        dialogue.form.repeating = False
        dialogue.prompts.ask_new_password(
            SHORTEST_PASSWORD[whose], dialogue.ports.random_bytes(_SALT_LENGTH), frozenset(refused)
        )

    def again(dialogue: Dialogue, _event: object) -> None:
        dialogue.form.repeating = True

    def begin_anew(dialogue: Dialogue, event: PasswordChosen) -> None:
        ask(dialogue)
        dialogue.say(f"say.password_{event.problem}")

    return Part(
        (Step(step, screen, opens=ask, help="new_password"),),
        (
            Row(step, "typed", None, STAY),
            Row(step, "password_again", None, STAY, again),
            Row(step, "password_refused", None, STAY, begin_anew),
            Row(step, "password_chosen", None, then, keep),
        ),
    )
