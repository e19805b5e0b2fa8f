"""预授权: amount, card, PIN; the host holds the amount for a completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.core.events import PinEntered
from posd.money.requests import SwipedCard, request_of
from posd.terminal.amounts import TERMINAL_LIMIT, amount_step
from posd.terminal.exchange import exchange
from posd.terminal.fields import card_and_pin, software_pin, title_with_amount
from posd.terminal.machine import assemble

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

title = title_with_amount("title.pre_authorisation")


def send(dialogue: Dialogue, event: object) -> None:
    form = dialogue.form
    card, form.card = form.card, None  # a track is held for one request
    assert isinstance(card, SwipedCard)
    pin_block = event.pin_block if isinstance(event, PinEntered) else None
    dialogue.money.request(request_of("pre_authorisation", form.amount, card, pin_block=pin_block))


FLOW = assemble(
    "pre_authorisation",
    amount_step("title.pre_authorisation_amount", ((None, "card"),), (TERMINAL_LIMIT,)),
    card_and_pin(title, send, "waiting", pin_setting=software_pin),
    exchange(title, "pre_authorisation", "card"),
    before="menu.pre_authorisations",
)
