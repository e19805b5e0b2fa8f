"""A shop with a real daemon, simulated devices, the test acquirer, and a technician who types posctl."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posd.diagnostics.posctl.connection import Connection
from posd.diagnostics.socket_path import connect
from posd.testing.player import Player
from posd.testing.real import RealStage
from posd.testing.script import parse, parse_line

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Said:
    """What a posctl command ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shop:
    """One terminal; lines as in a clerk's script."""

    def __init__(self, directory: Path, **settings: object) -> None:
        self.directory = directory
        self.socket = directory / "diag.sock"
        self.stage = RealStage(directory)
        self.stage.configure(("diagnostics", "socket"), "diag.sock")
        for name, value in settings.items():
            self.stage.configure(name.split("__"), value)  # type: ignore[arg-type]
        self._player = Player(parse("start", "rig"), self.stage)

    def do(self, *lines: str) -> None:
        """Play these lines of a script; raises when what is expected does not come."""
        for line in lines:
            self._player.play_step(parse_line(line))

    def open(self) -> None:
        """Power, and a clerk who signs in."""
        self.do("start", "expect screen 未签到", "press 确认", "expect screen 请刷卡或输入金额")

    def sell(self, amount: str = "12345") -> None:
        """A sale as far as the answer."""
        self.do(
            f"press {amount}", "press 确认", "expect screen 请刷卡", "swipe good",
            "expect screen 请持卡人输密码", "press 123456 确认",
        )  # fmt: skip

    def connection(self) -> Connection:
        return Connection(self.socket, 60.0)

    def posctl(self, *words: str, **environment: str) -> Said:
        return posctl("--socket", str(self.socket), *words, **environment)

    def log(self) -> str:
        return self.stage.log_file.read_text("utf-8", "replace")


def posctl(*words: str, **environment: str) -> Said:
    """The command as a technician's shell runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "posd.diagnostics.posctl", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1", **environment},
    )
    return Said(done.returncode, done.stdout, done.stderr)


@contextmanager
def shop(directory: Path, **settings: object) -> Iterator[Shop]:
    opened = Shop(directory, **settings)
    try:
        yield opened
    finally:
        opened.stage.close()


def follow(terminal: Shop, *words: str) -> subprocess.Popen[str]:
    """posctl going on beside us, once the terminal has heard what it asks for."""
    between = Between(terminal.socket)
    process = subprocess.Popen(
        [sys.executable, "-m", "posd.diagnostics.posctl", "--socket", str(between.path), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert between.asked.wait(60), "posctl asked for nothing"
    # The terminal takes its clients in turn: who comes after that request is answered after it.
    with terminal.connection() as connection:
        assert list(connection.ask("screen"))
    return process


def said_until(process: subprocess.Popen[str], wanted: str) -> str:
    """What it writes up to the line in which this stands; raises when it ends without it."""
    assert process.stdout is not None
    said = ""
    late = threading.Timer(60, process.kill)
    late.start()
    for line in process.stdout:
        said += line
        if wanted in line:
            break
    late.cancel()
    assert wanted in said
    return said


def rest_of(process: subprocess.Popen[str]) -> str:
    """What it writes from now on, to its end."""
    assert process.stdout is not None
    late = threading.Timer(60, process.kill)
    late.start()
    said = process.stdout.read()
    process.communicate()  # it has ended; its error output is small
    late.cancel()
    return said


class Between:
    """A socket for one client of the terminal, which knows when that one has asked for something."""

    def __init__(self, terminal: Path) -> None:
        self._terminal = terminal
        self.asked = threading.Event()
        """The client's first words lie at the terminal."""
        self._directory = tempfile.TemporaryDirectory(prefix="posd-")
        self.path = Path(self._directory.name) / "s"
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self._directory, self._listening:
            client, _ = self._listening.accept()
        with client, connect(self._terminal, 60) as server:
            server.settimeout(None)
            back = threading.Thread(target=pass_on, args=(server, client), daemon=True)
            back.start()
            pass_on(client, server, self.asked)
            back.join()


def pass_on(
    source: socket.socket, target: socket.socket, passed: threading.Event | None = None
) -> None:
    """Bytes from one to the other until either has ended."""
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
            if passed is not None:
                passed.set()
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
