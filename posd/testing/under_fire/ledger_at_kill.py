"""In which state was the ledger when the process was killed? Plain SQL on a copy."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

NO_LEDGER: Final = "no ledger yet"
DAMAGED: Final = "DAMAGED"
_BESIDE: Final = ("", "-wal", "-journal")


def state_at_kill(ledger: Path) -> str:
    """One word or two for the histogram. The file must not be in use; it is read in a copy."""
    if not ledger.exists():
        return NO_LEDGER
    with tempfile.TemporaryDirectory(prefix="posd-at-kill-") as directory:
        copy = Path(directory) / ledger.name
        for suffix in _BESIDE:
            file = ledger.with_name(ledger.name + suffix)
            if file.exists():
                shutil.copyfile(file, copy.with_name(copy.name + suffix))
        try:
            with closing(sqlite3.connect(copy)) as connection:
                return _state(connection)
        except sqlite3.DatabaseError as error:
            return f"{DAMAGED}: {error.sqlite_errorname}"


def _state(connection: sqlite3.Connection) -> str:
    tables = connection.execute(
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('transactions', 'print_jobs', 'audit')"
    ).fetchone()[0]
    if tables < 3:
        return NO_LEDGER
    (whole,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if whole != "ok":
        return DAMAGED
    doubt = connection.execute(
        """SELECT state, kind, reversal_tries, host_had_none FROM transactions
           WHERE state IN ('open', 'reversing', 'pending') ORDER BY id LIMIT 1"""
    ).fetchone()
    if doubt is not None:
        return _in_doubt(*doubt)
    newest = connection.execute(
        """SELECT state, (SELECT count(*) FROM print_jobs
               WHERE transaction_id = transactions.id AND done_at IS NULL)
           FROM transactions WHERE acknowledged = 0 ORDER BY id DESC LIMIT 1"""
    ).fetchone()
    if newest is not None:
        state, slips = newest
        return f"{state}{', slips waiting' if slips else ''}, not seen yet"
    order = connection.execute("SELECT state FROM orders ORDER BY id DESC LIMIT 1").fetchone()
    if order == ("unpaid",):
        return "idle, the newest order is unpaid"
    return "idle"


def _in_doubt(state: str, kind: str, tries: int, host_had_none: int) -> str:
    if state != "reversing":
        return f"{state} {kind}"
    if host_had_none:
        return f"reversing {kind}, host had none once"
    return f"reversing {kind}, {'tried' if tries else 'not tried yet'}"
