"""余额查询: card and PIN, then the balance on the screen. No money moves, and nothing is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posd.core.events import PinEntered
from posd.money.requests import SwipedCard, request_of
from posd.terminal.exchange import acknowledge, exchange, shown_record
from posd.terminal.fields import card_and_pin, software_pin
from posd.terminal.machine import IDLE, Part, Row, Step, assemble, result_seconds
from posd.terminal.screens import Screen
from posd.texts import amount_text
from protocol.host_data import available_balance
from protocol.transactions import Doubt

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

BALANCE: Final = 54  # the element


def title(dialogue: Dialogue) -> str:
    return dialogue.text("title.balance")


def send(dialogue: Dialogue, event: object) -> None:
    card, dialogue.form.card = dialogue.form.card, None  # a track is held for one request
    assert isinstance(card, SwipedCard)
    pin_block = event.pin_block if isinstance(event, PinEntered) else None
    dialogue.money.request(request_of("balance_inquiry", 0, card, pin_block=pin_block))


def shown_screen(dialogue: Dialogue) -> Screen:
    """What may be spent. A host may approve and say nothing, or something that cannot be read."""
    element = shown_record(dialogue).answer.get(BALANCE)
    balance = available_balance(element) if isinstance(element, str) else None
    text = dialogue.text("line.no_balance")
    if balance is not None and balance.amount.isdecimal():
        sign = "-" if balance.fen < 0 else ""
        text = f"{sign}{amount_text(abs(balance.fen))}"
    return Screen(
        title(dialogue), (dialogue.text("line.balance"), text), dialogue.text("hint.confirm")
    )


SHOWN = Part(
    (Step("shown", shown_screen, result_seconds, returns=False, help="balance"),),
    (
        Row("shown", "confirm", None, IDLE, acknowledge),
        Row("shown", "cancel", None, IDLE, acknowledge),
        Row("shown", "timeout", None, IDLE, acknowledge),
    ),
)

FLOW = assemble(
    "balance",
    card_and_pin(title, send, "waiting", pin_setting=software_pin),
    exchange(title, "balance", "card", doubt=Doubt.NOTHING, approved="shown"),
    SHOWN,
    before="menu.main",
)
