"""Slips that no printer would take, kept and offered as soon as one prints again: oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.terminal.exchange import SLIPS
from posd.terminal.flows.idle import some_slip_is_kept
from posd.terminal.flows.slip import put_off
from posd.terminal.machine import IDLE, Action, Flow, Row, Step
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


def screen(dialogue: Dialogue) -> Screen:
    oldest = dialogue.ledger.print_jobs.oldest_waiting()
    if oldest is None:
        return Screen(
            dialogue.text("title.kept"),
            (dialogue.text("line.kept_none"),),
            dialogue.text("hint.confirm"),
        )
    count = dialogue.ledger.print_jobs.waiting_count()
    body = [dialogue.text("line.kept_slips", count=count)]
    if oldest.transaction is not None:
        record = dialogue.ledger.transactions.get(oldest.transaction)
        body.append(dialogue.text("line.voucher", voucher=record.stan))
    return Screen(dialogue.text("title.kept"), tuple(body), dialogue.text("hint.confirm_print"))


def take_oldest(dialogue: Dialogue, _event: object) -> None:
    """Those of one transaction belong together; the rest is offered after them."""
    oldest = dialogue.ledger.print_jobs.oldest_waiting()
    assert oldest is not None
    dialogue.form.transaction = oldest.transaction
    if oldest.transaction is None:
        dialogue.form.jobs = [oldest]


def again(event: str) -> Action:
    """Business goes on: what the clerk did is done at idle."""

    def do(dialogue: Dialogue, what: object) -> None:
        put_off(dialogue, what)
        dialogue.next(event, what)

    return do


FLOW = Flow(
    "kept",
    (Step("offer", screen, returns=False, help="kept"),),
    (
        Row("offer", "confirm", some_slip_is_kept, SLIPS, take_oldest),
        Row("offer", "confirm", None, IDLE),
        Row("offer", "clear", None, IDLE, put_off),
        Row("offer", "cancel", None, IDLE, put_off),
        Row("offer", "digit", None, IDLE, again("digit")),
        Row("offer", "card", None, IDLE, again("card")),
    ),
)
