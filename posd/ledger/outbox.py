"""The outbox: what happened, for whoever books it, in the order in which it was committed.

An event is written in the commit of the change that it tells of, by the store that makes the change; so
there is no change without its event, and no event without its change. A reader asks from a number on and
remembers how far it came: it sees every event at least once and in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from posd.ledger.database import Database
from posd.ledger.pack import pack, unpack
from posd.ledger.records import State

ORDER_FIELDS: Final = (
    "order", "number", "amount", "paid", "state", "held", "label", "means", "operator", "supervisor",
    "reason",
)  # fmt: skip
APPLICATION_FIELDS: Final = (
    "application", "order", "number", "what", "amount", "reason", "operator", "supervisor", "refusal",
)  # fmt: skip
TRANSACTION_FIELDS: Final = (
    "transaction", "kind", "batch", "batch_number", "stan", "amount", "approved_amount", "operator",
    "supervisor", "masked_card", "order", "original", "response_code", "retrieval_reference",
    "authorisation_code", "host_date", "host_time", "reversal_reason",
)  # fmt: skip

EVENTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **{
            f"order.{what}": ORDER_FIELDS
            for what in (
                "created", "amended", "held", "resumed", "paid_in_part", "paid", "payment_undone",
                "voided", "cancelled", "expired", "set_back",
            )
        },
        **{
            f"application.{what}": APPLICATION_FIELDS
            for what in ("made", "approved", "refused", "lapsed")
        },
        **{f"transaction.{state}": TRANSACTION_FIELDS for state in State if state is not State.OPEN},
        "transaction.restored": TRANSACTION_FIELDS,
        "case.closed": ("transaction", "kind", "batch_number", "stan", "amount", "order", "verdict",
                        "supervisor"),
        "batch.settled": ("batch", "batch_number", "operator", "debit_count", "debit_amount",
                          "credit_count", "credit_amount", "domestic", "foreign"),
        "ledger.restored": ("generation",),
        "terminal.moved": ("archive",),
        "terminal.closed": (),
    }
)  # fmt: skip
"""Every name with its fields. Names and fields stay; a reader takes more of either without complaint."""

JUMP_AFTER_RESTORE: Final = 1_000_000
"""How far numbers jump when a ledger was put back: none that a reader may know is given twice."""

_MOST_PRUNED: Final = 1000  # of one commit


class OutboxEvent(Struct, frozen=True):
    """One event. at: milliseconds of local business time. body: exactly the fields of EVENTS[name]."""

    number: int
    at: int
    name: str
    body: Mapping[str, object]


class Outbox:
    """Numbers grow and are never given twice; gaps mean nothing. Writes only inside a commit."""

    def __init__(self, database: Database, milliseconds: Callable[[], int]) -> None:
        self._database = database
        self._milliseconds = milliseconds

    def append(self, name: str, body: Mapping[str, object]) -> int:
        """Add an event to the present commit; returns its number.

        Raises AssertionError for a name or fields that EVENTS does not have, TypeError for a value that
        may not be stored (posd.ledger.pack).
        """
        assert set(body) == set(EVENTS[name]), f"{name}: {sorted(set(body) ^ set(EVENTS[name]))}"
        cursor = self._database.write(
            "INSERT INTO outbox (at, name, body) VALUES (?, ?, ?)",
            (self._milliseconds(), name, pack(body)),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def read(self, from_number: int = 1, limit: int = 100) -> list[OutboxEvent]:
        """At most so many events with this number and after, in order; empty when there are none yet."""
        rows = self._database.all(
            "SELECT * FROM outbox WHERE number >= ? ORDER BY number LIMIT ?", (from_number, limit)
        )
        return [
            OutboxEvent(row["number"], row["at"], row["name"], unpack(row["body"])) for row in rows
        ]

    def oldest(self) -> int:
        """The number of the oldest event that is kept; one beyond the newest when none is.

        A reader that wants a smaller number has missed what was pruned.
        """
        row = self._database.one("SELECT min(number) AS number FROM outbox")
        return self.newest() + 1 if row is None or row["number"] is None else int(row["number"])

    def newest(self) -> int:
        """The number that was given last, pruned or not; 0 before the first."""
        row = self._database.one("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")
        return 0 if row is None else int(row["seq"])

    def is_to_be_pruned(self, before: int) -> bool:
        """Is there an event older than this moment (milliseconds)?"""
        row = self._database.one(
            "SELECT at FROM outbox WHERE number = (SELECT min(number) FROM outbox)"
        )
        return row is not None and int(row["at"]) < before

    def prune(self, before: int) -> int:
        """Remove the oldest events, as far as they are older than this moment; how many.

        A thousand at most of one commit. Nothing that is younger goes, whatever lies after it.
        """
        rows = self._database.all(
            "SELECT number, at FROM outbox WHERE number >= 0 ORDER BY number LIMIT ?",
            (_MOST_PRUNED,),
        )
        old = list(takewhile(lambda row: row["at"] < before, rows))
        if old:
            self._database.write("DELETE FROM outbox WHERE number <= ?", (old[-1]["number"],))
        return len(old)

    def jump(self, distance: int = JUMP_AFTER_RESTORE) -> None:
        """Leave numbers out: those after a backup were given to events that are lost here."""
        after = self.newest() + distance
        changed = self._database.write(
            "UPDATE sqlite_sequence SET seq = ? WHERE name = 'outbox'", (after,)
        )
        if changed.rowcount == 0:
            self._database.write(
                "INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?)", (after,)
            )
