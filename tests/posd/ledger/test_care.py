"""Disk full, disk broken: what is done before, and what the next start does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from posd.keys import Keys
from posd.ledger import reserve
from posd.ledger.care import Care
from posd.ledger.errors import LedgerDamaged, LedgerError, LedgerFailed
from posd.ledger.ledger import Ledger
from posd.ledger.reserve import Reserve
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent


def beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}")


def test_a_mebibyte_is_really_set_aside(ledger: Ledger, path: Path) -> None:
    status = beside(path, "reserve").stat()
    assert status.st_size == reserve.SIZE
    assert status.st_blocks * 512 >= reserve.SIZE


def test_without_the_reserve_there_is_no_room_for_new_business(ledger: Ledger, path: Path) -> None:
    assert ledger.free_space() > reserve.SIZE
    beside(path, "reserve").unlink()
    assert ledger.free_space() == 0
    ledger.look_after()
    assert ledger.free_space() > reserve.SIZE


def test_a_reserve_that_is_not_whole_is_made_whole(tmp_path: Path) -> None:
    kept = Reserve(tmp_path / "reserve")
    (tmp_path / "reserve").write_bytes(b"half")
    assert not kept.held
    assert kept.renew()
    assert kept.held
    assert kept.release()
    assert not kept.release()


def test_a_reserve_that_cannot_be_made_is_not_there(tmp_path: Path) -> None:
    assert not Reserve(tmp_path / "missing" / "reserve").renew()


@pytest.mark.parametrize("name", ["SQLITE_FULL", "SQLITE_IOERR_WRITE"])
def test_a_full_disk_gets_the_reserve(path: Path, name: str) -> None:
    care = Care(path)
    Reserve(beside(path, "reserve")).renew()
    care.failed(name)
    assert care.gave_room
    assert not beside(path, "reserve").exists()


@pytest.mark.parametrize("name", ["SQLITE_IOERR_FSYNC", "SQLITE_CORRUPT_INDEX"])
def test_after_an_error_of_the_disk_the_next_start_checks_the_file(
    path: Path, keys: Keys, clock: TurnedClock, name: str
) -> None:
    Ledger.open(path, keys, clock, SeededBytes()).close()
    Care(path).failed(name)
    assert beside(path, "suspect").read_text() == f"{name}\n"
    Ledger.open(path, keys, clock, SeededBytes()).close()
    assert not beside(path, "suspect").exists()


def test_a_ledger_that_is_not_whole_is_refused_with_advice_until_it_is(
    path: Path, keys: Keys, clock: TurnedClock
) -> None:
    ledger = Ledger.open(path, keys, clock, SeededBytes())
    for number in range(1, 60):
        with ledger.commit("intent"):
            ledger.transactions.add(intent(f"{number:06d}"))
    ledger.close()
    good = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'transactions_by_number'"
        ).fetchone()
    start = (root - 1) * 4096
    path.write_bytes(good[: start + 8] + b"\xff" * 256 + good[start + 264 :])
    Ledger.open(path, keys, clock, SeededBytes()).close()  # nothing that a start reads is damaged
    beside(path, "suspect").touch()
    for _ in range(2):
        with pytest.raises(LedgerDamaged) as refused:
            Ledger.open(path, keys, clock, SeededBytes())
        assert "posd ledger restore" in refused.value.advice
    path.write_bytes(good)
    Ledger.open(path, keys, clock, SeededBytes()).close()


def test_a_ledger_without_an_open_batch_is_refused(
    path: Path, keys: Keys, clock: TurnedClock
) -> None:
    Ledger.open(path, keys, clock, SeededBytes()).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE batches SET closed_at = 1")
    with pytest.raises(LedgerDamaged, match="no batch is open"):
        Ledger.open(path, keys, clock, SeededBytes())


def test_the_write_ahead_log_is_copied_while_nobody_waits(ledger: Ledger, path: Path) -> None:
    for number in range(1, 40):
        with ledger.commit("intent"):
            ledger.transactions.add(intent(f"{number:06d}"))
    before = path.stat().st_size
    ledger.look_after()
    assert path.stat().st_size > before
    (busy, pages, copied) = ledger._database.one("PRAGMA wal_checkpoint(PASSIVE)")  # type: ignore[misc]
    assert (busy, pages) == (0, copied)


def test_the_generation_that_cannot_be_written_ends_the_start(
    path: Path, keys: Keys, clock: TurnedClock
) -> None:
    beside(path, "generation.new").mkdir()
    with pytest.raises(LedgerFailed, match="generation"):
        Ledger.open(path, keys, clock, SeededBytes())


@pytest.mark.parametrize("error", LedgerError.__subclasses__())
def test_every_error_says_what_to_do_next(error: type[LedgerError]) -> None:
    assert len(error.advice) > 20
