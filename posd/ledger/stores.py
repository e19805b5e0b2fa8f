"""The smaller tables: settings, print jobs, the audit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from devices.slip import Slip, from_plain, to_plain
from posd.ledger.database import Database
from posd.ledger.pack import pack, unpack
from posd.ledger.records import PrintJob


class Settings:
    """Named values that survive a restart and that no person configures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str, default: Any = None) -> Any:
        row = self._database.remembered(("setting", name), lambda: self._row(name))
        return default if row is None else unpack(row["value"])

    def _row(self, name: str) -> sqlite3.Row | None:
        return self._database.one("SELECT value FROM settings WHERE name = ?", (name,))

    def put(self, name: str, value: object) -> None:
        self._database.write(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (name, pack(value)),
        )

    def forget(self, *names: str) -> None:
        """They are not there any more; no error when they were not."""
        for name in names:
            self._database.write("DELETE FROM settings WHERE name = ?", (name,))


class PrintJobs:
    """Slips that are to be printed; stored with the outcome that they show (money M6)."""

    def __init__(self, database: Database, milliseconds: Callable[[], int]) -> None:
        self._database = database
        self._milliseconds = milliseconds

    def add(self, transaction: int | None, copy: str, slip: Slip) -> int:
        cursor = self._database.write(
            "INSERT INTO print_jobs (transaction_id, copy, slip) VALUES (?, ?, ?)",
            (transaction, copy, pack(to_plain(slip))),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def waiting(self, transaction: int | None = None) -> list[PrintJob]:
        """Not yet printed, oldest first; of one transaction when it is named."""
        rows = self._database.all(
            """SELECT id, transaction_id, copy, slip FROM print_jobs
               WHERE done_at IS NULL AND (?1 IS NULL OR transaction_id = ?1) ORDER BY id""",
            (transaction,),
        )
        return [_job(row) for row in rows]

    def oldest_waiting(self) -> PrintJob | None:
        """The one that has waited longest to be printed."""
        row = self._database.one(
            """SELECT id, transaction_id, copy, slip FROM print_jobs
               WHERE done_at IS NULL ORDER BY id LIMIT 1"""
        )
        return None if row is None else _job(row)

    def waiting_numbers(self) -> set[int]:
        """Which are not yet printed, without what is on them."""
        rows = self._database.all("SELECT id FROM print_jobs WHERE done_at IS NULL")
        return {row["id"] for row in rows}

    def of(self, transaction: int) -> list[PrintJob]:
        """Everything that was ever to be printed about a transaction, oldest first."""
        rows = self._database.all(
            """SELECT id, transaction_id, copy, slip FROM print_jobs
               WHERE transaction_id = ? ORDER BY id""",
            (transaction,),
        )
        return [_job(row) for row in rows]

    def waiting_count(self, transaction: int | None = None) -> int:
        """How many are not yet printed; of one transaction when it is named."""
        return self._database.remembered(
            ("waiting_slips", transaction), lambda: self._count_waiting(transaction)
        )

    def _count_waiting(self, transaction: int | None) -> int:
        row = self._database.one(
            """SELECT count(*) AS n FROM print_jobs
               WHERE done_at IS NULL AND (?1 IS NULL OR transaction_id = ?1)""",
            (transaction,),
        )
        return 0 if row is None else int(row["n"])

    def done(self, *identities: int) -> None:
        for identity in identities:
            self._database.write(
                "UPDATE print_jobs SET done_at = ? WHERE id = ? AND done_at IS NULL",
                (self._milliseconds(), identity),
            )


def _job(row: sqlite3.Row) -> PrintJob:
    slip = from_plain(unpack(row["slip"]))
    return PrintJob(row["id"], row["transaction_id"], row["copy"], slip)


class Audit:
    """Who did what, append-only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, at: int, who: str, what: str, details: Mapping[str, object] | None = None
    ) -> None:
        self._database.write(
            "INSERT INTO audit (at, who, what, details) VALUES (?, ?, ?, ?)",
            (at, who, what, pack(details or {})),
        )

    def entries(self) -> list[tuple[int, str, str, Mapping[str, object]]]:
        rows = self._database.all("SELECT at, who, what, details FROM audit ORDER BY id")
        return [(row["at"], row["who"], row["what"], unpack(row["details"])) for row in rows]
