"""New financial requests: the card, its PIN, its money, and the rules of each kind.

Each kind is a function from a situation to a `Ruling`; `decide` enters what it says in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from posd.acquirer.book import Transaction
from posd.acquirer.kinds import KINDS
from posd.acquirer.situation import APPROVED, UNDECIDED, Situation, Verdict
from protocol import ProtocolError
from protocol.pin import read_pin_block

_WRONG_PINS_ALLOWED = 3
_COMPLETION_CEILING = 115  # percent of the pre-authorisation


@dataclass(frozen=True)
class Ruling:
    """code: element 39. original: what the request refers to. amount: fen approved.

    balance: fen available, for a balance inquiry.
    """

    code: str
    original: Transaction | None = None
    amount: int = 0
    balance: int | None = None


def decide(situation: Situation) -> Verdict:
    """Decide a new financial request and enter it in the ledger."""
    request, ledger = situation.request, situation.ledger
    if request.batch != situation.state.batch:
        return Verdict("77")
    if (
        first := ledger.decided_with_stan(request.terminal, request.batch, request.stan)
    ) is not None:
        return _second_delivery(situation, first.contents == request.contents)
    if ledger.reversal_remembered(request.terminal, request.batch, request.stan):
        return _enter(situation, Ruling("94"))
    ruling = _rule(situation)
    if ruling.code in UNDECIDED:
        return Verdict(ruling.code)
    return _enter(situation, ruling)


def _second_delivery(situation: Situation, same_contents: bool) -> Verdict:
    """The STAN was used: 94, unless it is the same request and its answer still holds."""
    request, ledger = situation.request, situation.ledger
    first = ledger.decided(request.identity)
    if first is None or not same_contents:
        return Verdict("94")
    entered = ledger.book.by_stan(request.terminal, request.batch, request.stan)
    if entered is not None and entered.state not in ("approved", "declined"):
        return Verdict("94")
    ledger.mark_repeat(situation.number, first)
    return repeated(situation, first.code, first.answer)


def repeated(situation: Situation, code: str, answer: Mapping[int, str]) -> Verdict:
    """The answer that was given before, sealed anew."""
    return Verdict(code, answer, card=situation.card, sealed=code in APPROVED)


def _rule(situation: Situation) -> Ruling:
    ordered = situation.outcome.code
    if ordered is not None and ordered not in APPROVED:
        return Ruling(ordered)
    code = _check_card(situation) or _check_pin(situation)
    ruling = Ruling(code) if code else _RULES[situation.request.kind](situation)
    if ordered is not None and ruling.code == "00":
        return replace(ruling, code=ordered)
    return ruling


def _check_card(situation: Situation) -> str | None:
    """The code that declines the card, or None."""
    card = situation.card
    if card is None:
        return "14"
    if card.code is not None:
        return card.code
    today = situation.now.strftime("%y%m")
    if card.expiry < today or situation.request.expiry != card.expiry:
        return "54"
    if situation.request.kind != "balance_inquiry" and situation.request.amount == 0:
        return "13"
    return None


def _check_pin(situation: Situation) -> str | None:
    """The code that declines the PIN, or None. Counts wrong ones, which a right one forgives."""
    card, keys = situation.card, situation.keys
    assert card is not None  # the card was checked before
    assert keys is not None  # and the MAC
    block = situation.request.message.get(52)
    if block is None:
        needed = card.pin is not None and KINDS[situation.request.kind].needs_pin
        return "55" if needed else None
    try:
        pin = read_pin_block(block, card.pan, keys.pin)
    except ProtocolError:
        return "99"
    if card.pin is None:
        return None
    day = situation.now.date().isoformat()
    wrong = situation.ledger.wrong_pins(card.name, day)
    if wrong >= _WRONG_PINS_ALLOWED:
        return "75"
    if pin == card.pin:
        situation.ledger.set_wrong_pins(card.name, day, 0)
        return None
    situation.ledger.set_wrong_pins(card.name, day, wrong + 1)
    return "75" if wrong + 1 == _WRONG_PINS_ALLOWED else "55"


# The kinds


def _available(situation: Situation) -> int:
    assert situation.card is not None
    return situation.card.funds - situation.ledger.book.spent(situation.card.name)


def _pay(situation: Situation) -> Ruling:
    """Sale, pre-authorisation: the money must be there."""
    amount, partial = situation.request.amount, situation.outcome.partial
    if amount > _available(situation):
        return Ruling("51")
    if situation.request.kind == "sale" and partial is not None and partial < amount:
        return Ruling("10", amount=partial)
    return Ruling("00", amount=amount)


def _inquire(situation: Situation) -> Ruling:
    return Ruling("00", balance=_available(situation))


def _void_by_stan(situation: Situation) -> Ruling:
    """Sale void, completion void: 61 names batch and STAN, 37 and 38 must agree."""
    request = situation.request
    private = str(request.message.get(61, ""))
    original = situation.ledger.book.by_stan(request.terminal, private[:6], private[6:12])
    voided = {"sale_void": ("sale",), "completion_void": ("completion", "completion_notice")}
    if (
        original is None
        or original.kind not in voided[request.kind]
        or original.reference != request.message.get(37)
        or request.message.get(38) not in (None, original.authorisation)
    ):
        return Ruling("25")
    return _void(situation, original)


def _void_by_authorisation(situation: Situation) -> Ruling:
    """Pre-authorisation void: 38 and the date in 61 name it."""
    original = _authorised(situation)
    return Ruling("25") if original is None else _void(situation, original)


def _void(situation: Situation, original: Transaction) -> Ruling:
    if original.state in ("voided", "completed"):
        return Ruling("12")
    if not original.approved or original.settlement is not None or _other_card(situation, original):
        return Ruling("25")
    if situation.ledger.book.refunded(original.number):
        return Ruling("12")
    if original.amount != situation.request.amount:
        return Ruling("64")
    return Ruling("00", original, original.amount)


def _complete(situation: Situation) -> Ruling:
    """Completion, requested or notified: once, of an approved pre-authorisation."""
    original = _authorised(situation)
    if original is None or _other_card(situation, original) or original.state == "reversed":
        return Ruling("25")
    if not original.approved:
        return Ruling("12")
    if situation.request.amount * 100 > original.amount * _COMPLETION_CEILING:
        return Ruling("61")
    return Ruling("00", original, situation.request.amount)


def _refund(situation: Situation) -> Ruling:
    """Refund: 37 and the date in 61 name the original; parts add up to no more than it."""
    request, book = situation.request, situation.ledger.book
    original = book.by_reference(request.terminal, str(request.message.get(37, "")))
    date = str(request.message.get(61, ""))[12:16]
    if (
        original is None
        or KINDS[original.kind].direction != 1
        or original.date != date
        or original.state in ("declined", "reversed")
        or _other_card(situation, original)
    ):
        return Ruling("25")
    if original.state == "voided":
        return Ruling("12")
    if request.amount > original.amount - book.refunded(original.number):
        return Ruling("61")
    return Ruling("00", original, request.amount)


def _authorised(situation: Situation) -> Transaction | None:
    request = situation.request
    code = str(request.message.get(38, ""))
    date = str(request.message.get(61, ""))[12:16]
    return situation.ledger.book.by_authorisation(request.terminal, code, date)


def _other_card(situation: Situation, original: Transaction) -> bool:
    assert situation.card is not None
    return situation.card.name != original.card


_RULES: Mapping[str, Callable[[Situation], Ruling]] = {
    "balance_inquiry": _inquire,
    "sale": _pay,
    "sale_void": _void_by_stan,
    "refund": _refund,
    "pre_authorisation": _pay,
    "pre_authorisation_void": _void_by_authorisation,
    "completion": _complete,
    "completion_notice": _complete,
    "completion_void": _void_by_stan,
}


# What a ruling does


def _enter(situation: Situation, ruling: Ruling) -> Verdict:
    """Write a decided request into the book, move its original, and word the answer."""
    request, book, kind = situation.request, situation.ledger.book, KINDS[situation.request.kind]
    card, pan = situation.card, situation.request.pan
    approved = ruling.code in APPROVED
    authorisation = _authorisation(situation) if approved and kind.authorises else None
    if ruling.original is not None:
        _move_original(situation, ruling.original)
    amount = ruling.amount
    if kind.name != "balance_inquiry":
        book.add(
            Transaction(
                request=situation.number,
                kind=kind.name,
                terminal=request.terminal,
                batch=request.batch,
                stan=request.stan,
                processing_code=request.processing_code,
                card=None if card is None else card.name,
                masked_number="" if pan is None else pan.masked,
                amount_requested=request.amount,
                amount=amount,
                direction=kind.direction,
                state="approved" if approved else "declined",
                code=ruling.code,
                reference=situation.reference,
                authorisation=authorisation,
                date=f"{situation.now:%m%d}",
                foreign_card=card is not None and card.foreign,
                original=None if ruling.original is None else ruling.original.number,
            )
        )
    elements: dict[int, str | None] = {37: situation.reference, 38: authorisation}
    if ruling.code == "10":
        elements[4] = f"{amount:012d}"
    if ruling.balance is not None:
        sign = "D" if ruling.balance < 0 else "C"
        elements[54] = f"1002156{sign}{abs(ruling.balance):012d}"
    return Verdict(ruling.code, elements, final=True, card=card, sealed=approved)


def _authorisation(situation: Situation) -> str:
    digits = int.from_bytes(situation.house.random_bytes(4), "big") % 1_000_000
    return f"{digits:06d}"


def _move_original(situation: Situation, original: Transaction) -> None:
    book, state = situation.ledger.book, KINDS[situation.request.kind].original_becomes
    if state is None:
        return
    book.set_state(original.number, state)
    if original.original is not None:
        # The void of a completion makes its pre-authorisation good again.
        book.set_state(original.original, "approved")
