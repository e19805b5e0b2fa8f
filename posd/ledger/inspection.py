"""Looking at a ledger that no daemon has open: what is in it, and whether it is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from posd.ledger.database import CACHE_KIB
from posd.ledger.errors import LedgerDamaged, LedgerFailed, LedgerInUse, LedgerTooNew
from posd.ledger.migration import schema_version
from posd.ledger.pack import unpack
from posd.ledger.schema import MIGRATIONS
from posd.ledger.transaction_row import checksum_holds


class Findings(Struct, frozen=True):
    """What a whole ledger holds. broken: ids of transactions whose checksum does not fit."""

    schema: int
    generation: int
    transactions: int
    in_doubt: int
    open_batch: int
    restored: bool
    broken: tuple[int, ...]


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes no record. Raises the errors of posd.ledger.errors, for whatever is done.

    The write-ahead log that a killed daemon left is read too, and copied into the file at the end.
    """
    address = f"{file.absolute().as_uri()}?mode=rw"
    try:
        connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=0.0)
    except sqlite3.Error as error:
        raise LedgerFailed(f"cannot open {file}: {_name(error)}") from None
    try:
        connection.row_factory = sqlite3.Row
        # Without it a file in WAL mode gets a -shm file beside it, also where nothing may be written.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        version = schema_version(connection)
        if version > len(MIGRATIONS):
            raise LedgerTooNew(f"schema {version}, this program knows up to {len(MIGRATIONS)}")
        yield connection
    except sqlite3.Error as error:
        raise _translated(file, error) from None
    except (LedgerDamaged, LedgerTooNew) as error:
        raise type(error)(f"{file}: {error}") from None
    finally:
        connection.close()


def check_contents(connection: sqlite3.Connection) -> None:
    """SQLite's checks, and that a batch is open. Raises LedgerDamaged, sqlite3.Error."""
    if schema_version(connection) == 0:
        raise LedgerDamaged("the file is empty")
    (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if answer != "ok":
        raise LedgerDamaged("SQLite's integrity check fails")
    if connection.execute("PRAGMA foreign_key_check").fetchone():
        raise LedgerDamaged("a record points to one that is not there")
    newest = connection.execute("SELECT closed_at FROM batches ORDER BY id DESC LIMIT 1").fetchone()
    if (
        newest is not None and newest[0] is not None
    ):  # None: the power failed before the first start
        raise LedgerDamaged("no batch is open")


def inspect(file: Path) -> Findings:
    """Check everything. Raises LedgerDamaged, LedgerTooNew, LedgerInUse, LedgerFailed."""
    with reading(file) as connection:
        check_contents(connection)
        marked = connection.execute("SELECT value FROM settings WHERE name = 'restored'").fetchone()
        rows = connection.execute("SELECT * FROM transactions")
        return Findings(
            schema=schema_version(connection),
            generation=_number(
                connection, "SELECT sum(value) FROM counters WHERE name = 'generation'"
            ),
            transactions=_number(connection, "SELECT count(*) FROM transactions"),
            in_doubt=_number(
                connection,
                "SELECT count(*) FROM transactions"
                " WHERE state IN ('open', 'reversing', 'pending', 'unresolved')",
            ),
            open_batch=_number(connection, "SELECT max(id) FROM batches"),
            restored=marked is not None and unpack(marked["value"]) is True,
            broken=tuple(row["id"] for row in rows if not checksum_holds(row)),
        )


def _number(connection: sqlite3.Connection, question: str) -> int:
    (answer,) = connection.execute(question).fetchone()
    return int(answer or 0)


def _translated(file: Path, error: sqlite3.Error) -> Exception:
    name = _name(error)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return LedgerInUse(f"{file}: another process holds this ledger")
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_FULL")):
        return LedgerFailed(f"cannot read {file}: {name}")
    return LedgerDamaged(f"{file}: this is not a whole SQLite file ({name})")


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", type(error).__name__))
