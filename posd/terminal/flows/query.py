"""交易查询: by voucher, by the card's last digits, by amount, or all of them; each leads to its story."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from posd.ledger.search import Wanted
from posd.receipts.stories import STORY, story_slip
from posd.terminal.exchange import SLIPS
from posd.terminal.fields import (
    CARD_END,
    VOUCHER,
    amount_rows,
    is_empty,
    is_incomplete,
    say_is_incomplete,
    say_voucher_wanted,
    text_rows,
    typed,
)
from posd.terminal.journal import (
    choose_newer,
    choose_older,
    chosen,
    list_screen,
    nothing_is_there,
    story_screen,
    take_chosen,
    told,
)
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


MENU: Final = "menu.query"

# --- which ones -----------------------------------------------------------------------------------


def by_voucher(dialogue: Dialogue) -> Wanted:
    """The number of an order, too: its attempts."""
    stan = dialogue.form.number.zfill(VOUCHER.length)
    order = dialogue.ledger.orders.find(stan)
    is_order = order is not None and order.number == stan
    return Wanted(order=order.id) if order and is_order else Wanted(stan=stan)


def by_card(dialogue: Dialogue) -> Wanted:
    return Wanted(card_end=dialogue.form.card_end)


def by_amount(dialogue: Dialogue) -> Wanted:
    return Wanted(amount=dialogue.form.amount)


def asking(
    step: str, wanted: Callable[[Dialogue], Wanted], line: Callable[[Dialogue], str], *rows: Row
) -> Part:
    """A prompt for what is searched; rows take what is typed, and refuse 确认 while it is not enough."""

    def screen(dialogue: Dialogue) -> Screen:
        return Screen(
            dialogue.text(f"title.query_{step}"),
            (line(dialogue),),
            dialogue.text("hint.confirm_cancel"),
        )

    def finds_nothing(dialogue: Dialogue, _event: object) -> bool:
        return not dialogue.ledger.search.journal(wanted(dialogue))

    def finds_one(dialogue: Dialogue, _event: object) -> bool:
        return len(dialogue.ledger.search.journal(wanted(dialogue), limit=2)) == 1

    def look(dialogue: Dialogue, _event: object) -> None:
        dialogue.form.wanted, dialogue.form.transaction = wanted(dialogue), None

    return Part(
        (Step(step, screen, help=f"query_{step}"),),
        (
            *rows,
            Row(step, "confirm", finds_nothing, STAY, say_found_none),
            Row(step, "confirm", finds_one, "story", look),
            Row(step, "confirm", None, "list", look),
            Row(step, "clear", None, MENU),
        ),
    )


def say_found_none(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.query_none")


def amount_line(dialogue: Dialogue) -> str:
    return dialogue.text("line.amount", amount=amount_text(dialogue.form.amount))


BY_VOUCHER = asking(
    "voucher",
    by_voucher,
    partial(typed, VOUCHER),
    *text_rows("voucher", VOUCHER),
    Row("voucher", "confirm", partial(is_empty, VOUCHER), STAY, say_voucher_wanted),
)
BY_CARD = asking(
    "card",
    by_card,
    partial(typed, CARD_END),
    *text_rows("card", CARD_END),
    Row(
        "card",
        "confirm",
        partial(is_incomplete, CARD_END),
        STAY,
        partial(say_is_incomplete, CARD_END),
    ),
)
BY_AMOUNT = asking("amount", by_amount, amount_line, *amount_rows("amount"))


# --- what was found -------------------------------------------------------------------------------


def came_from_menu(dialogue: Dialogue, _event: object) -> bool:
    """The whole journal is an item of the menu; other lists are led to by a prompt."""
    return not dialogue.trail


def shown_story(dialogue: Dialogue) -> Screen:
    return story_screen(dialogue, "hint.confirm_print")


def print_story(dialogue: Dialogue, _event: object) -> None:
    record = chosen(dialogue)
    assert record is not None
    slip = story_slip(record, told(dialogue, record), dialogue.configuration)
    with dialogue.ledger.commit("story_slip"):
        dialogue.ledger.print_jobs.add(record.id, STORY, slip)


FOUND = Part(
    (
        Step("list", list_screen, help="journal"),
        Step("story", shown_story, help="story"),
    ),
    (
        Row("list", "confirm", nothing_is_there, IDLE),
        Row("list", "confirm", None, "story", take_chosen),
        Row("list", "clear", came_from_menu, MENU),
        Row("list", "up", None, STAY, choose_newer),
        Row("list", "down", None, STAY, choose_older),
        Row("story", "confirm", None, SLIPS, print_story),
    ),
)

FLOW = assemble("query", BY_VOUCHER, BY_CARD, BY_AMOUNT, FOUND, before=MENU)
