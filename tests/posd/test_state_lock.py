"""One daemon a state directory, whatever became of the one before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from posd.preflight import StartError
from posd.state_lock import StateLock

HOLDER = """
import sys, pathlib
from posd.state_lock import StateLock
lock = StateLock.take(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    lock = StateLock.take(tmp_path / "var" / "state")
    assert (tmp_path / "var" / "state").stat().st_mode & 0o777 == 0o700
    lock.release()


def test_a_second_lock_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    lock = StateLock.take(tmp_path)
    with pytest.raises(StartError) as caught:
        StateLock.take(tmp_path)
    assert caught.value.key == "terminal.state_directory"
    assert f"found process {os.getpid()}" in str(caught.value)
    lock.release()


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    StateLock.take(tmp_path).release()
    StateLock.take(tmp_path).release()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StartError, match=f"found process {holder.pid}"):
            StateLock.take(tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    StateLock.take(tmp_path).release()


def test_a_place_where_no_directory_can_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError) as caught:
        StateLock.take(tmp_path / "file" / "state")
    assert "expected a directory to write in" in str(caught.value)
    assert "\n" not in str(caught.value)
