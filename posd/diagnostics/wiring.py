"""Diagnostics as the daemon sees them: what looks on from the start, and the socket once it is ready.

Nothing here keeps a terminal from starting or selling: a socket that cannot be opened is a line in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from posd import VERSION
from posd.core import ports
from posd.core.core import Core
from posd.core.events import Event, HostReceived, PrintEnded
from posd.diagnostics import socket_path
from posd.diagnostics.observations import Observations, WatchedDisplay
from posd.diagnostics.traffic import Traffic
from posd.edges import Devices
from posd.keys import Keys
from posd.settings import Configuration

if TYPE_CHECKING:
    import socket

    from posd.diagnostics.actions import Actions
    from posd.diagnostics.server import DiagnosticServer

_log = structlog.get_logger()

FIRST_JOB = -(10**15)
"""Print jobs of ours are numbered from here down: neither the ledger nor the dialogue has such numbers."""


class Diagnostics:
    """One a life of the terminal: `display` and `host` go into the core's ports, then `look_at`, `open`."""

    def __init__(
        self,
        configuration: Configuration,
        clock: ports.Clock,
        handed_over: socket.socket | None = None,
    ) -> None:
        """handed_over: the listening socket that systemd opened, to be closed at the end.

        In training only what shows how the terminal stands is answered.
        """
        self._configuration = configuration
        self._clock = clock
        self._handed_over = handed_over
        self._observations = Observations(clock)
        self._traffic: Traffic | None = None
        self._actions: Actions | None = None
        self._server: DiagnosticServer | None = None

    def display(self, display: ports.Display) -> ports.Display:
        """This display, looked at."""
        return WatchedDisplay(display, self._observations)

    def host(self, host: ports.Host) -> ports.Host:
        """This host line, listened to when somebody wants to."""
        self._traffic = Traffic(host)
        return self._traffic

    def look_at(self, core: Core, devices: Devices, keys: Keys) -> None:
        """From now on everything that happens is seen."""
        self._core, self._devices, self._keys = core, devices, keys

        def reason(role: str) -> str:
            line = devices.line(role)
            return "not configured" if line is None else line.reason

        self._observations.device_reason = reason
        self._observations.look_at(core)

    def takes(self, event: Event) -> bool:
        """Look at an event on its way to the core. True: it ends a print job of ours, and stays here."""
        if isinstance(event, HostReceived) and self._traffic is not None:
            self._traffic.received(event.frame)  # before what the core sends in answer to it
        if self._actions is None or not isinstance(event, PrintEnded) or event.job > FIRST_JOB:
            return False
        self._actions.print_ended(event)
        return True

    def open(self, back_up_soon: Callable[[], None], looked: Callable[[], None]) -> None:
        """The terminal is ready: let technicians in. looked: the core may have halted."""
        # What only a technician's question needs is loaded now, when no clerk waits for the start.
        from posd.diagnostics.access import Access, group_number
        from posd.diagnostics.actions import Actions
        from posd.diagnostics.answers import Terminal
        from posd.diagnostics.server import DiagnosticServer
        from posd.diagnostics.service import DiagnosticService

        settings = self._configuration.diagnostics
        try:
            listening = self._listening(group_number(settings.group))
        except OSError as error:
            reason = error.strerror or str(error)
            _log.warning("diagnostics.unavailable", socket=str(settings.socket), reason=reason)
            return
        assert self._traffic is not None
        terminal = Terminal(
            self._configuration,
            self._core,
            self._devices,
            self._keys,
            self._clock,
            self._observations,
            VERSION,
        )
        self._actions = Actions(terminal, back_up_soon, looked, FIRST_JOB)
        service = DiagnosticService(terminal, self._actions, self._traffic, looked)
        self._server = DiagnosticServer(
            listening, Access(settings.group), service, VERSION, settings.clients
        )
        self._server.start()

    async def stop(self) -> None:
        """Everybody is told; a socket that systemd opened stays with systemd."""
        if self._server is not None:
            self._server.stop()
            if self._handed_over is None:
                socket_path.remove(self._configuration.diagnostics.socket)
        if self._actions is not None:
            await self._actions.stop()

    def _listening(self, group: int | None) -> socket.socket:
        if self._handed_over is not None:
            return self._handed_over
        return socket_path.listen(self._configuration.diagnostics.socket, group)
