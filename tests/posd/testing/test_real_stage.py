"""The daemon as its own process: what a kill leaves, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import posd
from posd.core.events import Key
from posd.testing.compare import compare, transaction_state
from posd.testing.player import Player
from posd.testing.real import RealStage
from posd.testing.script import parse
from posd.testing.stage import StageError, TerminalDiedError

WAITING = """\
start
expect screen 未签到
press 确认
expect screen 请刷卡或输入金额
host does no-answer to next sale
press 12345 确认
expect screen 请刷卡
swipe good
expect screen 请持卡人输密码
press 123456 确认
expect host 0200 4=000000012345
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[RealStage]:
    with closing(RealStage(tmp_path)) as stage:
        yield stage


def play_steps(stage: RealStage, lines: str) -> Player:
    """Play the lines without comparing the ledgers, which need not agree yet."""
    script = parse(lines, "steps.clerk")
    player = Player(script, stage)
    for step in script.steps:
        player.play_step(step)
    return player


def test_a_kill_while_waiting_is_reversed_at_the_next_start_without_a_clerk(
    stage: RealStage,
) -> None:
    play_steps(stage, WAITING)
    assert stage.process is not None
    os.kill(stage.process.pid, signal.SIGKILL)
    with pytest.raises(TerminalDiedError, match="exit code -9"):
        stage.let_pass(60, lambda: False)
    terminal, acquirer = stage.copy_ledgers()
    assert transaction_state(terminal, "last") == "open"
    assert compare(terminal, acquirer).host_net == 12345

    stage.power_on()
    assert stage.let_pass(60, lambda: compare(*stage.copy_ledgers()).agree)
    assert [message.mti for message in stage.witness.received] == ["0800", "0200", "0400"]
    assert compare(*stage.copy_ledgers()).host_net == 0


def test_the_daemon_ends_with_exit_code_0_when_it_is_told_to(stage: RealStage) -> None:
    play_steps(stage, "start\nexpect screen 请先签到\n")
    process = stage.process
    stage.close()
    assert process is not None
    assert process.returncode == 0


def test_a_daemon_that_cannot_start_is_an_error_with_its_own_words(stage: RealStage) -> None:
    stage.configure(("devices", "keypad", "port"), "nowhere")
    with pytest.raises(StageError, match=r"exit code 2:\n.*devices\.keypad\.port"):
        stage.power_on()


def test_a_printer_that_is_pulled_out_does_not_keep_the_terminal_from_starting_again(
    stage: RealStage,
) -> None:
    play_steps(
        stage,
        """
        start
        expect screen 未签到
        printer unplug
        power cut
        power on
        expect screen 未签到
        printer replug
        """,
    )
    assert stage.powered


def test_settings_come_first(stage: RealStage) -> None:
    stage.link(up=False)
    with pytest.raises(StageError, match="settings come before anything else"):
        stage.configure(("host", "answer_seconds"), 5)


def test_the_daemon_ends_with_whoever_plays(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time; from posd.testing.real import RealStage\n"
        "stage = RealStage(pathlib.Path(sys.argv[1])); stage.power_on()\n"
        "print(stage.process.pid, flush=True); time.sleep(600)\n"
    )
    root = Path(posd.__file__).parents[1]
    player = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
    )
    assert player.stdout is not None
    daemon = int(player.stdout.readline())
    player.kill()
    player.communicate()
    assert happens(lambda: not Path(f"/proc/{daemon}/environ").exists() or is_zombie(daemon))


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def happens(condition: Callable[[], bool]) -> bool:
    for _ in range(6000):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_keys_reach_the_terminal_in_the_order_they_are_pressed(stage: RealStage) -> None:
    play_steps(stage, WAITING.partition("host does")[0])
    for digit in "90210":
        stage.press(Key(digit))
    assert stage.let_pass(20, lambda: any("902.10" in row for row in stage.witness.screen))
