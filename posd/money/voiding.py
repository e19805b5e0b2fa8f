"""The request that voids an approved sale or completion, whole; or why there is none."""

from __future__ import annotations

from posd.ledger.ledger import Ledger
from posd.money.kinds import KINDS
from posd.money.refusals import Refusal
from posd.money.requests import Reference, Request, SwipedCard
from protocol import PinBlock


def void_request(
    ledger: Ledger,
    original: int,
    card: SwipedCard | None,
    pin_block: PinBlock | None,
    supervisor: str,
) -> Request | Refusal:
    """Without a card, number and expiry come from the ledger. Raises KeyError for an unknown original."""
    record = ledger.transactions.get(original)
    if record.batch != ledger.counters.open_batch:
        return Refusal.ORIGINAL_SETTLED
    try:
        account = ledger.transactions.card(original)
    except KeyError:
        return Refusal.CARD_ERASED
    if card is not None:
        if card.track2.pan != account[0]:
            return Refusal.OTHER_CARD
        account = (card.track2.pan, card.track2.expiry)
    return Request(
        KINDS["sale_void" if record.kind == "sale" else "completion_void"],
        record.booked_amount,
        account,
        card,
        pin_block,
        original=record,
        reference=Reference.of(record),
        supervisor=supervisor,
    )
