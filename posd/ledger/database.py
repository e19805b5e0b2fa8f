"""The SQLite file: opened for one process alone, migrated forward, written one commit at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from posd.ledger.errors import LedgerDamaged, LedgerError, LedgerFailed, LedgerInUse
from posd.ledger.migration import BeforeStep, migrate
from posd.ledger.schema import MIGRATIONS

Answer = TypeVar("Answer")

_IN_USE = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"})
_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})


PAGES_BEFORE_CHECKPOINT: Final = 1000
"""Pages of the write-ahead log after which a commit copies them into the file, if no idle moment did."""

_MOST_REMEMBERED: Final = 64  # answers; a terminal at work has some ten
_PAGES_A_STEP: Final = 64  # of a backup: a commit waits no longer than one step takes


def _nothing(_text: str) -> None:
    """Nobody observes the commits, or hears of failures."""


def _no_copy(_connection: sqlite3.Connection, _version: int) -> None:
    """Nobody keeps a copy before a migration."""


CACHE_KIB: Final = 128
"""Of pages that SQLite keeps itself, in each connection; the kernel keeps the file's pages too."""


class Database:
    """One exclusive connection. After any error inside a commit it answers nothing but LedgerFailed.

    observe is called with "before LABEL" and "after LABEL" around each COMMIT: the seam where a test
    stops the world. When it raises sqlite3.Error, that COMMIT has reported an error: without effect
    on the disk, or with it. before_step: see posd.ledger.migration. failed is called with SQLite's name
    of the error that made the database unusable.
    """

    def __init__(
        self,
        path: Path | str,
        observe: Callable[[str], None] = _nothing,
        before_step: BeforeStep = _no_copy,
        failed: Callable[[str], None] = _nothing,
    ) -> None:
        """Open, or create. Raises LedgerInUse, LedgerTooNew, LedgerDamaged, LedgerFailed."""
        self.path = str(path)
        self.observe = observe
        self.commits = 0
        self._label: str | None = None
        self._broken: str | None = None
        self._failed = failed
        self._remembered: dict[Hashable, Any] = {}
        self._remembered_at = -1  # how many rows this connection had changed by then
        try:
            # A backup is read by a thread of the edge; SQLite itself lets one call in at a time.
            self._connection = sqlite3.connect(
                self.path, isolation_level=None, uri=self.path.startswith("file:"), timeout=0.0,
                check_same_thread=False,
            )  # fmt: skip
        except sqlite3.Error as error:
            raise LedgerFailed(f"cannot open {self.path}: {_name(error)}") from None
        try:
            self._prepare(before_step)
        except sqlite3.Error as error:
            self._connection.close()
            failed(_name(error))
            raise _opening_error(self.path, error) from None
        except LedgerError as error:
            self._connection.close()
            raise type(error)(f"{self.path}: {error}") from None
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, before_step: BeforeStep) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        # EXCLUSIVE before WAL: no -shm file, so that a full disk can still be read, and one process a ledger.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        # In exclusive mode the lock is taken at the first access; take it now, not in the first sale.
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        migrate(connection, MIGRATIONS, before_step)

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
            self._roll_back()
            raise
        self._label = None
        try:
            self.observe(f"before {label}")
            self._connection.execute("COMMIT")
            self.commits += 1
            self.observe(f"after {label}")
        except sqlite3.Error as error:
            raise self._break(f"commit {label}", error) from None

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
            raise self._break(self._label or "read", error) from None

    def one(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Row | None:
        """The first row. Raises LedgerFailed."""
        row: sqlite3.Row | None = self._fetch(self.execute(statement, values).fetchone)
        return row

    def all(self, statement: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Every row. Raises LedgerFailed."""
        rows: list[sqlite3.Row] = self._fetch(self.execute(statement, values).fetchall)
        return rows

    def each(self, statement: str, values: Sequence[object] = ()) -> Iterator[sqlite3.Row]:
        """The rows one by one, where all at once would be megabytes. Raises LedgerFailed."""
        cursor = self.execute(statement, values)
        while (row := self._fetch(cursor.fetchone)) is not None:
            yield row

    def remembered(self, question: Hashable, ask: Callable[[], Answer]) -> Answer:
        """What ask() answers from this database; not asked again until something is written.

        For what is looked at after every event, of which few write. Its answers are small, never changed
        by who gets them, and hold no plain secret. Inside a commit nothing is remembered.
        Raises LedgerFailed.
        """
        if self._label is not None:
            return ask()
        if self._broken is not None:
            raise LedgerFailed(self._broken)
        changes: int = self._fetch(lambda: self._connection.total_changes)
        if changes != self._remembered_at or len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
            self._remembered_at = changes
        elif question in self._remembered:
            known: Answer = self._remembered[question]
            return known
        answer = self._remembered[question] = ask()
        return answer

    def _fetch(self, fetch: Callable[[], Any]) -> Any:
        """Rows are read when they are fetched: the disk may fail here too."""
        try:
            return fetch()
        except sqlite3.Error as error:
            raise self._break(self._label or "read", error) from None

    def checkpoint_every(self, pages: int) -> None:
        """Let commits copy the write-ahead log into the file when it has so many pages."""
        self.execute(f"PRAGMA wal_autocheckpoint = {pages:d}")

    def checkpoint(self) -> None:
        """Copy the write-ahead log into the file now, so that no commit has to. Raises LedgerFailed."""
        self.one("PRAGMA wal_checkpoint(PASSIVE)")

    def truncate_log(self) -> bool:
        """Copy the whole write-ahead log into the file and empty it. False: somebody reads it, not now.

        Raises LedgerFailed.
        """
        row = self.one("PRAGMA wal_checkpoint(TRUNCATE)")
        return row is not None and row[0] == 0

    def copy_into(self, target: sqlite3.Connection, between: Callable[[], None]) -> None:
        """SQLite's online backup; between is called between its steps, and what it raises ends it.

        The only call that another thread may make: commits go on meanwhile, and are in the copy. Raises
        sqlite3.Error, of this file or of the target.
        """
        self._connection.backup(
            target, pages=_PAGES_A_STEP, progress=lambda *_: between(), sleep=0.01
        )

    def check(self, *, quick: bool = False) -> None:
        """SQLite's own check of the whole file; the quick one leaves out whether indexes match their tables.

        Raises LedgerDamaged, LedgerFailed.
        """
        answer = self.one(f"PRAGMA {'quick' if quick else 'integrity'}_check(1)")
        if answer is None or answer[0] != "ok":
            raise LedgerDamaged(f"{self.path}: this is not a whole SQLite file")

    def close(self) -> None:
        self._connection.close()

    def _break(self, what: str, error: sqlite3.Error) -> LedgerFailed:
        """From now on nothing is answered: what is on disk is unknown."""
        if self._broken is None:
            self._broken = f"{what}: {_name(error)}"
            self._failed(_name(error))
        return LedgerFailed(self._broken)

    def _roll_back(self) -> None:
        """Nothing of the commit stays. An error of SQLite's may have rolled back already."""
        self._remembered.clear()
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._break("rollback", error)


def _name(error: sqlite3.Error) -> str:
    """The error's symbolic name: SQLite's own text may quote a statement's values."""
    return str(getattr(error, "sqlite_errorname", type(error).__name__))


def _opening_error(path: str, error: sqlite3.Error) -> LedgerError:
    name = _name(error)
    if any(name.startswith(code) for code in _IN_USE):
        return LedgerInUse(f"{path}: another process holds this ledger")
    if any(name.startswith(code) for code in _DAMAGED):
        return LedgerDamaged(f"{path}: this is not a whole SQLite file ({name})")
    return LedgerFailed(f"cannot open {path}: {name}")
