"""Settlement and batch upload: totals compared, items noted, the batch closed at the end."""

from __future__ import annotations

from posd.acquirer.book import Settlement, Totals
from posd.acquirer.situation import Situation, Verdict

_CLASS_DIGITS = 31  # debit 12 + 3, credit 12 + 3, result 1
_ITEM_DIGITS = 40  # card class 2, STAN 6, number 20, amount 12
_UPLOAD_ENDS = ("202", "207")
_LAST_BATCH = 999_999


def settle(situation: Situation) -> Verdict:
    """Answer a 0500 with the host's own totals and, for each card class, 1 balanced or 2 not."""
    request, book = situation.request, situation.ledger.book
    if situation.outcome.code not in (None, "00"):
        return Verdict(str(situation.outcome.code))
    theirs = str(request.message.get(48, ""))
    if not theirs or len(theirs) % _CLASS_DIGITS:
        return Verdict("30")
    ours = ""
    for start, foreign in zip(range(0, len(theirs), _CLASS_DIGITS), (False, True), strict=False):
        totals = _digits(book.open_totals(request.terminal, foreign=foreign))
        claimed = theirs[start : start + len(totals)]
        ours += totals + ("1" if claimed == totals else "2")
    book.begin_settlement(request.terminal, request.batch, theirs, ours)
    return Verdict("00", {37: situation.reference, 48: ours}, final=True)


def upload(situation: Situation) -> Verdict:
    """Answer a 0320: an item or several, or the end, which closes the batch.

    Without a settlement before it: 25.
    """
    request, book = situation.request, situation.ledger.book
    if situation.outcome.code not in (None, "00"):
        return Verdict(str(situation.outcome.code))
    settlement = book.open_settlement(request.terminal)
    if settlement is None:
        return Verdict("25")
    if request.network_code in _UPLOAD_ENDS:
        book.close_settlement(settlement)
        following = int(request.batch) % _LAST_BATCH + 1
        situation.ledger.set_batch(request.terminal, f"{following:06d}")
    elif request.network_code == "201":
        _note_items(situation, settlement)
    else:
        _note(situation, settlement, request.stan, request.amount)
    return Verdict("00", {37: situation.reference}, final=True)


def _digits(totals: Totals) -> str:
    return (
        f"{totals.debit:012d}{totals.debit_count:03d}{totals.credit:012d}{totals.credit_count:03d}"
    )


def _note_items(situation: Situation, settlement: Settlement) -> None:
    """Magstripe items: a count of 2 digits and the items."""
    items = str(situation.request.message.get(48, ""))[2:]
    for start in range(0, len(items) - _ITEM_DIGITS + 1, _ITEM_DIGITS):
        item = items[start : start + _ITEM_DIGITS]
        _note(situation, settlement, item[2:8], int(item[28:]))


def _note(situation: Situation, settlement: Settlement, stan: str, amount: int) -> None:
    book = situation.ledger.book
    entered = book.unsettled_by_stan(settlement.terminal, stan)
    known = entered is not None and entered.amount == amount
    book.add_upload(settlement, stan, amount, known=known)
