"""What systemd is told: ready, a line of status, and that the loop is alive (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping
from typing import Final

from posd.diagnostics.socket_path import handed_over

# Feed at this part of the time that systemd allows: one late turn of the loop is no failure.
_WATCHDOG_SHARE: Final = 0.4


class ServiceManager:
    """Notifications; without a service manager every call does nothing. None blocks or raises.

    The variables are taken out of the environment: no child may speak for this process.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        meant_for = environment.pop("WATCHDOG_PID", "") or str(os.getpid())
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            )
        self.watchdog_seconds: float | None = None
        """How often to call `alive`; None when nobody counts."""
        if microseconds.isdecimal() and int(microseconds) and meant_for == str(os.getpid()):
            self.watchdog_seconds = int(microseconds) / 1_000_000 * _WATCHDOG_SHARE

    def ready(self, status: str) -> None:
        """The terminal works from now on."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        """The loop does its work; called from the loop itself and from nowhere else."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has been ordered."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Nothing is said any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # a manager that does not listen is not our trouble
                self._socket.sendto(text.encode("utf-8"), self._address)


class HandedOver:
    """What the service manager gave the process: its ear, and the diagnostic socket that it opened.

    For all lives of the terminal in this process; taken out of the environment.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self.manager = ServiceManager(environment)
        self._listening = handed_over(environment)

    def listening(self) -> socket.socket | None:
        """The diagnostic socket, for one life: to be closed at its end."""
        return None if self._listening is None else self._listening.dup()

    def end(self) -> None:
        """The process ends."""
        self.manager.stopping()
        self.manager.close()
        if self._listening is not None:
            self._listening.close()
