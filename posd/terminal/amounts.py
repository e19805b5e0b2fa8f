"""A shared step that asks for an amount, with what it may not be above."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from posd.terminal.fields import amount_rows
from posd.terminal.machine import STAY, Action, Guard, Part, Row, Step
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


class Ceiling(NamedTuple):
    """More than this amount (fen; None: no ceiling here) is refused with this text."""

    amount: Callable[[Dialogue], int | None]
    say: str


def amount_step(
    title: str,
    then: Sequence[tuple[Guard | None, str]],
    ceilings: Sequence[Ceiling],
    whole: Callable[[Dialogue], int] | None = None,
    *,
    line: str = "line.whole",
) -> Part:
    """An amount into form.amount, then the first of `then` whose guard holds.

    whole gives the amount that an empty field stands for, 0 for none; `line` is the text that shows it.
    """

    def screen(dialogue: Dialogue) -> Screen:
        amount = dialogue.text("line.amount", amount=amount_text(dialogue.form.amount))
        all_of_it = whole(dialogue) if whole else 0
        if not all_of_it:
            return Screen(dialogue.text(title), (amount,), dialogue.text("hint.confirm_cancel"))
        body = (dialogue.text(line, amount=amount_text(all_of_it)), amount)
        return Screen(dialogue.text(title), body, dialogue.text("hint.empty_is_whole"))

    def accept(dialogue: Dialogue, _event: object) -> None:
        dialogue.form.amount = meant(dialogue)

    def meant(dialogue: Dialogue) -> int:
        return dialogue.form.amount or (whole(dialogue) if whole else 0)

    def amount_is_zero(dialogue: Dialogue, _event: object) -> bool:
        return meant(dialogue) == 0

    def checks() -> Iterator[Row]:
        for ceiling in ceilings:
            yield Row("amount", "confirm", above(ceiling), STAY, say_above(ceiling))

    def above(ceiling: Ceiling) -> Guard:
        def is_above_ceiling(dialogue: Dialogue, _event: object) -> bool:
            most = ceiling.amount(dialogue)
            return most is not None and meant(dialogue) > most

        return is_above_ceiling

    def say_above(ceiling: Ceiling) -> Action:
        def say(dialogue: Dialogue, _event: object) -> None:
            dialogue.say(ceiling.say, limit=amount_text(ceiling.amount(dialogue) or 0))

        return say

    return Part(
        (Step("amount", screen, help="amount_of"),),
        (
            *amount_rows("amount"),
            Row("amount", "confirm", amount_is_zero, STAY, say_amount_is_zero),
            *checks(),
            *(Row("amount", "confirm", guard, state, accept) for guard, state in then),
        ),
    )


def terminal_limit(dialogue: Dialogue) -> int:
    """The most that any one request may be about."""
    return dialogue.configuration.terminal.amount_limit


TERMINAL_LIMIT: Final = Ceiling(terminal_limit, "say.amount_above_limit")


def say_amount_is_zero(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.amount_zero")
