"""A commit that returned survives a power cut; any other is whole or absent.

Shown once, with the real ledger, for every moment between two writes and for what a disk may make of the
sectors that no sync has reached. A simulation may then cut the power commit by commit.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from devices.slip import Cut, Pair, Slip, Text
from posd.keys import Keys
from posd.ledger.errors import LedgerError
from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from tests.posd.ledger import power_loss
from tests.posd.ledger.power_loss import NAME, Disk, Keeps, images, recording
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent

SLIP = Slip((Text("消费/SALE", align="centre", large=True), Pair("金额", "RMB 123.45"), Cut()))


@pytest.fixture(scope="module")
def apsw() -> ModuleType:
    module = power_loss.apsw()
    if module is None:
        pytest.skip("Debian's python3-apsw, for this interpreter and its libsqlite3, is not here")
    return module


def contents(connection: sqlite3.Connection) -> str:
    """One word for everything that is stored, but not for how often the ledger was opened."""
    digest = hashlib.sha256()
    tables = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'counters' ORDER BY name"
    )
    for (table,) in connection.execute(tables).fetchall():
        digest.update(table.encode())
        for row in connection.execute(f"SELECT * FROM {table}"):
            digest.update(repr(tuple(row)).encode())
    counters = "SELECT * FROM counters WHERE name <> 'generation'"
    digest.update(repr([tuple(row) for row in connection.execute(counters)]).encode())
    return digest.hexdigest()


@dataclass
class Shop:
    """A ledger on a recorded disk; after each commit the disk is told what must be there from then on."""

    directory: Path
    disk: Disk
    keys: Keys
    synchronous: str

    def __post_init__(self) -> None:
        self.clock, self.random_bytes = TurnedClock(), SeededBytes()
        self.open()

    def open(self) -> None:
        address = f"file:{self.directory / 'ledger.db'}?vfs={NAME}"
        self.ledger = Ledger.open(address, self.keys, self.clock, self.random_bytes, self.committed)
        self.ledger._database.execute(f"PRAGMA synchronous = {self.synchronous}")
        self.promise()

    def committed(self, point: str) -> None:
        if point.startswith("after") and hasattr(self, "ledger"):
            self.promise()

    def promise(self) -> None:
        self.disk.mark(contents(self.ledger._database._connection))

    def restart(self) -> None:
        self.ledger.close()
        del self.ledger  # what the next start commits is promised when it has started
        self.open()

    def sale(self, outcome: State = State.APPROVED) -> int:
        ledger = self.ledger
        with ledger.commit("order"):
            number = ledger.counters.next_stan()
            order = ledger.orders.create(number, 12345, ledger.now())
        with ledger.commit("intent"):
            stan = ledger.counters.next_stan()
            sale = ledger.transactions.add(intent(stan, order=order))
        with ledger.commit("outcome"):
            ledger.transactions.move(
                sale, [State.OPEN], outcome, {"code": "00"}, answer={37: "123456789012", 39: "00"},
                ended_at=ledger.now(),
            )  # fmt: skip
            if outcome is State.APPROVED:
                ledger.orders.receive(order, 12345, ledger.now())
                jobs = [ledger.print_jobs.add(sale, copy, SLIP) for copy in ("merchant", "holder")]
            ledger.settings.put("host_date", ["2026-06-01", "0601"])
        if outcome is State.APPROVED:
            with ledger.commit("printed"):
                ledger.print_jobs.done(*jobs)
                ledger.transactions.acknowledge(sale)
        return sale

    def void(self, original: int) -> None:
        ledger = self.ledger
        with ledger.commit("intent"):
            stan = ledger.counters.next_stan()
            void = ledger.transactions.add(intent(stan, kind="sale_void", original=original))
        with ledger.commit("outcome"):
            ledger.transactions.move(void, [State.OPEN], State.APPROVED, ended_at=ledger.now())
            ledger.transactions.move(original, [State.APPROVED], State.VOIDED, {"by": void})
            ledger.audit.add(ledger.now(), "00", "void", {"transaction": void})

    def close_batch(self) -> None:
        database = self.ledger._database
        with self.ledger.commit("close"):
            database.write("UPDATE transactions SET account_number = NULL, expiry = NULL")
            database.write("UPDATE batches SET closed_at = 1 WHERE closed_at IS NULL")
            database.write("INSERT INTO batches (opened_at) VALUES (2)")
        database.one("PRAGMA wal_checkpoint(TRUNCATE)")

    def day(self) -> None:
        first = self.sale()
        second = self.sale()
        self.void(first)
        self.ledger._database.checkpoint()
        self.sale(State.DECLINED)
        self.sale(State.REVERSING)
        self.restart()
        self.void(second)
        self.close_batch()
        self.sale()
        self.ledger._database.checkpoint_every(4)
        third = self.sale()
        self.void(third)
        self.ledger.close()


@dataclass
class Result:
    """What opening every image found. points: moments at which the power was cut."""

    points: int = 0
    opened: int = 0
    lost: int = 0
    not_whole: int = 0
    damaged: int = 0


def cut_everywhere(
    apsw: ModuleType, directory: Path, keys: Keys, synchronous: str, keeps: Keeps
) -> Result:
    disk = Disk()
    (directory / "shop").mkdir()
    with recording(apsw, disk):
        Shop(directory / "shop", disk, keys, synchronous).day()
    every = [operation.mark for operation in disk.log if operation.what == "mark"]
    result = Result()
    seen: dict[bytes, str | None] = {}
    for files, marks in images(disk.log, keeps):
        result.points += 1
        key = hashlib.sha256(repr(sorted(files.items())).encode()).digest()
        if key not in seen:
            seen[key] = open_again(directory, files, keys)
            result.opened += 1
        found = seen[key]
        if found is None:
            result.damaged += 1
        elif not marks:
            continue  # nothing was promised yet
        elif found in every[: len(marks) - 1] and found != marks[-1]:
            result.lost += 1
        elif found not in every[len(marks) - 1 : len(marks) + 1]:
            result.not_whole += 1
    return result


def open_again(directory: Path, files: dict[str, bytes], keys: Keys) -> str | None:
    """What the real ledger finds in this image; None when it refuses it, or its check fails."""
    image = directory / "image"
    image.mkdir(exist_ok=True)
    for leftover in image.iterdir():
        if leftover.is_file():
            leftover.unlink()
    for name, data in files.items():
        (image / name).write_bytes(data)
    try:
        ledger = Ledger.open(image / "ledger.db", keys, TurnedClock(), SeededBytes())
        with closing(ledger):
            ledger.check()
            return contents(ledger._database._connection)
    except LedgerError:
        return None


KEEPS: dict[str, Callable[[], Keeps]] = {
    "kept": lambda: power_loss.keeps_all,
    "half": lambda: power_loss.keeps_half(1),
    "another half": lambda: power_loss.keeps_half(2),
    "lost": lambda: power_loss.keeps_nothing,
}


@pytest.mark.parametrize("unsynced", KEEPS)
def test_after_a_power_cut_every_commit_that_returned_is_there_and_every_other_whole_or_absent(
    apsw: ModuleType, fast_directory: Path, keys: Keys, unsynced: str
) -> None:
    result = cut_everywhere(apsw, fast_directory, keys, "FULL", KEEPS[unsynced]())
    print(f"{unsynced}: {result}")
    assert result.points > 700
    assert (result.lost, result.not_whole, result.damaged) == (0, 0, 0)


@pytest.mark.parametrize("unsynced", ["half", "lost"])
def test_without_full_synchronisation_commits_are_lost_so_this_test_can_fail(
    apsw: ModuleType, fast_directory: Path, keys: Keys, unsynced: str
) -> None:
    result = cut_everywhere(apsw, fast_directory, keys, "NORMAL", KEEPS[unsynced]())
    assert result.lost > 200
    print(f"{unsynced}: {result}")


@pytest.mark.parametrize("unsynced", KEEPS)
def test_a_power_cut_in_a_migration_leaves_everything_where_it_was(
    apsw: ModuleType, fast_directory: Path, keys: Keys, unsynced: str
) -> None:
    shop = fast_directory / "shop"
    shop.mkdir()
    with closing(sqlite3.connect(shop / "ledger.db")) as connection:
        dump = Path(__file__).parent / "schemas" / "1.sql"
        connection.executescript(dump.read_text("utf-8"))
    before = {"ledger.db": (shop / "ledger.db").read_bytes()}
    disk = Disk()
    with recording(apsw, disk):
        address = f"file:{shop / 'ledger.db'}?vfs={NAME}"
        Ledger.open(address, keys, TurnedClock(), SeededBytes()).close()
    found = [
        open_again(fast_directory, files, keys)
        for files, _ in images(disk.log, KEEPS[unsynced](), before)
    ]
    assert len(found) > 30
    assert set(found) == {open_again(fast_directory, before, keys)}  # as if nothing had happened


def test_the_disk_keeps_what_was_synced_and_perhaps_what_was_not(tmp_path: Path) -> None:
    disk = Disk()
    disk.note("create", "a-wal")
    disk.note("write", "a-wal", 0, b"1" * 1024)
    disk.note("sync", "a-wal")
    disk.note("write", "a-wal", 512, b"2" * 1024)
    disk.note("truncate", "a-wal", 100)
    kept = [files.get("a-wal") for files, _ in images(disk.log, power_loss.keeps_all)]
    lost = [files.get("a-wal") for files, _ in images(disk.log, power_loss.keeps_nothing)]
    assert kept == [
        None, b"", b"1" * 1024, b"1" * 1024, b"1" * 512 + b"2" * 1024, b"1" * 100,
    ]  # fmt: skip
    assert lost == [None, None, None, b"1" * 1024, b"1" * 1024, b"1" * 1024]
