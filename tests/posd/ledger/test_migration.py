"""From every schema that was ever shipped: nothing is lost, and what there was is kept beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from posd.keys import Keys
from posd.ledger import backup
from posd.ledger.backup import Backups
from posd.ledger.errors import LedgerDamaged, LedgerFailed
from posd.ledger.ledger import Ledger
from posd.ledger.migration import migrate
from posd.ledger.records import OrderState, State
from posd.ledger.schema import MIGRATIONS
from tests.posd.ledger.rig import SeededBytes, TurnedClock

SCHEMAS = Path(__file__).parent / "schemas"
EARLIER = range(1, len(MIGRATIONS))


def create(path: Path, version: int) -> None:
    """A ledger as the program with this schema left it: one sale, its void in doubt."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((SCHEMAS / f"{version}.sql").read_text("utf-8"))


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            )
        ]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def shape(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return sorted(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


@pytest.fixture(params=EARLIER)
def version(request: pytest.FixtureRequest, path: Path) -> int:
    create(path, request.param)
    return int(request.param)


@pytest.fixture
def migrated(version: int, path: Path, keys: Keys, clock: TurnedClock) -> Iterator[Ledger]:
    ledger = Ledger.open(path, keys, clock, SeededBytes())
    yield ledger
    ledger.close()


def test_there_is_a_dump_of_every_earlier_schema() -> None:
    assert {int(file.stem) for file in SCHEMAS.glob("*.sql")} == set(EARLIER)


def test_a_shipped_migration_is_never_edited(version: int, path: Path) -> None:
    with closing(sqlite3.connect(path)) as found, closing(sqlite3.connect(":memory:")) as made:
        migrate(made, MIGRATIONS[:version], lambda *_: None)
        assert shape(made) == shape(found)


def test_the_schema_becomes_the_one_of_a_new_ledger(migrated: Ledger, path: Path) -> None:
    migrated.close()
    with closing(sqlite3.connect(path)) as found, closing(sqlite3.connect(":memory:")) as made:
        migrate(made, MIGRATIONS, lambda *_: None)
        assert shape(found) == shape(made)
        assert found.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_what_was_stored_reads_as_it_was_written(migrated: Ledger) -> None:
    sale, void = migrated.transactions.get(1), migrated.transactions.get(2)
    assert (sale.state, sale.stan, sale.amount) == (State.APPROVED, "000002", 12345)
    assert (void.state, void.reversal_reason, void.original) == (State.REVERSING, "98", 1)
    assert migrated.transactions.is_whole(1)
    assert migrated.transactions.is_whole(2)
    assert [step.what for step in migrated.transactions.steps(2)] == ["stored", "reversing"]
    assert migrated.orders.get(1).state is OrderState.PAID
    assert [job.copy for job in migrated.print_jobs.waiting()] == ["merchant"]
    assert [entry[2] for entry in migrated.audit.entries()] == ["void_in_doubt"]
    migrated.check()


def test_a_copy_from_before_is_kept_and_says_that_it_is_the_past(
    version: int, path: Path, keys: Keys, clock: TurnedClock
) -> None:
    before = tables(path)
    Ledger.open(path, keys, clock, SeededBytes()).close()
    copies = Backups(path.parent / "backups").newest_first()
    assert sorted(copy.schema for copy in copies) == list(range(version, len(MIGRATIONS)))
    copy = next(copy for copy in copies if copy.schema == version)
    assert backup.verify(copy.path) == version
    kept = tables(copy.path)
    assert kept.pop("settings") != before.pop("settings")
    assert kept == before


def test_without_room_for_the_copy_nothing_is_migrated(
    version: int, path: Path, keys: Keys, clock: TurnedClock
) -> None:
    impossible = Backups(path.parent / "backups", margin=1 << 60)
    with pytest.raises(LedgerFailed, match="no room for a copy"):
        Ledger.open(path, keys, clock, SeededBytes(), backups=impossible)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


def test_a_step_that_fails_leaves_the_schema_before_it(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        broken = (*MIGRATIONS, "CREATE TABLE half (id INTEGER); INSERT INTO nothing VALUES (1);")
        with pytest.raises(sqlite3.OperationalError, match="nothing"):
            migrate(connection, broken, lambda *_: None)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert "half" not in tables(path)


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
        with pytest.raises(LedgerDamaged, match="another program"):
            migrate(connection, MIGRATIONS, lambda *_: None)
    assert list(tables(path)) == ["recipes"]


def test_a_ledger_whose_first_start_was_cut_short_starts_all_the_same(
    path: Path, keys: Keys, clock: TurnedClock
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        migrate(connection, MIGRATIONS[:1], lambda *_: None)
    ledger = Ledger.open(path, keys, clock, SeededBytes())
    assert ledger.counters.open_batch == 1
    ledger.close()
