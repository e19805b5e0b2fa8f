"""What is older than it has to be kept goes: closed batches, one after the other, and the audit.

A batch stays whole while anything that is kept refers to it, and while a case of it is open: a refund of a
later batch, an order that is not paid yet. Else it goes in small bites: a key that is pressed meanwhile waits
for one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from posd.ledger.database import Database

log = structlog.get_logger()

_AUDIT_ENTRIES_AT_ONCE: Final = 500
_MONTHS: Final = 12

_ROWS_AT_ONCE: Final = 40
"""Transactions, or orders, that one look takes away."""

_CLOSED_TRANSACTIONS: Final = """SELECT id FROM transactions t WHERE batch = ?1
    AND NOT EXISTS (SELECT 1 FROM transactions r WHERE r.original = t.id) ORDER BY id DESC LIMIT ?2"""
"""Of a batch, those that nothing refers to: a void goes before its original."""

_CLOSED_ORDERS: Final = """SELECT id FROM orders o WHERE batch = ?1
    AND id < coalesce((SELECT id FROM orders WHERE batch > ?1 ORDER BY id LIMIT 1), 1 << 62)
    AND NOT EXISTS (SELECT 1 FROM transactions r WHERE r.order_id = o.id) ORDER BY id LIMIT ?2"""
"""Likewise. Orders lie in the order of their batches, so that only the oldest are read."""

_IS_NEEDED: Final = """SELECT
    EXISTS (SELECT 1 FROM transactions t JOIN transactions r ON r.original = t.id
            WHERE t.batch = ?1 AND r.batch <> ?1)
    OR EXISTS (SELECT 1 FROM orders o JOIN transactions r ON r.order_id = o.id
            WHERE o.batch = ?1 AND r.batch <> ?1
            AND o.id < coalesce((SELECT id FROM orders WHERE batch > ?1 ORDER BY id LIMIT 1), 1 << 62))
    OR EXISTS (SELECT 1 FROM transactions t WHERE t.batch = ?1
            AND t.state IN ('open', 'reversing', 'pending', 'unresolved')
            AND NOT EXISTS (SELECT 1 FROM steps s
                WHERE s.transaction_id = t.id AND s.what = 'case_closed'))
    OR EXISTS (SELECT 1 FROM orders o WHERE o.batch = ?1 AND o.state = 'unpaid')
    OR EXISTS (SELECT 1 FROM print_jobs p JOIN transactions t ON t.id = p.transaction_id
            WHERE t.batch = ?1 AND p.done_at IS NULL)"""
"""Does something that is kept refer to it? Is anything of it in doubt, unpaid, or not printed yet?"""


class Pruning:
    """To be asked while nobody waits for the terminal; does a little each time, and looks once a day."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._done_on: str | None = None
        self._needed: set[int] = set()

    def look(self, months: int) -> bool:
        """Take away one thing that was closed more than so many months ago; False when there is none."""
        now = self._now()
        today = now.strftime("%Y-%m-%d")
        if today == self._done_on:
            return False
        before = _milliseconds(months_before(now, months))
        if self._prune_batch(before) or self._prune_audit(before):
            return True
        self._done_on = today
        self._needed.clear()
        return False

    def _prune_batch(self, before: int) -> bool:
        """A little of the oldest batch that is due; one that was begun is needed by nothing."""
        rows = self._database.all(
            "SELECT id FROM batches WHERE closed_at < ? ORDER BY id", (before,)
        )
        due = [row["id"] for row in rows if row["id"] not in self._needed]
        if not due:
            return False
        batch = int(due[0])
        row = self._database.one(_IS_NEEDED, (batch,))
        if row is None or row[0]:
            self._needed.add(batch)
            return True
        with self._database.commit("batch_pruned"):
            ended = not (self._transactions(batch) or self._orders(batch))
            gone = ended and self._batch_itself(batch, before)
        if gone:
            log.info("ledger.batch_pruned", batch=batch)
        elif ended:
            self._needed.add(batch)
        return True

    def _transactions(self, batch: int) -> bool:
        """Some of its transactions with all that belongs to them; False when none is left."""
        chosen = self._database.all(_CLOSED_TRANSACTIONS, (batch, _ROWS_AT_ONCE))
        for row in chosen:
            for statement in (
                "DELETE FROM steps WHERE transaction_id = ?",
                "DELETE FROM print_jobs WHERE transaction_id = ?",
                "DELETE FROM transactions WHERE id = ?",
            ):
                self._database.write(statement, (row["id"],))
        return bool(chosen)

    def _orders(self, batch: int) -> bool:
        """The same of its orders."""
        chosen = self._database.all(_CLOSED_ORDERS, (batch, _ROWS_AT_ONCE))
        for row in chosen:
            for statement in (
                "DELETE FROM order_steps WHERE order_id = ?",
                "DELETE FROM order_applications WHERE order_id = ?",
                "DELETE FROM orders WHERE id = ?",
            ):
                self._database.write(statement, (row["id"],))
        return bool(chosen)

    def _batch_itself(self, batch: int, before: int) -> bool:
        """Its settlement and its row, and slips of that time that belong to no transaction.

        False, and nothing is done, when something of it is still there: asked first, because SQLite's own
        refusal would end the process.
        """
        row = self._database.one(
            """SELECT EXISTS (SELECT 1 FROM transactions WHERE batch = ?1)
                OR EXISTS (SELECT 1 FROM orders WHERE batch = ?1)""",
            (batch,),
        )
        if row is None or row[0]:
            return False
        for statement in (
            "DELETE FROM uploads WHERE settlement IN (SELECT id FROM settlements WHERE batch = ?)",
            "DELETE FROM settlements WHERE batch = ?",
            "DELETE FROM batches WHERE id = ?",
        ):
            self._database.write(statement, (batch,))
        self._database.write(
            "DELETE FROM print_jobs WHERE transaction_id IS NULL AND done_at < ?", (before,)
        )
        return True

    def _prune_audit(self, before: int) -> bool:
        """Its oldest entries, so many at once."""
        row = self._database.one("SELECT at FROM audit ORDER BY id LIMIT 1")
        if row is None or row["at"] >= before:
            return False
        with self._database.commit("audit_pruned"):
            self._database.write(
                """DELETE FROM audit WHERE at < ? AND id IN
                   (SELECT id FROM audit ORDER BY id LIMIT ?)""",
                (before, _AUDIT_ENTRIES_AT_ONCE),
            )
        return True


def months_before(moment: datetime, months: int) -> datetime:
    """The same day of an earlier month, or its last day where it has no such day."""
    year, month = divmod(moment.year * _MONTHS + moment.month - 1 - months, _MONTHS)
    for day in range(moment.day, 0, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue  # 31 April, 29 February
    raise AssertionError("every month has a first day")


def _milliseconds(moment: datetime) -> int:
    elapsed = moment - datetime(1970, 1, 1)
    return (elapsed.days * 86_400 + elapsed.seconds) * 1000
