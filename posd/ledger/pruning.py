"""What is older than it has to be kept goes: closed batches whole, one at a time, and the audit.

A batch stays while anything that is kept refers to it, and while a case of it is open: a refund of a later
batch, an order that is not paid yet.
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

_OF_BATCH: Final = (
    """DELETE FROM uploads WHERE settlement IN (SELECT id FROM settlements WHERE batch = ?)""",
    """DELETE FROM settlements WHERE batch = ?""",
    """DELETE FROM steps WHERE transaction_id IN (SELECT id FROM transactions WHERE batch = ?)""",
    """DELETE FROM print_jobs WHERE transaction_id IN (SELECT id FROM transactions WHERE batch = ?)""",
    """DELETE FROM transactions WHERE batch = ?""",
    """DELETE FROM order_steps WHERE order_id IN (SELECT id FROM orders WHERE batch = ?)""",
    """DELETE FROM order_applications WHERE order_id IN (SELECT id FROM orders WHERE batch = ?)""",
    """DELETE FROM orders WHERE batch = ?""",
    """DELETE FROM batches WHERE id = ?""",
)
"""Every row that belongs to a batch, those that point to others first."""


class _StillNeeded(Exception):
    """Something that is kept refers to the batch: nothing of it is deleted."""


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
        rows = self._database.all(
            "SELECT id FROM batches WHERE closed_at < ? ORDER BY id", (before,)
        )
        due = [row["id"] for row in rows if row["id"] not in self._needed]
        if not due:
            return False
        batch = int(due[0])
        if self._has_case(batch):
            self._needed.add(batch)
            return True
        try:
            with self._database.commit("batch_pruned"):
                self._database.execute("PRAGMA defer_foreign_keys = ON")
                for statement in _OF_BATCH:
                    self._database.write(statement, (batch,))
                self._database.write(
                    "DELETE FROM print_jobs WHERE transaction_id IS NULL AND done_at < ?", (before,)
                )
                # Asked before the commit is: SQLite's own refusal of it would end the process.
                if self._database.one("PRAGMA foreign_key_check") is not None:
                    raise _StillNeeded
        except _StillNeeded:
            self._needed.add(batch)
            return True
        log.info("ledger.batch_pruned", batch=batch)
        return True

    def _has_case(self, batch: int) -> bool:
        """Is anything of it in doubt, unpaid, or not printed yet?"""
        row = self._database.one(
            """SELECT EXISTS (SELECT 1 FROM transactions t WHERE t.batch = ?1
                    AND t.state IN ('open', 'reversing', 'pending', 'unresolved')
                    AND NOT EXISTS (SELECT 1 FROM steps s
                        WHERE s.transaction_id = t.id AND s.what = 'case_closed'))
                OR EXISTS (SELECT 1 FROM orders o WHERE o.batch = ?1 AND o.state = 'unpaid')
                OR EXISTS (SELECT 1 FROM print_jobs p JOIN transactions t ON t.id = p.transaction_id
                    WHERE t.batch = ?1 AND p.done_at IS NULL)""",
            (batch,),
        )
        return row is None or bool(row[0])

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
