"""Reversals: undo what is there, remember what is not."""

from __future__ import annotations

from posd.acquirer.book import Transaction
from posd.acquirer.kinds import KINDS
from posd.acquirer.situation import Situation, Verdict


def reverse(situation: Situation) -> Verdict:
    """Reverse the original, which has the reversal's batch and STAN.

    00: reversed, or there was nothing to undo. 25 or 12, by option: no original, which is
    remembered and declined if it comes later. 25: settled. 12: voided since. 64: other amount.
    """
    ordered = situation.outcome.code
    if ordered is not None and ordered != "00":
        return Verdict(ordered)
    code = _code(situation)
    return Verdict(code, {37: situation.reference}, final=True, card=situation.card, sealed=True)


def _code(situation: Situation) -> str:
    request, book = situation.request, situation.ledger.book
    original = book.by_stan(request.terminal, request.batch, request.stan)
    if original is None or _is_another(situation, original):
        return _without_original(situation)
    if original.state in ("declined", "reversed"):
        return "00"
    if original.settlement is not None:
        return "25"
    if not original.approved:
        return "12"
    if original.amount_requested != request.amount:
        return "64"
    book.set_state(original.number, "reversed")
    if original.original is not None:
        _restore(situation, original, original.original)
    return "00"


def _is_another(situation: Situation, original: Transaction) -> bool:
    request = situation.request
    return (original.kind, original.processing_code) != (request.of, request.processing_code)


def _without_original(situation: Situation) -> str:
    request = situation.request
    situation.ledger.remember_reversal(
        request.terminal, request.batch, request.stan, situation.now.isoformat()
    )
    return situation.outcome.missing_original or situation.house.options.missing_original


def _restore(situation: Situation, reversed_one: Transaction, number: int) -> None:
    """Give the reversed request's own original back the state it had before."""
    if KINDS[reversed_one.kind].original_becomes is None:
        return
    book = situation.ledger.book
    book.set_state(number, "approved")
    before = book.by_number(number).original
    if before is not None:
        # A completion that is good again has used up its pre-authorisation again.
        book.set_state(before, "completed")
