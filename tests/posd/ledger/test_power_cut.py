"""Whole processes on a real file system: its power is cut, and it is filled. Needs root and loop devices."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.core.events import Key
from posd.keys import Keys
from posd.testing.compare import Comparison, compare
from posd.testing.real import RealStage
from posd.testing.stage import TerminalDiedError
from tests.posd.ledger.loop_disk import LoopDisk, NoLoopDisk
from tests.posd.ledger.test_faults import ROOT, held

CUTS = 8


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    try:
        disk = LoopDisk(tmp_path / "image", tmp_path / "state", 24)
    except NoLoopDisk as reason:
        pytest.skip(f"no loop disk: {reason}")
    yield disk
    disk.unmount()


def cut_while_trading(
    disk: LoopDisk, output: Path, synchronous: str, seconds: float, promises: int = 1
) -> int:
    """How many commits the worker was promised until the power failed; so many at least."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.posd.ledger.worker",
             str(disk.directory / "ledger.db"), "100000", synchronous],
            stdout=file, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    while output.read_bytes().count(b"promised") < promises:
        assert process.poll() is None
        time.sleep(0.001)
    time.sleep(seconds)
    disk.cut(process)
    disk.power()
    return output.read_bytes().count(b"promised")


def test_no_commit_that_returned_is_lost_when_the_power_of_a_real_file_system_is_cut(
    disk: LoopDisk, tmp_path: Path, keys: Keys
) -> None:
    chance, expected = random.Random(7), 0
    for _ in range(CUTS):
        expected += cut_while_trading(disk, tmp_path / "out", "FULL", chance.uniform(0, 0.3))
        found = held(disk.directory / "ledger.db", keys)
        assert expected <= found <= expected + 1
        expected = found


def test_without_full_synchronisation_commits_are_lost_so_this_test_can_fail(
    disk: LoopDisk, tmp_path: Path, keys: Keys
) -> None:
    lost, known = 0, 0
    for _ in range(CUTS):  # now and then the kernel has just written everything by itself
        promised = cut_while_trading(disk, tmp_path / "out", "NORMAL", 0.0, promises=20)
        found = held(disk.directory / "ledger.db", keys)
        lost += known + promised - found
        known = found
    assert lost > CUTS


class PoweredStage(RealStage):
    """The shipped daemon with its state on a disk of its own."""

    def __init__(self, directory: Path, disk: LoopDisk) -> None:
        super().__init__(directory)
        self.disk = disk
        for path, value in {
            "host.answer_seconds": 3, "host.reversal_answer_seconds": 3,
            "money.backoff_first_seconds": 0.1, "money.backoff_longest_seconds": 0.2,
            "money.none_found_wait_seconds": 0.1, "money.free_space_bytes": 1,
            "timeouts.result_seconds": 0.3, "timeouts.tear_seconds": 0.3,
        }.items():  # fmt: skip
            self.configure(path.split("."), value)

    def power_cut(self) -> None:
        if self.process is not None:
            self.disk.cut(self.process)
        super().power_cut()
        self.disk.power()

    def shows(self, text: str, seconds: float = 60.0) -> bool:
        return self.let_pass(seconds, lambda: any(text in row for row in self.witness.screen))

    def sign_in(self) -> None:
        self.press(Key.CONFIRM)
        assert self.shows("已签到")

    def sale(self, amount: str) -> None:
        """As far as the wait for the answer."""
        for digit in amount:
            self.press(Key(digit))
        self.press(Key.CONFIRM)
        self.shows("请刷卡", 5)
        self.swipe("nopin", "")
        self.shows("请持卡人输密码", 5)
        self.press(Key.CONFIRM)

    def trade(self, sales: int) -> None:
        for number in range(sales):
            self.sale(str(1000 + number))
            self.let_pass(2, lambda: False)

    def at_rest(self) -> None:
        """Nothing is in doubt any more, and the clerk is back at the start."""
        assert self.let_pass(120, lambda: not self.in_doubt()), self.compare().table
        while not self.shows("请刷卡或输入金额", 2):
            self.press(Key.CANCEL)

    def compare(self) -> Comparison:
        return compare(*self.copy_ledgers())

    def in_doubt(self) -> bool:
        words = (" open ", " reversing ", " pending ")
        return any(word in f"{row} " for row in self.compare().table for word in words)


@pytest.fixture
def stage(tmp_path: Path, disk: LoopDisk) -> Iterator[PoweredStage]:
    stage = PoweredStage(tmp_path, disk)
    yield stage
    stage.close()


def test_the_shipped_daemon_agrees_with_its_acquirer_after_every_power_cut(
    stage: PoweredStage,
) -> None:
    chance = random.Random(11)
    stage.power_on()
    stage.sign_in()
    for number in range(CUTS):
        stage.sale(str(1000 + number))
        stage.let_pass(chance.uniform(0, 0.25), lambda: False)
        stage.power_cut()
        stage.power_on()
        stage.at_rest()
        assert stage.compare().agree, str(stage.compare())


def test_a_full_disk_stops_new_business_loses_nothing_and_is_over_when_there_is_room(
    stage: PoweredStage,
) -> None:
    stage.power_on()
    stage.sign_in()
    filler = stage.disk.fill(leave=32 * 1024)
    with pytest.raises(TerminalDiedError, match="exit code 1"):
        stage.trade(10)
    assert stage.shows("E901"), stage.witness.screen
    reserve = stage.disk.directory / "ledger.db.reserve"
    assert not reserve.exists(), "its room was given to the ledger"

    stage.power_on()  # as the service manager does
    stage.at_rest()
    assert stage.compare().agree, str(stage.compare())
    assert stage.shows("存储满")
    stage.press(Key("1"))
    assert stage.shows("存储空间不足")

    filler.unlink()
    stage.press(Key.CANCEL)
    assert stage.let_pass(60, reserve.exists)
    stage.at_rest()
    before = len(stage.witness.screens)
    stage.sale("2000")
    assert stage.let_pass(
        60, lambda: any("成功" in row for each in stage.witness.screens[before:] for row in each)
    )
    stage.at_rest()
    assert stage.compare().agree, str(stage.compare())
