"""A directory booted by systemd-nspawn, with its own loopback and nothing else of a network."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_BOOT_SECONDS = 180.0
_STOP_SECONDS = 180.0


class BootedMachine:
    """Its console is a pseudo-terminal; commands come in through its namespaces.

    shared: a directory that is /shared in it.
    """

    def __init__(self, root: Path, shared: Path, binds: Sequence[tuple[Path, str]] = ()) -> None:
        self.console = b""
        self.shared = shared
        self._root = root
        self._master, slave = pty.openpty()
        words = [
            "setsid", "--ctty", "systemd-nspawn", "--quiet", "--boot", f"--directory={root}",
            "--machine=posd-boot-test", "--register=no", "--keep-unit", "--private-network",
            f"--bind={shared}:/shared", *(f"--bind-ro={path}:{there}" for path, there in binds),
        ]  # fmt: skip
        self._nspawn = subprocess.Popen(
            words,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()
        self._first = 0  # the machine's process 1, as it is numbered here
        try:
            self.wait("a booted machine", self._has_booted, _BOOT_SECONDS)
        except BaseException:
            self.close()
            raise

    def run(self, *words: str, user: str = "", stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in the machine, as root or as this user of its own."""
        entering = [
            "nsenter",
            f"--target={self._first}",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
        ]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        return subprocess.run(
            [*entering, *become, *words], input=stdin, capture_output=True, text=True, timeout=180,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}, cwd="/",
        )  # fmt: skip

    def must(self, *words: str, stdin: str = "") -> str:
        """Run a command as root; what it wrote. Fails with its error."""
        done = self.run(*words, stdin=stdin)
        if done.returncode:
            said = f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
            raise AssertionError(f"{said}\n{self._story()}")
        return done.stdout

    def property_of(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).stdout.strip()

    def signal(self, unit: str, name: str) -> None:
        """Send a signal to its main process."""
        self.run("systemctl", "kill", "--kill-whom=main", f"--signal={name}", unit)

    def journal(self, *words: str) -> str:
        return self.run("journalctl", "--no-pager", "--quiet", "--output=cat", *words).stdout

    def journal_on_disk(self) -> str:
        """What was written before the end, of a machine that does not run."""
        words = ["journalctl", "--no-pager", "--quiet", "--output=cat"]
        directory = self._root / "var/log/journal"
        return subprocess.run(
            [*words, f"--directory={directory}"], capture_output=True, text=True
        ).stdout

    def wait(self, what: str, holds: Callable[[], bool], seconds: float = 60.0) -> float:
        """Until it holds; returns how many seconds that took."""
        began = time.perf_counter()
        while not holds():
            if time.perf_counter() - began > seconds:
                raise AssertionError(f"after {seconds} s: no {what}\n{self._story()}")
            time.sleep(0.02)
        return time.perf_counter() - began

    def power_off(self) -> int:
        """As a person does who asks for it; the exit code of the machine."""
        self.run("systemctl", "poweroff")
        return self._nspawn.wait(_STOP_SECONDS)

    def close(self) -> None:
        """Nothing of it runs afterwards. systemd-nspawn killed alone would leave process 1 behind."""
        if self._nspawn.poll() is None:
            if self._first:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._first, signal.SIGKILL)
            else:
                self._nspawn.terminate()
            try:
                self._nspawn.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        self._reader.join(5)
        os.close(self._master)

    def _has_booted(self) -> bool:
        if self._nspawn.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended\n{self._story()}")
        if not self._first:
            children = Path(
                f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children"
            ).read_text()
            for child in children.split():
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                        self._first = int(child)
            return False
        state = self.run("systemctl", "is-system-running").stdout.strip()
        return state in ("running", "degraded")

    def _read_console(self) -> None:
        with contextlib.suppress(OSError):  # the other side is closed
            while data := os.read(self._master, 4096):
                self.console += data

    def _story(self) -> str:
        journal = self.journal("--lines=40") if self._first and self._nspawn.poll() is None else ""
        return self.console.decode("utf-8", "replace")[-2000:] + journal


class Counter:
    """The counter inside the machine (inside/counter.py), played from here."""

    def __init__(self, machine: BootedMachine, address: Path) -> None:
        self._machine = machine
        machine.wait("counter", address.exists)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(address))
        self._answers = self._socket.makefile("r", encoding="utf-8")

    def ask(self, command: str) -> Any:
        self._socket.sendall(f"{command}\n".encode())
        return json.loads(self._answers.readline())

    def expect(self, *texts: str, seconds: float = 60.0) -> str:
        """Wait until all of these are on the screen; returns the screen."""
        seen = ""

        def shown() -> bool:
            nonlocal seen
            seen = "\n".join(self.ask("screen"))
            return all(text in seen for text in texts)

        try:
            self._machine.wait(f"screen with {texts}", shown, seconds)
        except AssertionError as error:
            raise AssertionError(f"the screen is\n{seen}\n{error}") from None
        time.sleep(0.1)  # nobody presses a key at the moment in which a screen appears
        return seen

    def close(self) -> None:
        self._answers.close()
        self._socket.close()
