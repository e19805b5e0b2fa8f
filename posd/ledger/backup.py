"""Copies of the ledger: taken while it works, stripped of what they must not keep, verified, rotated.

A copy is the past (money M16). It says so itself: whichever way it comes back, the ledger is *restored*.
It holds no working keys and no encrypted card number of a closed batch.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from posd.ledger.database import CACHE_KIB
from posd.ledger.errors import LedgerFailed
from posd.ledger.inspection import check_contents, reading
from posd.ledger.migration import schema_version
from posd.ledger.pack import pack
from posd.ledger.reserve import free_bytes
from posd.settings import Configuration

GoOn = Callable[[], bool]
CopyInto = Callable[[sqlite3.Connection, Callable[[], None]], None]

_STAMP: Final = "%Y%m%dT%H%M%S.%f"  # no run of digits that the log would take for a card number
_PREFIX: Final = "ledger-"
_STEPS_BETWEEN_QUESTIONS: Final = 2_000  # of SQLite's machine: less than a millisecond


class BackupAbandoned(Exception):
    """Whoever asked for the copy wants it no longer; nothing of it is left."""


class Backup(Struct, frozen=True):
    """One copy in the directory. schema: it was taken before a migration of that schema."""

    path: Path
    taken_at: datetime
    schema: int | None = None


class Backups:
    """The copies of one ledger in a directory of their own.

    copies: how many regular ones are kept. days: after so many every copy goes, card data must not lie
    about for ever. margin: bytes that a new copy leaves free.
    """

    def __init__(
        self, directory: Path, copies: int = 7, days: int = 30, margin: int = 16 * 1024 * 1024
    ) -> None:
        self.directory = directory
        self._copies = copies
        self._days = days
        self._margin = margin

    @classmethod
    def of(cls, configuration: Configuration) -> Backups:
        """The copies of this terminal's ledger, as its settings want them."""
        settings = configuration.backup
        directory = settings.directory or configuration.terminal.state_directory / "backups"
        margin = configuration.money.free_space_bytes
        return cls(directory, settings.copies, settings.days, margin)

    def take(
        self,
        copy_into: CopyInto,
        size: int,
        at: datetime,
        *,
        schema: int | None = None,
        go_on: GoOn = lambda: True,
    ) -> Path:
        """A verified copy of about `size` bytes, under its name only when it is whole and on the disk.

        go_on is asked often, from the calling thread; it may sleep, and ends the work with False. Raises
        LedgerFailed (nothing could be written), LedgerDamaged (the copy is not whole), BackupAbandoned.
        """
        suffix = "" if schema is None else f"-schema{schema}"
        target = self.directory / f"{_PREFIX}{at.strftime(_STAMP)}{suffix}.db"
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            give_to_owner(self.directory)
            self._sweep()
            if free_bytes(self.directory) < size + self._margin:
                raise LedgerFailed(f"no room for a copy of the ledger in {self.directory}")
            with self._new_file(target) as file:
                _fill(file, copy_into, go_on)
                strip(file, None)
                verify(file, go_on)
        except (OSError, sqlite3.Error) as error:
            raise LedgerFailed(f"cannot write {target}: {_words(error)}") from None
        return target

    def newest_first(self) -> list[Backup]:
        """Every copy, newest first."""
        found = []
        for path in self.directory.glob(f"{_PREFIX}*.db"):
            stamp, _, schema = path.stem.removeprefix(_PREFIX).partition("-schema")
            try:
                taken_at = datetime.strptime(stamp, _STAMP)
                found.append(Backup(path, taken_at, int(schema) if schema else None))
            except ValueError:
                continue  # not ours
        return sorted(found, key=lambda backup: backup.taken_at, reverse=True)

    def rotate(self, now: datetime) -> list[Path]:
        """Remove the regular copies that are too many, and all that are too old; which ones."""
        copies = self.newest_first()
        regular = [copy for copy in copies if copy.schema is None]
        oldest = now - timedelta(days=self._days)
        gone = {copy.path for copy in copies if copy.taken_at < oldest}
        gone |= {copy.path for copy in regular[self._copies :]}
        for path in gone:
            path.unlink(missing_ok=True)
        return sorted(gone)

    def forget_cards(self, open_batch: int) -> list[Path]:
        """Erase the encrypted card numbers of batches closed since a copy was taken; which copies changed.

        open_batch: the id of the batch that is open now. Raises LedgerFailed; no copy is ever half changed.
        """
        changed = []
        for copy in self.newest_first():
            try:
                if not _holds_cards_before(copy.path, open_batch):
                    continue
                with self._new_file(copy.path) as file:
                    with closing(_open(copy.path)) as source, closing(_open(file)) as target:
                        source.backup(target)
                    strip(file, open_batch)
            except (OSError, sqlite3.Error) as error:
                raise LedgerFailed(f"cannot rewrite {copy.path}: {_words(error)}") from None
            changed.append(copy.path)
        return changed

    def _sweep(self) -> None:
        """What a power cut left half written."""
        for path in self.directory.glob(f"{_PREFIX}*.part*"):
            path.unlink(missing_ok=True)

    @contextmanager
    def _new_file(self, target: Path) -> Iterator[Path]:
        """A file that takes its name when it is complete and on the disk, or leaves nothing behind."""
        file = target.with_suffix(".part")
        try:
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
            yield file
            give_to_owner(file)
            sync(file)
            file.replace(target)
            sync(self.directory)
        finally:
            file.unlink(missing_ok=True)


