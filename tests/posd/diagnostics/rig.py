"""A shop with a real daemon, simulated devices, the test acquirer, and a technician who types posctl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posd.diagnostics.posctl.connection import Connection
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
        return Connection(self.socket)

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
    """posctl going on beside us, once the terminal has let it in and has had time to hear it."""
    before = connections(terminal)
    process = subprocess.Popen(
        [sys.executable, "-m", "posd.diagnostics.posctl", "--socket", str(terminal.socket), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    while connections(terminal) <= before and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.7)
    return process


def connections(terminal: Shop) -> int:
    """How many are connected to its socket (proc(5): state 03)."""
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()]
    return sum(row[5] == "03" and row[-1] == str(terminal.socket) for row in rows if len(row) > 7)
