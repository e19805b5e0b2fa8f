"""Putting a copy in the ledger's place: the old file stays, the new one says it is the past (M16)."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from posd.ledger.backup import give_to_owner, strip, sync, verify
from posd.ledger.errors import LedgerFailed
from posd.ledger.pack import pack


def put_in_place(copy: Path, ledger: Path, now: datetime, at: int) -> Path | None:
    """Make this copy the ledger; returns where the replaced one is kept, None when there was none.

    now names the kept file, at (milliseconds) dates the audit entry. No daemon may run. A power cut leaves
    the old ledger or the new one; whichever it is, the next start takes it for restored. Raises
    LedgerDamaged, LedgerTooNew (the copy is no good: nothing was changed), LedgerFailed.
    """
    new = ledger.with_name(f"{ledger.name}.restoring")
    try:
        try:
            _prepare(copy, new, at)
            kept = _keep(ledger, now)
            _count_a_start(ledger)
            # A log that belongs to the old file would be read into the new one.
            _log_of(ledger).unlink(missing_ok=True)
            new.replace(ledger)
            sync(ledger.parent)
        finally:
            for leftover in (new, _log_of(new)):
                leftover.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        words = getattr(error, "strerror", None) or getattr(error, "sqlite_errorname", "")
        raise LedgerFailed(f"cannot put {copy} in place: {words or type(error).__name__}") from None
    ledger.with_name(f"{ledger.name}.suspect").unlink(missing_ok=True)
    return kept


def _prepare(copy: Path, new: Path, at: int) -> None:
    """A file of our own: checked, marked, and on the disk, before anything else is touched."""
    new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    shutil.copyfile(copy, new)
    if _log_of(copy).exists():  # a copy that somebody made by hand of a ledger in use
        shutil.copyfile(_log_of(copy), _log_of(new))
    verify(new)
    strip(new, None)
    with closing(sqlite3.connect(new)) as connection, connection:
        connection.execute(
            "INSERT INTO audit (at, who, what, details) VALUES (?, 'posd', 'ledger_put_back', ?)",
            (at, pack({"copy": copy.name})),
        )
    give_to_owner(new)
    sync(new)


def _keep(ledger: Path, now: datetime) -> Path | None:
    """The old ledger under another name, with its write-ahead log: unread, whatever is wrong with it."""
    if not ledger.exists():
        return None
    kept = ledger.with_name(f"{ledger.name}.replaced-{now:%Y%m%dT%H%M%S.%f}")
    os.link(ledger, kept)
    if _log_of(ledger).exists():
        shutil.copyfile(_log_of(ledger), _log_of(kept))
        give_to_owner(_log_of(kept))
        sync(_log_of(kept))
    sync(ledger.parent)
    return kept


def _count_a_start(ledger: Path) -> None:
    """Raise the generation beside the ledger: every file that is opened next is behind it."""
    beside = ledger.with_name(f"{ledger.name}.generation")
    try:
        known = int(beside.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        known = 0
    new = beside.with_suffix(".generation.new")
    new.write_text(f"{known + 1}\n", "ascii")
    give_to_owner(new)
    sync(new)
    new.replace(beside)
    sync(beside.parent)


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")
