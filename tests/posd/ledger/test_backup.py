"""Copies: whole, marked as the past, without what must not lie about, and never too many."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from posd.keys import Keys
from posd.ledger import backup
from posd.ledger.backup import BackupAbandoned, Backups
from posd.ledger.errors import LedgerDamaged, LedgerFailed, LedgerTooNew
from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from posd.ledger.schema import MIGRATIONS
from posd.money.recovery import recover
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent

AT = datetime(2026, 6, 1, 9, 30)


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "copies", copies=3, days=30)


def sale(ledger: Ledger, state: State = State.APPROVED) -> int:
    with ledger.commit("intent"):
        identity = ledger.transactions.add(intent(ledger.counters.next_stan()))
    if state is not State.OPEN:
        with ledger.commit("outcome"):
            ledger.transactions.move(identity, [State.OPEN], state)
    return identity


def close_batch(ledger: Ledger) -> None:
    """As a settlement will, except that it leaves the card numbers where they are."""
    database = ledger._database
    with ledger.commit("close"):
        database.write("UPDATE batches SET closed_at = 1 WHERE closed_at IS NULL")
        database.write("INSERT INTO batches (opened_at) VALUES (2)")


def rows(file: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def sealed_numbers(file: Path) -> dict[int, bytes]:
    found = rows(file, "SELECT id, account_number FROM transactions")
    return {int(str(identity)): sealed for identity, sealed in found if isinstance(sealed, bytes)}


def test_a_copy_holds_every_commit_that_was_made_before(ledger: Ledger, backups: Backups) -> None:
    sales = [sale(ledger) for _ in range(20)]
    copy = ledger.back_up(backups, AT)
    assert backup.verify(copy) == len(MIGRATIONS)
    assert rows(copy, "SELECT count(*) FROM transactions") == [(len(sales),)]
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_copy_that_is_put_in_place_by_hand_is_a_restored_ledger(
    ledger: Ledger, backups: Backups, path: Path, keys: Keys, clock: TurnedClock
) -> None:
    """Even the copy of this very run, whose generation number is the one beside the ledger."""
    pending, approved = sale(ledger, State.REVERSING), sale(ledger)
    with ledger.commit("sign in"):
        ledger.settings.put("working_keys", b"sealed")
        ledger.settings.put("signed_in_on", "2026-06-01")
    copy = ledger.back_up(backups, AT)
    stan = int(ledger.counters._value("stan"))
    ledger.close()
    path.write_bytes(copy.read_bytes())
    again = Ledger.open(path, keys, clock, SeededBytes())
    assert again.settings.get("restored", False)
    assert again.settings.get("working_keys") is None
    recover(again, 10_000)
    assert again.transactions.get(pending).state is State.UNRESOLVED
    assert again.transactions.get(approved).state is State.APPROVED
    assert again.counters._value("stan") == stan + 10_000
    again.close()


def test_a_copy_keeps_card_numbers_of_the_open_batch_only(ledger: Ledger, backups: Backups) -> None:
    settled = sale(ledger)
    close_batch(ledger)
    unsettled = sale(ledger)
    sealed = sealed_numbers(ledger.back_up(backups, AT))
    assert settled not in sealed
    assert unsettled in sealed


def test_what_is_erased_from_a_copy_is_not_left_in_its_free_space(
    ledger: Ledger, backups: Backups, path: Path
) -> None:
    settled = [sale(ledger) for _ in range(50)]
    copy = ledger.back_up(backups, AT)
    sealed = sealed_numbers(copy)
    assert set(settled) == set(sealed)
    assert all(number in copy.read_bytes() for number in sealed.values())
    close_batch(ledger)
    assert backups.forget_cards(ledger.counters.open_batch) == [copy]
    assert not any(number in copy.read_bytes() for number in sealed.values())
    assert backup.verify(copy) == len(MIGRATIONS)
    assert backups.forget_cards(ledger.counters.open_batch) == []


def test_commits_go_on_while_a_thread_copies_and_the_copy_is_whole(
    ledger: Ledger, backups: Backups
) -> None:
    for _ in range(200):
        sale(ledger)
    copying, finished = threading.Event(), threading.Event()
    made: list[Path] = []

    def go_on() -> bool:
        copying.set()
        finished.wait(0.005)
        return True

    def work() -> None:
        made.append(ledger.back_up(backups, AT, go_on))

    thread = threading.Thread(target=work)
    thread.start()
    copying.wait()
    during = [sale(ledger) for _ in range(30)]
    finished.set()
    thread.join()
    (copy,) = made
    assert backup.verify(copy) == len(MIGRATIONS)
    (held,) = rows(copy, "SELECT count(*) FROM transactions")[0]
    assert 200 <= int(str(held)) <= 200 + len(during)
    ledger.check()
    assert ledger.transactions.get(during[-1]).state is State.APPROVED


@pytest.mark.parametrize("questions", [0, 1, 2, 4])
def test_an_abandoned_copy_leaves_nothing_behind(
    ledger: Ledger, backups: Backups, questions: int
) -> None:
    for _ in range(200):
        sale(ledger)
    answers = iter([True] * questions)
    with pytest.raises(BackupAbandoned):
        ledger.back_up(backups, AT, lambda: next(answers, False))
    assert list(backups.directory.iterdir()) == []
    assert sale(ledger)


def test_a_copy_that_is_cut_short_by_a_power_cut_is_swept_away(
    ledger: Ledger, backups: Backups
) -> None:
    backups.directory.mkdir()
    half = backups.directory / "ledger-20260101-000000-000000.part"
    half.write_bytes(b"SQLite format 3")
    copy = ledger.back_up(backups, AT)
    assert list(backups.directory.iterdir()) == [copy]


def test_a_copy_needs_room_and_the_ledger_works_on_without_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    with pytest.raises(LedgerFailed, match="no room for a copy"):
        ledger.back_up(Backups(tmp_path / "copies", margin=1 << 60), AT)
    (tmp_path / "file").touch()
    with pytest.raises(LedgerFailed, match="file exists"):
        ledger.back_up(Backups(tmp_path / "file"), AT)
    assert sale(ledger)


def test_the_newest_copies_are_kept_and_old_ones_expire(ledger: Ledger, backups: Backups) -> None:
    taken = [ledger.back_up(backups, AT + timedelta(days=day)) for day in range(5)]
    foreign = backups.directory / "ledger-of-my-own.db"
    foreign.touch()
    assert backups.rotate(AT + timedelta(days=5)) == taken[:2]
    assert [copy.path for copy in backups.newest_first()] == taken[:1:-1]
    assert backups.rotate(AT + timedelta(days=33, hours=1)) == taken[2:4]
    assert foreign.exists()


def test_copies_from_before_a_migration_do_not_push_others_out(
    ledger: Ledger, backups: Backups
) -> None:
    copy_into = ledger._database.copy_into
    before = backups.take(copy_into, 0, AT, schema=1)
    taken = [ledger.back_up(backups, AT + timedelta(hours=hour)) for hour in range(1, 4)]
    assert backups.rotate(AT + timedelta(hours=4)) == []
    assert backups.rotate(AT + timedelta(days=30, minutes=1)) == [before]
    assert taken[0].exists()


def test_a_damaged_copy_is_told_from_a_good_one(ledger: Ledger, backups: Backups) -> None:
    for _ in range(50):
        sale(ledger)
    good = ledger.back_up(backups, AT)
    data = bytearray(good.read_bytes())
    for start in range(8192, len(data), 4096):
        bad = good.with_name("damaged.db")
        bad.write_bytes(data[:start] + b"\x5a" * 512 + data[start + 512 :])
        if bad.read_bytes() == good.read_bytes():
            continue
        with pytest.raises(LedgerDamaged, match=r"damaged\.db"):
            backup.verify(bad)
        break
    bad.write_bytes(data[: len(data) // 2])
    with pytest.raises(LedgerDamaged):
        backup.verify(bad)
    bad.write_bytes(b"")
    with pytest.raises(LedgerDamaged, match="empty"):
        backup.verify(bad)
    with pytest.raises(LedgerFailed, match="cannot open"):
        backup.verify(good.with_name("missing.db"))


def test_records_that_do_not_belong_together_are_noticed(ledger: Ledger, backups: Backups) -> None:
    sale(ledger)
    copy = ledger.back_up(backups, AT)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DROP TRIGGER steps_are_never_changed")
        connection.execute("UPDATE steps SET transaction_id = 99")
    with pytest.raises(LedgerDamaged, match="not there"):
        backup.verify(copy)


def test_a_copy_without_an_open_batch_or_of_a_newer_program_is_refused(
    ledger: Ledger, backups: Backups
) -> None:
    copy = ledger.back_up(backups, AT)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE batches SET closed_at = 1")
    with pytest.raises(LedgerDamaged, match="no batch is open"):
        backup.verify(copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(LedgerTooNew):
        backup.verify(copy)
