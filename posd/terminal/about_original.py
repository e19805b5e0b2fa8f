"""Shared steps after an original is chosen: what will be asked about it is shown, and sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.core.events import PinEntered
from posd.ledger.ledger import moment
from posd.money.kinds import KINDS
from posd.money.requests import Reference, Request
from posd.terminal.fields import Title
from posd.terminal.machine import Action, Part, Row, Step
from posd.terminal.originals import short_card
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.ledger.records import TransactionRecord
    from posd.terminal.dialogue import Dialogue


def shown_step(title: Title, hint: str, *rows: Row) -> Part:
    """What will be asked of the host, once more before it leaves. rows: what 确认 leads to."""

    def screen(dialogue: Dialogue) -> Screen:
        form = dialogue.form
        return Screen(title(dialogue), tuple(_about(dialogue, form.original)), dialogue.text(hint))

    return Part((Step("shown", screen, help="shown"),), rows)


def _about(dialogue: Dialogue, original: TransactionRecord | None) -> list[str]:
    """Its card, when it was, and its code; of one that is not here, what the clerk typed."""
    form = dialogue.form
    if original is None:
        card = short_card(form.card.track2.pan.masked) if form.card else ""
        code = form.reference or form.authorisation
        date = form.date
    else:
        card = short_card(original.masked_card)
        code = dialogue.text("line.voucher", voucher=original.stan)
        date = moment(original.created_at).strftime("%m-%d %H:%M")
    return [line for line in (card, code, date) if line]


def send_about(kind: str) -> Action:
    """The request of this kind about the form's original, with the form's card or the ledger's."""

    def send(dialogue: Dialogue, event: object) -> None:
        form = dialogue.form
        card, form.card = form.card, None  # a track is held for one request
        if card is not None:
            account = (card.track2.pan, card.track2.expiry)
        else:
            assert form.original is not None
            account = dialogue.ledger.transactions.card(form.original.id)
        request = Request(
            KINDS[kind],
            form.amount,
            account,
            card,
            event.pin_block if isinstance(event, PinEntered) else None,
            original=form.original,
            reference=_reference(dialogue),
            supervisor=form.supervisor,
        )
        dialogue.money.request(request)

    return send


def _reference(dialogue: Dialogue) -> Reference:
    form = dialogue.form
    if form.original is not None:
        return Reference.of(form.original)
    return Reference(
        date=form.date,
        retrieval_reference=form.reference,
        authorisation_code=form.authorisation,
    )