def whole(source: sqlite3.Connection) -> CopyInto:
    """Copies a connection that nobody else waits for."""
    return lambda target, _between: source.backup(target)


def verify(file: Path, go_on: GoOn = lambda: True) -> int:
    """Every check there is of a file that nobody has open; its schema version.

    Raises LedgerDamaged, LedgerTooNew, LedgerInUse, LedgerFailed, BackupAbandoned.
    """
    with reading(file) as connection:
        connection.set_progress_handler(lambda: not go_on(), _STEPS_BETWEEN_QUESTIONS)
        try:
            check_contents(connection)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
                raise BackupAbandoned from None
            raise
        return schema_version(connection)


def strip(file: Path, open_batch: int | None) -> None:
    """Mark a copy as the past and take out what a copy must not keep, in place. Raises sqlite3.Error.

    open_batch: erase card numbers of all batches before this one; None: of those the copy knows as closed.
    """
    with closing(_open(file)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = OFF")  # the whole file is synced at the end
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, readable on any medium
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            """UPDATE transactions SET account_number = NULL, expiry = NULL
               WHERE account_number IS NOT NULL AND (batch < ?1
               OR batch IN (SELECT id FROM batches WHERE closed_at IS NOT NULL))""",
            (open_batch or 0,),
        )
        connection.execute(
            "DELETE FROM settings WHERE name IN ('working_keys', 'signed_in_on', 'restored_seen')"
        )
        connection.execute(
            "INSERT INTO settings VALUES ('restored', ?)"
            " ON CONFLICT DO UPDATE SET value = excluded.value",
            (pack(True),),
        )
        connection.execute("COMMIT")


def give_to_owner(path: Path) -> None:
    """What root made belongs to whom its directory belongs: the daemon is another user. Raises OSError."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def sync(path: Path) -> None:
    """A file's contents, or a directory's names, are on the disk when this returns. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(file: Path, copy: CopyInto, go_on: GoOn) -> None:
    def between() -> None:
        if not go_on():
            raise BackupAbandoned

    between()
    with closing(_open(file)) as target:
        target.execute("PRAGMA journal_mode = OFF")  # a copy that is cut short is thrown away
        target.execute("PRAGMA synchronous = OFF")
        copy(target, between)


def _holds_cards_before(file: Path, open_batch: int) -> bool:
    with closing(_open(file)) as connection:
        row = connection.execute(
            "SELECT 1 FROM transactions WHERE account_number IS NOT NULL AND batch < ? LIMIT 1",
            (open_batch,),
        ).fetchone()
    return row is not None


def _open(file: Path) -> sqlite3.Connection:
    """An existing file, for this function alone."""
    address = f"{file.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=0.0)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return str(getattr(error, "sqlite_errorname", type(error).__name__))
