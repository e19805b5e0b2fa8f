"""Finding transactions by what is on a slip, and what happened since a handover. Reads only."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from posd.ledger.database import Database
from posd.ledger.records import TransactionRecord
from posd.ledger.transaction_row import record_of


class Wanted(Struct, frozen=True):
    """Which transactions: each one; else those with this voucher number (6 digits), of this order, of
    cards that end so (4 digits), or of this amount (fen)."""

    stan: str = ""
    order: int | None = None
    card_end: str = ""
    amount: int | None = None


class Counted(Struct, frozen=True):
    """How many approved transactions of one kind one operator made, and what they came to (fen)."""

    operator: str
    kind: str
    count: int
    amount: int


class Search:
    """Every question here has an index, and reads no more than it gives."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_voucher(self, stan: str) -> list[TransactionRecord]:
        """All with this voucher number, the newest first: numbers come round again."""
        return self.journal(Wanted(stan=stan), limit=-1)

    def by_reference(
        self, reference: str, date: str, kinds: Collection[str]
    ) -> TransactionRecord | None:
        """The newest of these kinds with this reference (37) and date of the answer (MMDD)."""
        return self._dated("retrieval_reference", reference, date, kinds)

    def by_authorisation(
        self, code: str, date: str, kinds: Collection[str]
    ) -> TransactionRecord | None:
        """The newest of these kinds with this authorisation code (38) and date of the answer (MMDD)."""
        return self._dated("authorisation_code", code, date, kinds)

    def journal(
        self, wanted: Wanted, at_most: int | None = None, limit: int = 1
    ) -> list[TransactionRecord]:
        """The newest first, from the one with this id on."""
        condition, values = _condition(wanted)
        if at_most is not None:
            condition, values = f"{condition} AND id <= ?", (*values, at_most)
        return self._records(condition, values, limit)

    def newer(self, wanted: Wanted, than: int) -> TransactionRecord | None:
        """The next newer one than the one with this id."""
        condition, values = _condition(wanted)
        row = self._database.one(
            f"SELECT * FROM transactions WHERE {condition} AND id > ? ORDER BY id LIMIT 1",  # noqa: S608 - constants
            (*values, than),
        )
        return None if row is None else record_of(row)

    def last_printed(self, copies: Collection[str]) -> int | None:
        """The newest transaction that one of these copies was to be printed of."""
        row = self._database.one(
            f"""SELECT transaction_id FROM print_jobs WHERE transaction_id IS NOT NULL
                AND copy IN ({", ".join("?" * len(copies))})
                ORDER BY transaction_id DESC LIMIT 1""",  # noqa: S608 - placeholders only
            tuple(copies),
        )
        return None if row is None else int(row[0])

    def last_step(self) -> int:
        """The number of the newest step of any transaction; 0 in an empty ledger."""
        row = self._database.one("SELECT coalesce(max(id), 0) FROM steps")
        assert row is not None
        return int(row[0])

    def approved_between(self, after: int, until: int) -> list[Counted]:
        """What was approved in the steps after the one and up to the other, by operator and kind.

        Voided ones are in it, as in a batch's totals: their voids are rows of their own.
        """
        # A void in between gives its original back with another step "approved": the first one counts.
        rows = self._database.all(
            """SELECT t.operator, t.kind, count(*) AS count,
                      sum(coalesce(t.approved_amount, t.amount)) AS amount
               FROM steps s JOIN transactions t ON t.id = s.transaction_id
               WHERE s.id > ? AND s.id <= ? AND s.what = 'approved'
                 AND t.kind <> 'balance_inquiry'
                 AND NOT EXISTS (SELECT 1 FROM steps e WHERE e.transaction_id = s.transaction_id
                                 AND e.what = 'approved' AND e.id < s.id)
               GROUP BY t.operator, t.kind ORDER BY t.operator, t.kind""",
            (after, until),
        )
        return [Counted(*row) for row in rows]

    def _dated(
        self, column: str, value: str, date: str, kinds: Collection[str]
    ) -> TransactionRecord | None:
        # "<> ''" is the partial index's own condition, word for word
        found = self._records(f"{column} = ? AND {column} <> '' AND host_date = ?", (value, date))
        return next((record for record in found if record.kind in kinds), None)

    def _records(
        self, condition: str, values: tuple[object, ...], limit: int = -1
    ) -> list[TransactionRecord]:
        rows = self._database.all(
            f"SELECT * FROM transactions WHERE {condition} ORDER BY id DESC LIMIT ?",  # noqa: S608 - constants
            (*values, limit),
        )
        return [record_of(row) for row in rows]


def _condition(wanted: Wanted) -> tuple[str, tuple[object, ...]]:
    """With the expressions of the indexes, word for word."""
    if wanted.stan:
        return "stan = ?", (wanted.stan,)
    if wanted.order is not None:
        return "order_id = ?", (wanted.order,)
    if wanted.card_end:
        return "substr(masked_card, -4) = ?", (wanted.card_end,)
    if wanted.amount is not None:
        return "amount = ?", (wanted.amount,)
    return "id > 0", ()
