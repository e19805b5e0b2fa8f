"""What the handlers of requests are given, and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from posd.acquirer.cards import TestCard
from posd.acquirer.ledger import AcquirerLedger, TerminalState
from posd.acquirer.outcomes import Outcome
from posd.acquirer.request import Request
from protocol import Dialect, Key, Pan
from protocol.keys import WorkingKeys


@dataclass(frozen=True)
class TerminalRecord:
    """A terminal that the acquirer serves. master: its terminal master key.

    batch: the batch number (six digits) of its first sign-in.
    """

    terminal: str
    merchant: str
    master: Key
    batch: str = "000001"


@dataclass(frozen=True)
class Options:
    """How this acquirer differs from another one. Times in seconds.

    mac_key_length: bytes of the MAC key given at sign-in, 16 or 8.
    missing_original: the answer to a reversal without an original: "00", "25" or "12".
    slow: how long a slow answer takes. late: how long one takes that comes after the time-out.
    amounts_choose: small amounts have their outcomes (`posd.acquirer.outcomes`); without, only orders do.
    """

    mac_key_length: int = 16
    missing_original: str = "00"
    slow: float = 3.0
    late: float = 65.0
    amounts_choose: bool = True


@dataclass(frozen=True)
class House:
    """The acquirer's own things, the same for every request.

    clock: local time. random_bytes: that many bytes, for keys and garbage.
    """

    ledger: AcquirerLedger
    terminals: Mapping[str, TerminalRecord]
    cards: Mapping[Pan, TestCard]
    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    dialect: Dialect
    options: Options


@dataclass(frozen=True)
class Situation:
    """One request and all that is known when it is handled.

    number: of the request in the ledger. now: the clock when it came in. frame: as received.
    keys: the working keys in force, None before the first sign-in.
    """

    house: House
    request: Request
    frame: bytes
    number: int
    now: datetime
    outcome: Outcome
    state: TerminalState
    keys: WorkingKeys | None

    @property
    def ledger(self) -> AcquirerLedger:
        return self.house.ledger

    @property
    def reference(self) -> str:
        """Element 37 of the answer, 12 digits, given once."""
        return f"{self.now:%H%M%S}{self.number % 1_000_000:06d}"

    @property
    def card(self) -> TestCard | None:
        """The test card that was used, or None for a number that is not in the table."""
        pan = self.request.pan
        return None if pan is None else self.house.cards.get(pan)


@dataclass(frozen=True)
class Verdict:
    """What is answered. code: element 39.

    elements: what the answer carries beyond the usual elements; None leaves a usual one out.
    final: the request is decided, and its repeats get the same answer.
    card: whose number and expiry the answer carries. sealed: the answer carries a MAC.
    working_keys: element 62.
    """

    code: str
    elements: Mapping[int, str | None] = field(default_factory=dict)
    final: bool = False
    card: TestCard | None = None
    sealed: bool = False
    working_keys: bytes | None = field(default=None, repr=False)


# Answers after which a terminal signs in and sends a notice unchanged, which is then not a repeat. Any other
# is a decision: a second delivery of the same request gets it again, whatever was ordered meanwhile.
UNDECIDED = frozenset({"77", "99", "A0"})
APPROVED = frozenset({"00", "10", "11", "A2", "A4", "A5", "A6"})
