from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from posd.ledger.database import Database
from posd.ledger.errors import LedgerDamaged, LedgerFailed, LedgerInUse, LedgerTooNew
from posd.ledger.schema import MIGRATIONS


def test_a_commit_that_returned_is_there_after_reopening(path: Path) -> None:
    database = Database(path)
    with database.commit("counter"):
        database.write("INSERT INTO counters VALUES ('stan', 7)")
    database.close()
    again = Database(path)
    row = again.one("SELECT value FROM counters")
    again.close()
    assert row is not None
    assert row["value"] == 7


def test_an_exception_inside_a_commit_leaves_nothing_behind(path: Path) -> None:
    database = Database(path)

    def write_and_fail() -> None:
        with database.commit("counter"):
            database.write("INSERT INTO counters VALUES ('stan', 7)")
            raise ValueError("the caller's own")

    with pytest.raises(ValueError, match="the caller's own"):
        write_and_fail()
    assert database.one("SELECT value FROM counters") is None
    with database.commit("counter"):  # and the database goes on working
        database.write("INSERT INTO counters VALUES ('stan', 8)")
    database.close()


def test_the_observer_sees_both_sides_of_each_commit(path: Path) -> None:
    points: list[str] = []
    database = Database(path, points.append)
    with database.commit("intent"):
        pass
    database.close()
    assert points == ["before intent", "after intent"]


def test_a_second_process_is_refused(path: Path) -> None:
    database = Database(path)
    with pytest.raises(LedgerInUse, match="another process"):
        Database(path)
    database.close()


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    Database(path).close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    other.close()
    before = path.read_bytes()
    with pytest.raises(LedgerTooNew, match=f"schema {len(MIGRATIONS) + 1}"):
        Database(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_called_damaged(path: Path) -> None:
    path.write_bytes(b"this is a shopping list, not a ledger" * 200)
    with pytest.raises(LedgerDamaged, match=r"ledger\.db"):
        Database(path)


def test_after_an_error_of_sqlite_the_database_answers_nothing_more(path: Path) -> None:
    database = Database(path)
    with pytest.raises(LedgerFailed), database.commit("bad"):
        database.write("INSERT INTO counters VALUES ('stan', 'secret 6225000000000014')")
    with pytest.raises(LedgerFailed) as caught:
        database.one("SELECT 1")
    database.close()
    assert "6225" not in str(caught.value)


def test_commits_are_synced_and_the_file_is_ours_alone(path: Path) -> None:
    database = Database(path)
    pragmas = {
        name: database.one(f"PRAGMA {name}")[0]  # type: ignore[index]
        for name in ("synchronous", "journal_mode", "locking_mode", "secure_delete", "foreign_keys")
    }
    shared_memory = path.with_name("ledger.db-shm").exists()
    database.close()
    assert pragmas == {
        "synchronous": 2,
        "journal_mode": "wal",
        "locking_mode": "exclusive",
        "secure_delete": 1,
        "foreign_keys": 1,
    }
    assert not shared_memory


def test_steps_and_audit_cannot_be_rewritten(path: Path) -> None:
    database = Database(path)
    with database.commit("audit"):
        database.write("INSERT INTO audit (at, who, what, details) VALUES (1, '00', 'x', x'a0')")
    with pytest.raises(LedgerFailed, match="CONSTRAINT"), database.commit("forgery"):
        database.write("UPDATE audit SET who = '99'")
    database.close()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_commit_that_reports_an_error_may_be_on_disk_all_the_same(
    path: Path, moment: str
) -> None:
    def disk_fails(point: str) -> None:
        if point == f"{moment} bad":
            raise sqlite3.OperationalError("disk I/O error")

    database = Database(path, disk_fails)
    with pytest.raises(LedgerFailed), database.commit("bad"):
        database.write("INSERT INTO counters VALUES ('stan', 7)")
    with pytest.raises(LedgerFailed):  # what is on disk is unknown until it is opened again
        database.one("SELECT 1")
    database.close()
    again = Database(path)
    found = again.one("SELECT value FROM counters")
    again.close()
    assert (found is not None) is (moment == "after")
