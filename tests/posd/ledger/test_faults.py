"""Real errors of a real disk: the kernel's ENOSPC and EIO, given by strace to an unchanged process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from posd.keys import Keys
from posd.ledger.ledger import Ledger
from tests.posd.ledger.rig import SeededBytes, TurnedClock

ROOT = Path(__file__).parents[3]
SALES = 6


@dataclass(frozen=True)
class Life:
    """How a worker fared: what it was promised, and its last word."""

    opened: bool
    promised: int
    last: str


def live(path: Path, *inject: str) -> Life:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not here")
    filters = [word for rule in inject for word in ("-e", f"inject={rule}")]
    answer = subprocess.run(
        [strace, "-f", "-qq", "-o", "/dev/null", "-P", str(path), "-P", f"{path}-wal",
         "-e", "trace=pwrite64,fdatasync,fsync,pread64", *filters,
         sys.executable, "-m", "tests.posd.ledger.worker", str(path), str(SALES)],
        capture_output=True, text=True, timeout=60, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    words = answer.stdout.splitlines()
    assert words, answer.stderr
    promised = sum(word.startswith("promised") for word in words)
    return Life("opened" in words, promised, words[-1])


def held(path: Path, keys: Keys) -> int:
    """How many sales the next start finds, with the ledger checked."""
    ledger = Ledger.open(path, keys, TurnedClock(), SeededBytes())
    ledger.check()
    row = ledger._database.one("SELECT count(*) FROM transactions")
    ledger.close()
    assert row is not None
    return int(row[0])


def begin(path: Path, keys: Keys) -> None:
    Ledger.open(path, keys, TurnedClock(), SeededBytes()).close()


def test_a_worker_without_faults_ends_its_work(path: Path, keys: Keys) -> None:
    begin(path, keys)
    assert live(path) == Life(opened=True, promised=SALES, last="ended")
    assert held(path, keys) == SALES


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("number", [*range(1, 40, 4), 60, 100])
def test_a_write_that_fails_ends_the_work_and_loses_nothing_that_was_promised(
    path: Path, keys: Keys, error: str, number: int
) -> None:
    begin(path, keys)
    life = live(path, f"pwrite64:error={error}:when={number}+")
    assert life.last.startswith("LedgerFailed") or life.promised == SALES
    assert life.promised <= held(path, keys) <= life.promised + 1


@pytest.mark.parametrize("number", range(1, 10))
def test_a_sync_that_fails_ends_the_work_and_is_not_tried_again(
    path: Path, keys: Keys, number: int
) -> None:
    begin(path, keys)
    life = live(path, f"fdatasync:error=EIO:when={number}", f"fsync:error=EIO:when={number}")
    if life.last != "ended":
        assert life.last.startswith("LedgerFailed"), life
        assert path.with_name(f"{path.name}.suspect").exists()
    assert life.promised <= held(path, keys) <= life.promised + 1
    assert not path.with_name(f"{path.name}.suspect").exists(), "the next start has checked it"


def test_a_full_disk_at_the_start_is_met_with_the_reserve_and_one_more_attempt(
    path: Path, keys: Keys
) -> None:
    begin(path, keys)
    life = live(path, "pwrite64:error=ENOSPC:when=1")
    assert life == Life(opened=True, promised=SALES, last="ended")
    assert held(path, keys) == SALES
