"""The test acquirer with a note of everything that reaches it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from posd.acquirer.acquirer import Acquirer
from posd.acquirer.answers import Delivery
from posd.acquirer.ledger import AcquirerLedger
from posd.acquirer.request import UNKNOWN, read_request
from posd.testing.installation import Installation
from posd.testing.stage import Received, Witness
from protocol import Message, PinBlock, ProtocolError, decode
from protocol.elements import Value

_NEVER = float("inf")


class WatchedAcquirer(Acquirer):
    """The acquirer of one installation; the witness knows each frame before its answer is due.

    seconds: a clock that never jumps. clock, random_bytes: the acquirer's own.
    """

    def __init__(
        self,
        installation: Installation,
        witness: Witness,
        *,
        seconds: Callable[[], float],
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        super().__init__(
            AcquirerLedger(installation.acquirer_ledger),
            [installation.terminal_record],
            clock=clock,
            random_bytes=random_bytes,
            options=installation.acquirer_options(),
        )
        self._witness = witness
        self._seconds = seconds
        self._answered_at = 0.0

    def receive(self, frame: bytes) -> tuple[Delivery, ...]:
        """As any acquirer's."""
        message = _decoded(frame)
        deliveries = super().receive(frame)
        self._witness.frames += [frame, *(delivery.data for delivery in deliveries)]
        if message is None:
            self._witness.received.append(Received("", UNKNOWN, {}))
            return deliveries
        request = read_request(message)
        if request.financial:
            delays = [delivery.after for delivery in deliveries if delivery.data]
            self._answered_at = self._seconds() + min(delays) if delays else _NEVER
        elements = {number: _in_words(value) for number, value in message.elements.items()}
        self._witness.received.append(Received(message.mti, request.kind, elements))
        return deliveries

    @property
    def owes_an_answer(self) -> bool:
        """Whether nothing has gone back yet for the newest financial request."""
        return self._seconds() < self._answered_at


def _decoded(frame: bytes) -> Message | None:
    try:
        return decode(frame)
    except ProtocolError:
        return None


def _in_words(value: Value) -> str:
    if isinstance(value, PinBlock):
        return "present"
    return value.hex() if isinstance(value, bytes) else str(value)
