"""The ledger's care in a working terminal: when a copy is made, and what happens when it cannot be."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from posd.ledger import backup
from posd.ledger.backup import Backups
from posd.ledger.errors import LedgerDamaged
from posd.ledger.ledger import moment
from posd.ledger_care import LedgerCare
from posd.settings import BackupSettings
from posd.testing.real import RealStage
from tests.posd.terminal.rig import Clerk


class Cared:
    """A terminal in virtual time with its care on a real loop."""

    def __init__(self, clerk: Clerk, directory: Path, **settings: int) -> None:
        self.clerk = clerk
        self.backups = Backups(directory / "copies", margin=0)
        self.settings = BackupSettings(**settings)
        self.looked = 0

    def run(self, act: Callable[[LedgerCare], None], *, after: float = 0.0) -> list[Path]:
        """One life of the loop: start, act, look, and wait for a copy that is being made."""

        async def life() -> None:
            care = LedgerCare(
                self.clerk.core, self.backups, self.settings, self.clerk.stage.world, self._look
            )
            care.start()
            self.clerk.wait(after)
            act(care)
            copying = care._copying
            if copying is not None:
                await copying
            await care.stop()

        asyncio.run(life())
        return [copy.path for copy in self.backups.newest_first()]

    def _look(self) -> None:
        self.looked += 1


def look(care: LedgerCare) -> None:
    care._look()


def on_demand(care: LedgerCare) -> None:
    care.back_up_soon()


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.wait(100)
        yield clerk


@pytest.fixture
def cared(clerk: Clerk, tmp_path: Path) -> Cared:
    return Cared(clerk, tmp_path)


def test_a_terminal_without_a_copy_makes_one_at_once(cared: Cared) -> None:
    cared.clerk.sell()
    (copy,) = cared.run(look)
    backup.verify(copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM transactions").fetchone() == (1,)


def test_the_next_one_is_due_after_the_interval_also_across_a_restart(cared: Cared) -> None:
    assert len(cared.run(look)) == 1
    assert len(cared.run(look)) == 1
    assert len(cared.run(look, after=23 * 3600)) == 1
    cared.clerk.restart()
    assert len(cared.run(look, after=3601)) == 2


def test_a_copy_from_a_clock_that_was_wrong_does_not_put_the_next_one_off(cared: Cared) -> None:
    future = moment(cared.clerk.ledger.now()) + timedelta(days=400)
    cared.clerk.ledger.back_up(cared.backups, future)
    assert len(cared.run(look)) == 2


def test_on_demand_another_one_is_made(cared: Cared) -> None:
    assert len(cared.run(look)) == 1
    assert len(cared.run(on_demand, after=1)) == 2


def test_while_the_clerk_is_busy_none_is_made(cared: Cared) -> None:
    cared.clerk.press("1")
    assert cared.run(on_demand) == []
    cared.clerk.press("取消")
    assert len(cared.run(on_demand)) == 1


def test_a_copy_rests_while_a_customer_waits_and_is_given_up_at_the_end(cared: Cared) -> None:
    async def life() -> None:
        clerk = cared.clerk
        care = LedgerCare(
            clerk.core, cared.backups, cared.settings, clerk.stage.world, lambda: None
        )
        care.back_up_soon()
        care._look()
        clerk.press("1")
        await asyncio.sleep(0.2)
        assert cared.backups.newest_first() == []
        await care.stop()

    asyncio.run(life())
    assert list(cared.backups.directory.glob("*")) == []


def test_a_copy_that_cannot_be_made_stops_nothing_and_is_tried_again(cared: Cared) -> None:
    cared.backups.directory.touch()
    cared.run(look)
    assert cared.clerk.core.halted is None
    cared.clerk.sell()
    cared.backups.directory.unlink()
    assert len(cared.run(look)) == 1


def test_when_a_batch_is_closed_its_card_numbers_leave_the_copies(cared: Cared) -> None:
    cared.clerk.sell()
    (first,) = cared.run(look)
    database = cared.clerk.ledger._database

    def settle(care: LedgerCare) -> None:
        with cared.clerk.ledger.commit("close"):
            database.write("UPDATE batches SET closed_at = 1 WHERE closed_at IS NULL")
            database.write("INSERT INTO batches (opened_at) VALUES (2)")
        care._look()

    assert len(cared.run(settle, after=1)) == 2
    with closing(sqlite3.connect(first)) as connection:
        found = connection.execute("SELECT count(account_number) FROM transactions").fetchone()
    assert found == (0,)


def test_a_copy_that_is_not_whole_ends_the_terminal_and_the_next_start_checks_the_ledger(
    cared: Cared,
) -> None:
    ledger = cared.clerk.ledger
    for fen in range(100, 130):
        cared.clerk.sell(str(fen))
    ledger.look_after()
    (root,) = ledger._database.one(  # type: ignore[misc]
        "SELECT rootpage FROM sqlite_master WHERE name = 'steps_by_transaction'"
    )
    path = Path(ledger._database.path)
    cared.clerk.stage.power_cut()
    good = path.read_bytes()
    start = (root - 1) * 4096
    path.write_bytes(good[: start + 100] + b"\xff" * 200 + good[start + 300 :])
    cared.clerk.stage.power_on()
    assert cared.run(look) == []
    assert cared.clerk.core.halted is not None
    assert cared.looked
    with pytest.raises(Exception, match="not a whole SQLite file") as refused:
        cared.clerk.restart()
    assert isinstance(refused.value.__context__, LedgerDamaged)


def test_the_shipped_daemon_makes_a_copy_on_demand_and_goes_on_selling(tmp_path: Path) -> None:
    stage = RealStage(tmp_path)
    try:
        stage.power_on()
        assert stage.process is not None
        directory = stage.installation.state_directory / "backups"
        stage.process.send_signal(signal.SIGUSR1)
        assert stage.let_pass(60, lambda: any(directory.glob("*.db")))
        (copy,) = Backups(directory).newest_first()
        backup.verify(copy.path)
        stage.process.send_signal(signal.SIGUSR1)
        assert stage.let_pass(60, lambda: len(Backups(directory).newest_first()) == 2)
        assert stage.process.poll() is None
    finally:
        stage.close()
