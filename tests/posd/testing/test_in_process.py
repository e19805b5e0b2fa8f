"""The in-process stage: virtual time, one seed one run, and no mistake goes unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import posd
from posd.core.events import Key, PinEntered
from posd.ledger.errors import LedgerFailed
from posd.testing.in_process import InProcessStage
from posd.testing.player import Player
from posd.testing.script import parse
from posd.testing.stage import StageError, TerminalDiedError
from posd.testing.steps import Disturbance

ROOT = Path(posd.__file__).parents[1]
SIGNED_IN = """\
start
expect screen 未签到
press 确认
expect screen 请刷卡或输入金额
"""
# A sale with a PIN, a power cut with an open intent, its reversal: everything random is used.
DIGEST = """
import hashlib, pathlib, sqlite3, sys
from posd.testing.in_process import InProcessStage
from posd.testing.player import Player
from posd.testing.script import load
stage = InProcessStage(pathlib.Path(sys.argv[1]), seed=int(sys.argv[2]))
for script in sys.argv[3:]:
    Player(load(pathlib.Path(script)), stage).play()
digest = hashlib.sha256()
for part in (stage.witness.screens, stage.witness.slips, stage.witness.frames):
    digest.update(repr(part).encode())
for path in stage.copy_ledgers():
    digest.update("".join(sqlite3.connect(path).iterdump()).encode())
stage.close()
print("digest", digest.hexdigest())
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[InProcessStage]:
    with closing(InProcessStage(tmp_path)) as stage:
        yield stage


def play(stage: InProcessStage, lines: str) -> None:
    Player(parse(lines, "script.clerk"), stage).play()


def digest(directory: Path, seed: int, hash_seed: str) -> str:
    """Of one run in a process of its own: screens, paper, traffic and both ledgers."""
    directory.mkdir()
    script = ROOT / "tests" / "scripts" / "power-cut-while-waiting.clerk"
    done = subprocess.run(
        [sys.executable, "-c", DIGEST, str(directory), str(seed), str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.splitlines()[-1]


def test_one_seed_is_one_run_and_another_seed_another(tmp_path: Path) -> None:
    first = digest(tmp_path / "a", 7, "1")
    assert first.startswith("digest ")
    assert digest(tmp_path / "b", 7, "2") == first
    assert digest(tmp_path / "c", 8, "1") != first


def test_an_hour_passes_and_nobody_waits_for_it(stage: InProcessStage) -> None:
    play(stage, SIGNED_IN)
    before, started = stage.world.now(), time.perf_counter()
    stage.let_pass(3600, lambda: False)
    assert (stage.world.now() - before).total_seconds() == 3600
    assert time.perf_counter() - started < 600


def test_after_a_power_cut_nothing_of_the_old_life_happens(stage: InProcessStage) -> None:
    play(stage, SIGNED_IN + "press 5\n")
    old = stage.terminal
    assert old is not None
    stage.power_cut()
    screens = len(stage.witness.screens)
    old.report(PinEntered(1, None))
    stage.let_pass(600, lambda: False)
    assert len(stage.witness.screens) == screens
    with pytest.raises(StageError, match="the terminal has no power"):
        stage.press(Key.D1)


def test_an_exception_inside_the_core_fails_the_script(
    stage: InProcessStage, capsys: pytest.CaptureFixture[str]
) -> None:
    play(stage, SIGNED_IN)
    assert stage.terminal is not None
    stage.terminal.core.dialogue.form.amount = "a mistake"  # type: ignore[assignment]
    with pytest.raises(StageError, match="an exception escaped inside the terminal"):
        stage.press(Key.D1)
    assert "core.fault" in capsys.readouterr().out


def test_a_ledger_that_fails_ends_the_terminal(
    stage: InProcessStage, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(point: str) -> None:
        raise LedgerFailed(point)

    play(stage, SIGNED_IN + "press 5\n")
    assert stage.terminal is not None
    stage.terminal.ledger._database.observe = fail
    with pytest.raises(TerminalDiedError, match="the terminal halted: before order"):
        stage.press(Key.CONFIRM)
    assert not stage.powered
    assert "core.halted" in capsys.readouterr().out


def test_bytes_that_left_arrive_although_the_power_fails(stage: InProcessStage) -> None:
    play(stage, SIGNED_IN + "press 7 确认\nswipe nopin\nexpect screen 请持卡人输密码\n")
    stage.press(Key.CONFIRM)
    stage.let_pass(5, lambda: "正在处理" in "".join(stage.witness.screen))
    before = len(stage.witness.received)
    stage.power_cut()
    stage.let_pass(1, lambda: False)
    assert [message.mti for message in stage.witness.received[before:]] == ["0200"]


def test_a_ledger_in_use_is_neither_kept_nor_put_back(stage: InProcessStage) -> None:
    play(stage, SIGNED_IN)
    for act in (stage.keep_ledger, stage.put_back_ledger):
        with pytest.raises(StageError, match="cut the power first"):
            act()
    stage.power_cut()
    with pytest.raises(StageError, match="no ledger has been kept"):
        stage.put_back_ledger()


@pytest.mark.parametrize(
    ("role", "how"), [("printer", "cut short"), ("display", "drip"), ("printer", "xoff")]
)
def test_what_is_a_matter_of_bytes_alone_is_refused(
    tmp_path: Path, role: str, how: Disturbance
) -> None:
    with closing(InProcessStage(tmp_path)) as stage:
        stage.power_on()
        with pytest.raises(StageError, match=r"`# stage: real`"):
            stage.disturb(role, how, 1)
