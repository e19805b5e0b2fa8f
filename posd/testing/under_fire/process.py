"""One process of the installed daemon: started as a service manager starts it, and watched."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import posd
from posd.testing.under_fire.story import seconds

_LAUNCHER: Final = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, linux/prctl.h
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Becomes the daemon, which ends with the thread that started it, however that ends."""
_WATCHDOG_SECONDS: Final = 5


class Notifications:
    """The socket of sd_notify(3)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.setblocking(False)
        self.socket.bind(str(path))

    def take(self) -> set[str]:
        """Everything that was said since the last time, line by line."""
        said: set[str] = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                said.update(self.socket.recv(4096).decode("utf-8", "replace").splitlines())
        return said

    def close(self) -> None:
        self.socket.close()
        self.path.unlink(missing_ok=True)


class DaemonProcess:
    """`python -m posd run`, alive from here on. Start it and wait for it in one thread."""

    def __init__(self, configuration: Path, log_file: Path, notifications: Notifications) -> None:
        notifications.take()  # the last words of the one before
        self._notifications = notifications
        # A checkout that is not installed is found where this module was found.
        root = str(Path(posd.__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        environment = {
            **os.environ,
            "PYTHONPATH": path,
            "NOTIFY_SOCKET": str(notifications.path),
            "WATCHDOG_USEC": str(_WATCHDOG_SECONDS * 1_000_000),
        }
        self.started_at = seconds()
        self.ready_after: float | None = None
        self.heard_at = self.started_at
        daemon = ("-m", "posd", "run", "--config", str(configuration))
        with log_file.open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603 - our own program and file
                [sys.executable, "-S", "-E", "-c", _LAUNCHER, *daemon],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                env=environment,
            )
        self.number = self._popen.pid
        self._descriptor = os.pidfd_open(self.number)

    def wait(self, until: float, wake: int) -> int | None:
        """Wait for its end, for a byte on `wake`, or until this time. The exit code, None: it runs.

        Notes on the way when it said READY, and when it was heard of last.
        """
        poller = select.poll()
        for descriptor in (self._descriptor, self._notifications.socket.fileno(), wake):
            poller.register(descriptor, select.POLLIN)
        poller.poll(max(0.0, until - seconds()) * 1000)
        self._listen()
        return self._popen.poll()

    def kill(self) -> None:
        """SIGKILL; returns when nothing of it runs any more."""
        self.signal(signal.SIGKILL)
        self._popen.wait()
        self._listen()

    def signal(self, number: int) -> None:
        """Does nothing when it has ended already."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def close(self) -> None:
        os.close(self._descriptor)

    def _listen(self) -> None:
        said = self._notifications.take()
        if said:
            self.heard_at = seconds()
        if "READY=1" in said and self.ready_after is None:
            self.ready_after = self.heard_at - self.started_at
