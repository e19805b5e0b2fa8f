"""The SQLite file: opened for one process alone, migrated forward, written one commit at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from posd.ledger.errors import LedgerDamaged, LedgerFailed, LedgerInUse, LedgerTooNew
from posd.ledger.schema import MIGRATIONS

_IN_USE = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"})
_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})


def _nothing(_point: str) -> None:
    """Nobody observes the commits."""


class Database:
    """One exclusive connection. After any error inside a commit it answers nothing but LedgerFailed.

    observe is called with "before LABEL" and "after LABEL" around each COMMIT: the seam where a test
    stops the world. When it raises sqlite3.Error, that COMMIT has reported an error: without effect
    on the disk, or with it.
    """

    def __init__(self, path: Path | str, observe: Callable[[str], None] = _nothing) -> None:
        """Open, or create. Raises LedgerInUse, LedgerTooNew, LedgerDamaged, LedgerFailed."""
        self.path = str(path)
        self.observe = observe
        self.commits = 0
        self._label: str | None = None
        self._broken: str | None = None
        try:
            self._connection = sqlite3.connect(
                self.path, isolation_level=None, uri=self.path.startswith("file:"), timeout=0.0
            )
        except sqlite3.Error as error:
            raise LedgerFailed(f"cannot open {self.path}: {_name(error)}") from None
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise _opening_error(self.path, error) from None
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        # EXCLUSIVE before WAL: no -shm file, so that a full disk can still be read, and one process a ledger.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        # In exclusive mode the lock is taken at the first access; take it now, not in the first sale.
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise LedgerTooNew(
                f"{self.path}: schema {version}, this program knows up to {len(MIGRATIONS)}"
            )
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
            )

    @contextmanager
    def commit(self, label: str) -> Iterator[None]:
        """Everything written inside is on disk when this returns, or none of it is.

        An exception of the caller's own rolls back and goes on up. Raises LedgerFailed for any error of
        SQLite; the database is unusable from then on.
        """
        assert self._label is None, f"commit {label!r} inside commit {self._label!r}"
        self.execute("BEGIN IMMEDIATE")
        self._label = label
        try:
            yield
        except BaseException:
            self._label = None
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._label = None
        try:
            self.observe(f"before {label}")
            self._connection.execute("COMMIT")
            self.commits += 1
            self.observe(f"after {label}")
        except sqlite3.Error as error:
            self._broken = f"commit {label}: {_name(error)}"
            raise LedgerFailed(self._broken) from None

    def write(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """One INSERT, UPDATE or DELETE, only inside a commit."""
        assert self._label is not None, "a write outside a commit"
        return self.execute(statement, values)

    def execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """One statement. Raises LedgerFailed; the values are never in its text."""
        if self._broken is not None:
            raise LedgerFailed(self._broken)
        try:
            return self._connection.execute(statement, tuple(values))
        except sqlite3.Error as error:
            self._broken = f"{self._label or 'read'}: {_name(error)}"
            raise LedgerFailed(self._broken) from None

    def one(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.execute(statement, values).fetchone()
        return row

    def all(self, statement: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        return self.execute(statement, values).fetchall()

    def free_space(self) -> int:
        """Bytes that may still be written on the ledger's file system (a ledger in memory: plenty)."""
        if ":memory:" in self.path:
            return 1 << 40
        folder = Path(self.path.removeprefix("file:").partition("?")[0]).parent
        status = os.statvfs(folder)
        return status.f_bavail * status.f_frsize

    def check(self) -> None:
        """SQLite's integrity check. Raises LedgerDamaged."""
        answer = self.one("PRAGMA integrity_check(1)")
        if answer is None or answer[0] != "ok":
            raise LedgerDamaged(f"{self.path}: integrity check failed")

    def close(self) -> None:
        self._connection.close()


def _name(error: sqlite3.Error) -> str:
    """The error's symbolic name: SQLite's own text may quote a statement's values."""
    return str(getattr(error, "sqlite_errorname", type(error).__name__))


def _opening_error(path: str, error: sqlite3.Error) -> Exception:
    name = _name(error)
    if any(name.startswith(code) for code in _IN_USE):
        return LedgerInUse(f"{path}: another process holds this ledger")
    if any(name.startswith(code) for code in _DAMAGED):
        return LedgerDamaged(f"{path}: this is not a whole SQLite file ({name})")
    return LedgerFailed(f"cannot open {path}: {name}")
