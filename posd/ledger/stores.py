"""The smaller tables: settings, orders, print jobs, operators and their locks, the audit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from devices.slip import Slip, from_plain, to_plain
from posd.core.ports import Clock, PasswordVerifier
from posd.ledger.database import Database
from posd.ledger.pack import pack, unpack
from posd.ledger.records import OrderRecord, OrderState, PrintJob

WRONG_PASSWORDS_BEFORE_LOCK = 3
FIRST_LOCK_SECONDS = 5 * 60
LONGEST_LOCK_SECONDS = 24 * 60 * 60  # doubling ends here: a locked shop must open again


class Settings:
    """Named values that survive a restart and that no person configures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str, default: Any = None) -> Any:
        row = self._database.one("SELECT value FROM settings WHERE name = ?", (name,))
        return default if row is None else unpack(row["value"])

    def put(self, name: str, value: object) -> None:
        self._database.write(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (name, pack(value)),
        )


class Orders:
    """What a customer owes: from the confirmed amount until it is paid or cancelled. Never erased."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, number: str, amount: int, at: int) -> int:
        """An unpaid order of the open batch; returns its id."""
        cursor = self._database.write(
            """INSERT INTO orders (batch, number, amount, state, created_at)
               VALUES ((SELECT max(id) FROM batches), ?, ?, 'unpaid', ?)""",
            (number, amount, at),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def get(self, identity: int) -> OrderRecord:
        """Raises KeyError."""
        row = self._database.one("SELECT * FROM orders WHERE id = ?", (identity,))
        if row is None:
            raise KeyError(identity)
        return _order(row)

    def by_number(self, number: str) -> OrderRecord | None:
        """The newest order with this number."""
        row = self._database.one(
            "SELECT * FROM orders WHERE number = ? ORDER BY id DESC LIMIT 1", (number,)
        )
        return None if row is None else _order(row)

    def move(
        self,
        identity: int,
        before: OrderState,
        after: OrderState,
        at: int,
        who: str = "",
        reason: str = "",
    ) -> bool:
        """Change the state, only from this one; False when it was in another."""
        cursor = self._database.write(
            """UPDATE orders SET state = ?, closed_at = ?, closed_by = ?, reason = ?
               WHERE id = ? AND state = ?""",
            (after, at, who, reason, identity, before),
        )
        return cursor.rowcount == 1

    def has_attempt_in_doubt(self, identity: int) -> bool:
        """Is an attempt to pay it open, reversing, pending or unresolved?"""
        row = self._database.one(
            """SELECT EXISTS (SELECT 1 FROM transactions WHERE order_id = ?
               AND state IN ('open', 'reversing', 'pending', 'unresolved'))""",
            (identity,),
        )
        assert row is not None
        return bool(row[0])


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
        return [
            PrintJob(row["id"], row["transaction_id"], row["copy"], from_plain(unpack(row["slip"])))
            for row in rows
        ]

    def waiting_count(self, transaction: int | None = None) -> int:
        """How many are not yet printed; of one transaction when it is named."""
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


class Operators:
    """Who may do what, and the lock-out of each role (counting running time, kept across restarts)."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # A lock that was found in the file starts anew: time without power does not count.
        self._locked_since: dict[str, float] = {}
        self._started = clock.monotonic()

    def is_empty(self) -> bool:
        return self._database.one("SELECT 1 FROM operators LIMIT 1") is None

    def put(self, number: str, role: str, verifier: PasswordVerifier) -> None:
        self._database.write(
            """INSERT INTO operators VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET role = excluded.role, salt = excluded.salt,
               verifier = excluded.verifier""",
            (number, role, verifier.salt, verifier.verifier),
        )

    def verifier(self, number: str) -> PasswordVerifier:
        """Raises KeyError for an operator who does not exist."""
        row = self._database.one("SELECT salt, verifier FROM operators WHERE number = ?", (number,))
        if row is None:
            raise KeyError(number)
        return PasswordVerifier(row["salt"], row["verifier"])

    def lock(self, role: str) -> float:
        """Seconds until this role's password is asked again; 0 when it is not locked."""
        row = self._database.one(
            "SELECT locked_seconds FROM password_locks WHERE role = ?", (role,)
        )
        if row is None:
            return 0.0
        since = self._locked_since.get(role, self._started)
        locked = float(row["locked_seconds"])
        return max(0.0, locked - (self._clock.monotonic() - since))

    def failed(self, role: str) -> bool:
        """A wrong password: the third one in a row locks the role. True when it is locked now."""
        row = self._database.one("SELECT * FROM password_locks WHERE role = ?", (role,))
        failures, locks = (row["failures"], row["locks"]) if row else (0, 0)
        failures += 1
        seconds = 0
        if failures >= WRONG_PASSWORDS_BEFORE_LOCK:
            seconds = min(FIRST_LOCK_SECONDS << min(locks, 16), LONGEST_LOCK_SECONDS)
            failures, locks = 0, locks + 1
            self._locked_since[role] = self._clock.monotonic()
        self._database.write(
            """INSERT INTO password_locks VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
               failures = excluded.failures, locks = excluded.locks,
               locked_seconds = excluded.locked_seconds""",
            (role, failures, locks, seconds),
        )
        return seconds > 0

    def succeeded(self, role: str) -> None:
        """The right password: forget what was wrong before."""
        self._database.write("DELETE FROM password_locks WHERE role = ?", (role,))


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


def _order(row: sqlite3.Row) -> OrderRecord:
    return OrderRecord(
        row["id"],
        row["number"],
        row["amount"],
        OrderState(row["state"]),
        row["created_at"],
        row["closed_at"],
        row["closed_by"],
        row["reason"],
    )
