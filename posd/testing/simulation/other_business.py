"""Every kind of request, also those that have no keys, and what a supervisor decides: driven at the
money core's own door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from posd.acquirer.cards import BY_NAME, TestCard
from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS
from posd.money.requests import Reference, Request, SwipedCard, request_of
from posd.testing.simulation.chance import Chance
from posd.testing.simulation.clerk import GOOD_CARDS, SMALL_AMOUNTS
from posd.testing.simulation.life import Life
from protocol import PinBlock
from protocol.pin import pin_block

_WEIGHTS: Final = (
    (9, "sale"), (4, "sale_void"), (3, "balance_inquiry"), (5, "refund"), (5, "pre_authorisation"),
    (3, "pre_authorisation_void"), (4, "completion"), (3, "completion_notice"),
    (4, "completion_void"), (2.5, "settlement"),
)  # fmt: skip
_ABOUT: Final[Mapping[str, frozenset[str]]] = {
    name: kind.originals for name, kind in KINDS.items() if kind.originals
}
_PIN_ASKED: Final = ("balance_inquiry", "pre_authorisation", "sale")
_IN_DOUBT: Final = (State.PENDING, State.UNRESOLVED)
_SUPERVISOR: Final = "00"
_ADMINISTRATOR: Final = "99"
_CASHIER: Final = "01"
_PLAIN: Final = 12_345  # fen
_ORDINARY: Final = 400  # fen: from here on amounts choose no outcome at the test acquirer


class OtherBusiness:
    """note: told what is asked for, for the history."""

    def __init__(
        self,
        chance: Chance,
        life: Callable[[], Life],
        note: Callable[[str], None],
    ) -> None:
        self._chance = chance
        self._life = life
        self._note = note

    def request(self) -> None:
        """Ask for something; a refusal is an answer too."""
        kind = self._chance.weighted(_WEIGHTS)
        if kind == "settlement":
            self.settle()
            return
        original = self._original(kind)
        if kind in _ABOUT and original is None:
            kind = "pre_authorisation"
        amount = self._amount(kind, original)
        card = self._card(original)
        block = self._pin(kind, card)
        request = Request(
            KINDS[kind],
            amount,
            (card.pan, card.expiry),
            SwipedCard(card.track2) if kind == "refund" or not self._chance.happens(0.2) else None,
            block,
            original=original,
            reference=Reference.of(original) if original else None,
            supervisor=_SUPERVISOR if original else "",
        )
        about = f" of {original.stan}" if original else ""
        self._note(f"asks for {kind}{about}, {amount} fen, card {card.name}")
        life = self._life()
        life.ask(lambda: life.core.money.request(request))

    def sign_in(self) -> None:
        self._note("asks for a sign-in")
        life = self._life()
        life.ask(lambda: life.core.money.sign_in(_CASHIER))

    def plain_sale(self, card: str) -> None:
        """As plain as can be."""
        self._note(f"asks for a plain sale, card {card}")
        request = request_of("sale", _PLAIN, SwipedCard(BY_NAME[card].track2))
        life = self._life()
        life.ask(lambda: life.core.money.request(request))

    def settle(self) -> None:
        """Settle the batch, or go on where a settlement stopped."""
        self._note("asks for a settlement")
        life = self._life()
        life.ask(lambda: life.core.money.settle(_CASHIER))

    def decide(self) -> None:
        """A supervisor looks at what only a person can decide."""
        life, chance = self._life(), self._chance
        if life.core.money.settlement_unfinished is not None and chance.happens(0.5):
            if chance.happens(0.05):
                self._note("the administrator closes the batch without the host")
                life.ask(lambda: life.core.money.close_batch_by_hand(_ADMINISTRATOR))
            else:
                self.settle()
            return
        spent = self._spent()
        open_cases = life.ledger.transactions.in_states(State.UNRESOLVED)
        if spent and chance.happens(0.6):
            self._give_up(chance.one(spent))
        elif open_cases and chance.happens(0.3):
            case = chance.one(open_cases)
            self._note(f"supervisor closes the case {case.stan}")
            life.ask(lambda: life.core.money.close_case(case.id, _SUPERVISOR, "stands"))
        elif chance.happens(0.3):
            self._note("supervisor tries the reversals now")
            life.ask(life.core.money.retry_reversals)

    def give_up_what_goes_on(self) -> None:
        """A notice that no host will ever take keeps the batch open until a supervisor says so."""
        for record in self._spent():
            self._give_up(record)

    def _spent(self) -> list[TransactionRecord]:
        life = self._life()
        records = life.ledger.transactions.in_states(State.REVERSING, State.PENDING)
        return [record for record in records if life.core.money.tries_are_spent(record)]

    def _give_up(self, record: TransactionRecord) -> None:
        self._note(f"supervisor gives up the {record.kind} {record.stan}")
        life = self._life()
        life.ask(lambda: life.core.money.give_up(record.id, _SUPERVISOR, "customer left"))

    def _original(self, kind: str) -> TransactionRecord | None:
        kinds = _ABOUT.get(kind)
        if kinds is None:
            return None
        transactions = self._life().ledger.transactions
        states = [State.APPROVED]
        if self._chance.happens(0.1):
            states += [State.VOIDED, State.COMPLETED, State.REVERSED, State.UNRESOLVED]
        found = [one for one in transactions.in_states(*states) if one.kind in kinds]
        doubtful = {one.original for one in transactions.in_states(*_IN_DOUBT)}
        delicate = [one for one in found if one.id in doubtful]
        if delicate and self._chance.happens(0.5):
            return self._chance.one(delicate)
        return self._chance.one(found) if found else None

    def _card(self, original: TransactionRecord | None) -> TestCard:
        if original is not None and not self._chance.happens(0.05):
            for card in BY_NAME.values():
                if card.pan.masked == original.masked_card:
                    return card
        return BY_NAME[self._chance.one(GOOD_CARDS)]

    def _amount(self, kind: str, original: TransactionRecord | None) -> int:
        chance = self._chance
        if kind == "balance_inquiry":
            return 0
        if original is None:
            small = chance.happens(0.15)
            return chance.one(SMALL_AMOUNTS) if small else chance.whole(_ORDINARY, 50_000)
        whole = original.approved_amount or original.amount
        match kind:
            case "refund":
                return chance.one((whole, max(1, whole // 2), max(1, whole // 3), whole + 1))
            case "completion":
                return chance.one((whole, max(1, whole // 2), whole * 115 // 100, whole * 2))
            case "completion_notice":
                # an amount that no copy is ever answered for would never come to an end
                return max(_ORDINARY, chance.one((whole, whole // 2, whole * 115 // 100)))
        return whole

    def _pin(self, kind: str, card: TestCard) -> PinBlock | None:
        pin_key = self._life().core.money.pin_key
        if kind not in _PIN_ASKED or card.pin is None or pin_key is None:
            return None
        return pin_block(card.pin, card.pan, pin_key)
