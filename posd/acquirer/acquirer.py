"""The acquirer itself: a frame in, deliveries out, everything decided and committed in between.

Synchronous and deterministic: clock and randomness are handed in, nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from posd.acquirer import financial, reversals, settlement, terminals
from posd.acquirer.answers import Delivery, answer_message, deliveries, usual_elements
from posd.acquirer.cards import CARDS, TestCard
from posd.acquirer.kinds import KINDS
from posd.acquirer.ledger import AcquirerLedger, Identity, StoredRequest, TerminalState
from posd.acquirer.outcomes import ORDINARY, Fault, Order, Outcome, by_amount
from posd.acquirer.request import REVERSAL, UNKNOWN, Request, read_request
from posd.acquirer.situation import (
    APPROVED,
    House,
    Options,
    Situation,
    TerminalRecord,
    Verdict,
)
from protocol import DEFAULT, Dialect, Key, Message, ProtocolError, decode
from protocol.errors import InvalidRequest, TrackProblem
from protocol.keys import WorkingKeys, working_keys
from protocol.track import decrypt_track
from protocol.transactions import BY_NAME, validate

_SCRIPT_RESULT = "script_result"
_PLAIN = {
    "sign_in": terminals.sign_in,
    "sign_off": terminals.sign_off,
    "echo": terminals.echo,
    "settlement": settlement.settle,
    "batch_upload": settlement.upload,
}
_BATCH_DIGITS = 6
_OPEN_TO_ALL = ("sign_in", "sign_off", "echo")


def _nothing(_: int) -> None:
    pass


class Acquirer:
    """The host of a few terminals. One at a time on a ledger; not safe for threads.

    after_commit: called with the request's number in the ledger, after the decision is committed
    and before anything is delivered. When it raises, nothing is delivered: the crash point.
    """

    def __init__(
        self,
        ledger: AcquirerLedger,
        terminal_records: Iterable[TerminalRecord],
        cards: Iterable[TestCard] = CARDS,
        *,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        dialect: Dialect = DEFAULT,
        options: Options | None = None,
        after_commit: Callable[[int], None] = _nothing,
    ) -> None:
        self.ledger = ledger
        self.after_commit = after_commit
        self.house = House(
            ledger,
            {record.terminal: record for record in terminal_records},
            {card.pan: card for card in cards},
            clock,
            random_bytes,
            dialect,
            options or Options(),
        )
        self._orders: list[Order] = []
        self._keys: dict[bytes, WorkingKeys] = {}
        with ledger.commit():
            terminals.enrol(self.house)

    def order(self, order: Order) -> None:
        """Treat the next requests of a kind in a certain way. Orders come before amounts."""
        self._orders.append(order)

    def change_batch(self, terminal: str, batch: str) -> None:
        """From the next sign-in on the terminal has another batch number (six digits)."""
        with self.ledger.commit():
            self.ledger.set_batch(terminal, batch)

    def receive(self, frame: bytes) -> tuple[Delivery, ...]:
        """Decide one frame (LEN included), commit, and say what goes back. Never raises for bytes.

        Empty: no answer. What cannot be decoded, and what is no request, gets none.
        """
        now = self.house.clock()
        try:
            message = decode(frame, self.house.dialect)
        except ProtocolError:
            with self.ledger.commit():
                number = self.ledger.add_request(now.isoformat(), *_UNDECODABLE)
            self.after_commit(number)
            return ()
        request = read_request(message)
        outcome = self._outcome(request)
        with self.ledger.commit():
            situation = self._situation(request, frame, now, outcome)
            number = situation.number
            if outcome.fault is Fault.LOST or not _is_request(message):
                verdict = answer = None
            else:
                verdict, answer = self._answer(situation)
        self.after_commit(number)
        if verdict is None or answer is None:
            return ()
        return deliveries(situation, answer, sealed=verdict.sealed)

    def _situation(
        self, request: Request, frame: bytes, now: datetime, outcome: Outcome
    ) -> Situation:
        number = self.ledger.add_request(
            now.isoformat(), request.kind, request.identity, request.contents, outcome.label
        )
        state = self.ledger.terminal(request.terminal) or TerminalState("", "", "", False, None)
        keys = self._working_keys(state)
        if keys is not None and keys.track is not None and self.house.dialect.track_encryption:
            request = _in_clear(request, keys.track)
        return Situation(self.house, request, frame, number, now, outcome, state, keys)

    def _answer(self, situation: Situation) -> tuple[Verdict, Message]:
        verdict = _decide(situation)
        elements = usual_elements(situation, verdict)
        self.ledger.answer_request(situation.number, verdict.code, elements, final=verdict.final)
        return verdict, answer_message(situation, verdict, elements)

    def _working_keys(self, state: TerminalState) -> WorkingKeys | None:
        wrapped, record = state.wrapped_keys, self.house.terminals.get(state.terminal)
        if wrapped is None or record is None:
            return None
        if wrapped not in self._keys:
            keys = working_keys(wrapped, record.master, self.house.dialect)
            self._keys = {wrapped: keys}
        return self._keys[wrapped]

    def _outcome(self, request: Request) -> Outcome:
        """An order that fits, used up by it, or else what the amount chooses."""
        for index, order in enumerate(self._orders):
            if _fits(order, request):
                left = replace(order, times=order.times - 1)
                self._orders[index : index + 1] = [left] if left.times else []
                return order.outcome
        is_reversal = request.kind == REVERSAL
        if not (self.house.options.amounts_choose and (is_reversal or request.kind in KINDS)):
            return ORDINARY
        outcome = by_amount(request.amount, is_void=request.is_void, is_reversal=is_reversal)
        if outcome.tries is not None and self.ledger.tries(request.identity) >= outcome.tries:
            return ORDINARY
        return outcome


_UNDECODABLE = ("undecodable", Identity(None, "", None, None, None, None), "", "")


def _is_request(message: Message) -> bool:
    """Answers have an odd third digit in their MTI; a host does not answer them."""
    return int(message.mti[2]) % 2 == 0


def _in_clear(request: Request, track_key: Key) -> Request:
    """The request with its track decrypted; as it came when that cannot be."""
    track = request.message.get(35)
    if track is None:
        return request
    try:
        clear = decrypt_track(track, track_key)
    except TrackProblem:
        return request
    return replace(request, message=request.message.with_elements({35: clear}))


def _fits(order: Order, request: Request) -> bool:
    return (
        order.transaction in ("any", request.kind)
        and order.of in (None, request.of)
        and order.terminal in (None, request.terminal)
    )


def _decide(situation: Situation) -> Verdict:
    request = situation.request
    if (code := terminals.refuse(situation)) is not None:
        return Verdict(code)
    if request.kind == UNKNOWN:
        return Verdict("12")
    if not _well_formed(request):
        return Verdict("30")
    if request.kind in _PLAIN:
        return _decide_plain(situation)
    if (code := terminals.refuse_mac(situation)) is not None:
        return Verdict(code)
    if request.mti not in ("0100", "0200") and (first := _repeated(situation)) is not None:
        sealed = first.code in APPROVED or request.kind == REVERSAL
        return Verdict(first.code, first.answer, card=situation.card, sealed=sealed)
    if request.kind == REVERSAL:
        return reversals.reverse(situation)
    if request.kind == _SCRIPT_RESULT:
        return Verdict("00", {37: situation.reference}, final=True, sealed=True)
    return financial.decide(situation)


def _decide_plain(situation: Situation) -> Verdict:
    """Management, settlement, upload: without a MAC."""
    kind = situation.request.kind
    if kind not in _OPEN_TO_ALL:
        if (first := _repeated(situation)) is not None:
            return Verdict(first.code, first.answer)
        if (code := terminals.refuse_unsigned(situation)) is not None:
            return Verdict(code)
    return _PLAIN[kind](situation)


def _repeated(situation: Situation) -> StoredRequest | None:
    first = situation.ledger.decided(situation.request.identity)
    if first is not None:
        situation.ledger.mark_repeat(situation.number, first)
    return first


def _well_formed(request: Request) -> bool:
    """Does the request carry what its kind must, and nothing that it must not?"""
    try:
        validate(BY_NAME[request.kind], request.message.elements)
    except InvalidRequest:
        return False
    return len(request.batch) == _BATCH_DIGITS
