"""A process of its own that trades on a real ledger until something fails.

Prints "promised N" after each commit that returned, and at the end why it ended. synchronous is FULL, as
the ledger sets it, or less, to see whether a test would notice.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from posd.keys import Keys
from posd.ledger.errors import LedgerError
from posd.ledger.ledger import Ledger
from protocol import Key
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent

KEYS = Keys(
    bytes(range(32)), Key(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")), password_cost=2
)


def main(path: Path, sales: int, synchronous: str = "FULL") -> None:
    try:
        ledger = Ledger.open(path, KEYS, TurnedClock(), SeededBytes())
        ledger._database.execute(f"PRAGMA synchronous = {synchronous}")
        say("opened")
        for _ in range(sales):
            with ledger.commit("intent"):
                identity = ledger.transactions.add(intent(ledger.counters.next_stan()))
            say(f"promised {identity}")
    except LedgerError as error:
        say(f"{type(error).__name__}: {error}")
        os._exit(1)  # as the daemon does: nothing more is written
    say("ended")


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
