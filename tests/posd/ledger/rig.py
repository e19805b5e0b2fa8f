"""What the tests of the ledger share: a clock that the test turns, seeded bytes, an intent."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from posd.ledger.transactions import Intent
from protocol import Pan


class TurnedClock:
    """Stands still until the test turns it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def turn(self, seconds: float) -> None:
        self.seconds += seconds

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 6, 1, 9, 30) + timedelta(seconds=self.seconds)


class SeededBytes:
    """Unpredictable enough for a test, and the same each time."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, length: int) -> bytes:
        self.calls += 1
        return hashlib.shake_128(self.calls.to_bytes(4, "big")).digest(length)


def intent(stan: str, **changes: object) -> Intent:
    """A sale of 123.45 with an invented card."""
    values: dict[str, object] = {
        "kind": "sale",
        "batch_number": "000007",
        "stan": stan,
        "amount": 12345,
        "operator": "01",
        "supervisor": "",
        "account_number": Pan("6225000000000014"),
        "expiry": "4912",
        "entry_mode": "022",
        "sent_date": "0601",
        "request": {3: "000000", 4: "000000012345", 11: stan, 55: b"\x95\x05"},
        **changes,
    }
    return Intent(**values)  # type: ignore[arg-type]
