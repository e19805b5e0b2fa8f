"""Shared steps that offer a list: a digit chooses at once, ▲▼ and 确认 choose the selected row."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from posd.core.events import KeyPressed
from posd.terminal.exchange import BLOCKED, is_closed, keep_closed
from posd.terminal.machine import STAY, Action, Guard, Part, Row, Step
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


class Item(NamedTuple):
    """A digit, the name of its text, the state that it leads to, and what is done then.

    business: it ends with a request to the host. While the terminal is closed for these, the clerk is
    told so at once, and not after the last of many prompts.
    """

    digit: str
    text: str
    then: str
    do: Action | None = None
    business: bool = False


def choice(step: str, title: str, items: tuple[Item, ...], *, help: str = "") -> Part:  # noqa: A002 - as Step has it
    """One list as a step; `title` is the name of a text."""
    by_digit = [
        row for item in items for row in _rows(step, "digit", partial(is_digit, item.digit), item)
    ]
    by_selection = [
        row
        for index, item in enumerate(items)
        # the last item needs no guard: one of them is always selected
        for row in _rows(
            step,
            "confirm",
            None if item is items[-1] else partial(is_selected, index, len(items)),
            item,
        )
    ]
    rows = (
        *by_digit,
        Row(step, "digit", None, STAY, say_no_item),
        *by_selection,
        Row(step, "up", None, STAY, select_previous),
        Row(step, "down", None, STAY, select_next),
    )
    return Part((Step(step, partial(list_screen, title, items), help=help),), rows)


def _rows(step: str, event: str, guard: Guard | None, item: Item) -> tuple[Row, ...]:
    """What chooses an item; business is refused first while the terminal is closed for it."""
    row = Row(step, event, guard, item.then, partial(chosen, item.do))
    if not item.business:
        return (row,)
    closed = is_closed if guard is None else partial(is_closed_for, guard)
    return (Row(step, event, closed, BLOCKED, keep_closed), row)


def is_closed_for(chosen_now: Guard, dialogue: Dialogue, event: object) -> bool:
    """Is this item chosen, and the terminal closed for it?"""
    return chosen_now(dialogue, event) and is_closed(dialogue, event)


def reason_choice(step: str, title: str, reasons: Mapping[str, str]) -> Part:
    """Asks why: digit -> the name of its text. The digit is kept, and "next" follows in the same step."""
    items = (
        Item(digit, text, STAY, partial(take_reason, digit)) for digit, text in reasons.items()
    )
    return choice(step, title, tuple(items), help="reason")


def take_reason(digit: str, dialogue: Dialogue, _event: object) -> None:
    dialogue.form.reason = digit
    dialogue.next()


def list_screen(title: str, items: tuple[Item, ...], dialogue: Dialogue) -> Screen:
    rows = tuple(f"{item.digit} {dialogue.text(item.text)}" for item in items)
    selected = dialogue.form.selected % len(items)
    return Screen(dialogue.text(title), rows, dialogue.text("hint.choose"), selected)


def is_digit(digit: str, _dialogue: Dialogue, event: KeyPressed) -> bool:
    return event.key.value == digit


def is_selected(index: int, count: int, dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.selected % count == index


def select_previous(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.selected -= 1


def select_next(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.selected += 1


def say_no_item(dialogue: Dialogue, event: KeyPressed) -> None:
    dialogue.say("say.no_item", digit=event.key.value)


def chosen(do: Action | None, dialogue: Dialogue, event: object) -> None:
    """The next list begins at its top."""
    dialogue.form.selected = 0
    if do is not None:
        do(dialogue, event)
