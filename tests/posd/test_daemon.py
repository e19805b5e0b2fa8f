"""The daemon as its own process: how it starts, how it ends, and what its start imports."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PORTS = ("keypad", "display", "printer", "card_reader")


class Installation:
    """A terminal's files, with a pseudo-terminal for each device."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "posd.toml"
        self.state = directory / "state"
        self._open: list[int] = []
        self.masters: dict[str, int] = {}
        for name, length in (("device", 32), ("master", 16)):
            path = directory / f"{name}.key"
            path.write_text((bytes(range(length))).hex())
            path.chmod(0o600)
        devices = []
        for role in PORTS:
            master, slave = os.openpty()
            self.masters[role] = master
            self._open += [master, slave]
            (directory / role).symlink_to(os.ttyname(slave))
            devices.append(f'[devices.{role}]\nport = "{role}"')
        self.file.write_text(
            "\n".join(
                [
                    "[terminal]",
                    'terminal_id = "20130001"',
                    'merchant_id = "123456789012345"',
                    'merchant_name = "测试商户"',
                    'state_directory = "state"',
                    "[host]",
                    'address = "127.0.0.1"',
                    "port = 1",
                    "[keys]",
                    'device_key_file = "device.key"',
                    'master_key_file = "master.key"',
                    *devices,
                ]
            ),
            encoding="utf-8",
        )

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installed = Installation(tmp_path)
    yield installed
    installed.close()


@contextmanager
def daemon(
    installation: Installation, *, python: tuple[str, ...] = (), **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *python, "-m", "posd", "run", "--config", str(installation.file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"} | environment,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def events_until(process: subprocess.Popen[bytes], event: str) -> list[dict[str, object]]:
    """The log lines up to the one with this event name."""
    assert process.stdout is not None
    seen: list[dict[str, object]] = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if seen[-1]["event"] == event:
            return seen
    raise AssertionError(f"the daemon ended without {event}: {seen}")


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


def test_it_starts_says_that_it_is_ready_and_ends_with_0_when_told(
    installation: Installation,
) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with daemon(installation) as process:
            events_until(process, "ready")
            process.send_signal(number)
            code, out, err = ended(process)
            assert code == 0
            assert err == ""
            assert json.loads(out.splitlines()[-1])["event"] == "ended"


def catches(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Has the process come so far that it handles this signal itself?"""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("milliseconds", [0, *range(1, 400, 19), 500, 800])
def test_it_ends_with_0_at_any_moment_of_its_start(
    installation: Installation, milliseconds: int
) -> None:
    with daemon(installation) as process:
        # Before the interpreter has come to our first line nobody can catch a signal.
        while not catches(process, signal.SIGTERM):
            assert process.poll() is None
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGTERM)
        code, _, err = ended(process)
        assert (code, err) == (0, "")


def test_many_signals_are_one_end(installation: Installation) -> None:
    with daemon(installation) as process:
        events_until(process, "ready")
        for _ in range(200):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            time.sleep(0.0005)
        code, _, err = ended(process)
        assert (code, err) == (0, "")


def test_a_second_daemon_on_the_same_state_is_one_line_and_exit_code_2(
    installation: Installation,
) -> None:
    with daemon(installation) as first:
        events_until(first, "ready")
        with daemon(installation) as second:
            code, _, err = ended(second)
        assert code == 2
        (line,) = err.splitlines()
        assert line.startswith(
            f"{installation.file}:5: terminal.state_directory: expected no other"
        )
        assert f"found process {first.pid}" in line
        assert first.poll() is None


def test_after_a_kill_the_next_one_starts(installation: Installation) -> None:
    with daemon(installation) as first:
        events_until(first, "ready")
        first.kill()
        first.wait()
    with daemon(installation) as second:
        events_until(second, "ready")


@pytest.mark.parametrize("role", PORTS)
def test_a_port_that_is_not_there_is_one_line_and_exit_code_2(
    installation: Installation, role: str
) -> None:
    (installation.directory / role).unlink()
    with daemon(installation) as process:
        code, out, err = ended(process)
    assert code == 2
    assert out == ""
    (line,) = err.splitlines()
    assert f"devices.{role}.port: expected a serial device" in line


def test_a_port_that_goes_away_later_is_only_absent(installation: Installation) -> None:
    with daemon(installation) as process:
        events_until(process, "ready")
        seen = events_until(process, "device_found")
        installation.close()
        installation._open.clear()
        while not any(entry["event"] == "device_absent" for entry in seen):
            seen += events_until(process, "device_absent")
        assert process.poll() is None
        process.terminate()
        assert ended(process)[0] == 0


def test_the_same_file_is_good_for_check_config(installation: Installation) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "posd", "check-config", str(installation.file)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "can start" in answer.stdout
    assert not installation.state.exists(), "checking changes nothing"


def test_a_ledger_that_is_no_ledger_is_refused_with_advice_and_the_clerk_sees_a_fault(
    installation: Installation,
) -> None:
    installation.state.mkdir()
    (installation.state / "ledger.db").write_bytes(b"no ledger at all" * 1000)
    with daemon(installation) as process:
        code, out, err = ended(process)
    assert code == 2, "starting again changes nothing"
    assert json.loads(out.splitlines()[-1])["event"] == "ledger_unusable"
    assert err.count("\n") == 1
    assert "posd ledger restore" in err
    display, shown = installation.masters["display"], b""
    while b"E901" not in shown:  # it may come in pieces
        assert select.select([display], [], [], 20)[0], shown
        shown += os.read(display, 4096)


def state_of(process: subprocess.Popen[bytes]) -> str:
    """proc(5): T is stopped."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_the_service_manager_hears_ready_the_watchdog_and_stopping(
    installation: Installation, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(60)
        with daemon(
            installation, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000"
        ) as process:
            assert listener.recv(200) == b"READY=1\nSTATUS=running"
            assert [listener.recv(200) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            process.send_signal(signal.SIGSTOP)
            while state_of(process) != "T":
                time.sleep(0.001)
            while select.select([listener], [], [], 0)[0]:
                listener.recv(200)
            assert not select.select([listener], [], [], 0.5)[0], "a hung loop feeds nobody"
            process.send_signal(signal.SIGCONT)
            process.terminate()
            heard = b""
            while heard != b"STOPPING=1":
                heard = listener.recv(200)
            assert ended(process)[0] == 0


def test_memory_is_neither_dumped_nor_readable(installation: Installation) -> None:
    with daemon(installation) as process:
        events_until(process, "ready")
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        (core,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        probe = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
        code = f"from posd.daemon import leave_no_core_dump; leave_no_core_dump(); {probe}"
        told = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": str(ROOT)},
        )
        assert told.stdout == "0\n"


def test_the_start_imports_neither_test_tools_nor_tools_for_people(
    installation: Installation,
) -> None:
    with daemon(installation, python=("-X", "importtime")) as process:
        events_until(process, "ready")
        process.terminate()
        _, _, err = ended(process)
    imported = {line.rsplit("|", 1)[-1].strip() for line in err.splitlines()}
    assert "posd.daemon" in imported
    unwanted = ("posd.acquirer", "posd.testing", "devices.simulated", "hypothesis", "PIL", "pytest")
    assert [name for name in sorted(imported) if name.startswith(unwanted)] == []
