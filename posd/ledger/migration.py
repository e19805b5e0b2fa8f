"""Schema versions: which one a file has, and the way forward, a step and a backup at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from posd.ledger.errors import LedgerDamaged, LedgerTooNew

BeforeStep = Callable[[sqlite3.Connection, int], None]
"""Called with the open connection and its schema version before a step changes it."""


def schema_version(connection: sqlite3.Connection) -> int:
    """0 for an empty file. Raises LedgerDamaged for a database of something else."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise LedgerDamaged("this is a SQLite file of another program, not a ledger")
    return int(version)


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[str], before_step: BeforeStep
) -> None:
    """Bring the schema to the newest version; each step is one commit, whole or not at all.

    before_step may keep a copy; what it raises ends the migration before the step. It is not called for
    an empty file. Raises LedgerTooNew, LedgerDamaged, sqlite3.Error.
    """
    version = schema_version(connection)
    if version > len(migrations):
        raise LedgerTooNew(
            f"the file has schema {version}, this program knows up to {len(migrations)}"
        )
    for number, script in enumerate(migrations[version:], start=version + 1):
        if version:
            before_step(connection, number - 1)
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
        )
