from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from posd.testing.snapshot import Snapshots


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Held as the daemon holds it: exclusively, with what is new in the write-ahead log."""
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE sales (fen INTEGER)")
        yield connection


def rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [fen for (fen,) in connection.execute("SELECT fen FROM sales ORDER BY fen")]


def test_a_copy_holds_every_commit_and_nothing_that_is_not_committed(
    ledger: sqlite3.Connection, tmp_path: Path
) -> None:
    snapshots = Snapshots(tmp_path / "ledger.db", tmp_path / "copy.db")
    ledger.execute("INSERT INTO sales VALUES (1)")
    ledger.execute("BEGIN")
    ledger.execute("INSERT INTO sales VALUES (2)")
    assert rows(snapshots.take()) == [1]
    ledger.execute("COMMIT")
    assert rows(snapshots.take()) == [1, 2]


def test_a_later_copy_replaces_the_earlier_one_after_a_checkpoint_too(
    ledger: sqlite3.Connection, tmp_path: Path
) -> None:
    snapshots = Snapshots(tmp_path / "ledger.db", tmp_path / "copy.db")
    ledger.execute("INSERT INTO sales VALUES (1)")
    assert rows(snapshots.take()) == [1]
    ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.execute("DELETE FROM sales")
    assert rows(snapshots.take()) == []


def test_a_ledger_that_has_not_changed_is_not_copied_again(
    ledger: sqlite3.Connection, tmp_path: Path
) -> None:
    snapshots = Snapshots(tmp_path / "ledger.db", tmp_path / "copy.db")
    first = snapshots.take().stat().st_mtime_ns
    assert snapshots.take().stat().st_mtime_ns == first
    ledger.execute("INSERT INTO sales VALUES (1)")
    assert snapshots.take().stat().st_mtime_ns != first


def test_a_kept_ledger_takes_its_place_again_with_all_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    snapshots = Snapshots(path, tmp_path / "copy.db")
    with pytest.raises(FileNotFoundError):
        snapshots.put_back()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE sales (fen INTEGER)")
        connection.execute("INSERT INTO sales VALUES (1)")
        snapshots.keep()  # as after a kill: what is new is in the write-ahead log only
        connection.execute("INSERT INTO sales VALUES (2)")
    assert rows(path) == [1, 2]
    snapshots.put_back()
    assert rows(path) == [1]
