"""Transactions as a list to scroll through, the newest first, and one of them with its story.

A ledger holds years: of the list only what is on the screen is read. The form names the chosen
transaction, so that a new one above it moves nothing under the clerk's finger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from devices import columns as grid
from posd.ledger.ledger import moment
from posd.ledger.records import IN_DOUBT, State, TransactionRecord
from posd.money.kinds import KINDS, Side
from posd.terminal.originals import short_card
from posd.terminal.screens import Screen, tail
from posd.terminal.story import story
from posd.texts import Catalogue, amount_text
from protocol.transactions import BALANCE_INQUIRY

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

_ROWS: Final = 10  # as many as the largest display shows
_DONE: Final = frozenset({State.APPROVED, State.VOIDED, State.COMPLETED})


def chosen(dialogue: Dialogue) -> TransactionRecord | None:
    """The transaction that the form names, else the newest of those that are wanted."""
    form = dialogue.form
    return next(iter(dialogue.ledger.search.journal(form.wanted, form.transaction)), None)


def take_chosen(dialogue: Dialogue, _event: object) -> None:
    record = chosen(dialogue)
    assert record is not None
    dialogue.form.transaction = record.id


def choose_older(dialogue: Dialogue, _event: object) -> None:
    record = chosen(dialogue)
    older = dialogue.ledger.search.journal(dialogue.form.wanted, record.id - 1 if record else 0)
    if older:
        dialogue.form.transaction = older[0].id
    else:
        dialogue.say("say.no_older")


def choose_newer(dialogue: Dialogue, _event: object) -> None:
    record = chosen(dialogue)
    newer = record and dialogue.ledger.search.newer(dialogue.form.wanted, record.id)
    if newer:
        dialogue.form.transaction = newer.id
    else:
        dialogue.say("say.no_newer")


def nothing_is_there(dialogue: Dialogue, _event: object) -> bool:
    return chosen(dialogue) is None


# --- screens --------------------------------------------------------------------------------------


def list_screen(dialogue: Dialogue) -> Screen:
    """The chosen one and those before it."""
    record = chosen(dialogue)
    if record is None:
        body = (dialogue.text("line.no_transaction"),)
        return Screen(dialogue.text("title.journal"), body, dialogue.text("hint.confirm"))
    found = dialogue.ledger.search.journal(dialogue.form.wanted, record.id, _ROWS)
    rows = tuple(_row(dialogue, each) for each in found)
    return Screen(dialogue.text("title.journal"), rows, dialogue.text("hint.confirm_read"), 0)


def _row(dialogue: Dialogue, record: TransactionRecord) -> str:
    """Voucher, mark and amount, which is always whole; what moves no money has its name instead."""
    rest = f"{_mark(record)}{amount_text(record.booked_amount)}"
    if record.kind == BALANCE_INQUIRY.name:
        rest = f"{_mark(record)}{dialogue.text('menu.balance')}"
    return f"{tail(record.stan, dialogue.columns - grid.width(rest))}{rest}"


def _mark(record: TransactionRecord) -> str:
    """- goes back, ? nobody knows yet, x came to nothing."""
    if record.state in IN_DOUBT:
        return "?"
    if record.state not in _DONE:
        return "x"
    return "-" if KINDS[record.kind].side is Side.CREDIT else " "


def told(dialogue: Dialogue, record: TransactionRecord) -> tuple[str, ...]:
    """How it ended and what happened, in words."""
    transactions = dialogue.ledger.transactions
    steps, refunded = transactions.steps(record.id), transactions.refunded(record.id)
    ended = dialogue.text(f"line.last_{record.state}")
    return (ended, *story(record, steps, dialogue.catalogue, refunded))


def story_screen(dialogue: Dialogue, hint: str) -> Screen:
    """What it is, and its story to scroll through."""
    record = chosen(dialogue)
    assert record is not None
    texts = dialogue.catalogue
    return Screen(
        texts.text(f"line.kind_{record.kind}", voucher=record.stan),
        (*_about(texts, record), *told(dialogue, record)),
        dialogue.text(hint),
    )


def short_screen(dialogue: Dialogue, hint: str) -> Screen:
    """What it is, in as many rows as fit without scrolling much."""
    record = chosen(dialogue)
    assert record is not None
    texts = dialogue.catalogue
    title = texts.text(f"line.kind_{record.kind}", voucher=record.stan)
    return Screen(title, _about(texts, record), dialogue.text(hint))


def _about(texts: Catalogue, record: TransactionRecord) -> tuple[str, ...]:
    return (
        texts.text("line.amount", amount=amount_text(record.booked_amount)),
        short_card(record.masked_card),
        f"{moment(record.created_at):%Y-%m-%d %H:%M}",
    )
