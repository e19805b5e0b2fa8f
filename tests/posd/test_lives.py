"""The shipped process over several lives: training and back, restart and shut-down at the keypad."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from posd.core.events import Key
from posd.preflight import StartError
from posd.state_lock import StateLock
from posd.testing.real import RealStage

KEYS = {"确认": Key.CONFIRM, "取消": Key.CANCEL}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[RealStage]:
    with closing(RealStage(tmp_path)) as stage:
        stage.power_on()
        yield stage


def press(stage: RealStage, keys: str) -> None:
    for word in keys.split():
        for key in [KEYS[word]] if word in KEYS else [Key(digit) for digit in word]:
            stage.press(key)


def expect(stage: RealStage, text: str) -> None:
    came = stage.let_pass(60.0, lambda: any(text in row for row in stage.witness.screen))
    assert came, stage.witness.screen


def say_password(stage: RealStage) -> None:
    expect(stage, "主管密码")
    press(stage, "123456 确认")


def go_in(stage: RealStage) -> None:
    press(stage, "确认")
    expect(stage, "签到成功")
    press(stage, "确认 9 6 确认")
    say_password(stage)
    expect(stage, "停止收款")
    press(stage, "确认")
    expect(stage, "任何卡")


def internet_sockets(process: int) -> set[str]:
    """Inodes of this process's TCP and UDP sockets."""
    if os.geteuid() != 0:
        pytest.skip("the daemon is not dumpable: only root reads its descriptors")
    own = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        found = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
        if found:
            own.add(found[1])
    tables = "".join(
        Path(f"/proc/{process}/net/{name}").read_text("ascii")
        for name in ("tcp", "tcp6", "udp", "udp6")
    )
    return own & {row.split()[9] for row in tables.splitlines() if len(row.split()) > 9}


def test_a_training_has_no_socket_of_any_network(stage: RealStage) -> None:
    go_in(stage)
    press(stage, "确认 确认")
    expect(stage, "签到成功")
    assert stage.process is not None
    assert internet_sockets(stage.process.pid) == set()


def test_every_line_of_the_log_that_is_written_in_training_says_so(stage: RealStage) -> None:
    go_in(stage)
    press(stage, "确认 确认")
    expect(stage, "签到成功")
    press(stage, "确认 9 6 2")
    expect(stage, "现在是正式交易")
    stage.let_pass(60.0, lambda: stage.log_file.read_text("utf-8").count('"ready"') == 3)
    lines = [json.loads(line) for line in stage.log_file.read_text("utf-8").splitlines()]
    begun = [index for index, line in enumerate(lines) if line["event"] == "ready"]
    assert len(begun) == 3, "live, training, live"
    ended = [index for index, line in enumerate(lines) if line["event"] == "ended"]
    first, second = ended
    assert not any(line.get("training") for line in [*lines[: first + 1], *lines[second + 1 :]])
    assert all(line.get("training") for line in lines[first + 1 : second + 1])
    assert "sign_in.done" in [line["event"] for line in lines[first:second]]


def test_the_live_state_stays_locked_against_a_second_daemon(stage: RealStage) -> None:
    go_in(stage)
    with pytest.raises(StartError, match="expected no other daemon"):
        StateLock.take(stage.installation.state_directory)


def test_told_to_end_in_training_it_ends_with_0_and_leaves_nothing(stage: RealStage) -> None:
    go_in(stage)
    process = stage.process
    assert process is not None
    assert (stage.installation.state_directory / "training" / "ledger.db").exists()
    process.terminate()
    assert process.wait(60) == 0
    assert not (stage.installation.state_directory / "training").exists()


def test_what_a_killed_training_left_is_gone_at_the_next_start(stage: RealStage) -> None:
    go_in(stage)
    stage.power_cut()
    assert (stage.installation.state_directory / "training" / "ledger.db").exists()
    stage.power_on()
    expect(stage, "现在是正式交易")
    assert not (stage.installation.state_directory / "training").exists()


@pytest.mark.parametrize(("digit", "exit_code"), [("1", 0), ("2", 3)])
def test_restart_and_shut_down_have_exit_codes_that_the_service_knows(
    stage: RealStage, digit: str, exit_code: int
) -> None:
    expect(stage, "未签到")
    process = stage.process
    assert process is not None
    press(stage, "确认")
    expect(stage, "签到成功")
    press(stage, "确认 9 9")
    say_password(stage)
    expect(stage, "2 关机")
    press(stage, f"{digit} 确认")
    stage.let_pass(60.0, lambda: process.returncode is not None)
    assert process.returncode == exit_code
    unit = (Path(__file__).parents[2] / "systemd" / "posd.service").read_text("utf-8")
    prevented = re.search(r"^RestartPreventExitStatus=(.*)$", unit, re.M)
    assert prevented is not None
    assert (str(exit_code) in prevented[1].split()) is (digit == "2")
    assert stage.powered is (digit == "1"), "as the service manager has it"


def test_the_service_manager_hears_training_and_no_end_between_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        (tmp_path / "terminal").mkdir()
        # Its queue holds ten messages, and what finds no room is lost.
        said: list[str] = []
        listening = threading.Thread(target=hear, args=(listener, said), daemon=True)
        listening.start()
        with closing(RealStage(tmp_path / "terminal")) as stage:
            stage.power_on()
            go_in(stage)
            press(stage, "确认 确认")
            expect(stage, "签到成功")
            assert stage.let_pass(60.0, lambda: "READY=1\nSTATUS=training" in said)
            begun = said.index("READY=1\nSTATUS=training")
            assert stage.let_pass(60.0, lambda: "WATCHDOG=1" in said[begun:])
            press(stage, "确认 9 6 2")
            expect(stage, "现在是正式交易")
            assert stage.let_pass(60.0, lambda: len(statuses(said)) >= 3)
            assert "STOPPING=1" not in said
            assert stage.process is not None
            stage.process.send_signal(signal.SIGTERM)
            stage.process.wait(60)
            stage.process = None
        listening.join(60)
    assert statuses(said)[:3] == ["running", "training", "running"]
    assert said[-1] == "STOPPING=1"


def hear(listener: socket.socket, said: list[str]) -> None:
    """Everything that is said, up to the end."""
    while said[-1:] != ["STOPPING=1"]:
        said.append(listener.recv(200).decode("utf-8"))


def statuses(said: list[str]) -> list[str]:
    return [text.partition("STATUS=")[2] for text in said if "STATUS=" in text]
