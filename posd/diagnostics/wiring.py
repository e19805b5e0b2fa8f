"""Diagnostics as the daemon sees them: what looks on from the start, and the socket once it is ready.

Nothing here keeps a terminal from starting or selling: a socket that cannot be opened is a line in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

import structlog

from posd import VERSION
from posd.core import ports
from posd.core.core import Core
from posd.core.ending import Ending
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

_TRY_AGAIN_SECONDS: Final = 1.0
FIRST_JOB = -(10**15)
"""Print jobs of ours are numbered from here down: neither the ledger nor the dialogue has such numbers."""
_GOES_ON: Final[Mapping[Ending | None, str]] = {
    Ending.TRAINING: (
        "the terminal goes into training, and nothing else has ended: ask again after it; "
        "posctl why and screen work meanwhile"
    ),
    Ending.LIVE: "the training is over: ask once more",
    Ending.POWER_CUT: "the training begins again: ask once more",
}
"""Endings of a life after which the same process begins another one."""


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
        self._door: socket.socket | None = None
        self._opening: asyncio.Task[None] | None = None

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
            return "not configured" if line is None else f"{line.settings.port}: {line.reason}"

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
        settings = self._configuration.diagnostics
        try:
            self._door = self._listening(settings.group)
        except OSError as error:
            reason = error.strerror or str(error)
            _log.warning("diagnostics.unavailable", socket=str(settings.socket), reason=reason)
            return
        loop, door = asyncio.get_running_loop(), self._door

        def knocked() -> None:
            loop.remove_reader(door)
            self._opening = loop.create_task(self._let_in(door, back_up_soon, looked, wait))

        def wait() -> None:
            if door.fileno() >= 0:
                loop.add_reader(door, knocked)

        wait()

    async def _let_in(
        self,
        door: socket.socket,
        back_up_soon: Callable[[], None],
        looked: Callable[[], None],
        wait: Callable[[], None],
    ) -> None:
        """Most terminals are hardly ever asked: what only a question needs is loaded with the first one.

        In a thread, so that no clerk's key waits for it.
        """
        try:
            await asyncio.to_thread(import_module, "posd.diagnostics.asked")
        except (OSError, ImportError) as error:
            # Without descriptors nothing can be read; the socket stays readable meanwhile.
            _log.warning("diagnostics.not_accepted", reason=str(getattr(error, "strerror", error)))
            asyncio.get_running_loop().call_later(_TRY_AGAIN_SECONDS, wait)
            return
        from posd.diagnostics import asked

        assert self._traffic is not None
        terminal = asked.Terminal(
            self._configuration,
            self._core,
            self._devices,
            self._keys,
            self._clock,
            self._observations,
            VERSION,
        )
        settings = self._configuration.diagnostics
        self._actions = asked.Actions(terminal, back_up_soon, looked, FIRST_JOB)
        service = asked.DiagnosticService(terminal, self._actions, self._traffic, looked)
        access = asked.Access(settings.group)
        self._server = asked.DiagnosticServer(door, access, service, VERSION, settings.clients)
        self._server.start()

    async def stop(self) -> None:
        """Everybody is told; a socket that systemd opened stays with systemd."""
        if self._door is None:
            return
        asyncio.get_running_loop().remove_reader(self._door)
        if self._opening is not None:
            await self._opening
        if self._server is not None:
            ending = self._core.ending if self._core.halted is None else None
            self._server.stop(_GOES_ON.get(ending, "the terminal ends"))
        self._door.close()
        if self._handed_over is None:
            socket_path.remove(self._configuration.diagnostics.socket)
        if self._actions is not None:
            await self._actions.stop()

    def _listening(self, group: str) -> socket.socket:
        if self._handed_over is not None:
            return self._handed_over
        from posd.diagnostics.access import group_number

        return socket_path.listen(self._configuration.diagnostics.socket, group_number(group))
